"""Tail maps on rows of several classes: F as a function of the pairs (i, c), of rows a_ic = (e_y - e_c) x_i'.

Far out, the weights of the pairs are e^-z_ic, and the gradient of a sample is G_i = sum_c c_ic a_ic. With S the sum of
these and Q that of their squares, entrywise, and q = pairs S^2 + singles Q the mean square of the gradient of a batch:

    Adam, beta2 -> 1                   S / sqrt(q)
    one second moment for each class   S_c / sqrt(mean_j q_cj)
    Adafactor                          S / sqrt(R C' / mean(R)),  R, C the means of q over rows and columns
    Newton-Schulz, full batch          the polynomials of S / ||S||_F

A map that is no function of coordinates is told so by turning the rows until none of their entries is zero.

Source: derived, as `tail_maps`; the plateau of Newton-Schulz is measured in arXiv 2502.04664.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from implicitbias.limits.tail_maps import TailMap
from implicitbias.optimizers.matrix.newton_schulz import POLYNOMIALS

EACH, ROW, FACTORED = "each", "row", "factored"


@dataclass(frozen=True, eq=False)
class MatrixMap(TailMap):
    """A map of matrices (k, d), in coordinates turned by an orthogonal `turn` (k d, k d); None leaves them."""

    shape: tuple[int, int]
    turn: np.ndarray | None
    signs = False

    def _back(self, x):
        """(..., k, d) from turned coordinates (..., k d)."""
        return (x if self.turn is None else x @ self.turn.T).reshape(*x.shape[:-1], *self.shape)

    def _turned(self, x):
        """The inverse."""
        x = x.reshape(*x.shape[:-2], -1)
        return x if self.turn is None else x @ self.turn


@dataclass(frozen=True, eq=False)
class SampledMatrix(MatrixMap):
    """S / sqrt(v), where v is q, its means over the rows, or of rank one.

    pairs and singles are as of `tail_maps.Sampled`, n is the number of samples.
    """

    n: int
    pairs: float
    singles: float
    kind: str = EACH

    def value(self, g):
        total, square = self._sums(self._back(g))[:2]
        return self._turned(_over_root(total, self._moment(square)))

    def linear(self, g):
        g = self._back(g)
        total, square, each = self._sums(g)
        moment = self._moment(square)
        inverse = _over_root(np.ones_like(total), moment)
        found = np.empty_like(g)
        parts, out = g.reshape(self.n, -1, *self.shape), found.reshape(self.n, -1, *self.shape)
        for i in range(self.n):  # of all samples at once, the terms would fill the memory
            change = 2.0 * parts[i] * (self.pairs * total + self.singles * each[i])
            bend = self._change(square, change)
            out[i] = parts[i] * inverse - 0.5 * total * inverse**3 * bend
        return self._turned(total * inverse), self._turned(found)

    def _sums(self, g):
        each = g.reshape(self.n, -1, *self.shape).sum(axis=1)
        total = each.sum(axis=0)
        return total, self.pairs * total**2 + self.singles * (each**2).sum(axis=0), each

    def _moment(self, q):
        if self.kind == EACH:
            return q
        rows = q.mean(axis=-1, keepdims=True)
        if self.kind == ROW:
            return np.broadcast_to(rows, q.shape)
        return rows * q.mean(axis=-2, keepdims=True) / rows.mean(axis=-2, keepdims=True)

    def _change(self, q, change):
        """The derivative of the moment along changes (..., k, d) of q."""
        if self.kind != FACTORED:
            return self._moment(change)
        rows, columns, whole = (q.mean(axis=axis, keepdims=True) for axis in (-1, -2, (-1, -2)))
        by_rows, by_columns, by_whole = (change.mean(axis=axis, keepdims=True) for axis in (-1, -2, (-1, -2)))
        return (by_rows * columns + rows * by_columns - rows * columns * by_whole / whole) / whole


def _over_root(x, moment):
    return np.divide(x, np.sqrt(moment), where=moment > 0.0, out=np.zeros(np.shape(moment)))


@dataclass(frozen=True, eq=False)
class NewtonSchulz(MatrixMap):
    """The polynomials of the gradient over its Frobenius norm."""

    polynomial: str
    iterations: int
    care: ClassVar[float] = 2e-4  # steep where singular values are small: at 2e-3 some paths end in another basin

    def value(self, g):
        return self._turned(self._iterate(self._matrix(g.sum(axis=0)), None)[0])

    def linear(self, g):
        move, slope = self._iterate(self._matrix(g.sum(axis=0)), self._matrix(g))
        return self._turned(move), self._turned(slope)

    def _matrix(self, x):
        found = self._back(x)
        return found if self.shape[0] <= self.shape[1] else np.swapaxes(found, -1, -2)

    def _iterate(self, x, changes):
        """f(x), and its derivatives along changes (N, k, d)."""
        size = np.linalg.norm(x)
        x = x / size
        if changes is not None:
            changes = (changes - np.einsum("...ij,ij->...", changes, x)[..., None, None] * x) / size
        table = POLYNOMIALS[self.polynomial]
        for step in range(self.iterations):
            a, b, c = table[min(step, len(table) - 1)]
            gram = x @ x.T
            inner = b * gram + c * gram @ gram
            if changes is not None:
                half = changes @ x.T
                bend = half + np.swapaxes(half, -1, -2)
                changes = a * changes + inner @ changes + (b * bend + c * (bend @ gram + gram @ bend)) @ x
            x = a * x + inner @ x
        if self.shape[0] > self.shape[1]:
            x = x.T
            changes = None if changes is None else np.swapaxes(changes, -1, -2)
        return x, changes


def turning(size: int) -> np.ndarray:
    """(size, size) an orthogonal matrix without structure."""
    return np.linalg.qr(np.random.default_rng(0).normal(size=(size, size)))[0]

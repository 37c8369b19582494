"""Newton's method along a central path, for the margins of norms of matrices: dense, in the entries of W alone.

A cone program of the spectral norm has a semidefinite cone of k + d rows, (k + d)^2 / 2 numbers; a barrier of its ball
has the k d of W. At the sizes of this field that is a matter of seconds, and of eleven digits.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from implicitbias.errors import InputError
from implicitbias.margins.unit_rows import UnitRows

if TYPE_CHECKING:
    from implicitbias.margins.norms.matrix import MatrixNorm
    from implicitbias.margins.separator import Separator

MOST = 6000  # variables: a step takes seconds then, and there are a hundred
FIRST = 1e-2  # weight of the barriers at the first centre, for an objective of the size of 1
FALLS = 0.1, 0.3, 0.5, 0.7, 0.9  # how the weight may fall from one centre to the next
# The objective is within (number of inequalities) times the weight of its optimum: here eleven digits are asked for.
LAST = 1e-11
CENTRED = 0.3  # a squared Newton decrement at which one more step ends near enough to the centre
RIDGES = 0.0, 1e-15, 1e-13, 1e-11
STEPS = 100  # Newton steps to a centre; five are usual
NEAR_EDGE = 0.99  # of the way to the nearest inequality is the longest step
SHORTEST = 1e-6  # a shorter step says that round-off is all there is
SHRINK = np.concatenate([[0.0], np.geomspace(1e-16, 0.5, 61)])  # of a step along the path, back into the ball


class Point(NamedTuple):
    """A point near the central path: the variables v (q,), the slacks (m,), and the multipliers c (m,) of these."""

    v: np.ndarray
    slack: np.ndarray
    c: np.ndarray


class Reduced:
    """The matrices that the margins see, W = left M right', and the ball of the norm among them.

    Attributes
        left   (k, a) orthonormal columns: those that sum to zero, if the norm allows it
        right  (d, b) the principal axes of the samples: what these have in common shall not hide in each coordinate
               what they differ by; those that span them, if the norm allows it
        shape  (a, b)
        rows   (n, a b) the rows of M
        own    how many variables the barrier of the ball has: the a b of M, and the norm's ``extra``
    """

    def __init__(self, b: np.ndarray, norm: MatrixNorm, shape: tuple[int, int]):
        k, d = shape
        b = b.reshape(-1, k, d)
        every = np.arange(len(b))
        samples = b[every, b.any(axis=2).argmax(axis=1)]  # x_i or -x_i
        samples = samples * np.sign(samples[every, (samples != 0).argmax(axis=1)])[:, None]
        samples = np.unique(samples, axis=0)
        sums_to_zero, self.turns = norm.turns
        self.left = np.linalg.qr(np.eye(k) - 1.0 / k)[0][:, : k - 1] if sums_to_zero else np.eye(k)
        self.right = np.linalg.svd(samples, full_matrices=not self.turns or len(samples) >= d)[2].T
        self.norm, self.shape = norm, (self.left.shape[1], self.right.shape[1])
        self.entries = self.shape[0] * self.shape[1]
        self.own = self.entries + norm.extra(self.shape)
        if self.own > MOST:
            raise InputError(
                f"the {norm} margin of {k} classes with {d} features asks for a program of {self.own} variables, and "
                f"the largest has {MOST}; take fewer classes, features or rows"
            )
        self.rows = (self.left.T @ (b @ self.right)).reshape(len(b), -1)

    def inside(self, m: np.ndarray) -> np.ndarray:
        """(own,) variables of M, N(M) < 1, at which the barrier is finite."""
        return self.norm.inside(m)

    def barrier(self, v: np.ndarray) -> float:
        """That of the ball, at the variables that v begins with."""
        return self.norm.barrier(self._unturned(v), self.shape)

    def derivatives(self, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Its gradient (own,), and its Hessian (own, own)."""
        slope, curvature = self.norm.derivatives(self._unturned(v), self.shape)
        if self.turns:
            return slope, curvature
        a, b = self.shape
        curvature = self.right.T @ (curvature.reshape(a, b, a, b) @ self.right).reshape(a, b, a * b)
        return (slope.reshape(a, b) @ self.right).ravel(), curvature.reshape(a * b, a * b)

    def _unturned(self, v):
        """The variables of the norm: the same, unless it changes when the axes are turned."""
        v = v[: self.own]
        return v if self.turns else (v.reshape(self.shape) @ self.right.T).ravel()

    def down(self, w: np.ndarray) -> np.ndarray:
        """The M of the projection of W."""
        return self.left.T @ w @ self.right

    def up(self, v: np.ndarray) -> np.ndarray:
        """W of the M that v begins with."""
        a, b = self.shape
        return self.left @ v[: a * b].reshape(a, b) @ self.right.T


def solve(unit: UnitRows, norm: MatrixNorm, l2: Separator) -> Iterator:
    """Pairs (W, c) for  max { min_i <a_i, W> : N(W) <= 1 }.

    In unit rows  max { t : <b_i, W> >= g h_i t, N(W) <= 1 }  with g the margin of the Frobenius direction in units of
    the shortest row, so that t is at least 1. On the central path c_i is the weight of the barriers over the slack.
    The end of the path is inside of the optimal face.

    Source: Boyd and Vandenberghe, Convex Optimization (2004), section 11.3; Nesterov and Nemirovskii, Interior-Point
    Polynomial Algorithms (1994).
    """
    reduced = Reduced(unit.b, norm, l2.direction.shape)
    start = l2.direction / norm.value(l2.direction)
    level = float((unit.b @ start.ravel() / unit.h).min()) * unit.h
    if level.min() > 0:  # else the margin is lost in the round-off of a product
        others = np.zeros((len(level), reduced.own - reduced.entries))
        v = np.append(reduced.inside(reduced.down(start) / 2.0), 0.25)
        cost = np.zeros(len(v))
        cost[-1] = -1.0
        rows = np.hstack([reduced.rows, others, -level[:, None]])
        points = list(Path(reduced, rows, np.zeros(len(rows)), cost).follow(v, LAST))
        for point in reversed(points[-8:]):  # where round-off ends the path the last ones may not be the best
            w = reduced.up(point.v)
            # The product of both is the weight of the barriers: the smaller one of them is zero at the end.
            support = point.c * level > point.slack / level
            if support.any():
                yield w, unit.weights(np.where(support, point.c, 0.0))
                yield None
            yield w, unit.weights(point.c)
    yield l2.direction, l2.dual


class Path:
    """The minimisers v of  f(v)/weight + balance F(v) - sum_i log (a_i.v - level_i), f(v) = cost.v + |M|^2 quadratic/2.

    Arguments
        ball       has the barrier F, of the first variables
        a, level   (m, q), (m,)
        cost       (q,)
        quadratic  0 or more
    """

    def __init__(self, ball: Reduced, a, level, cost, quadratic=0.0):
        self.ball, self.a, self.level, self.cost, self.quadratic = ball, a, level, cost, quadratic
        self.entries, self.own = ball.entries, ball.own
        # Hundreds of inequalities would press the first centres to the edge of a ball that counts for a few of them.
        self.balance = max(1.0, len(level) / (min(ball.shape) + 1))

    def follow(self, v: np.ndarray, gap: float) -> Iterator[Point]:
        """Centres from a feasible v on, until f is within ``gap`` of its least value or round-off ends the path."""
        weight, starts = FIRST, iter([(v, FIRST)])
        while True:
            # At the end of what float64 can tell there is no centre, and linear algebra may say so first.
            with np.errstate(all="ignore"), suppress(LinAlgError):
                found = None
                for start, weight in starts:
                    if (found := self.centre(start, weight)) is not None:
                        break
            if found is None:
                return
            point, tangent = found
            yield point
            if weight * len(self.level) <= gap:
                return
            starts = self.ahead(point, tangent, weight, v)

    def centre(self, v, weight):
        """The centre of a weight, by Newton's method from v, and the tangent of the path; None if it is not reached."""
        for _ in range(STEPS):
            slack = self.a @ v - self.level
            if not slack.min() > 0:
                return None
            scaled = self.a / slack[:, None]
            slope, curvature = (self.balance * part for part in self.ball.derivatives(v))
            gradient = self.slope(v) / weight - scaled.sum(axis=0)
            gradient[: self.own] += slope
            hessian = scaled.T @ scaled
            hessian[: self.own, : self.own] += curvature
            diagonal = np.arange(self.entries)
            hessian[diagonal, diagonal] += self.quadratic / weight
            if not np.isfinite(hessian).all() or not hessian.diagonal().min() > 0:
                return None
            size = np.sqrt(hessian.diagonal())
            factor = _factor(hessian / size / size[:, None])
            if factor is None:
                return None
            step = -cho_solve(factor, gradient / size, check_finite=False) / size
            decrement = -float(gradient @ step)
            if not 0 <= decrement < np.inf:
                return None
            change = scaled @ step  # of the slacks, as parts of them
            length = self.length(v, step, change, weight, decrement <= CENTRED)
            if length is None:
                return None
            v = v + length * step
            if decrement <= CENTRED:
                c = weight / slack * np.maximum(1.0 - change, 0.0)
                tangent = -cho_solve(factor, self.slope(v) / weight / size, check_finite=False) / size
                return Point(v, self.a @ v - self.level, c), tangent
        return None

    def slope(self, v):
        """(q,) that of f."""
        slope = self.cost.copy()
        slope[: self.entries] += self.quadratic * v[: self.entries]
        return slope

    def length(self, v, step, change, weight, near):
        """How far to go along a Newton step: the whole of it near the centre; None where only round-off is left.

        Else the first of 1, 1/2, 1/4, ... that lowers the value more than its half does: a step that ends close to the
        edge of the ball, where it may well be low, would take many others to come away from there.
        """
        start = self.ball.barrier(v)
        line = float(self.slope(v) @ step) / weight
        bend = self.quadratic / weight * float(step[: self.entries] @ step[: self.entries]) / 2.0

        def rise(length):
            end = self.ball.barrier(v + length * step)
            return line * length + bend * length**2 - np.log1p(length * change).sum() + self.balance * (end - start)

        length = min(1.0, NEAR_EDGE / max(-float(change.min()), NEAR_EDGE))
        here = rise(length)
        if near and here < np.inf:
            return length
        while length > SHORTEST:
            half = rise(length / 2.0)
            if here < 0 and here <= half:
                return length
            length, here = length / 2.0, half
        return None

    def ahead(self, point, tangent, weight, anchor):
        """Points further along the path and their weights, the farthest first: near its end it is a line in the weight.

        Before, it bends with the ball: the line leaves it, and is led back in towards a point inside, the ``anchor``.
        """
        change = self.a @ tangent
        for fall in FALLS:
            if ((1.0 - fall) * change + NEAR_EDGE * point.slack > 0).all():
                yield self.led_back(point.v + (1.0 - fall) * tangent, weight * fall, anchor), weight * fall

    def led_back(self, v, weight, anchor):
        """The point with the smallest value on the way from v to a point inside."""

        def value(shrink):
            there = v + shrink * (anchor - v)
            slack = self.a @ there - self.level
            if not slack.min() > 0:
                return np.inf
            f = self.cost @ there + self.quadratic / 2.0 * (there[: self.entries] @ there[: self.entries])
            return f / weight - np.log(slack).sum() + self.balance * self.ball.barrier(there)

        return v + min(SHRINK, key=value) * (anchor - v)


def _factor(matrix):
    """The Cholesky factors of a positive definite matrix with a diagonal of 1, or of it and a little more; or None.

    Along the optimal face curvatures are lost in the round-off of those across it, 1e20 times as large.
    """
    diagonal = np.arange(len(matrix))
    for ridge in RIDGES:
        matrix[diagonal, diagonal] = 1.0 + ridge
        try:
            return cho_factor(matrix, check_finite=False)
        except (LinAlgError, ValueError):
            continue
    return None

"""Tail maps: the direction in which an optimizer moves once the norms are large.

On separable data an optimizer sees only the normalised sample weights c_i = s_i / sum s. Far out, one that does not
depend on the size of the gradients moves by eta F(c) per step. With S = sum_i c_i a_i and Q = sum_i c_i^2 a_i^2
(elementwise):

    gradient descent, any order             S
    Adam, one row at a time, beta2 -> 1     S / sqrt(Q)                               (AdamProxy)
    Adam, reshuffle, batch b, beta2 -> 1    S / sqrt((b - 1) S^2 + (n - b) Q)
    Adam, replacement, batch b, beta2 -> 1  S / sqrt((b - 1) S^2 + n Q)
    Adam, fixed blocks, beta2 -> 1          sum_B g_B / sqrt(sum_B g_B^2)
    Adam, fixed blocks, any beta            the mean over an epoch of m / sqrt(v) in its periodic state (`Epoch`)

Maps are defined up to a positive factor; 0/0 = 0. Coordinate by coordinate they depend on c only through the
contributions G_ij = c_i a_ij, again up to a factor. So a coordinate that only exponentially light samples touch (sparse
rows) is given its own unit: see `contributions`.

Source: AdamProxy and the epoch map at b = 1: Baek, Song, Yun, arXiv 2510.26303. The reshuffle row for one epoch: Kim,
Song, Yun 2026. The rest is derived: v averages g_B^2 over the batches an order can show.
"""

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter


def contributions(rows: np.ndarray, logs: np.ndarray) -> np.ndarray:
    """(n, d) G_ij = c_i a_ij for log c_i = logs (n,), each coordinate in units of its own heaviest sample."""
    touched = rows != 0.0
    heaviest = np.where(touched, logs[:, None], -np.inf).max(axis=0)
    return np.exp(np.where(touched, logs[:, None] - np.where(np.isfinite(heaviest), heaviest, 0.0), -np.inf)) * rows


def ratio(numerator: np.ndarray, square: np.ndarray) -> np.ndarray:
    """numerator / sqrt(square), with 0/0 = 0."""
    positive = square > 0.0
    return np.where(positive, numerator, 0.0) / np.sqrt(np.where(positive, square, 1.0))


class TailMap:
    """F as a function of the contributions G (n, d)."""

    def value(self, g: np.ndarray) -> np.ndarray:
        """(d,) F."""
        raise NotImplementedError

    def slope(self, g: np.ndarray) -> np.ndarray:
        """(n, d) the derivative of F_j by log c_i."""
        raise NotImplementedError


@dataclass(frozen=True)
class Sampled(TailMap):
    """S / sqrt(pairs S^2 + singles Q): Adam with beta2 -> 1 on batches drawn at random."""

    pairs: float
    singles: float

    def value(self, g):
        total = g.sum(axis=0)
        return ratio(total, self.pairs * total**2 + self.singles * (g**2).sum(axis=0))

    def slope(self, g):
        total = g.sum(axis=0)
        inverse = ratio(np.ones_like(total), self.pairs * total**2 + self.singles * (g**2).sum(axis=0))
        bend = total * inverse**3
        return g * (inverse - bend * self.pairs * total - bend * self.singles * g)


def proxy() -> Sampled:
    """S / sqrt(Q)."""
    return Sampled(0.0, 1.0)


def reshuffle(n: int, batch: int) -> Sampled:
    """Batches are uniform subsets of size b: E g_B^2 is proportional to (b - 1) S^2 + (n - b) Q."""
    return Sampled(batch - 1.0, float(n - batch))


def replacement(n: int, batch: int) -> Sampled:
    """Batches are b independent draws: E g_B^2 is proportional to (b - 1) S^2 + n Q."""
    return Sampled(batch - 1.0, float(n))


def around(beta: float, x: np.ndarray) -> np.ndarray:
    """y_p = sum_q beta^((p - q) mod m) x_q for x (m, d): the periodic state of y <- beta y + (1 - beta^m) x_p."""
    m = len(x)
    last = (float(beta) ** np.arange(m - 1, -1, -1))[:, None] * x
    start = beta * last.sum(axis=0, keepdims=True)
    return lfilter([1.0 - float(beta) ** m], [1.0, -beta], x, axis=0, zi=start)[0]


@dataclass(frozen=True, eq=False)
class Epoch(TailMap):
    """Fixed blocks in turn, with finite beta1 <= beta2. In its periodic state, after block p of m, up to common
    factors,

        m_p = sum_q beta1^((p - q) mod m) g_q,   v_p = sum_q beta2^((p - q) mod m) g_q^2

    with g_q the mean of c_i a_i over block q; F is the sum over p of m_p / sqrt(v_p). beta = 1 stands for the limit
    beta -> 1, where all m_p, or all v_p, are equal.
    """

    blocks: list[np.ndarray]
    beta1: float = 1.0
    beta2: float = 1.0

    def _means(self, g):
        return np.array([g[block].mean(axis=0) for block in self.blocks])

    def value(self, g):
        means = self._means(g)
        return ratio(around(self.beta1, means), around(self.beta2, means**2)).sum(axis=0)

    def slope(self, g):
        means = self._means(g)
        inverse = ratio(np.ones_like(means), around(self.beta2, means**2))
        bend = around(self.beta1, means) * inverse**3
        # row q: how sum_p m_p / sqrt(v_p) answers to the gradient of block q, which acts on the blocks after it
        answer = around(self.beta1, inverse[::-1])[::-1] - around(self.beta2, bend[::-1])[::-1] * means
        found = np.empty_like(g)
        for q, block in enumerate(self.blocks):
            found[block] = g[block] / len(block) * answer[q]
        return found

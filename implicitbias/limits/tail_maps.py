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

Maps are defined up to a positive factor; 0/0 = 0.

Source: AdamProxy and the epoch map at b = 1: Baek, Song, Yun, arXiv 2510.26303. The reshuffle row for one epoch: Kim,
Song, Yun 2026. The rest is derived: v averages g_B^2 over the batches an order can show.
"""

from dataclasses import dataclass

import numpy as np


class TailMap:
    """F, callable on weights c (n,); `derivative(c, index)` is the (d, k) matrix of dF/dc_i for i in index."""

    def __call__(self, c: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def derivative(self, c: np.ndarray, index: np.ndarray) -> np.ndarray:
        raise NotImplementedError


def ratio(numerator: np.ndarray, square: np.ndarray) -> np.ndarray:
    """numerator / sqrt(square), with 0/0 = 0."""
    positive = square > 0.0
    return np.where(positive, numerator, 0.0) / np.sqrt(np.where(positive, square, 1.0))


@dataclass(frozen=True, eq=False)
class Sampled(TailMap):
    """S / sqrt(pairs S^2 + singles Q): Adam with beta2 -> 1 on batches drawn at random."""

    rows: np.ndarray
    pairs: float
    singles: float

    def __call__(self, c):
        total = c @ self.rows
        return ratio(total, self._square(total, c))

    def _square(self, total, c):
        return self.pairs * total**2 + self.singles * (c**2 @ self.rows**2)

    def derivative(self, c, index):
        total, a = c @ self.rows, self.rows[index].T
        square = self._square(total, c)
        slope = ratio(np.ones_like(total), square)
        bend = (total * slope**3)[:, None]
        return slope[:, None] * a - bend * (self.pairs * total[:, None] * a + self.singles * c[index] * a**2)


def proxy(rows: np.ndarray) -> TailMap:
    """S / sqrt(Q)."""
    return Sampled(rows, 0.0, 1.0)


def reshuffle(rows: np.ndarray, batch: int) -> TailMap:
    """Batches are uniform subsets of size b: E g_B^2 is proportional to (b - 1) S^2 + (n - b) Q."""
    return Sampled(rows, batch - 1.0, len(rows) - float(batch))


def replacement(rows: np.ndarray, batch: int) -> TailMap:
    """Batches are b independent draws: E g_B^2 is proportional to (b - 1) S^2 + n Q."""
    return Sampled(rows, batch - 1.0, float(len(rows)))


@dataclass(frozen=True, eq=False)
class Epoch(TailMap):
    """Fixed blocks in turn, with finite beta1 <= beta2. In its periodic state, after block p of m,

        m_p = sum_q beta1^((p - q) mod m) g_q,   v_p = sum_q beta2^((p - q) mod m) g_q^2   (up to factors common to all
        p)

    with g_q the mean of c_i a_i over block q; F is the sum over p of m_p / sqrt(v_p). beta = 1 stands for the limit
    beta -> 1, where all m_p, or all v_p, are equal.
    """

    rows: np.ndarray
    blocks: list[np.ndarray]
    beta1: float = 1.0
    beta2: float = 1.0

    def _powers(self):
        position = np.arange(len(self.blocks))
        lag = (position[:, None] - position) % len(self.blocks)
        return float(self.beta1) ** lag, float(self.beta2) ** lag

    def _gradients(self, c):
        return np.array([c[block] @ self.rows[block] / len(block) for block in self.blocks])

    def __call__(self, c):
        first, second = self._powers()
        g = self._gradients(c)
        return ratio(first @ g, second @ g**2).sum(axis=0)

    def derivative(self, c, index):
        first, second = self._powers()
        g = self._gradients(c)
        slope = ratio(np.ones_like(g), second @ g**2)
        bend = (first @ g) * slope**3
        home, size = np.empty(len(self.rows), int), np.empty(len(self.rows))
        for q, block in enumerate(self.blocks):
            home[block], size[block] = q, len(block)
        through_m, through_v = first.T @ slope, second.T @ bend  # row q: how sum_p m_p/sqrt(v_p) answers to g_q
        q = home[index]
        return ((through_m[q] - through_v[q] * g[q]) * self.rows[index] / size[index][:, None]).T

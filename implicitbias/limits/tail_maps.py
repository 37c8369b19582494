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
    Signum, fixed blocks                    the mean over an epoch of sign(m) in its periodic state (`SignEpoch`)

Maps are defined up to a positive factor; 0/0 = 0. Coordinate by coordinate they depend on c only through the
contributions G_ij = c_i a_ij, again up to a factor. So a coordinate that only exponentially light samples touch (sparse
rows) is given its own unit: see `contributions`.

Source: AdamProxy and the epoch map at b = 1: Baek, Song, Yun, arXiv 2510.26303. The reshuffle row for one epoch: Kim,
Song, Yun 2026. The rest is derived: v averages g_B^2 over the batches an order can show.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import ClassVar

import numpy as np

FEW = 64  # blocks, up to which a product with powers of beta is faster than the recursion


def contributions(rows: np.ndarray, logs: np.ndarray) -> np.ndarray:
    """(n, d) G_ij = c_i a_ij for log c_i = logs (n,), each coordinate in units of its own heaviest sample."""
    touched = rows != 0.0
    if touched.all():
        return np.exp(logs - logs.max())[:, None] * rows
    heaviest = np.where(touched, logs[:, None], -np.inf).max(axis=0)
    return np.exp(np.where(touched, logs[:, None] - np.where(np.isfinite(heaviest), heaviest, 0.0), -np.inf)) * rows


def ratio(numerator: np.ndarray | float, square: np.ndarray) -> np.ndarray:
    """numerator / sqrt(square), with 0/0 = 0."""
    return np.divide(numerator, np.sqrt(square), where=square > 0.0, out=np.zeros(np.shape(square)))


@dataclass(frozen=True, eq=False)
class Jumps:
    """Where F(c) jumps at some c: R of its parts are the sign of something that vanishes there, of either sign nearby.

    Attributes
        coordinate  (R,) the coordinate j of each part
        height      (R,) how much of F_j it is: F_j takes its values in held_j +- the sum of the heights of its parts
        key         (R, n) what vanishes, up to a factor, per sample: parts whose keys are proportional jump together
        normals     (C, n) everything that vanishes, per sample and in units of its own terms: rows with sums near zero
        held        (d,) F without these parts
        slope       (n, d) the derivative of `held` by log c_i
    """

    coordinate: np.ndarray
    height: np.ndarray
    key: np.ndarray
    normals: np.ndarray
    held: np.ndarray
    slope: np.ndarray


class TailMap:
    """F as a function of the contributions G (n, d)."""

    flat: ClassVar[bool] = False  # whether it is constant but for jumps
    signs: ClassVar[bool] = True  # whether of a single sample it is the sign, up to a factor
    # Relative error of log-weights over a step with which the path of a run is integrated. At 2e-2 none of 3000 random
    # sets ended elsewhere.
    care: ClassVar[float] = 2e-3

    def contributions(self, rows: np.ndarray, logs: np.ndarray) -> np.ndarray:
        """(n, d) G in the units in which this map wants it."""
        return contributions(rows, logs)

    def value(self, g: np.ndarray) -> np.ndarray:
        """(d,) F."""
        raise NotImplementedError

    def on(self, rows: np.ndarray) -> tuple[Callable, Callable]:
        """`value` and `linear` on rows (n, d) as functions of log-weights (n,); a derivative is good until the next."""

        def at(logs):
            return self.contributions(rows, logs)

        return lambda logs: self.value(at(logs)), lambda logs: self.linear(at(logs))

    def slope(self, g: np.ndarray) -> np.ndarray:
        """(n, d) the derivative of F_j by log c_i."""
        return self.linear(g)[1]

    def linear(self, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """F and its derivative."""
        raise NotImplementedError

    def smoothed(self, width: float) -> "TailMap":
        """F with its jumps replaced by slopes, as wide as `width` times the absolute terms of what vanishes there."""
        return self

    def sizes(self, g: np.ndarray) -> np.ndarray:
        """(m, d) the absolute value of each of the m numerators of a coordinate, in units of its absolute terms."""
        return np.zeros((0, g.shape[1]))

    def vanishing(self, g: np.ndarray, small: np.ndarray) -> np.ndarray:
        """(m, d) the numerators at which F jumps if those called `small` (m, d) vanish."""
        return small

    def without(self, vanish: np.ndarray, parts: np.ndarray) -> np.ndarray:
        """`vanish` without the numerators of some parts (R,) of the `Jumps` there."""
        return vanish

    def jumps(self, g: np.ndarray, level: np.ndarray, vanish: np.ndarray) -> Jumps:
        """The parts of F that jump where the numerators `vanish` (m, d) do.

        `level` (n, d) are the contributions of samples of equal weight in the place of comparable ones.
        """
        none = np.empty((0, len(g)))
        return Jumps(np.empty(0, np.int64), np.empty(0), none, none, *self.linear(g))


@dataclass(frozen=True)
class Sampled(TailMap):
    """S / sqrt(pairs S^2 + singles Q): Adam with beta2 -> 1 on batches drawn at random."""

    pairs: float
    singles: float

    def value(self, g):
        return self._inverse(total := g.sum(axis=0), np.einsum("ij,ij->j", g, g)) * total

    def linear(self, g):
        return self._linear(g, g.sum(axis=0), np.einsum("ij,ij->j", g, g), np.empty_like(g))

    def on(self, rows):
        if (rows == 0.0).any():
            return super().on(rows)
        # Sums as products, in memory that is there: several times as fast on large data.
        squares, g, slope = rows**2, np.empty_like(rows), np.empty_like(rows)

        def value(logs):
            c = np.exp(logs - logs.max())
            return self._inverse(total := c @ rows, c**2 @ squares) * total

        def linear(logs):
            c = np.exp(logs - logs.max())
            return self._linear(np.multiply(c[:, None], rows, out=g), c @ rows, c**2 @ squares, slope)

        return value, linear

    def _inverse(self, total, square):
        """(d,) the reciprocal of the root."""
        return ratio(1.0, self.pairs * total**2 + self.singles * square)

    def _linear(self, g, total, square, slope):
        inverse = self._inverse(total, square)
        bend = total * inverse**3
        np.multiply(g, -self.singles * bend, out=slope)
        slope += inverse - self.pairs * total * bend
        slope *= g
        return total * inverse, slope


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
    if m <= FEW:
        return _circulant(float(beta), m) @ x
    last = (float(beta) ** np.arange(m - 1, -1, -1))[:, None] * x
    start = beta * last.sum(axis=0, keepdims=True)
    from scipy.signal import lfilter  # takes as long to import as all the rest

    return lfilter([1.0 - float(beta) ** m], [1.0, -beta], x, axis=0, zi=start)[0]


@lru_cache(maxsize=64)
def _circulant(beta: float, m: int) -> np.ndarray:
    return beta ** ((np.arange(m)[:, None] - np.arange(m)) % m)


class FixedBlocks(TailMap):
    """What maps of fixed blocks, visited in turn, have in common. The gradient of block q is the mean of its c_i a_i.

    F jumps where the gradients of all blocks that touch a coordinate vanish in it; where only exponentially light
    blocks are left, the steps of a run pass over them: they do not count.
    """

    care: ClassVar[float] = 2e-4  # steep beside its jumps: of 1800 sets at 6e-4 none, at 1e-3 one ended elsewhere

    @cached_property
    def _order(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The samples in turn, where each block begins, and how many each has (m, 1)."""
        sizes = np.array([len(block) for block in self.blocks])
        return np.concatenate(self.blocks), np.cumsum(sizes) - sizes, sizes[:, None]

    def _sums(self, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(m, d) the gradients of the blocks, and the same of absolute values."""
        order, first, sizes = self._order
        g = g[order]
        if len(first) == len(order):
            return g, np.abs(g)
        return np.add.reduceat(g, first, axis=0) / sizes, np.add.reduceat(np.abs(g), first, axis=0) / sizes

    def _members(self) -> np.ndarray:
        """(m, n) the weight of each sample in the gradient of each block."""
        found = np.zeros((len(self.blocks), sum(map(len, self.blocks))))
        for q, block in enumerate(self.blocks):
            found[q, block] = 1.0 / len(block)
        return found

    def _spread(self, g: np.ndarray, answer: np.ndarray) -> np.ndarray:
        """An answer (m, d) to the gradient of each block, for every one of its samples (n, d)."""
        order, _, sizes = self._order
        found = np.empty_like(g)
        found[order] = np.repeat(answer / sizes, sizes[:, 0], axis=0)
        return found


@dataclass(frozen=True, eq=False)
class Epoch(FixedBlocks):
    """Adam with finite beta1 <= beta2. In its periodic state, after block p of m, up to common factors,

        m_p = sum_q beta1^((p - q) mod m) g_q,   v_p = sum_q beta2^((p - q) mod m) g_q^2

    and F is the sum over p of m_p / sqrt(v_p). beta = 1 stands for the limit beta -> 1, where all m_p, or all v_p, are
    equal. `width` smooths it: see `TailMap.smoothed`.
    """

    blocks: list[np.ndarray]
    beta1: float = 1.0
    beta2: float = 1.0
    width: float = 0.0

    def smoothed(self, width):
        return replace(self, width=width)

    def _squares(self, means, absolute):
        return around(self.beta2, means**2) + (self.width * absolute.sum(axis=0)) ** 2

    def value(self, g):
        means, absolute = self._sums(g)
        return ratio(around(self.beta1, means), self._squares(means, absolute)).sum(axis=0)

    def linear(self, g):
        means, absolute = self._sums(g)
        momenta, inverse = around(self.beta1, means), ratio(1.0, self._squares(means, absolute))
        bend = momenta * inverse**3
        # row q: how sum_p m_p / sqrt(v_p) answers to the gradient of block q, which acts on the blocks after it
        first = around(self.beta1, inverse[::-1])[::-1]
        second = around(self.beta2, bend[::-1])[::-1]
        slope = g * self._spread(g, first - second * means)
        if self.width > 0.0:
            floor = self.width**2 * bend.sum(axis=0) * absolute.sum(axis=0)
            slope -= np.abs(g) * self._spread(g, np.broadcast_to(floor, means.shape))
        return (momenta * inverse).sum(axis=0), slope

    def sizes(self, g):
        means, absolute = self._sums(g)
        return ratio(np.abs(means), absolute.sum(axis=0) ** 2 + np.zeros_like(means))

    def vanishing(self, g, small):
        _, absolute = self._sums(g)
        return small.all(axis=0) & (absolute > 1e-9 * absolute.sum(axis=0))

    def without(self, vanish, parts):
        left = vanish.copy()
        left[:, np.flatnonzero(vanish.any(axis=0))[parts]] = False
        return left

    def jumps(self, g, level, vanish):
        _, absolute = self._sums(g)
        slides = vanish.any(axis=0)
        coordinate = np.flatnonzero(slides)
        where = np.argwhere(vanish)
        normals = self._members()[where[:, 0]] * g.T[where[:, 1]] / absolute[vanish][:, None]
        others = np.where(slides, 0.0, g)
        # Any block may be the last to vanish, or all together: F_j is between + and - its value then.
        heavy = self._sums(level)[1][:, coordinate] > 0.0
        alone = np.where(heavy, self._highest(np.eye(len(heavy)))[:, None], 0.0).max(axis=0)
        height = np.maximum(alone, self._highest(heavy * 1.0))
        key = level.T[coordinate] * self._members().sum(axis=0)
        return Jumps(coordinate, height, key, normals, *self.linear(others))

    def _highest(self, x: np.ndarray) -> np.ndarray:
        """(k,) F for k coordinates with block gradients x (m, k)."""
        return ratio(around(self.beta1, x), around(self.beta2, x**2)).sum(axis=0)


@dataclass(frozen=True, eq=False)
class SignEpoch(FixedBlocks):
    """Sign descent with momentum (Signum): F = sum_p sign(m_p), m_p = sum_q beta^((p - q) mod m) g_q after block p.

    Constant but for jumps. Without momentum (beta = 0) every block counts, however light, so gradients are given in
    units of the block's own heaviest sample, coordinate by coordinate.
    """

    flat: ClassVar[bool] = True

    blocks: list[np.ndarray]
    beta: float = 0.0
    width: float = 0.0

    def smoothed(self, width):
        return replace(self, width=width)

    def contributions(self, rows, logs):
        if self.beta > 0.0:
            return contributions(rows, logs)
        found = np.zeros_like(rows)
        for block in self.blocks:
            found[block] = contributions(rows[block], logs[block])
        return found

    def _momenta(self, g):
        means, absolute = self._sums(g)
        return around(self.beta, means), around(self.beta, absolute)

    def value(self, g):
        momenta, absolute = self._momenta(g)
        return ratio(momenta, momenta**2 + (self.width * absolute) ** 2).sum(axis=0)

    def linear(self, g):
        momenta, absolute = self._momenta(g)
        inverse = ratio(1.0, momenta**2 + (self.width * absolute) ** 2)
        bend = self.width**2 * absolute * inverse**3
        answers = (around(self.beta, (bend * x)[::-1])[::-1] for x in (absolute, -momenta))
        signed, unsigned = (self._spread(g, answer) for answer in answers)
        return (momenta * inverse).sum(axis=0), g * signed + np.abs(g) * unsigned

    def sizes(self, g):
        momenta, absolute = self._momenta(g)
        return ratio(np.abs(momenta), absolute**2)

    def vanishing(self, g, small):
        return small & (self._momenta(g)[1] > 0.0)

    def without(self, vanish, parts):
        left = vanish.copy()
        left[tuple(np.argwhere(vanish)[parts].T)] = False
        return left

    def jumps(self, g, level, vanish):
        momenta, absolute = self._momenta(g)
        where = np.argwhere(vanish)
        weights = around(self.beta, self._members())[where[:, 0]]  # of each sample in m_p
        normals = weights * g.T[where[:, 1]] / absolute[vanish][:, None]
        held = np.where(vanish, 0.0, np.sign(momenta)).sum(axis=0)
        key = weights * level.T[where[:, 1]]
        return Jumps(where[:, 1], np.ones(len(where)), key, normals, held, np.zeros_like(g))

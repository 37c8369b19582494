"""Max-margin directions of k classes: those of the pairs (i, c) of a row and another class, few of which have a say."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from implicitbias.errors import NotSeparable
from implicitbias.margins.face import WideFace
from implicitbias.margins.norms.base import Norm
from implicitbias.margins.norms.frobenius import Frobenius
from implicitbias.margins.separator import TIGHT, Separator, certified, margin_below
from implicitbias.margins.unit_rows import EPS, UnitRows
from implicitbias.problems import Multiclass

FEW = 300  # pairs that a working set begins with; more if there are more weights
ADDED = 100  # violated pairs that join it at a time, at least; half of it if that is more


class Pairs:
    """The n (k - 1) pairs of a problem, numbered as its margins are."""

    def __init__(self, problem: Multiclass):
        self.problem, self.x = problem, UnitRows(problem.X)

    def unit(self, which: np.ndarray) -> UnitRows:
        """The rows (e_y - e_c) (x) x of some pairs."""
        return UnitRows(self.problem.pairs(which))

    def bounds(self, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(low, high): bounds of every margin of W (k, d) in units of 2^lowest, x.lowest the exponent of the rows."""
        scores = self.x.b @ w.T
        # d products and their sum err by d/2 ulps of ||b_i|| ||w|| at most, and ||b_i|| < 1 (``UnitRows.smallest``).
        error = (len(w.T) + 3) * EPS * np.linalg.norm(w, axis=1)
        own, other = self.problem.labels[:, None], self.problem.others
        products = np.take_along_axis(scores, own, axis=1) - np.take_along_axis(scores, other, axis=1)
        error = error[own] + error[other]
        with np.errstate(over="ignore"):  # what is beyond float64 is infinite, and no smallest margin
            units = (self.x.e - self.x.lowest)[:, None]
            return np.ldexp(products - error, units).ravel(), np.ldexp(products + error, units).ravel()

    def outside(self, w: np.ndarray, margin: float, tolerance: float, working: np.ndarray):
        """(pairs, sure): the pairs outside of a working set that may have less than a margin, the smallest first.

        The first ``sure`` of them do, by more than the tolerance allows.
        """
        low, high = self.bounds(w)
        level = math.ldexp(margin, -self.x.lowest)
        may = low < level
        may[working] = False
        found = np.flatnonzero(may)
        found = found[np.argsort(high[found], kind="stable")]
        return found, int((high[found] < level * (1.0 - tolerance)).sum())

    def weights(self, which: np.ndarray, c: np.ndarray) -> np.ndarray:
        """(n, k) the weights of some pairs, 0 for all others."""
        problem = self.problem
        weights = np.zeros((problem.n, problem.k))
        weights[which // (problem.k - 1), problem.others.reshape(-1)[which]] = c
        return weights

    def of(self, weights: np.ndarray) -> np.ndarray:
        """(n (k - 1),) weights (n, k) by pair."""
        return np.take_along_axis(weights, self.problem.others, axis=1).ravel()


def separator(problem: Multiclass, norm: Norm) -> Separator:
    """The separator of a norm of matrices, which the problem keeps. Errors: as ``max_margin``."""
    cache = problem.__dict__.setdefault("_separators", {})
    if norm in cache:
        return cache[norm]
    pairs = problem.__dict__.get("_pairs")
    if pairs is None:
        kept = problem.X.any(axis=0)
        if not kept.all():
            cache[norm] = _widened(problem, norm, kept)
            return cache[norm]
        pairs = problem.__dict__["_pairs"] = Pairs(problem)
    # Separability is a property of the data, not of the norm: the Frobenius problem decides it once for all of them.
    first = Frobenius()
    if first not in cache:
        cache[first] = _solved(pairs, first, None)
    if norm not in cache:
        cache[norm] = _solved(pairs, norm, cache[first])
    return cache[norm]


def _solved(pairs: Pairs, norm: Norm, first: Separator | None) -> Separator:
    """The separator of a working set of pairs, to which those that it violates are added until none is left.

    Arguments
        first  the Frobenius separator; None for that itself
    """
    problem = pairs.problem
    form = (-1,) if norm.entrywise else problem.shape
    working = _smallest(pairs, _means(pairs) if first is None else first.direction)
    if first is not None:
        dual = pairs.of(first.dual)
        working = np.union1d(working, np.flatnonzero(dual))
    while True:
        unit = pairs.unit(working)
        l2 = first and Separator(
            first._norm, first.direction.reshape(form), first.margin, dual[working], first.gap, None
        )
        try:
            found = certified(unit, norm, norm.solve(unit, l2))
        except NotSeparable as error:  # no others can change that
            raise NotSeparable(pairs.weights(working, error.weights), error.residual, problem.classes) from None
        w, margin = found.direction.reshape(problem.shape), found.margin
        near, sure = pairs.outside(w, margin, TIGHT, working)
        if not sure and len(near):
            margin = min(margin, margin_below(pairs.unit(near), norm, found.direction))
        if not sure and found.margin - margin <= max(TIGHT * found.margin, found.gap):
            break
        working = np.union1d(working, near[: max(ADDED, len(working) // 2)])
    gap = math.nextafter(found.gap + (found.margin - margin), math.inf) if margin < found.margin else found.gap
    face = None if norm.strictly_convex else PairsFace(pairs, norm, working, found)
    return Separator(norm, w.copy(), margin, pairs.weights(working, found.dual), gap, face)


def _means(pairs: Pairs) -> np.ndarray:
    """(k, d) the means of the classes, of rows of about one length, less the mean of these."""
    of_class = np.eye(pairs.problem.k)[pairs.problem.labels] / pairs.problem.counts
    means = of_class.T @ pairs.x.b
    return means - means.mean(axis=0)


def _smallest(pairs: Pairs, w: np.ndarray) -> np.ndarray:
    """The pairs with the smallest margins of W, as many as a working set begins with; in order."""
    low, _ = pairs.bounds(w)
    return np.sort(np.argsort(low, kind="stable")[: max(FEW, w.size)])


def _widened(problem, norm, kept):
    """Features without entries take no part: the separator without them, and zeros in their place."""
    narrow = problem.__dict__.setdefault("_narrow", None) or Multiclass(problem.X[:, kept], problem.labels)
    problem.__dict__["_narrow"] = narrow
    found = separator(narrow, norm.narrowed(kept))
    direction = np.zeros(problem.shape)
    direction[:, kept] = found.direction
    kept = np.broadcast_to(kept, problem.shape)
    face = None if norm.strictly_convex else WideFace(found, kept, norm.idle(kept))
    return Separator(norm, direction, found.margin, found.dual.copy(), found.gap, face)


class PairsFace:
    """The optimal face, as that of a working set of pairs to which those that its points violate are added.

    Arguments
        pairs    all pairs
        norm     a norm that is not strictly convex
        working  the numbers of some
        found    their separator, whose direction no other pair forbids
    """

    def __init__(self, pairs: Pairs, norm: Norm, working: np.ndarray, found: Separator):
        self.pairs, self.norm, self.working, self.found = pairs, norm, working, found
        self.inner: Any = found._face
        self.dual = pairs.of(pairs.weights(working, found.dual))

    @property
    def is_point(self) -> bool:
        while (ends := self.inner.ends()) is not None:
            if not self._cut(*ends):
                return False
        return True

    def nearest(self, u: np.ndarray) -> np.ndarray:
        """The point of the face nearest to u (k, d) in the Frobenius norm, N(u) <= 1."""
        direction = self.found.direction
        while True:
            w = self.inner.nearest(u.reshape(direction.shape))
            if not self._cut(w):
                return w.reshape(u.shape)

    def _cut(self, *points) -> bool:
        """Add the pairs that the points violate; False if there are none."""
        shape, before = self.pairs.problem.shape, len(self.working)
        for w in points:
            near, sure = self.pairs.outside(w.reshape(shape), self.found.margin, self.inner.tolerance, self.working)
            self.working = np.union1d(self.working, near[: min(sure, max(ADDED, before // 2))])
        if len(self.working) == before:
            return False
        self.inner = self.norm.face(self.pairs.unit(self.working), self.found.direction, self.dual[self.working])
        return True

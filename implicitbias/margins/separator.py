"""A max-margin direction together with what proves it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from implicitbias.errors import InputError, Undecided
from implicitbias.margins.exact import TINY, remainders, rounded
from implicitbias.margins.face import AnyFace
from implicitbias.margins.norms import norms
from implicitbias.margins.norms.base import Norm
from implicitbias.margins.unit_rows import UnitRows
from implicitbias.shown import as_html

TIGHT = 1e-13  # a relative gap that needs no further solver
ENOUGH = 1e-9  # one that needs no solver in exact integers
VERTEX = 1e-11  # the same for linear programs: a gap above this says that a basis was accepted a tolerance too early


@dataclass(frozen=True, eq=False)
class Separator:
    """A direction of maximal margin in a norm N, with its dual certificate.

    Attributes
        norm           its canonical name: "l1", "l2", "linf", ("lp", p), ("mahalanobis", (diag_1, ...)), "spectral" ...
        direction      (d,) with N(direction) = 1, read-only; (k, d) for a ``Multiclass``
        margin         min_i a_i.direction, in units of the rows; min_ic (w_y - w_c).x_i
        dual           (n,) sample weights c >= 0 with sum 1, read-only; (n, k), 0 at a row's own label
        gap            N*(A'c) - margin >= 0: no direction of norm 1 has a margin above margin + gap
        relative_gap   gap / margin
        unique         whether the maximiser is a single point (decided on first access)

    >>> from implicitbias.margins import max_margin
    >>> sep = max_margin([[2.0, 0.0], [3.0, 1.0]], norm="linf")
    >>> sep.direction, sep.margin, sep.unique, sep.distance([1.0, 2.0])
    (array([1., 0.]), 2.0, False, 0.5)
    """

    _norm: Norm
    direction: np.ndarray
    margin: float
    dual: np.ndarray
    gap: float
    _face: AnyFace | None  # None if the norm is strictly convex: the face is the direction

    def __repr__(self) -> str:
        held = f"{(self.dual > 0).sum()} support vectors"
        gap = f"relative gap {self.relative_gap:.1e}"
        shape = ", ".join(f"{name}={size}" for name, size in self._sizes.items())
        return f"Separator({self._norm}, margin {self.margin:.6g}, {gap}, {held}, {shape})"

    def _repr_html_(self) -> str:
        return as_html("Separator", {
            "norm": str(self._norm), "margin": self.margin, "relative gap": self.relative_gap, **self._sizes,
            "support vectors": f"{(self.dual > 0).sum()} of {self.dual.size - (self.dual.ndim - 1) * len(self.dual)}",
        })  # fmt: skip

    @property
    def norm(self) -> str | tuple[str, Any]:
        return self._norm.key

    @property
    def _sizes(self) -> dict[str, int]:
        return dict(zip(("k", "d")[-self.direction.ndim :], self.direction.shape))

    def __post_init__(self) -> None:
        for array in (self.direction, self.dual):
            array.flags.writeable = False

    def __setstate__(self, state):
        self.__dict__.update(state)
        self.__post_init__()  # pickling forgets that arrays are read-only

    @property
    def relative_gap(self) -> float:
        return self.gap / self.margin

    @cached_property
    def unique(self) -> bool:
        """Whether no other direction of norm 1 has the same margin.

        Strictly convex norms have one maximiser. For the others the optimal face is measured along a few seeded
        random directions: it is a point if its width there is below 1e-7 of the direction's length (``Face``).
        For norms of matrices that are not entrywise the margin is let go by a part 1e-9, the width that counts is 1e-3,
        and W + 1 v', which has the same margins, is not told apart from W where the norm allows it (``RoundFace``).
        Source: Mangasarian, Linear Algebra Appl. 25 (1979) 151-162, where uniqueness is decided by such programs.
        """
        return self._face is None or self._face.is_point

    def distance(self, u: ArrayLike) -> float:
        """The l2 distance of u/N(u) from the optimal face {w : N(w) <= 1, min_i a_i.w >= margin}.

        Arguments
            u  (d,) or (k, d) a direction, of any length

        Returns 0 for an optimal u; for a strictly convex norm the distance to ``direction``. For norms of matrices that
        are not entrywise it is known to about 1e-4 where the maximiser is not unique, and takes a program.

        Errors: ``InputError`` if u has the wrong shape, is not finite, or has N(u) = 0.

        >>> from implicitbias.margins import max_margin
        >>> max_margin([[3.0, 4.0]]).distance([0.0, 7.0]) ** 2
        0.4
        """
        u = np.asarray(u, dtype=np.float64)
        if u.shape != self.direction.shape:
            raise InputError(f"u must have shape {self.direction.shape}, but has shape {u.shape}")
        if not np.isfinite(u).all():
            raise InputError("u must be finite, but has NaN or infinite entries")
        size = self._norm.value(u)
        if size == 0.0:
            raise InputError("u has norm 0 and so no direction")
        u = u / size
        return float(np.linalg.norm(u - self._nearest(u)))

    def _nearest(self, u: np.ndarray) -> np.ndarray:
        """The point of the optimal face nearest to u in l2, N(u) <= 1."""
        alone = self._face is None or (not self._norm.entrywise and self.unique)
        return self.direction if alone else self._face.nearest(u)


def certified(unit: UnitRows, norm: Norm, pairs: Iterable) -> Separator:
    """The best of the ``pairs`` (w, c), taken one after the other until their gap is as small as round-off lets it be.

    The primal and the dual are chosen apart: the largest margin and the smallest bound bracket the optimum even if
    they come from different pairs. Both are computed without round-off and then rounded outwards. None among the pairs
    says that those to come take seconds. Where the optimal face of a polyhedral norm is not a point,
    the direction is its point of smallest l2 norm.

    Errors: ``Undecided`` if no w of them has a positive margin.
    """
    direction, margin, c, bound, relative = None, -np.inf, None, np.inf, -1.0
    name = norm.name
    tight = VERTEX if norm.polyhedral else TIGHT
    for pair in pairs:
        if pair is None:
            if margin > 0 and bound - margin <= ENOUGH * margin:
                break
            continue
        w, weights = pair
        its_direction, its_margin = primal(unit, norm, w)
        if its_margin > margin:
            direction, margin = its_direction, its_margin
            if c is not None and norm.blind is not None:  # a bound that depends on the direction
                c, bound = dual_bound(unit, norm, c, direction)
        if weights is not None:
            weights, its_bound = dual_bound(unit, norm, weights, its_direction if direction is None else direction)
            if c is None or its_bound < bound:
                c, bound = weights, its_bound
        if not margin > 0:
            relative = max(relative, _relative_margin(unit, w))
        elif bound - margin <= tight * margin or bound - margin <= _round_off(unit, direction, c):
            break
    if margin == 0 or bound == np.inf:
        raise InputError(f"the {name} margin is beyond the range of float64: multiply the rows by a power of two")
    if not margin > 0:
        raise Undecided(max(-relative, np.finfo(float).eps))
    face = norm.face(unit, direction, c)
    if face is not None and norm.polyhedral and face.basis.shape[1]:
        shortest, kept = primal(unit, norm, face.nearest(np.zeros_like(direction)))
        if kept >= margin * (1 - VERTEX):
            direction, margin = shortest, kept
    sep = Separator(norm, direction, margin, c, _difference_above(bound, margin), face)
    if not sep.gap <= 1e-6 * sep.margin:
        warnings.warn(
            f"the {norm} margin is only certified to a relative gap of {sep.relative_gap:.1e}",
            RuntimeWarning,
            stacklevel=3,
        )
    return sep


def primal(unit: UnitRows, norm: Norm, w):
    """(w/N(w), its margin or a few ulps less); (w, -inf) for a w without a direction."""
    size = norm.value(w)
    if not 0 < size < np.inf:
        return w, -np.inf
    w = w / size
    w = w / norm.value(w)  # the first division is inexact when w is tiny or huge
    return w, margin_below(unit, norm, w)


def margin_below(unit: UnitRows, norm: Norm, w) -> float:
    """The margin of w over its norm, which is about 1, or a few ulps less; -inf if it is not positive."""
    rows = unit.smallest(w.ravel())
    terms, exponent = unit.exact.terms(w.ravel(), rows)
    products = rounded(terms)
    relative = unit.relative(products - TINY, rows)  # less than none but the tiniest, which may be rounded up
    margin = float(relative.min())
    if not margin > 0:
        return -np.inf
    if any(math.fsum([*terms[i], -products[i]]) < 0 for i in np.flatnonzero(relative == margin)):
        margin = math.nextafter(margin, 0.0)
    margin = _scaled(margin, exponent + unit.lowest, 0.0)
    size = norm.above(w)
    return margin if size <= 1 else math.nextafter(margin / size, 0.0)


def dual_bound(unit: UnitRows, norm: Norm, c, direction):
    """(c, N*(A'c)/sum(c) or a few ulps more), an upper bound on every margin.

    With a seminorm it bounds those whose free part is no longer than the direction's. Weights that do not reach
    2^-900 of what the largest contribute are set to 0.
    """
    support = np.flatnonzero(c)
    exponents = np.frexp(c[support])[1] + unit.e[support]
    top = int(exponents.max())
    if exponents.min() < top - 900:
        c, support = c.copy(), support[exponents >= top - 900]
        c[np.setdiff1d(np.arange(len(c)), support)] = 0.0
    alpha = np.ldexp(c[support], unit.e[support] - top)
    terms, exponent = unit.exact.terms(alpha, support, transposed=True)
    y = rounded(terms)
    above = np.nextafter(y, np.copysign(np.inf, y))
    if norm.polyhedral:  # where the bound may be exact
        above = np.where(remainders(terms, y) * np.copysign(1.0, y) > 0, above, y)
    bound = norm.dual_above(above.reshape(direction.shape))
    if (free := norm.blind) is not None:
        l2 = norms()["l2"]()
        bound = (bound + l2.above(above[free]) * l2.above(direction[free])) * (1 + 2.0**-50)
    bound = _scaled(bound, exponent + top, math.inf)
    weights = c[support].tolist()
    total = math.fsum(weights)
    if total < 1 or math.fsum([*weights, -1.0]) < 0:
        bound = math.nextafter(bound / math.nextafter(total, -math.inf), math.inf)
    return c, bound


def _round_off(unit: UnitRows, direction, c) -> float:
    """How little the rounding of a direction's entries may move the certificate: an eighth of its bound."""
    support = np.flatnonzero(c)
    moved = np.abs(unit.b[support]) @ np.abs(direction.ravel())
    return float(np.ldexp(c[support] * moved, unit.e[support] - 56).sum())


def _relative_margin(unit: UnitRows, w) -> float:
    """min_i a_i.w / sum_j |a_ij w_j|; -1 for a w without a direction."""
    size = np.abs(w).max()
    if not 0 < size < np.inf:
        return -1.0
    w = w.ravel() / size
    return float((unit.exact.dot(w) / np.maximum(np.abs(unit.b) @ np.abs(w), 1e-300)).min())


def _scaled(value, exponent, towards):
    """value 2^exponent, rounded in one direction."""
    try:
        result = math.ldexp(value, exponent)
    except OverflowError:
        result = math.inf
    return result if math.ldexp(result, -exponent) == value else math.nextafter(result, towards)


def _difference_above(a, b):
    difference = a - b
    return math.nextafter(difference, math.inf) if math.fsum([a, -b, -difference]) > 0 else difference

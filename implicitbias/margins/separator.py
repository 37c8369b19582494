"""A max-margin direction together with what proves it."""

import warnings
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from implicitbias.errors import InputError
from implicitbias.margins.norms import dual_value, norm_value
from implicitbias.margins.unit_rows import exact_product


@dataclass(frozen=True, eq=False)
class Separator:
    """A direction of maximal margin in a norm N, with its dual certificate.

    Attributes
        norm           canonical norm: "l1", "l2", "linf", ("lp", p) or ("mahalanobis", (diag_1, ...))
        direction      (d,) with N(direction) = 1, read-only
        margin         min_i a_i.direction, in units of the rows
        dual           (n,) sample weights c >= 0 with sum 1, read-only
        gap            N*(A'c) - margin >= 0: no direction of norm 1 has a margin above margin + gap
        relative_gap   gap / margin
        unique         whether the maximiser is a single point (decided on first access)

    >>> from implicitbias.margins import max_margin
    >>> sep = max_margin([[2.0, 0.0], [3.0, 1.0]], norm="linf")
    >>> sep.direction, sep.margin, sep.unique, sep.distance([1.0, 2.0])
    (array([1., 0.]), 2.0, False, 0.5)
    """

    norm: str | tuple
    direction: np.ndarray
    margin: float
    dual: np.ndarray
    gap: float
    _rows: np.ndarray = field(repr=False)

    def __post_init__(self):
        for array in (self.direction, self.dual):
            array.flags.writeable = False

    def __setstate__(self, state):
        self.__dict__.update(state)
        self.__post_init__()  # pickling forgets that arrays are read-only

    @property
    def relative_gap(self) -> float:
        return self.gap / self.margin

    @property
    def _strictly_convex(self) -> bool:
        if isinstance(self.norm, str):
            return self.norm == "l2"
        return self.norm[0] == "lp" or min(self.norm[1]) > 0

    @cached_property
    def _face(self):
        from implicitbias.margins.face import Face

        return Face(self._rows, self.norm, self.direction, self.dual)

    @cached_property
    def unique(self) -> bool:
        """Whether no other direction of norm 1 has the same margin.

        Strictly convex norms have one maximiser. For the others the optimal face is measured along a few seeded
        random directions: it is a point if its width there is below 1e-7 of the direction's length (``Face``).
        Source: Mangasarian, Linear Algebra Appl. 25 (1979) 151-162, where uniqueness is decided by such programs.
        """
        return self._strictly_convex or self._face.is_point

    def distance(self, u) -> float:
        """The l2 distance of u/N(u) from the optimal face {w : N(w) <= 1, min_i a_i.w >= margin}.

        Arguments
            u  (d,) a direction, of any length

        Returns 0 for an optimal u; for a strictly convex norm the distance to ``direction``.

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
        size = norm_value(self.norm, u)
        if size == 0.0:
            raise InputError("u has norm 0 and so no direction")
        u = u / size
        nearest = self.direction if self._strictly_convex else self._face.nearest(u)
        return float(np.linalg.norm(u - nearest))


def certified(rows: np.ndarray, norm, candidates) -> Separator:
    """The best pair among ``candidates`` [(w, c), ...] as a Separator, its gap computed from the pair itself.

    The primal and the dual are chosen apart: the largest margin and the smallest bound bracket the optimum even if
    they come from different candidates. Sums run in extended precision, so that the gap is the pair's own.
    """
    primals = [primal(rows, norm, w) for w, _ in candidates]
    direction, margin = max(primals, key=lambda pair: pair[1])
    duals = [(c, dual_bound(rows, norm, c, direction)) for _, c in candidates]
    c, bound = min(duals, key=lambda pair: pair[1])
    # Round-off of the norms may leave the bound an ulp or two below the margin.
    sep = Separator(norm, direction, margin, c, max(bound - margin, 0.0), rows)
    if not sep.gap <= 1e-6 * sep.margin:
        warnings.warn(
            f"the {norm} margin is only certified to a relative gap of {sep.relative_gap:.1e}",
            RuntimeWarning,
            stacklevel=3,
        )
    return sep


def primal(rows, norm, w):
    """(w/N(w), its margin)."""
    w = w / norm_value(norm, w)
    w = w / norm_value(norm, w)  # the first division is inexact when w is tiny or huge
    return w, float(exact_product(rows, w).min())


def dual_bound(rows, norm, c, direction) -> float:
    """N*(A'c), an upper bound on every margin; with a seminorm, on those whose free part is no longer than ours."""
    support = np.flatnonzero(c)
    y = exact_product(rows[support].T, c[support]).astype(np.float64)
    bound = dual_value(norm, y)
    if isinstance(norm, tuple) and norm[0] == "mahalanobis":
        free = np.array(norm[1]) == 0
        bound += float(np.linalg.norm(y[free]) * np.linalg.norm(direction[free]))
    return bound

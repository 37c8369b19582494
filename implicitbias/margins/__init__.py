"""Certified max-margin directions: gamma_N = max { min_i a_i.w : N(w) <= 1 }.

A norm is a file in `norms`; the solvers that norms share are here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from implicitbias.margins import classes
from implicitbias.margins.face import WideFace
from implicitbias.margins.norms import NormLike, norm_of
from implicitbias.margins.separator import Separator, certified
from implicitbias.margins.unit_rows import UnitRows
from implicitbias.problems import AnyProblem, Multiclass, Problem
from implicitbias.threads import one_thread

__all__ = ["Separator", "max_margin"]


def max_margin(problem: AnyProblem | ArrayLike, norm: NormLike | None = None) -> Separator:
    """The max-margin direction of a norm, with a dual certificate of its optimality.

    Primal and dual:  gamma_N = max { min_i a_i.w : N(w) <= 1 } = min { N*(A'c) : c in the simplex }.
    Any feasible pair (w, c) brackets gamma_N, so ``gap`` = N*(A'c) - min_i a_i.w proves how good the answer is,
    whatever solver found it.

    Arguments
        problem  a Problem, an (n, d) array of rows a_i (labels absorbed), or a Multiclass
        norm     "l2" if left out, "l1", "linf", or 1, 2, numpy.inf; ("lp", p) or such as "l3", where p = 1, 2, inf mean
                 the named norms; ("mahalanobis", diag), diag (d,) >= 0, for N(w) = sqrt(sum_j diag_j w_j^2)
                 Of a Multiclass "frobenius" if left out, "max" (entrywise), "l1" and ("lp", p) (of all entries),
                 "spectral", "nuclear", "rows" and "columns" (the largest l2 norm of a row, of a column), and
                 ("ky_fan", r) or such as "ky_fan2" for max(spectral, nuclear / r), r from 1 to min(k, d);
                 ("blocks", ("spectral", 8, "max", ratio)) for max(spectral of the first 8 features, max norm of the
                 others / ratio), also frobenius, rows, columns; "spectral8_max" or "spectral8_maxx0.5" in tables

    Of a Multiclass the direction is W (k, d), and the rows a_i are the pairs (e_y - e_c) x_i' of a row and another
    class, with weights (n, k). All of them are certified; those that have a say are found on the way.

    Returns a ``Separator``. Asking again for the same Problem object and norm returns the same object.
    Where the maximiser is not unique (l1, linf, zeros in diag) the direction is the point of the optimal face
    with the smallest l2 norm; for norms of matrices that are not entrywise it is a point inside of the face. With zeros
    in diag N is a seminorm: see ``margins.mahalanobis`` for what the gap means there.

    Nothing hangs on a threshold: the verdict is about the float64 rows as they are, however they are scaled. A
    Separator has a positive margin, shown without round-off; ``NotSeparable`` is raised where some convex combination
    of the rows is proved to be exactly zero, for every norm alike; ``Undecided`` where neither could be shown.
    ``InputError``: a bad norm, or one that does not fit the problem, or a diag whose zero coordinates separate the data
    by themselves (the margin would be infinite), or a margin beyond the range of float64. A RuntimeWarning says so if
    the relative gap is above 1e-6. Usually it is below 1e-13, and 1e-11 for norms of matrices that are not entrywise;
    it grows as 1e-16 over the margin of the unit rows, because the entries of a direction are rounded to float64.

    >>> sep = max_margin([[1.0, 0.0], [0.0, 2.0]], norm="l2")
    >>> sep.direction.round(6)
    array([0.894427, 0.447214])
    >>> bool(sep.relative_gap < 1e-12), sep.dual.round(6)
    (True, array([0.8, 0.2]))

    >>> multi = Multiclass([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]], [0, 1, 2])
    >>> max_margin(multi, "spectral").margin.__round__(9), max_margin(multi, "max").direction.tolist()
    (1.0, [[1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])

    Source: Mangasarian, Operations Research Letters 24 (1999) 15-23 (arbitrary-norm separation); Lawson and Hanson,
    Solving Least Squares Problems (1974), chapter 23 (l2); Gunasekar et al., arXiv 1802.08246 (which optimizer
    finds which).
    """
    if isinstance(problem, Multiclass):
        # The systems are small: threads of other programs would be waited for at every product.
        with one_thread():
            return classes.separator(problem, norm_of("frobenius" if norm is None else norm, problem.shape))
    if not isinstance(problem, Problem):
        problem = Problem(problem)
    norm = "l2" if norm is None else norm
    measured = norm_of(norm, problem.d)
    cache = problem.__dict__.setdefault("_separators", {})
    if measured in cache:
        return cache[measured]
    unit = problem.__dict__.get("_unit_rows")
    if unit is None:
        kept = problem.rows.any(axis=0)
        if not kept.all():
            cache[measured] = _widened(problem, measured, kept)
            return cache[measured]
        unit = problem.__dict__["_unit_rows"] = UnitRows(problem.rows)
    # Separability is a property of the data, not of the norm: the l2 problem decides it once for all of them.
    first = norm_of("l2", problem.d)
    if first not in cache:
        cache[first] = certified(unit, first, first.solve(unit, None))
    if measured not in cache:
        cache[measured] = certified(unit, measured, measured.solve(unit, cache[first]))
    return cache[measured]


def _widened(problem, norm, kept):
    """Columns without entries take no part: the separator without them, and zeros in their place."""
    narrow = problem.__dict__.setdefault("_narrow", None) or Problem(problem.rows[:, kept])
    problem.__dict__["_narrow"] = narrow
    found = max_margin(narrow, norm.narrowed(kept).key)
    direction = np.zeros(problem.d)
    direction[kept] = found.direction
    face = None if norm.strictly_convex else WideFace(found, kept, norm.idle(kept))
    return Separator(norm, direction, found.margin, found.dual, found.gap, face)

"""Max-margin directions for N(w)^2 = sum_j diag_j w_j^2, zeros in diag included."""

from collections.abc import Iterator

import numpy as np

from implicitbias.errors import InputError, NotSeparable
from implicitbias.margins import euclidean, rational
from implicitbias.margins.norms.l2 import L2
from implicitbias.margins.separator import Separator, certified
from implicitbias.margins.unit_rows import UnitRows


def solve(unit: UnitRows, diag: np.ndarray, l2: Separator) -> Iterator:
    """Pairs (w, c) for  max { min_i a_i.w : sum_j diag_j w_j^2 <= 1 }, each better.

    diag > 0: v_j = sqrt(diag_j) w_j makes it the l2 problem of the rows a_ij / sqrt(diag_j).

    Zeros in diag make N a seminorm; write w = (v, f) with f the free coordinates, those that cost nothing. Duality
    then asks for (A'c)_f = 0. A float solution meets that to round-off only, and the gap accounts for it:
    gap = N*(A'c) + ||(A'c)_f||_2 ||f||_2 - margin, where N* runs over the other coordinates. It bounds the margin
    of all directions of norm 1 whose free part is no longer than that of the direction returned.
    The maximiser's v is unique, f may not be: f is then the shortest one.

    Errors: ``InputError`` if the free coordinates separate the data by themselves: the margin is then infinite.

    Source: Qian and Qian, arXiv 1906.03559 (AdaGrad); the KKT system is Boyd and Vandenberghe (2004), section 10.1.
    """
    free = diag == 0
    if free.any():
        _check_bounded(unit, free)
    yield from _with_free(unit, diag) if free.any() else _scaled(unit, diag, np.sqrt(diag))
    yield None
    yield from rational.quadratic(unit, np.flatnonzero(l2.dual), diag)
    yield l2.direction, l2.dual


def _scaled(unit, diag, root):
    """The l2 problem of the rows a_ij / root_j."""
    with np.errstate(over="ignore"):
        rows = unit.b / root
    if np.isfinite(rows).all() and rows.any(axis=1).all():
        for w, c in euclidean.numeric(UnitRows(rows, shift=unit.e)):
            yield w / root, c


def _with_free(unit, diag):
    """Pairs that solve the KKT system, and if there are none such, pairs of a diag without zeros."""
    free = diag == 0
    root = np.sqrt(np.where(free, 1.0, diag))
    tilted = []
    # A tiny cost on the free coordinates (Tikhonov) finds the active rows and the shortest f; the KKT system of those
    # rows then has no such cost. Too small a cost drowns v in round-off, too large a cost tilts it: several sizes.
    for tiny in (1e-3, 1e-5, 1e-2, 1e-4, 1e-1, 1e-6, 1e-7):
        cheap = np.where(free, tiny * np.sqrt(diag[~free].mean()), root)
        for w, c in _scaled(unit, diag, cheap):
            tilted.append((w, c))
            yield from _without_cost(unit, free, root, c)
    # The weights of a tilted pair are off by the square root of its gap, those of an exact one only by round-off,
    # and the face is read off the weights: a tilted pair is the last resort.
    yield from tilted


def _check_bounded(unit, free):
    own = unit.b[:, free]
    if free.all():
        unbounded = True  # the l2 problem has already found the data separable
    elif not own.any(axis=1).all():
        unbounded = False
    else:
        try:
            own = UnitRows(unit.rows[:, free])
            unbounded = certified(own, L2(), euclidean.solve(own)).margin > 0
        except NotSeparable:
            unbounded = False
    if unbounded:
        raise InputError(
            f"the mahalanobis margin is infinite: the {free.sum()} coordinates with diag = 0 cost nothing and "
            "separate the data by themselves; give at least one of them a positive diag"
        )


def _without_cost(unit, free, root, c):
    """[The pair] that solves the KKT system of the rows with weight: b_S.w = h_S, v = P_S'alpha, F_S'alpha = 0."""
    # Weights of the order of the tiny cost belong to rows that hold f only, or to none.
    support = np.flatnonzero(c)
    costly, own = unit.b[support][:, ~free] / root[~free], unit.b[support][:, free]
    s, k = own.shape
    system = np.block([[costly @ costly.T, own], [own.T, np.zeros((k, k))]])
    rhs = np.r_[unit.h[support], np.zeros(k)]
    solution = np.linalg.lstsq(system, rhs, rcond=None)[0]
    solution += np.linalg.lstsq(system, rhs - system @ solution, rcond=None)[0]
    alpha = np.zeros(len(unit.h))
    alpha[support] = np.maximum(solution[:s], 0.0)
    w = np.zeros(len(free))
    w[~free] = (costly.T @ solution[:s]) / root[~free]
    w[free] = solution[s:]
    return [(w, unit.weights(alpha))] if alpha.any() and w[~free].any() else []

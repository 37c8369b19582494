"""Max-margin directions for N(w)^2 = sum_j diag_j w_j^2, zeros in diag included."""

import numpy as np

from implicitbias.errors import InputError, NotSeparable
from implicitbias.margins import euclidean
from implicitbias.margins.separator import Separator, dual_bound, primal
from implicitbias.margins.unit_rows import UnitRows

TIGHT = 1e-11  # relative gap of a pair that solves its KKT system to round-off


def solve(unit: UnitRows, norm: tuple, l2: Separator) -> list:
    """Pairs (w, c) for  max { min_i a_i.w : sum_j diag_j w_j^2 <= 1 }.

    diag > 0: v_j = sqrt(diag_j) w_j makes it the l2 problem of the rows a_ij / sqrt(diag_j).

    Zeros in diag make N a seminorm; write w = (v, f) with f the free coordinates, those that cost nothing. Duality
    then asks for (A'c)_f = 0. A float solution meets that to round-off only, and the gap accounts for it:
    gap = N*(A'c) + ||(A'c)_f||_2 ||f||_2 - margin, where N* runs over the other coordinates. It bounds the margin
    of all directions of norm 1 whose free part is no longer than that of the direction returned.
    The maximiser's v is unique, f may not be: f is then the shortest one.

    Errors: ``InputError`` if the free coordinates separate the data by themselves: the margin is then infinite.

    Source: Qian and Qian, arXiv 1906.03559 (AdaGrad); the KKT system is Boyd and Vandenberghe (2004), section 10.1.
    """
    rows, diag = l2._rows, np.array(norm[1])
    free = diag == 0
    if not free.any():
        return [(w / np.sqrt(diag), c) for w, c in euclidean.solve(UnitRows(rows / np.sqrt(diag)))]
    _check_bounded(unit, free)
    root = np.sqrt(np.where(free, 1.0, diag))
    exact, tilted = [], []
    # A tiny cost on the free coordinates (Tikhonov) finds the active rows and the shortest f; the KKT system of those
    # rows then has no such cost. Too small a cost drowns v in round-off, too large a cost tilts it: several sizes.
    for tiny in (1e-3, 1e-5, 1e-2, 1e-4, 1e-1, 1e-6, 1e-7):
        cheap = np.where(free, tiny * np.sqrt(diag[~free].mean()), root)
        try:
            pairs = euclidean.solve(UnitRows(rows / cheap))
        except (NotSeparable, RuntimeError):  # drowned: the data are separable, as the l2 problem has shown
            continue
        for w, c in pairs:
            tilted.append((w / cheap, c))
            exact += _without_cost(unit, free, root, c)
        # The weights of a tilted pair are off by the square root of its gap, those of an exact one only by round-off,
        # and the face is read off the weights: a tilted pair is the last resort.
        for pair in exact[-1:]:
            direction, margin = primal(rows, norm, pair[0])
            if margin > 0 and dual_bound(rows, norm, pair[1], direction) / margin - 1 < TIGHT:
                return [pair]
    return [*exact, *tilted, (l2.direction, l2.dual)]


def _check_bounded(unit, free):
    own = unit.b[:, free]
    if free.all():
        unbounded = True  # the l2 problem has already found the data separable
    elif not own.any(axis=1).all():
        unbounded = False
    else:
        try:
            euclidean.solve(UnitRows(own))
            unbounded = True
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
    support = np.flatnonzero(c / unit.h > 0)
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

"""The l1 and linf max-margin directions: linear programs, refined until their certificate is tight."""

import numpy as np
from scipy.optimize import linprog

from implicitbias.margins.face import Face
from implicitbias.margins.separator import Separator, dual_bound, primal
from implicitbias.margins.unit_rows import UnitRows, exact_product

# Simplex vertices are exact to round-off, so a gap above this says that a basis was accepted a tolerance too early.
TIGHT = 1e-11
IPM, SIMPLEX = "highs-ipm", "highs-ds"
# Each refinement magnifies what is left by this much; it stays below 1e10 so that O(1) quantities remain ordinary.
MAGNIFY = 1e7


def solve(unit: UnitRows, norm: str, l2: Separator) -> list:
    """Pairs (w, c) for  max { min_i a_i.w : ||w||_1 <= 1 }  or  ||w||_inf <= 1.

    The program in unit rows:  max t  subject to  b_i.w >= (gamma_2/scale) h_i t  and the norm's own bounds, with w
    split into positive and negative parts for l1. gamma_2 makes t lie between 1/sqrt(d) and sqrt(d). The multipliers
    of the rows are the weights c. If the gap is not tight the program is solved again for the magnified residuals
    (Gleixner, Steffy, Wolter, INFORMS J. Computing 28 (2016), 449-464).

    Where the optimal face is not a point, w is its point of smallest l2 norm.
    """
    rows = l2._rows
    n, d = rows.shape
    level = -(l2.margin / unit.scale) * unit.h[:, None]
    if norm == "linf":
        matrix, rhs = np.hstack([unit.b, level]), np.zeros(n)
        lower, upper = np.r_[-np.ones(d), 0.0], np.r_[np.ones(d), 2 * np.sqrt(d)]
    else:
        matrix = np.vstack([np.hstack([unit.b, -unit.b, level]), np.r_[-np.ones(2 * d), 0.0]])
        rhs = np.r_[np.zeros(n), -1.0]
        lower, upper = np.zeros(2 * d + 1), np.r_[np.ones(2 * d), 2.0]
    cost = np.zeros(matrix.shape[1])
    cost[-1] = -1.0
    best = (l2.direction, l2.dual)  # feasible for every norm, in case a program fails
    best_gap = np.inf
    program = (cost, matrix, rhs, lower, upper)
    x = y = None
    for _ in range(3):
        solution = _program(*program) if x is None else _refined(*program, x, y)
        if solution is None:
            break
        x, y = solution
        w = x[:d] if norm == "linf" else x[:d] - x[d : 2 * d]
        if not (w.any() and (y[:n] > 0).any()):
            continue
        c = unit.weights(y[:n])
        direction, margin = primal(rows, norm, w)
        gap = dual_bound(rows, norm, c, direction) / margin - 1 if margin > 0 else np.inf
        if gap < best_gap:
            best, best_gap = (direction, c), gap
        if best_gap < TIGHT:
            break
        # Very short levels are met only if the others leave room for the round-off of a product.
        rhs[:n] = unit.slack
    return [best] if best_gap == np.inf else [_canonical(rows, norm, *best)]


def _program(cost, matrix, rhs, lower, upper):
    """(x, multipliers) of min { cost.x : matrix x >= rhs, lower <= x <= upper }, or None."""
    bounds = np.column_stack([lower, upper])
    # Interior point with crossover is the faster one from d = 500.
    result = _highs((IPM, SIMPLEX), cost, A_ub=-matrix, b_ub=-rhs, bounds=bounds)
    return None if result is None else (result.x, -result.ineqlin.marginals)


def _refined(cost, matrix, rhs, lower, upper, x, y):
    """(x, y) with a correction: the same program for the residuals, magnified, with the row slacks s as variables."""
    value = exact_product(matrix, x) - rhs
    slack = np.maximum(value, 0.0)
    # New variables (x', s') are MAGNIFY times the changes; s costs y, because the objective has y taken out.
    reduced = np.concatenate([cost - exact_product(matrix.T, y), y]) * MAGNIFY
    bounds = np.column_stack([np.r_[lower - x, -slack], np.r_[upper - x, np.full(len(y), np.inf)]]) * MAGNIFY
    bounds[:, 0] = np.minimum(bounds[:, 0], 0.0)  # x may be outside its bounds by round-off
    equations = np.hstack([matrix, -np.eye(len(y))])
    shift = ((slack - value) * MAGNIFY).astype(np.float64)
    # The interior point method is the one that circles on magnified costs.
    result = _highs(
        (SIMPLEX, IPM), reduced.astype(np.float64), A_eq=equations, b_eq=shift, bounds=bounds.astype(np.float64)
    )
    return None if result is None else (x + result.x[: len(x)] / MAGNIFY, y + result.eqlin.marginals / MAGNIFY)


def _highs(methods, cost, **constraints):
    """The first success of the methods, or None."""
    options = {
        # HiGHS accepts 1e-10 and nothing smaller.
        "primal_feasibility_tolerance": 1e-10,
        "dual_feasibility_tolerance": 1e-10,
        # A vertex takes one or two steps per variable; without a limit a method that circles never comes back.
        "maxiter": 1000 + 50 * len(cost),
    }
    for method in methods:
        result = linprog(cost, method=method, options=options, **constraints)
        if result.status == 0:
            return result
    return None


def _canonical(rows, norm, direction, c):
    """The point of the optimal face with the smallest l2 norm, if it keeps the margin to round-off."""
    _, margin = primal(rows, norm, direction)
    face = Face(rows, norm, direction, c)
    if face.basis.shape[1] == 0:
        return direction, c
    shortest, kept = primal(rows, norm, face.nearest(np.zeros_like(direction)))
    return (shortest if kept >= margin * (1 - 1e-11) else direction), c

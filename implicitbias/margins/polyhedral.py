"""Max-margin directions of polyhedral norms, l1 and linf: linear programs, refined until their certificate is tight."""

from collections.abc import Iterator

import numpy as np
from scipy.optimize import linprog

from implicitbias.margins import rational
from implicitbias.margins.exact import ExactMatrix
from implicitbias.margins.norms.base import Polyhedral
from implicitbias.margins.separator import Separator
from implicitbias.margins.unit_rows import UnitRows

IPM, SIMPLEX = "highs-ipm", "highs-ds"
LARGE = 50_000  # entries of a program from which on the interior point method with crossover may be the faster one
# Each refinement magnifies what is left by this much; it stays below 1e10 so that O(1) quantities remain ordinary.
MAGNIFY = 1e7
ROUNDS = 5


def solve(unit: UnitRows, norm: Polyhedral, l2: Separator) -> Iterator:
    """Pairs (w, c) for  max { min_i a_i.w : N(w) <= 1 }, each better.

    The program in unit rows:  max t  subject to  b_i.w >= g h_i t  and the norm's own bounds (its ``program``). With g
    the l2 margin in units of the shortest row t lies between 1/sqrt(d) and sqrt(d) for l1 and linf. The multipliers of
    the rows are the weights c. If the gap is not tight the program is solved again for the magnified residuals
    (Gleixner, Steffy, Wolter, INFORMS J. Computing 28 (2016), 449-464), and last in exact integers.
    """
    yield from _refinements(unit, norm, l2)
    yield None
    yield from rational.linear(unit, norm)
    yield l2.direction, l2.dual  # feasible for every norm, in case a program fails


def _refinements(unit, norm, l2):
    n, d = unit.b.shape
    columns = _small_columns(unit.b)
    b = np.ldexp(unit.b, -columns)
    # Below 1e-6 the column of t would be lost among the tolerances of HiGHS.
    level = -max(float(np.ldexp(l2.margin, -unit.lowest)), 1e-6) * unit.h[:, None]
    matrix, rhs, lower, upper = norm.program(b, level, np.ldexp(1.0, columns))
    cost = np.zeros(matrix.shape[1])
    cost[-1] = -1.0
    x = y = exact = None
    for _ in range(ROUNDS):
        if x is None:
            solution = _program(cost, matrix, rhs, lower, upper)
        else:
            exact = exact or ExactMatrix(matrix)
            solution = _refined(cost, exact, rhs, lower, upper, x, y)
        if solution is None:
            return
        x, y = solution
        w = np.ldexp(norm.point(x, d), -columns)
        if w.any() and (y[:n] > 0).any():
            yield w, unit.weights(y[:n])
        # Very short levels are met only if the others leave room for the round-off of a product.
        rhs[:n] = unit.slack


def _program(cost, matrix, rhs, lower, upper):
    """(x, multipliers) of min { cost.x : matrix x >= rhs, lower <= x <= upper }, or None."""
    bounds = np.column_stack([lower, upper])
    methods = (SIMPLEX, IPM) if matrix.size < LARGE else (IPM, SIMPLEX)
    result = _highs(methods, cost, A_ub=-matrix, b_ub=-rhs, bounds=bounds)
    return None if result is None else (result.x, -result.ineqlin.marginals)


def _refined(cost, matrix, rhs, lower, upper, x, y):
    """(x, y) with a correction: the same program for the residuals, magnified, with the row slacks s as variables."""
    value = matrix.dot(x) - rhs
    slack = np.maximum(value, 0.0)
    # New variables (x', s') are MAGNIFY times the changes; s costs y, because the objective has y taken out.
    reduced = np.concatenate([cost - matrix.dot_rows(y), y]) * MAGNIFY
    bounds = np.column_stack([np.r_[lower - x, -slack], np.r_[upper - x, np.full(len(y), np.inf)]]) * MAGNIFY
    bounds[:, 0] = np.minimum(bounds[:, 0], 0.0)  # x may be outside its bounds by round-off
    equations = np.hstack([matrix.rows, -np.eye(len(y))])
    shift = (slack - value) * MAGNIFY
    # The interior point method is the one that circles on magnified costs.
    result = _highs((SIMPLEX, IPM), reduced, A_eq=equations, b_eq=shift, bounds=bounds)
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


def _small_columns(b):
    """Exponents of the columns in which all entries are small: HiGHS takes numbers below 1e-9 for zero."""
    exponents = np.frexp(np.abs(b).max(axis=0))[1]
    return np.where(exponents < -10, exponents, 0)

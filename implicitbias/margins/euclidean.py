"""The l2 max-margin direction: a least-distance problem, solved by an active set method to round-off."""

from collections.abc import Iterator

import numpy as np
from scipy.linalg.lapack import dgeqrf, dorgqr, dtrtrs
from scipy.optimize import lsq_linear, nnls

from implicitbias.margins import rational, separability
from implicitbias.margins.exact import ExactMatrix
from implicitbias.margins.unit_rows import UnitRows

# Each correction by an exact residual gains the digits that the factorisation has: two are enough for half of 16.
CORRECTIONS = 2
BLOCK = 64  # columns that a factorisation takes together
SLACK = 1e-7  # of the optimality of NNLS, whose own threshold is relative and far smaller


def solve(unit: UnitRows) -> Iterator:
    """Pairs (w, c) for  max { min_i a_i.w : ||w||_2 <= 1 } = min { ||A'c||_2 : c in the simplex }, each better.

    Float64 comes first (``numeric``). Where that is not enough the data are looked at without their norm, whether they
    have a separator at all; then the problem is solved in exact integers if it is small; and last comes any separator.

    Errors: ``NotSeparable`` with c in the simplex and A'c = 0.
    """
    yield from numeric(unit)
    yield None
    w, rows = separability.decide(unit)
    yield from rational.quadratic(unit, rows)
    yield w, None


def numeric(unit: UnitRows) -> Iterator:
    """Pairs (w, c) in float64: with unit rows b_i,  min { ||w||_2 : b_i.w >= h_i },  c_i proportional to h_i alpha_i.

    Source: Lawson and Hanson (1974), chapter 23.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # w has no end where the data are not separable
        w, alpha = least_distance(unit.b, unit.h)
        if not (0 < alpha.sum() < np.inf and w @ w < np.inf):
            return
    yield w, unit.weights(alpha)
    w, alpha = refine(unit.b, unit.h, alpha, unit.exact)
    yield w, unit.weights(alpha)
    # A level of 1e-12 is only met to 1e-4 when b_i.w is off by 1e-16. Raising all levels by the round-off of a
    # product makes w feasible and costs next to nothing.
    yield refine(unit.b, unit.h + unit.slack * np.linalg.norm(w), alpha, unit.exact)[0], unit.weights(alpha)


def least_distance(g: np.ndarray, h: np.ndarray, exact: ExactMatrix | None = None):
    """The shortest x with g x >= h, which some x must satisfy; rows of g have length about 1.

    Arguments
        g      (m, k) constraint normals
        h      (m,) levels of either sign
        exact  g again, to correct x without round-off where the digits of float64 may not do

    Returns x (k,) and alpha (m,) >= 0 with x = g'alpha.

    >>> x, alpha = least_distance(np.array([[1.0, 0.0], [0.6, 0.8]]), np.array([1.0, 1.0]))
    >>> x.round(12), alpha.round(12)
    (array([1. , 0.5]), array([0.625, 0.625]))
    """
    if not (h > 0).any():  # nothing asks x to move; this covers having no constraint at all
        return np.zeros(g.shape[1]), np.zeros(len(h))
    u, residual = combination(g, h)
    if not u.any():
        return np.zeros(g.shape[1]), u
    # ||residual||^2 equals its last entry, but the sum of squares keeps its digits when both are tiny.
    return refine(g, h, u / max(residual @ residual, 1e-300), exact)


def combination(g, h):
    """Lawson and Hanson's dual: u >= 0 nearest to [g'; h'] u = (0, ..., 0, 1), and the residual.

    A zero residual means g'u = 0 with h'u = 1: the constraints contradict each other. Otherwise the multipliers of
    the least-distance problem are u/||residual||^2.
    """
    stacked = np.vstack([g.T, h])
    target = np.zeros(len(stacked))
    target[-1] = 1.0
    # Degenerate vertices can make the method walk longer than SciPy's default of 3 m steps.
    u, _ = nnls(stacked, target, maxiter=30 * sum(g.shape) + 100)
    residual = target - stacked @ u
    # The target is 1 long, and u = 0 leaves it; at the answer no column points along what is left. SciPy 1.17 may
    # end elsewhere at a degenerate vertex; the other method takes ten times as long.
    if not (residual @ residual <= 1 + SLACK and (residual @ stacked).max() <= SLACK):
        u = np.maximum(lsq_linear(stacked, target, (0.0, np.inf), method="bvls", tol=1e-14).x, 0.0)
        residual = target - stacked @ u
    return u, residual


def refine(g, h, alpha, exact: ExactMatrix | None = None, rounds: int = 200):
    """Active set steps from multipliers ``alpha``: the same minimiser as ``least_distance``, to round-off.

    NNLS stops on absolute thresholds and forms x by subtraction, which costs digits when the margin is small.
    Here each step solves g_S x = h_S by a QR factorisation of g_S', corrected by exact residuals if ``exact`` is given;
    a negative multiplier leaves the set, the most violated constraint enters it. Where the steps end at rows that
    depend on each other, further from feasible than they began, the beginning is returned.
    """
    start, alpha = alpha, alpha.copy()
    x = g.T @ start
    eps = np.finfo(float).eps * np.sqrt(g.shape[1])
    entered = -1
    for _ in range(rounds):
        support = np.flatnonzero(alpha > 0)
        if entered >= 0:
            support = np.union1d(support, entered)
        solved = _equalities(g, h, support, exact)
        if solved is None:
            break
        target = solved[1]
        if (target < 0).any():
            if entered >= 0 and target[np.searchsorted(support, entered)] <= 0:
                break  # the entering constraint was violated by round-off only
            old = alpha[support]
            falling = target < 0
            step = old[falling] / (old[falling] - target[falling])
            alpha[support] = np.maximum(old + step.min() * (target - old), 0.0)
            alpha[support[falling][step.argmin()]] = 0.0
            continue
        alpha[:] = 0.0
        x, alpha[support] = solved
        violation = (h - g @ x) - 8 * eps * (np.abs(h) + np.linalg.norm(x))  # eight: dot product, level, and x itself
        violation[support] = -np.inf
        entered = int(violation.argmax())
        if violation[entered] <= 0:
            return x, alpha
    x_start = g.T @ start
    return (x, alpha) if (h - g @ x).max() <= max((h - g @ x_start).max(), 0.0) else (x_start, start)


def _equalities(g, h, support, exact):
    """Shortest x with g_S x = h_S, and its multipliers; None if the rows of g_S depend on each other."""
    if not 0 < len(support) <= g.shape[1]:
        return None
    work = BLOCK * len(support)
    factors, tau, *_ = dgeqrf(g[support].T, lwork=work)
    q, r = dorgqr(factors, tau, lwork=work)[0], factors[: len(support)]  # below its diagonal r has other things
    diagonal = np.abs(r.diagonal())
    if diagonal.min() <= 1e-14 * diagonal.max():  # a direction known to fewer than two digits
        return None
    h = h[support]
    x = q @ dtrtrs(r, h, trans=1)[0]
    if exact is None:
        return x, dtrtrs(r, q.T @ x)[0]
    for _ in range(CORRECTIONS):
        x += q @ dtrtrs(r, h - exact.dot(x, support), trans=1)[0]
    alpha = dtrtrs(r, q.T @ x)[0]
    for _ in range(CORRECTIONS):
        alpha += dtrtrs(r, q.T @ (x - exact.dot_rows(alpha, support)))[0]
    return x, alpha

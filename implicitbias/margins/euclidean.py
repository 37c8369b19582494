"""The l2 max-margin direction: a least-distance problem, solved by an active set method to round-off."""

import numpy as np
from scipy.linalg import qr, solve_triangular
from scipy.optimize import nnls

from implicitbias.errors import NotSeparable
from implicitbias.margins.unit_rows import UnitRows, exact_product

# Data count as separable when some direction of length 1 has b_i.w > 1e-12 on every unit row b_i. Rounding the
# entries of the rows, or summing n rows in float64 to build them, moves that margin by up to n ulps, 2e-13 for
# n = 1000: below the threshold separability is a property of the rounding and no longer of the data.
SEPARABLE = 1e-12


def solve(unit: UnitRows) -> list:
    """Pairs (w, c) for the l2 problem  max { min_i a_i.w : ||w||_2 <= 1 } = min { ||A'c||_2 : c in the simplex }.

    With unit rows b_i this is min { ||w||_2 : b_i.w >= h_i }, and c_i is proportional to h_i alpha_i.

    Errors: ``NotSeparable`` with c in the simplex and A'c = 0.

    Source: Lawson and Hanson (1974), chapter 23.
    """
    w, alpha = least_distance(unit.b, unit.h)
    if not _margin(unit.b, w) > SEPARABLE:
        # Levels of very different size make the zero residual hard to see; levels of 1 show it plainly.
        ones = np.ones_like(unit.h)
        combination, _ = _nnls(unit.b, ones)
        unit_w, unit_alpha = least_distance(unit.b, ones)
        if not _margin(unit.b, unit_w) > SEPARABLE:
            raise _not_separable(unit, combination)
        w, alpha = refine(unit.b, unit.h, unit_alpha)
    pairs = [(w, unit.weights(alpha))]
    if unit.h.min() < 1e-3:
        # A level of 1e-12 is only met to 1e-4 when b_i.w is off by 1e-16. Raising all levels by the round-off of a
        # product makes w feasible and costs next to nothing.
        pairs.append((refine(unit.b, unit.h + unit.slack * np.linalg.norm(w), alpha)[0], pairs[0][1]))
    return pairs


def _margin(b, w):
    with np.errstate(over="ignore"):  # w has no end where the data are not separable
        size = np.linalg.norm(w)
    return float((b @ w).min() / size) if 0 < size < np.inf else -np.inf


def _not_separable(unit, combination):
    beta = combination / combination.sum()
    residual = float(np.linalg.norm(exact_product(unit.b.T, beta).astype(np.float64)))
    # Weak duality: no unit margin exceeds the residual. If it is not small the solver has failed, not the data.
    if not residual <= 10 * SEPARABLE:
        return RuntimeError(f"separability is undecided: no separator found, but no combination below {residual:.1e}")
    return NotSeparable(unit.weights(beta), residual)


def least_distance(g: np.ndarray, h: np.ndarray):
    """The shortest x with g x >= h, which some x must satisfy; rows of g have length about 1.

    Arguments
        g  (m, k) constraint normals
        h  (m,) levels of either sign

    Returns x (k,) and alpha (m,) >= 0 with x = g'alpha.

    >>> x, alpha = least_distance(np.array([[1.0, 0.0], [0.6, 0.8]]), np.array([1.0, 1.0]))
    >>> x.round(12), alpha.round(12)
    (array([1. , 0.5]), array([0.625, 0.625]))
    """
    if not (h > 0).any():  # nothing asks x to move; this covers having no constraint at all
        return np.zeros(g.shape[1]), np.zeros(len(h))
    u, residual = _nnls(g, h)
    if not u.any():
        return np.zeros(g.shape[1]), u
    # ||residual||^2 equals its last entry, but the sum of squares keeps its digits when both are tiny.
    return refine(g, h, u / max(residual @ residual, 1e-300))


def _nnls(g, h):
    """Lawson and Hanson's dual: u >= 0 nearest to [g'; h'] u = (0, ..., 0, 1), and the residual.

    A zero residual means g'u = 0 with h'u = 1: the constraints contradict each other. Otherwise the multipliers of
    the least-distance problem are u/||residual||^2.
    """
    stacked = np.vstack([g.T, h])
    target = np.zeros(len(stacked))
    target[-1] = 1.0
    # Degenerate vertices can make the method walk longer than SciPy's default of 3 m steps.
    u, _ = nnls(stacked, target, maxiter=30 * sum(g.shape) + 100)
    return u, target - stacked @ u


def refine(g, h, alpha, rounds: int = 200):
    """Active set steps from multipliers ``alpha``: the same minimiser as ``least_distance``, to round-off.

    NNLS stops on absolute thresholds and forms x by subtraction, which costs digits when the margin is small.
    Here each step solves g_S x = h_S by a QR factorisation of g_S' and one correction in extended precision;
    a negative multiplier leaves the set, the most violated constraint enters it.
    """
    alpha = alpha.copy()
    x = g.T @ alpha
    eps = np.finfo(float).eps * np.sqrt(g.shape[1])
    entered = -1
    for _ in range(rounds):
        support = np.flatnonzero(alpha > 0)
        if entered >= 0:
            support = np.union1d(support, entered)
        solved = _equalities(g[support], h[support])
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
            break
    return x, alpha


def _equalities(g, h):
    """Shortest x with g x = h, and its multipliers; None if the rows of g depend on each other."""
    if not 0 < len(g) <= g.shape[1]:
        return None
    q, r = qr(g.T, mode="economic")
    diagonal = np.abs(np.diag(r))
    if diagonal.min() <= 1e-14 * diagonal.max():  # a direction known to fewer than two digits
        return None

    def shortest(rhs):
        return q @ solve_triangular(r, rhs.astype(np.float64), trans="T")

    x = shortest(h)
    x += shortest(h - exact_product(g, x))
    alpha = solve_triangular(r, q.T @ x)
    alpha += solve_triangular(r, q.T @ (x - exact_product(g.T, alpha)).astype(np.float64))
    return x, alpha

"""Adam with eps_t = kappa L(w_t), full batch: the direction between l_inf and l2 that a concave programme gives.

argmax over |u_j| < 1 of min_i a_i.u - kappa sum_j (-|u_j| - log(1 - |u_j|))
"""

import math
import sys
import warnings

import numpy as np

from implicitbias.errors import InputError
from implicitbias.limits.limit import Limit
from implicitbias.margins import max_margin
from implicitbias.margins.exact import ExactMatrix, unit_scale
from implicitbias.problems import Problem
from implicitbias.simulation.setting import is_number

SOLVED = 1e-10  # gap over ||u||_2, in units of the longest row, at which the barrier stops; rounding is at 1e-15


def kappa_direction(problem, kappa: float) -> Limit:
    """Where full-batch Adam with eps_t = kappa L(w_t) goes: between the l_inf (kappa -> 0) and the l2 direction.

    Far out m -> S, sqrt(v) -> |S| and L -> 1 up to a common factor, so u = S / (|S| + kappa) with S = A'c, and c rests
    where a_i.u is minimal. These are the optimality conditions of the concave programme

        max over |u_j| < 1 of  min_i a_i.u - kappa sum_j (-|u_j| - log(1 - |u_j|))

    and its dual, solved here by Newton's method with a logarithmic barrier: min over c in the simplex of
    sum_j |S_j| - kappa log(1 + |S_j| / kappa). The difference of the two values is sum_i c_i a_i.u - min_i a_i.u.

    Arguments
        problem  a Problem, or its rows (n, d)
        kappa    > 0, in units of the rows

    Returns a `Limit`; its gap is that difference over ||u||_2.
    Errors: ``InputError`` for a bad kappa, ``NotSeparable`` for data without a separator. A RuntimeWarning says so if
    the gap is above 1e-6 of the longest row, as for kappa below 1e-7 of it.

    >>> lim = kappa_direction([[1.0, 0.0], [0.0, 2.0]], kappa=1.0)
    >>> lim.direction.round(4), lim.gap < 1e-9
    (array([0.8944, 0.4472]), True)

    Source: derived; increments of simulations have cosines of at least 0.9996 to it for kappa from 0.01 to 100
    (Gaussian rows, n = 10, d = 50).
    """
    problem = problem if isinstance(problem, Problem) else Problem(problem)
    if not is_number(kappa) or not 0.0 < kappa <= sys.float_info.max:
        raise InputError(f"kappa must be a positive number, but is {kappa!r}")
    max_margin(problem)  # no limit without a separator
    rows, k = unit_scale(problem.rows)
    size = np.linalg.norm(rows, axis=1).max()
    c, u, _ = _kappa_programme(rows / size, float(np.ldexp(kappa, -k)) / size)
    u = u / np.linalg.norm(u)
    z = ExactMatrix(rows / size).dot(u)
    gap = math.fsum(c * (z - z.min()))
    if gap > 1e-6:
        warnings.warn(
            f"kappa = {kappa:g} is so small beside rows of length {np.ldexp(size, k):.3g} that the direction is only "
            f"certified to a relative gap of {gap:.1e}",
            RuntimeWarning,
            stacklevel=2,
        )
    text = f"argmax of min a.u - {kappa:g} sum(-|u| - log(1 - |u|)): Adam with eps = {kappa:g} L, full batch (derived)"
    return Limit(u, c, float(np.ldexp(gap * size, k)), text)


def _kappa_programme(rows, kappa):
    """(c, u, gap / ||u||_2)."""
    n = len(rows)

    def gradient(c):
        total = c @ rows
        u = total / (np.abs(total) + kappa)
        z = rows @ u
        return total, u, z, max(float(c @ z - z.min()), 0.0)

    def value(c, mu):
        size = np.abs(c @ rows)
        return (size - kappa * np.log1p(size / kappa)).sum() - mu * np.log(c).sum()

    c = np.full(n, 1.0 / n)
    total, u, z, gap = gradient(c)
    best = c, u, gap / np.linalg.norm(u)
    mu = gap / n
    while best[2] > SOLVED and mu > 1e-18:
        for _ in range(60):
            # In relative changes y = dc / c the system is well scaled however light a sample is.
            scaled = c[:, None] * rows * (np.sqrt(kappa) / (np.abs(total) + kappa))
            system = scaled @ scaled.T + mu * np.eye(n)
            down, keep = np.linalg.solve(system, np.column_stack([mu - c * z, c])).T
            y = down - keep * ((c @ down) / (c @ keep))
            decrement = float(y @ system @ y)
            step = min(1.0, 0.95 / max(-y.min(), 1e-300))
            before = value(c, mu)
            # Below rounding of the value there is nothing to compare.
            while decrement > 1e-14 and step > 1e-10 and value(c * (1.0 + step * y), mu) > before:
                step /= 2.0
            c = c * (1.0 + step * y)
            c /= c.sum()
            total, u, z, gap = gradient(c)
            best = min(best, (c, u, gap / np.linalg.norm(u)), key=lambda item: item[2])
            if decrement <= 1e-2 * mu:
                break
        mu *= 0.2
    return best

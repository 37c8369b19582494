"""A lower bound on the l_inf margin of reshuffled Signum."""

import numpy as np

from implicitbias.errors import InputError
from implicitbias.margins import max_margin
from implicitbias.problems import Problem
from implicitbias.simulation.setting import is_integer, is_number


def signum_bound(problem, beta: float, batch: int) -> float:
    """A lower bound on the l_inf margin of reshuffled Signum in the limit: very loose, and negative for small beta.

    gamma_inf - (1 - beta) m (m^2 - 1) max_i ||a_i||_1 with m = n / b steps an epoch (rounded down: the remainder is
    dropped). Within an epoch the momentum differs from the full gradient by at most the second term.

    Arguments
        problem  a Problem, or its rows (n, d)
        beta     decay rate of the momentum, in [0, 1)
        batch    1..n

    Returns the bound, in units of the rows; the margin of w is min_i a_i.w / ||w||_inf.
    Errors: ``InputError`` for wrong arguments.

    >>> signum_bound([[2.0, 1.0], [1.0, 2.0]], beta=0.99, batch=1)
    2.82

    Source: derived from the multiclass theorem of 2026 for momentum sign descent under reshuffling.
    """
    problem = problem if isinstance(problem, Problem) else Problem(problem)
    mistakes = []
    if not is_number(beta) or not 0.0 <= beta < 1.0:
        mistakes.append(f"beta must be in [0, 1), but is {beta!r}")
    if not is_integer(batch) or not 1 <= batch <= problem.n:
        mistakes.append(f"batch must be an integer from 1 to n = {problem.n}, but is {batch!r}")
    if mistakes:
        raise InputError(mistakes)
    m = problem.n // batch
    spread = (1.0 - beta) * m * (m**2 - 1) * np.abs(problem.rows).sum(axis=1).max()
    return float(max_margin(problem, "linf").margin - spread)

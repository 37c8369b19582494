"""AdaGrad: l2 max-margin in the geometry that the preconditioner of a run has frozen to, read off the run."""

import numpy as np

from implicitbias.errors import InputError
from implicitbias.limits.limit import Limit
from implicitbias.limits.predict import solve
from implicitbias.limits.rules import Rule
from implicitbias.optimizers import AdaGrad
from implicitbias.problem import Problem


def adagrad_direction(problem, run) -> Limit:
    """Where an AdaGrad run goes: l2 max-margin in the geometry its preconditioner has frozen to.

    min sum_j w_j^2 / h_j over A w >= 1, with h_j = V_j^(-1/2) at the end of the run.

    Arguments
        problem  a Problem, or its rows (n, d)
        run      a Run of AdaGrad on it, long enough for V to have settled

    Returns a `Limit` with the gap of the max-margin problem in that norm.
    Errors: ``InputError`` for a run of another optimizer or problem.

    >>> import implicitbias as ib
    >>> rows = [[1.0, 0.0], [0.0, 2.0]]
    >>> run = ib.simulate(rows, ib.AdaGrad(), lr=1.0, order="full", steps=1000)
    >>> adagrad_direction(rows, run).direction.round(3)
    array([0.894, 0.447])

    Source: Qian and Qian, arXiv 1906.03559, Theorem 3.1.
    """
    problem = problem if isinstance(problem, Problem) else Problem(problem)
    if not isinstance(run.optimizer, AdaGrad):
        raise InputError(f"run must be one of AdaGrad, not of {run.optimizer.label}")
    if run.state.shape != (1, problem.d):
        raise InputError(f"run has {run.problem.d} features, and the problem {problem.d}")
    root = np.sqrt(run.state[0])
    # Up to a common factor, which leaves the direction and keeps the squares within float64.
    norm = ("mahalanobis", tuple(float(x) for x in root / root.max()))
    text = "max-margin in the norm of the run's frozen preconditioner (theorem, arXiv 1906.03559)"
    return solve(problem, Rule(text, norm=norm))

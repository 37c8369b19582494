"""AdaGrad: l2 max-margin in the geometry that the preconditioner of a run has frozen to, read off the run."""

from implicitbias.errors import InputError
from implicitbias.limits.frozen import frozen
from implicitbias.limits.limit import Limit
from implicitbias.limits.predict import solve
from implicitbias.optimizers import AdaGrad
from implicitbias.problems import Problem


def adagrad_direction(problem, run) -> Limit:
    """Where an AdaGrad run goes: l2 max-margin in the geometry its preconditioner has frozen to.

    min sum_j w_j^2 / h_j over A w >= 1, with h_j = 1 / (sqrt(V_j) + eps), or 1 / sqrt(V_j + eps) with eps_inside,
    at the end of the run.

    Arguments
        problem  a Problem, or its rows (n, d)
        run      a Run of AdaGrad on it, long enough for V to have settled

    Returns a `Limit` with the gap of the max-margin problem in that norm.
    Errors: ``InputError`` for a run of another optimizer or problem, one that ended without its state, and one whose V
    does not fit float64 where eps does not cover it: such are runs that start far out.

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
    if run.problem.d != problem.d:
        raise InputError(f"run has {run.problem.d} features, and the problem {problem.d}")
    if run.problem.digest != problem.digest:
        raise InputError("run must be one on these rows, not on others")
    if run.state.shape != (1, problem.d):
        raise InputError(f"run ended without its state, with the status {run.status!r}")
    return solve(problem, frozen(problem, run.optimizer, run.state, run.setting))

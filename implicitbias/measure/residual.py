"""How far full-batch gradient descent and gradient flow are from w_hat log t + w~ (limits.gradient_residual)."""

import numpy as np

from implicitbias.errors import InputError
from implicitbias.lengths import length
from implicitbias.measure.group import Column, Group, Snapshots
from implicitbias.problems import Problem
from implicitbias.simulation.scales import level


def _columns(norms: tuple[str, ...]) -> list[Column]:
    says = "||w(t) - w_hat log t - w~||_2 with t = sum_lr, for full-batch gradient descent and gradient flow: to 0"
    return [Column("residual", float, "", says)]


def residual(run) -> np.ndarray:
    """(S,) the distance of w(t) - w_hat log t from its limit; NaN where that is unknown."""
    name = run.optimizer.under(run.lr).name
    full = run.setting.batch == run.problem.n and run.setting.order != "replacement"
    if not (name == "gradient_flow" or (name == "sgd" and full and run.optimizer.momentum == 0.0)):
        return np.full(len(run.steps), np.nan)
    from implicitbias.limits.residual import gradient_residual, hard_margin

    # Rows over 2^k have the iterate 2^k w at time t 2^2k: in the middle of float64 all of it is of ordinary size.
    k, uneven = level(run.problem.rows)
    problem = Problem(np.ldexp(run.problem.rows, -k)) if k else run.problem
    try:
        if uneven:
            raise InputError(f"the rows of {run.problem.name} are too far apart for float64")
        # what no gradient reaches is that of the start, or of where another optimizer stopped
        limit = gradient_residual(problem, np.ldexp(run.initial if run._origin is None else run._origin, k))
    except InputError:  # the support vectors do not decide it
        return np.full(len(run.steps), np.nan)
    time = np.log(run.sum_lr) + 2 * k * np.log(2.0)
    with np.errstate(over="ignore", invalid="ignore"):  # a diverged run
        return np.ldexp(length(np.ldexp(run.weights, k) - np.outer(time, hard_margin(problem)) - limit), -k)


def _measure(seen: Snapshots) -> dict:
    return {"residual": np.full(len(seen.run.steps), np.nan) if seen.deep else residual(seen.run)}


GROUP = Group("residual", _columns, _measure, matrices=False)

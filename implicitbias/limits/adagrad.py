"""AdaGrad: l2 max-margin in the geometry that the preconditioner of a run has frozen to, read off the run."""

import numpy as np

from implicitbias.errors import InputError
from implicitbias.limits.limit import Limit
from implicitbias.limits.predict import solve
from implicitbias.limits.rules import Rule, full_batch
from implicitbias.optimizers import AdaGrad
from implicitbias.problem import Problem

# Sums of squares above the first are normal numbers; the root of one below it is nothing beside the second.
SMALLEST, COVERS = 1e-304, 1e-136


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
    squares, eps, inside = run.state[0], run.optimizer.eps, run.optimizer.eps_inside
    floor = np.sqrt(eps) if inside else eps  # of the root
    touched = problem.rows.any(axis=0)
    known = np.isfinite(squares) & ((squares > SMALLEST) | (floor > COVERS))
    if not known[touched].all():
        j = int(np.flatnonzero(touched & ~known)[0])
        raise InputError(f"the sum of squared gradients of feature {j} is {squares[j]:g}: too far out for float64")
    root = np.sqrt(squares + eps) if inside else np.sqrt(squares) + eps
    # A feature without data has the weight 0 at any price. Up to a common factor, which leaves the direction and keeps
    # the squares within float64.
    root = np.where(touched, root, root[touched].max()) / root[touched].max()
    full = full_batch(problem.rows, run.setting)
    standing = "theorem, arXiv 1906.03559" if full and (eps == 0.0 or inside) else "derived, as arXiv 1906.03559"
    weight = "sqrt(V_j + eps)" if inside else "(sqrt(V_j) + eps)"
    text = f"max-margin in sum {weight} w_j^2, V = sum g^2 as the run has left it ({standing})"
    return solve(problem, Rule(text, norm=("mahalanobis", tuple(root.tolist()))))

"""The geometry that the preconditioner of AdaGrad freezes to."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from implicitbias.errors import InputError
from implicitbias.limits.rules import Rule, full_batch
from implicitbias.optimizers import AdaGrad
from implicitbias.problems import Problem
from implicitbias.simulation.setting import Setting

# Sums of squares above the first are normal numbers; the root of one below it is nothing beside the second.
SMALLEST, COVERS = 1e-304, 1e-136


def roots(problem: Problem, optimizer: AdaGrad, state: np.ndarray) -> np.ndarray:
    """(d,) sqrt(V) + eps, or sqrt(V + eps), by which AdaGrad divides after it has left the state V (1, d); for features
    without data the largest of the others.

    Errors: ``InputError`` for a V that does not fit float64 where eps does not cover it.
    """
    squares, eps, inside = state[0], optimizer.eps, optimizer.eps_inside
    floor = np.sqrt(eps) if inside else eps  # of the root
    touched = problem.rows.any(axis=0)
    known = np.isfinite(squares) & ((squares > SMALLEST) | (floor > COVERS))
    if not known[touched].all():
        j = int(np.flatnonzero(touched & ~known)[0])
        raise InputError(f"the sum of squared gradients of feature {j} is {squares[j]:g}: too far out for float64")
    found = np.sqrt(squares + eps) if inside else np.sqrt(squares) + eps
    # A feature without data has the weight 0 at any price.
    return np.where(touched, found, found[touched].max())


def frozen(problem: Problem, optimizer: AdaGrad, state: np.ndarray, setting: Setting) -> Rule:
    """The rule for an AdaGrad that has left the state V (1, d). Errors: as `roots`."""
    root = roots(problem, optimizer, state)
    eps, inside = optimizer.eps, optimizer.eps_inside
    standing = "theorem," if full_batch(problem.rows, setting) and (eps == 0.0 or inside) else "derived, as"
    weight = "sqrt(V_j + eps)" if inside else "(sqrt(V_j) + eps)"
    text = f"max-margin in sum {weight} w_j^2, V = sum g^2 as the run has left it ({standing} arXiv 1906.03559)"
    # Up to a common factor, which leaves the direction and keeps the squares within float64.
    return Rule(text, norm=("mahalanobis", tuple((root / root.max()).tolist())))


def from_start(optimizer, setting: Setting) -> Callable[[Problem, np.ndarray], Rule]:
    """The rule for an AdaGradFlow, once it is known where it starts; its updates see all rows."""

    def begun(problem: Problem, start: np.ndarray) -> Rule:
        state = optimizer.begin(problem, start, setting.loss).state
        return frozen(problem, optimizer.discrete, state, replace(setting, batch=problem.n, order="full"))

    return begun

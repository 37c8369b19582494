"""`predict`: the limit direction of an optimizer from theory, with a certificate."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from implicitbias.errors import InputError, told
from implicitbias.lengths import length
from implicitbias.limits import several
from implicitbias.limits.family import rule
from implicitbias.limits.fixed_point import rest_points
from implicitbias.limits.kappa import kappa_direction
from implicitbias.limits.limit import Limit
from implicitbias.limits.matrix_maps import SampledMatrix
from implicitbias.limits.numerical import measured_rest_point
from implicitbias.limits.rules import Rule, runs_away
from implicitbias.limits.tail_maps import TailMap, replacement
from implicitbias.margins import max_margin
from implicitbias.optimizers import Optimizer
from implicitbias.optimizers.base import wrong_optimizer
from implicitbias.problems import AnyProblem, Multiclass, as_problem
from implicitbias.simulation.setting import Setting, resolve

LARGE = 10**5  # entries of the data from which on fewer starts are tried
NO_KERNEL = "a flow has no step kernel with which a tail map could be measured; its limit is in closed form"
NO_MAP = "the updates of this optimizer depend on the size of the gradients, so it has no tail map to measure"
STANDS_STILL = (
    "there is no limit direction: at the sample weights to which a slow run goes, the steps of an epoch cancel, and w "
    "stays where it is; another batch size, order, momentum or optimizer may have one"
)
UNSURE = 0.05  # error of a measured direction that is told: some sample may still be on its way, and lead elsewhere
NUMERICAL_STEPS = 400_000  # two digits and a half of the direction in about 0.2 s at d = 50


@told
def predict(
    problem: AnyProblem | ArrayLike,
    optimizer: Optimizer,
    *,
    batch: int | Literal["n"] = 1,
    order: str = "reshuffle",
    remainder: str | None = None,
    seed: int = 0,
    initial: ArrayLike | None = None,
    loss: str = "logistic",
    method: str = "theory",
) -> Limit | None:
    """The direction in which an optimizer goes off on a separable problem.

    A rest point of the sample weights c under the optimizer's tail map F: a_i.F(c) is minimal wherever c_i > 0, and the
    limit is F(c). It is the one in which a run of small steps from `initial` ends, w' = F(c(w)) with c = softmin(A w).
    See `limits.tail_maps` for F and `limits.fixed_point` for the search and its certificate.

    Arguments
        problem      a Problem, its rows (n, d), or a Multiclass, whose limit has a direction (k, d) and weights (n, k)
        optimizer    such as Adam(beta1=0.9, beta2=0.95); hyper-parameters enter where the theory has them; or a flow
        batch, order, remainder, seed
                     as in `simulate`, and of no effect on a flow; the seed matters for shuffle_once, whose blocks it
                     decides
        initial      (d,) iterate at which the run starts, default 0; it decides where there are several rest points
        loss         as in `simulate`; it matters where the start of a run decides the limit, to an AdaGradFlow
        method       "theory": closed tail maps only. "numerical": F measured with the optimizer's own step kernel, for
                     any optimizer that does not depend on the size of the gradients, with standard errors

    Returns a Limit, or None where there is no theory (`why_not` says what is missing) or where runs stand still.
    Warns (RuntimeWarning) when runs from other starts end in other rest points; all that were found are in `others`.
    And when runs stand still, as those of sign descent on fixed batches may; and where measuring does not settle.
    Errors: ``InputError`` for wrong arguments, ``NotSeparable`` for data without a separator.

    >>> import implicitbias as ib
    >>> lim = ib.predict([[1.0, 0.1], [0.1, 2.0]], ib.Adam(), batch=1)
    >>> lim.direction.round(6), lim.weights, lim.gap < 1e-12
    (array([0.707107, 0.707107]), array([1., 0.]), True)

    Source: arXiv 2510.26303 (per-sample Adam); the tail maps name theirs.
    """
    problem = as_problem(problem)
    if not isinstance(optimizer, Optimizer):
        raise InputError(wrong_optimizer(optimizer))
    if method not in ("theory", "numerical"):
        raise InputError(f"method must be 'theory' or 'numerical', not {method!r}")
    setting = resolve(problem.n, batch=batch, order=order, steps=1, seed=seed, loss=loss, remainder=remainder)
    if wrong := optimizer.unfit(problem.shape):
        raise InputError(wrong)
    start = _start(initial, problem.shape)
    max_margin(problem)  # no limit without a separator
    found = _rule(problem, optimizer, setting)
    if method == "numerical":
        return _numerical(problem, optimizer, setting, found, start)
    return None if isinstance(found, str) else solve(problem, found, start)


def _rule(problem: AnyProblem, optimizer: Optimizer, setting: Setting) -> Rule | str:
    if isinstance(problem, Multiclass):
        return several.rule(problem, optimizer, setting)
    return rule(problem.rows, optimizer, setting)


def _rows(problem: AnyProblem) -> np.ndarray:
    """(N, d) the rows whose products with the weights are the margins."""
    return problem.pairs() if isinstance(problem, Multiclass) else problem.rows


def why_not(
    problem, optimizer: Optimizer, *, batch: int = 1, order: str = "reshuffle", remainder=None, method: str = "theory"
) -> str | None:
    """The sentence that says which theory is missing where `predict` returns None; None where none is."""
    problem = as_problem(problem)
    setting = resolve(problem.n, batch=batch, order=order, steps=1, remainder=remainder)
    if method == "numerical":
        return _unmeasurable(optimizer)
    found = _rule(problem, optimizer, setting)
    return found if isinstance(found, str) else None


def solve(problem: AnyProblem, found: Rule, initial: np.ndarray | None = None) -> Limit | None:
    """The limit of a rule, for runs from the iterate `initial`, default 0; None where they stand still."""
    start = np.zeros(problem.shape) if initial is None else initial
    if found.begun is not None:
        return solve(problem, found.begun(problem, start), initial)
    if found.norm is not None:
        best = max_margin(problem, found.norm)
        size = np.linalg.norm(best.direction)
        text = found.text
        if not (isinstance(problem, Multiclass) or best.unique):  # of matrices it takes programmes to tell
            text = f"{text}; of several maximisers the one nearest to 0"
        return Limit(best.direction / size, best.dual, best.gap / size, text)
    if found.kappa is not None:
        return kappa_direction(problem, found.kappa)
    rows = _rows(problem)
    if found.constant is not None:
        u = found.constant / np.linalg.norm(found.constant)
        weights = np.zeros(len(rows))
        weights[(rows @ u).argmin()] = 1.0
        return _shaped(problem, Limit(u, weights, 0.0, found.text))
    turn = getattr(found.tail_map, "turn", None)
    points = rest_points(rows if turn is None else rows @ turn, found.tail_map, _starts(problem, rows, start))
    if turn is not None:
        points = [replace(point, direction=turn @ point.direction) for point in points]
    if not points[0].direction.any():
        return _standing(problem, found.text)
    size = length(rows).max()
    if points[0].gap > 1e-6 * size:
        warnings.warn(
            f"no rest point found for {problem.name}: {found.text}; the best pair has a gap of {points[0].gap:.1e} "
            f"in rows of length up to {size:.3g}",
            RuntimeWarning,
            stacklevel=3,
        )
    limits = [Limit(point.direction, point.weights, point.gap, found.text, caution=found.caution) for point in points]
    if len(limits) > 1:
        cosine = min(float(limits[0].direction @ other.direction) for other in limits[1:])
        warnings.warn(
            f"{len(limits)} rest points found for {problem.name}: {found.text}; the others have cosines down to "
            f"{cosine:.6f} to the first",
            RuntimeWarning,
            stacklevel=3,
        )
    limits = [_shaped(problem, limit) for limit in limits]
    return replace(limits[0], others=tuple(limits[1:]))


def _shaped(problem: AnyProblem, limit: Limit) -> Limit:
    """A limit whose direction and weights, (d,) and (N,), are those of the pairs, in the shape of the problem's."""
    if not isinstance(problem, Multiclass):
        return limit
    weights = np.zeros((problem.n, problem.k))
    np.put_along_axis(weights, problem.others, limit.weights.reshape(problem.n, -1), axis=1)
    return replace(limit, direction=limit.direction.reshape(problem.shape), weights=weights)


def _standing(problem: AnyProblem, text: str) -> None:
    """No limit, with a warning that says why."""
    warnings.warn(f"{problem.name}: {STANDS_STILL} ({text})", RuntimeWarning, stacklevel=4)


def _start(initial, shape: tuple[int, ...]) -> np.ndarray:
    try:
        start = np.zeros(shape) if initial is None else np.asarray(initial, dtype=np.float64)
    except (TypeError, ValueError):
        start = np.empty(0)
    if start.shape != shape or not np.isfinite(start).all():
        size = f"{shape[0]} finite numbers, one for each feature" if len(shape) == 1 else f"finite numbers {shape}"
        raise InputError(f"initial must be {size}, but is {initial!r}")
    return start


def _starts(problem: AnyProblem, rows: np.ndarray, initial: np.ndarray) -> list[np.ndarray]:
    """Log-weights (N,) of the iterates from which paths are followed: that of the run; far out along the separators of
    the two extreme geometries; two random ones, at which the samples weigh very differently.

    Large data get one beside the run's own, as a path then takes seconds.
    """
    found = [-(rows @ initial.reshape(-1))]
    for norm in ("frobenius", "max") if isinstance(problem, Multiclass) else ("l2", "linf"):
        best = max_margin(problem, norm)
        found.append(rows @ (best.direction.reshape(-1) * (-3.0 / best.margin)))
        if rows.size > LARGE:
            return found
    rng = np.random.default_rng(0)
    for spread in (3.0, 10.0):
        z = (rows / np.abs(rows).max()) @ rng.normal(size=rows.shape[1])
        found.append(z * (spread / max(np.ptp(z), 1e-300)))
    return found


def _is_flow(optimizer: Optimizer) -> bool:
    return not hasattr(optimizer, "advance")


def _unmeasurable(optimizer: Optimizer) -> str | None:
    """The sentence that says why an optimizer has no tail map that could be measured."""
    if _is_flow(optimizer):
        return NO_KERNEL
    return runs_away(optimizer) if optimizer.has_tail_map else NO_MAP


def _numerical(problem, optimizer, setting, found, initial) -> Limit | None:
    if _unmeasurable(optimizer) is not None:
        return None
    rows, model = _rows(problem), None if isinstance(found, str) else found.tail_map
    if model is None or getattr(model, "turn", None) is not None:
        model = nearest(problem, setting)
    point = measured_rest_point(
        problem, rows, optimizer, setting, NUMERICAL_STEPS, model, -(rows @ initial.reshape(-1))
    )
    text = f"rest point of the measured tail map of {optimizer.label} over {NUMERICAL_STEPS} steps"
    if not point.direction.any():
        return _standing(problem, text)
    if point.error > UNSURE:
        warnings.warn(
            f"{problem.name}: the path of the {text} is not at rest: the direction is known to {point.error:.1g} only",
            RuntimeWarning,
            stacklevel=3,
        )
    limit = Limit(point.direction, point.weights, point.gap, text, gap_error=point.gap_error, error=point.error)
    return _shaped(problem, limit)


def nearest(problem: AnyProblem, setting: Setting) -> TailMap:
    """The closed map that is taken for one that is measured where its slope is needed: that of Adam."""
    if isinstance(problem, Multiclass):
        return SampledMatrix(problem.shape, None, problem.n, setting.batch - 1.0, float(problem.n))
    return replacement(problem.n, setting.batch)

"""`simulate`: validates, allocates, and calls the compiled driver from one snapshot to the next."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal, TypeAlias, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from implicitbias.errors import InputError, told
from implicitbias.models import Deep, Model
from implicitbias.optimizers import Optimizer
from implicitbias.optimizers.base import wrong_optimizer
from implicitbias.problems import AnyProblem, Objective, as_problem
from implicitbias.simulation.block import Block
from implicitbias.simulation.end import End
from implicitbias.simulation.resumption import DEFAULTS, begin, joined, runs_to_go_on_from, settings_of
from implicitbias.simulation.run import Run
from implicitbias.simulation.schedules import Power, Schedule, as_schedule
from implicitbias.simulation.setting import Setting
from implicitbias.simulation.shared import driver_of

StepSizes: TypeAlias = "float | Schedule | Sequence[float | Schedule] | NDArray[np.floating]"


# fmt: off
@overload
def simulate(
    problem: AnyProblem | ArrayLike, optimizer: Optimizer,
    *, lr: StepSizes | None = ..., batch: int | Literal["n"] | None = ..., order: str | None = ..., steps: int |
    None = ..., epochs: float | None = ..., time: float | None = ..., until_log_loss: float | None = ..., seed:
    int | None = ..., loss: str | None = ..., remainder: str | None = ..., initial: ArrayLike | None = ..., start:
    Run | Iterable[Run] | None = ..., per_octave: int | None = ..., timeout: float | None = ...,
    measures: Iterable[str] | None = ..., norms: Iterable[str] | None = ..., top: int | None = ..., model: Model | None
    = ...,
) -> Run: ...
@overload
def simulate(
    problem: AnyProblem | ArrayLike, optimizer: Iterable[Optimizer],
    *, lr: StepSizes | None = ..., batch: int | Literal["n"] | None = ..., order: str | None = ..., steps: int |
    None = ..., epochs: float | None = ..., time: float | None = ..., until_log_loss: float | None = ..., seed:
    int | None = ..., loss: str | None = ..., remainder: str | None = ..., initial: ArrayLike | None = ..., start:
    Run | Iterable[Run] | None = ..., per_octave: int | None = ..., timeout: float | None = ...,
    measures: Iterable[str] | None = ..., norms: Iterable[str] | None = ..., top: int | None = ..., model: Model | None
    = ...,
) -> list[Run]: ...
# fmt: on


@told
def simulate(
    problem: AnyProblem | ArrayLike,
    optimizer: Optimizer | Iterable[Optimizer],
    *,
    lr: StepSizes | None = None,
    batch: int | Literal["n"] | None = None,
    order: str | None = None,
    steps: int | None = None,
    epochs: float | None = None,
    time: float | None = None,
    until_log_loss: float | None = None,
    seed: int | None = None,
    loss: str | None = None,
    remainder: str | None = None,
    initial: ArrayLike | None = None,
    start: Run | Iterable[Run] | None = None,
    per_octave: int | None = None,
    timeout: float | None = None,
    measures: Iterable[str] | None = None,
    norms: Iterable[str] | None = None,
    top: int | None = None,
    model: Model | None = None,
) -> Run | list[Run]:
    """Run optimizers on a separable problem, exactly and far past float underflow.

    All runs of one call share the data and the batch order; they advance together.

    Arguments
        problem         a Problem or a Multiclass, or the rows (n, d) of a Problem; or an `implicitbias.objectives`
        optimizer       one optimizer, or a list of R of them; or one flow, or a list of flows (`implicitbias.flows`)
        lr              step size: a number (constant; default 0.1), a schedule such as Power or Cosine, or a list of R
                        of these; it must be finite and > 0 at every step of the horizon
        batch           batch size 1..n, default 1, or "n" for all rows; ignored by order "full", which takes all n rows
        order           "full", "cyclic", "shuffle_once", "reshuffle" (default) or "replacement"
        steps, epochs   the horizon: give one of them
        time            the horizon of flows, which take neither lr, batch, order, steps, epochs, seed nor remainder
        until_log_loss  stop at the first snapshot whose log-loss is at or below this; the horizon stays the limit
        seed            seed of the batch order, >= 0; default 0
        loss            "logistic" (default) or "exponential"
        remainder       what happens to the last n mod batch rows of an epoch: "drop" leaves them out (default of
                        reshuffle: every batch has the same size, as its limit theory assumes), "keep" makes a smaller
                        last batch (default elsewhere)
        initial         starting point (d,), or (R, d), of a Multiclass (k, d) or (R, k, d); default zero, of an
                        objective its `start`
        start           a Run to go on from, or R of them: runs of steps on these rows that ended ok; see below
        per_octave      snapshots per doubling of the step count, default 8; of the time of a flow, default 1
        timeout         seconds a run may take, as Run.seconds counts them, to the next call of the driver (0.1 s); it
                        then ends with the snapshots it has and the status "timeout". Default: no limit
        measures, norms what `Run.curve` has columns of: names of groups (`implicitbias.measure`) and of norms; default
                        all groups but those that are there by name alone, and l1, l2, linf
        top             how many eigenvalues of the Hessian the groups curvature and subspace are about; default 2, of a
                        Multiclass k

        model           a model of depth of a Problem, such as Diagonal(depth=2): optimizers move its weights, which are
                        those of the Run, and what is measured is the predictor that they make

    With `start`, the run makes `steps` or `epochs` further updates; bit for bit it is the run of all of them at once.
    lr, batch, order, remainder, seed, loss, per_octave and measures are those of the start unless given. Others begin a
    new phase: step sizes and batches are those that step run.steps[-1] + 1, + 2, ... would have had if all steps had
    been of this phase, and the column `epoch` counts all steps in its passes. An optimizer of the same class, whatever
    its hyper-parameters, takes over the iterate, the state and the clock of bias corrections and averages, and so do
    the `Subspace`s of an optimizer from it and from each other; one of another class starts from the iterate that was
    recorded, run.weights[-1], with an empty state and its own clock at 0. The Run has the whole path: the snapshots of
    the start, then new ones, log-spaced in all steps. So w(t) - w(t/2) is there at the end of twice the steps or more,
    and else where t/2 happens to be a snapshot.

    Returns a Run, or a list of R Runs where a list was given.
    Errors: ``InputError`` listing every argument that is wrong; for flows also ``NotSeparable``, and RuntimeError where
    the integrator makes no headway.

    >>> import implicitbias as ib
    >>> run = ib.simulate([[2.0, 1.0], [1.0, -1.0]], ib.Adam(), lr=0.01, steps=1000)
    >>> run.status, int(run.steps[-1]), run.weights[-1].round(2)
    ('ok', 1000, array([ 3.91, -1.46]))
    >>> longer = ib.simulate(run.problem, ib.Adam(), steps=1000, start=run)
    >>> whole = ib.simulate(run.problem, ib.Adam(), lr=0.01, steps=2000)
    >>> int(longer.steps[-1]), bool((longer.weights[-1] == whole.weights[-1]).all())
    (2000, True)
    >>> ends = ib.simulate(run.problem, [ib.SGD(), ib.Signum()], lr=0.1, steps=1000, start=run)
    >>> [end.status for end in ends]
    ['ok', 'ok']
    """
    problem = as_problem(problem)
    if model is not None:
        problem = _under_model(problem, model)
    if isinstance(problem, Deep):
        started = [run.setting.loss for run in (start if isinstance(start, (list, tuple)) else [start]) if start]
        problem = problem.under(loss or next(iter(started), DEFAULTS["loss"]))
    single = isinstance(optimizer, Optimizer)
    several = isinstance(optimizer, Iterable) and not (isinstance(optimizer, str) or hasattr(optimizer, "__array__"))
    optimizers = list(optimizer) if several else [optimizer]
    mistakes = [wrong_optimizer(item) for item in optimizers if not isinstance(item, Optimizer)]
    if not optimizers:
        mistakes.append("optimizer must not be an empty list")
    if timeout is not None and not (
        isinstance(timeout, numbers.Real) and not isinstance(timeout, bool) and timeout > 0
    ):
        mistakes.append(f"timeout must be a number of seconds > 0, but is {timeout!r}")
    origins = _initial(initial, len(optimizers), problem, mistakes)
    starts = runs_to_go_on_from(start, len(optimizers), problem, mistakes)
    if start is not None and initial is not None:
        mistakes.append("give either initial or start: a run that goes on begins where its start ends")
    asked = _measures(measures, norms, top, problem, mistakes)
    if any(hasattr(item, "velocity") for item in optimizers):
        discrete = {
            "start": start,
            "lr": lr, "batch": batch, "order": order, "steps": steps, "epochs": epochs, "seed": seed,
            "remainder": remainder,
        }  # fmt: skip
        shared = {"time": time, "until_log_loss": until_log_loss, "per_octave": per_octave}
        shared["loss"] = DEFAULTS["loss"] if loss is None else loss
        shared["timeout"] = math.inf if timeout is None else timeout
        from implicitbias.flows.integrate import run_flows  # what it needs of scipy takes half a second to import

        flows = run_flows(problem, optimizers, origins, mistakes, discrete, **shared)
        return _measured(flows, single, asked)
    if time is not None:
        mistakes.append("time is the horizon of a flow such as GradientFlow(); an optimizer takes steps or epochs")
    usual = [0.1 if run is None else run.lr for run in starts]
    schedules = _per_run(usual if lr is None else lr, len(optimizers), mistakes)
    given = {
        "batch": batch, "order": order, "steps": steps, "epochs": epochs, "until_log_loss": until_log_loss,
        "seed": seed, "loss": loss, "remainder": remainder, "per_octave": per_octave,
    }  # fmt: skip
    settings = settings_of(problem.n, starts, given, mistakes)
    wrong = [law.mistake(setting.steps) for law, setting in zip(schedules, settings) if setting is not None]
    mistakes += filter(None, dict.fromkeys(wrong))
    movers = _under(optimizers, schedules, mistakes)
    wrong = [item.unfit(problem.shape) or item.too_few(problem.shape, problem.n) for item in movers]
    if isinstance(problem, Objective):
        wrong += [item.unfit_for_objectives() for item in movers]
    mistakes += filter(None, dict.fromkeys(wrong))
    if mistakes:
        raise InputError(mistakes)
    limit = math.inf if timeout is None else timeout

    begins = list(map(begin, starts, optimizers, schedules, origins))
    every = [asked] if asked else [run.measures for run in starts if run is not None and run.measures]
    needs = frozenset().union(*(item.needs for item in every))
    runs = _in_blocks(problem, movers, schedules, begins, settings, limit, needs)
    runs = [replace(run, optimizer=optimizer) for run, optimizer in zip(runs, optimizers)]
    return _measured(list(map(joined, starts, runs)), single, asked)


def _under_model(problem: AnyProblem, model) -> Deep:
    if not isinstance(model, Model):
        raise InputError(f"model must be one such as Diagonal(depth=2), not {model!r}")
    return Deep(problem, model)


def _measures(measures, norms, top, problem: AnyProblem, mistakes: list[str]):
    """What is to be measured; None stands for the usual."""
    if measures is None and norms is None and top is None:
        return None
    from implicitbias.measure import Measures  # which stands above all simulation

    try:
        return Measures.fitting(problem, measures, norms, top)
    except InputError as error:
        mistakes.extend(error.mistakes)
        return None


def _measured(runs: list[Run], single: bool, asked):
    runs = runs if asked is None else [replace(run, measures=asked) for run in runs]
    return runs[0] if single else runs


WINDOW = 4096  # iterates that a run keeps of its end, from the second half at most, for what is asked of its orbit


def snapshot_steps(horizon: int, per_octave: int) -> np.ndarray:
    """Steps horizon 2^(-k/per_octave), rounded: log-spaced, and with every t (up to rounding) also t/2."""
    count = math.floor(per_octave * math.log2(horizon)) + 1
    return np.unique(np.rint(horizon * 2.0 ** (-np.arange(count) / per_octave)).astype(np.int64))


def _in_blocks(
    problem: AnyProblem, optimizers: list, schedules: list, begins: list[End], settings: list[Setting], timeout: float,
    needs: frozenset[str],
) -> list[Run]:  # fmt: skip
    """The runs from where they begin: those that can advance together do."""
    # The compiled driver takes one kind of optimizer at a time, with a memory or without, that tells one of its
    # iterates, and one clock.
    blocks = {}
    for position, (item, at, setting) in enumerate(zip(optimizers, begins, settings)):
        kind = (type(item), driver_of(item, problem), any(item.decays()), item.recorded)
        clock = (setting, at.steps, at.born, at.state is None, at.in_margins)
        blocks.setdefault((kind, clock), []).append(position)
    runs: list[Run | None] = [None] * len(optimizers)
    for positions in blocks.values():
        mine = ([x[i] for i in positions] for x in (optimizers, schedules, begins))
        for i, run in zip(positions, _run(problem, *mine, settings[positions[0]], timeout, needs)):
            runs[i] = run
    return runs


def _run(
    problem: AnyProblem, optimizers: list, schedules: list, begins: list[End], setting: Setting, timeout: float,
    needs: frozenset[str],
) -> list[Run]:  # fmt: skip
    """Advance a block to every snapshot, or until no run is left, or as long as each may take."""
    block = Block(problem, optimizers, schedules, begins, setting)
    until = setting.until_log_loss
    on_rows = not isinstance(problem, Objective)

    def loss_at(weights):
        return problem.log_loss(weights, setting.loss)

    shown = snapshot_steps(setting.steps, setting.per_octave)
    window = min(setting.steps // 2, WINDOW) if "window" in needs else 0
    steps = np.union1d(shown, np.arange(setting.steps - window + 1, setting.steps + 1)) if window else shown
    steps = steps[steps > block.made]
    shown = np.isin(steps, shown)
    runs = len(optimizers)
    weights = np.empty((runs, len(steps), *problem.shape))
    moves, sums, lrs = np.empty((3, runs, len(steps)))
    updates = np.empty(weights.shape) if "updates" in needs else None
    divisors = np.full(weights.shape, np.nan) if "divisors" in needs else None
    dividing = [r for r, item in enumerate(optimizers) if divisors is not None and item.root is not None]
    kept = np.full(runs, len(steps))
    finite = np.ones(runs, bool)
    running = np.ones(runs, bool)
    states: list[np.ndarray] = [np.empty((0, 0))] * runs
    reached: list[End | None] = [None] * runs
    here = slice(0)
    # a state is there after the last step of a call alone
    each = until is not None or bool(dividing)
    for first, *found in block.advance(steps, each=each, limit=timeout * runs):
        here = slice(first, first + found[0].shape[1])
        weights[:, here], moves[:, here], sums[:, here], lrs[:, here], update = found
        if updates is not None:
            updates[:, here] = update
        for r in dividing:
            divisors[r, first] = block.log2_divisor(r)
        with np.errstate(over="ignore", invalid="ignore"):
            good = np.array([problem.finite(w) for w in weights[:, here]])
        lost = running & ~good.all(axis=1)
        finite[lost] = False
        kept[lost] = first + good[lost].argmin(axis=1)
        ended = lost
        if until is not None:
            there = running & ~lost
            there[there] = loss_at(weights[there, first]) <= until
            kept[there] = first + 1
            ended = lost | there
        for r in np.flatnonzero(running if here.stop == len(steps) else ended):
            states[r], reached[r] = block.state(r), block.end(r)
        if ended.any():
            running &= ~ended
            block.stop(running)
            if not running.any():
                break
    late = running & (here.stop < len(steps))
    kept[late] = here.stop
    with np.errstate(over="ignore", invalid="ignore"):  # of the runs that are not finite
        ends = loss_at(weights[np.arange(runs), kept - 1])
    # that of an objective may be above its start for good, on an orbit that is as stable as a minimum
    diverged = ends > loss_at(problem.start) if on_rows else np.zeros(runs, bool)
    result = []
    for r, item in enumerate(optimizers):
        keep = np.flatnonzero(shown[: kept[r]])
        path = weights[r, keep]
        last = weights[r, -window:] if window and kept[r] == len(steps) and window <= len(steps) else None
        status = "non_finite" if not finite[r] else "timeout" if late[r] else "diverged" if diverged[r] else "ok"
        columns = (x[r, keep] for x in (sums, lrs, moves))
        result.append(
            Run(
                problem, item, schedules[r], setting, begins[r].iterate, steps[keep].copy(), path, *columns, status,
                block.seconds / runs, states[r], *(None if x is None else x[r, keep] for x in (updates, divisors)),
                last, _end=reached[r],
            )
        )  # fmt: skip
    return result


def _per_run(lr, runs: int, mistakes: list[str]) -> list[Schedule]:
    values = list(lr) if isinstance(lr, (list, tuple, np.ndarray)) else [lr] * runs
    if len(values) != runs:
        mistakes.append(f"lr must be one step size, or one for each of the {runs} optimizers, not {len(values)}")
    schedules = []
    for value in values:
        try:
            schedules.append(as_schedule(value))
        except InputError as error:
            schedules.append(Power(1.0))  # in its place, so that the checks can go on
            mistakes.extend(m for m in error.mistakes if m not in mistakes)
    return schedules


def _under(optimizers: list, schedules: list[Schedule], mistakes: list[str]) -> list[Optimizer]:
    """The optimizers that make the steps."""
    movers = []
    for item, law in zip(optimizers, schedules):
        if isinstance(item, Optimizer):  # else it is refused already
            try:
                movers.append(item.under(law))
            except InputError as error:
                mistakes.extend(m for m in error.mistakes if m not in mistakes)
    return movers


def _initial(initial, runs: int, problem: AnyProblem, mistakes: list[str]) -> np.ndarray:
    shape = problem.shape
    if initial is None:
        return np.array(np.broadcast_to(problem.start, (runs, *shape)))
    try:
        start = np.asarray(initial, dtype=np.float64)
    except (TypeError, ValueError):
        start = np.empty(0)
    if start.shape not in (shape, (runs, *shape)):
        mistakes.append(f"initial must be numbers of shape {shape} or {(runs, *shape)}")
    elif not np.isfinite(start).all():
        mistakes.append("initial must be finite")
    else:
        return np.array(np.broadcast_to(start, (runs, *shape)))
    return np.zeros((runs, *shape))

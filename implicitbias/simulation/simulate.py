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
from implicitbias.losses import log_loss
from implicitbias.optimizers import Optimizer
from implicitbias.optimizers.base import wrong_optimizer
from implicitbias.problem import Problem
from implicitbias.simulation.block import Block
from implicitbias.simulation.run import Run
from implicitbias.simulation.schedules import Power, Schedule, as_schedule
from implicitbias.simulation.setting import Setting, resolve

StepSizes: TypeAlias = "float | Schedule | Sequence[float | Schedule] | NDArray[np.floating]"


# fmt: off
@overload
def simulate(
    problem: Problem | ArrayLike, optimizer: Optimizer,
    *, lr: StepSizes | None = ..., batch: int | Literal["n"] | None = ..., order: str | None = ..., steps: int |
    None = ..., epochs: float | None = ..., time: float | None = ..., until_log_loss: float | None = ..., seed:
    int | None = ..., loss: str = ..., remainder: str | None = ..., initial: ArrayLike | None = ..., per_octave:
    int | None = ..., timeout: float | None = ...,
    measures: Iterable[str] | None = ..., norms: Iterable[str] | None = ...,
) -> Run: ...
@overload
def simulate(
    problem: Problem | ArrayLike, optimizer: Iterable[Optimizer],
    *, lr: StepSizes | None = ..., batch: int | Literal["n"] | None = ..., order: str | None = ..., steps: int |
    None = ..., epochs: float | None = ..., time: float | None = ..., until_log_loss: float | None = ..., seed:
    int | None = ..., loss: str = ..., remainder: str | None = ..., initial: ArrayLike | None = ..., per_octave:
    int | None = ..., timeout: float | None = ...,
    measures: Iterable[str] | None = ..., norms: Iterable[str] | None = ...,
) -> list[Run]: ...
# fmt: on


@told
def simulate(
    problem: Problem | ArrayLike,
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
    loss: str = "logistic",
    remainder: str | None = None,
    initial: ArrayLike | None = None,
    per_octave: int | None = None,
    timeout: float | None = None,
    measures: Iterable[str] | None = None,
    norms: Iterable[str] | None = None,
) -> Run | list[Run]:
    """Run optimizers on a separable problem, exactly and far past float underflow.

    All runs of one call share the data and the batch order; they advance together.

    Arguments
        problem         a Problem, or its rows (n, d)
        optimizer       one optimizer, or a list of R of them; or one flow, or a list of flows (`implicitbias.flows`)
        lr              step size: a number (constant; default 0.1), a schedule such as Power or Cosine, or a list of R
                        of these; it must be finite and > 0 at every step of the horizon
        batch           batch size 1..n, default 1, or "n" for all rows; ignored by order "full", which takes all n rows
        order           "full", "cyclic", "shuffle_once", "reshuffle" (default) or "replacement"
        steps, epochs   the horizon: give one of them
        time            the horizon of flows, which take neither lr, batch, order, steps, epochs, seed nor remainder
        until_log_loss  stop at the first snapshot whose log-loss is at or below this; the horizon stays the limit
        seed            seed of the batch order, >= 0; default 0
        loss            "logistic" or "exponential"
        remainder       what happens to the last n mod batch rows of an epoch: "drop" leaves them out (default of
                        reshuffle: every batch has the same size, as its limit theory assumes), "keep" makes a smaller
                        last batch (default elsewhere)
        initial         starting point (d,), or (R, d); default zero
        per_octave      snapshots per doubling of the step count, default 8; of the time of a flow, default 1
        timeout         seconds a run may take, as Run.seconds counts them, to the next call of the driver (0.1 s); it
                        then ends with the snapshots it has and the status "timeout". Default: no limit
        measures, norms what `Run.curve` has columns of: names of groups (`implicitbias.measure`) and of norms; default
                        all groups, and l1, l2, linf

    Returns a Run, or a list of R Runs where a list was given.
    Errors: ``InputError`` listing every argument that is wrong; for flows also ``NotSeparable``, and RuntimeError where
    the integrator makes no headway.

    >>> import implicitbias as ib
    >>> run = ib.simulate([[2.0, 1.0], [1.0, -1.0]], ib.Adam(), lr=0.01, steps=1000)
    >>> run.status, int(run.steps[-1]), run.weights[-1].round(2)
    ('ok', 1000, array([ 3.91, -1.46]))
    """
    problem = problem if isinstance(problem, Problem) else Problem(problem)
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
    start = _initial(initial, len(optimizers), problem.d, mistakes)
    asked = _measures(measures, norms, mistakes)
    if any(hasattr(item, "velocity") for item in optimizers):
        discrete = {
            "lr": lr, "batch": batch, "order": order, "steps": steps, "epochs": epochs, "seed": seed,
            "remainder": remainder,
        }  # fmt: skip
        shared = {"time": time, "until_log_loss": until_log_loss, "loss": loss, "per_octave": per_octave}
        shared["timeout"] = math.inf if timeout is None else timeout
        from implicitbias.flows.integrate import run_flows  # what it needs of scipy takes half a second to import

        flows = run_flows(problem, optimizers, start, mistakes, discrete, **shared)
        return _measured(flows, single, asked)
    if time is not None:
        mistakes.append("time is the horizon of a flow such as GradientFlow(); an optimizer takes steps or epochs")
    schedules = _per_run(0.1 if lr is None else lr, len(optimizers), mistakes)
    try:
        setting = resolve(
            problem.n, batch=1 if batch is None else batch, order="reshuffle" if order is None else order, steps=steps,
            epochs=epochs, until_log_loss=until_log_loss, seed=0 if seed is None else seed, loss=loss,
            remainder=remainder, per_octave=8 if per_octave is None else per_octave,
        )  # fmt: skip
    except InputError as error:
        mistakes.extend(error.mistakes)
    else:
        mistakes += filter(None, dict.fromkeys(law.mistake(setting.steps) for law in schedules))
    movers = _under(optimizers, schedules, mistakes)
    if mistakes:
        raise InputError(mistakes)
    limit = math.inf if timeout is None else timeout

    # The compiled driver takes one kind of optimizer at a time, with a memory or without.
    blocks = {}
    for position, item in enumerate(movers):
        blocks.setdefault((type(item), item.advance, any(item.decays())), []).append(position)
    runs: list[Run | None] = [None] * len(optimizers)
    for positions in blocks.values():
        chosen, laws = [movers[i] for i in positions], [schedules[i] for i in positions]
        for i, run in zip(positions, _run(problem, chosen, laws, start[positions], setting, limit)):
            runs[i] = run if movers[i] is optimizers[i] else replace(run, optimizer=optimizers[i])
    return _measured(runs, single, asked)


def _measures(measures, norms, mistakes: list[str]):
    """What is to be measured; None stands for the usual."""
    if measures is None and norms is None:
        return None
    from implicitbias.measure import Measures  # which stands above all simulation

    try:
        return Measures.of(measures, norms)
    except InputError as error:
        mistakes.extend(error.mistakes)
        return None


def _measured(runs: list[Run], single: bool, asked):
    runs = runs if asked is None else [replace(run, measures=asked) for run in runs]
    return runs[0] if single else runs


def snapshot_steps(horizon: int, per_octave: int) -> np.ndarray:
    """Steps horizon 2^(-k/per_octave), rounded: log-spaced, and with every t (up to rounding) also t/2."""
    count = math.floor(per_octave * math.log2(horizon)) + 1
    return np.unique(np.rint(horizon * 2.0 ** (-np.arange(count) / per_octave)).astype(np.int64))


def _run(
    problem: Problem, optimizers: list, schedules: list, start: np.ndarray, setting: Setting, timeout: float
) -> list[Run]:
    """Advance a block to every snapshot, or until no run is left, or as long as each may take."""
    block = Block(problem, optimizers, schedules, start, setting)
    loss, until, rows = setting.loss, setting.until_log_loss, problem.rows
    steps = snapshot_steps(setting.steps, setting.per_octave)
    runs = len(optimizers)
    weights = np.empty((runs, len(steps), problem.d))
    moves, sums, lrs = np.empty((3, runs, len(steps)))
    kept = np.full(runs, len(steps))
    finite = np.ones(runs, bool)
    running = np.ones(runs, bool)
    states: list[np.ndarray] = [np.empty((0, 0))] * runs
    here = slice(0)
    for first, *found in block.advance(0, steps, each=until is not None, limit=timeout * runs):
        here = slice(first, first + found[0].shape[1])
        weights[:, here], moves[:, here], sums[:, here], lrs[:, here] = found
        with np.errstate(over="ignore", invalid="ignore"):
            good = np.array([np.isfinite(w @ rows.T).all(axis=1) for w in weights[:, here]])
        lost = running & ~good.all(axis=1)
        finite[lost] = False
        kept[lost] = first + good[lost].argmin(axis=1)
        ended = lost
        if until is not None:
            there = running & ~lost
            there[there] = log_loss(weights[there, first] @ rows.T, loss) <= until
            kept[there] = first + 1
            ended = lost | there
        for r in np.flatnonzero(running if here.stop == len(steps) else ended):
            states[r] = block.state(r)
        if ended.any():
            running &= ~ended
            block.stop(running)
            if not running.any():
                break
    late = running & (here.stop < len(steps))
    kept[late] = here.stop
    with np.errstate(over="ignore", invalid="ignore"):  # of the runs that are not finite
        ends = log_loss(weights[np.arange(runs), kept - 1] @ rows.T, loss)
    diverged = ends > log_loss(np.zeros(len(rows)), loss)
    result = []
    for r, item in enumerate(optimizers):
        keep = slice(kept[r])
        path = weights[r, keep]
        status = "non_finite" if not finite[r] else "timeout" if late[r] else "diverged" if diverged[r] else "ok"
        columns = (x[r, keep] for x in (sums, lrs, moves))
        result.append(
            Run(
                problem, item, schedules[r], setting, start[r], steps[keep].copy(), path, *columns, status,
                block.seconds / runs, states[r],
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


def _initial(initial, runs: int, d: int, mistakes: list[str]) -> np.ndarray:
    if initial is None:
        return np.zeros((runs, d))
    try:
        start = np.asarray(initial, dtype=np.float64)
    except (TypeError, ValueError):
        start = np.empty(0)
    if start.shape not in ((d,), (runs, d)):
        mistakes.append(f"initial must be numbers of shape ({d},) or ({runs}, {d})")
    elif not np.isfinite(start).all():
        mistakes.append("initial must be finite")
    else:
        return np.array(np.broadcast_to(start, (runs, d)))
    return np.zeros((runs, d))

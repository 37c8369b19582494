"""`simulate`: validates, allocates, and calls the compiled driver from one snapshot to the next."""

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from implicitbias.errors import InputError
from implicitbias.losses import log_loss
from implicitbias.optimizers import Optimizer
from implicitbias.problem import Problem
from implicitbias.simulation.driver import DECAY
from implicitbias.simulation.orders import ORDERS, steps_per_epoch
from implicitbias.simulation.schedules import Power, as_schedule
from implicitbias.simulation.setting import Setting, resolve
from implicitbias.simulation.tail import LOSSES

# Steps per call of the compiled driver: long enough to hide the call (10 us), short enough that Ctrl-C is answered.
SEGMENT = 8192


@dataclass(frozen=True, eq=False)
class Run:
    """One simulated trajectory.

    Attributes
        problem, optimizer, lr      what was run
        setting     batch, order, remainder, steps, until_log_loss, seed, loss, per_octave: effective values
        initial     (d,) the starting point
        steps       (S,) snapshot steps: the number of updates made; the last is the end of the run
        weights     (S, d) iterates w
        sum_lr      (S,) sum of the step sizes used
        last_lr     (S,) step size of the last update
        last_move   (S,) l2 norm of the last update, ||w(t) - w(t-1)||
        status      "ok", "diverged" (the loss ends above that of w = 0) or "non_finite" (w overflowed; the snapshots
                    end before)
        seconds     time in the compiled driver; runs of a block share it equally
        state       (K, d) the optimizer's state at the end, in the order of its update formula (Adam: m, v), in true
                    units: zero or inf where float64 does not reach
        curve       DataFrame of measures, one row a snapshot (computed on first use)
    """

    problem: Problem
    optimizer: Optimizer
    lr: Power
    setting: Setting
    initial: np.ndarray = field(repr=False)
    steps: np.ndarray
    weights: np.ndarray
    sum_lr: np.ndarray
    last_lr: np.ndarray
    last_move: np.ndarray
    status: str
    seconds: float
    state: np.ndarray = field(default_factory=lambda: np.empty((0, 0)), repr=False)

    @cached_property
    def curve(self):
        from implicitbias.measure import limit_of, measure

        return measure(self, limit_of(self))


def simulate(
    problem,
    optimizer,
    *,
    lr=0.1,
    batch: int = 1,
    order: str = "reshuffle",
    steps: int | None = None,
    epochs: float | None = None,
    until_log_loss: float | None = None,
    seed: int = 0,
    loss: str = "logistic",
    remainder: str | None = None,
    initial=None,
    per_octave: int = 8,
):
    """Run optimizers on a separable problem, exactly and far past float underflow.

    All runs of one call share the data and the batch order; they advance together.

    Arguments
        problem         a Problem, or its rows (n, d)
        optimizer       one optimizer, or a list of R of them
        lr              step size: a number (constant), a Power, or a list of R of these
        batch           batch size 1..n; ignored by order "full", which takes all n rows
        order           "full", "cyclic", "shuffle_once", "reshuffle" or "replacement"
        steps, epochs   the horizon: give one of them
        until_log_loss  stop at the first snapshot whose log-loss is at or below this; `steps` stays the limit
        seed            seed of the batch order, >= 0
        loss            "logistic" or "exponential"
        remainder       what happens to the last n mod batch rows of an epoch: "drop" leaves them out (default of
                        reshuffle: every batch has the same size, as its limit theory assumes), "keep" makes a smaller
                        last batch (default elsewhere)
        initial         starting point (d,), or (R, d); default zero
        per_octave      snapshots per doubling of the step count

    Returns a Run, or a list of R Runs where a list was given.
    Errors: ``InputError`` listing every argument that is wrong.

    >>> import implicitbias as ib
    >>> run = ib.simulate([[2.0, 1.0], [1.0, -1.0]], ib.Adam(), lr=0.01, steps=1000)
    >>> run.status, int(run.steps[-1]), run.weights[-1].round(2)
    ('ok', 1000, array([ 3.91, -1.46]))
    """
    problem = problem if isinstance(problem, Problem) else Problem(problem)
    single = isinstance(optimizer, Optimizer)
    optimizers = [optimizer] if single or not isinstance(optimizer, Iterable) else list(optimizer)
    mistakes = [f"optimizer must be one such as Adam(), not {x!r}" for x in optimizers if not isinstance(x, Optimizer)]
    if not optimizers:
        mistakes.append("optimizer must not be an empty list")
    schedules = _per_run(lr, len(optimizers), mistakes)
    start = _initial(initial, len(optimizers), problem.d, mistakes)
    try:
        setting = resolve(
            problem.n, batch=batch, order=order, steps=steps, epochs=epochs, until_log_loss=until_log_loss, seed=seed,
            loss=loss, remainder=remainder, per_octave=per_octave,
        )  # fmt: skip
    except InputError as error:
        mistakes.extend(error.mistakes)
    if mistakes:
        raise InputError(mistakes)

    # The compiled driver takes one kind of optimizer at a time, with a memory or without.
    blocks = {}
    for position, item in enumerate(optimizers):
        blocks.setdefault((type(item), item.advance, any(item.decays())), []).append(position)
    runs: list[Run | None] = [None] * len(optimizers)
    for positions in blocks.values():
        block = Block(
            problem, [optimizers[i] for i in positions], [schedules[i] for i in positions], start[positions], setting
        )
        for i, run in zip(positions, block.run()):
            runs[i] = run
    return runs[0] if single else runs


def snapshot_steps(horizon: int, per_octave: int) -> np.ndarray:
    """Steps horizon 2^(-k/per_octave), rounded: log-spaced, and with every t (up to rounding) also t/2."""
    count = math.floor(per_octave * math.log2(horizon)) + 1
    return np.unique(np.rint(horizon * 2.0 ** (-np.arange(count) / per_octave)).astype(np.int64))


class Block:
    """The arrays of R runs of one kind of optimizer, and the loop over snapshots."""

    def __init__(self, problem, optimizers, schedules, start, setting):
        self.problem, self.optimizers, self.schedules, self.setting = problem, optimizers, schedules, setting
        kind = type(optimizers[0])
        runs, d, states = len(optimizers), problem.d, len(kind.degrees)
        decays = np.array([item.decays() for item in optimizers])
        # The slowest clock at which no state decays by more than 2^DECAY between renormalisations.
        slowest = decays[decays > 0].min(initial=1.0)
        period = 16 if slowest == 1.0 else int(np.clip(-DECAY / math.log2(slowest), 1, 16))
        self.w = start.copy()
        self.alive = np.ones(runs, np.bool_)
        shapes = {(s.a, s.t0): s for s in schedules}
        self.shapes = list(shapes.values())
        self.which = np.array([list(shapes).index((s.a, s.t0)) for s in schedules])
        self.eta = np.array([s.eta for s in schedules])
        self.kernel = optimizers[0].advance
        self.frozen = np.empty((0, problem.n))  # margins that stand in for rows w, see `drive`
        self.data = (
            int(np.any(problem.rows, axis=0).sum()), bool((problem.rows == 0).any()),
            LOSSES[setting.loss], ORDERS[setting.order], np.uint64(setting.seed), setting.batch,
            steps_per_epoch(problem.n, setting.batch, setting.remainder),
        )  # fmt: skip
        self.state = (
            np.zeros((runs, states, d)), np.array(kind.degrees, np.int64),
            np.array([item.hyper() for item in optimizers], np.float64).reshape(runs, -1),
        )  # fmt: skip
        self.scales = (
            np.zeros((runs, d), np.int64), np.ones((runs, d)), np.zeros((runs, 3), np.int64), period,
            bool(decays.size and not decays.any()),
        )  # fmt: skip
        self.sums = np.zeros(len(self.shapes))

    def advance(self, first: int, count: int) -> None:
        """Make `count` updates, the first of them number `first` (from 0)."""
        t = np.arange(first, first + count)
        table = np.array([shape.shape(t) for shape in self.shapes])
        self.sums += table.sum(axis=1)
        self.kernel(
            self.problem.rows,
            self.frozen,
            *self.data,
            first,
            count,
            self.w,
            *self.state,
            self.eta,
            table,
            self.which,
            self.alive,
            *self.scales,
        )
        self.last_lr = self.eta * table[self.which, -1]

    def true_state(self, r: int) -> np.ndarray:
        """(K, d) the state of run r without its scales."""
        state, degrees = self.state[0][r], self.state[1]
        shifts = np.clip(degrees[:, None] * self.scales[0][r], -(2**30), 2**30).astype(np.int32)
        with np.errstate(over="ignore", under="ignore"):
            return np.ldexp(state, shifts)

    def run(self) -> list[Run]:
        """Advance to every snapshot, or until no run is left."""
        loss, until = self.setting.loss, self.setting.until_log_loss
        steps = snapshot_steps(self.setting.steps, self.setting.per_octave)
        runs = len(self.optimizers)
        rows = self.problem.rows
        before = self.w.copy()
        weights = np.empty((len(steps), runs, self.problem.d))
        sums, lrs, moves = np.empty((3, len(steps), runs))
        kept = np.full(runs, len(steps))
        finite = np.ones(runs, bool)
        initial = self.w.copy()
        seconds = 0.0
        done = 0
        for k, target in enumerate(steps):
            clock = time.perf_counter()
            while done < target:
                # The last update before a snapshot goes alone, so that its length can be measured.
                count = min(SEGMENT, target - 1 - done) or 1
                if done + 1 == target:
                    before[:] = self.w
                self.advance(done, count)
                done += count
            seconds += time.perf_counter() - clock
            weights[k], sums[k], lrs[k] = self.w, self.eta * self.sums[self.which], self.last_lr
            with np.errstate(over="ignore", invalid="ignore"):
                moves[k] = np.linalg.norm(self.w - before, axis=1)
                lost = self.alive & ~np.isfinite(self.w @ rows.T).all(axis=1)
            finite[lost] = False
            kept[lost] = k
            self.alive[lost] = False
            if until is not None:
                there = self.alive.copy()
                there[self.alive] = log_loss(self.w[self.alive] @ rows.T, loss) <= until
                kept[there] = k + 1
                self.alive[there] = False
            if not self.alive.any():
                break
        result = []
        for r, item in enumerate(self.optimizers):
            keep = slice(kept[r])
            path = weights[keep, r].copy()
            status = "ok"
            if not finite[r]:
                status = "non_finite"
            elif log_loss(path[-1] @ rows.T, loss) > log_loss(np.zeros(len(rows)), loss):
                status = "diverged"
            result.append(
                Run(
                    self.problem,
                    item,
                    self.schedules[r],
                    self.setting,
                    initial[r],
                    steps[keep].copy(),
                    path,
                    sums[keep, r].copy(),
                    lrs[keep, r].copy(),
                    moves[keep, r].copy(),
                    status,
                    seconds / runs,
                    self.true_state(r),
                )
            )
        return result


def _per_run(lr, runs: int, mistakes: list[str]) -> list[Power]:
    values = list(lr) if isinstance(lr, (list, tuple, np.ndarray)) else [lr] * runs
    if len(values) != runs:
        mistakes.append(f"lr must be one step size, or one for each of the {runs} optimizers, not {len(values)}")
    schedules = []
    for value in values:
        try:
            schedules.append(as_schedule(value))
        except InputError as error:
            mistakes.extend(m for m in error.mistakes if m not in mistakes)
    return schedules


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

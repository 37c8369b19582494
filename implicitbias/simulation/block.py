"""The arrays of the runs of a block, and the calls of the compiled driver."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import numpy as np

from implicitbias.lanes import LANES, aligned
from implicitbias.lengths import length
from implicitbias.optimizers.base import bias_corrections
from implicitbias.problems import Multiclass, Objective
from implicitbias.simulation.end import End
from implicitbias.simulation.layout import EPOCH_LOOK, FROZEN, ITERATE, LOOKS, ROWS, Data, Runs, Work
from implicitbias.simulation.orders import FULL, ORDERS, effective, steps_per_epoch
from implicitbias.simulation.rows import bent_rows, padded_rows, rank_of, space_of
from implicitbias.simulation.scales import CLASSES, DECAY, PERIOD, TRUE, level
from implicitbias.simulation.shapes import Shape
from implicitbias.simulation.shared import driver_of
from implicitbias.simulation.tail import LOSSES

# A call of the compiled driver should hide its own cost and end soon enough (0.1 s) for Ctrl-C to be answered.
MULTIPLICATIONS = 3e8
MOST_STEPS = 2**17
# Batches are drawn for so many row visits ahead, and each group of runs takes them in one go: its iterate and state
# stay in the nearest cache.
AHEAD = 4096
# Snapshots taken by one call of the driver, and bytes they may take.
MOST_SLOTS, ROOM = 64, 4e6
# Bytes of iterates and states that fit the nearest cache, beside the rows.
NEAREST_CACHE = 24_000
# So many runs left over from groups of eight are cheaper as a group with empty lanes than one by one.
WORTH_A_GROUP = 5


class Block:
    """R runs of one kind of optimizer that share data and batch order.

    problem, optimizers (R), schedules (R), setting: see `simulate`; starts (R): where each run begins or goes on, all
    after as many steps and all in one space. With `frozen`, one run whose margins do not follow its iterate: they are
    set with `freeze`.
    """

    def __init__(self, problem, optimizers, schedules, starts: list[End], setting, frozen: bool = False):
        self.optimizers, self.schedules = optimizers, schedules
        order, batch = effective(problem.n, setting.batch, setting.order)
        kind = type(optimizers[0])
        self.space = None if frozen else space_of(problem, kind, starts)
        classes = problem.k if isinstance(problem, Multiclass) else 1
        numbers = None
        if isinstance(problem, Objective):  # whose samples are told by their numbers alone
            rows, numbers = np.ones((problem.n, problem.d)), problem.numbers[None].copy()
        else:
            rows = problem.X if classes > 1 else problem.rows if self.space is None else self.space.gram
        n = len(rows)
        self.shape = Shape(problem.shape if self.space is None else rows.shape[1:])
        # Updates proportional to the gradient need its true size, and no squares.
        shift, uneven = (0, False) if kind.mode == TRUE or self.space is not None else level(rows)
        padded = padded_rows(rows)
        scaled = padded_rows(np.ldexp(rows, -shift)) if shift else padded
        bent = bent_rows(padded, scaled, kind)
        d, touched = (
            self.shape.size,
            self.shape.flat(np.tile(np.any(rows, axis=0), (classes, 1)).reshape(self.shape.of)),
        )
        self.problem = problem
        labels = problem.labels.astype(float) if classes > 1 else np.zeros(n)
        frozen_at = np.zeros((1, n * classes)) if numbers is None else numbers
        self.data = Data(
            padded, padded.reshape(n, -1), scaled, scaled.reshape(n, -1), bent, bent.reshape(n, -1), float(shift),
            uneven, 1.0 if self.space is None else self.space.stretch, frozen_at,
            FROZEN if frozen else ROWS if self.space is None else ITERATE, d, int(touched.sum()), touched != 0.0,
            bool((rows == 0).any()), LOSSES[setting.loss], ORDERS[order], np.uint64(setting.seed), batch,
            steps_per_epoch(n, batch, setting.remainder), labels, classes, self.shape.width, rows.shape[1],
            rank_of(rows) if kind.mode == CLASSES else rows.shape[1], optimizers[0].step_mode,
        )  # fmt: skip
        self.kernel = driver_of(optimizers[0], problem)
        self.made, self.born = starts[0].steps, starts[0].born
        # Runs with one step-size law, its sum so far and one bias correction share a row of the tables.
        laws = [(s.law, x.bias(), e.shapes) for s, x, e in zip(schedules, optimizers, starts)]
        self.laws = list(dict.fromkeys(laws))
        self.which = np.array([self.laws.index(law) for law in laws])
        self.shapes = [schedules[laws.index(law)] for law in self.laws]
        self.eta = np.array([s.eta for s in schedules])
        self.sums = np.array([law[2] for law in self.laws])
        self.earlier = np.array([end.earlier for end in starts])
        self.seconds = 0.0  # in the compiled driver
        many = len(optimizers) // LANES * LANES
        if len(optimizers) - many >= WORTH_A_GROUP:
            many = len(optimizers)
        if kind.mode == CLASSES or kind.sees_hessian or numbers is not None:  # these are seen one run at a time
            many = 0
        everyone = np.arange(len(optimizers))
        self.lots = [
            _Lot(self, lot, wide) for lot, wide in ((everyone[:many], True), (everyone[many:], False)) if len(lot)
        ]
        self._begin(starts)
        cost = len(optimizers) * (2 * batch * d + 16 * d + 200)  # a product of d numbers with each row of the batch
        self.slots = min(lot.runs.kept.shape[0] for lot in self.lots)
        self.segment = int(np.clip(MULTIPLICATIONS / cost, 16, MOST_STEPS))

    def _begin(self, starts: list[End]) -> None:
        begun = starts[0].state is not None
        zero = self.space is not None and not begun  # in the space of margins
        iterates = np.zeros((len(starts), self.data.d)) if zero else np.array([end.iterate for end in starts])
        self.put(iterates if zero or begun else self.shape.flat(iterates))
        if begun:
            for lot in self.lots:
                lot.remember(starts)

    def put(self, start: np.ndarray) -> None:
        """Set all iterates to start (R, d), (R, n) in the space of margins; d as `Shape` has it."""
        for lot in self.lots:
            lot.put(start)

    def freeze(self, z: np.ndarray) -> None:
        """Set the margins (N,), those of the problem, that the run of a frozen block sees."""
        if self.data.classes == 1:
            self.data.frozen[0] = z
        else:
            each = self.data.frozen.reshape(self.data.classes, -1)
            each[self.problem.others.T, np.arange(self.problem.n)] = z.reshape(self.problem.n, -1).T

    def advance(
        self, stops: np.ndarray, each: bool = False, limit: float = math.inf
    ) -> Iterator[tuple[int, np.ndarray, ...]]:
        """Make the updates that are missing to the last of the `stops`, and yield what there is at these, a few at a
        time, or `each` on its own: the position of the first among the stops, iterates (R, k, d), lengths of the last
        update (R, k), sums of the step sizes (R, k), last step sizes (R, k), last updates (R, k, d). Ends early, but
        after a stop, once the driver has taken `limit` seconds."""
        position, first = 0, self.made
        while position < len(stops) and (not position or self.seconds <= limit):
            clock = time.perf_counter()
            room = 1 if each else self.slots
            found = stops[position : position + room]
            found = found[found <= first + self.segment]
            last = int(found[-1]) if len(found) else first + self.segment
            t = np.arange(first, last)
            table = np.array([shape.shape(t) for shape in self.shapes])
            slots = np.full(len(t), -1)
            slots[found - first - 1] = np.arange(len(found))
            bias = self._bias(t)
            for lot in self.lots:
                self.kernel(self.data, lot.runs, table, bias, slots, first)
            # one after the other, so that the sums do not depend on where a call ends
            sums = np.cumsum(np.concatenate([self.sums[:, None], table], axis=1), axis=1)[:, 1:]
            self.sums = sums[:, -1].copy()
            at = found - first - 1
            self.made = first = last
            if len(found):
                before, after = (
                    self._in_weights(np.concatenate([lot.kept(side, len(found)) for lot in self.lots]))
                    for side in (0, 1)
                )
                eta, which = self.eta[:, None], self.which
                with np.errstate(over="ignore", under="ignore", invalid="ignore"):
                    move = after - before
                    lengths = length(move)
                    after, move = self._in_shape(after), self._in_shape(move)
                    sum_lr, lr = self.earlier[:, None] + eta * sums[which][:, at], eta * table[which][:, at]
                self.seconds += time.perf_counter() - clock
                yield position, after, lengths, sum_lr, lr, move
                position += len(found)
            else:
                self.seconds += time.perf_counter() - clock

    def _bias(self, t: np.ndarray) -> np.ndarray:
        """(2, laws, steps) factors of the step sizes and of eps, (2, laws, 1) once they are all one."""
        found = np.ones((2, len(self.laws), 1))
        t = t - self.born
        for k, (_, betas, _) in enumerate(self.laws):
            # they tend to one, and stay there
            if betas is not None and any(np.any(x != 1.0) for x in bias_corrections(*betas, t[:1])):
                found = np.repeat(found, len(t), axis=2) if found.shape[2] == 1 else found
                found[:, k] = bias_corrections(*betas, t)
        return found

    def state(self, r: int) -> np.ndarray:
        """(K, *shape) the state of run r without its scales."""
        lot = self._lot(r)
        state, expo, origin = (lot.one(x, r) for x in (lot.runs.state, lot.runs.expo, lot.runs.origin))
        units = np.clip(np.nan_to_num(expo + origin) + self.data.shift, -(2**28), 2**28)
        shifts = (lot.runs.degrees[:, None] * units).astype(np.int32)
        with np.errstate(over="ignore", under="ignore"):
            return self._in_shape(self._in_weights(np.ldexp(state, shifts)))

    def log2_divisor(self, r: int) -> np.ndarray:
        """(*shape) log2 of what the last step of run r has divided by (`Optimizer.log2_divisor`)."""
        lot, item = self._lot(r), self.optimizers[r]
        state, expo, origin = (lot.one(x, r) for x in (lot.runs.state, lot.runs.expo, lot.runs.origin))
        state, degree = state[item.root], lot.runs.degrees[item.root]
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.where(state == 0.0, -np.inf, np.log2(state) + degree * (expo + origin + self.data.shift))
        return self._in_shape(item.log2_divisor(logs, self.made - self.born))

    def end(self, r: int) -> End:
        """Where run r is, to go on from."""
        lot = self._lot(r)
        parts = (lot.one(x, r).copy() for x in (lot.runs.w, lot.runs.state, lot.runs.expo, lot.runs.origin))
        shapes, earlier = float(self.sums[self.which[r]]), float(self.earlier[r])
        memory = lot.memory(r)
        return End(self.made, self.born, earlier, shapes, *parts, lot.span(r), self.space is not None, memory)

    def _lot(self, r: int) -> _Lot:
        return next(lot for lot in self.lots if r in lot.members)

    def stop(self, running: np.ndarray) -> None:
        """Advance only groups that have a run (R,) still running."""
        for lot in self.lots:
            lot.stop(running)

    def _in_weights(self, x: np.ndarray) -> np.ndarray:
        if self.space is None:
            return x
        flat = self.space.weights(x.reshape(-1, self.data.d))
        return flat.reshape(*x.shape[:-1], flat.shape[-1])

    def _in_shape(self, x: np.ndarray) -> np.ndarray:
        return x if self.space is not None else self.shape.back(x)


class _Lot:
    """Runs laid out alike: eight side by side (wide), or each on its own (see products.py)."""

    def __init__(self, block: Block, members: np.ndarray, wide: bool):
        self.members, self.wide, self.d = members, wide, block.data.d
        self.points = type(block.optimizers[0]).points
        chosen = [block.optimizers[i] for i in members]
        groups = -(-len(members) // LANES) if wide else len(members)
        classes = block.data.classes
        padded = block.data.flat.shape[1] * classes
        chunks = padded if wide else padded // LANES
        kind, batch = type(chosen[0]), block.data.batch
        decays = np.array([item.decays() for item in chosen])
        # The slowest clock at which no state decays by more than 2^DECAY between renormalisations.
        slowest = decays[decays > 0].min(initial=1.0)
        period = PERIOD if slowest == 1.0 else int(np.clip(-DECAY / np.log2(slowest), 1, PERIOD))
        period = 2 ** int(np.log2(period))
        with np.errstate(divide="ignore"):
            last = kind.degrees[-1] if kind.degrees else 0
            fade = np.log2(decays[:, -1]) / last if last else np.zeros(len(chosen))
        hyper = np.array([item.hyper() for item in chosen], np.float64).reshape(len(chosen), -1)
        told = kind.driven if block.data.source == FROZEN else block.optimizers[0].recorded
        looks = np.array([LOOKS[name] for name in kind.evaluations])
        most = block.data.rows.shape[0] if EPOCH_LOOK in looks or kind.sees_hessian else batch
        samples = most if wide else -(-most // LANES)
        k, n = block.data.classes, len(block.data.rows)
        kept = [item.rooms(k, block.data.width, block.data.features, n) for item in chosen]
        self.remembered = [memory for memory, _ in kept]
        ahead = 1 if block.data.order == FULL else max(AHEAD // batch, 1)
        work = Work(
            *(aligned((samples, LANES)) for _ in range(4)), *(aligned((chunks, LANES)) for _ in range(2)),
            aligned((2, LANES)), np.zeros(block.data.rows.shape[0], np.int64),
            np.zeros((ahead, batch), np.int64), np.zeros(ahead, np.int64), np.arange(block.data.rows.shape[0]),
            *(aligned((samples * classes if classes > 1 else 0, LANES)) for _ in range(3)), aligned((samples, LANES)),
            *(aligned((classes, LANES)) for _ in range(2)), aligned((2 * block.data.width, LANES)),
            np.zeros(max(sizes[1] for sizes in kept)),
            np.arange(max(n, k, block.data.width)),
        )  # fmt: skip
        eta = self._lanes(block.eta[members][:, None])[:, 0]
        if wide:  # empty lanes stay where they are
            eta.reshape(-1)[len(members) :] = 0.0
        slots = int(np.clip(ROOM / (2 * groups * chunks * LANES * 8), 1, MOST_SLOTS))
        touched = groups * chunks * LANES * 8 * (1 + len(kind.degrees))
        self.runs = Runs(
            wide,
            touched <= NEAREST_CACHE,
            aligned((groups, chunks, LANES)),
            aligned((slots, 2, groups, chunks, LANES)),
            aligned((groups, len(kind.degrees), chunks, LANES)),
            np.array(kind.degrees, np.int64),
            aligned((groups, chunks, LANES)),
            aligned((groups, chunks, LANES)),
            aligned((groups, 3, LANES)),
            self._lanes(hyper),
            eta,
            self._lanes(block.which[members][:, None].astype(float))[:, 0].astype(np.int64),
            np.ones(groups, np.bool_),
            period,
            self._lanes(fade[:, None])[:, 0],
            bool(decays.size and not decays.any() and all(kind.degrees)),
            looks,
            -1 if told is None else told,
            block.born,
            max(2 if item.sees_loss else int(item.sees_samples) for item in chosen),
            np.zeros((groups, max(sizes[0] for sizes in kept))),
            work,
        )

    def _lanes(self, values: np.ndarray) -> np.ndarray:
        """(R, H) values of the runs as (G, H, 8)."""
        if not self.wide:
            out = aligned((*values.shape, LANES))
            out[:] = values[..., None]
            return out
        groups = -(-len(values) // LANES)
        # empty lanes repeat the first run: whatever it does, they do
        filled = np.concatenate([values, np.repeat(values[:1], groups * LANES - len(values), axis=0)])
        out = aligned((groups, values.shape[1], LANES))
        out[:] = filled.reshape(groups, LANES, -1).transpose(0, 2, 1)
        return out

    def put(self, start: np.ndarray) -> None:
        self._fill(self.runs.w, start)
        for k in self.points:
            self.runs.state[:, k] = self.runs.w

    def remember(self, ends: list[End]) -> None:
        """Take the states and their units from where the runs of the block were."""
        for name in ("state", "expo", "origin"):
            self._fill(getattr(self.runs, name), np.array([getattr(end, name) for end in ends]))
        self.runs.span[:] = self._lanes(np.array([end.span for end in ends])[self.members])
        if self.runs.memory.size:  # of runs that are laid out one by one
            for mine, r in zip(self.runs.memory, self.members):
                if (kept := ends[r].memory) is not None:  # of another rank there may be more; it is not read then
                    mine[: len(kept)] = kept[: len(mine)]

    def _fill(self, x: np.ndarray, values: np.ndarray) -> None:
        """Set x (G, ..., chunks, 8) to the values (R, ..., d) of the runs of the block."""
        mine = values[self.members]
        x[:] = 0.0
        if self.wide:
            x[..., : self.d, :] = self._lanes(mine.reshape(len(mine), -1)).reshape(*x.shape[:-2], self.d, LANES)
        else:
            x.reshape(*x.shape[:-2], x.shape[-2] * LANES)[..., : self.d] = mine

    def kept(self, side: int, count: int) -> np.ndarray:
        """(R, count, d) the iterates before (0) or after (1) the first `count` steps of interest."""
        x = self.runs.kept[:count, side]
        if self.wide:
            x = x[:, :, : self.d].transpose(1, 3, 0, 2).reshape(-1, count, self.d)[: len(self.members)]
        else:
            x = x.reshape(*x.shape[:2], -1)[..., : self.d].transpose(1, 0, 2)
        return np.ascontiguousarray(x)

    def one(self, x: np.ndarray, r: int) -> np.ndarray:
        """(..., d) the part of run r in an array (G, ..., chunks, 8)."""
        k = int(np.flatnonzero(self.members == r)[0])
        if self.wide:
            return x[k // LANES, ..., : self.d, k % LANES]
        return x[k].reshape(*x.shape[1:-2], x.shape[-2] * LANES)[..., : self.d]

    def span(self, r: int) -> np.ndarray:
        """(3,) what is known of the units of run r; nothing where they do not follow the state."""
        if self.runs.forget:
            return np.array([-np.inf, np.inf, 0.0])
        k = int(np.flatnonzero(self.members == r)[0])
        group, lane = (k // LANES, k % LANES) if self.wide else (k, 0)
        return self.runs.span[group, :, lane].copy()

    def memory(self, r: int) -> np.ndarray | None:
        """What run r keeps beside its iterate, which others of the block may have more of; None where it is nothing."""
        k = int(np.flatnonzero(self.members == r)[0])
        return self.runs.memory[k, : self.remembered[k]].copy() if self.runs.memory.size else None

    def stop(self, running: np.ndarray) -> None:
        mine = running[self.members]
        if self.wide:
            mine = np.concatenate([mine, np.zeros(-len(mine) % LANES, bool)]).reshape(-1, LANES).any(axis=1)
        self.runs.alive[:] = mine

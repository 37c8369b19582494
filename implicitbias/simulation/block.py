"""The arrays of the runs of a block, and the calls of the compiled driver."""

import numpy as np

from implicitbias.lanes import LANES, aligned
from implicitbias.simulation.driver import FROZEN, ITERATE, ROWS, Data, Runs, Work
from implicitbias.simulation.margin_space import margin_space
from implicitbias.simulation.orders import FULL, ORDERS, effective, steps_per_epoch
from implicitbias.simulation.scales import DECAY, PERIOD
from implicitbias.simulation.tail import LOSSES

# A call of the compiled driver should hide its own cost (50 us) and end soon enough (0.1 s) for Ctrl-C to be answered.
MULTIPLICATIONS = 3e8
MOST_STEPS = 2**17
# Batches are drawn for so many row visits ahead, and each group of runs takes them in one go: its iterate and state
# stay in the nearest cache.
AHEAD = 4096
# Bytes of iterates and states that fit the nearest cache, beside the rows.
NEAREST_CACHE = 24_000
# So many runs left over from groups of eight are cheaper as a group with empty lanes than one by one.
WORTH_A_GROUP = 5


class Block:
    """R runs of one kind of optimizer that share data and batch order.

    problem, optimizers (R), schedules (R), start (R, d), setting: see `simulate`. With `frozen`, one run whose margins
    do not follow its iterate: they are set with `freeze`.
    """

    def __init__(self, problem, optimizers, schedules, start, setting, frozen: bool = False):
        self.optimizers, self.schedules = optimizers, schedules
        order, batch = effective(problem.n, setting.batch, setting.order)
        self.space = None if frozen else margin_space(problem, type(optimizers[0]), start)
        rows = problem.rows if self.space is None else self.space.gram
        n, d = rows.shape
        chunks = -(-d // LANES)
        padded = aligned((n, chunks, LANES))
        flat = padded.reshape(n, -1)
        flat[:, :d] = rows
        self.data = Data(
            padded, flat, np.zeros((1, n)), FROZEN if frozen else ROWS if self.space is None else ITERATE, d,
            int(np.any(rows, axis=0).sum()), bool((rows == 0).any()), LOSSES[setting.loss], ORDERS[order],
            np.uint64(setting.seed), batch, steps_per_epoch(n, batch, setting.remainder),
        )  # fmt: skip
        self.kernel = optimizers[0].advance
        # Runs with one step-size law and one bias correction share a row of the tables.
        laws = [(s.a, s.t0, None if x.corrections(np.zeros(1)) is None else x) for s, x in zip(schedules, optimizers)]
        self.laws = list(dict.fromkeys(laws))
        self.which = np.array([self.laws.index(law) for law in laws])
        self.shapes = [schedules[laws.index(law)] for law in self.laws]
        self.eta = np.array([s.eta for s in schedules])
        self.sums = np.zeros(len(self.laws))
        self.last_lr = np.zeros(len(schedules))
        many = len(optimizers) // LANES * LANES
        if len(optimizers) - many >= WORTH_A_GROUP:
            many = len(optimizers)
        everyone = np.arange(len(optimizers))
        self.lots = [
            _Lot(self, lot, wide) for lot, wide in ((everyone[:many], True), (everyone[many:], False)) if len(lot)
        ]
        self.put(start if self.space is None else np.zeros((len(optimizers), n)))
        cost = len(optimizers) * (2 * batch * d + 16 * d + 200)
        self.segment = int(np.clip(MULTIPLICATIONS / cost, 16, MOST_STEPS))

    def put(self, start: np.ndarray) -> None:
        """Set all iterates to start (R, d), which is zero in the space of margins."""
        for lot in self.lots:
            lot.put(start)

    def freeze(self, z: np.ndarray) -> None:
        """Set the margins (n,) that the run of a frozen block sees."""
        self.data.frozen[0] = z

    def advance(self, first: int, count: int) -> None:
        """Make `count` updates, the first of them number `first` (from 0)."""
        while count > 0:
            steps = min(self.segment, count)
            t = np.arange(first, first + steps)
            table = np.array([shape.shape(t) for shape in self.shapes])
            bias = self._bias(t)
            self.sums += table.sum(axis=1)
            for lot in self.lots:
                self.kernel(self.data, lot.runs, table, bias, first, steps)
            self.last_lr = self.eta * table[self.which, -1]
            first += steps
            count -= steps

    def _bias(self, t: np.ndarray) -> np.ndarray:
        """(2, laws, steps) factors of the step sizes and of eps, (2, laws, 1) once they are all one."""
        found = np.ones((2, len(self.laws), 1))
        for k, (_, _, corrected) in enumerate(self.laws):
            # they tend to one, and stay there
            if corrected is not None and any(np.any(x != 1.0) for x in corrected.corrections(t[:1])):
                found = np.repeat(found, len(t), axis=2) if found.shape[2] == 1 else found
                found[:, k] = corrected.corrections(t)
        return found

    def sum_lr(self) -> np.ndarray:
        """(R,) sum of the step sizes used so far."""
        return self.eta * self.sums[self.which]

    def iterates(self) -> np.ndarray:
        """(R, d) the iterates."""
        return self._in_weights(np.concatenate([lot.vectors(lot.runs.w) for lot in self.lots]))

    def last_moves(self) -> np.ndarray:
        """(R, d) the last updates, w(t) - w(t-1)."""
        moves = np.concatenate([lot.vectors(lot.runs.w) - lot.vectors(lot.runs.before) for lot in self.lots])
        return self._in_weights(moves)

    def state(self, r: int) -> np.ndarray:
        """(K, d) the state of run r without its scales."""
        lot = next(lot for lot in self.lots if r in lot.members)
        state, expo = lot.one(lot.runs.state, r), lot.one(lot.runs.expo, r)
        shifts = np.clip(lot.runs.degrees[:, None] * expo, -(2**30), 2**30).astype(np.int32)
        with np.errstate(over="ignore", under="ignore"):
            return self._in_weights(np.ldexp(state, shifts))

    def stop(self, running: np.ndarray) -> None:
        """Advance only groups that have a run (R,) still running."""
        for lot in self.lots:
            lot.stop(running)

    def _in_weights(self, x: np.ndarray) -> np.ndarray:
        return x if self.space is None else self.space.weights(x)


class _Lot:
    """Runs laid out alike: eight side by side (wide), or each on its own (see products.py)."""

    def __init__(self, block: Block, members: np.ndarray, wide: bool):
        self.members, self.wide, self.d = members, wide, block.data.d
        chosen = [block.optimizers[i] for i in members]
        groups = -(-len(members) // LANES) if wide else len(members)
        padded = block.data.flat.shape[1]
        chunks = padded if wide else padded // LANES
        kind, batch = type(chosen[0]), block.data.batch
        decays = np.array([item.decays() for item in chosen])
        # The slowest clock at which no state decays by more than 2^DECAY between renormalisations.
        slowest = decays[decays > 0].min(initial=1.0)
        period = PERIOD if slowest == 1.0 else int(np.clip(-DECAY / np.log2(slowest), 1, PERIOD))
        hyper = np.array([item.hyper() for item in chosen], np.float64).reshape(len(chosen), -1)
        samples = batch if wide else -(-batch // LANES)
        ahead = 1 if block.data.order == FULL else max(AHEAD // batch, 1)
        work = Work(
            *(aligned((samples, LANES)) for _ in range(4)), *(aligned((chunks, LANES)) for _ in range(2)),
            np.zeros(self.d), aligned((2, LANES)), np.zeros(block.data.rows.shape[0], np.int64),
            np.zeros((ahead, batch), np.int64), np.zeros(ahead, np.int64),
        )  # fmt: skip
        inverse = aligned((groups, chunks, LANES))
        inverse[:] = 1.0
        eta = self._lanes(block.eta[members][:, None])[:, 0]
        if wide:  # empty lanes stay where they are
            eta.reshape(-1)[len(members) :] = 0.0
        touched = groups * chunks * LANES * 8 * (1 + len(kind.degrees))
        self.runs = Runs(
            wide,
            touched <= NEAREST_CACHE,
            *(aligned((groups, chunks, LANES)) for _ in range(2)),
            aligned((groups, len(kind.degrees), chunks, LANES)),
            np.array(kind.degrees, np.int64),
            aligned((groups, chunks, LANES)),
            inverse,
            aligned((groups, 3, LANES)),
            self._lanes(hyper),
            eta,
            self._lanes(block.which[members][:, None].astype(float))[:, 0].astype(np.int64),
            np.ones(groups, np.bool_),
            period,
            bool(decays.size and not decays.any()),
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
        w = self.runs.w
        w[:] = 0.0
        if self.wide:
            w[:, : self.d] = self._lanes(start[self.members])
        else:
            w.reshape(len(w), -1)[:, : self.d] = start[self.members]
        self.runs.before[:] = w

    def vectors(self, x: np.ndarray) -> np.ndarray:
        """(R, d) the vectors of an array (G, chunks, 8)."""
        if self.wide:
            return x[:, : self.d].transpose(0, 2, 1).reshape(-1, self.d)[: len(self.members)]
        return x.reshape(len(x), -1)[:, : self.d]

    def one(self, x: np.ndarray, r: int) -> np.ndarray:
        """(..., d) the part of run r in an array (G, ..., chunks, 8)."""
        k = int(np.flatnonzero(self.members == r)[0])
        if self.wide:
            return x[k // LANES, ..., : self.d, k % LANES]
        return x[k].reshape(*x.shape[1:-2], x.shape[-2] * LANES)[..., : self.d]

    def stop(self, running: np.ndarray) -> None:
        mine = running[self.members]
        if self.wide:
            mine = np.concatenate([mine, np.zeros(-len(mine) % LANES, bool)]).reshape(-1, LANES).any(axis=1)
        self.runs.alive[:] = mine

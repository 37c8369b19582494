"""The driver of objectives: gradients from a kernel of their own, in true units, one run at a time."""

from implicitbias.jit import inlined
from implicitbias.lanes import fma, line_of, load, splat, store, total
from implicitbias.simulation.driver import apply, keep, through
from implicitbias.simulation.layout import EPOCH_LOOK


@inlined
def drive_objective(slope, step, data, runs, table, bias, slots, first):
    """Advance every run by `slots.shape[0]` steps of an optimizer, with the slope of the objective for a gradient."""
    through(several_of_objective, step, slope, data, runs, table, bias, slots, first)


@inlined
def several_of_objective(step, slope, data, runs, table, bias, slots, r, at, t, rows, size):
    slot, work = slots[at], runs.work
    if slot >= 0:
        keep(runs, slot, 0, r)
    for phase in range(runs.looks.shape[0]):
        whole = runs.looks[phase] == EPOCH_LOOK
        if whole and t % data.per_epoch > 0 and t != runs.born:
            continue
        seen = work.every if whole else rows
        count = seen.shape[0] if whole else size
        for c in range(work.g.shape[0]):
            store(work.g, c, splat(0.0))
        slope(line_of(runs.w[r]), line_of(work.g), data.frozen[0], seen, count, t, data.seed)
        squares = splat(0.0)
        for c in range(work.g.shape[0]):
            squares = fma(load(work.g, c), load(work.g, c), squares)
        apply(step, data, runs, table, bias, r, at, t, count, total(squares), phase)
    if slot >= 0:
        keep(runs, slot, 1, r)

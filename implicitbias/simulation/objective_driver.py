"""The driver of objectives: gradients from a kernel of their own, one run at a time."""

from implicitbias.jit import hot, inlined
from implicitbias.lanes import any_lane, first_lane, fma, line_of, load, pow2_lanes, splat, store, total
from implicitbias.simulation.driver import apply, follow, keep, through
from implicitbias.simulation.gradients import set_spans
from implicitbias.simulation.layout import EPOCH_LOOK
from implicitbias.simulation.scales import BATCH, COORDINATE, LEAST, TRUE, align, needs_care, place


@inlined
def drive_objective(slope, step, data, runs, table, bias, slots, first):
    """Advance every run by `slots.shape[0]` steps of an optimizer, with the slope of the objective for a gradient."""
    through(several_of_objective, step, slope, data, runs, table, bias, slots, first)


@inlined
def several_of_objective(step, slope, data, runs, table, bias, slots, r, at, t, rows, size):
    slot, work, mode = slots[at], runs.work, data.mode
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
        unit = slope(line_of(runs.w[r]), line_of(work.g), data.frozen[0], seen, count, t, data.seed)
        squared = in_units(mode, data, runs, r, unit)
        apply(step, data, runs, table, bias, r, at, t, count, squared, phase)
    if slot >= 0:
        keep(runs, slot, 1, r)
    if mode == COORDINATE and not runs.forget and t & (runs.period - 1) == 0:
        follow(data, runs, r)


@hot
def in_units(mode, data, runs, r, unit):
    """The gradient in work.g from units of 2^unit to those of the mode; ||g||^2 is returned."""
    g, high, squares = runs.work.g, splat(unit), splat(0.0)
    if mode == TRUE and unit != 0.0:
        for c in range(g.shape[0]):
            store(g, c, load(g, c) * pow2_lanes(high))
    if mode == COORDINATE:
        in_units_of_the_state(data, runs, r, high)
    if mode == BATCH:
        store(runs.span[r], LEAST, high)
        for c in range(g.shape[0]):
            squares = fma(load(g, c), load(g, c), squares)
    return total(squares)


@hot
def in_units_of_the_state(data, runs, r, high):
    """The gradient, coordinate j in units of 2^expo[j]."""
    g, span, expo, origin = runs.work.g, runs.span[r], runs.expo[r], runs.origin[r]
    if runs.forget:  # without memory the units are free
        for c in range(expo.shape[0]):
            store(origin, c, high)
            store(expo, c, splat(0.0))
        return
    care = needs_care(high, splat(0.0) > 0.0, span, load(runs.fade[r], 0))
    if not any_lane(care):
        by = pow2_lanes(high - load(span, LEAST))
        for c in range(g.shape[0]):
            store(g, c, load(g, c) * by)
        return
    for j in range(data.d):
        at = place(False, 0, j)
        g[at] = align(
            g[at], first_lane(high), 0, runs.state[r], runs.degrees, expo, origin, at, runs.fade[r, 0], runs.forget
        )
    set_spans(data, runs, r, care)

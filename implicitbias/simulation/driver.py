"""The block driver: R runs that share data and batch order, advanced together, with no Python per step.

For every step and run: margins of the batch, sample weights as f 2^q, the mean gradient, then the optimizer's step,

    step(w, g, state, hyper, lr, bias, units, batch)

which updates w and its state (K, chunks, 8) in place, chunk by chunk: a chunk is eight coordinates of one run or one
coordinate of eight runs (products.py), and the step need not know which. g (chunks, 8) is the mean gradient, hyper
(H, 8) the hyper-parameters, lr the step size in lanes, bias the factors of `bias_corrections`, in lanes too;
`units` says in which powers of two all this is (scales.py), `batch` what else there is to know of the batch.

Where the margins come from, `source`:

    ROWS     they are rows w
    ITERATE  they are w times `stretch`, one for each row: an update linear in the gradient can run in the space of
             margins, where `scaled` is the Gram matrix (margin_space.py)
    FROZEN   they do not follow w: `frozen` (R, n)
"""

from collections import namedtuple

import numpy as np

from implicitbias.jit import helper, hot, inlined
from implicitbias.lanes import (
    LANES,
    any_lane,
    has_lane,
    insert,
    largest,
    load,
    maximum,
    minimum,
    pow2_lanes,
    select,
    splat,
    store,
)
from implicitbias.simulation.orders import FULL, fill_batches
from implicitbias.simulation.products import (
    margin,
    margins,
    pick_margins,
    square_length,
    weighted_squares,
    weighted_sum,
)
from implicitbias.simulation.scales import (
    BATCH,
    COORDINATE,
    LEAST,
    LIGHT,
    SPREAD,
    TRUE,
    Units,
    align,
    drifted,
    light_gradient,
    needs_care,
    place,
    renormalise,
    set_span,
)
from implicitbias.simulation.tail import exponent, sample_weights, times_pow2

ROWS, ITERATE, FROZEN = 0, 1, 2

# What the runs of a block share. rows (n, chunks, 8), flat (n, 8 chunks): the same memory, from which margins come;
# scaled, scaled_flat: the same over 2^shift, from which gradients are added up, with entries of ordinary size, or
# `uneven` ones; stretch: see ITERATE; frozen (R, n); touched (d,): the columns of the rows that are not zero, `columns`
# of them; has_zeros: whether any entry is; seed: uint64
Data = namedtuple(
    "Data",
    "rows flat scaled scaled_flat shift uneven stretch frozen source d columns touched has_zeros loss order seed batch "
    "per_epoch",
)

# G groups of runs, each one run (narrow) or eight (wide). turns: whether the groups take turns at every step; w, expo,
# origin (G, chunks, 8): iterates, exponents of the units; kept (slots, 2, G, chunks, 8): iterates before and after the
# steps of interest; state (G, K, chunks, 8) of degrees (K,); span (G, 3, 8): see scales.LEAST; hyper (G, H, 8); step
# sizes eta (G, 8) times table[which[G, 8], t - first]; alive (G,); period: steps between renormalisations, a power of
# two; fade (G, 8): binary orders by which a step without gradient changes the last state, per degree; forget: the
# state keeps nothing from one step to the next; looks (L,): the gradients of a step, BATCH_LOOK or EPOCH_LOOK;
# recorded: which state is the iterate that is kept, -1 for w; born: the step from which the optimizer counts its own,
# where it took over from another; work: see `Work`
Runs = namedtuple(
    "Runs",
    "wide turns w kept state degrees expo origin span hyper eta which alive period fade forget looks recorded born "
    "work",
)
BATCH_LOOK, EPOCH_LOOK = 0, 1  # at w: on the batch; on all rows, in the first step of an epoch or of all

# Room: z, f, q, weight (batch, 8), g, squares (chunks, 8), room (2, 8); and the batches drawn ahead:
# permutation (n,), index (steps, batch), sizes (steps,); every (n,): all rows
Work = namedtuple("Work", "z f q weight g squares room permutation index sizes every")

# What a step may ask beside the gradient. squared: ||g||_2^2 in the units of g (mode BATCH); squares (chunks, 8):
# sum of the squared gradients of the rows, over size^2 (mode SAMPLES); z, f, q: margins and their weights f 2^q, `size`
# of each run (wide: entry k of (size, 8), narrow: of the flat array); phase: which of the gradients of the step this
# is; t: number of the optimizer's own step, from 0
Batch = namedtuple("Batch", "wide size z f q loss squared squares room phase t")
Bias = namedtuple("Bias", "lr eps")


@inlined
def drive(step, mode, data, runs, table, bias, slots, first):
    """Advance every living group by `count` steps, the first of them step number `first` (from 0).

    table (shapes, count) are step sizes without their factor eta, bias (2, shapes, count) the factors of the step size
    and of eps, (2, shapes, 1) if they are one throughout. slots (count,): where in `kept` the iterates before and after
    a step go, -1 for nowhere."""
    through(once, step, mode, data, runs, table, bias, slots, first)


@inlined
def drive_several(step, mode, data, runs, table, bias, slots, first):
    """`drive` for a step that sees several gradients, one after the other (`Optimizer.evaluations`), or whose recorded
    iterate is not where gradients are taken."""
    through(several, step, mode, data, runs, table, bias, slots, first)


@inlined
def through(advance, step, mode, data, runs, table, bias, slots, first):
    """Call `advance` for every step of every living group."""
    count = slots.shape[0]
    work = runs.work
    permutation, index, sizes = work.permutation, work.index, work.sizes
    if data.order == FULL:
        fill_batches(data.order, data.seed, first, 1, data.per_epoch, True, permutation, index, sizes)
    done = 0
    while done < count:
        stretch = count - done if data.order == FULL else min(index.shape[0], count - done)
        if data.order != FULL:
            fill_batches(
                data.order, data.seed, first + done, stretch, data.per_epoch, done == 0, permutation, index, sizes
            )
        groups = runs.w.shape[0]
        next_r, next_i = 0, 0
        for _ in range(stretch * groups):
            r, i = next_r, next_i
            # Small groups take turns, and each fills the time the others wait for their own results; large ones keep
            # the nearest cache to themselves for as long as possible.
            if runs.turns:
                next_r, next_i = (r + 1, i) if r + 1 < groups else (0, i + 1)
            else:
                next_r, next_i = (r, i + 1) if i + 1 < stretch else (r + 1, 0)
            if not runs.alive[r]:
                continue
            batch_at = 0 if data.order == FULL else i
            advance(step, mode, data, runs, table, bias, slots, r, done + i, first + done + i, index[batch_at],
                    sizes[batch_at])  # fmt: skip
        done += stretch


@inlined
def once(step, mode, data, runs, table, bias, slots, r, at, t, rows, size):
    """Step number t of group r, the `at`-th of this call: the gradient of its batch at w, and the update."""
    w, slot = runs.w[r], slots[at]
    squared = gradient(mode, data, runs, rows, size, r)
    if slot >= 0:
        copy(w, runs.kept[slot, 0, r])
    apply(step, data, runs, table, bias, r, at, t, size, squared, 0)
    if slot >= 0:
        copy(w, runs.kept[slot, 1, r])
    if mode == COORDINATE and not runs.forget and t & (runs.period - 1) == 0:
        follow(data, runs, r)


@inlined
def several(step, mode, data, runs, table, bias, slots, r, at, t, rows, size):
    """The same for the gradients that `runs.looks` asks for, each at the w that the step before has left."""
    slot = slots[at]
    if slot >= 0:
        keep(runs, slot, 0, r)
    for phase in range(runs.looks.shape[0]):
        if runs.looks[phase] == BATCH_LOOK:
            apply(step, data, runs, table, bias, r, at, t, size, gradient(mode, data, runs, rows, size, r), phase)
        elif t % data.per_epoch == 0 or t == runs.born:
            every = runs.work.every
            squared = gradient(mode, data, runs, every, every.shape[0], r)
            apply(step, data, runs, table, bias, r, at, t, every.shape[0], squared, phase)
    if slot >= 0:
        keep(runs, slot, 1, r)
    if mode == COORDINATE and not runs.forget and t & (runs.period - 1) == 0:
        follow(data, runs, r)


@hot
def keep(runs, slot, side, r):
    """Copy the iterate that is recorded to where it is kept."""
    if runs.recorded < 0:
        copy(runs.w[r], runs.kept[slot, side, r])
    else:
        copy(runs.state[r, runs.recorded], runs.kept[slot, side, r])


@inlined
def gradient(mode, data, runs, rows, size, r):
    """The mean gradient of a batch at w, in work.g, and what else the mode asks for; ||g||^2 is returned."""
    wide, work = runs.wide, runs.work
    # weights that are so many binary orders apart need a look at each coordinate, which may see light samples only
    spread_limit = -1.0 if data.uneven else float(SPREAD) if data.has_zeros else np.inf
    weights = weigh(data, runs, rows, size, r)
    squared = splat(0.0)
    if mode == TRUE:
        uniform_gradient(data, runs, rows, size, weights, splat(0.0))
    else:
        high, low = spread(weights, work.q, size, wide)
        apart = high - low > spread_limit
        if mode == COORDINATE:
            in_units_of_the_state(data, runs, rows, size, r, weights, high, apart)
        else:
            uniform_gradient(data, runs, rows, size, weights, high)
            if mode == BATCH:
                squared = squared_length(data, runs, rows, size)
                if data.source != ITERATE:
                    light = squared < LIGHT * LIGHT
                    if data.uneven:
                        light = light | apart
                    if any_lane(light):
                        squared = in_common_units(data, runs, rows, size, squared, light)
            else:
                chunks = data.d if wide else data.rows.shape[1]
                weighted_squares(data.scaled, data.scaled_flat, rows, size, work.weight, wide, work.squares[:chunks])
                if any_lane(apart):
                    by_coordinate(data, runs, rows, size, apart)
    return squared


@inlined
def apply(step, data, runs, table, bias, r, at, t, size, squared, phase):
    """The update of group r with the gradient in work.g."""
    wide, work, which = runs.wide, runs.work, runs.which[r]
    chunks = data.d if wide else data.rows.shape[1]
    batch = Batch(wide, size, work.z, work.f, work.q, data.loss, squared, work.squares[:chunks], work.room, phase,
                  t - runs.born)  # fmt: skip
    lr = load(runs.eta[r], 0) * pick(table, which, wide, at, work.room)
    place_ = at if bias.shape[2] > 1 else 0
    factors = Bias(pick(bias[0], which, wide, place_, work.room), pick(bias[1], which, wide, place_, work.room))
    units = Units(runs.expo[r], runs.origin[r], data.shift)
    step(runs.w[r], work.g[:chunks], runs.state[r], runs.hyper[r], lr, factors, units, batch)


@hot
def copy(x, y):
    for c in range(x.shape[0]):
        store(y, c, load(x, c))


@hot
def weigh(data, runs, index, size, r):
    """Margins of the batch and their weights f 2^q; returns the first chunk (f, q)."""
    work, wide, w = runs.work, runs.wide, runs.w[r]
    if size == 1 and not wide and data.source == ROWS:
        store(work.z, 0, margin(data.rows[index[0]], w))
    elif data.source == ROWS:
        margins(data.rows, data.flat, index, size, w, wide, work.z)
    elif wide:  # frozen margins come with a single run
        for k in range(size):
            store(work.z, k, load(w, index[k]) * data.stretch)
    else:
        every = w.reshape(-1) if data.source == ITERATE else data.frozen[r]
        pick_margins(every, index, size, data.order == FULL, data.stretch, work.z)
    return sample_weights(work.z, work.f, work.q, size if wide else -(-size // LANES), data.loss)


@hot
def spread(first, q, size, wide):
    """The largest and the least exponent of the weights of each run."""
    high = low = first[1]
    if size == 1:
        return high, low
    for k in range(1, size if wide else -(-size // LANES)):
        high = maximum(high, load(q, k))
        low = minimum(low, load(q, k))
    return (high, low) if wide else (largest(high), -largest(-low))


@hot
def uniform_gradient(data, runs, index, size, first, unit):
    """The mean gradient in units of 2^unit, the same for all coordinates."""
    work, wide = runs.work, runs.wide
    share = -1.0 / size
    weight = first[0] * pow2_lanes(first[1] - unit) * share
    store(work.weight, 0, weight)
    if size == 1 and not wide:
        row = data.scaled[index[0]]
        for c in range(data.scaled.shape[1]):
            store(work.g, c, weight * load(row, c))
        return
    for k in range(1, size if wide else -(-size // LANES)):
        store(work.weight, k, load(work.f, k) * pow2_lanes(load(work.q, k) - unit) * share)
    weighted_sum(data.scaled, data.scaled_flat, index, size, work.weight, wide, work.g)


@hot
def squared_length(data, runs, index, size):
    """||g||_2^2 in the space of w."""
    work, wide = runs.work, runs.wide
    if data.source != ITERATE:
        return square_length(work.g, wide)
    # g holds the change of all margins, rows (rows' c) with the weights c; and ||rows' c||^2 = c.(rows rows' c)
    p = splat(0.0)
    line, change = work.weight.reshape(-1), work.g.reshape(-1)
    for k in range(size):
        if wide:
            p = p + load(work.weight, k) * load(work.g, index[k])
        else:
            p = p + line[k] * change[index[k]]
    return p


@hot
def in_units_of_the_state(data, runs, index, size, r, first, high, apart):
    """The mean gradient, coordinate j in units of 2^expo[j]."""
    span = runs.span[r]
    if runs.forget:  # without memory the units are free: those of the batch
        uniform_gradient(data, runs, index, size, first, high)
        for c in range(runs.expo.shape[1]):
            store(runs.origin[r], c, high)
            store(runs.expo[r], c, splat(0.0))
        if any_lane(apart):
            with_care(data, runs, index, size, r, apart, apart)
        return
    care = needs_care(high, apart, span, load(runs.fade[r], 0))
    uniform_gradient(data, runs, index, size, first, select(care, high, load(span, LEAST)))
    if any_lane(care):
        with_care(data, runs, index, size, r, care, apart)


@helper
def with_care(data, runs, index, size, r, care, apart):
    """Bring the gradient of the runs that need it from the units of their heaviest sample to those of their state, one
    coordinate at a time. Where their weights are far apart, a coordinate may see light samples only: it is added up
    again in units of its own."""
    work, wide, g = runs.work, runs.wide, runs.work.g
    state, expo, origin = runs.state[r], runs.expo[r], runs.origin[r]
    for lane in range(LANES if wide else 1):
        if not has_lane(care, lane):
            continue
        high = work.q[place(wide, lane, 0)]
        for k in range(1, size):
            high = max(high, work.q[place(wide, lane, k)])
        look, fade = has_lane(apart, lane), runs.fade[r, lane]
        for j in range(data.d):
            at = place(wide, lane, j)
            x, power, order = g[at], high, 0
            if look and (data.uneven or abs(x) < LIGHT) and data.touched[j]:
                x, _, power, order = light_gradient(data, index, size, work.f, work.q, wide, lane, j)
            g[at] = align(x, power, order, state, runs.degrees, expo, origin, at, fade, runs.forget)
        set_span(expo, origin, runs.span[r], wide, lane, data.d)


@helper
def by_coordinate(data, runs, index, size, apart):
    """Gradient and squares of the runs whose weights are far `apart`: a coordinate that sees light samples only is
    added up again, in units of its own."""
    work, wide = runs.work, runs.wide
    for lane in range(LANES if wide else 1):
        if has_lane(apart, lane):
            for j in range(data.d):
                at = place(wide, lane, j)
                if (data.uneven or work.squares[at] < LIGHT * LIGHT) and data.touched[j]:
                    work.g[at], work.squares[at], _, _ = light_gradient(
                        data, index, size, work.f, work.q, wide, lane, j
                    )


@helper
def in_common_units(data, runs, index, size, squared, light):
    """||g||_2^2 where it is `light` beside the heaviest sample, and g in the units of its own heaviest coordinate: what
    is heavier may touch no coordinate alone, or cancel."""
    work, wide, g = runs.work, runs.wide, runs.work.g
    for lane in range(LANES if wide else 1):
        if not has_lane(light, lane):
            continue
        unit, least, found = 0.0, 0, False
        for j in range(data.d):
            x, _, power, order = light_gradient(data, index, size, work.f, work.q, wide, lane, j)
            order += exponent(x)
            if x != 0.0 and (not found or (power - unit) + (order - least) > 0.0):
                unit, least, found = power, order, True
        total = 0.0
        for j in range(data.d):
            x, _, power, order = light_gradient(data, index, size, work.f, work.q, wide, lane, j)
            x = times_pow2(x, (power - unit) + (order - least)) if x != 0.0 else x
            g[place(wide, lane, j)] = x
            total += x * x
        squared = insert(squared, lane, total) if wide else splat(total)
    return squared


@hot
def follow(data, runs, r):
    """Let the units follow the state."""
    wide, span = runs.wide, runs.span[r]
    moved = drifted(runs.state[r], runs.degrees, span, data.columns, wide)
    if any_lane(moved):
        for lane in range(LANES if wide else 1):
            if has_lane(moved, lane):
                renormalise(
                    runs.state[r], runs.degrees, runs.expo[r], runs.origin[r], span, data.columns, wide, lane, data.d
                )


@hot
def pick(table, which, wide, i, room):
    """table[which[lane], i] in lanes."""
    x = splat(table[which[0], i])
    if wide:
        for lane in range(1, LANES):
            if which[lane] != which[0]:
                return gather(table, which, i, room)
    return x


@helper
def gather(table, which, i, room):
    for lane in range(LANES):
        room[0, lane] = table[which[lane], i]
    return load(room, 0)

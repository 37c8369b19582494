"""The gradient of a batch in the units of the states: margins, weights of the samples, their sum over the rows."""

import numpy as np

from implicitbias.jit import helper, hot, inlined
from implicitbias.lanes import (
    LANES,
    any_lane,
    has_lane,
    insert,
    largest,
    line_of,
    load,
    maximum,
    minimum,
    pow2_lanes,
    select,
    splat,
    store,
)
from implicitbias.simulation.layout import ITERATE, ROWS, Data
from implicitbias.simulation.orders import FULL
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
    align,
    light_gradient,
    needs_care,
    place,
    set_span,
)
from implicitbias.simulation.tail import bend_weights, exponent, sample_weights, times_pow2


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
                        squared = in_common_units(data, runs, rows, size, work.f, work.q, squared, light)
            else:
                chunks = data.d if wide else data.rows.shape[1]
                weighted_squares(data.scaled, data.scaled_flat, rows, size, work.weight, wide, work.squares[:chunks])
                if any_lane(apart):
                    by_coordinate(data, runs, rows, size, work.f, work.q, 0, data.d, apart)
    return squared


@helper
def curvature(data, runs, rows, size, r):
    """The diagonal of the Hessian of a batch whose margins are in work.z, in work.g and the units of the states: what a
    gradient is with the squares of the rows, and with l'' in the place of the weights."""
    wide, work = runs.wide, runs.work
    weights = bend_weights(work.z, work.f, work.q, size if wide else -(-size // LANES), data.loss)
    high, low = spread(weights, work.q, size, wide)
    spread_limit = -1.0 if data.uneven else float(SPREAD) if data.has_zeros else np.inf
    in_units_of_the_state(with_squares(data), runs, rows, size, r, weights, high, high - low > spread_limit)


@hot
def with_squares(data):
    """The data with (minus) the squares of the rows where gradients are added up from."""
    return Data(
        data.rows, data.flat, data.bent, data.bent_flat, data.bent, data.bent_flat, data.shift, data.uneven,
        data.stretch, data.frozen, data.source, data.d, data.columns, data.touched, data.has_zeros, data.loss,
        data.order, data.seed, data.batch, data.per_epoch, data.labels, data.classes, data.width,
        data.features, data.rank, data.mode,
    )  # fmt: skip


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
        every = line_of(w) if data.source == ITERATE else data.frozen[r]
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
    line, change = line_of(work.weight), line_of(work.g)
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
            with_care(data, runs, index, size, r, runs.work.f, runs.work.q, 0, data.d, apart, apart)
        return
    care = needs_care(high, apart, span, load(runs.fade[r], 0))
    uniform_gradient(data, runs, index, size, first, select(care, high, load(span, LEAST)))
    if any_lane(care):
        with_care(data, runs, index, size, r, runs.work.f, runs.work.q, 0, data.d, care, apart)
        set_spans(data, runs, r, care)


@helper
def with_care(data, runs, index, size, r, f, q, first, count, care, apart):
    """Bring `count` coordinates of the gradient, from `first` on, of the runs that need it from the units of their
    heaviest sample, with weights f 2^q, to those of their state, one coordinate at a time. Where weights are far apart,
    a coordinate may see light samples only: it is added up again in units of its own."""
    wide, g = runs.wide, runs.work.g
    state, expo, origin = runs.state[r], runs.expo[r], runs.origin[r]
    for lane in range(LANES if wide else 1):
        if not has_lane(care, lane):
            continue
        high = q[place(wide, lane, 0)]
        for k in range(1, size):
            high = max(high, q[place(wide, lane, k)])
        look, fade = has_lane(apart, lane), runs.fade[r, lane]
        for j in range(first, first + count):
            at = place(wide, lane, j)
            x, power, order = g[at], high, 0
            if look and (data.uneven or abs(x) < LIGHT) and data.touched[j]:
                x, _, power, order = light_gradient(data, index, size, f, q, wide, lane, j - first)
            g[at] = align(x, power, order, state, runs.degrees, expo, origin, at, fade, runs.forget)


@helper
def set_spans(data, runs, r, moved):
    """What is known of the units of the runs in which some have moved."""
    for lane in range(LANES if runs.wide else 1):
        if has_lane(moved, lane):
            set_span(runs.expo[r], runs.origin[r], runs.span[r], runs.wide, lane, data.d)


@helper
def by_coordinate(data, runs, index, size, f, q, first, count, apart):
    """`count` coordinates, from `first` on, of gradient and squares of the runs whose weights f 2^q are far `apart`:
    one that sees light samples only is added up again, in units of its own."""
    work, wide = runs.work, runs.wide
    for lane in range(LANES if wide else 1):
        if has_lane(apart, lane):
            for j in range(first, first + count):
                at = place(wide, lane, j)
                if (data.uneven or work.squares[at] < LIGHT * LIGHT) and data.touched[j]:
                    work.g[at], work.squares[at], _, _ = light_gradient(data, index, size, f, q, wide, lane, j - first)


@helper
def in_common_units(data, runs, index, size, f, q, squared, light):
    """||g||_2^2 where it is `light` beside the heaviest sample, and g in the units of its own heaviest coordinate: what
    is heavier may touch no coordinate alone, or cancel. The weights f 2^q of each class follow those of the last."""
    wide, g, samples = runs.wide, runs.work.g, f.shape[0] // data.classes
    for lane in range(LANES if wide else 1):
        if not has_lane(light, lane):
            continue
        unit, least, found = 0.0, 0, False
        for j in range(data.d):
            c, column = j // data.width, j % data.width
            mine = slice(c * samples, (c + 1) * samples)
            x, _, power, order = light_gradient(data, index, size, f[mine], q[mine], wide, lane, column)
            order += exponent(x)
            if x != 0.0 and (not found or (power - unit) + (order - least) > 0.0):
                unit, least, found = power, order, True
        total = 0.0
        for j in range(data.d):
            c, column = j // data.width, j % data.width
            mine = slice(c * samples, (c + 1) * samples)
            x, _, power, order = light_gradient(data, index, size, f[mine], q[mine], wide, lane, column)
            x = times_pow2(x, (power - unit) + (order - least)) if x != 0.0 else x
            g[place(wide, lane, j)] = x
            total += x * x
        squared = insert(squared, lane, total) if wide else splat(total)
    return squared

"""The gradient of a batch of rows of several classes.

With the scores u_ic = w_c.x_i, the margins are z_ic = u_iy - u_ic and the weights of the pairs (i, c), c != y_i,

    s_ic = e^(-z_ic) / (1 + sum_c' e^(-z_ic'))   logistic,     e^(-z_ic)   exponential,

and the gradient of class c is the mean over the batch of s_ic x_i, or, of the rows of its own class, of -S_i x_i with
S_i = sum_c s_ic: never p_y - 1, which cancels. So each class is a binary problem with the same rows x_i and weights of
either sign, -s_ic and S_i, and has units of its own: its weights may be exponentially lighter than those of another.
Of a sample as a whole, S_i is the weight that its soft margin -log sum_c e^(-z_ic) has in the binary problem.
"""

import numpy as np

from implicitbias.jit import helper, hot, inlined
from implicitbias.lanes import (
    LANES,
    absolute,
    any_lane,
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
from implicitbias.simulation.class_products import add_scores, scores
from implicitbias.simulation.class_weights import (
    GUESSED,
    bend,
    far_softmax,
    find_labels,
    softmax,
    weights_of_eight,
    weights_of_sample,
)
from implicitbias.simulation.gradients import (
    by_coordinate,
    in_common_units,
    set_spans,
    spread,
    with_care,
    with_squares,
)
from implicitbias.simulation.layout import ROWS
from implicitbias.simulation.products import square_length, weighted_squares, weighted_sum
from implicitbias.simulation.scales import (
    BATCH,
    CLASSES,
    COORDINATE,
    HEADROOM,
    LEAST,
    LIGHT,
    SAMPLES,
    SPREAD,
    TRUE,
    UNSEEN,
    needs_care,
)
from implicitbias.simulation.tail import FAR, LOGISTIC, split_exp

# Samples, or chunks of them, whose weights stay in the nearest cache on their way to the gradient.
TILE = 16


@inlined
def class_gradient(mode, data, runs, rows, size, r):
    """The mean gradient of a batch at w, in work.g, and what else the mode asks for; ||g||^2 is returned.

    As a rule one pass will do, in the units of the state or of the step before. Where it will not, it is made again
    with care: the weights of all pairs first, with exponents of their own. Both give the same bits.
    """
    quick, squared = False, splat(0.0)
    if not (runs.tells > 0 or mode == SAMPLES or data.has_zeros or data.uneven or data.source != ROWS):
        quick, squared = at_once(mode, data, runs, rows, size, r)
    if not quick:
        weigh_classes(data, runs, rows, size, r)
        squared = sum_classes(mode, data, runs, rows, size, r)
    return squared


@hot
def at_once(mode, data, runs, index, size, r):
    """The gradient, and whether it is right."""
    wide, work, span, origin = runs.wide, runs.work, runs.span[r], runs.origin[r]
    per, classes = data.width if wide else data.rows.shape[1], data.classes
    own = mode == CLASSES or (mode == COORDINATE and runs.forget)  # each class has the unit that it had
    unit = splat(0.0) if mode == TRUE else load(span, LEAST)
    if own:
        unit = load(origin, 0)
        for c in range(1, classes):
            unit = maximum(unit, load(origin, c * per))
    wrong = splat(0.0) > 0.0
    for c in range(classes):
        store(work.highest, c, splat(0.0))
        below = unit - load(origin, c * per) if own else splat(0.0)
        wrong = wrong | (below > 2.0 * GUESSED)
        store(work.factor, c, pow2_lanes(below))
    for j in range(classes * per):
        store(work.g, j, splat(0.0))
    tile = TILE if wide else TILE * LANES
    for first in range(0, size, tile):
        count = min(tile, size - first)
        mine, samples = index[first : first + count], count if wide else -(-count // LANES)
        scores(data.rows, data.flat, mine, count, data.features, runs.w[r], classes, wide, work.turned, work.z_each)
        if wide:
            for s in range(samples):
                label = int(data.labels[mine[s]])
                wrong = wrong | weights_of_sample(work, s, label, samples, classes, data.loss, unit, size)
        else:
            find_labels(data.labels, mine, count, wide, work.labels)
            for s in range(samples):
                wrong = wrong | weights_of_eight(work, s, samples, classes, data.loss, unit, size)
        add_scores(data.scaled, data.scaled_flat, mine, count, data.features, work.z_each, classes, wide, work.g)
    heaviest = splat(0.0)
    for c in range(classes):
        high = load(work.highest, c) if wide else largest(load(work.highest, c))
        heaviest = maximum(heaviest, high)
        if own:
            wrong = wrong | unlike(high)
        elif mode == COORDINATE:  # with room for what `high` is not: the exponent of the heaviest weight
            order = select(high > 2.0 ** (HEADROOM - 24), np.inf, select(high < 2.0 ** (24 - UNSEEN), -np.inf, unit))
            wrong = wrong | needs_care(order, high > np.inf, span, load(runs.fade[r], 0))
    squared = splat(0.0)
    if mode == BATCH:
        squared = square_length(work.g[: data.d if wide else runs.w.shape[1]], wide)
        wrong = wrong | unlike(heaviest) | (squared < LIGHT * LIGHT)
    return not any_lane(wrong), squared


@hot
def unlike(high):
    """Whether weights whose largest is this are far from their unit."""
    return (high > 2.0**GUESSED) | (high < 2.0**-GUESSED)


@helper
def class_curvature(data, runs, rows, size, r):
    """The diagonal of the Hessian of a batch whose weights are known, in work.g and the units of the states: what a
    gradient is with the squares of the rows, and s (1 - s) in the place of the weights."""
    work, samples = runs.work, size if runs.wide else -(-size // LANES)
    for k in range(data.classes * samples):
        store(work.f_each, k, absolute(load(work.f_each, k)))
    if data.loss == LOGISTIC:
        bend(work, samples, data.classes)
    sum_classes(COORDINATE, with_squares(data), runs, rows, size, r)


@hot
def of_class(c, count):
    """Where the part of class c is in an array (classes * count, 8)."""
    return slice(c * count, (c + 1) * count)


@hot
def weigh_classes(data, runs, index, size, r):
    """Scores of the batch, margins, and weights f 2^q of every class, with their signs."""
    work, wide = runs.work, runs.wide
    samples = size if wide else -(-size // LANES)
    find_labels(data.labels, index, size, wide, work.labels)
    known = data.source != ROWS
    if known:  # frozen margins come with a single run
        every = line_of(data.frozen)
        for c in range(data.classes):
            line = line_of(work.z_each[of_class(c, samples)])
            for k in range(samples * LANES):
                line[k] = every[c * data.labels.shape[0] + index[min(k, size - 1)]]
    else:
        scores(
            data.rows, data.flat, index, size, data.features, runs.w[r], data.classes, wide, work.turned, work.z_each
        )
    most = softmax(work, samples, data.classes, data.loss, known, runs.tells, split_exp)
    if any_lane(most > FAR):
        far_softmax(work, samples, data.classes, data.loss, runs.tells)


@inlined
def sum_classes(mode, data, runs, rows, size, r):
    """The mean gradient from the weights, in work.g; ||g||^2 is returned."""
    wide, work = runs.wide, runs.work
    samples, per = size if wide else -(-size // LANES), data.width if wide else data.rows.shape[1]
    spread_limit = -1.0 if data.uneven else float(SPREAD) if data.has_zeros else np.inf
    squared, moved = splat(0.0), splat(0.0)
    highest, lowest = splat(-np.inf), splat(np.inf)
    if mode == BATCH:  # one unit for all classes
        for c in range(data.classes):
            high, low = spread_of(work, c, samples, size, wide)
            highest, lowest = maximum(highest, high), minimum(lowest, low)
    for c in range(data.classes):
        high, low = spread_of(work, c, samples, size, wide)
        apart = high - low > spread_limit
        if mode == COORDINATE:
            moved = moved + in_units_of_class(data, runs, rows, size, r, c, high, apart)
            continue
        add_up(data, work, rows, size, wide, c, splat(0.0) if mode == TRUE else highest if mode == BATCH else high)
        if mode == CLASSES:
            store(runs.origin[r], c * per, high)
        if mode == SAMPLES:
            squares = work.squares[of_class(c, per)]
            weighted_squares(data.scaled, data.scaled_flat, rows, size, work.weight, wide, squares)
            if any_lane(apart):
                f, q = work.f_each[of_class(c, samples)], work.q_each[of_class(c, samples)]
                by_coordinate(data, runs, rows, size, f, q, c * data.width, data.width, apart)
    if mode == BATCH:
        store(runs.span[r], LEAST, highest)
        squared = square_length(work.g[: data.d if wide else runs.w.shape[1]], wide)
        light = squared < LIGHT * LIGHT
        if data.uneven:
            light = light | (highest - lowest > spread_limit)
        if any_lane(light):
            f, q = work.f_each[: data.classes * samples], work.q_each[: data.classes * samples]
            squared = in_common_units(data, runs, rows, size, f, q, squared, light)
    if any_lane(moved > 0.0):
        set_spans(data, runs, r, moved > 0.0)
    return squared


@hot
def spread_of(work, c, samples, size, wide):
    """The largest and the least exponent of the weights of a class, of each run."""
    q = work.q_each[of_class(c, samples)]
    return spread((load(q, 0), load(q, 0)), q, size, wide)


@hot
def add_up(data, work, index, size, wide, c, unit):
    """The mean gradient of a class, in units of 2^unit."""
    samples, per = size if wide else -(-size // LANES), data.width if wide else data.rows.shape[1]
    f, q, share = work.f_each[of_class(c, samples)], work.q_each[of_class(c, samples)], -1.0 / size
    for s in range(samples):
        store(work.weight, s, load(f, s) * pow2_lanes(load(q, s) - unit) * share)
    weighted_sum(data.scaled, data.scaled_flat, index, size, work.weight, wide, work.g[of_class(c, per)])


@hot
def in_units_of_class(data, runs, index, size, r, c, high, apart):
    """The mean gradient of a class, coordinate j in units of 2^expo[j]; 1 for the runs in which some may have moved."""
    work, wide, span = runs.work, runs.wide, runs.span[r]
    samples, per = size if wide else -(-size // LANES), data.width if wide else data.rows.shape[1]
    f, q = work.f_each[of_class(c, samples)], work.q_each[of_class(c, samples)]
    care = apart
    if runs.forget:  # without memory the units are free: those of the class
        add_up(data, work, index, size, wide, c, high)
        expo, origin = runs.expo[r][of_class(c, per)], runs.origin[r][of_class(c, per)]
        for j in range(per):
            store(origin, j, high)
            store(expo, j, splat(0.0))
    else:
        care = needs_care(high, apart, span, load(runs.fade[r], 0))
        add_up(data, work, index, size, wide, c, select(care, high, load(span, LEAST)))
    if any_lane(care):
        with_care(data, runs, index, size, r, f, q, c * data.width, data.width, care, apart)
    return splat(0.0) if runs.forget else select(care, 1.0, 0.0)

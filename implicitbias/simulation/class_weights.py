"""Weights of samples and classes, from scores: in one pass in units that are known, or with exponents of their own.

The formulas are at the top of `classes`. Both ways give the same bits.
"""

import math

from implicitbias.jit import helper, hot
from implicitbias.lanes import (
    LANES,
    absolute,
    as_exponent,
    line_of,
    load,
    maximum,
    minimum,
    pow2_lanes,
    select,
    splat,
    store,
)
from implicitbias.simulation.tail import EXPONENTIAL, FAR, MOST, split_exp, split_exp_far

# The largest exponent of e^(-z), and binary orders by which weights may differ from the unit that was guessed: both
# together are one of a float64.
WORST, GUESSED = 700.0, 200.0


@hot
def find_labels(labels, index, size, wide, found):
    """The labels of the batch, laid out as its margins; what fills the last chunk of samples is as in `margins`."""
    if wide:
        for k in range(size):
            store(found, k, splat(labels[index[k]]))
        return
    line, whole = line_of(found), size - size % LANES
    for k in range(size):
        line[k] = labels[index[k]]
    if whole < size:
        for k in range(size, whole + LANES):
            line[k] = labels[index[whole]]


@hot
def weights_of_eight(work, s, samples, classes, loss, unit, size):
    """The weights of the classes in eight samples, in their units and over size, in the place of their scores. Returns
    whether they are wrong: too large for the unit, or of margins beyond `FAR`."""
    z, label, own = work.z_each, load(work.labels, s), splat(0.0)
    for c in range(classes):
        own = select(label == float(c), load(z, c * samples + s), own)
    heaviest, lightest, total = splat(-MOST), splat(0.0), splat(0.0)
    low, bias = unit - 1023.0, (1023.0 + 2.0**52) - unit
    for c in range(classes):
        at, mine = c * samples + s, label == float(c)
        f, power = split_exp(load(z, at) - own)
        weight = select(mine, 0.0, f * as_exponent(maximum(power, low) + bias))
        store(z, at, weight)
        total = total + weight
        heaviest = maximum(heaviest, select(mine, -MOST, power))
        lightest = minimum(lightest, power)
    top, over = normalise(heaviest, total, loss, unit)
    rate, whole = pow2_lanes(-top) * (1.0 / size), -(total * over)
    for c in range(classes):
        at = c * samples + s
        weight = select(label == float(c), whole, load(z, at) * over) * rate * load(work.factor, c)
        store(z, at, weight)
        store(work.highest, c, maximum(load(work.highest, c), absolute(weight)))
    return (heaviest > WORST) | (lightest < -FAR) | (heaviest - top - unit > GUESSED)


@hot
def weights_of_sample(work, s, label, samples, classes, loss, unit, size):
    """The same for one sample of eight runs: all of them know its label, which needs no weight."""
    z, own = work.z_each, load(work.z_each, label * samples + s)
    heaviest, lightest, total = splat(-MOST), splat(0.0), splat(0.0)
    low, bias = unit - 1023.0, (1023.0 + 2.0**52) - unit
    for c in range(classes):
        if c != label:
            f, power = split_exp(load(z, c * samples + s) - own)
            weight = f * as_exponent(maximum(power, low) + bias)
            store(z, c * samples + s, weight)
            total = total + weight
            heaviest = maximum(heaviest, power)
            lightest = minimum(lightest, power)
    top, over = normalise(heaviest, total, loss, unit)
    rate = pow2_lanes(-top) * (1.0 / size)
    store(z, label * samples + s, -total)
    for c in range(classes):
        weight = load(z, c * samples + s) * over * rate * load(work.factor, c)
        store(z, c * samples + s, weight)
        store(work.highest, c, maximum(load(work.highest, c), absolute(weight)))
    return (heaviest > WORST) | (lightest < -FAR) | (heaviest - top - unit > GUESSED)


@hot
def normalise(heaviest, total, loss, unit):
    """(top, over): weights e^-z in `unit`s with this total are over 2^-top times as large as sample weights."""
    if loss == EXPONENTIAL:
        return splat(0.0), splat(1.0)
    top = maximum(heaviest, 0.0)
    return top, 1.0 / (pow2_lanes(-top) + total * pow2_lanes(unit - top))


@helper
def far_softmax(work, samples, classes, loss, tells):
    softmax(work, samples, classes, loss, True, tells, split_exp_far)


@hot
def softmax(work, samples, classes, loss, known, tells, split):
    """Scores become margins, unless these are `known`; then the weights of all classes and of each sample as a whole.
    Returns the largest size of a margin."""
    z, f, q = work.z_each, work.f_each, work.q_each
    most = splat(0.0)
    for s in range(samples):
        label, own = load(work.labels, s), splat(0.0)
        if not known:
            for c in range(classes):
                own = select(label == float(c), load(z, c * samples + s), own)
        heaviest = splat(-MOST)  # of the pairs
        for c in range(classes):
            at = c * samples + s
            margin = load(z, at) if known else own - load(z, at)
            mine = label == float(c)
            store(z, at, margin)
            most = maximum(most, select(mine, 0.0, absolute(margin)))
            part = split(-select(mine, 0.0, margin))
            power = select(mine, -MOST, part[1])
            store(f, at, select(mine, 0.0, part[0]))
            store(q, at, power)
            heaviest = maximum(heaviest, power)
        total = splat(0.0)  # in units of the heaviest
        for c in range(classes):
            at = c * samples + s
            total = total + load(f, at) * pow2_lanes(load(q, at) - heaviest)
        # 1 + sum_c e^-z_c = rest 2^top
        top = maximum(heaviest, 0.0) if loss != EXPONENTIAL else splat(0.0)
        over = splat(1.0)
        if loss != EXPONENTIAL:
            over = 1.0 / (pow2_lanes(-top) + total * pow2_lanes(heaviest - top))
        whole, power, own = total * over, heaviest - top, pow2_lanes(-top) * over
        for c in range(classes):
            at, mine = c * samples + s, label == float(c)
            store(z, at, select(mine, own, load(z, at)))  # the softmax of the label, for `bend`
            store(f, at, select(mine, whole, -(load(f, at) * over)))
            store(q, at, select(mine, power, load(q, at) - top))
        store(work.f, s, whole)
        store(work.q, s, power)
        if tells == 2:
            store(work.z, s, total)
            soften(work.z[s], heaviest, work.room)
    return most


@helper
def soften(z, heaviest, room):
    """The soft margin -log(z 2^heaviest) in the place of z (8,)."""
    store(room, 0, heaviest)
    for lane in range(LANES):
        z[lane] = -(math.log(z[lane]) + room[0, lane] * math.log(2.0))


@helper
def bend(work, samples, classes):
    """s (1 - s) in the place of the weights s. What is left of a probability are the other ones, which add up without
    cancelling."""
    z, f, q = work.z_each, work.f_each, work.q_each
    for s in range(samples):
        label, own = load(work.labels, s), splat(0.0)
        for c in range(classes):
            own = select(label == float(c), load(z, c * samples + s), own)
        for c in range(classes):
            rest = own
            for other in range(classes):
                if other != c:
                    at = other * samples + s
                    part = load(f, at) * pow2_lanes(load(q, at))
                    rest = rest + select(label == float(other), 0.0, part)
            store(z, c * samples + s, select(label == float(c), own, rest))
        for c in range(classes):
            at = c * samples + s
            store(f, at, load(f, at) * load(z, at))

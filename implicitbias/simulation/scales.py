"""Units: which power of two each number of a step is stored in.

A step kernel sees the gradient and its own state in units of a power of two, chosen here:

    TRUE        2^0; for updates proportional to the gradient (SGD, momentum): once the gradient underflows, the step is
                below half an ulp of w
    BATCH       the largest weight of the batch; for updates that depend on the gradient's direction only (NGD)
    COORDINATE  2^expo[j], one exponent per coordinate, following the state; for updates that divide one state by
                another (Adam) or take its sign (Signum), coordinate by coordinate. On sparse rows a coordinate may be
                seen by one sample only, exponentially lighter than the others, and its m/sqrt(v) is still of order one.
    SAMPLES     the largest weight of the batch, coordinate by coordinate on sparse rows; for updates without state
                that divide g by the root of `squares` (AdamProxy). expo is not kept
    CLASSES     the largest weight of each class in the batch, told as the origin of its coordinates; for updates that
                see a matrix with a row for each class, and keep what they remember in units of their own

A state of degree k (m: 1, v: 2) is stored as state * 2^(-k expo[j]). Scaling by powers of two is exact, so w does not
depend on when it happens. The last state is the one that the others are divided by (v), or the only one: the exponents
follow it, and not m, which may cancel to nothing or, for beta1 > sqrt(beta2), outgrow it up to the end of float64.

In the common case all exponents of a run are equal and the scale costs one multiplication per sample; the functions
below do the rest, one run at a time. They find coordinate j of run `lane` of a group at `place(wide, lane, j)`, see
products.py.

Two more powers of two keep this right at the ends of float64. Gradients are added up from rows over 2^shift, which
brings tiny and huge rows to where their squares have room; rows too uneven for one shift (`level`) are added up one
coordinate at a time, as sparse rows are where weights lie far apart. And from |q| = 2^53 on float64 counts exponents in
steps of two and more, while a state moves in steps of one: the exponent of a unit is origin[j] + expo[j], with an
origin of 0 up to there, and beyond it the exponent that the unit began with.
"""

from collections import namedtuple

import numpy as np

from implicitbias.jit import helper, hot
from implicitbias.lanes import absolute, largest, load, maximum, minimum, select, splat, total
from implicitbias.simulation.tail import exponent, pow2, times_pow2, times_pow2_lanes

TRUE, BATCH, COORDINATE, SAMPLES, CLASSES = 0, 1, 2, 3, 4

# Binary orders of magnitude. Squares must stay within 2^+-1022 with room for the rows' own size: a gradient may exceed
# the scale of its coordinate by 2^HEADROOM; one lighter than 2^-SPREAD needs a look at each coordinate, which may have
# nothing heavier.
HEADROOM = 256
SPREAD = 300
LIGHT = 2.0**-SPREAD
# The rows' own size. Entries from 2^-ORDINARY to 2^ORDINARY, the ends of float32, stay as they are; others are brought
# to at most 1, and then down to 2^-UNEVEN: the square of a term, 2^-2(SPREAD + UNEVEN), is still there.
ORDINARY = 128
UNEVEN = 200
# While a coordinate has no state yet, weights this light need a look at each: a sum may cancel by 2^-53 more.
UNSEEN = SPREAD - UNEVEN
# Exponents of a run are made equal again when its coordinates are within 2^UNIFORM of each other, and moved only when
# the state has drifted by more than 2^DRIFT, so that moving is rare.
UNIFORM = 200
DRIFT = 64
# The same in squares, for a look in lanes that may ask for too much and never for too little.
FAR, NEAR, WIDE = 4.0**DRIFT, 4.0 ** (1 - DRIFT), 4.0 ** (UNIFORM - 1)
# Between two renormalisations, at most PERIOD steps apart, the state may decay by this much.
DECAY = 64
PERIOD = 64

# What `span` says about the exponents of a run: the least, the largest, and whether every coordinate that any row
# touches has a state. Once that is so and the exponents are equal, a gradient too light for their scale is too light
# for every state (UNIFORM + DRIFT + DECAY < 511, the half of the exponent range), and may underflow.
LEAST, LARGEST, SETTLED = 0, 1, 2

NOTHING = -1023  # the binary order of zero
EXACT = 2.0**52  # exponents up to here are counted in ones, with room for the moves of a unit

# What a step may ask: the exponents of the units of g and of the states are expo + origin + shift.
Units = namedtuple("Units", "expo origin shift")


def level(rows: np.ndarray) -> tuple[int, bool]:
    """(shift, uneven): the power of two by which rows (n, d) are divided before gradients are added up, 0 for numbers
    of ordinary size, and whether no power of two makes all of them so."""
    _, above = np.frexp(rows[rows != 0.0])
    low, high = int(above.min()) - 1, int(above.max())
    if low >= -ORDINARY and high <= ORDINARY:
        return 0, False
    return (high, False) if high - low <= UNEVEN else (0, True)


@hot
def in_units(x, units, c, degree, high=0.0):
    """x 2^high >= 0, a number in lanes that is added to a state of this degree, in the units of chunk c."""
    # high and origin may be large: their difference comes first
    power = (high - degree * load(units.origin, c)) - degree * (load(units.expo, c) + units.shift)
    return select(x > 0.0, times_pow2_lanes(x, power), 0.0)  # 0 inf is not 0


@hot
def moderate(rate):
    """(x, y) with x y = rate, y a power of two, for a rate near the ends of float64: a product with x does not leave
    it before the quotient that it is divided in. In the middle y = 1."""
    low, high = rate < 2.0**-600, rate > 2.0**600
    x = select(low, rate * 2.0**600, select(high, rate * 2.0**-600, rate))
    return x, select(low, 2.0**-600, select(high, 2.0**600, 1.0))


@hot
def place(wide, lane, j):
    """Chunk and lane of coordinate j of run `lane`."""
    return (j, lane) if wide else (j >> 3, j & 7)


@helper
def move(state, degrees, expo, at, steps):
    """Raise the exponent of a coordinate, its state along with it."""
    c, lane = at
    for s in range(state.shape[0]):
        if state[s, c, lane] != 0.0:  # an empty state may move by any distance: 0 inf is not 0
            state[s, c, lane] = times_pow2(state[s, c, lane], -degrees[s] * steps)
    expo[c, lane] += steps


@helper
def set_unit(state, degrees, expo, origin, at, power, order):
    """Give a coordinate units of 2^(power + order), its state along with it. `power` may be large, `order` is not."""
    move(state, degrees, expo, at, (power - origin[at]) - expo[at] + order)
    origin[at] = power if abs(power) >= EXACT else 0.0
    expo[at] = power - origin[at] + order


@helper
def magnitude(state, degrees, at):
    """Binary order of the last state of a coordinate in its present units, per degree; NOTHING if it is zero."""
    c, lane = at
    last = state.shape[0] - 1
    return exponent(state[last, c, lane]) // degrees[last] if state[last, c, lane] != 0.0 else NOTHING


@helper
def align(x, power, order, state, degrees, expo, origin, at, fade, forget):
    """A number x of the gradient, in units of 2^(power + order), in the units of the state of its coordinate. They move
    if the number is too heavy for them, or too light and the last state, a step and its `fade` later, is nothing beside
    it."""
    if x == 0.0:
        return x
    c, lane = at
    if forget:
        state[:, c, lane] = 0.0
        origin[at], expo[at] = power, order
        return x
    height = (power - origin[at]) - expo[at] + order + exponent(x)
    if height < -SPREAD:
        size = magnitude(state, degrees, at)
        if size == NOTHING or height - (size + fade) > HEADROOM:
            # on the way down, what is nothing beside x could pass the end of float64 and come back as 0 inf
            state[state.shape[0] - 1, c, lane] = 0.0
            height = np.inf
    if height > HEADROOM:
        set_unit(state, degrees, expo, origin, at, power, order)
    return times_pow2(x, (power - origin[at]) - expo[at] + order)


@helper
def set_span(expo, origin, span, wide, lane, d):
    low, high = np.inf, -np.inf
    for j in range(d):
        at = place(wide, lane, j)
        low = min(low, expo[at])
        high = max(high, expo[at])
        if origin[at] != 0.0:  # never one for all: each coordinate is looked at
            low, high = -np.inf, np.inf
    for k in range(8):
        if not wide or k == lane:
            span[LEAST, k] = low
            span[LARGEST, k] = high


@helper
def renormalise(state, degrees, expo, origin, span, columns, wide, lane, d):
    """Let the exponents of a run follow its state: one for all coordinates if they allow it, else each its own."""
    low, high = np.inf, -np.inf
    seen = 0
    for j in range(d):
        at = place(wide, lane, j)
        size = magnitude(state, degrees, at)
        if size > NOTHING:
            seen += 1
            low = min(low, origin[at] + expo[at] + size)
            high = max(high, origin[at] + expo[at] + size)
    if high < low:  # no state anywhere yet
        return
    if high - low <= UNIFORM and max(abs(low), abs(high)) < EXACT:
        if span[LEAST, lane] != span[LARGEST, lane] or abs(high - span[LEAST, lane]) > DRIFT:
            for j in range(d):
                set_unit(state, degrees, expo, origin, place(wide, lane, j), high, 0)
    else:
        for j in range(d):
            at = place(wide, lane, j)
            size = magnitude(state, degrees, at)
            if size == NOTHING:  # never seen, or gone: follows the others
                set_unit(state, degrees, expo, origin, at, high, 0)
            elif abs(size) > DRIFT:
                move(state, degrees, expo, at, size)
    set_span(expo, origin, span, wide, lane, d)
    for k in range(8):
        if not wide or k == lane:
            span[SETTLED, k] = 1.0 if seen == columns else 0.0


@hot
def drifted(state, degrees, span, columns, wide):
    """The runs that `renormalise` would change, and perhaps a few more: a look at all runs of a group at once."""
    high, low, seen = splat(0.0), splat(np.inf), splat(0.0)
    last = state.shape[0] - 1
    for c in range(state.shape[1]):
        size = absolute(load(state[last], c))
        size = size * size if degrees[last] == 1 else size
        high = maximum(high, size)
        low = minimum(low, select(size > 0.0, size, np.inf))
        seen = seen + select(size > 0.0, 1.0, 0.0)
    if not wide:
        high, low, seen = largest(high), -largest(-low), total(seen)
    far = (high > FAR) | ((high < NEAR) & (high > 0.0)) | (high > low * WIDE)
    settled = select(seen == float(columns), 1.0, 0.0)
    apart = load(span, LEAST) < load(span, LARGEST)
    return far | apart | (settled < load(span, SETTLED)) | (settled > load(span, SETTLED))


@hot
def light_gradient(data, index, size, f, q, wide, lane, j):
    """(g_j, sum of the squares of its terms, power, order) of one run, from the mean over the batch of -s_i a_i. Units
    are 2^(power + order) and its square, with the q of the heaviest term s_i a_ij as power and, for uneven rows, the
    exponent of its a_ij as order: not their sum, where a large q would swallow the other. All 0 if no row of the batch
    touches j."""
    flat, power, order, found = data.scaled_flat, 0.0, 0, False
    for k in range(size):
        a = flat[index[k], j]
        if a != 0.0:
            own, own_order = q[place(wide, lane, k)], exponent(a) if data.uneven else 0
            if not found or (own - power) + (own_order - order) > 0.0:
                power, order, found = own, own_order, True
    if not found:  # as a rule, on sparse rows
        return 0.0, 0.0, 0.0, 0
    total, squares = light_terms(flat, data.uneven, index, size, f, q, wide, lane, j, power, order)
    return total, squares, power, order


@helper
def light_terms(flat, uneven, index, size, f, q, wide, lane, j, power, order):
    total, squares = 0.0, 0.0
    for k in range(size):
        a = flat[index[k], j]
        if a != 0.0:
            at, own_order = place(wide, lane, k), 0
            if uneven:
                own_order = exponent(a)
                a = times_pow2(a, -own_order)
            part = f[at] * a * pow2((q[at] - power) + (own_order - order)) / size
            total -= part
            squares += part * part
    return total, squares


@hot
def needs_care(high, apart, span, fade):
    """The runs whose gradient may not be taken in the units of their state in one go: see HEADROOM and SPREAD, and
    those with weights too far `apart`."""
    unit = load(span, LEAST)
    care = (unit < load(span, LARGEST)) | (high - unit > float(HEADROOM))
    return apart | care | ((unit - high > float(UNSEEN)) & ((load(span, SETTLED) == 0.0) | (fade < -float(DECAY))))

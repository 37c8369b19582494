"""Units: which power of two each number of a step is stored in.

A step kernel sees the gradient and its own state in units of a power of two, chosen here:

    TRUE        2^0; for updates proportional to the gradient (SGD, momentum): once the gradient underflows, the step is
                below half an ulp of w
    BATCH       the largest weight of the batch; for updates that depend on the gradient's direction only (NGD)
    COORDINATE  2^expo[j], one exponent per coordinate, following the state; for updates that divide one state by
                another (Adam) or take its sign (Signum), coordinate by coordinate. On sparse rows a coordinate may be
                seen by one sample only, exponentially lighter than the others, and its m/sqrt(v) is still of order one.
    SAMPLES     the largest weight of the batch, coordinate by coordinate on sparse rows; for updates without state
                that divide g by the root of `squares` (AdamProxy). expo and inverse are not kept

A state of degree k (m: 1, v: 2) is stored as state * 2^(-k expo[j]). Scaling by powers of two is exact, so w does not
depend on when it happens. In the common case all exponents of a run are equal and the scale costs one multiplication
per sample; the functions below do the rest, one run at a time. They find coordinate j of run `lane` of a group at
`place(wide, lane, j)`, see products.py.
"""

import numpy as np

from implicitbias.jit import helper, hot
from implicitbias.lanes import absolute, largest, load, maximum, minimum, select, splat, total
from implicitbias.simulation.tail import exponent, pow2

TRUE, BATCH, COORDINATE, SAMPLES = 0, 1, 2, 3

# Binary orders of magnitude. Squares must stay within 2^+-1022 with room for the rows' own size: a gradient may exceed
# the scale of its coordinate by 2^HEADROOM; one lighter than 2^-SPREAD needs a look at each coordinate, which may have
# nothing heavier.
HEADROOM = 256
SPREAD = 300
LIGHT = 2.0**-SPREAD
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

LIGHTEST = -(2.0**62)
NOTHING = -1023  # the binary order of zero


@hot
def place(wide, lane, j):
    """Chunk and lane of coordinate j of run `lane`."""
    return (j, lane) if wide else (j >> 3, j & 7)


@helper
def set_scale(state, degrees, expo, inverse, at, new, forget):
    """Move a coordinate to exponent `new`, its state along with it."""
    c, at_lane = at
    shift = int(expo[c, at_lane] - new)
    for s in range(state.shape[0]):
        # an empty state may move by any distance: 0 * inf is not 0
        old = state[s, c, at_lane]
        state[s, c, at_lane] = 0.0 if forget or old == 0.0 else old * pow2(degrees[s] * shift)
    expo[c, at_lane] = new
    inverse[c, at_lane] = pow2(int(-new))


@helper
def magnitude(state, degrees, at):
    """Binary order of the state of a coordinate in its present units, per degree; NOTHING if it is zero."""
    c, at_lane = at
    size = NOTHING
    for s in range(state.shape[0]):
        if state[s, c, at_lane] != 0.0:
            size = max(size, exponent(state[s, c, at_lane]) // degrees[s])
    return size


@helper
def align(x, own, state, degrees, expo, inverse, at, forget):
    """A number x of the gradient, in units of 2^own, in the units 2^expo of the state of its coordinate."""
    if x == 0.0:
        return x
    above = own - expo[at]
    if above < -SPREAD:  # lighter than the scale, but is the state too?
        size = magnitude(state, degrees, at)
        above = HEADROOM + 1.0 if size == NOTHING else above - size
    if forget or above > HEADROOM:
        set_scale(state, degrees, expo, inverse, at, own, forget)
    return x * pow2(int(own - expo[at]))


@helper
def set_span(expo, span, wide, lane, d):
    low, high = np.inf, -np.inf
    for j in range(d):
        at = place(wide, lane, j)
        low = min(low, expo[at])
        high = max(high, expo[at])
    for k in range(8):
        if not wide or k == lane:
            span[LEAST, k] = low
            span[LARGEST, k] = high


@helper
def renormalise(state, degrees, expo, inverse, span, columns, wide, lane, d):
    """Let the exponents of a run follow its state: one for all coordinates if they allow it, else each its own."""
    low, high = np.inf, -np.inf
    seen = 0
    for j in range(d):
        at = place(wide, lane, j)
        size = magnitude(state, degrees, at)
        if size > NOTHING:
            seen += 1
            low = min(low, expo[at] + size)
            high = max(high, expo[at] + size)
    if high < low:  # no state anywhere yet
        return
    if high - low <= UNIFORM:
        if span[LEAST, lane] != span[LARGEST, lane] or abs(high - span[LEAST, lane]) > DRIFT:
            for j in range(d):
                set_scale(state, degrees, expo, inverse, place(wide, lane, j), high, False)
    else:
        for j in range(d):
            at = place(wide, lane, j)
            size = magnitude(state, degrees, at)
            if size == NOTHING:  # never seen, or gone: follows the others
                set_scale(state, degrees, expo, inverse, at, high, False)
            elif abs(size) > DRIFT:
                set_scale(state, degrees, expo, inverse, at, expo[at] + size, False)
    set_span(expo, span, wide, lane, d)
    for k in range(8):
        if not wide or k == lane:
            span[SETTLED, k] = 1.0 if seen == columns else 0.0


@hot
def drifted(state, degrees, span, columns, wide):
    """The runs that `renormalise` would change, and perhaps a few more: a look at all runs of a group at once."""
    high, low, seen = splat(0.0), splat(np.inf), splat(0.0)
    for c in range(state.shape[1]):
        size = splat(0.0)  # squared
        for s in range(state.shape[0]):
            part = absolute(load(state[s], c))
            size = maximum(size, part * part if degrees[s] == 1 else part)
        high = maximum(high, size)
        low = minimum(low, select(size > 0.0, size, np.inf))
        seen = seen + select(size > 0.0, 1.0, 0.0)
    if not wide:
        high, low, seen = largest(high), -largest(-low), total(seen)
    far = (high > FAR) | ((high < NEAR) & (high > 0.0)) | (high > low * WIDE)
    settled = select(seen == float(columns), 1.0, 0.0)
    apart = load(span, LEAST) < load(span, LARGEST)
    return far | apart | (settled < load(span, SETTLED)) | (settled > load(span, SETTLED))


@helper
def light_gradient(flat, index, size, f, q, wide, lane, j):
    """(g_j, sum of the squares of its terms, own) of one run, from the mean over the batch of -s_i a_i, in units of
    2^own and 2^(2 own): the heaviest sample of the batch that touches coordinate j."""
    own = LIGHTEST
    for k in range(size):
        if flat[index[k], j] != 0.0:
            own = max(own, q[place(wide, lane, k)])
    total, squares = 0.0, 0.0
    for k in range(size):
        if flat[index[k], j] != 0.0:
            at = place(wide, lane, k)
            part = f[at] * pow2(int(q[at] - own)) * flat[index[k], j] / size
            total -= part
            squares += part * part
    return total, squares, own


@hot
def needs_care(high, low, span, has_zeros):
    """The runs whose gradient may not be taken in the units of their state in one go: see HEADROOM and SPREAD."""
    unit = load(span, LEAST)
    care = (unit < load(span, LARGEST)) | (high - unit > float(HEADROOM))
    care = care | ((unit - high > float(SPREAD)) & (load(span, SETTLED) == 0.0))
    return care | (high - low > float(SPREAD)) if has_zeros else care

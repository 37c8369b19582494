"""The block driver: R runs that share data and batch order, advanced together, with no Python per step.

For every step and run: margins of the batch, sample weights as f 2^q, the mean gradient, then the optimizer's step,

    step(w, g, squares, z, f, q, size, loss, state, hyper, lr, t, expo, inverse)

which updates w and its state in place. g (d,) is the mean gradient; z[:size] are the margins of the batch and f 2^q
their weights, of which `tail.mean_loss` makes its loss; squares (d,) is the sum of the squared gradients of its rows,
filled in mode SAMPLES only; expo, inverse (d,) are the exponents of the units and 2^-expo.

Scales. A step kernel sees the gradient and its own state in units of a power of two, chosen here:

    TRUE        2^0; for updates proportional to the gradient (SGD, momentum): once the gradient underflows, the step is
                below half an ulp of w
    BATCH       the largest weight of the batch; for updates that depend on the gradient's direction only (NGD)
    COORDINATE  2^expo[j], one exponent per coordinate, following the state; for updates that divide one state by
    another
                (Adam) or take its sign (Signum), coordinate by coordinate. On sparse rows a coordinate may be seen by
                one sample only, exponentially lighter than the others, and its m/sqrt(v) is still of order one.
    SAMPLES     the largest weight of the batch, coordinate by coordinate on sparse rows; for updates without state
                that divide g by the root of `squares` (AdamProxy). expo and inverse are not kept

A state of degree k (m: 1, v: 2) is stored as state * 2^(-k expo[j]). Scaling by powers of two is exact, so w does not
depend on when it happens. In the common case all exponents of a run are equal and the scale costs one multiplication
per sample; see `align` and `renormalise` for the rest.
"""

import numpy as np

from implicitbias.jit import helper, inlined
from implicitbias.simulation.orders import load_batch
from implicitbias.simulation.tail import exponent, pow2, sample_weight

TRUE, BATCH, COORDINATE, SAMPLES = 0, 1, 2, 3

# Binary orders of magnitude. Squares must stay within 2^+-1022 with room for the rows' own size: a gradient may exceed
# the scale of its coordinate by 2^HEADROOM; one lighter than 2^-SPREAD needs a look at each coordinate, which may have
# nothing heavier.
HEADROOM = 256
SPREAD = 300
# Exponents of a run are made equal again when its coordinates are within 2^UNIFORM of each other, and moved only when
# the state has drifted by more than 2^DRIFT, so that moving is rare.
UNIFORM = 200
DRIFT = 64
# Between two renormalisations the state may decay by this much (see `simulate`, which sets their period).
DECAY = 64

# What `span` says about the exponents of a run: the least, the largest, and whether every coordinate that any row
# touches has a state. Once that is so and the exponents are equal, a gradient too light for their scale is too light
# for every state (UNIFORM + DRIFT + DECAY < 511, the half of the exponent range), and may underflow.
LEAST, LARGEST, SETTLED = 0, 1, 2

LIGHTEST = -(2**62)


@helper
def set_scale(state, degrees, expo, inverse, j, new, forget):
    """Move coordinate j to exponent `new`, its state along with it."""
    shift = expo[j] - new
    for s in range(state.shape[0]):
        # an empty state may move by any distance: 0 * inf is not 0
        state[s, j] = 0.0 if forget or state[s, j] == 0.0 else state[s, j] * pow2(degrees[s] * shift)
    expo[j] = new
    inverse[j] = pow2(-new)


@helper
def align(g, own, state, degrees, expo, inverse, forget):
    """Bring gradient g, coordinate j in units of 2^own[j], to the units 2^expo[j] of the state."""
    for j in range(g.shape[0]):
        if g[j] != 0.0:
            above = own[j] - expo[j]
            if above < -SPREAD:  # lighter than the scale, but is the state too?
                size = magnitude(state, degrees, j)
                above = HEADROOM + 1 if size == -1023 else above - size
            if forget or above > HEADROOM:
                set_scale(state, degrees, expo, inverse, j, own[j], forget)
            g[j] *= pow2(own[j] - expo[j])


@helper
def renormalise(state, degrees, expo, inverse, span, columns):
    """Let the exponents follow the state: one exponent for all coordinates if they allow it, else each its own."""
    low, high = np.int64(2**62), np.int64(-(2**62))
    seen = 0
    for j in range(expo.shape[0]):
        size = magnitude(state, degrees, j)
        if size > -1023:
            seen += 1
            low = min(low, expo[j] + size)
            high = max(high, expo[j] + size)
    if high < low:  # no state anywhere yet
        return
    if high - low <= UNIFORM:
        if span[LEAST] != span[LARGEST] or abs(high - span[LEAST]) > DRIFT:
            for j in range(expo.shape[0]):
                set_scale(state, degrees, expo, inverse, j, high, False)
    else:
        for j in range(expo.shape[0]):
            size = magnitude(state, degrees, j)
            if size == -1023:  # never seen, or gone: follows the others
                set_scale(state, degrees, expo, inverse, j, high, False)
            elif abs(size) > DRIFT:
                set_scale(state, degrees, expo, inverse, j, expo[j] + size, False)
    span[LEAST] = expo.min()
    span[LARGEST] = expo.max()
    span[SETTLED] = seen == columns


@helper
def magnitude(state, degrees, j):
    """Binary order of the state of coordinate j in its present units, per degree; -1023 if it is zero."""
    size = -1023
    for s in range(state.shape[0]):
        if state[s, j] != 0.0:
            size = max(size, exponent(state[s, j]) // degrees[s])
    return size


@helper
def mean_gradient(rows, index, start, size, f, q, unit, g):
    """g = mean of -s_i a_i over the batch, in units of 2^unit."""
    g[:] = 0.0
    for k in range(size):
        weight = f[k] * pow2(q[k] - unit) / size
        if weight != 0.0:
            row = rows[index[start + k]]
            for j in range(g.shape[0]):
                g[j] -= weight * row[j]


@helper
def mean_gradient_by_coordinate(rows, index, start, size, f, q, own, g):
    """As `mean_gradient`, with coordinate j in units of 2^own[j]: its heaviest sample in this batch."""
    own[:] = LIGHTEST
    for k in range(size):
        row = rows[index[start + k]]
        for j in range(g.shape[0]):
            own[j] = max(own[j], q[k] if row[j] != 0.0 else LIGHTEST)
    floor = LIGHTEST
    for j in range(g.shape[0]):
        floor = own[j] if floor == LIGHTEST or LIGHTEST < own[j] < floor else floor
    g[:] = 0.0
    for k in range(size):
        if q[k] < floor - 1022:  # nothing beside the heaviest sample of any coordinate
            continue
        row = rows[index[start + k]]
        for j in range(g.shape[0]):
            # a heavier sample that does not touch j would give inf * 0
            g[j] -= f[k] * pow2(min(q[k] - own[j], 0)) * row[j] / size


@helper
def sum_of_squares(rows, index, start, size, f, q, own, squares):
    """squares = sum of (s_i a_i)^2 over the batch, coordinate j in units of 2^(2 own[j])."""
    squares[:] = 0.0
    for k in range(size):
        row = rows[index[start + k]]
        for j in range(squares.shape[0]):
            # a heavier sample that does not touch j would give inf * 0
            part = f[k] * pow2(min(q[k] - own[j], 0)) * row[j]
            squares[j] += part * part


@inlined
def drive(
    step, mode, rows, frozen, columns, has_zeros, loss, order, seed, batch, per_epoch, first, count,
    w, state, degrees, hyper, eta, table, which, alive, expo, inverse, span, period, forget,
):  # fmt: skip
    """Advance every living run of the block by `count` steps, the first of them step number `first` (from 0).

    frozen (R, n) stands in for the margins, or is (0, n): the margins are rows w. rows (n, d), of whose columns
    `columns` are not zero; w (R, d); state (R, K, d) with degrees (K,); hyper (R, H); step size eta[r] *
    table[which[r], t - first]; expo, inverse (R, d): the exponents and 2^-expo; span (R, 3): see LEAST; period: steps
    between renormalisations;
    forget: the state keeps nothing from one step to the next.
    """
    n, d = rows.shape
    index = np.empty(max(n, batch), np.int64)
    z = np.empty(batch)
    f = np.empty(batch)
    q = np.empty(batch, np.int64)
    own = np.empty(d, np.int64)
    g = np.empty(d)
    squares = np.empty(d)
    for t in range(first, first + count):
        start, size = load_batch(order, seed, t, n, batch, per_epoch, t == first, index)
        for r in range(w.shape[0]):
            if not alive[r]:
                continue
            wr = w[r]
            for k in range(size):
                if frozen.shape[0] > 0:
                    z[k] = frozen[r, index[start + k]]
                else:
                    row = rows[index[start + k]]
                    total = 0.0
                    for j in range(d):
                        total += row[j] * wr[j]
                    z[k] = total
            for k in range(size):
                f[k], q[k] = sample_weight(z[k], loss)
            if mode == TRUE:
                mean_gradient(rows, index, start, size, f, q, 0, g)
            else:
                high, low = q[0], q[0]
                for k in range(1, size):
                    high = max(high, q[k])
                    low = min(low, q[k])
                if mode == BATCH:
                    mean_gradient(rows, index, start, size, f, q, high, g)
                elif mode == SAMPLES:
                    if has_zeros and high - low > SPREAD:
                        mean_gradient_by_coordinate(rows, index, start, size, f, q, own, g)
                    else:
                        mean_gradient(rows, index, start, size, f, q, high, g)
                        own[:] = high
                    sum_of_squares(rows, index, start, size, f, q, own, squares)
                else:
                    unit = span[r, LEAST]
                    apart = has_zeros and high - low > SPREAD
                    if apart:
                        mean_gradient_by_coordinate(rows, index, start, size, f, q, own, g)
                    elif (
                        forget
                        or unit != span[r, LARGEST]
                        or high - unit > HEADROOM
                        or (unit - high > SPREAD and not span[r, SETTLED])
                    ):
                        mean_gradient(rows, index, start, size, f, q, high, g)
                        own[:] = high
                        apart = True
                    else:
                        mean_gradient(rows, index, start, size, f, q, unit, g)
                    if apart:
                        align(g, own, state[r], degrees, expo[r], inverse[r], forget)
                        span[r, LEAST] = expo[r].min()
                        span[r, LARGEST] = expo[r].max()
            step(
                wr, g, squares, z, f, q, size, loss, state[r], hyper[r], eta[r] * table[which[r], t - first], t,
                expo[r], inverse[r],
            )  # fmt: skip
            if mode == COORDINATE and not forget and t % period == 0:
                renormalise(state[r], degrees, expo[r], inverse[r], span[r], columns)

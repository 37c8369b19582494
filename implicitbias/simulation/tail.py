"""Numbers past the end of float64: a sample weight s is kept as f 2^q, with f near 1 and an integer q, both
float64.

On separable data the margins z grow for ever. The weight s = -l'(z) of a sample passes 1e-308 near z = 708, its square
near z = 354, long before the direction of w has settled. With the exponent apart, nothing is lost at any margin.

A float64 knows its margin to one part in 2^53. Beyond 2^53 that is more than 1, and weights of different margins differ
by factors that nobody knows but that are huge; f is then some number near 1, and a larger margin never has the larger
weight. A margin that is not finite has the weight NaN, so that the weights of the run say so too.
"""

import math

from implicitbias.jit import bits_of_float, float_of_bits, helper, hot
from implicitbias.lanes import (
    LANES,
    absolute,
    any_lane,
    floor,
    fma,
    line_of,
    load,
    maximum,
    minimum,
    pow2_lanes,
    select,
    store,
)

LOGISTIC, EXPONENTIAL = 0, 1
LOSSES = {"logistic": LOGISTIC, "exponential": EXPONENTIAL}

LOG2_E = 1.0 / math.log(2.0)
# log 2 in two parts. An fma rounds once, so x - q * LN2_HIGH, of the order of q * LN2_LOW, is right to 2^-53 of that.
LN2_HIGH = float.fromhex("0x1.62e42fee00000p-1")
LN2_LOW = float.fromhex("0x1.a39ef35793c76p-33")


# Up to FAR, q is the nearest integer to 2^-12, and |r| at most WIDEST. The largest |q| is MOST.
FAR, WIDEST, MOST = 2.0**40, 0.35, 2.0**1023


@hot
def pow2(k):
    """2.0^k for an integer k, as int or float; 0 below the normal range (k < -1022), inf above it (k > 1023)."""
    if not k > -1023:
        return 0.0
    return float_of_bits((int(min(k, 1024)) + 1023) << 52)


@hot
def times_pow2(x, k):
    """x 2^k for an integer k, as int or float, also where 2^k is no float64."""
    most = min(max(k, -1000), 1000)
    return x * pow2(most) * pow2(k - most)


@hot
def times_pow2_lanes(x, k):
    """x 2^k for integers k, also where 2^k is no float64."""
    most = minimum(maximum(k, -1000.0), 1000.0)
    return x * pow2_lanes(most) * pow2_lanes(k - most)


@hot
def exponent(x):
    """The e with 2^e <= |x| < 2^(e+1); -1023 for zero and subnormal x."""
    return ((bits_of_float(x) >> 52) & 0x7FF) - 1023


@hot
def split_exp(x):
    """(f, q) with e^x = f 2^q and f in [0.7, 1.42), in eight lanes, for |x| < FAR: |r| <= log(2)/2 and its Taylor
    polynomial of degree 13, whose remainder is below 5e-18."""
    q = floor(fma(x, LOG2_E, 0.5))
    return _exp(fma(-q, LN2_LOW, fma(-q, LN2_HIGH, x))), q


@hot
def split_exp_far(x):
    """The same for any x, with the same bits up to FAR. Beyond, the product with LOG2_E is rounded: q is the nearest
    once more, from what is left. Beyond 2^53 no float64 may be near, and at the end none may be there at all: r and q
    are cut. x - x is 0, or NaN for what is not finite."""
    q = minimum(maximum(floor(fma(x, LOG2_E, 0.5)), -MOST), MOST)
    left = fma(-q, LN2_LOW, fma(-q, LN2_HIGH, x))
    q = q + select(absolute(x) > FAR, floor(fma(left, LOG2_E, 0.5)), 0.0)
    q = minimum(maximum(q, -MOST), MOST)
    r = fma(-q, LN2_LOW, fma(-q, LN2_HIGH, x))
    return _exp(minimum(maximum(r, -WIDEST), WIDEST) + (x - x)), q


@hot
def _exp(r):
    # in pairs, then pairs of pairs: the terms do not wait for each other
    square = r * r
    fourth = square * square
    low = fma(fma(r, 1.0 / 6.0, 0.5), square, 1.0 + r)
    low = fma(fma(fma(r, 1.0 / 5040.0, 1.0 / 720.0), square, fma(r, 1.0 / 120.0, 1.0 / 24.0)), fourth, low)
    high = fma(fma(r, 1.0 / 39916800.0, 1.0 / 3628800.0), square, fma(r, 1.0 / 362880.0, 1.0 / 40320.0))
    high = fma(fma(r, 1.0 / 6227020800.0, 1.0 / 479001600.0), fourth, high)
    return fma(high, fourth * fourth, low)


@hot
def sample_weight(z, loss, split):
    """(f, q) with s = -l'(z) = f 2^q, in eight lanes: 1/(1 + e^z) for the logistic loss, e^-z for the exponential;
    e^x by `split`."""
    if loss == EXPONENTIAL:
        return split(-z)
    f, q = split(-absolute(z))
    small = f * pow2_lanes(q)  # e^-|z|, 0 once it no longer matters beside 1
    heavy = z < 0.0
    return select(heavy, 1.0, f) / (1.0 + small), select(heavy, 0.0, q)


@hot
def sample_weights(z, f, q, chunks, loss):
    """The weights of margins z (chunks, 8) into f and q; returns the first chunk of each. A single chunk stays in
    registers on its way to the gradient: nothing else hides the time to store and to load."""
    margins = load(z, 0)
    first = sample_weight(margins, loss, split_exp)
    store(f, 0, first[0])
    store(q, 0, first[1])
    largest = absolute(margins)
    for k in range(1, chunks):
        margins = load(z, k)
        part = sample_weight(margins, loss, split_exp)
        store(f, k, part[0])
        store(q, k, part[1])
        largest = maximum(largest, absolute(margins))
    if any_lane(largest > FAR):
        far_weights(z, f, q, chunks, loss)
        first = load(f, 0), load(q, 0)
    return first


@helper
def far_weights(z, f, q, chunks, loss):
    for k in range(chunks):
        part = sample_weight(load(z, k), loss, split_exp_far)
        store(f, k, part[0])
        store(q, k, part[1])


@helper
def bend_weights(z, f, q, chunks, loss):
    """The l''(z) in the place of the weights; returns the first chunk of each. That of the exponential loss is its
    weight, and that of the logistic loss is even."""
    if loss != EXPONENTIAL:
        for k in range(chunks):
            part = sample_weight(absolute(load(z, k)), loss, split_exp_far)
            store(f, k, part[0] * (1.0 - part[0] * pow2_lanes(part[1])))
            store(q, k, part[1])
    return load(f, 0), load(q, 0)


@helper
def loss_over_weight(z, loss):
    """l(z) / s(z), for z >= 0 or the exponential loss: it tends to 1."""
    if loss == EXPONENTIAL or z > 40.0:
        return 1.0
    x = math.exp(-z)
    return math.log1p(x) * (1.0 + x) / x


@helper
def mean_losses(z, f, q, size, wide, loss, room):
    """(total, high) with total 2^high the mean of l(z) over the batch, for each run: `mean_loss` in lanes."""
    for lane in range(LANES):
        first, stride = (lane, LANES) if wide else (0, 1)
        if wide or lane == 0:
            total, high = mean_loss(line_of(z), line_of(f), line_of(q), first, stride, size, loss)
        room[0, lane], room[1, lane] = total, high
    return load(room, 0), load(room, 1)


@helper
def mean_loss(z, f, q, first, stride, size, loss):
    """(total, high) with total 2^high the mean of l(z) over `size` margins, numbers first, first + stride, ... of flat
    arrays; their weights are f 2^q."""
    high = q[first]
    for k in range(size):
        high = max(high, q[first + k * stride])
    total = 0.0
    for k in range(size):
        at = first + k * stride
        if loss == EXPONENTIAL or z[at] >= 0.0:
            total += f[at] * pow2(q[at] - high) * loss_over_weight(z[at], loss)
        else:  # logistic: a weight of order 1, and so is that of the heaviest
            total += (math.log1p(math.exp(z[at])) - z[at]) * pow2(-high)
    return total / size, high

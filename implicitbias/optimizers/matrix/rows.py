"""Matrices whose rows are kept in units of their own: row c is x[c] 2^expo[c], with x (k, chunks, 8).

The classes of a problem may be exponentially apart, and then so are the rows of a gradient: in a unit of its own each
has all its digits.
"""

import math

import numpy as np

from implicitbias.jit import hot
from implicitbias.lanes import absolute, first_lane, fma, largest, load, maximum, splat, store, total
from implicitbias.simulation.tail import exponent, pow2, times_pow2

APART = 64  # binary orders by which a row may shrink before its unit follows


@hot
def dot(x, y):
    """The product of two rows (chunks, 8)."""
    p = splat(0.0)
    for j in range(x.shape[0]):
        p = fma(load(x, j), load(y, j), p)
    return first_lane(total(p))


@hot
def add_to(y, a, x):
    """y += a x for two rows."""
    for j in range(x.shape[0]):
        store(y, j, fma(a, load(x, j), load(y, j)))


@hot
def scale_row(y, a):
    for j in range(y.shape[0]):
        store(y, j, a * load(y, j))


@hot
def largest_of(x):
    """The largest |entry| of a row; a NaN may not be seen."""
    top = splat(0.0)
    for j in range(x.shape[0]):
        top = maximum(top, absolute(load(x, j)))
    return first_lane(largest(top))


@hot
def order_of(x, expo):
    """The binary order of the largest entry of a row; that of nothing if it is zero."""
    top = largest_of(x)
    return expo + exponent(top) if top > 0.0 else -np.inf


@hot
def copy_rows(x, expo, y, power):
    """y = x with its units, power = expo."""
    for c in range(x.shape[0]):
        power[c] = expo[c]
        for j in range(x.shape[1]):
            store(y[c], j, load(x[c], j))


@hot
def swap_rows(x, y):
    for c in range(x.shape[0]):
        for j in range(x.shape[1]):
            held = load(x[c], j)
            store(x[c], j, load(y[c], j))
            store(y[c], j, held)


@hot
def blend(m, expo, keep, g, unit, share):
    """m = keep m + share g, row by row; the units of m follow."""
    for c in range(m.shape[0]):
        top = order_of(m[c], expo[c]) if keep != 0.0 else -np.inf
        new = order_of(g[c], unit[c])
        if max(top, new) == -np.inf:
            for j in range(m.shape[1]):  # so that a NaN stays one
                store(m[c], j, load(m[c], j) + load(g[c], j))
            continue
        if top == -np.inf or max(top, new) - expo[c] > APART or expo[c] - max(top, new) > APART:
            to = max(top, new)
            move = pow2(expo[c] - to) if top > -np.inf else 0.0
            for j in range(m.shape[1]):
                store(m[c], j, load(m[c], j) * move if move > 0.0 else splat(0.0))
            expo[c] = to
        a = share * times_pow2(1.0, unit[c] - expo[c])
        for j in range(m.shape[1]):
            store(m[c], j, fma(a, load(g[c], j), keep * load(m[c], j)))


@hot
def together(x, expo, out):
    """out = x in one unit for all rows, which is returned: the order of its largest entry."""
    top = -np.inf
    for c in range(x.shape[0]):
        top = max(top, order_of(x[c], expo[c]))
    for c in range(x.shape[0]):
        a = times_pow2(1.0, expo[c] - top) if top > -np.inf else 1.0
        for j in range(x.shape[1]):
            store(out[c], j, a * load(x[c], j))
    return top


@hot
def units_of(units, k, per, expo):
    """The exponents of the rows of a gradient, into expo (k,)."""
    for c in range(k):
        expo[c] = units.origin[c * per, 0]


@hot
def blend_squares(v, expo, at, keep, share, unit):
    """v[at] = keep v[at] + share, squares in units 2^(2 expo[at]) and 2^(2 unit); the unit of v follows."""
    old = 2.0 * expo[at] + exponent(v[at]) if keep * v[at] > 0.0 else -np.inf
    new = 2.0 * unit + exponent(share) if share > 0.0 else -np.inf
    if max(old, new) > -np.inf:
        to = math.floor(0.5 * max(old, new))
        if v[at] == 0.0 or abs(to - expo[at]) > APART:
            v[at] = times_pow2(v[at], 2.0 * (expo[at] - to)) if keep * v[at] > 0.0 else 0.0
            expo[at] = to
    v[at] = keep * v[at] + times_pow2(share, 2.0 * (unit - expo[at]))

"""Pieces that several steps are made of."""

import numpy as np

from implicitbias.jit import hot
from implicitbias.lanes import (
    LANES,
    absolute,
    any_lane,
    largest,
    load,
    maximum,
    rsqrt,
    select,
    splat,
    sqrt,
    store,
    sum_across,
    total,
)
from implicitbias.simulation.scales import in_units


@hot
def over_root(x, v):
    """x / sqrt(v), and 0 where v is 0, as x is there; a NaN stays one."""
    return select(v == 0.0, 0.0, x * rsqrt(v))


@hot
def over_root_above(x, v, eps, units, c):
    """x / (sqrt(v) + eps), 0/0 = 0, with eps in the units of v; `over_root` of the runs without eps."""
    found = over_root(x, v)
    if any_lane(eps > 0.0):  # a root and a division are slow
        root = sqrt(v) + in_units(eps, units, c, 1)
        found = select(eps > 0.0, select(x == 0.0, 0.0, x / root), found)
    return found


@hot
def times_sign(rate, x):
    """rate sign(x), with sign(0) = 0; a NaN stays one."""
    return select(x > 0.0, rate, select(x < 0.0, -rate, x))


@hot
def copy_to(x, y):
    """y = x, (chunks, 8) each."""
    for c in range(x.shape[0]):
        store(y, c, load(x, c))


@hot
def swap(x, y):
    for c in range(x.shape[0]):
        one = load(x, c)
        store(x, c, load(y, c))
        store(y, c, one)


@hot
def length_of(x, wide):
    """||x||_2 of each run, of any size: over the largest entry, so that no square leaves float64."""
    top = splat(0.0)
    for c in range(x.shape[0]):
        top = maximum(top, absolute(load(x, c)))
    top = top if wide else largest(top)
    over = select((top > 0.0) & (top < np.inf), 1.0 / top, 0.0)
    return select(top < np.inf, top * sqrt(squares_of(x, over, wide)), top)


@hot
def squares_of(x, over, wide):
    """sum_j (over x_j)^2 of each run, added in the same order in both layouts."""
    if not wide:
        return total(partial_sum(x, over, 0, 1))
    return sum_across((
        partial_sum(x, over, 0, LANES), partial_sum(x, over, 1, LANES), partial_sum(x, over, 2, LANES),
        partial_sum(x, over, 3, LANES), partial_sum(x, over, 4, LANES), partial_sum(x, over, 5, LANES),
        partial_sum(x, over, 6, LANES), partial_sum(x, over, 7, LANES),
    ))  # fmt: skip


@hot
def partial_sum(x, over, first, stride):
    squares = splat(0.0)
    for c in range(first, x.shape[0], stride):
        part = load(x, c) * over
        squares = squares + part * part
    return squares

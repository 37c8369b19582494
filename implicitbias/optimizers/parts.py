"""Pieces that several steps are made of."""

from implicitbias.jit import hot
from implicitbias.lanes import absolute, largest, load, maximum, rsqrt, select, splat, sqrt, store, total


@hot
def over_root(x, v):
    """x / sqrt(v), and 0 where v is 0, as x is there; a NaN stays one."""
    return select(v == 0.0, 0.0, x * rsqrt(v))


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
def across(x, wide):
    """The sum over the coordinates of a run from that over its chunks: in lanes, each run its own."""
    return x if wide else total(x)


@hot
def length_of(x, wide):
    """||x||_2 of each run, of any size: over the largest entry, so that no square leaves float64."""
    top = splat(0.0)
    for c in range(x.shape[0]):
        top = maximum(top, absolute(load(x, c)))
    top = top if wide else largest(top)
    over = select(top > 0.0, 1.0 / top, 0.0)
    squares = splat(0.0)
    for c in range(x.shape[0]):
        part = load(x, c) * over
        squares = squares + part * part
    return top * sqrt(across(squares, wide))

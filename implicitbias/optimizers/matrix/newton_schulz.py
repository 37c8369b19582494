"""Newton-Schulz iterations: odd polynomials of a matrix that bring its singular values near to 1, a few at a time.

X <- a X + b (X X') X + c (X X')^2 X,  from X = G / ||G||_F

They see no singular value far below the largest: with a fixed number of steps each is an optimizer of its own.

All steps have the left singular vectors in common, so they are taken on the shorter side alone: with A = X X' and
Q = a + b A + c A^2, which commute,  A <- Q A Q,  P <- Q P  from P = 1,  and in the end  X <- P X.  Rounding leaves A
with eigenvalues below zero, which grow as the singular values do, so that A is made anew from X every few steps.
"""

import math

import numpy as np

from implicitbias.jit import helper, hot
from implicitbias.lanes import LANES, fma, line_of, load, splat, splat_at, store
from implicitbias.optimizers.matrix.rows import dot

QUINTIC = (3.4445, -4.7750, 2.0315)  # Jordan et al. 2024 (Muon)
CUBIC = (1.5, -0.5, 0.0)  # Newton's iteration for the sign, as in Bjorck and Bowie 1971
# Amsel, Persson, Musco, Gower, arXiv 2505.16932: the best of degree 5 for singular values in [.001, 1], one after the
# other, each but the last over 1.01 for safety.
_EXPRESS = (
    (8.28721201814563, -23.595886519098837, 17.300387312530933),
    (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
    (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
    (3.3184196573706015, -2.488488024314874, 0.51004894012372),
    (2.300652019954817, -1.6689039845747493, 0.4188073119525673),
    (1.891301407787398, -1.2679958271945868, 0.37680408948524835),
    (1.8750014808534479, -1.2500016453999487, 0.3750001645474248),
    (1.875, -1.25, 0.375),
)
POLYNOMIALS = {
    "quintic": np.array([QUINTIC]),
    "cubic": np.array([CUBIC]),
    "polar_express": np.array([(a / 1.01, b / 1.01**3, c / 1.01**5) for a, b, c in _EXPRESS[:-1]] + [_EXPRESS[-1]]),
}
_TABLE = np.zeros((len(POLYNOMIALS), len(_EXPRESS), 3))
for _number, _rows in enumerate(POLYNOMIALS.values()):
    _TABLE[_number] = _rows[-1]
    _TABLE[_number, : len(_rows)] = _rows


STAGE = 5  # steps on one A: the largest growth of a singular value, 1020, leaves 1e-10 of what rounding puts below zero


def room_for(k: int, width: int, d: int) -> int:
    """Numbers of room that `iterate` needs for a matrix (k, d), d padded to `width`."""
    r = -(-min(k, d) // LANES) * LANES
    return k * width + 5 * r * r


@helper
def iterate(x, d, polynomial, iterations, room):
    """`iterations` steps of a polynomial, by its number, on x (k, chunks, 8) in place, from x over its length."""
    k, chunks, squares = x.shape[0], x.shape[1], 0.0
    for c in range(k):
        squares += dot(x[c], x[c])
    if squares == 0.0:
        return
    tall, flat, r = k > d, line_of(x), min(k, d)
    parts = (r + LANES - 1) // LANES
    line, square = parts * LANES, r * parts
    factor, at = 0, square  # places in the room, in chunks
    gram, at = at, at + square
    squared, at = at, at + square
    spare, free, at = at, at + square, at + 2 * square
    over = 1.0 / squares
    for first in range(0, iterations, STAGE):
        if tall:
            multiply(flat, 0, 1, line, flat, 0, parts, k, r, over, room, gram)
        else:
            products_of_rows(x, over, room, gram, parts)
        last = min(first + STAGE, iterations)
        for step in range(first, last):
            row = min(step, _TABLE.shape[1] - 1)
            a, b, c = _TABLE[polynomial, row, 0], _TABLE[polynomial, row, 1], _TABLE[polynomial, row, 2]
            multiply(room, gram * LANES, line, 1, room, gram, parts, r, r, 1.0, room, squared)
            for j in range(square):
                store(room, squared + j, fma(c, load(room, squared + j), b * load(room, gram + j)))
            for i in range(r):
                room[squared * LANES + i * line + i] += a
            if step == first:
                for j in range(square):
                    store(room, factor + j, load(room, squared + j))
            else:
                multiply(room, factor * LANES, line, 1, room, squared, parts, r, r, 1.0, room, spare)
                factor, spare = spare, factor
            if step + 1 < last:
                multiply(room, gram * LANES, line, 1, room, squared, parts, r, r, 1.0, room, spare)
                multiply(room, spare * LANES, line, 1, room, squared, parts, r, r, 1.0, room, free)
                gram, free = free, gram
        if tall:
            multiply(flat, 0, line, 1, room, factor, parts, r, k, math.sqrt(over), room, at)
        else:
            multiply(room, factor * LANES, line, 1, flat, 0, chunks, r, k, math.sqrt(over), room, at)
        for j in range(k * chunks):
            store(flat, j, load(room, at + j))
        over = 1.0


@hot
def products_of_rows(x, size, room, to, parts):
    """size x x' into the room, from its chunk `to` on."""
    for j in range(x.shape[0] * parts):
        store(room, to + j, splat(0.0))
    line, at = parts * LANES, to * LANES
    for i in range(x.shape[0]):
        for j in range(i + 1):
            product = size * dot(x[i], x[j])
            room[at + i * line + j] = product
            room[at + j * line + i] = product


@hot
def multiply(x, at, by, on, y, first, parts, count, rows, size, out, to):
    """out_i = size sum_n x_in y_n for i < rows, over `count` rows y_n of `parts` chunks each. x_in is number
    at + i by + n on; y and out begin at chunks `first` and `to`. Four rows at a time; what goes over the end is the
    last of them once more."""
    for s in range(parts):
        for i in range(0, rows, 4):
            j, k, m = min(i + 1, rows - 1), min(i + 2, rows - 1), min(i + 3, rows - 1)
            p, q, u, v = splat(0.0), splat(0.0), splat(0.0), splat(0.0)
            for n in range(count):
                part, column = load(y, first + n * parts + s), at + n * on
                p, q = fma(splat_at(x, column + i * by), part, p), fma(splat_at(x, column + j * by), part, q)
                u, v = fma(splat_at(x, column + k * by), part, u), fma(splat_at(x, column + m * by), part, v)
            store(out, to + i * parts + s, size * p)
            store(out, to + j * parts + s, size * q)
            store(out, to + k * parts + s, size * u)
            store(out, to + m * parts + s, size * v)

"""Newton-Schulz iterations: odd polynomials of a matrix that bring its singular values near to 1, a few at a time.

X <- a X + b (X X') X + c (X X')^2 X,  from X = G / ||G||_F

They see no singular value far below the largest: with a fixed number of steps each is an optimizer of its own.
"""

import math

import numpy as np

from implicitbias.jit import helper, hot
from implicitbias.lanes import LANES, fma, load, splat, splat_at, store, turn
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


def room_for(k: int, width: int, d: int) -> int:
    """Numbers of room that `iterate` needs for a matrix (k, d), d padded to `width`."""
    r = -(-min(k, d) // LANES) * LANES
    return 2 * r * (max(width, k) + r)


@helper
def iterate(x, d, polynomial, iterations, room):
    """`iterations` steps of a polynomial, by its number, on x (k, chunks, 8) in place, from x over its length."""
    k, chunks, squares = x.shape[0], x.shape[1], 0.0
    for c in range(k):
        squares += dot(x[c], x[c])
    if squares == 0.0:
        return
    over, tall = 1.0 / math.sqrt(squares), k > d
    r, count = (d, k) if tall else (k, chunks * LANES)  # the shorter side in lanes, the longer one row by row
    parts = (r + 7) // LANES
    size, square = count * parts * LANES, parts * LANES * parts * LANES
    z, other = room[:size], room[size : 2 * size]
    gram, power = room[2 * size : 2 * size + square], room[2 * size + square : 2 * (size + square)]
    if tall:
        for c in range(k):
            for s in range(parts):
                store(z, c * parts + s, over * load(x[c], s))
    else:
        for s in range(parts):
            for j in range(chunks):
                store_turned(block(x, s * LANES, j, over), z, j * LANES * parts + s, parts, LANES)
    for step in range(iterations):
        take_step(z, count if tall else d, r, parts, polynomial, step, gram, power, other)
        z, other = other, z
    if tall:
        for c in range(k):
            for s in range(parts):
                store(x[c], s, load(z, c * parts + s))
        return
    for j in range(d, count):  # features that are none
        for s in range(parts):
            store(z, j * parts + s, splat(0.0))
    for s in range(parts):
        for j in range(chunks):
            flat, first = x.reshape(-1), s * LANES
            eight = block_of(z, j * LANES * parts + s, parts)
            store_turned(eight, flat, first * chunks + j, chunks, min(k - first, LANES))


@hot
def block(x, first, j, over):
    """Chunk j of eight rows over a number, of none where there is none."""
    return (
        chunk(x, first, j, over), chunk(x, first + 1, j, over), chunk(x, first + 2, j, over),
        chunk(x, first + 3, j, over), chunk(x, first + 4, j, over), chunk(x, first + 5, j, over),
        chunk(x, first + 6, j, over), chunk(x, first + 7, j, over),
    )  # fmt: skip


@hot
def chunk(x, c, j, over):
    return over * load(x[c], j) if c < x.shape[0] else splat(0.0)


@hot
def block_of(z, first, stride):
    """Chunks first, first + stride, ..., eight of them."""
    return (
        load(z, first), load(z, first + stride), load(z, first + 2 * stride), load(z, first + 3 * stride),
        load(z, first + 4 * stride), load(z, first + 5 * stride), load(z, first + 6 * stride),
        load(z, first + 7 * stride),
    )  # fmt: skip


@hot
def store_turned(eight, z, first, stride, count):
    """Put eight chunks, turned, to chunks first, first + stride, ... of z, `count` of them."""
    a, b, c, d, e, f, g, h = turn(eight)
    store(z, first, a)
    if count > 1:
        store(z, first + stride, b)
    if count > 2:
        store(z, first + 2 * stride, c)
    if count > 3:
        store(z, first + 3 * stride, d)
    if count > 4:
        store(z, first + 4 * stride, e)
    if count > 5:
        store(z, first + 5 * stride, f)
    if count > 6:
        store(z, first + 6 * stride, g)
    if count > 7:
        store(z, first + 7 * stride, h)


@helper
def take_step(z, count, r, parts, polynomial, step, gram, power, out):
    """out = a z + z (b A + c A^2) with A = z' z, for z (count, parts, 8) with r numbers in a row and then zeros."""
    at = min(step, _TABLE.shape[1] - 1)
    a, b, c = _TABLE[polynomial, at, 0], _TABLE[polynomial, at, 1], _TABLE[polynomial, at, 2]
    add_products(z, z, count, r, parts, True, 0.0, z, 1.0, gram)
    if c == 0.0:
        add_products(z, gram, r, count, parts, False, a / b, z, b, out)
        return
    add_products(gram, gram, r, r, parts, False, b / c, gram, 1.0, power)
    add_products(z, power, r, count, parts, False, a / c, z, c, out)


@hot
def add_products(x, y, count, rows, parts, turned, share, start, size, out):
    """out_i = size (share start_i + sum_m x_im y_m) over `count` rows y_m, for i < rows; x_mi if it is turned. Four
    rows at a time; what goes over the end is the last of them once more."""
    line = parts * LANES
    by, on = (1, line) if turned else (line, 1)
    for s in range(parts):
        for i in range(0, rows, 4):
            j, k, m = min(i + 1, rows - 1), min(i + 2, rows - 1), min(i + 3, rows - 1)
            p, q, u, v = splat(0.0), splat(0.0), splat(0.0), splat(0.0)
            if share != 0.0:
                p, q = share * load(start, i * parts + s), share * load(start, j * parts + s)
                u, v = share * load(start, k * parts + s), share * load(start, m * parts + s)
            for n in range(count):
                part, at = load(y, n * parts + s), n * on
                p, q = fma(splat_at(x, at + i * by), part, p), fma(splat_at(x, at + j * by), part, q)
                u, v = fma(splat_at(x, at + k * by), part, u), fma(splat_at(x, at + m * by), part, v)
            store(out, i * parts + s, size * p)
            store(out, j * parts + s, size * q)
            store(out, k * parts + s, size * u)
            store(out, m * parts + s, size * v)

"""Newton-Schulz iterations: odd polynomials of a matrix that bring its singular values near to 1, a few at a time.

X <- a X + b (X X') X + c (X X')^2 X,  from X = G / ||G||_F

They see no singular value far below the largest: with a fixed number of steps each is an optimizer of its own.
"""

import math

import numpy as np

from implicitbias.jit import helper, hot
from implicitbias.lanes import LANES, fma_each, load, load_each, splat_each, store, store_each, sum_each, zeros_each
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
    rows, length = -(-min(k, d) // LANES) * LANES, width if k <= d else -(-k // LANES) * LANES
    return 2 * rows * (length + rows)


@helper
def iterate(x, d, polynomial, iterations, room):
    """`iterations` steps of a polynomial, by its number, on x (k, chunks, 8) in place, from x over its length."""
    k, flat, squares = x.shape[0], x.reshape(x.shape[0], x.shape[1] * LANES), 0.0
    for c in range(k):
        squares += dot(x[c], x[c])
    if squares == 0.0:
        return
    over, turned = 1.0 / math.sqrt(squares), k > d
    r, chunks = (d, (k + 7) // LANES) if turned else (k, x.shape[1])
    parts = (r + 7) // LANES
    size, square = parts * LANES * chunks * LANES, parts * LANES * parts * LANES
    y, other = room[:size], room[size : 2 * size]
    gram, power = room[2 * size : 2 * size + square], room[2 * size + square : 2 * (size + square)]
    y.fill(0.0)
    gram.fill(0.0)
    for c in range(k):
        for j in range(d):
            y[place(j, c, chunks) if turned else place(c, j, chunks)] = over * flat[c, j]
    for step in range(iterations):
        take_step(y, r, parts, chunks, polynomial, step, gram, power, other)
        y, other = other, y
    for c in range(k):
        for j in range(d):
            flat[c, j] = y[place(j, c, chunks) if turned else place(c, j, chunks)]


@hot
def row(i, j, chunks):
    """Where chunk j of row i is: eight rows make a block, in which the chunks of a column lie one after the other."""
    return (i // LANES * chunks + j) * LANES + i % LANES


@hot
def place(i, j, chunks):
    return row(i, j // LANES, chunks) * LANES + j % LANES


@helper
def take_step(x, r, parts, chunks, polynomial, step, gram, power, out):
    """out = a x + (b A + c A^2) x with A = x x', for r rows and zeros up to whole blocks. A and its polynomial are
    symmetric, bit by bit: eight entries of a row are eight of a column."""
    at = min(step, _TABLE.shape[1] - 1)
    a, b, c = _TABLE[polynomial, at, 0], _TABLE[polynomial, at, 1], _TABLE[polynomial, at, 2]
    for i in range(r):
        for s in range(parts):
            p = zeros_each()
            for j in range(chunks):
                p = fma_each(load_each(x, row(s * LANES, j, chunks)), load(x, row(i, j, chunks)), p)
            store(gram, row(i, s, parts), sum_each(p))
    for i in range(parts):
        for s in range(parts):
            at = row(i * LANES, s, parts)
            p = fma_each(load_each(gram, at), b, zeros_each())
            if c != 0.0:
                squares = zeros_each()
                for m in range(r):
                    squares = fma_each(
                        splat_each(gram, row(m, i, parts) * LANES), load(gram, row(m, s, parts)), squares
                    )
                p = fma_each(squares, c, p)
            store_each(power, at, p)
    for i in range(parts):
        for j in range(chunks):
            at = row(i * LANES, j, chunks)
            p = fma_each(load_each(x, at), a, zeros_each())
            for m in range(r):
                p = fma_each(splat_each(power, row(m, i, parts) * LANES), load(x, row(m, j, chunks)), p)
            store_each(out, at, p)

"""Newton-Schulz iterations: odd polynomials of a matrix that bring its singular values near to 1, a few at a time.

X <- a X + b (X X') X + c (X X')^2 X,  from X = G / ||G||_F

They see no singular value far below the largest: with a fixed number of steps each is an optimizer of its own.
"""

import math

import numpy as np

from implicitbias.jit import helper
from implicitbias.lanes import fma, load, store
from implicitbias.optimizers.matrix.rows import dot, scale_row
from implicitbias.simulation.products import margins, weighted_sum

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
    r, length = (k, width) if k <= d else (d, -(-k // 8) * 8)
    return 2 * r * length + 2 * r * -(-r // 8) * 8


@helper
def iterate(x, d, polynomial, iterations, every, room):
    """`iterations` steps of a polynomial, by its number, on x (k, chunks, 8) in place, from x over its length; every:
    0, 1, 2, ..."""
    k, chunks = x.shape[0], x.shape[1]
    squares = 0.0
    for c in range(k):
        squares += dot(x[c], x[c])
    if squares == 0.0:
        return
    for c in range(k):
        scale_row(x[c], 1.0 / math.sqrt(squares))
    if k <= d:
        steps(x, polynomial, iterations, every, room)
        return
    ks = (k + 7) // 8
    y, rest = room[: d * ks * 8].reshape(d, ks, 8), room[d * ks * 8 :]
    flat_x, flat_y = x.reshape(k, chunks * 8), y.reshape(d, ks * 8)
    for j in range(d):
        for c in range(ks * 8):
            flat_y[j, c] = flat_x[c, j] if c < k else 0.0
    steps(y, polynomial, iterations, every, rest)
    for j in range(d):
        for c in range(k):
            flat_x[c, j] = flat_y[j, c]


@helper
def steps(x, polynomial, iterations, every, room):
    r, chunks = x.shape[0], x.shape[1]
    rs = (r + 7) // 8
    at = r * chunks * 8
    y = room[:at].reshape(r, chunks, 8)
    gram = room[at : at + r * rs * 8].reshape(r, rs, 8)
    at += r * rs * 8
    power = room[at : at + r * rs * 8].reshape(r, rs, 8)
    flat = gram.reshape(r, rs * 8)
    flat[:] = 0.0
    for step in range(iterations):
        at = min(step, _TABLE.shape[1] - 1)
        a, b, c = _TABLE[polynomial, at, 0], _TABLE[polynomial, at, 1], _TABLE[polynomial, at, 2]
        for i in range(r):
            margins(x, x.reshape(r, chunks * 8), every, r, x[i], False, gram[i])
            for j in range(r, rs * 8):  # what fills the last chunk
                flat[i, j] = 0.0
        for i in range(r):  # b A + c A^2
            if c == 0.0:
                for s in range(rs):
                    store(power[i], s, b * load(gram[i], s))
                continue
            weighted_sum(gram, flat, every, r, gram[i], False, power[i])
            for s in range(rs):
                store(power[i], s, fma(c, load(power[i], s), b * load(gram[i], s)))
        for i in range(r):
            weighted_sum(x, x.reshape(r, chunks * 8), every, r, power[i], False, y[i])
        for i in range(r):
            for s in range(chunks):
                store(x[i], s, fma(a, load(x[i], s), load(y[i], s)))

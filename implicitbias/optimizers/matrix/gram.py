"""Averages of the products G G' and G'G, and their eigenvectors."""

import math

import numpy as np

from implicitbias.jit import helper
from implicitbias.lanes import fma, line_of, load, store
from implicitbias.optimizers.matrix.factors import rotate_rows
from implicitbias.optimizers.matrix.rows import APART, dot
from implicitbias.simulation.tail import exponent, times_pow2

# An eigenvalue below this part of the largest is round-off: its eigenvector is one of no gradient. The products square
# what float64 knows of singular values, so those below 1e-6 of the largest are not seen.
NOTHING = 1e-12


@helper
def moved(keep, most, expo, top):
    """(factor, unit): keep x is factor x in units of 2^(2 unit), for squares x of up to `most` in units 2^(2 expo), to
    which others of order 2^(2 top) are added. The unit stays as long as it may."""
    order = expo + 0.5 * exponent(keep * most) if keep * most > 0.0 else -np.inf
    to = math.floor(max(order, top)) if max(order, top) > -np.inf else expo
    if order == -np.inf:
        return 0.0, to
    unit = to if abs(to - expo) > APART else expo
    return times_pow2(keep, 2.0 * (expo - unit)), unit


@helper
def average(left, right, expo, keep, a, d, share, top):
    """left = keep left + share A A', right = keep right + share A'A, A in units 2^top and both in 2^(2 expo[0])."""
    k, most = a.shape[0], 0.0
    for c in range(k):
        most = max(most, line_of(left[c])[c])
    keep, expo[0] = moved(keep, most, expo[0], top)
    size = times_pow2(share, 2.0 * (top - expo[0])) if top > -np.inf else 0.0
    for c in range(k):
        line = line_of(left[c])
        for b in range(k):
            line[b] = keep * line[b] + size * dot(a[c], a[b])
    for i in range(d):
        for j in range(right.shape[1]):
            store(right[i], j, keep * load(right[i], j))
        for c in range(k):
            weight = size * line_of(a[c])[i]
            for j in range(right.shape[1]):
                store(right[i], j, fma(weight, load(a[c], j), load(right[i], j)))


@helper
def eigenvectors(a, m, zeros, room, basis, values):
    """The eigenvectors of the first m rows of a symmetric a >= 0 into the rows of basis, its eigenvalues into values,
    the largest first; those that are round-off are 0. `room` is as large as a, zeros (m,)."""
    for i in range(m):
        zeros[i] = 0.0
        for j in range(a.shape[1]):
            store(room[i], j, load(a[i], j))
    rotate_rows(room, zeros, m, basis)
    top = 0.0
    for i in range(m):
        values[i] = math.sqrt(dot(room[i], room[i]))
        top = max(top, values[i])
    for i in range(m):
        best = i
        for j in range(i + 1, m):
            best = j if values[j] > values[best] else best
        values[i], values[best] = values[best], values[i]
        for j in range(basis.shape[1] if best > i else 0):
            one = load(basis[i], j)
            store(basis[i], j, load(basis[best], j))
            store(basis[best], j, one)
        if not values[i] > NOTHING * top:
            values[i] = 0.0


@helper
def rotated(left, a, right, m, d, middle, out):
    """out (m, ...) = left a right', for left (m, k), a (k, d) and right (d, d), all by rows."""
    k = a.shape[0]
    for i in range(m):
        line = line_of(left[i])
        middle[i].fill(0.0)  # what was there may be no number
        for c in range(k):
            for j in range(a.shape[1]):
                store(middle[i], j, fma(line[c], load(a[c], j), load(middle[i], j)))
        found = line_of(out[i])
        for j in range(found.shape[0]):
            found[j] = dot(middle[i], right[j]) if j < d else 0.0


@helper
def rotated_back(left, a, right, k, d, middle, out):
    """out (k, ...) = left' a right, the inverse of `rotated` for orthogonal left (k, k) and right (d, d)."""
    for i in range(k):
        line = line_of(a[i])
        middle[i].fill(0.0)  # what was there may be no number
        for j in range(d):
            for s in range(middle.shape[1]):
                store(middle[i], s, fma(line[j], load(right[j], s), load(middle[i], s)))
    for c in range(k):
        out[c].fill(0.0)
        for i in range(k):
            weight = line_of(left[i])[c]
            for s in range(middle.shape[1]):
                store(out[c], s, fma(weight, load(middle[i], s), load(out[c], s)))

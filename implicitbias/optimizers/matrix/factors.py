"""Singular value factors of graded matrices: vectors v_i 2^expo_i, i < m, whose sizes may differ by any power of two.

The weights of samples and classes differ by factors like e^-1000, and a polar factor depends on the directions of the
lightest, too. A factorisation of the matrix in one unit loses them. Here

    V = Q R            by Gram-Schmidt with pivoting: row t of R may be in units of 2^height_t, those of its pivot
    R = T' diag(s) W   by rotations of the rows of R (one-sided Jacobi), which need the ratio of two units alone

so each singular direction is as exact as the vectors are independent, whatever their units.

Source: Demmel, Veselic, SIAM J. Matrix Anal. Appl. 13 (1992) 1204-1245; Demmel, Gu, Eisenstat, Slapnicar, Veselic,
Drmac, Linear Algebra Appl. 299 (1999) 21-80.
"""

import math

import numpy as np

from implicitbias.jit import helper
from implicitbias.lanes import line_of, load, store
from implicitbias.optimizers.matrix.rows import add_to, dot, scale_row
from implicitbias.simulation.tail import pow2

DEPENDENT = 1e-13  # what is left of a vector below this part of its length is round-off
BESIDE = 60.0  # binary orders by which what is added to a vector is below its last digit
ORTHOGONAL = 4e-16  # cosine of two rows that are not rotated any more
SWEEPS = 60


@helper
def orthonormal(v, expo, count, most, q, r, size, height, enough=0):
    """Q and R of the first `count` vectors v (m, chunks, 8) in units 2^expo, up to rank `most`; v is destroyed. If no
    more than the `enough` largest singular vectors are asked for, what is far below these is left out.

    q (most, chunks, 8): orthonormal rows; r (most, m chunks, 8): R in the units of its columns, those of the vectors;
    height (most,): the units of the pivots; size (m,): room. Returns the rank, or -1 for what is not finite.
    """
    for i in range(count):
        size[i] = dot(v[i], v[i])
    rank, last = 0, -np.inf
    for t in range(most):
        best, top = -1, -np.inf
        for i in range(count):
            left = dot(v[i], v[i])
            if not left > DEPENDENT * DEPENDENT * size[i]:
                if left == left:  # a NaN stays one
                    scale_row(v[i], 0.0)
                    continue
                return -1
            order = expo[i] + 0.5 * math.log2(left)
            if order > top:
                best, top = i, order
        if best < 0 or (t >= enough > 0 and top < last - BESIDE):
            break
        last = top if t < enough else last
        line = line_of(r[t])
        for j in range(q.shape[1]):
            store(q[t], j, load(v[best], j))
        for _ in range(2):  # what is left of the others' directions, and of rounding
            for s in range(t):
                add_to(q[t], -dot(q[s], q[t]), q[s])
            scale_row(q[t], 1.0 / math.sqrt(dot(q[t], q[t])))
        height[t] = expo[best]
        line[:] = 0.0
        for i in range(count):
            part = dot(q[t], v[i])
            line[i] = part
            add_to(v[i], -part, q[t])
        scale_row(v[best], 0.0)
        rank += 1
    return rank


@helper
def rotate_rows(r, height, rank, turn):
    """Make the first `rank` rows of r orthogonal, row t in units 2^height_t; `turn` (rank, chunks, 8) becomes the
    rotation T with  T R_before = R_after."""
    for i in range(rank):
        line = line_of(turn[i])
        line[:] = 0.0
        line[i] = 1.0
    for _ in range(SWEEPS):
        turned = False
        for one in range(rank):
            for other in range(one + 1, rank):
                h, w = one, other
                heavy, light = dot(r[h], r[h]), dot(r[w], r[w])
                if not (heavy > 0.0 and light > 0.0):
                    continue
                if (height[w] - height[h]) + 0.5 * (math.log2(light) - math.log2(heavy)) > 0.0:
                    h, w = other, one
                    heavy, light = light, heavy
                product = dot(r[h], r[w])
                if abs(product) <= ORTHOGONAL * math.sqrt(heavy) * math.sqrt(light):
                    continue
                turned = True
                # tan = apart * part for the rows in their units, which are `apart`
                apart = pow2(height[w] - height[h])
                zeta = (light * apart * apart - heavy) / (2.0 * product)
                part = math.copysign(1.0, zeta) / (abs(zeta) + math.sqrt(apart * apart + zeta * zeta))
                tan = apart * part
                cos = 1.0 / math.sqrt(1.0 + tan * tan)
                swing(r[h], r[w], cos, tan * apart, part)
                swing(turn[h], turn[w], cos, tan, tan)
        if not turned:
            break


@helper
def swing(x, y, cos, down, up):
    """x, y = cos (x - down y), cos (y + up x)."""
    for j in range(x.shape[0]):
        a, b = load(x, j), load(y, j)
        store(x, j, cos * (a - down * b))
        store(y, j, cos * (b + up * a))


@helper
def ranks_of(r, height, rank, place):
    """place (rank,): how many of the rows, in their units, are longer than each."""
    for i in range(rank):
        place[i] = 0.0
        mine = height[i] + 0.5 * math.log2(dot(r[i], r[i]))
        for j in range(rank):
            theirs = height[j] + 0.5 * math.log2(dot(r[j], r[j]))
            if theirs > mine or (theirs == mine and j < i):
                place[i] += 1.0


@helper
def recompose(r, rank, turn, weight, out):
    """out (rank, chunks, 8) = T' diag(weight) W, with the rows of r over their lengths as W."""
    for t in range(rank):
        out[t].fill(0.0)  # what was there may be no number
    for i in range(rank):
        if weight[i] == 0.0:
            continue
        size = math.sqrt(dot(r[i], r[i]))
        line = line_of(turn[i])
        for t in range(rank):
            add_to(out[t], weight[i] * line[t] / size, r[i])

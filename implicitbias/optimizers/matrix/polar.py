"""The polar factor and its kin: singular values replaced by others, of a matrix and of its samples.

With G = U diag(s) V' over the nonzero singular values, what is asked for is U diag(phi) V', where phi depends on the
rank of a singular value among the others alone: phi = 1 is the polar factor, phi = 1 up to the r-th and 0 beyond is the
steepest descent of max(spectral, nuclear/r), and random phi keep no more than the singular vectors.

The factor of a gradient in one unit is right as long as its singular values are within a few binary orders. Else the
samples know better: G = -sum_i f_i x_i' with f_i the weights of sample i for each class, and the weights alone are
graded. So G is made a product with all that is graded in the middle (`graded`), and of that the singular vectors are
found to the last digit (`factors`).
"""

import numpy as np

from implicitbias.jit import helper, hot
from implicitbias.lanes import line_of, view
from implicitbias.optimizers.matrix import graded
from implicitbias.optimizers.matrix.factors import orthonormal, ranks_of, recompose, rotate_rows
from implicitbias.optimizers.matrix.rows import add_to
from implicitbias.simulation.tail import exponent, times_pow2

NEAR = 14.0  # binary orders between singular values up to which one unit will do: the error is 2^(14 - 53)

# Singular values become: all 1; 1 for the first `count`; uniform on (0, 2).
ALL, FIRST, RANDOM = 0, 1, 2


def room_for(k: int, width: int, d: int, n: int) -> int:
    """Numbers of room that `replaced` needs for matrices (k, d) from n samples, d padded to `width`."""
    r, ks = min(k, d), _whole(k)
    near = r * (width + 2 * ks + _whole(r) + 2) + 2 * k
    far = n * width + r * (2 * ks + 3 * width + 2 * _whole(r) + 4) + graded.room_for(k, width, d, n)
    return max(near, far)


def _whole(x: int) -> int:
    return -(-x // 8) * 8


@hot
def whole(x):
    return (x + 7) // 8


@hot
def phi(kind, count, place, uniforms):
    if kind == FIRST:
        return 1.0 if place < count else 0.0
    return 2.0 * uniforms[int(place)] if kind == RANDOM else 1.0


@helper
def replaced(a, cap, kind, count, uniforms, room, out):
    """out (k, chunks, 8) = U diag(phi) V' of the matrix a (k, chunks, 8), which is destroyed, of rank up to `cap`.

    Returns whether the singular values are near enough to each other for it to be right.
    """
    k, chunks = a.shape[0], a.shape[1]
    ks, cs = whole(k), whole(cap)
    at = 0
    q = view(room, at, (cap, chunks, 8))
    at += cap * chunks * 8
    r = view(room, at, (cap, ks, 8))
    at += cap * ks * 8
    p = view(room, at, (cap, ks, 8))
    at += cap * ks * 8
    turn = view(room, at, (cap, cs, 8))
    at += cap * cs * 8
    size, at = room[at : at + k], at + k
    height, at = room[at : at + cap], at + cap
    weight, at = room[at : at + cap], at + cap
    expo = room[at : at + k]
    expo[:] = 0.0
    rank = orthonormal(a, expo, k, cap, q, r, size, height)
    if rank < 0:  # NaN
        for c in range(k):
            out[c].fill(np.nan)
        return True
    near = rank == cap
    if near and rank > 1:
        near = pivot(r, rank - 1) > pivot(r, 0) - NEAR
    if not near:
        return False
    values(r, height, rank, turn, kind, count, uniforms, weight, p)
    for c in range(k):
        out[c].fill(0.0)
        for t in range(rank):
            add_to(out[c], line_of(p[t])[c], q[t])
    return True


@helper
def pivot(r, t):
    """The binary order of the largest entry of row t."""
    line, top = line_of(r[t]), 0.0
    for i in range(line.shape[0]):
        top = max(top, abs(line[i]))
    return float(exponent(top))


@helper
def values(r, height, rank, turn, kind, count, uniforms, weight, p):
    """p = T' diag(phi) W of graded rows r."""
    rotate_rows(r, height, rank, turn)
    ranks_of(r, height, rank, weight)
    for i in range(rank):
        weight[i] = phi(kind, count, weight[i], uniforms)
    recompose(r, rank, turn, weight, p)


@helper
def replaced_of_samples(rows, index, samples, f, q, kind, count, uniforms, columns, room, out):
    """out (k, chunks, 8) = U diag(phi) V' of -sum_i f_i x_i' with the rows x_i, i = index[:samples], of which the
    columns from columns[0] to columns[1] are seen, and the weights f 2^q (k, samples) of either sign."""
    k, chunks = out.shape[0], out.shape[1]
    cap, ks, at = min(samples, columns[1] - columns[0], k - 1), whole(k), samples * chunks * 8
    cs = whole(cap)
    v = view(room, 0, (samples, chunks, 8))
    left = view(room, at, (cap, ks, 8))
    at += cap * ks * 8
    right = view(room, at, (cap, chunks, 8))
    at += cap * chunks * 8
    classes = view(room, at, (cap, ks, 8))
    at += cap * ks * 8
    r = view(room, at, (cap, cs, 8))
    at += cap * cs * 8
    lines = view(room, at, (cap, chunks, 8))
    at += cap * chunks * 8
    p = view(room, at, (cap, chunks, 8))
    at += cap * chunks * 8
    turn = view(room, at, (cap, cs, 8))
    at += cap * cs * 8
    order, at = room[at : at + cap], at + cap
    size, at = room[at : at + cap], at + cap
    height, at = room[at : at + cap], at + cap
    weight, at = room[at : at + cap], at + cap
    lost = False
    for i in range(samples):
        for c in range(k):
            lost = lost or f[c, i] != f[c, i]
        line, row = line_of(v[i]), line_of(rows[index[i]])
        for j in range(chunks * 8):
            line[j] = row[j] if columns[0] <= j < columns[1] else 0.0
    for c in range(k):
        out[c].fill(np.nan if lost else 0.0)
    if lost:
        return
    terms = graded.factorise(f, q, v, columns[1] - columns[0], left, right, order, room[at:])
    found = orthonormal(left, order, terms, terms, classes, r, size, height)
    for t in range(found):
        line = line_of(r[t])
        lines[t].fill(0.0)
        for i in range(terms):
            if line[i] != 0.0:
                add_to(lines[t], times_pow2(line[i], order[i] - height[t]), right[i])
    values(lines, height, found, turn, kind, count, uniforms, weight, p)
    for s in range(found):
        for c in range(k):
            add_to(out[c], line_of(classes[s])[c], p[s])

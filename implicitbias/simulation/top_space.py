"""The top of the spectrum of the Hessian of all rows, and what a projector on it leaves of an update.

    H = mean_i l''(z_i) a_i a_i'                                             two classes
    H = mean_i sum_{c < c'} p_ic p_ic' (e_c - e_c')(e_c - e_c')' (x) x_i x_i'  several: diag(p) - pp' is that sum

with e^-z_ic in the place of p_iy p_ic, and 0 of the others, for the exponential loss. So H is a sum of squares of
vectors with weights > 0, whose exponents are kept apart: nothing cancels, and a factor of all of them changes no
eigenvector. As a rule H is formed, in units of its heaviest sample, or for n < d the matrix of the products of its
vectors, and the eigenvectors are those of `tridiagonal`. Where the gap below the last of them is too small for the
digits of float64, as far in the tail, where weights are exponentially apart, they are found in the vectors themselves,
whose units may be any powers of two (`factors`).
"""

import math

from implicitbias.jit import helper, hot
from implicitbias.lanes import (
    LANES,
    absolute,
    first_lane,
    fma,
    fma_each,
    largest,
    line_of,
    load,
    maximum,
    splat,
    splat_at,
    splat_each,
    store,
    total,
    turn,
    view,
    zeros_each,
)
from implicitbias.optimizers.matrix.factors import orthonormal, ranks_of, rotate_rows
from implicitbias.simulation import tridiagonal
from implicitbias.simulation.classes import weigh_classes
from implicitbias.simulation.gradients import weigh
from implicitbias.simulation.tail import EXPONENTIAL, bend_weights, exponent, pow2, times_pow2
from implicitbias.simulation.tridiagonal import top_vectors

# Numbers of a memory before the basis: first its rank, 0 while there is none, then the binary order of the rows.
BESIDE = 60.0  # binary orders by which what is added to a vector is below its last digit
HEAD = 8
NOTHING = -1e300  # the exponent of no weight


def rooms(k: int, width: int, d: int, n: int, rank: int) -> tuple[int, int]:
    """Numbers of the memory and of the room of a projector of this rank, for n rows of d features, padded to `width`,
    and k classes (1: two)."""
    pairs, padded = max(k * (k - 1) // 2, 1), k * (-(-width // LANES) * LANES)
    vectors, size = n * pairs, k * d if k > 1 else min(n, d)
    wide, rows = -(-size // LANES) * LANES, n * (padded // k)
    least = min(vectors, k * d)
    formed = rows + wide * wide + tridiagonal.room_for(size) + rank * wide + rank
    if k > 1:
        formed += (k * (k + 1) // 2 + 1) * n + (padded // k) ** 2
    factored = (vectors + least) * padded + least * (-(-vectors // LANES) * LANES + -(-least // LANES) * LANES)
    return HEAD + rank * padded, 2 * padded + 2 * vectors + max(formed, factored + vectors + 2 * least) + LANES


@helper
def find_basis(data, runs, rank, r):
    """The top eigenvectors of H at w, the rows of the basis in the memory of run r; 0 where H has no more."""
    work, n = runs.work, data.rows.shape[0]
    f, q, room, basis = places(runs, r, rank, n)
    weigh(data, runs, work.every, n, r)
    bend_weights(work.z, work.f, work.q, -(-n // LANES), data.loss)
    copy_numbers(line_of(work.f), f, n)
    copy_numbers(line_of(work.q), q, n)
    order = order_of_rows(data.rows, runs.memory[r])
    if n < data.features:
        found = from_products(data, f, q, order, rank, room, basis)
    else:
        found = from_features(data, f, q, order, rank, room, basis)
    if not found:
        from_vectors(data, f, q, rank, room, basis)
    runs.memory[r, 0] = float(rank)


@helper
def find_class_basis(data, runs, rank, r):
    """The same for rows of several classes."""
    n, k = data.rows.shape[0], data.classes
    f, q, room, basis = places(runs, r, rank, n * (k * (k - 1) // 2))
    weigh_classes(data, runs, runs.work.every, n, r)
    weigh_pairs(runs.work, n, k, data.loss, f, q)
    if not from_classes(data, f, q, order_of_rows(data.rows, runs.memory[r]), rank, room, basis):
        from_vectors(data, f, q, rank, room, basis)
    runs.memory[r, 0] = float(rank)


@hot
def places(runs, r, rank, vectors):
    """Weights f 2^q of so many vectors, the room after them, and the basis."""
    chunks, room = runs.w.shape[1], runs.work.scratch
    at = 2 * chunks * LANES  # of `project`
    f, q, room = room[at : at + vectors], room[at + vectors : at + 2 * vectors], room[at + 2 * vectors :]
    return f, q, room, view(runs.memory[r], HEAD, (rank, chunks, LANES))


@hot
def copy_numbers(x, y, count):
    for i in range(count):
        y[i] = x[i]


@hot
def weigh_pairs(work, n, k, loss, f, q):
    """The weights f 2^q of the pairs of classes of each sample, pair after pair, from those of the classes."""
    samples = work.f_each.shape[0] // k
    samples = -(-n // LANES)
    each_f, each_q, own, labels = line_of(work.f_each), line_of(work.q_each), line_of(work.z_each), line_of(work.labels)
    at = 0
    for one in range(k):
        for other in range(one + 1, k):
            for i in range(n):
                first, second, label = one * samples * LANES + i, other * samples * LANES + i, int(labels[i])
                if label == one:
                    f[at], q[at] = abs(each_f[second]) * own[first], each_q[second]
                elif label == other:
                    f[at], q[at] = abs(each_f[first]) * own[second], each_q[first]
                elif loss == EXPONENTIAL:
                    f[at], q[at] = 0.0, NOTHING
                else:
                    f[at], q[at] = abs(each_f[first] * each_f[second]), each_q[first] + each_q[second]
                at += 1


@hot
def order_of_rows(rows, memory):
    """The binary order of the largest entry of all rows, which is looked for once."""
    if memory[0] == 0.0:
        top = splat(0.0)
        for i in range(rows.shape[0] * rows.shape[1]):
            top = maximum(top, absolute(load(rows, i)))
        memory[1] = exponent(first_lane(largest(top)))
    return int(memory[1])


@hot
def heaviest(f, q):
    """The largest exponent of a weight that there is."""
    top = NOTHING
    for i in range(q.shape[0]):
        if f[i] != 0.0:
            top = max(top, q[i])
    return top


@helper
def weighted_rows(rows, f, q, order, out):
    """The rows times their weights f 2^q over 2^(2 order), in units of the heaviest."""
    n, per, top = rows.shape[0], rows.shape[1], heaviest(f, q)
    for i in range(n):
        weight = splat(times_pow2(f[i] * pow2(q[i] - top) / n, -2 * order))
        for c in range(per):
            store(out[i], c, weight * load(rows, i * per + c))


@helper
def from_features(data, f, q, order, rank, room, basis):
    """From H (d, d)."""
    n, per = data.rows.shape[0], data.rows.shape[1]
    width = per * LANES
    weighted, at = view(room, 0, (n, per, LANES)), n * width
    h, at = view(room, at, (width, per, LANES)), at + width * width
    weighted_rows(data.rows, f, q, order, weighted)
    squares_of_rows(weighted, data.rows, h)
    return top_vectors(h, data.features, rank, room[at:], basis)


@helper
def squares_of_rows(x, y, h):
    """h = sum_i x_i y_i', symmetric: x_i are multiples of y_i."""
    n, per = x.shape[0], x.shape[1]
    for c in range(per):
        for j in range(c + 1):
            p = zeros_each()
            for i in range(n):
                p = fma_each(splat_each(line_of(x), (i * per + j) * LANES), load(y, i * per + c), p)
            store_block(h, j, c, p)
            if j < c:
                store_block(h, c, j, turn(p))


@hot
def store_block(h, j, c, p):
    """Eight rows of eight numbers."""
    per = h.shape[1]
    at = j * LANES * per + c
    store(h, at, p[0])
    store(h, at + per, p[1])
    store(h, at + 2 * per, p[2])
    store(h, at + 3 * per, p[3])
    store(h, at + 4 * per, p[4])
    store(h, at + 5 * per, p[5])
    store(h, at + 6 * per, p[6])
    store(h, at + 7 * per, p[7])


@helper
def from_products(data, f, q, order, rank, room, basis):
    """From the products (n, n) of the rows times the roots of their weights, for n < d."""
    n, per = data.rows.shape[0], data.rows.shape[1]
    chunks = -(-n // LANES)
    small, at = view(room, 0, (n, per, LANES)), n * per * LANES
    h, at = view(room, at, (chunks * LANES, chunks, LANES)), at + chunks * LANES * chunks * LANES
    vectors, at = view(room, at, (rank, chunks, LANES)), at + rank * chunks * LANES
    top = heaviest(f, q)
    for i in range(n):
        weight = splat(math.sqrt(f[i] * pow2(q[i] - top) / n)) * pow2(-order)
        for c in range(per):
            store(small[i], c, weight * load(data.rows[i], c))
    for i in range(chunks * LANES):
        for c in range(chunks):
            store(h[i], c, splat(0.0))
    for i in range(n):
        line = line_of(h[i])
        for j in range(i + 1):
            both = splat(0.0)
            for c in range(per):
                both = fma(load(small[i], c), load(small[j], c), both)
            line[j] = first_lane(total(both))
            line_of(h[j])[i] = line[j]
    if not top_vectors(h, n, rank, room[at:], vectors):
        return False
    for s in range(rank):
        for c in range(per):
            store(basis[s], c, splat(0.0))
        for i in range(n):
            part = splat_at(line_of(vectors[s]), i)
            for c in range(per):
                store(basis[s], c, fma(part, load(small[i], c), load(basis[s], c)))
        both = splat(0.0)
        for c in range(per):
            both = fma(load(basis[s], c), load(basis[s], c), both)
        size = 1.0 / math.sqrt(first_lane(total(both)))
        for c in range(per):
            store(basis[s], c, load(basis[s], c) * size)
    return tridiagonal.straight(basis, rank)


@helper
def from_classes(data, f, q, order, rank, room, basis):
    """From H (k d, k d), the coordinates of a class beside those of the last without what pads them."""
    n, per, k, d = data.rows.shape[0], data.rows.shape[1], data.classes, data.features
    width, size = per * LANES, k * d
    chunks = -(-size // LANES)
    weighted, at = view(room, 0, (n, per, LANES)), n * width
    h, at = view(room, at, (chunks * LANES, chunks, LANES)), at + chunks * LANES * chunks * LANES
    vectors, at = view(room, at, (rank, chunks, LANES)), at + rank * chunks * LANES
    block, at = view(room, at, (width, per, LANES)), at + width * width
    shares, at = view(room, at, (k * (k + 1) // 2, n)), at + k * (k + 1) // 2 * n
    top = heaviest(f, q)
    for i in range(chunks * LANES * chunks):
        store(h, i, splat(0.0))
    # the entries of diag(p) - pp' of each sample: those of a pair, and on the diagonal the sums of these
    for i in range(n):
        for c in range(k):
            shares[place(c, c, k), i] = 0.0
        pair = 0
        for one in range(k):
            for other in range(one + 1, k):
                weight = times_pow2(f[pair * n + i] * pow2(q[pair * n + i] - top) / n, -2 * order)
                shares[place(one, other, k), i] = -weight
                shares[place(one, one, k), i] += weight
                shares[place(other, other, k), i] += weight
                pair += 1
    for one in range(k):
        for other in range(one, k):
            mine = shares[place(one, other, k)]
            for i in range(n):
                weight = splat_at(mine, i)
                for c in range(per):
                    store(weighted[i], c, weight * load(data.rows[i], c))
            squares_of_rows(weighted, data.rows, block)
            for i in range(d):
                found, row, turned = line_of(block[i]), line_of(h[one * d + i]), line_of(h[other * d + i])
                for j in range(d):
                    row[other * d + j] = found[j]
                    turned[one * d + j] = found[j]  # a block is symmetric
    if not top_vectors(h, size, rank, room[at:], vectors):
        return False
    for s in range(rank):
        found, out = line_of(vectors[s]), line_of(basis[s])
        out[:] = 0.0
        for c in range(k):
            for j in range(d):
                out[c * width + j] = found[c * d + j]
    return True


@hot
def place(one, other, k):
    """The number of a pair one <= other of k classes."""
    return one * k - one * (one - 1) // 2 + other - one


@helper
def from_vectors(data, f, q, rank, room, basis):
    """From the vectors whose squares add up to H, each in units of its own."""
    n, per, k = data.rows.shape[0], data.rows.shape[1], data.classes
    count, padded = f.shape[0], basis.shape[1] * LANES
    most = min(count, k * data.features)
    columns, turns = -(-count // LANES), -(-most // LANES)
    v, at = view(room, 0, (count, k * per, LANES)), count * padded
    basis_of, at = view(room, at, (most, k * per, LANES)), at + most * padded
    right, at = view(room, at, (most, columns, LANES)), at + most * columns * LANES
    rotation, at = view(room, at, (most, turns, LANES)), at + most * turns * LANES
    size, at = room[at : at + count], at + count
    height, at = room[at : at + most], at + most
    ranks = room[at : at + most]
    at = 0
    for one in range(k):
        for other in range(one + 1, max(k, 2)):
            for i in range(n):
                odd = q[at] - 2.0 * math.floor(0.5 * q[at])
                root = math.sqrt(f[at] * (2.0 if odd > 0.0 else 1.0))
                row = data.rows[i]
                order = order_of_row(row)
                for c in range(k * per):
                    store(v[at], c, splat(0.0))
                for c in range(per):
                    part = times_pow2_of(load(row, c), -order) * root
                    store(v[at], one * per + c, part)
                    if k > 1:
                        store(v[at], other * per + c, -part)
                q[at] = math.floor(0.5 * q[at]) + order
                at += 1
    found = orthonormal(v, q, count, most, basis_of, right, size, height, rank, BESIDE)
    for s in range(rank):
        for c in range(k * per):
            store(basis[s], c, splat(0.0))
    if found < 1:
        return
    for s in range(found):
        line = line_of(right[s])
        for i in range(count):
            line[i] = times_pow2(line[i], q[i] - height[s]) if line[i] != 0.0 else 0.0
    rotate_rows(right, height, found, rotation)
    ranks_of(right, height, found, ranks)
    for s in range(found):
        at = int(ranks[s])
        if at < rank:
            line = line_of(rotation[s])
            for i in range(found):
                part = splat_at(line, i)
                for c in range(k * per):
                    store(basis[at], c, fma(part, load(basis_of[i], c), load(basis[at], c)))


@hot
def order_of_row(row):
    top = splat(0.0)
    for c in range(row.shape[0]):
        top = maximum(top, absolute(load(row, c)))
    return exponent(first_lane(largest(top)))


@hot
def times_pow2_of(x, k):
    """x 2^k in lanes."""
    half = k // 2
    return x * times_pow2(1.0, half) * times_pow2(1.0, k - half)


@helper
def project(w, here, moved, basis, bulk):
    """w = here + P u, or w - P u, for the update u = w - here and P on the rows of the basis."""
    chunks = w.shape[0]
    for c in range(chunks):
        store(moved, c, splat(0.0))
    for s in range(basis.shape[0]):
        both = splat(0.0)
        for c in range(chunks):
            both = fma(load(basis, s * chunks + c), load(w, c) - load(here, c), both)
        rate = total(both)
        for c in range(chunks):
            store(moved, c, fma(rate, load(basis, s * chunks + c), load(moved, c)))
    for c in range(chunks):
        store(w, c, load(w, c) - load(moved, c) if bulk else load(here, c) + load(moved, c))

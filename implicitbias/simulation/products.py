"""The two products of a step: margins of the batch, and the mean gradient from their weights.

Two ways of laying out eight lanes (see `lanes`), told apart by `wide`:

    narrow   one run: chunk c of a vector holds its coordinates 8c, ..., 8c + 7
    wide     eight runs: chunk j of a vector holds coordinate j of each of them

Both add the same numbers in the same order, so a run comes out the same, bit by bit, in either. Rows are padded with
zeros to a multiple of eight coordinates; `rows` (n, chunks, 8) and `flat` (n, 8 chunks) are the same memory. Numbers
that belong to samples (margins, weights) are (batch, 8) arrays: wide, entry k holds sample k of the eight runs; narrow,
they are read as flat, eight samples a chunk.
"""

from implicitbias.jit import hot
from implicitbias.lanes import (
    LANES,
    first_lane,
    fma,
    fma_each,
    insert,
    line_of,
    load,
    load_each,
    splat,
    splat_each,
    store,
    store_each,
    sum_across,
    sum_each,
    total,
    zeros_each,
)


@hot
def margin(row, w):
    """a.w in each lane (narrow)."""
    p = splat(0.0)
    for j in range(row.shape[0]):
        p = fma(load(row, j), load(w, j), p)
    return total(p)


@hot
def margins(rows, flat, index, size, w, wide, z):
    """z_k = a_k.w for the rows index[:size]."""
    if wide:
        for k in range(0, size - 1, 2):  # two at a time: each chunk of w is loaded once for both
            first, second = flat[index[k]], flat[index[k + 1]]
            p, q = zeros_each(), zeros_each()
            for j in range(0, flat.shape[1], LANES):
                part = load_each(w, j)
                p = fma_each(splat_each(first, j), part, p)
                q = fma_each(splat_each(second, j), part, q)
            store(z, k, sum_across(p))
            store(z, k + 1, sum_across(q))
        if size % 2:
            row = flat[index[size - 1]]
            p = zeros_each()
            for j in range(0, flat.shape[1], LANES):
                p = fma_each(splat_each(row, j), load_each(w, j), p)
            store(z, size - 1, sum_across(p))
        return
    chunks = rows.shape[1]
    for k in range(0, size - LANES + 1, LANES):
        a, b, c, d = rows[index[k]], rows[index[k + 1]], rows[index[k + 2]], rows[index[k + 3]]
        e, f, g, h = rows[index[k + 4]], rows[index[k + 5]], rows[index[k + 6]], rows[index[k + 7]]
        p = zeros_each()
        for j in range(chunks):
            eight = (load(a, j), load(b, j), load(c, j), load(d, j), load(e, j), load(f, j), load(g, j), load(h, j))
            p = fma_each(eight, load(w, j), p)
        store(z, k // LANES, sum_each(p))
    first = size - size % LANES
    last = splat(0.0)
    for k in range(first, size):
        p = margin(rows[index[k]], w)
        # the first fills what is left over: it changes no largest and no smallest
        last = p if k == first else insert(last, k - first, first_lane(p))
    if first < size:
        store(z, first // LANES, last)


@hot
def pick_margins(every, index, size, in_order, stretch, z):
    """z_k = stretch every[index_k], for margins that are there already (narrow); in_order: index_k = k."""
    start = 0
    if in_order:  # nothing to pick but for what is left over
        start = size - size % LANES
        for c in range(start // LANES):
            store(z, c, load(every, c) * stretch)
    for first in range(start, size, LANES):
        part = splat(every[index[first]])
        for k in range(first + 1, min(first + LANES, size)):
            part = insert(part, k - first, every[index[k]])
        store(z, first // LANES, part * stretch)


@hot
def weighted_sum(rows, flat, index, size, weight, wide, g):
    """g = sum_k weight_k a_k over the rows index[:size], added in their order."""
    if wide:
        for j in range(0, flat.shape[1], LANES):
            p = zeros_each()
            for k in range(size):
                p = fma_each(splat_each(flat[index[k]], j), load(weight, k), p)
            store_each(g, j, p)
        return
    chunks = rows.shape[1]
    line = line_of(weight)
    for c in range(chunks):
        store(g, c, splat(0.0))
    for k in range(0, size - 3, 4):  # four at a time: each chunk of g is loaded and stored once for all
        a, b, c, d = rows[index[k]], rows[index[k + 1]], rows[index[k + 2]], rows[index[k + 3]]
        u, v, x, y = line[k], line[k + 1], line[k + 2], line[k + 3]
        for j in range(chunks):
            p = fma(u, load(a, j), load(g, j))
            p = fma(v, load(b, j), p)
            p = fma(x, load(c, j), p)
            store(g, j, fma(y, load(d, j), p))
    for k in range(size - size % 4, size):
        row = rows[index[k]]
        u = line[k]
        for j in range(chunks):
            store(g, j, fma(u, load(row, j), load(g, j)))


@hot
def weighted_squares(rows, flat, index, size, weight, wide, squares):
    """squares = sum_k (weight_k a_k)^2, coordinate by coordinate."""
    line = line_of(weight)
    for j in range(squares.shape[0]):
        p = splat(0.0)
        for k in range(size):
            if wide:
                part = load(weight, k) * flat[index[k], j]
            else:
                part = line[k] * load(rows[index[k]], j)
            p = fma(part, part, p)
        store(squares, j, p)


@hot
def square_length(g, wide):
    """sum_j g_j^2 of every run."""
    p = splat(0.0)
    if not wide:
        for c in range(g.shape[0]):
            p = fma(load(g, c), load(g, c), p)
        return total(p)
    p = zeros_each()
    for j in range(0, g.shape[0], LANES):
        part = load_each(g, j)
        p = fma_each(part, part, p)
    return sum_across(p)

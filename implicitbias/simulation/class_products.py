"""The two products of a step for several classes: scores of the batch, and the mean gradient from the weights.

They are laid out as in `products`, one class after the other. Every score is added up in the order of the features and
every gradient in that of the batch, so neither hangs on how the work is tiled, nor on whether the runs lie narrow or
wide. A tile has eight sums, which do not wait for each other; what goes over its end is the last class, chunk or
feature once more, which changes nothing.
"""

from implicitbias.jit import hot
from implicitbias.lanes import LANES, fma, line_of, load, splat, splat_at, store, store_each, turn


@hot
def scores(rows, flat, index, size, features, w, classes, wide, turned, z):
    """z_ck = w_c.x_k for the rows index[:size]; turned (2 width, 8) is room."""
    width, last = flat.shape[1], classes - 1
    if wide:
        for c in range(0, classes, 2):
            first, second = c * width, min(c + 1, last) * width
            to, and_to = c * size, min(c + 1, last) * size
            for k in range(0, size - 3, 4):
                a, b, e, f = flat[index[k]], flat[index[k + 1]], flat[index[k + 2]], flat[index[k + 3]]
                p, q, r, s = splat(0.0), splat(0.0), splat(0.0), splat(0.0)
                t, u, v, x = splat(0.0), splat(0.0), splat(0.0), splat(0.0)
                for j in range(features):
                    one, two = load(w, first + j), load(w, second + j)
                    p, q, r, s = (
                        fma(one, splat_at(a, j), p),
                        fma(one, splat_at(b, j), q),
                        fma(one, splat_at(e, j), r),
                        fma(one, splat_at(f, j), s),
                    )
                    t, u, v, x = (
                        fma(two, splat_at(a, j), t),
                        fma(two, splat_at(b, j), u),
                        fma(two, splat_at(e, j), v),
                        fma(two, splat_at(f, j), x),
                    )
                store(z, to + k, p)
                store(z, to + k + 1, q)
                store(z, to + k + 2, r)
                store(z, to + k + 3, s)
                store(z, and_to + k, t)
                store(z, and_to + k + 1, u)
                store(z, and_to + k + 2, v)
                store(z, and_to + k + 3, x)
            for k in range(size - size % 4, size):
                row, p, q = flat[index[k]], splat(0.0), splat(0.0)
                for j in range(features):
                    p, q = fma(load(w, first + j), splat_at(row, j), p), fma(load(w, second + j), splat_at(row, j), q)
                store(z, to + k, p)
                store(z, and_to + k, q)
        return
    line, samples, other = line_of(w), -(-size // LANES), turned[width:]
    for k in range(0, samples, 2):
        turn_rows(rows, flat, index, k * LANES, size, turned)
        if k + 1 < samples:
            turn_rows(rows, flat, index, (k + 1) * LANES, size, other)
        for c in range(0, classes, 4):
            places = c, min(c + 1, last), min(c + 2, last), min(c + 3, last)
            few = c + 2 >= classes
            if k + 1 < samples:
                p, q, r, s, t, u, v, x = sums_of_two(turned, other, features, line, width, places, few)
                store_four(z, places, samples, k + 1, (t, u, v, x), few)
            else:
                p, q, r, s = sums_of_one(turned, features, line, width, places, few)
            store_four(z, places, samples, k, (p, q, r, s), few)


@hot
def store_four(z, places, samples, k, sums, few):
    store(z, places[0] * samples + k, sums[0])
    store(z, places[1] * samples + k, sums[1])
    if not few:
        store(z, places[2] * samples + k, sums[2])
        store(z, places[3] * samples + k, sums[3])


@hot
def sums_of_one(x, features, line, width, places, few):
    """The products of eight samples with four classes, or with the `few` first two of them."""
    a, b, c, d = places[0] * width, places[1] * width, places[2] * width, places[3] * width
    p, q, r, s = splat(0.0), splat(0.0), splat(0.0), splat(0.0)
    if few:
        for j in range(features):
            one = load(x, j)
            p, q = fma(one, splat_at(line, a + j), p), fma(one, splat_at(line, b + j), q)
    else:
        for j in range(features):
            one = load(x, j)
            p, q = fma(one, splat_at(line, a + j), p), fma(one, splat_at(line, b + j), q)
            r, s = fma(one, splat_at(line, c + j), r), fma(one, splat_at(line, d + j), s)
    return p, q, r, s


@hot
def sums_of_two(x, y, features, line, width, places, few):
    """Those of sixteen samples."""
    a, b, c, d = places[0] * width, places[1] * width, places[2] * width, places[3] * width
    p, q, r, s = splat(0.0), splat(0.0), splat(0.0), splat(0.0)
    t, u, v, w = splat(0.0), splat(0.0), splat(0.0), splat(0.0)
    if few:
        for j in range(features):
            one, two, e, f = load(x, j), load(y, j), splat_at(line, a + j), splat_at(line, b + j)
            p, q, t, u = fma(one, e, p), fma(one, f, q), fma(two, e, t), fma(two, f, u)
    else:
        for j in range(features):
            one, two, e, f, g, h = (
                load(x, j),
                load(y, j),
                splat_at(line, a + j),
                splat_at(line, b + j),
                splat_at(line, c + j),
                splat_at(line, d + j),
            )
            p, q, r, s = fma(one, e, p), fma(one, f, q), fma(one, g, r), fma(one, h, s)
            t, u, v, w = fma(two, e, t), fma(two, f, u), fma(two, g, v), fma(two, h, w)
    return p, q, r, s, t, u, v, w


@hot
def turn_rows(rows, flat, index, first, size, turned):
    """The features of eight rows index[first:], each side by side; the first row fills what is left over."""
    if first + 1 == size:
        row = flat[index[first]]
        for j in range(flat.shape[1]):
            store(turned, j, splat_at(row, j))
        return
    left = size - first
    a, b = rows[index[first]], rows[index[first + 1]]
    c = rows[index[first + 2 if left > 2 else first]]
    d = rows[index[first + 3 if left > 3 else first]]
    e = rows[index[first + 4 if left > 4 else first]]
    f = rows[index[first + 5 if left > 5 else first]]
    g = rows[index[first + 6 if left > 6 else first]]
    h = rows[index[first + 7 if left > 7 else first]]
    for j in range(rows.shape[1]):
        eight = (load(a, j), load(b, j), load(c, j), load(d, j), load(e, j), load(f, j), load(g, j), load(h, j))
        store_each(turned, j * LANES, turn(eight))


@hot
def add_scores(rows, flat, index, size, features, weight, classes, wide, g):
    """g_c += sum_k weight_ck x_k over the rows index[:size], in their order: that of two parts of a batch is that of
    the whole."""
    last = classes - 1
    if wide:
        width, end = flat.shape[1], features - 1
        for c in range(0, classes, 2):
            first, second = c * width, min(c + 1, last) * width
            of, and_of = c * size, min(c + 1, last) * size
            for j in range(0, features, 4):
                k, m, n = min(j + 1, end), min(j + 2, end), min(j + 3, end)
                p, q, r, s = load(g, first + j), load(g, first + k), load(g, first + m), load(g, first + n)
                t, u, v, x = load(g, second + j), load(g, second + k), load(g, second + m), load(g, second + n)
                for i in range(size):
                    row, one, two = flat[index[i]], load(weight, of + i), load(weight, and_of + i)
                    p, q, r, s = (
                        fma(one, splat_at(row, j), p),
                        fma(one, splat_at(row, k), q),
                        fma(one, splat_at(row, m), r),
                        fma(one, splat_at(row, n), s),
                    )
                    t, u, v, x = (
                        fma(two, splat_at(row, j), t),
                        fma(two, splat_at(row, k), u),
                        fma(two, splat_at(row, m), v),
                        fma(two, splat_at(row, n), x),
                    )
                store(g, first + j, p)
                store(g, first + k, q)
                store(g, first + m, r)
                store(g, first + n, s)
                store(g, second + j, t)
                store(g, second + k, u)
                store(g, second + m, v)
                store(g, second + n, x)
        return
    line, chunks, stride = line_of(weight), rows.shape[1], -(-size // LANES) * LANES
    for c in range(0, classes, 4):
        second, third, fourth = min(c + 1, last), min(c + 2, last), min(c + 3, last)
        for j in range(0, chunks, 2):
            k = min(j + 1, chunks - 1)
            p, q = load(g, c * chunks + j), load(g, c * chunks + k)
            r, s = load(g, second * chunks + j), load(g, second * chunks + k)
            t, u = load(g, third * chunks + j), load(g, third * chunks + k)
            v, x = load(g, fourth * chunks + j), load(g, fourth * chunks + k)
            if c + 2 >= classes:
                for i in range(size):
                    row = rows[index[i]]
                    one, two = load(row, j), load(row, k)
                    a, b = splat_at(line, c * stride + i), splat_at(line, second * stride + i)
                    p, q, r, s = fma(one, a, p), fma(two, a, q), fma(one, b, r), fma(two, b, s)
            else:
                for i in range(size):
                    row = rows[index[i]]
                    one, two = load(row, j), load(row, k)
                    a, b = splat_at(line, c * stride + i), splat_at(line, second * stride + i)
                    p, q, r, s = fma(one, a, p), fma(two, a, q), fma(one, b, r), fma(two, b, s)
                    a, b = splat_at(line, third * stride + i), splat_at(line, fourth * stride + i)
                    t, u, v, x = fma(one, a, t), fma(two, a, u), fma(one, b, v), fma(two, b, x)
                store(g, third * chunks + j, t)
                store(g, third * chunks + k, u)
                store(g, fourth * chunks + j, v)
                store(g, fourth * chunks + k, x)
            store(g, c * chunks + j, p)
            store(g, c * chunks + k, q)
            store(g, second * chunks + j, r)
            store(g, second * chunks + k, s)

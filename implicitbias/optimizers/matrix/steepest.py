"""The step of all optimizers that move W along a map of their momentum: which map, and in what units."""

import math

import numpy as np

from implicitbias.jit import helper, inlined
from implicitbias.lanes import fma, line_of, load, splat, store, view
from implicitbias.optimizers.matrix import newton_schulz, polar, tally
from implicitbias.optimizers.matrix.rows import blend, copy_rows, dot, largest_of, scale_row, together, units_of
from implicitbias.optimizers.parts import times_sign
from implicitbias.simulation.orders import uniform
from implicitbias.simulation.tail import exponent, times_pow2

# The maps, as the step reads them. Those from SPECTRAL on replace singular values.
FROBENIUS, MAX, ROWS, COLUMNS, NEWTON_SCHULZ, SPECTRAL, TRUNCATED, RANDOM, SIGN_OF_POLAR = range(9)
SCALES = ("none", "original", "match_rms_adamw", "spectral")

# The places of the hyper-parameters. From SPLIT on, features are a second block, with a map and a step of its own.
MU, NESTEROV, MAP, COUNT, ITERATIONS, SCALE, DECAY, LAST, TRANSPOSED, SEED, SPLIT, SECOND, RATIO = range(13)


@inlined
def step(w, g, hyper, lr, units, batch, matrix):
    mu, nesterov, last = hyper[MU, 0], hyper[NESTEROV, 0] > 0.0, hyper[LAST, 0] > 0.0
    k, per = matrix.classes, g.shape[0] // matrix.classes
    weights, gradient = view(w, 0, (k, per, 8)), view(g, 0, (k, per, 8))
    count, at = k * per * 8, 0
    unit, at = matrix.room[:k], k
    found = view(matrix.room, at, (k, per, 8))
    at += count
    seen = view(matrix.room, at, (k, per, 8))
    at += count
    part = view(matrix.room, at, (k, per, 8))
    at += count
    out = view(matrix.room, at, (k, per, 8))
    at += count
    expo = matrix.room[at : at + k]
    room = matrix.room[at + k :]
    units_of(units, k, per, unit)
    momentum, power = view(matrix.memory, 0, (k, per, 8)), matrix.memory[count : count + k]
    ledger = matrix.memory[count + k :]
    average = mu > 0.0 and not last
    if average:
        blend(momentum, power, mu, gradient, unit, 1.0 - mu)
        if max(hyper[MAP, 0], hyper[SECOND, 0]) >= SPECTRAL:
            f, q = weights_of(matrix, batch)
            tally.remember(ledger, k, matrix.rows.shape[0], mu, matrix.index, batch.size, f, q)
        copy_rows(momentum, power, seen, expo)
        if nesterov:
            blend(seen, expo, mu, gradient, unit, 1.0 - mu)
    else:
        copy_rows(gradient, unit, seen, expo)
    split = int(hyper[SPLIT, 0])
    for block in range(2 if split > 0 else 1):
        first, end = (split, matrix.features) if block else (0, split if split > 0 else matrix.features)
        kind, size = (hyper[SECOND, 0], hyper[RATIO, 0]) if block else (hyper[MAP, 0], 1.0)
        if split > 0:
            only(seen, first, end, part)
        else:
            part = seen
        mapped(
            part, expo, int(kind), mu if average else 0.0, nesterov, hyper, batch, matrix, first, end, ledger, room, out
        )
        for c in range(k):
            for j in range(per):
                before = load(found[c], j) if block else splat(0.0)
                store(found[c], j, fma(size, load(out[c], j), before))
    if last:
        for c in range(k):
            for j in range(per):
                now = load(found[c], j)
                new = fma(mu, load(momentum[c], j), (1.0 - mu) * now)
                store(momentum[c], j, new)
                store(found[c], j, fma(mu, new, (1.0 - mu) * now) if nesterov else new)
    size = scale(int(hyper[SCALE, 0]), k, matrix.features, hyper[TRANSPOSED, 0] > 0.0)
    keep, move = 1.0 - lr * load(hyper, DECAY), -lr * size
    for c in range(k):
        for j in range(per):
            store(weights[c], j, fma(move, load(found[c], j), keep * load(weights[c], j)))


@helper
def only(x, first, end, y):
    """y = x, with zeros outside of some columns."""
    for c in range(x.shape[0]):
        line, out = line_of(x[c]), line_of(y[c])
        for j in range(out.shape[0]):
            out[j] = line[j] if first <= j < end else 0.0


@helper
def scale(kind, k, d, transposed):
    """The factor of a step on a matrix of so many rows and columns."""
    rows, columns = (d, k) if transposed else (k, d)
    if kind == 1:
        return math.sqrt(max(1.0, rows / columns))
    if kind == 2:
        return 0.2 * math.sqrt(max(rows, columns))
    return math.sqrt(rows / columns) if kind == 3 else 1.0


@helper
def weights_of(matrix, batch):
    """The weights (k, samples) of the batch, f and q."""
    k, samples = matrix.classes, (batch.size + 7) // 8
    return view(matrix.f, 0, (k, samples * 8)), view(matrix.q, 0, (k, samples * 8))


@inlined
def mapped(x, expo, kind, mu, nesterov, hyper, batch, matrix, first, end, ledger, room, out):
    """out = the map of a matrix x in units 2^expo of its rows, zero outside of the columns from `first` to `end`; of an
    average, whose decay is mu, the samples are in the ledger, ahead of which Nesterov's is."""
    k, per = x.shape[0], x.shape[1]
    if kind == MAX:
        for c in range(k):
            for j in range(per):
                store(out[c], j, times_sign(splat(1.0), load(x[c], j)))
    elif kind == ROWS:
        for c in range(k):
            unit_row(x[c], out[c])
    elif kind == COLUMNS:
        unit_columns(view(x, 0, (k, per * 8)), expo, view(out, 0, (k, per * 8)))
    else:
        together(x, expo, out)
        if kind == FROBENIUS:
            squares = 0.0
            for c in range(k):
                squares += dot(out[c], out[c])
            for c in range(k):
                if squares != 0.0:
                    scale_row(out[c], 1.0 / math.sqrt(squares))
        elif kind == NEWTON_SCHULZ:
            newton_schulz.iterate(out, matrix.features, int(hyper[COUNT, 0]), int(hyper[ITERATIONS, 0]), room)
        else:
            singular(kind, mu, nesterov, hyper, batch, matrix, first, end, ledger, room, out)


@helper
def unit_row(x, out):
    """out = x / ||x||_2, 0 for 0."""
    top = largest_of(x)
    over = 1.0 / top if top > 0.0 else 1.0
    for j in range(x.shape[0]):
        store(out, j, over * load(x, j))
    squares = dot(out, out)
    if squares != 0.0:
        scale_row(out, 1.0 / math.sqrt(squares))


@helper
def unit_columns(x, expo, out):
    """out = each column of x, in units 2^expo of the rows, over its length; 0 for 0."""
    for j in range(x.shape[1]):
        top = -np.inf
        for c in range(x.shape[0]):
            if x[c, j] != 0.0:
                top = max(top, expo[c] + exponent(x[c, j]))
        squares = 0.0
        for c in range(x.shape[0]):
            out[c, j] = times_pow2(x[c, j], expo[c] - top) if x[c, j] != 0.0 else 0.0
            squares += out[c, j] * out[c, j]
        for c in range(x.shape[0]):
            out[c, j] /= math.sqrt(squares) if squares != 0.0 else 1.0


@inlined
def singular(kind, mu, nesterov, hyper, batch, matrix, first, end, ledger, room, out):
    """out = the matrix out, in one unit, with its singular values replaced."""
    k, per, n = out.shape[0], out.shape[1], matrix.rows.shape[0]
    samples = batch.size if mu == 0.0 else int(ledger[2])
    cap = min(matrix.rank, samples, end - first)
    which = polar.FIRST if kind == TRUNCATED else polar.RANDOM if kind == RANDOM else polar.ALL
    count = int(hyper[COUNT, 0])
    uniforms, at = room[:cap], cap
    for i in range(cap if kind == RANDOM else 0):
        uniforms[i] = uniform(matrix.seed + np.uint64(hyper[SEED, 0]), batch.t * k + i)
    copy = view(room, at, (k, per, 8))
    at += k * per * 8
    nothing = True
    for c in range(k):
        for j in range(per):
            store(copy[c], j, load(out[c], j))
        nothing = nothing and dot(out[c], out[c]) == 0.0
    if not nothing and not polar.replaced(copy, cap, which, count, uniforms, room[at:], out):
        columns = first, end
        if mu == 0.0:
            f, q = weights_of(matrix, batch)
            polar.replaced_of_samples(
                matrix.rows, matrix.index, samples, f, q, which, count, uniforms, columns, room[at:], out
            )
        else:
            f, at = view(room, at, (k, n)), at + k * n
            q, at = view(room, at, (k, n)), at + k * n
            tally.now(ledger, k, n, mu if nesterov else 1.0, matrix.index, batch.size, *weights_of(matrix, batch), f, q)
            polar.replaced_of_samples(
                matrix.rows, matrix.every, n, f, q, which, count, uniforms, columns, room[at:], out
            )
    if kind == SIGN_OF_POLAR:
        for c in range(k):
            for j in range(per):
                store(out[c], j, times_sign(splat(1.0), load(out[c], j)))


def room_for(k: int, width: int, d: int, n: int) -> int:
    """Numbers of room that a step needs."""
    spectral = min(k, d) + k * width + 2 * k * n + polar.room_for(k, width, d, n)
    return 2 * k + 4 * k * width + max(spectral, newton_schulz.room_for(k, width, d))

"""MARS around Muon: variance reduction before the momentum is made orthogonal (MARS-Shampoo of arXiv 2411.10438)."""

import math

from implicitbias.jit import inlined
from implicitbias.lanes import load, splat, store, view
from implicitbias.optimizers.matrix import steepest
from implicitbias.optimizers.matrix.rows import blend, copy_rows, dot, together, units_of
from implicitbias.simulation.layout import Matrix
from implicitbias.simulation.tail import times_pow2


@inlined
def step(w, g, hyper, lr, units, batch, matrix):
    k, per = matrix.classes, g.shape[0] // matrix.classes
    weights, gradient, count = view(w, 0, (k, per, 8)), view(g, 0, (k, per, 8)), k * per * 8
    before = view(matrix.memory, 0, (k, per, 8))
    held, at = view(matrix.memory, count, (k, per, 8)), 2 * count
    held_unit, at = matrix.memory[at : at + k], at + k
    unit, common = matrix.room[:k], view(matrix.room, k, (k, per, 8))
    units_of(units, k, per, unit)
    if batch.phase == 0:
        copy_rows(gradient, unit, held, held_unit)
    for c in range(k):
        for j in range(per):
            here, there = load(weights[c], j), load(before[c], j)
            store(weights[c], j, here if batch.t == 0 and batch.phase == 0 else there)
            store(before[c], j, here)
    if batch.phase == 1:
        beta = hyper[1 + steepest.MU, 0]
        share = hyper[0, 0] * beta / (1.0 - beta)
        blend(gradient, unit, -share, held, held_unit, 1.0 + share)
        top = together(gradient, unit, common)
        squares = 0.0
        for c in range(k):
            squares += dot(common[c], common[c])
        size = times_pow2(math.sqrt(squares), top + units.shift) if squares > 0.0 else 0.0
        for c in range(k):
            for j in range(per):
                store(gradient[c], j, load(gradient[c], j) / max(size, 1.0))
            store(units.origin, c * per, splat(unit[c]))
        rest = Matrix(matrix.classes, matrix.features, matrix.rank, matrix.rows, matrix.index, matrix.f, matrix.q,
                      matrix.every, matrix.memory[at:], matrix.room, matrix.seed)  # fmt: skip
        for c in range(k):
            for j in range(per):
                store(before[c], j, load(weights[c], j))
        steepest.step(w, g, hyper[1:], lr, units, batch, rest)

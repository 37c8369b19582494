"""SVRG around Muon: the gradient, its variance reduced, before the momentum is made orthogonal."""

from implicitbias.jit import inlined
from implicitbias.lanes import load, splat, store, view
from implicitbias.optimizers.matrix import steepest
from implicitbias.optimizers.matrix.rows import blend, copy_rows, swap_rows, units_of
from implicitbias.simulation.layout import Matrix


@inlined
def step(w, g, hyper, lr, units, batch, matrix):
    k, per = matrix.classes, g.shape[0] // matrix.classes
    weights, gradient, count = view(w, 0, (k, per, 8)), view(g, 0, (k, per, 8)), k * per * 8
    reference, mean = view(matrix.memory, 0, (k, per, 8)), view(matrix.memory, count, (k, per, 8))
    held, at = view(matrix.memory, 2 * count, (k, per, 8)), 3 * count
    mean_unit, held_unit, at = matrix.memory[at : at + k], matrix.memory[at + k : at + 2 * k], at + 2 * k
    unit = matrix.room[:k]
    units_of(units, k, per, unit)
    if batch.phase == 0:  # of an epoch
        copy_rows(gradient, unit, mean, mean_unit)
        for c in range(k):
            for j in range(per):
                store(reference[c], j, load(weights[c], j))
    else:
        swap_rows(weights, reference)
    if batch.phase == 1:
        copy_rows(gradient, unit, held, held_unit)
    if batch.phase == 2:
        blend(gradient, unit, -1.0, held, held_unit, 1.0)
        blend(gradient, unit, 1.0, mean, mean_unit, 1.0)
        for c in range(k):
            store(units.origin, c * per, splat(unit[c]))
        rest = Matrix(matrix.classes, matrix.features, matrix.rank, matrix.rows, matrix.index, matrix.f, matrix.q,
                      matrix.every, matrix.memory[at:], matrix.room, matrix.seed)  # fmt: skip
        steepest.step(w, g, hyper, lr, units, batch, rest)

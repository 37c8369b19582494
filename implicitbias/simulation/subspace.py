"""The driver of optimizers in a subspace: their updates, projected on the top of the Hessian's spectrum, or off it.

The step is that of the base, and so are its state and its units. Before a step that finds the subspace anew, all rows
are looked at; after it, what it has added to w is projected. Runs go one by one.
"""

import functools
from collections.abc import Callable

from implicitbias.jit import inlined, kernel
from implicitbias.lanes import LANES, view
from implicitbias.simulation.classes import class_curvature, class_gradient
from implicitbias.simulation.driver import copy, follow, keep, look, through
from implicitbias.simulation.gradients import curvature, gradient
from implicitbias.simulation.scales import COORDINATE
from implicitbias.simulation.shared import taken_step
from implicitbias.simulation.top_space import HEAD, find_basis, find_class_basis, project


@inlined
def of_two(step, mode, data, runs, table, bias, slots, r, at, t, rows, size):
    in_subspace(find_basis, gradient, curvature, step, mode, data, runs, table, bias, slots, r, at, t, rows, size)


@inlined
def of_several(step, mode, data, runs, table, bias, slots, r, at, t, rows, size):
    in_subspace(find_class_basis, class_gradient, class_curvature, step, mode, data, runs, table, bias, slots, r, at, t,
                rows, size)  # fmt: skip


@inlined
def in_subspace(find, gradient, curvature, step, mode, data, runs, table, bias, slots, r, at, t, rows, size):
    """Step number t of run r; the last three hyper-parameters are the rank, whether the bulk is kept, and every how
    many steps the subspace is new."""
    w, slot, chunks, own = runs.w[r], slots[at], runs.w.shape[1], runs.hyper.shape[1] - 3
    rank, every = int(runs.hyper[r, own, 0]), int(runs.hyper[r, own + 2, 0])
    here, moved = view(runs.work.scratch, 0, (chunks, LANES)), view(runs.work.scratch, chunks * LANES, (chunks, LANES))
    if slot >= 0:
        keep(runs, slot, 0, r)
    if (t - runs.born) % every == 0 or runs.memory[r, 0] != rank:
        find(data, runs, rank, r)
    copy(w, here)
    look(gradient, curvature, step, mode, data, runs, table, bias, r, at, t, rows, size)
    project(w, here, moved, view(runs.memory[r], HEAD, (rank, chunks, LANES)), runs.hyper[r, own + 1, 0] > 0.0)
    if slot >= 0:
        keep(runs, slot, 1, r)
    if mode == COORDINATE and not runs.forget and t & (runs.period - 1) == 0:
        follow(data, runs, r)


@kernel
def two(step, mode, data, runs, table, bias, slots, first):
    through(of_two, step, mode, data, runs, table, bias, slots, first)


@kernel
def several(step, mode, data, runs, table, bias, slots, first):
    through(of_several, step, mode, data, runs, table, bias, slots, first)


@functools.cache
def within(step: Callable, mode: int, several_classes: bool) -> Callable:
    """The driver with the step of a base in it, for rows of several classes or of two."""
    return functools.partial(several if several_classes else two, taken_step(step), mode)

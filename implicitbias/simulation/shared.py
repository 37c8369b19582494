"""One compiled driver for all optimizers of a mode: their steps are values that it takes, and compile in a moment.

A driver with the step inlined is faster by some 50 ns a step for a run alone, and takes seconds to compile: worth it
for those that studies run long (`kernel` in their files).
"""

import functools
import inspect
from collections.abc import Callable

from numba.core import types

from implicitbias.errors import InputError
from implicitbias.jit import FirstClass, kernel
from implicitbias.lanes.value import lanes
from implicitbias.problems import Multiclass, Objective
from implicitbias.simulation.driver import drive_classes, drive_matrices, drive_several
from implicitbias.simulation.layout import Batch, Bias, Matrix
from implicitbias.simulation.objective_driver import drive_objective
from implicitbias.simulation.scales import BATCH, COORDINATE, SAMPLES, TRUE, Units

_2, _3 = (types.Array(types.float64, ndim, "C") for ndim in (2, 3))
_BATCH = (types.boolean, types.int64, _2, _2, _2, types.int64, lanes, _2, _2, types.int64, types.int64)
_UNITS = types.NamedTuple((_2, _2, types.float64), Units)
_STEP = types.void(_2, _2, _3, _2, lanes, types.NamedUniTuple(lanes, 2, Bias), _UNITS, types.NamedTuple(_BATCH, Batch))
_FLOATS, _INDICES = (types.Array(kind, 1, "C") for kind in (types.float64, types.int64))
_MATRIX = (types.int64, types.int64, types.int64, _3, _INDICES, _2, _2, _INDICES, _FLOATS, _FLOATS, types.uint64)
_SLOPE = types.float64(_FLOATS, _FLOATS, _FLOATS, _INDICES, types.int64, types.int64, types.uint64)
_MATRIX_STEP = types.void(_2, _2, _2, lanes, _UNITS, types.NamedTuple(_BATCH, Batch), types.NamedTuple(_MATRIX, Matrix))


@kernel
def true(step, data, runs, table, bias, slots, first):
    drive_several(step, TRUE, data, runs, table, bias, slots, first)


@kernel
def batch(step, data, runs, table, bias, slots, first):
    drive_several(step, BATCH, data, runs, table, bias, slots, first)


@kernel
def coordinate(step, data, runs, table, bias, slots, first):
    drive_several(step, COORDINATE, data, runs, table, bias, slots, first)


@kernel
def samples(step, data, runs, table, bias, slots, first):
    drive_several(step, SAMPLES, data, runs, table, bias, slots, first)


@kernel
def classes(step, mode, data, runs, table, bias, slots, first):
    drive_classes(step, mode, data, runs, table, bias, slots, first)


@kernel
def matrices(step, data, runs, table, bias, slots, first):
    drive_matrices(step, data, runs, table, bias, slots, first)


@kernel
def objectives(slope, step, data, runs, table, bias, slots, first):
    drive_objective(slope, step, data, runs, table, bias, slots, first)


ARGUMENTS = ("w", "g", "state", "hyper", "lr", "bias", "units", "batch")
_DRIVERS = {TRUE: true, BATCH: batch, COORDINATE: coordinate, SAMPLES: samples}


@functools.cache
def with_step(step: Callable, mode: int, several: bool = False) -> Callable:
    """The driver of a mode with a step (w, g, state, hyper, lr, bias, units, batch) in it, for rows of several classes
    or of two.

    Errors: ``InputError`` for a step that takes something else.
    """
    taken = taken_step(step)
    return functools.partial(classes, taken, mode) if several else functools.partial(_DRIVERS[mode], taken)


def taken_step(step: Callable) -> FirstClass:
    """A step (w, g, state, hyper, lr, bias, units, batch) as a value. Errors: ``InputError`` as `with_step`."""
    function = getattr(step, "py_func", step)
    given = list(inspect.signature(function).parameters)
    if len(given) != len(ARGUMENTS):
        raise InputError(f"the step of an optimizer takes ({', '.join(ARGUMENTS)}), not ({', '.join(given)})")
    return _taken(function, _STEP)


@functools.cache
def with_matrix_step(step: Callable) -> Callable:
    """The driver with a step (w, g, hyper, lr, units, batch, matrix) in it."""
    return functools.partial(matrices, _taken(getattr(step, "py_func", step), _MATRIX_STEP, True))


@functools.cache
def with_objective(slope: Callable, step: Callable) -> Callable:
    """The driver of an objective, with the slope (w, g, numbers, index, size, t, seed) of its form and a step in it."""
    step = getattr(step, "py_func", step)
    return functools.partial(objectives, _taken(getattr(slope, "py_func", slope), _SLOPE), _taken(step, _STEP))


def driver_of(optimizer, problem):
    """The compiled driver of an optimizer on a problem."""
    if isinstance(problem, Objective):
        return with_objective(problem.form.slope, optimizer.step)
    return optimizer.driver(isinstance(problem, Multiclass))


@functools.cache
def _taken(function: Callable, signature, kept: bool = False) -> FirstClass:
    """A step as a value, compiled once for all drivers."""
    return FirstClass(function, signature, kept)

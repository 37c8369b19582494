"""Lanes in memory: reading and writing them, and where arrays begin."""

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

from implicitbias.lanes.value import EIGHT, FLOATS, LANES, lanes, splat_scalar


def _data(context, builder, kind, array):
    return context.make_array(kind)(context, builder, array).data


def _after(builder, index, k):
    return builder.add(index, ir.Constant(index.type, k))


def _address(context, builder, kind, array, index):
    start = builder.mul(index, ir.Constant(index.type, LANES))
    place = builder.gep(_data(context, builder, kind, array), [start], inbounds=True)
    return builder.bitcast(place, FLOATS.as_pointer())


def _load(context, builder, kind, array, index):
    x = builder.load(_address(context, builder, kind, array, index))
    x.align = 8
    return x


def _contiguous(array):
    return isinstance(array, types.Array) and array.layout == "C" and array.dtype == types.float64


@intrinsic
def load(typingctx, array, index):
    """Eight numbers of a contiguous array, from its number 8 index."""
    if not _contiguous(array):
        return None

    def codegen(context, builder, sig, arguments):
        return _load(context, builder, sig.args[0], *arguments)

    return lanes(array, types.int64), codegen


@intrinsic
def store(typingctx, array, index, x):
    """Put eight numbers into a contiguous array, from its number 8 index."""
    if not _contiguous(array):
        return None

    def codegen(context, builder, sig, arguments):
        place = _address(context, builder, sig.args[0], *arguments[:2])
        builder.store(arguments[2], place).align = 8
        return context.get_dummy_value()

    return types.void(array, types.int64, lanes), codegen


@intrinsic
def load_each(typingctx, array, index):
    """The eight lanes from number 8 index on."""
    if not _contiguous(array):
        return None

    def codegen(context, builder, sig, arguments):
        array, index = arguments
        parts = [_load(context, builder, sig.args[0], array, _after(builder, index, k)) for k in range(LANES)]
        return context.make_tuple(builder, EIGHT, parts)

    return EIGHT(array, types.int64), codegen


@intrinsic
def store_each(typingctx, array, index, x):
    """Put eight lanes from number 8 index on."""
    if not _contiguous(array) or x != EIGHT:
        return None

    def codegen(context, builder, sig, arguments):
        array, index, values = arguments
        for k, value in enumerate(cgutils.unpack_tuple(builder, values, LANES)):
            builder.store(value, _address(context, builder, sig.args[0], array, _after(builder, index, k))).align = 8
        return context.get_dummy_value()

    return types.void(array, types.int64, EIGHT), codegen


@intrinsic
def splat_each(typingctx, row, j):
    """row[j], ..., row[j + 7], each as lanes of its own."""
    if not _contiguous(row):
        return None

    def codegen(context, builder, sig, arguments):
        data = _data(context, builder, sig.args[0], arguments[0])
        places = [builder.gep(data, [_after(builder, arguments[1], k)], inbounds=True) for k in range(LANES)]
        return context.make_tuple(builder, EIGHT, [splat_scalar(builder, builder.load(place)) for place in places])

    return EIGHT(row, types.int64), codegen


@intrinsic
def splat_at(typingctx, array, index):
    """Number `index` of a contiguous array in each lane; x[index] would look whether it counts from the end."""
    if not _contiguous(array):
        return None

    def codegen(context, builder, sig, arguments):
        place = builder.gep(_data(context, builder, sig.args[0], arguments[0]), [arguments[1]], inbounds=True)
        return splat_scalar(builder, builder.load(place))

    return lanes(array, types.int64), codegen


@intrinsic
def view(typingctx, array, first, shape):
    """A contiguous array of this shape that begins at number `first` of a contiguous array and shares its memory;
    array[first:end].reshape(shape) would be a call, with checks of what is known."""
    if not _contiguous(array) or not isinstance(shape, types.UniTuple):
        return None
    kind = types.Array(types.float64, shape.count, "C")

    def codegen(context, builder, sig, arguments):
        sizes = [
            _size(context, builder, sig.args[2].dtype, size) for size in cgutils.unpack_tuple(builder, arguments[2])
        ]
        place = builder.gep(_data(context, builder, sig.args[0], arguments[0]), [arguments[1]], inbounds=True)
        return _array(context, builder, kind, place, sizes)

    return kind(array, types.int64, shape), codegen


@intrinsic
def line_of(typingctx, array):
    """All numbers of a contiguous array, in a row."""
    if not _contiguous(array):
        return None
    kind = types.Array(types.float64, 1, "C")

    def codegen(context, builder, sig, arguments):
        whole = context.make_array(sig.args[0])(context, builder, arguments[0])
        return _array(context, builder, kind, whole.data, [whole.nitems])

    return kind(array), codegen


def _size(context, builder, kind, size):
    return context.cast(builder, size, kind, types.intp)


def _array(context, builder, kind, data, sizes):
    """A contiguous array without an owner: kernels allocate nothing, and what they are given outlives them."""
    found, stride, strides = context.make_array(kind)(context, builder), ir.Constant(ir.IntType(64), 8), []
    for size in reversed(sizes):
        strides.insert(0, stride)
        stride = builder.mul(stride, size)
    populate_array(found, data, sizes, strides, ir.Constant(ir.IntType(64), 8), None)
    return found._getvalue()


def aligned(shape) -> np.ndarray:
    """Zeros that start at a cache line: lanes that straddle two lines load at half the speed."""
    count = int(np.prod(shape))
    room = np.zeros(count + LANES)
    start = -(room.ctypes.data // 8) % LANES
    return room[start : start + count].reshape(shape)

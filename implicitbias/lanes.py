"""Eight float64 side by side: the value type the kernels compute with.

    x = load(array, i)          x[l] = array.flat[8 i + l]
    store(array, i, x)
    + - * / < <= > >= ==        elementwise; a float or an integer beside them stands for eight of itself
    fma(x, y, z)                x y + z, rounded once

Why a type, and not loops left to the compiler. The compiler vectorises a loop when it thinks it pays, and may add in
another order each time: what comes out of a kernel would depend on where it was inlined. Here the source says which
numbers stand side by side and in which order they are added. Nothing is contracted or reassociated behind its back, so
a run has the same bits alone and in a block. LLVM maps the type to one AVX-512 register, two of AVX2, four of NEON.
"""

import operator

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, models, register_model

from implicitbias.jit import hot

LANES = 8

_I32 = ir.IntType(32)
_FLOATS = ir.VectorType(ir.DoubleType(), LANES)
_INTS = ir.VectorType(ir.IntType(64), LANES)
_BITS = ir.VectorType(ir.IntType(1), LANES)
_SUFFIX = f"v{LANES}f64"


class _Lanes(types.Type):
    pass


class _Mask(types.Type):
    pass


lanes, mask = _Lanes("Lanes"), _Mask("Mask")
EIGHT = types.UniTuple(lanes, LANES)


@register_model(_Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager, kind):
        super().__init__(manager, kind, _FLOATS)


@register_model(_Mask)
class _MaskModel(models.PrimitiveModel):
    def __init__(self, manager, kind):
        super().__init__(manager, kind, _BITS)


def _splat(builder, x):
    undefined = ir.Constant(_FLOATS, ir.Undefined)
    first = builder.insert_element(undefined, x, ir.Constant(_I32, 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(_I32, LANES), [0] * LANES))


def _spread(builder, arguments, kinds):
    """The arguments with every scalar as eight of itself."""
    return [x if kind == lanes else _splat(builder, x) for x, kind in zip(arguments, kinds)]


def _call(builder, name, *arguments):
    kind = ir.FunctionType(arguments[0].type, [x.type for x in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)


def _operator(op, emit, result):
    @infer_global(op)
    class _Template(AbstractTemplate):
        def generic(self, arguments, keywords):
            if not keywords and lanes in arguments:
                kinds = [x if x == lanes else types.float64 for x in arguments]
                if all(x == lanes or isinstance(x, types.Number) for x in arguments):
                    return signature(result, *kinds)

    def lower(context, builder, sig, arguments):
        return emit(builder, *_spread(builder, arguments, sig.args))

    for kinds in ((lanes, lanes), (types.float64, lanes), (lanes, types.float64)):
        lower_builtin(op, *kinds)(lower)


for _op, _name in (("add", "fadd"), ("sub", "fsub"), ("mul", "fmul"), ("truediv", "fdiv")):
    for _form in (_op, f"i{_op}"):
        _operator(getattr(operator, _form), getattr(ir.IRBuilder, _name), lanes)
for _op, _name in (("lt", "<"), ("le", "<="), ("gt", ">"), ("ge", ">="), ("eq", "==")):
    # ordered: false beside a NaN
    _operator(getattr(operator, _op), lambda b, x, y, name=_name: b.fcmp_ordered(name, x, y), mask)
for _name in ("and_", "or_"):

    @infer_global(getattr(operator, _name))
    class _MaskTemplate(AbstractTemplate):
        def generic(self, arguments, keywords):
            return signature(mask, mask, mask) if arguments == (mask, mask) else None

    lower_builtin(getattr(operator, _name), mask, mask)(
        lambda context, builder, sig, arguments, name=_name: getattr(builder, name)(*arguments)
    )


@infer_global(operator.neg)
class _Negative(AbstractTemplate):
    def generic(self, arguments, keywords):
        return signature(lanes, lanes) if arguments == (lanes,) else None


lower_builtin(operator.neg, lanes)(lambda context, builder, sig, arguments: builder.fneg(arguments[0]))


def _elementwise(emit, count):
    """An intrinsic of `count` lanes or scalars."""

    def lower(context, builder, sig, arguments):
        return emit(builder, *_spread(builder, arguments, sig.args))

    def kinds(arguments):
        return lanes(*(x if x == lanes else types.float64 for x in arguments)), lower

    if count == 1:
        return intrinsic(lambda typingctx, x: kinds((x,)))
    if count == 2:
        return intrinsic(lambda typingctx, x, y: kinds((x, y)))
    return intrinsic(lambda typingctx, x, y, z: kinds((x, y, z)))


def _bits(change):
    """Compute on the bit patterns of the lanes."""

    def emit(builder, x):
        return builder.bitcast(change(builder, builder.bitcast(x, _INTS)), _FLOATS)

    return emit


def _integers(value):
    return ir.Constant(_INTS, [value] * LANES)


splat = _elementwise(lambda b, x: x, 1)
fma = _elementwise(lambda b, x, y, z: _call(b, f"llvm.fma.{_SUFFIX}", x, y, z), 3)
sqrt = _elementwise(lambda b, x: _call(b, f"llvm.sqrt.{_SUFFIX}", x), 1)
floor = _elementwise(lambda b, x: _call(b, f"llvm.floor.{_SUFFIX}", x), 1)
absolute = _elementwise(_bits(lambda b, i: b.and_(i, _integers(2**63 - 1))), 1)
maximum = _elementwise(lambda b, x, y: b.select(b.fcmp_ordered(">", x, y), x, y), 2)
minimum = _elementwise(lambda b, x, y: b.select(b.fcmp_ordered("<", x, y), x, y), 2)
# halves and negates the exponent
_rsqrt_guess = _elementwise(_bits(lambda b, i: b.sub(_integers(0x5FE6EB50C7B537A9), b.lshr(i, _integers(1)))), 1)
# the low bits of x + 2^52 are the integer x: moved to the place of the exponent
_as_exponent = _elementwise(_bits(lambda b, i: b.shl(i, _integers(52))), 1)


@intrinsic
def select(typingctx, condition, x, y):
    """x where the mask is set, else y."""
    if condition != mask:
        return None
    kinds = [k if k == lanes else types.float64 for k in (x, y)]

    def codegen(context, builder, sig, arguments):
        return builder.select(arguments[0], *_spread(builder, arguments[1:], sig.args[1:]))

    return lanes(mask, *kinds), codegen


@intrinsic
def any_lane(typingctx, condition):
    """Whether the mask is set anywhere."""

    def codegen(context, builder, sig, arguments):
        packed = builder.bitcast(arguments[0], ir.IntType(LANES))
        return builder.icmp_unsigned("!=", packed, ir.Constant(ir.IntType(LANES), 0))

    return types.boolean(mask), codegen


@intrinsic
def has_lane(typingctx, condition, lane):
    """Whether the mask is set at a lane."""

    def codegen(context, builder, sig, arguments):
        return builder.extract_element(arguments[0], arguments[1])

    return types.boolean(mask, types.int64), codegen


def _data(context, builder, kind, array):
    return context.make_array(kind)(context, builder, array).data


def _after(builder, index, k):
    return builder.add(index, ir.Constant(index.type, k))


def _address(context, builder, kind, array, index):
    start = builder.mul(index, ir.Constant(index.type, LANES))
    place = builder.gep(_data(context, builder, kind, array), [start], inbounds=True)
    return builder.bitcast(place, _FLOATS.as_pointer())


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


# Sums of eight numbers are always ((0+4) + (2+6)) + ((1+5) + (3+7)), whichever way they lie.
_FOLDS = (
    ((0, 1, 2, 3, 8, 9, 10, 11), (4, 5, 6, 7, 12, 13, 14, 15)),
    ((0, 1, 4, 5, 8, 9, 12, 13), (2, 3, 6, 7, 10, 11, 14, 15)),
    ((0, 8, 4, 12, 2, 10, 6, 14), (1, 9, 5, 13, 3, 11, 7, 15)),
)


def _shuffle(builder, x, y, picks):
    return builder.shuffle_vector(x, y, ir.Constant(ir.VectorType(_I32, LANES), list(picks)))


@intrinsic
def sum_each(typingctx, vectors):
    """The sums of eight lanes each, as lanes: 21 instructions where eight sums of their own take 48."""

    def codegen(context, builder, sig, arguments):
        left = cgutils.unpack_tuple(builder, arguments[0], LANES)
        for first, second in _FOLDS:
            half = len(left) // 2
            left = [
                builder.fadd(_shuffle(builder, x, y, first), _shuffle(builder, x, y, second))
                for x, y in zip(left[:half], left[half:])
            ]
        return left[0]

    return lanes(EIGHT), codegen


@intrinsic
def total(typingctx, x):
    """The sum of the eight lanes, in each of them."""

    def codegen(context, builder, sig, arguments):
        x = arguments[0]
        for shift in (4, 2, 1):
            x = builder.fadd(x, _shuffle(builder, x, x, [(k + shift) % LANES for k in range(LANES)]))
        return x

    return lanes(lanes), codegen


@hot
def sum_across(p):
    """The sum of eight vectors, lane by lane, in the order of `total`."""
    return ((p[0] + p[4]) + (p[2] + p[6])) + ((p[1] + p[5]) + (p[3] + p[7]))


@intrinsic
def largest(typingctx, x):
    """The largest of the eight lanes, in each of them."""

    def codegen(context, builder, sig, arguments):
        x = arguments[0]
        for shift in (4, 2, 1):
            y = _shuffle(builder, x, x, [(k + shift) % LANES for k in range(LANES)])
            x = builder.select(builder.fcmp_ordered(">", x, y), x, y)
        return x

    return lanes(lanes), codegen


@intrinsic
def insert(typingctx, x, lane, value):
    """x with a number in one of its lanes."""

    def codegen(context, builder, sig, arguments):
        return builder.insert_element(arguments[0], arguments[2], arguments[1])

    return lanes(lanes, types.int64, types.float64), codegen


@intrinsic
def fma_each(typingctx, x, y, z):
    """x[l] y[l] + z[l] for eight lanes l each; x or y may be one for all."""
    kinds = [k if k in (lanes, EIGHT) else types.float64 for k in (x, y, z)]

    def codegen(context, builder, sig, arguments):
        columns = []
        for value, kind in zip(arguments, sig.args):
            if kind == EIGHT:
                columns.append(cgutils.unpack_tuple(builder, value, LANES))
            else:
                columns.append(_spread(builder, [value], [kind]) * LANES)
        results = [_call(builder, f"llvm.fma.{_SUFFIX}", *operands) for operands in zip(*columns)]
        return context.make_tuple(builder, EIGHT, results)

    return EIGHT(*kinds), codegen


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
def first_lane(typingctx, x):
    """Lane 0 as a number."""

    def codegen(context, builder, sig, arguments):
        return builder.extract_element(arguments[0], ir.Constant(_I32, 0))

    return types.float64(lanes), codegen


@intrinsic
def splat_each(typingctx, row, j):
    """row[j], ..., row[j + 7], each as lanes of its own."""
    if not _contiguous(row):
        return None

    def codegen(context, builder, sig, arguments):
        data = _data(context, builder, sig.args[0], arguments[0])
        places = [builder.gep(data, [_after(builder, arguments[1], k)], inbounds=True) for k in range(LANES)]
        return context.make_tuple(builder, EIGHT, [_splat(builder, builder.load(place)) for place in places])

    return EIGHT(row, types.int64), codegen


@hot
def zeros_each():
    zero = splat(0.0)
    return (zero, zero, zero, zero, zero, zero, zero, zero)


@hot
def rsqrt(x):
    """1/sqrt(x) to 5e-16 for normal x > 0; of no meaning for x = 0. A guess y from the bit pattern, to 3.4%, then twice
    y (1 - e)^(-1/2) with e = 1 - x y^2, to third order: multiplications, where a square root and a division are slow.
    """
    y = _rsqrt_guess(x)
    for _ in range(2):
        e = fma(-x, y * y, 1.0)
        y = fma(y * e, fma(e, fma(e, 0.3125, 0.375), 0.5), y)
    return y


@hot
def mix(beta, x, y):
    """The average beta x + (1 - beta) y."""
    return fma(beta, x, (1.0 - beta) * y)


@hot
def pow2_lanes(k):
    """2^k for integers k; 0 below the normal range (k < -1022), inf above it (k > 1023)."""
    return _as_exponent(minimum(maximum(k, -1023.0), 1024.0) + (1023.0 + 2.0**52))


def aligned(shape) -> np.ndarray:
    """Zeros that start at a cache line: lanes that straddle two lines load at half the speed."""
    count = int(np.prod(shape))
    room = np.zeros(count + LANES)
    start = -(room.ctypes.data // 8) % LANES
    return room[start : start + count].reshape(shape)

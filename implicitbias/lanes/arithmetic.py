"""Arithmetic on lanes: each lane by itself."""

import operator

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic

from implicitbias.jit import hot
from implicitbias.lanes.value import EIGHT, FLOATS, INTS, LANES, lanes, mask, spread

_SUFFIX = f"v{LANES}f64"


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
        return emit(builder, *spread(builder, arguments, sig.args))

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
        return emit(builder, *spread(builder, arguments, sig.args))

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
        return builder.bitcast(change(builder, builder.bitcast(x, INTS)), FLOATS)

    return emit


def _integers(value):
    return ir.Constant(INTS, [value] * LANES)


splat = _elementwise(lambda b, x: x, 1)
fma = _elementwise(lambda b, x, y, z: _call(b, f"llvm.fma.{_SUFFIX}", x, y, z), 3)
sqrt = _elementwise(lambda b, x: _call(b, f"llvm.sqrt.{_SUFFIX}", x), 1)
floor = _elementwise(lambda b, x: _call(b, f"llvm.floor.{_SUFFIX}", x), 1)
absolute = _elementwise(_bits(lambda b, i: b.and_(i, _integers(2**63 - 1))), 1)
maximum = _elementwise(lambda b, x, y: b.select(b.fcmp_ordered(">", x, y), x, y), 2)
minimum = _elementwise(lambda b, x, y: b.select(b.fcmp_ordered("<", x, y), x, y), 2)
# halves and negates the exponent
_rsqrt_guess = _elementwise(_bits(lambda b, i: b.sub(_integers(0x5FE6EB50C7B537A9), b.lshr(i, _integers(1)))), 1)
# the low bits of 2^52 + 1023 + k are an integer: as the exponent of a float they are 2^k, for -1023 < k < 1024
as_exponent = _elementwise(_bits(lambda b, i: b.shl(i, _integers(52))), 1)


@intrinsic
def select(typingctx, condition, x, y):
    """x where the mask is set, else y."""
    if condition != mask:
        return None
    kinds = [k if k == lanes else types.float64 for k in (x, y)]

    def codegen(context, builder, sig, arguments):
        return builder.select(arguments[0], *spread(builder, arguments[1:], sig.args[1:]))

    return lanes(mask, *kinds), codegen


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
                columns.append(spread(builder, [value], [kind]) * LANES)
        results = [_call(builder, f"llvm.fma.{_SUFFIX}", *operands) for operands in zip(*columns)]
        return context.make_tuple(builder, EIGHT, results)

    return EIGHT(*kinds), codegen


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
    return as_exponent(minimum(maximum(k, -1023.0), 1024.0) + (1023.0 + 2.0**52))

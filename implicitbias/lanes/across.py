"""What goes from lane to lane: sums and maxima over all of them, and single lanes taken out or put in."""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from implicitbias.jit import hot
from implicitbias.lanes.value import EIGHT, I32, LANES, lanes, mask

# Sums of eight numbers are always ((0+4) + (2+6)) + ((1+5) + (3+7)), whichever way they lie.
_FOLDS = (
    ((0, 1, 2, 3, 8, 9, 10, 11), (4, 5, 6, 7, 12, 13, 14, 15)),
    ((0, 1, 4, 5, 8, 9, 12, 13), (2, 3, 6, 7, 10, 11, 14, 15)),
    ((0, 8, 4, 12, 2, 10, 6, 14), (1, 9, 5, 13, 3, 11, 7, 15)),
)


def _shuffle(builder, x, y, picks):
    return builder.shuffle_vector(x, y, ir.Constant(ir.VectorType(I32, LANES), list(picks)))


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
def turn(typingctx, vectors):
    """Eight lanes each, turned: the first of all of them, the second, and so on. In 24 instructions: rows swap halves,
    quarters, eighths."""

    def codegen(context, builder, sig, arguments):
        left = cgutils.unpack_tuple(builder, arguments[0], LANES)
        for apart in (4, 2, 1):
            low = [k + (k // apart % 2) * (LANES - apart) for k in range(LANES)]
            turned = list(left)
            for k in range(LANES):
                if k // apart % 2 == 0:
                    x, y = left[k], left[k + apart]
                    turned[k] = _shuffle(builder, x, y, low)
                    turned[k + apart] = _shuffle(builder, x, y, [pick + apart for pick in low])
            left = turned
        return context.make_tuple(builder, EIGHT, left)

    return EIGHT(EIGHT), codegen


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


@intrinsic
def first_lane(typingctx, x):
    """Lane 0 as a number."""

    def codegen(context, builder, sig, arguments):
        return builder.extract_element(arguments[0], ir.Constant(I32, 0))

    return types.float64(lanes), codegen


@intrinsic
def insert(typingctx, x, lane, value):
    """x with a number in one of its lanes."""

    def codegen(context, builder, sig, arguments):
        return builder.insert_element(arguments[0], arguments[2], arguments[1])

    return lanes(lanes, types.int64, types.float64), codegen

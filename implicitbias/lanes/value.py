"""The type of eight float64, that of eight truth values, and what both are to the compiler."""

from llvmlite import ir
from numba.core import types
from numba.extending import models, register_model

LANES = 8

I32 = ir.IntType(32)
FLOATS = ir.VectorType(ir.DoubleType(), LANES)
INTS = ir.VectorType(ir.IntType(64), LANES)
BITS = ir.VectorType(ir.IntType(1), LANES)


class _Lanes(types.Type):
    pass


class _Mask(types.Type):
    pass


lanes, mask = _Lanes("Lanes"), _Mask("Mask")
EIGHT = types.UniTuple(lanes, LANES)


@register_model(_Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager, kind):
        super().__init__(manager, kind, FLOATS)


@register_model(_Mask)
class _MaskModel(models.PrimitiveModel):
    def __init__(self, manager, kind):
        super().__init__(manager, kind, BITS)


def splat_scalar(builder, x):
    undefined = ir.Constant(FLOATS, ir.Undefined)
    first = builder.insert_element(undefined, x, ir.Constant(I32, 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(I32, LANES), [0] * LANES))


def spread(builder, arguments, kinds):
    """The arguments with every scalar as eight of itself."""
    return [x if kind == lanes else splat_scalar(builder, x) for x, kind in zip(arguments, kinds)]

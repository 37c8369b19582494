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

from implicitbias.lanes.across import any_lane, first_lane, has_lane, insert, largest, sum_across, sum_each, total, turn
from implicitbias.lanes.arithmetic import (
    absolute,
    as_exponent,
    floor,
    fma,
    fma_each,
    maximum,
    minimum,
    mix,
    pow2_lanes,
    rsqrt,
    select,
    splat,
    sqrt,
    zeros_each,
)
from implicitbias.lanes.memory import aligned, line_of, load, load_each, splat_at, splat_each, store, store_each, view
from implicitbias.lanes.value import LANES

__all__ = [
    "LANES",
    "absolute",
    "aligned",
    "any_lane",
    "as_exponent",
    "first_lane",
    "floor",
    "fma",
    "fma_each",
    "has_lane",
    "insert",
    "largest",
    "line_of",
    "load",
    "load_each",
    "maximum",
    "minimum",
    "mix",
    "pow2_lanes",
    "rsqrt",
    "select",
    "splat",
    "splat_at",
    "splat_each",
    "sqrt",
    "store",
    "store_each",
    "sum_across",
    "sum_each",
    "total",
    "turn",
    "view",
    "zeros_each",
]

"""Steps clipped coordinate by coordinate (Ahn, Cutkosky, arXiv 2405.18199), of optimizers that know where w is by its
gradients alone."""

from dataclasses import field

from implicitbias.jit import inlined
from implicitbias.lanes import fma, load, select, splat, store
from implicitbias.optimizers.adagrad import AdaGrad
from implicitbias.optimizers.adam import Adam
from implicitbias.optimizers.amsgrad import AMSGrad
from implicitbias.optimizers.around import Around, around, wrap
from implicitbias.optimizers.base import Optimizer
from implicitbias.optimizers.ftrl import FTRL
from implicitbias.optimizers.laprop import LaProp
from implicitbias.optimizers.nadam import NAdam
from implicitbias.optimizers.parts import copy_to
from implicitbias.optimizers.rmsprop import RMSProp
from implicitbias.optimizers.sgd import SGD
from implicitbias.simulation.scales import TRUE


def _step(base):
    @inlined
    def step(w, g, state, hyper, lr, bias, units, batch):
        here, bound = state[0], load(hyper, 0)
        copy_to(w, here)
        for c in range(w.shape[0]):
            store(w, c, splat(0.0))
        base(w, g, state[1:], hyper[1:], splat(1.0), bias, units, batch)  # w is now the step alone
        for c in range(w.shape[0]):
            u = load(w, c)
            u = select(u > bound, bound, select(u < -bound, -bound, u))  # a NaN stays one
            store(w, c, fma(lr, u, load(here, c)))

    return step


_TEXT = """w = w + lr clip(u, -bound, bound)  with  lr u  the step of the base.

Source: arXiv 2405.18199."""

# What is as large as the gradient is clipped at the start alone: its measured map would be that of the start.
_KINDS = {
    base: around(
        "Clipped", base, _TEXT,
        {"bound": field(default=1.0, metadata={"valid": lambda x: 0 < x < float("inf"), "range": "> 0 and finite"})},
        (0,), own_decays=(0.0,), make_step=_step, **({"has_tail_map": False} if base.mode == TRUE else {}),
    )
    for base in (SGD, Adam, RMSProp, NAdam, LaProp, AMSGrad, AdaGrad, FTRL)
}  # fmt: skip
KINDS = tuple(_KINDS.values())
globals().update({kind.__name__: kind for kind in KINDS})  # where pickle looks for them


def Clipped(base: Optimizer, bound: float = 1.0) -> Around:
    """An optimizer whose steps are clipped, coordinate by coordinate.

    w = w + lr clip(u, -bound, bound)  with  lr u  the step of `base`

    The bound is one of u, before the step size: under the schedule `Exponentiated` the clipped step is of random
    length, as in the source, where D is lr bound.

    Arguments
        base    one of SGD, Adam, RMSProp, NAdam, LaProp, AMSGrad, AdaGrad, FTRL
        bound   > 0, largest |u_j|; far above all u_j it is the base up to rounding

    Returns an optimizer; in a study it is of the kind clipped_adam, clipped_ftrl, ... with the hyper-parameters of its
    base.
    Errors: ``InputError`` for a base it does not fit, or a bound out of range.

    >>> Clipped(FTRL(beta=0.95), bound=2.0).label
    'Clipped(FTRL(beta=0.95), bound=2)'

    Source: arXiv 2405.18199.
    """
    return wrap("Clipped", _KINDS, base, {"bound": bound})

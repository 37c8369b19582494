"""Decoupled weight decay (Loshchilov and Hutter, arXiv 1711.05101) before any optimizer that has none."""

from implicitbias.jit import inlined
from implicitbias.lanes import load, store
from implicitbias.optimizers.adagrad import AdaGrad
from implicitbias.optimizers.adam import Adam
from implicitbias.optimizers.adam_proxy import AdamProxy
from implicitbias.optimizers.amsgrad import AMSGrad
from implicitbias.optimizers.around import Around, around, wrap
from implicitbias.optimizers.base import Optimizer, nonnegative
from implicitbias.optimizers.ftrl import FTRL
from implicitbias.optimizers.laprop import LaProp
from implicitbias.optimizers.nadam import NAdam
from implicitbias.optimizers.ngd import NGD
from implicitbias.optimizers.rmsprop import RMSProp
from implicitbias.optimizers.sgd import SGD
from implicitbias.optimizers.signum import Signum
from implicitbias.optimizers.steepest_descent import SteepestDescent


def _step(base):
    @inlined
    def step(w, g, state, hyper, lr, bias, units, batch):
        shrink = 1.0 - lr * load(hyper, 0)
        for c in range(w.shape[0]):
            store(w, c, shrink * load(w, c))
        base(w, g, state, hyper[1:], lr, bias, units, batch)

    return step


_TEXT = """w = (1 - lr weight_decay) w,  then the step of the base, with the gradient at the w before.

Source: arXiv 1711.05101."""

_BASES = (
    SGD, NGD, SteepestDescent, Signum, Adam, RMSProp, NAdam, LaProp, AMSGrad, AdaGrad, FTRL, AdamProxy
)  # fmt: skip
_KINDS = {
    base: around("Decayed", base, _TEXT, {"weight_decay": nonnegative(0.01)}, (), own_decays=(), make_step=_step)
    for base in _BASES
}
KINDS = tuple(_KINDS.values())
globals().update({kind.__name__: kind for kind in KINDS})  # where pickle looks for them


def Decayed(base: Optimizer, weight_decay: float = 0.01) -> Around:
    """Decoupled weight decay around an optimizer that has none.

    w = (1 - lr weight_decay) w,  then the step of `base`, with the gradient at the w before

    The weights converge instead of going off in a direction: full batch, those of sign descent, and of what follows the
    sign of a full gradient, to the least loss in the box |w_j| <= 1 / weight_decay; those of NGD and SteepestDescent(p)
    to that in the ball of l_2 and l_p; those of SGD() to the least L + weight_decay ||w||^2 / 2.

    Arguments
        base           one of SGD, NGD, SteepestDescent, Signum, Adam, RMSProp, NAdam, LaProp, AMSGrad, AdaGrad, FTRL,
                       AdamProxy; AdamW, Lion and ScheduleFreeAdamW have a weight decay of their own
        weight_decay   >= 0, in units of one over w; Decayed(base, 0) is the base

    Returns an optimizer; in a study it is of the kind decayed_signum, decayed_nadam, ... with the hyper-parameters of
    its base. Decayed(Adam()) is AdamW().
    Errors: ``InputError`` for a base it does not fit, or a weight_decay out of range.

    >>> Decayed(Signum(beta=0.9), weight_decay=0.1).label
    'Decayed(Signum, weight_decay=0.1)'

    Source: arXiv 1711.05101; the box arXiv 2310.05898 and 2404.04454 (`limits.adamw_point`).
    """
    return wrap("Decayed", _KINDS, base, {"weight_decay": weight_decay})

"""Variance reduction by a reference point (Johnson and Zhang, NeurIPS 2013) before any optimizer."""

from implicitbias.jit import inlined
from implicitbias.lanes import load, store
from implicitbias.optimizers.adam import Adam
from implicitbias.optimizers.around import Around, around, wrap
from implicitbias.optimizers.base import Optimizer, choice
from implicitbias.optimizers.matrix import Muon
from implicitbias.optimizers.matrix import svrg as matrix_svrg
from implicitbias.optimizers.matrix.newton_schulz import POLYNOMIALS
from implicitbias.optimizers.parts import copy_to, swap
from implicitbias.optimizers.sgd import SGD
from implicitbias.optimizers.signum import Signum


def _step(base):
    @inlined
    def step(w, g, state, hyper, lr, bias, units, batch):
        reference, mean, held = state[0], state[1], state[2]
        if batch.phase == 0:  # of an epoch
            copy_to(w, reference)
            copy_to(g, mean)
        elif batch.phase == 1:
            copy_to(g, held)
            swap(w, reference)
        else:
            swap(w, reference)
            for c in range(g.shape[0]):
                store(g, c, load(held, c) - load(g, c) + load(mean, c))
            base(w, g, state[3:], hyper, lr, bias, units, batch)

    return step


_TEXT = """The base on  c = g_B(w) - g_B(w_ref) + g(w_ref),  with w_ref = w once an epoch.

Source: Johnson and Zhang 2013."""

_LOOKS = ("epoch", "batch", "batch")
_KINDS = {
    base: around(
        "SVRG", base, _TEXT, {}, (0, 1, 1), points=(0,),
        looks=_LOOKS, own_decays=(1.0, 1.0, 0.0), make_step=_step,
    )
    for base in (SGD, Signum, Adam)
}  # fmt: skip


def _rooms(optimizer, k: int, width: int, d: int, n: int) -> tuple[int, int]:
    memory, room = optimizer.base.rooms(k, width, d, n)
    return memory + 3 * k * width + 2 * k, room


_KINDS[Muon] = around(
    "SVRG", Muon, _TEXT, {}, (), looks=_LOOKS, own_decays=(), make_step=lambda base: matrix_svrg.step, rooms=_rooms,
    # The corrected gradient is no sum of samples with weights >= 0, as the exact polar factor is taken from.
    instead={"polar": choice("quintic", tuple(POLYNOMIALS))},
)  # fmt: skip
SVRGSGD, SVRGSignum, SVRGAdam, SVRGMuon = KINDS = tuple(_KINDS.values())


def SVRG(base: Optimizer) -> Around:
    """Stochastic variance-reduced gradients, renewed every epoch, in front of an optimizer.

    At the first step of an epoch  w_ref = w  and  gbar = g(w_ref) on all rows; at every step

    c = g_B(w) - g_B(w_ref) + gbar
    w by `base` with c in the place of the gradient

    With b = n it is the base on all rows; sign descent, Adam and Muon keep their full-batch limit at every batch size.

    Arguments: base, an SGD, Signum or Adam; or, of a Multiclass problem, Muon with a Newton-Schulz polar

    Returns an optimizer; in a study it is of the kind svrg_sgd, svrg_signum, svrg_adam or svrg_muon.
    Errors: ``InputError`` for a base it does not fit.

    >>> SVRG(Signum(beta=0.9)).label
    'SVRG(Signum)'

    Source: Johnson and Zhang, Accelerating stochastic gradient descent using predictive variance reduction (2013); on
    separable data arXiv 2602.11557.
    """
    return wrap("SVRG", _KINDS, base, {})

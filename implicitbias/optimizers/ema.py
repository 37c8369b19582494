"""An exponential moving average of the iterates, beside any optimizer (Ahn, Cutkosky, arXiv 2405.18199)."""

from implicitbias.jit import inlined
from implicitbias.lanes import load, mix, store
from implicitbias.optimizers.adam import Adam
from implicitbias.optimizers.adamw import AdamW
from implicitbias.optimizers.around import Around, around, wrap
from implicitbias.optimizers.base import Optimizer, decay
from implicitbias.optimizers.lion import Lion
from implicitbias.optimizers.ngd import NGD
from implicitbias.optimizers.sgd import SGD
from implicitbias.optimizers.signum import Signum


def _step(base):
    @inlined
    def step(w, g, state, hyper, lr, bias, units, batch):
        base(w, g, state[1:], hyper[1:], lr, bias, units, batch)
        mean, keep = state[0], load(hyper, 0)
        for c in range(w.shape[0]):
            store(mean, c, mix(keep, load(mean, c), load(w, c)))

    return step


_TEXT = """w by the base;  mean = decay mean + (1 - decay) w,  which is the iterate recorded.

Source: arXiv 2405.18199."""

_KINDS = {
    base: around(
        "EMA", base, _TEXT, {"decay": decay(0.99)}, (0,), points=(0,), recorded=0,
        own_decays=(1.0,), make_step=_step,
    )
    for base in (SGD, NGD, Signum, Lion, Adam, AdamW)
}  # fmt: skip
EMASGD, EMANGD, EMASignum, EMALion, EMAAdam, EMAAdamW = KINDS = tuple(_KINDS.values())


def EMA(base: Optimizer, decay: float = 0.99) -> Around:
    """An exponential moving average of the iterates beside any optimizer; the iterate that is recorded is the average.

    w by `base`;  mean = decay mean + (1 - decay) w,  with mean(0) = w(0)

    Its direction is that of w. Its loss lags behind: for gradient descent L(mean) / L(w) -> 1, for constant steps of
    sign descent on all rows, and of Adam as lr -> 0, L(mean) / L(w) -> exp(gamma_inf lr decay / (1 - decay)).

    Arguments
        base    the optimizer: SGD, NGD, Signum, Lion, Adam or AdamW
        decay   rate in [0, 1); EMA(base, 0) is the base

    Returns an optimizer; in a study it is of the kind ema_adam, ema_sgd, ... with the hyper-parameters of its base.
    Errors: ``InputError`` for a base it does not fit, or a decay out of range.

    >>> EMA(Adam(beta2=0.95), decay=0.9)
    EMAAdam(decay=0.9, beta1=0.9, beta2=0.95, eps=0.0, bias_correction=False, eps_inside=False, kappa=0.0)

    Source: arXiv 2405.18199, section 2.
    """
    return wrap("EMA", _KINDS, base, {"decay": decay})

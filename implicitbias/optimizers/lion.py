"""Lion (Chen et al., arXiv 2302.06675)."""

from dataclasses import dataclass
from typing import ClassVar

from implicitbias.jit import inlined
from implicitbias.lanes import load, mix, store
from implicitbias.optimizers.base import Optimizer, decay, nonnegative
from implicitbias.optimizers.parts import times_sign
from implicitbias.simulation.scales import COORDINATE


@inlined
def step(w, g, state, hyper, lr, bias, units, batch):
    m, beta1, beta2 = state[0], load(hyper, 0), load(hyper, 1)
    shrink = 1.0 - lr * load(hyper, 2)
    for c in range(g.shape[0]):
        momentum, gradient = load(m, c), load(g, c)
        store(w, c, shrink * load(w, c) - times_sign(lr, mix(beta1, momentum, gradient)))
        store(m, c, mix(beta2, momentum, gradient))


@dataclass(frozen=True)
class Lion(Optimizer):
    """Lion: sign descent on an interpolation of gradient and momentum, with decoupled weight decay.

    w = w - lr (sign(beta1 m + (1 - beta1) g) + weight_decay w),  sign(0) = 0;  then  m = beta2 m + (1 - beta2) g

    Full batch it goes to the l_inf max-margin direction; with weight decay it ends in the box
    |w_j| <= 1 / weight_decay. Lion(beta, beta) is Signum(beta).

    Arguments
        beta1, beta2   decay rates in [0, 1)
        weight_decay   >= 0, in units of one over w

    Errors: ``InputError`` listing every hyper-parameter out of range.

    >>> Lion(beta2=0.95).label
    'Lion(beta2=0.95)'

    Source: arXiv 2302.06675, Algorithm 2; the box: arXiv 2310.05898.
    """

    beta1: float = decay(0.9)
    beta2: float = decay(0.99)
    weight_decay: float = nonnegative(0.0)

    name: ClassVar[str] = "lion"
    mode: ClassVar[int] = COORDINATE
    degrees: ClassVar[tuple[int, ...]] = (1,)
    step: ClassVar = staticmethod(step)

    def decays(self) -> tuple[float, ...]:
        return (self.beta2,)

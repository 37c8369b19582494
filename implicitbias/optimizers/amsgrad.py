"""AMSGrad (Reddi, Kale, Kumar, arXiv 1904.09237)."""

from dataclasses import dataclass
from typing import ClassVar

from implicitbias.jit import inlined
from implicitbias.lanes import load, maximum, store
from implicitbias.optimizers.base import Optimizer, decay, later, nonnegative
from implicitbias.optimizers.moments import moments
from implicitbias.optimizers.parts import over_root_above
from implicitbias.simulation.scales import COORDINATE


@inlined
def step(w, g, state, hyper, lr, bias, units, batch):
    m, v, top, beta1, beta2 = state[0], state[1], state[2], load(hyper, 0), load(hyper, 1)
    rate, eps = lr * bias.lr, bias.eps * load(hyper, 3)
    for c in range(g.shape[0]):
        first, second = moments(m, v, g, c, beta1, beta2)
        most = maximum(load(top, c), second)
        store(top, c, most)
        store(w, c, load(w, c) - rate * over_root_above(first, most, eps, units, c))


@dataclass(frozen=True)
class AMSGrad(Optimizer):
    """AMSGrad: Adam whose second moment never falls.

    m = beta1 m + (1 - beta1) g
    v = beta2 v + (1 - beta2) g^2
    u = max(u, v)
    w = w - lr m^ / (sqrt(u^) + eps)

    with m^ and u^ as in `Adam`, 0/0 = 0. As the gradients of separable data vanish, u freezes at the largest it has
    seen, like the sum of AdaGrad: increments then go to the max-margin direction of the norm ("mahalanobis", sqrt(u) +
    eps) of that run (measured), and not to that of Adam.

    Arguments
        beta1, beta2      decay rates in [0, 1)
        bias_correction   off in the theory
        eps               >= 0

    Errors: ``InputError`` listing every hyper-parameter out of range.

    >>> AMSGrad(beta2=0.95).label
    'AMSGrad(beta2=0.95)'

    Source: arXiv 1904.09237, Algorithm 2.
    """

    beta1: float = decay(0.9)
    beta2: float = decay(0.999)
    bias_correction: bool = False
    eps: float = later(nonnegative(0.0))

    name: ClassVar[str] = "amsgrad"
    mode: ClassVar[int] = COORDINATE
    forgets: ClassVar[bool] = False
    degrees: ClassVar[tuple[int, ...]] = (1, 2, 2)  # the units follow u, which the others are divided by
    root: ClassVar[int | None] = 2
    step: ClassVar = staticmethod(step)

    def bias(self):
        return (self.beta1, self.beta2) if self.bias_correction else None

    def decays(self) -> tuple[float, ...]:
        return self.beta1, self.beta2, 1.0

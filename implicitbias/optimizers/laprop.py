"""LaProp (Ziyin, Wang, Ueda, arXiv 2002.04839)."""

from dataclasses import dataclass
from typing import ClassVar

from implicitbias.jit import inlined
from implicitbias.lanes import fma, load, mix, store
from implicitbias.optimizers.base import Optimizer, decay, later, nonnegative
from implicitbias.optimizers.parts import over_root_above
from implicitbias.simulation.scales import COORDINATE


@inlined
def step(w, g, state, hyper, lr, bias, units, batch):
    m, v, beta1, beta2, eps = state[0], state[1], load(hyper, 0), load(hyper, 1), load(hyper, 2)
    for c in range(g.shape[0]):
        gradient = load(g, c)
        second = mix(beta2, load(v, c), gradient * gradient)
        momentum = mix(beta1, load(m, c), over_root_above(gradient, second, eps, units, c))
        store(v, c, second)
        store(m, c, momentum)
        store(w, c, fma(-lr, momentum, load(w, c)))


@dataclass(frozen=True)
class LaProp(Optimizer):
    """LaProp: Adam that divides before it averages.

    v = beta2 v + (1 - beta2) g^2
    m = beta1 m + (1 - beta1) g / (sqrt(v) + eps),  0/0 = 0
    w = w - lr m

    m is bounded whatever beta1 and beta2, unlike that of Adam for beta1 > sqrt(beta2).

    Arguments
        beta1, beta2   decay rates in [0, 1)
        eps            >= 0

    Errors: ``InputError`` listing every hyper-parameter out of range.

    >>> LaProp(beta2=0.95).label
    'LaProp(beta2=0.95)'

    Source: arXiv 2002.04839, Algorithm 1, without its bias corrections.
    """

    beta1: float = decay(0.9)
    beta2: float = decay(0.999)
    eps: float = later(nonnegative(0.0))

    name: ClassVar[str] = "laprop"
    mode: ClassVar[int] = COORDINATE
    degrees: ClassVar[tuple[int, ...]] = (0, 2)
    root: ClassVar[int | None] = 1
    step: ClassVar = staticmethod(step)

    def decays(self) -> tuple[float, ...]:
        return self.beta1, self.beta2

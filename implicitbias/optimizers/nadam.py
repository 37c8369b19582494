"""Nesterov-Adam (Dozat, ICLR workshop 2016)."""

from dataclasses import dataclass
from typing import ClassVar

from implicitbias.jit import inlined
from implicitbias.lanes import load, mix, store
from implicitbias.optimizers.base import Optimizer, decay, later, nonnegative
from implicitbias.optimizers.moments import moments
from implicitbias.optimizers.parts import over_root_above
from implicitbias.simulation.scales import COORDINATE


@inlined
def step(w, g, state, hyper, lr, bias, units, batch):
    m, v, beta1, beta2, eps = state[0], state[1], load(hyper, 0), load(hyper, 1), load(hyper, 2)
    for c in range(g.shape[0]):
        first, second = moments(m, v, g, c, beta1, beta2)
        ahead = mix(beta1, first, load(g, c))
        store(w, c, load(w, c) - lr * over_root_above(ahead, second, eps, units, c))


@dataclass(frozen=True)
class NAdam(Optimizer):
    """Adam with Nesterov's look ahead.

    m = beta1 m + (1 - beta1) g
    v = beta2 v + (1 - beta2) g^2
    w = w - lr (beta1 m + (1 - beta1) g) / (sqrt(v) + eps),  with the new m;  0/0 = 0

    Arguments
        beta1, beta2   decay rates in [0, 1)
        eps            >= 0

    Errors: ``InputError`` listing every hyper-parameter out of range.

    >>> NAdam(beta2=0.95).label
    'NAdam(beta2=0.95)'

    Source: Dozat, Incorporating Nesterov Momentum into Adam (2016), without bias corrections.
    """

    beta1: float = decay(0.9)
    beta2: float = decay(0.999)
    eps: float = later(nonnegative(0.0))

    name: ClassVar[str] = "nadam"
    mode: ClassVar[int] = COORDINATE
    degrees: ClassVar[tuple[int, ...]] = (1, 2)
    root: ClassVar[int | None] = 1
    step: ClassVar = staticmethod(step)

    def decays(self) -> tuple[float, ...]:
        return self.beta1, self.beta2

"""Discounted follow the regularised leader (Ahn, Zhang, Kook, Dai, arXiv 2402.01567)."""

from dataclasses import dataclass, field
from typing import ClassVar

from implicitbias.jit import inlined
from implicitbias.lanes import fma, load, store
from implicitbias.optimizers.base import Optimizer
from implicitbias.optimizers.parts import over_root
from implicitbias.simulation.scales import COORDINATE


@inlined
def step(w, g, state, hyper, lr, bias, units, batch):
    sum_, squares, beta = state[0], state[1], load(hyper, 0)
    for c in range(g.shape[0]):
        gradient = load(g, c)
        first = fma(beta, load(sum_, c), gradient)
        second = fma(beta * beta, load(squares, c), gradient * gradient)
        store(sum_, c, first)
        store(squares, c, second)
        store(w, c, load(w, c) - lr * over_root(first, second))


@dataclass(frozen=True)
class FTRL(Optimizer):
    """beta-FTRL: each increment is what follow the regularised leader would play on discounted gradients.

    w_t+1 = w_t - lr sum_s beta^(t-s) g_s / sqrt(sum_s beta^(2(t-s)) g_s^2),  0/0 = 0

    It is Adam(beta, beta^2) with a step size larger by sqrt((1 + beta) / (1 - beta)). Without discount (beta = 1) the
    ratio freezes on the early gradients, and no margin is maximised.

    Arguments
        beta   discount, in [0, 1]

    Errors: ``InputError`` when beta is out of range.

    >>> FTRL(beta=0.95).label
    'FTRL(beta=0.95)'

    Source: arXiv 2402.01567, section 2.
    """

    beta: float = field(default=0.9, metadata={"valid": lambda x: 0 <= x <= 1, "range": "in [0, 1]"})

    name: ClassVar[str] = "ftrl"
    mode: ClassVar[int] = COORDINATE
    degrees: ClassVar[tuple[int, ...]] = (1, 2)
    step: ClassVar = staticmethod(step)

    @property
    def forgets(self) -> bool:
        return self.beta < 1.0

    def decays(self) -> tuple[float, ...]:
        return self.beta, self.beta * self.beta

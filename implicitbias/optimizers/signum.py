"""Signum and SignSGD (Bernstein, Wang, Azizzadenesheli, Anandkumar, arXiv 1802.04434)."""

from dataclasses import dataclass
from typing import ClassVar

from implicitbias.jit import inlined, kernel
from implicitbias.lanes import load, mix, select, store
from implicitbias.optimizers.base import Optimizer, decay
from implicitbias.simulation.driver import drive
from implicitbias.simulation.scales import COORDINATE


@inlined
def step(w, g, state, hyper, lr, bias, units, batch):
    m, beta = state[0], load(hyper, 0)
    for c in range(g.shape[0]):
        momentum = mix(beta, load(m, c), load(g, c))
        store(m, c, momentum)
        store(w, c, load(w, c) - select(momentum > 0.0, lr, select(momentum < 0.0, -lr, momentum)))


@kernel
def advance(data, runs, table, bias, slots, first):
    drive(step, COORDINATE, data, runs, table, bias, slots, first)


@dataclass(frozen=True)
class Signum(Optimizer):
    """Sign descent with momentum; SignSGD at beta = 0.

    m = beta m + (1 - beta) g;  w = w - lr sign(m),  sign(0) = 0

    Arguments
        beta   decay rate of the momentum, in [0, 1)

    Errors: ``InputError`` when beta is out of range.

    >>> Signum(beta=0.95).label
    'Signum(beta=0.95)'

    Source: arXiv 1802.04434, Algorithm 2; full batch it is steepest descent in l_inf, 1802.08246.
    """

    beta: float = decay(0.9)

    name: ClassVar[str] = "signum"
    mode: ClassVar[int] = COORDINATE
    degrees: ClassVar[tuple[int, ...]] = (1,)
    step: ClassVar = staticmethod(step)
    advance: ClassVar = staticmethod(advance)

    def decays(self) -> tuple[float, ...]:
        return (self.beta,)

"""Sharpness-aware minimisation (Foret, Kleiner, Mobahi, Neyshabur, arXiv 2010.01412)."""

from dataclasses import dataclass
from typing import ClassVar

from implicitbias.jit import inlined
from implicitbias.lanes import load, select, store
from implicitbias.optimizers.base import Optimizer, nonnegative
from implicitbias.optimizers.parts import copy_to, length_of, times_sign
from implicitbias.simulation.scales import TRUE


@inlined
def step(w, g, state, hyper, lr, bias, units, batch):
    here, rho, signs = state[0], load(hyper, 0), load(hyper, 1) > 0.0
    if batch.phase == 0:  # to where the loss is worst nearby
        copy_to(w, here)
        size = length_of(g, batch.wide)
        rate = select(size > 0.0, rho / size, 0.0)
        for c in range(g.shape[0]):
            gradient = load(g, c)
            store(w, c, load(w, c) + select(signs, times_sign(rho, gradient), rate * gradient))
    else:
        for c in range(g.shape[0]):
            store(w, c, load(here, c) - lr * load(g, c))


@dataclass(frozen=True)
class SAM(Optimizer):
    """Sharpness-aware minimisation on (stochastic) gradient descent: the gradient where the loss nearby is worst.

    e = rho g(w) / ||g(w)||_2,  or  rho sign(g(w)) with linf
    w = w - lr g(w + e),  both gradients on the same batch

    SAM(rho = 0) is gradient descent. On a linear model each margin is shifted by no more than a constant, so the limit
    is the l2 max-margin direction for every rho; a finite run is farther from it.

    Arguments
        rho    radius of the neighbourhood, >= 0, in units of w
        linf   whether it is a ball of l_inf; of l_2 otherwise

    Errors: ``InputError`` listing every hyper-parameter out of range.

    >>> SAM(rho=0.1).label
    'SAM(rho=0.1)'

    Source: arXiv 2010.01412, Algorithm 1; on separable data arXiv 2603.08290.
    """

    rho: float = nonnegative(0.05)
    linf: bool = False

    name: ClassVar[str] = "sam"
    mode: ClassVar[int] = TRUE
    degrees: ClassVar[tuple[int, ...]] = (0,)
    evaluations: ClassVar[tuple[str, ...]] = ("batch", "batch")
    step: ClassVar = staticmethod(step)

    def decays(self) -> tuple[float, ...]:
        return (1.0,)

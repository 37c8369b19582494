"""AdaGrad, diagonal (Duchi, Hazan, Singer, JMLR 12, 2011)."""

from dataclasses import dataclass
from typing import ClassVar

from implicitbias.jit import inlined, kernel
from implicitbias.lanes import fma, load, select, sqrt, store
from implicitbias.optimizers.base import Optimizer, later, nonnegative
from implicitbias.optimizers.moments import root_above
from implicitbias.simulation.driver import drive
from implicitbias.simulation.scales import COORDINATE, in_units


@inlined
def step(w, g, state, hyper, lr, bias, units, batch):
    eps, squares = load(hyper, 0), state[0]
    for c in range(g.shape[0]):
        gradient = load(g, c)
        square = fma(gradient, gradient, load(squares, c))
        store(squares, c, square)
        ratio = select(gradient == 0.0, 0.0, gradient / (sqrt(square) + in_units(eps, units, c, 1)))
        store(w, c, fma(-lr, ratio, load(w, c)))


@inlined
def step_with_eps_inside(w, g, state, hyper, lr, bias, units, batch):
    eps, squares = load(hyper, 0), state[0]
    for c in range(g.shape[0]):
        gradient = load(g, c)
        square = fma(gradient, gradient, load(squares, c))
        store(squares, c, square)
        ratio = select(gradient == 0.0, 0.0, gradient / root_above(square, eps, units, c))
        store(w, c, fma(-lr, ratio, load(w, c)))


@kernel
def advance(data, runs, table, bias, slots, first):
    drive(step, COORDINATE, data, runs, table, bias, slots, first)


@kernel
def advance_with_eps_inside(data, runs, table, bias, slots, first):
    drive(step_with_eps_inside, COORDINATE, data, runs, table, bias, slots, first)


_KERNELS = {step: advance, step_with_eps_inside: advance_with_eps_inside}


@dataclass(frozen=True)
class AdaGrad(Optimizer):
    """AdaGrad with one step size a coordinate.

    V = V + g^2;  w = w - lr g / (sqrt(V) + eps),  or  lr g / sqrt(V + eps) with eps_inside;  0/0 = 0

    V never shrinks, so its first, large gradients decide it: the preconditioner freezes, and AdaGrad ends as gradient
    descent in the geometry it has frozen to. It starts at the scale of its own first gradient, however light that is.

    Arguments
        eps          >= 0
        eps_inside   whether eps stands under the root, as in arXiv 1906.03559

    Errors: ``InputError`` listing every hyper-parameter out of range.

    >>> AdaGrad().label
    'AdaGrad'

    Source: JMLR 12 (2011) 2121-2159, figure 1; its limit, read off a run: arXiv 1906.03559
    (`limits.adagrad_direction`).
    """

    eps: float = nonnegative(0.0)
    eps_inside: bool = later(False)

    name: ClassVar[str] = "adagrad"
    mode: ClassVar[int] = COORDINATE
    forgets: ClassVar[bool] = False
    degrees: ClassVar[tuple[int, ...]] = (2,)
    root: ClassVar[int | None] = 0

    @property
    def step(self):
        return step_with_eps_inside if self.eps > 0.0 and self.eps_inside else step

    @property
    def advance(self):
        return _KERNELS[self.step]

    def decays(self) -> tuple[float, ...]:
        return (1.0,)

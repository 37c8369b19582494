"""Sophia: diagonal Newton steps, clipped (Liu, Li, Hall, Liang, Ma, arXiv 2305.14342)."""

from dataclasses import dataclass
from typing import ClassVar

from implicitbias.jit import inlined
from implicitbias.lanes import fma, load, maximum, mix, select, store
from implicitbias.optimizers.base import Optimizer, decay, nonnegative
from implicitbias.optimizers.parts import copy_to
from implicitbias.simulation.scales import COORDINATE, in_units


@inlined
def step(w, g, state, hyper, lr, bias, units, batch):
    held, m, h = state[0], state[1], state[2]
    beta1, beta2, rho, eps = load(hyper, 0), load(hyper, 1), load(hyper, 2), load(hyper, 3)
    if batch.phase == 0:
        copy_to(g, held)
    else:
        for c in range(g.shape[0]):
            first = mix(beta1, load(m, c), load(held, c))
            second = mix(beta2, load(h, c), load(g, c))
            store(m, c, first)
            store(h, c, second)
            u = first / maximum(in_units(eps, units, c, 1), rho * second)
            u = select(u > 1.0, 1.0, select(u < -1.0, -1.0, u))  # a NaN stays one
            store(w, c, fma(-lr, select(first == 0.0, 0.0, u), load(w, c)))


@dataclass(frozen=True)
class Sophia(Optimizer):
    """Sophia: Newton's step with the diagonal of the Hessian, clipped coordinate by coordinate.

    m = beta1 m + (1 - beta1) g
    h = beta2 h + (1 - beta2) mean_i l''(a_i.w) a_i^2,  the diagonal of the Hessian of the batch
    w = w - lr clip(m / max(rho h, eps), -1, 1),  0/0 = 0

    with l'' = s (1 - s) for the logistic loss, l'' = s for the exponential. As the margins grow, l'' comes to s, and
    m/h keeps its size: steps do not vanish with the gradients. With rho = 0 all are clipped, and it is Signum(beta1).

    Full batch w goes to a rest point of clip(S / (rho Q), -1, 1), with the sums S of c_i a_i and Q of c_i a_i^2 over
    the sample weights c (measured). Where rho is so small that almost all coordinates are clipped it is near the l_inf
    max-margin direction; where none is, it depends on neither rho nor lr, and is the max-margin direction of no usual
    norm. This holds for steps that are small or decrease: h forgets like beta2^t, and so fast the loss falls at most.
    Larger steps get shorter with m/h until they are not clipped any more.

    Arguments
        beta1, beta2   decay rates in [0, 1)
        rho            >= 0, in units of one over w: steps are clipped where |m| > rho h
        eps            >= 0

    Errors: ``InputError`` listing every hyper-parameter out of range. `simulate` refuses rows whose squares leave
    float64.

    >>> Sophia(rho=1.0).label
    'Sophia(rho=1)'

    Source: arXiv 2305.14342, Algorithm 3, with the exact diagonal at every step and without weight decay.
    """

    beta1: float = decay(0.965)
    beta2: float = decay(0.99)
    rho: float = nonnegative(0.05)
    eps: float = nonnegative(0.0)

    name: ClassVar[str] = "sophia"
    mode: ClassVar[int] = COORDINATE
    degrees: ClassVar[tuple[int, ...]] = (1, 1, 1)
    evaluations: ClassVar[tuple[str, ...]] = ("batch", "curvature")
    step: ClassVar = staticmethod(step)

    def decays(self) -> tuple[float, ...]:
        return 1.0, self.beta1, self.beta2  # units may not change between the two looks of a step

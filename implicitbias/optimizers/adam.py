"""Adam (Kingma and Ba, arXiv 1412.6980)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from implicitbias.jit import hot, inlined, kernel
from implicitbias.lanes import fma, load, mix, rsqrt, select, sqrt, store
from implicitbias.optimizers.base import Optimizer, decay, nonnegative
from implicitbias.simulation.driver import drive
from implicitbias.simulation.scales import COORDINATE, in_units, moderate
from implicitbias.simulation.tail import mean_losses


@hot
def moments(m, v, g, c, beta1, beta2):
    """m = beta1 m + (1 - beta1) g and v = beta2 v + (1 - beta2) g^2 in place, in chunk c; returns both."""
    gradient = load(g, c)
    first = mix(beta1, load(m, c), gradient)
    second = mix(beta2, load(v, c), gradient * gradient)
    store(m, c, first)
    store(v, c, second)
    return first, second


@hot
def root_above(second, eps, units, c):
    """sqrt(second + eps) with eps in the units of v; where it leaves float64 there, its root."""
    floor = in_units(eps, units, c, 2)
    return select(floor < np.inf, sqrt(second + floor), in_units(sqrt(eps), units, c, 1))


@inlined
def step(w, g, state, hyper, lr, bias, units, batch):
    m, v, beta1, beta2 = state[0], state[1], load(hyper, 0), load(hyper, 1)
    rate = lr * bias.lr
    for c in range(g.shape[0]):
        first, second = moments(m, v, g, c, beta1, beta2)
        ratio = select(second == 0.0, 0.0, first * rsqrt(second))  # so that a NaN stays one
        store(w, c, fma(-rate, ratio, load(w, c)))


@inlined
def step_with_eps(w, g, state, hyper, lr, bias, units, batch):
    m, v, beta1, beta2, eps = state[0], state[1], load(hyper, 0), load(hyper, 1), load(hyper, 2)
    rate, back = moderate(lr * bias.lr)
    for c in range(g.shape[0]):
        first, second = moments(m, v, g, c, beta1, beta2)
        root = sqrt(second) + in_units(bias.eps * eps, units, c, 1)
        store(w, c, load(w, c) - select(first == 0.0, 0.0, rate * first / root * back))


@inlined
def step_with_eps_inside(w, g, state, hyper, lr, bias, units, batch):
    m, v, beta1, beta2, eps = state[0], state[1], load(hyper, 0), load(hyper, 1), load(hyper, 2)
    rate, back = moderate(lr * bias.lr)
    for c in range(g.shape[0]):
        first, second = moments(m, v, g, c, beta1, beta2)
        root = root_above(second, bias.eps * bias.eps * eps, units, c)
        store(w, c, load(w, c) - select(first == 0.0, 0.0, rate * first / root * back))


@inlined
def step_with_kappa(w, g, state, hyper, lr, bias, units, batch):
    m, v, beta1, beta2 = state[0], state[1], load(hyper, 0), load(hyper, 1)
    eps, inside, kappa = load(hyper, 2), load(hyper, 4) > 0.0, load(hyper, 5)
    loss, high = mean_losses(batch.z, batch.f, batch.q, batch.size, batch.wide, batch.loss, batch.room)
    rate, back = moderate(lr * bias.lr)
    loss = loss * bias.eps * kappa
    for c in range(g.shape[0]):
        first, second = moments(m, v, g, c, beta1, beta2)
        root = root_above(second, select(inside, bias.eps * bias.eps * eps, 0.0), units, c)
        root = root + in_units(loss, units, c, 1, high) + select(inside, 0.0, in_units(bias.eps * eps, units, c, 1))
        store(w, c, load(w, c) - select(first == 0.0, 0.0, rate * first / root * back))


def forgets_first(optimizer) -> bool:
    """Whether v forgets at once what m remembers. Then m / sqrt(v) may be x / 0, which `rsqrt` does not know."""
    return optimizer.beta2 == 0.0 < optimizer.beta1


@kernel
def advance(data, runs, table, bias, slots, first):
    drive(step, COORDINATE, data, runs, table, bias, slots, first)


@kernel
def advance_with_eps(data, runs, table, bias, slots, first):
    drive(step_with_eps, COORDINATE, data, runs, table, bias, slots, first)


@kernel
def advance_with_eps_inside(data, runs, table, bias, slots, first):
    drive(step_with_eps_inside, COORDINATE, data, runs, table, bias, slots, first)


@kernel
def advance_with_kappa(data, runs, table, bias, slots, first):
    drive(step_with_kappa, COORDINATE, data, runs, table, bias, slots, first)


_KERNELS = {
    step: advance,
    step_with_eps: advance_with_eps,
    step_with_eps_inside: advance_with_eps_inside,
    step_with_kappa: advance_with_kappa,
}


@dataclass(frozen=True)
class Adam(Optimizer):
    """Adam.

    m = beta1 m + (1 - beta1) g
    v = beta2 v + (1 - beta2) g^2
    w = w - lr m^ / (sqrt(v^) + eps),  or  lr m^ / sqrt(v^ + eps) with eps_inside

    with m^ = m and v^ = v, or, with bias_correction, m^ = m / (1 - beta1^t) and v^ = v / (1 - beta2^t), t = 1, 2, ...
    With kappa > 0, kappa L(w) is added to the denominator, beside the eps, with L the mean loss of the batch at w.
    A coordinate that has never seen a gradient stays put (0/0 = 0). For beta1 > sqrt(beta2), m^ / sqrt(v^) grows
    geometrically once the gradients fall faster than v forgets, until w leaves float64 and the run ends.

    Arguments
        beta1, beta2      decay rates in [0, 1)
        eps               >= 0; 0, the default, is the setting of the theory: the iterates then depend on gradients only
                          up to a positive factor
        bias_correction   off in the theory
        eps_inside        whether eps stands under the root
        kappa             >= 0; an eps that follows the loss: as gradients and loss shrink together, it keeps its
                          weight for ever and leads to a limit between l_inf (0) and l2 (infinity); always outside the
                          root

    Errors: ``InputError`` listing every hyper-parameter out of range.

    >>> Adam(beta2=0.95)
    Adam(beta1=0.9, beta2=0.95, eps=0.0, bias_correction=False, eps_inside=False, kappa=0.0)

    RMSProp (Tieleman and Hinton 2012) is Adam(beta1=0, beta2=0.9).

    Source: arXiv 1412.6980, Algorithm 1; its limits on separable data: arXiv 2406.10650 (full batch) and
    2510.26303 (per sample); with kappa: `limits.kappa_direction`.
    """

    beta1: float = decay(0.9)
    beta2: float = decay(0.999)
    eps: float = nonnegative(0.0)
    bias_correction: bool = False
    eps_inside: bool = False
    kappa: float = nonnegative(0.0)

    name: ClassVar[str] = "adam"
    mode: ClassVar[int] = COORDINATE
    degrees: ClassVar[tuple[int, ...]] = (1, 2)

    @property
    def step(self):
        # Kernels of their own: kappa needs the loss of every batch, and eps the units.
        if self.kappa > 0.0:
            return step_with_kappa
        if self.eps > 0.0 and self.eps_inside:
            return step_with_eps_inside
        return step_with_eps if self.eps > 0.0 or forgets_first(self) else step

    @property
    def advance(self):
        return _KERNELS[self.step]

    def bias(self):
        return (self.beta1, self.beta2) if self.bias_correction else None

    def decays(self) -> tuple[float, ...]:
        return self.beta1, self.beta2

    @property
    def label(self) -> str:
        extra = f", eps={self.eps:g}" if self.eps else ""
        extra += f", kappa={self.kappa:g}" if self.kappa else ""
        return f"Adam({self.beta1:g}, {self.beta2:g}{extra}{', bias-corrected' if self.bias_correction else ''})"

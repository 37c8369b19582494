"""AdamW: Adam with decoupled weight decay (Loshchilov and Hutter, arXiv 1711.05101)."""

from dataclasses import dataclass
from typing import ClassVar

from implicitbias.jit import inlined, kernel
from implicitbias.lanes import load, store
from implicitbias.optimizers.base import Optimizer, decay, nonnegative
from implicitbias.optimizers.moments import forgets_first
from implicitbias.optimizers.moments import step as adam_step
from implicitbias.optimizers.moments import step_with_eps as adam_step_with_eps
from implicitbias.simulation.driver import drive
from implicitbias.simulation.scales import COORDINATE


@inlined
def decay_weights(w, g, hyper, lr):
    shrink = 1.0 - lr * load(hyper, 4)
    for c in range(g.shape[0]):
        store(w, c, shrink * load(w, c))


@inlined
def step(w, g, state, hyper, lr, bias, units, batch):
    decay_weights(w, g, hyper, lr)
    adam_step(w, g, state, hyper, lr, bias, units, batch)


@inlined
def step_with_eps(w, g, state, hyper, lr, bias, units, batch):
    decay_weights(w, g, hyper, lr)
    adam_step_with_eps(w, g, state, hyper, lr, bias, units, batch)


@kernel
def advance(data, runs, table, bias, slots, first):
    drive(step, COORDINATE, data, runs, table, bias, slots, first)


@dataclass(frozen=True)
class AdamW(Optimizer):
    """Adam with decoupled weight decay.

    m = beta1 m + (1 - beta1) g
    v = beta2 v + (1 - beta2) g^2
    w = w - lr (m^ / (sqrt(v^) + eps) + weight_decay w)

    with m^ and v^ as in `Adam`. Every |w_j| ends up at or below 1 / weight_decay (with eps = 0 and beta1 <= beta2, up
    to the size of a step): the weights converge instead of going off in a direction.

    Arguments
        beta1, beta2      decay rates in [0, 1)
        eps               >= 0
        bias_correction   off in the theory
        weight_decay      >= 0, in units of one over w; 0 is Adam

    Errors: ``InputError`` listing every hyper-parameter out of range.

    >>> AdamW(beta2=0.95, weight_decay=0.1).label
    'AdamW(0.9, 0.95, weight_decay=0.1)'

    Source: arXiv 1711.05101, Algorithm 2, with the decay scaled by lr; its full-batch limit: arXiv 2404.04454 and
    2310.05898 (`limits.adamw_point`).
    """

    beta1: float = decay(0.9)
    beta2: float = decay(0.999)
    eps: float = nonnegative(0.0)
    bias_correction: bool = False
    weight_decay: float = nonnegative(0.01)

    name: ClassVar[str] = "adamw"
    mode: ClassVar[int] = COORDINATE
    degrees: ClassVar[tuple[int, ...]] = (1, 2)
    root: ClassVar[int | None] = 1

    @property
    def step(self):
        return step_with_eps if self.eps > 0.0 or forgets_first(self) else step

    @property
    def advance(self):
        return super().advance if self.step is step_with_eps else advance

    def bias(self):
        return (self.beta1, self.beta2) if self.bias_correction else None

    def decays(self) -> tuple[float, ...]:
        return self.beta1, self.beta2

    @property
    def label(self) -> str:
        extra = f", eps={self.eps:g}" if self.eps else ""
        corrected = ", bias-corrected" if self.bias_correction else ""
        return f"AdamW({self.beta1:g}, {self.beta2:g}{extra}{corrected}, weight_decay={self.weight_decay:g})"

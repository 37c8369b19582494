"""RMSProp (Tieleman and Hinton 2012)."""

from dataclasses import dataclass
from typing import ClassVar

from implicitbias.optimizers.adam import Adam
from implicitbias.optimizers.base import Optimizer, decay, nonnegative
from implicitbias.simulation.scales import COORDINATE


@dataclass(frozen=True)
class RMSProp(Optimizer):
    """RMSProp: Adam without momentum.

    v = beta2 v + (1 - beta2) g^2
    w = w - lr g / (sqrt(v) + eps),  or  lr g / sqrt(v + eps) with eps_inside;  0/0 = 0

    Arguments
        beta2        decay rate in [0, 1)
        eps          >= 0
        eps_inside   whether eps stands under the root

    Errors: ``InputError`` listing every hyper-parameter out of range.

    >>> RMSProp(beta2=0.95).label
    'RMSProp(beta2=0.95)'

    Source: Tieleman and Hinton, Lecture 6.5 of Neural Networks for Machine Learning (2012); it is Adam(beta1=0).
    """

    beta2: float = decay(0.9)
    eps: float = nonnegative(0.0)
    eps_inside: bool = False

    name: ClassVar[str] = "rmsprop"
    mode: ClassVar[int] = COORDINATE
    degrees: ClassVar[tuple[int, ...]] = Adam.degrees
    root: ClassVar[int | None] = 1

    @property
    def as_adam(self) -> Adam:
        return Adam(0.0, self.beta2, self.eps, eps_inside=self.eps_inside)

    @property
    def advance(self):
        return self.as_adam.advance

    @property
    def step(self):
        return self.as_adam.step

    def hyper(self) -> tuple[float, ...]:
        return self.as_adam.hyper()

    def decays(self) -> tuple[float, ...]:
        return self.as_adam.decays()

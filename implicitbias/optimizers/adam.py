"""Adam (Kingma and Ba, arXiv 1412.6980)."""

from dataclasses import dataclass
from typing import ClassVar

from implicitbias.jit import kernel
from implicitbias.optimizers.base import Optimizer, decay, nonnegative
from implicitbias.optimizers.moments import (
    forgets_first,
    step,
    step_with_eps,
    step_with_eps_inside,
    step_with_kappa,
)
from implicitbias.simulation.driver import drive
from implicitbias.simulation.scales import COORDINATE


@kernel
def advance(data, runs, table, bias, slots, first):
    drive(step, COORDINATE, data, runs, table, bias, slots, first)


@kernel
def advance_with_eps(data, runs, table, bias, slots, first):
    drive(step_with_eps, COORDINATE, data, runs, table, bias, slots, first)


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
        own = {step: advance, step_with_eps: advance_with_eps}
        return own.get(self.step) or super().advance

    @property
    def sees_loss(self) -> bool:
        return self.kappa > 0.0

    @property
    def root(self) -> int | None:
        return None if self.kappa > 0.0 else 1  # else the loss is in the denominator, too

    def bias(self):
        return (self.beta1, self.beta2) if self.bias_correction else None

    def decays(self) -> tuple[float, ...]:
        return self.beta1, self.beta2

    @property
    def label(self) -> str:
        extra = f", eps={self.eps:g}" if self.eps else ""
        extra += f", kappa={self.kappa:g}" if self.kappa else ""
        return f"Adam({self.beta1:g}, {self.beta2:g}{extra}{', bias-corrected' if self.bias_correction else ''})"

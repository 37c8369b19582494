"""Adam (Kingma and Ba, arXiv 1412.6980)."""

import math
from dataclasses import dataclass
from typing import ClassVar

from implicitbias.jit import inlined, kernel
from implicitbias.optimizers.base import Optimizer, decay, nonnegative
from implicitbias.simulation.driver import COORDINATE, drive


@inlined
def step(w, g, state, hyper, lr, t, inverse):
    beta1, beta2, eps, bias_correction, eps_inside = hyper[0], hyper[1], hyper[2], hyper[3], hyper[4]
    m, v = state[0], state[1]
    # m/c1 / (sqrt(v/c2) + eps) = sqrt(c2)/c1 m / (sqrt(v) + sqrt(c2) eps), with c = 1 - beta^(t+1)
    c1, c2 = 1.0, 1.0
    if bias_correction != 0.0:
        c1 = -math.expm1((t + 1) * math.log(beta1))
        c2 = -math.expm1((t + 1) * math.log(beta2))
    lr *= math.sqrt(c2) / c1
    if eps == 0.0:
        for j in range(w.shape[0]):
            m[j] = beta1 * m[j] + (1.0 - beta1) * g[j]
            v[j] = beta2 * v[j] + (1.0 - beta2) * g[j] * g[j]
            w[j] -= lr * m[j] / math.sqrt(v[j]) if v[j] > 0.0 else 0.0
    elif eps_inside != 0.0:
        # v is in units of 2^(2 expo), and inverse is 2^-expo: eps in the same units
        for j in range(w.shape[0]):
            m[j] = beta1 * m[j] + (1.0 - beta1) * g[j]
            v[j] = beta2 * v[j] + (1.0 - beta2) * g[j] * g[j]
            w[j] -= lr * m[j] / math.sqrt(v[j] + c2 * eps * inverse[j] * inverse[j])
    else:
        for j in range(w.shape[0]):
            m[j] = beta1 * m[j] + (1.0 - beta1) * g[j]
            v[j] = beta2 * v[j] + (1.0 - beta2) * g[j] * g[j]
            w[j] -= lr * m[j] / (math.sqrt(v[j]) + math.sqrt(c2) * eps * inverse[j])


@kernel
def advance(
    rows, frozen, columns, has_zeros, loss, order, seed, batch, per_epoch, first, count,
    w, state, degrees, hyper, eta, table, which, alive, expo, inverse, span, period, forget,
):  # fmt: skip
    drive(
        step, COORDINATE, rows, frozen, columns, has_zeros, loss, order, seed, batch, per_epoch, first, count,
        w, state, degrees, hyper, eta, table, which, alive, expo, inverse, span, period, forget,
    )  # fmt: skip


@dataclass(frozen=True)
class Adam(Optimizer):
    """Adam.

    m = beta1 m + (1 - beta1) g
    v = beta2 v + (1 - beta2) g^2
    w = w - lr m^ / (sqrt(v^) + eps),  or  lr m^ / sqrt(v^ + eps) with eps_inside

    with m^ = m and v^ = v, or, with bias_correction, m^ = m / (1 - beta1^t) and v^ = v / (1 - beta2^t), t = 1, 2, ...
    A coordinate that has never seen a gradient stays put (0/0 = 0).

    Arguments
        beta1, beta2      decay rates in [0, 1)
        eps               >= 0; 0, the default, is the setting of the theory: the iterates then depend on gradients only
                          up to a positive factor
        bias_correction   off in the theory
        eps_inside        whether eps stands under the root

    Errors: ``InputError`` listing every hyper-parameter out of range.

    >>> Adam(beta2=0.95)
    Adam(beta1=0.9, beta2=0.95, eps=0.0, bias_correction=False, eps_inside=False)

    Source: arXiv 1412.6980, Algorithm 1; its limits on separable data: arXiv 2406.10650 (full batch) and
    2510.26303 (per sample).
    """

    beta1: float = decay(0.9)
    beta2: float = decay(0.999)
    eps: float = nonnegative(0.0)
    bias_correction: bool = False
    eps_inside: bool = False

    name: ClassVar[str] = "adam"
    mode: ClassVar[int] = COORDINATE
    degrees: ClassVar[tuple[int, ...]] = (1, 2)
    advance: ClassVar = staticmethod(advance)

    def decays(self) -> tuple[float, ...]:
        return self.beta1, self.beta2

    @property
    def label(self) -> str:
        extra = f", eps={self.eps:g}" if self.eps else ""
        return f"Adam({self.beta1:g}, {self.beta2:g}{extra}{', bias-corrected' if self.bias_correction else ''})"

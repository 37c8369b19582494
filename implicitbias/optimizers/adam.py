"""Adam (Kingma and Ba, arXiv 1412.6980)."""

import math
from dataclasses import dataclass
from typing import ClassVar

from implicitbias.jit import inlined, kernel
from implicitbias.optimizers.base import Optimizer, decay, nonnegative
from implicitbias.simulation.driver import COORDINATE, drive
from implicitbias.simulation.tail import mean_loss, pow2


@inlined
def adam_step(w, g, state, beta1, beta2, eps, bias_correction, eps_inside, lr, t, inverse):
    """w -= lr m^ / (sqrt(v^) + eps) in place, m and v updated first; AdamW shares it."""
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


@inlined
def step(w, g, squares, z, f, q, size, loss, state, hyper, lr, t, expo, inverse):
    adam_step(w, g, state, hyper[0], hyper[1], hyper[2], hyper[3], hyper[4], lr, t, inverse)


@inlined
def step_with_kappa(w, g, squares, z, f, q, size, loss, state, hyper, lr, t, expo, inverse):
    beta1, beta2, eps, bias_correction, eps_inside, kappa = hyper[0], hyper[1], hyper[2], hyper[3], hyper[4], hyper[5]
    m, v = state[0], state[1]
    c1, c2 = 1.0, 1.0
    if bias_correction != 0.0:
        c1 = -math.expm1((t + 1) * math.log(beta1))
        c2 = -math.expm1((t + 1) * math.log(beta2))
    lr *= math.sqrt(c2) / c1
    total, high = mean_loss(z, f, q, size, loss)
    inside = c2 * eps if eps_inside != 0.0 else 0.0
    outside = math.sqrt(c2) * eps if eps_inside == 0.0 else 0.0
    total *= math.sqrt(c2) * kappa
    for j in range(w.shape[0]):
        m[j] = beta1 * m[j] + (1.0 - beta1) * g[j]
        v[j] = beta2 * v[j] + (1.0 - beta2) * g[j] * g[j]
        if m[j] != 0.0:
            # eps = 0 apart: inverse may be inf
            root = math.sqrt(v[j] + inside * inverse[j] * inverse[j]) if inside > 0.0 else math.sqrt(v[j])
            root += total * pow2(high - expo[j])
            w[j] -= lr * m[j] / (root + outside * inverse[j] if outside > 0.0 else root)


@kernel
def advance(
    rows, frozen, columns, has_zeros, loss, order, seed, batch, per_epoch, first, count,
    w, state, degrees, hyper, eta, table, which, alive, expo, inverse, span, period, forget,
):  # fmt: skip
    drive(
        step, COORDINATE, rows, frozen, columns, has_zeros, loss, order, seed, batch, per_epoch, first, count,
        w, state, degrees, hyper, eta, table, which, alive, expo, inverse, span, period, forget,
    )  # fmt: skip


@kernel
def advance_with_kappa(
    rows, frozen, columns, has_zeros, loss, order, seed, batch, per_epoch, first, count,
    w, state, degrees, hyper, eta, table, which, alive, expo, inverse, span, period, forget,
):  # fmt: skip
    drive(
        step_with_kappa, COORDINATE, rows, frozen, columns, has_zeros, loss, order, seed, batch, per_epoch, first,
        count, w, state, degrees, hyper, eta, table, which, alive, expo, inverse, span, period, forget,
    )  # fmt: skip


@dataclass(frozen=True)
class Adam(Optimizer):
    """Adam.

    m = beta1 m + (1 - beta1) g
    v = beta2 v + (1 - beta2) g^2
    w = w - lr m^ / (sqrt(v^) + eps),  or  lr m^ / sqrt(v^ + eps) with eps_inside

    with m^ = m and v^ = v, or, with bias_correction, m^ = m / (1 - beta1^t) and v^ = v / (1 - beta2^t), t = 1, 2, ...
    With kappa > 0, kappa L(w) is added to the denominator, beside the eps, with L the mean loss of the batch at w.
    A coordinate that has never seen a gradient stays put (0/0 = 0).

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

    Source: arXiv 1412.6980, Algorithm 1; its limits on separable data: arXiv 2406.10650 (full batch) and
    2510.26303 (per sample); with kappa: `limits.special.kappa_direction`.
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
    def advance(self):
        # Apart: the loss costs a tenth of a step, even where it is compiled in and not used.
        return advance_with_kappa if self.kappa > 0.0 else advance

    def decays(self) -> tuple[float, ...]:
        return self.beta1, self.beta2

    @property
    def label(self) -> str:
        extra = f", eps={self.eps:g}" if self.eps else ""
        extra += f", kappa={self.kappa:g}" if self.kappa else ""
        return f"Adam({self.beta1:g}, {self.beta2:g}{extra}{', bias-corrected' if self.bias_correction else ''})"

"""AdaGrad, diagonal (Duchi, Hazan, Singer, JMLR 12, 2011)."""

import math
from dataclasses import dataclass
from typing import ClassVar

from implicitbias.jit import inlined, kernel
from implicitbias.optimizers.base import Optimizer, nonnegative
from implicitbias.simulation.driver import COORDINATE, drive


@inlined
def step(w, g, squares, z, f, q, size, loss, state, hyper, lr, t, expo, inverse):
    eps = hyper[0]
    total = state[0]
    for j in range(w.shape[0]):
        total[j] += g[j] * g[j]
        if g[j] != 0.0 and total[j] > 0.0:
            # the sum is in units of 2^(2 expo), and inverse is 2^-expo: eps in the same units
            w[j] -= lr * g[j] / (math.sqrt(total[j]) + (eps * inverse[j] if eps > 0.0 else 0.0))


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
class AdaGrad(Optimizer):
    """AdaGrad with one step size a coordinate.

    V = V + g^2;  w = w - lr g / (sqrt(V) + eps),  0/0 = 0

    V never shrinks, so its first, large gradients decide it: the preconditioner freezes, and AdaGrad ends as gradient
    descent in the geometry it has frozen to. It starts at the scale of its own first gradient, however light that is.

    Arguments
        eps   >= 0

    Errors: ``InputError`` when eps is out of range.

    >>> AdaGrad().label
    'AdaGrad'

    Source: JMLR 12 (2011) 2121-2159, figure 1; its limit, read off a run: arXiv 1906.03559
    (`limits.special.adagrad_direction`).
    """

    eps: float = nonnegative(0.0)

    name: ClassVar[str] = "adagrad"
    mode: ClassVar[int] = COORDINATE
    degrees: ClassVar[tuple[int, ...]] = (2,)
    advance: ClassVar = staticmethod(advance)

    def decays(self) -> tuple[float, ...]:
        return (1.0,)

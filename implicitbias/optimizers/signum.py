"""Signum and SignSGD (Bernstein, Wang, Azizzadenesheli, Anandkumar, arXiv 1802.04434)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from implicitbias.jit import inlined, kernel
from implicitbias.optimizers.base import Optimizer, decay
from implicitbias.simulation.driver import COORDINATE, drive


@inlined
def step(w, g, squares, z, f, q, size, loss, state, hyper, lr, t, expo, inverse):
    beta = hyper[0]
    m = state[0]
    for j in range(w.shape[0]):
        m[j] = beta * m[j] + (1.0 - beta) * g[j]
        w[j] -= lr * np.sign(m[j])


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
class Signum(Optimizer):
    """Sign descent with momentum; SignSGD at beta = 0.

    m = beta m + (1 - beta) g;  w = w - lr sign(m),  sign(0) = 0

    Arguments
        beta   decay rate of the momentum, in [0, 1)

    Errors: ``InputError`` when beta is out of range.

    >>> Signum(beta=0.95).label
    'Signum(beta=0.95)'

    Source: arXiv 1802.04434, Algorithm 2; full batch it is steepest descent in l_inf, 1802.08246.
    """

    beta: float = decay(0.9)

    name: ClassVar[str] = "signum"
    mode: ClassVar[int] = COORDINATE
    degrees: ClassVar[tuple[int, ...]] = (1,)
    advance: ClassVar = staticmethod(advance)

    def decays(self) -> tuple[float, ...]:
        return (self.beta,)

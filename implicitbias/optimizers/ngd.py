"""Normalised gradient descent."""

import math
from dataclasses import dataclass
from typing import ClassVar

from implicitbias.jit import inlined, kernel
from implicitbias.optimizers.base import Optimizer
from implicitbias.simulation.driver import BATCH, drive


@inlined
def step(w, g, squares, z, f, q, size, loss, state, hyper, lr, t, expo, inverse):
    square = 0.0
    for j in range(w.shape[0]):
        square += g[j] * g[j]
    if square > 0.0:
        scale = lr / math.sqrt(square)
        for j in range(w.shape[0]):
            w[j] -= scale * g[j]


@kernel
def advance(
    rows, frozen, columns, has_zeros, loss, order, seed, batch, per_epoch, first, count,
    w, state, degrees, hyper, eta, table, which, alive, expo, inverse, span, period, forget,
):  # fmt: skip
    drive(
        step, BATCH, rows, frozen, columns, has_zeros, loss, order, seed, batch, per_epoch, first, count,
        w, state, degrees, hyper, eta, table, which, alive, expo, inverse, span, period, forget,
    )  # fmt: skip


@dataclass(frozen=True)
class NGD(Optimizer):
    """Normalised (stochastic) gradient descent.

    w = w - lr g / ||g||_2,  0/0 = 0

    >>> NGD()
    NGD()

    Source: full batch goes to the l2 max-margin direction at rate 1/t, arXiv 1907.03215.
    """

    name: ClassVar[str] = "ngd"
    mode: ClassVar[int] = BATCH
    degrees: ClassVar[tuple[int, ...]] = ()
    advance: ClassVar = staticmethod(advance)

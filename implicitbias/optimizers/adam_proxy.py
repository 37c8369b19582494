"""AdamProxy: the model of per-sample Adam for beta2 -> 1 (Baek, Song, Yun, arXiv 2510.26303)."""

import math
from dataclasses import dataclass
from typing import ClassVar

from implicitbias.jit import inlined, kernel
from implicitbias.optimizers.base import Optimizer
from implicitbias.simulation.driver import SAMPLES, drive


@inlined
def step(w, g, squares, z, f, q, size, loss, state, hyper, lr, t, expo, inverse):
    for j in range(w.shape[0]):
        if squares[j] > 0.0:
            w[j] -= lr * g[j] / math.sqrt(squares[j])


@kernel
def advance(
    rows, frozen, columns, has_zeros, loss, order, seed, batch, per_epoch, first, count,
    w, state, degrees, hyper, eta, table, which, alive, expo, inverse, span, period, forget,
):  # fmt: skip
    drive(
        step, SAMPLES, rows, frozen, columns, has_zeros, loss, order, seed, batch, per_epoch, first, count,
        w, state, degrees, hyper, eta, table, which, alive, expo, inverse, span, period, forget,
    )  # fmt: skip


@dataclass(frozen=True)
class AdamProxy(Optimizer):
    """AdamProxy, the slow-memory model of Adam that visits one row at a time.

    w = w - lr g / sqrt(sum_i g_i^2),  0/0 = 0

    with g the mean and g_i the single gradients of the rows of the batch. In the theory the batch is all rows (order
    "full"); at b = 1 it is sign descent.

    >>> AdamProxy()
    AdamProxy()

    Source: arXiv 2510.26303, where its limit is the rest point of S/sqrt(Q).
    """

    name: ClassVar[str] = "adam_proxy"
    mode: ClassVar[int] = SAMPLES
    degrees: ClassVar[tuple[int, ...]] = ()
    advance: ClassVar = staticmethod(advance)

"""AdamProxy: the model of per-sample Adam for beta2 -> 1 (Baek, Song, Yun, arXiv 2510.26303)."""

from dataclasses import dataclass
from typing import ClassVar

from implicitbias.jit import inlined
from implicitbias.lanes import fma, load, rsqrt, select, store
from implicitbias.optimizers.base import Optimizer
from implicitbias.simulation.scales import SAMPLES


@inlined
def step(w, g, state, hyper, lr, bias, units, batch):
    share = lr / float(batch.size)  # g is a mean, and so are the squares: sum_i (g_i / size)^2
    for c in range(g.shape[0]):
        square = load(batch.squares, c)
        ratio = select(square == 0.0, 0.0, load(g, c) * rsqrt(square))
        store(w, c, fma(-share, ratio, load(w, c)))


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
    step: ClassVar = staticmethod(step)

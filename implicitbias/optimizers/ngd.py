"""Normalised gradient descent."""

from dataclasses import dataclass
from typing import ClassVar

from implicitbias.jit import inlined, kernel
from implicitbias.lanes import fma, load, select, sqrt, store
from implicitbias.optimizers.base import Optimizer
from implicitbias.simulation.driver import drive
from implicitbias.simulation.scales import BATCH, moderate


@inlined
def step(w, g, state, hyper, lr, bias, units, batch):
    square, (rate, back) = batch.squared, moderate(lr)
    scale = select(square == 0.0, 0.0, rate / sqrt(square))
    for c in range(g.shape[0]):
        store(w, c, fma(-scale, load(g, c) * back, load(w, c)))


@kernel
def advance(data, runs, table, bias, slots, first):
    drive(step, BATCH, data, runs, table, bias, slots, first)


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
    linear: ClassVar[bool] = True
    degrees: ClassVar[tuple[int, ...]] = ()
    step: ClassVar = staticmethod(step)
    advance: ClassVar = staticmethod(advance)

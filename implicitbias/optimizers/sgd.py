"""Gradient descent, stochastic gradient descent, heavy-ball and Nesterov momentum."""

from dataclasses import dataclass
from typing import ClassVar

from implicitbias.jit import inlined, kernel
from implicitbias.lanes import fma, load, mix, select, store
from implicitbias.optimizers.base import Optimizer, decay
from implicitbias.simulation.driver import drive
from implicitbias.simulation.scales import COORDINATE, TRUE, in_units, moderate
from implicitbias.simulation.tail import mean_losses


@inlined
def step(w, g, state, hyper, lr, bias, units, batch):
    m, momentum, nesterov = state[0], load(hyper, 0), load(hyper, 1)
    # eta g + eta nesterov momentum m, or eta m
    now, later = lr * nesterov, lr * mix(nesterov, momentum, 1.0)
    for c in range(g.shape[0]):
        gradient = load(g, c)
        velocity = fma(momentum, load(m, c), gradient)
        store(m, c, velocity)
        store(w, c, load(w, c) - fma(now, gradient, later * velocity))


@inlined
def step_over_loss(w, g, state, hyper, lr, bias, units, batch):
    m = state[0]
    loss, high = mean_losses(batch.z, batch.f, batch.q, batch.size, batch.wide, batch.loss, batch.room)
    rate, back = moderate(lr)
    for c in range(g.shape[0]):
        gradient = load(g, c)
        store(m, c, gradient)
        ratio = rate * gradient / in_units(loss, units, c, 1, high)
        store(w, c, load(w, c) - select(gradient == 0.0, 0.0, ratio * back))


@kernel
def advance(data, runs, table, bias, slots, first):
    drive(step, TRUE, data, runs, table, bias, slots, first)


@dataclass(frozen=True)
class SGD(Optimizer):
    """(Stochastic) gradient descent; with batch order `full` it is gradient descent.

    m = momentum m + g;  w = w - lr m,  or, with nesterov,  w = w - lr (g + momentum m)

    Arguments
        momentum   in [0, 1); 0 is plain gradient descent
        nesterov   look-ahead form

    Errors: ``InputError`` listing every hyper-parameter out of range.

    >>> SGD(momentum=0.9).label
    'SGD(momentum=0.9)'

    Source: goes to the l2 max-margin direction, arXiv 1710.10345 (full batch) and 1806.01796 (stochastic).
    """

    momentum: float = decay(0.0)
    nesterov: bool = False

    name: ClassVar[str] = "sgd"
    mode: ClassVar[int] = TRUE
    linear: ClassVar[bool] = True
    degrees: ClassVar[tuple[int, ...]] = (1,)
    step: ClassVar = staticmethod(step)
    advance: ClassVar = staticmethod(advance)

    def decays(self) -> tuple[float, ...]:
        return (self.momentum,)

    def under(self, schedule):
        plain = self.momentum == 0.0 and not self.nesterov
        return SGDOverLoss() if plain and schedule is not None and schedule.over_loss else super().under(schedule)


@dataclass(frozen=True)
class SGDOverLoss(Optimizer):
    """w = w - lr g / L with L the mean loss of the batch: SGD() under a `LossAdaptive` schedule."""

    name: ClassVar[str] = "sgd_over_loss"
    mode: ClassVar[int] = COORDINATE
    degrees: ClassVar[tuple[int, ...]] = (1,)
    step: ClassVar = staticmethod(step_over_loss)
    sees_loss: ClassVar[bool] = True

    def decays(self) -> tuple[float, ...]:
        return (0.0,)

    @property
    def label(self) -> str:
        return "SGD over the loss"

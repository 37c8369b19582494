"""Gradient descent, stochastic gradient descent, heavy-ball and Nesterov momentum."""

from dataclasses import dataclass
from typing import ClassVar

from implicitbias.jit import inlined, kernel
from implicitbias.optimizers.base import Optimizer, decay
from implicitbias.simulation.driver import TRUE, drive


@inlined
def step(w, g, squares, z, f, q, size, loss, state, hyper, lr, t, expo, inverse):
    momentum, nesterov = hyper[0], hyper[1]
    m = state[0]
    if nesterov != 0.0:
        for j in range(w.shape[0]):
            m[j] = momentum * m[j] + g[j]
            w[j] -= lr * (g[j] + momentum * m[j])
    else:
        for j in range(w.shape[0]):
            m[j] = momentum * m[j] + g[j]
            w[j] -= lr * m[j]


@kernel
def advance(
    rows, frozen, columns, has_zeros, loss, order, seed, batch, per_epoch, first, count,
    w, state, degrees, hyper, eta, table, which, alive, expo, inverse, span, period, forget,
):  # fmt: skip
    drive(
        step, TRUE, rows, frozen, columns, has_zeros, loss, order, seed, batch, per_epoch, first, count,
        w, state, degrees, hyper, eta, table, which, alive, expo, inverse, span, period, forget,
    )  # fmt: skip


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
    degrees: ClassVar[tuple[int, ...]] = (1,)
    advance: ClassVar = staticmethod(advance)

    def decays(self) -> tuple[float, ...]:
        return (self.momentum,)

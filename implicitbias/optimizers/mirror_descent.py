"""Mirror descent with the potential ||w||_p^p / p (Sun, Ahn, Thrampoulidis, Azizan, arXiv 2205.12808)."""

import math
from dataclasses import dataclass, field
from typing import ClassVar

from implicitbias.jit import helper, inlined
from implicitbias.lanes import LANES, load, store
from implicitbias.optimizers.base import Optimizer
from implicitbias.simulation.scales import TRUE


@inlined
def step(w, g, state, hyper, lr, bias, units, batch):
    dual = state[0]
    if batch.t == 0:
        powers(w, dual, hyper, False)
    for c in range(g.shape[0]):
        store(dual, c, load(dual, c) - lr * load(g, c))
    powers(dual, w, hyper, True)


@helper
def powers(x, y, hyper, inverse):
    """y = sign(x) |x|^(p - 1), or its inverse."""
    for c in range(x.shape[0]):
        for k in range(LANES):
            exponent = hyper[0, k] - 1.0
            exponent = 1.0 / exponent if inverse else exponent
            y[c, k] = math.copysign(abs(x[c, k]) ** exponent, x[c, k])


@dataclass(frozen=True)
class MirrorDescent(Optimizer):
    """p-GD: mirror descent with the potential ||w||_p^p / p.

    theta = sign(w) |w|^(p-1);  theta = theta - lr g;  w = sign(theta) |theta|^(1/(p-1))

    p = 2 is gradient descent. It goes to the l_p max-margin direction, like 1 / log t.

    Arguments
        p   > 1 and finite

    Errors: ``InputError`` when p is out of range.

    >>> MirrorDescent(p=1.5).label
    'MirrorDescent(p=1.5)'

    Source: arXiv 2205.12808, Algorithm 1 and Theorem 11.
    """

    p: float = field(default=3.0, metadata={"valid": lambda x: 1 < x < math.inf, "range": "above 1 and finite"})

    name: ClassVar[str] = "mirror_descent"
    mode: ClassVar[int] = TRUE
    forgets: ClassVar[bool] = False
    moves: ClassVar[bool] = False
    degrees: ClassVar[tuple[int, ...]] = (0,)
    step: ClassVar = staticmethod(step)

    def decays(self) -> tuple[float, ...]:
        return (1.0,)

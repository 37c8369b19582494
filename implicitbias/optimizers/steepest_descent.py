"""Steepest descent in an l_p norm (Gunasekar, Lee, Soudry, Srebro, arXiv 1802.08246)."""

import math
from dataclasses import dataclass, field
from typing import ClassVar

from implicitbias.jit import helper, inlined
from implicitbias.lanes import LANES, load, store
from implicitbias.optimizers.base import Optimizer
from implicitbias.optimizers.parts import times_sign
from implicitbias.simulation.scales import BATCH, COORDINATE


@inlined
def sign_step(w, g, state, hyper, lr, bias, units, batch):
    for c in range(g.shape[0]):
        store(w, c, load(w, c) - times_sign(lr, load(g, c)))


@inlined
def step(w, g, state, hyper, lr, bias, units, batch):
    steepest(g, hyper, batch.wide)
    for c in range(g.shape[0]):
        store(w, c, load(w, c) - lr * load(g, c))


@helper
def steepest(g, hyper, wide):
    """g becomes argmax { g.u : ||u||_p <= 1 }, run by run."""
    for lane in range(LANES if wide else 1):
        p = hyper[0, lane]
        top, at, chunk = 0.0, -1, -1
        for c in range(g.shape[0]):
            for k in range(lane if wide else 0, (lane + 1) if wide else LANES):
                if abs(g[c, k]) > top or g[c, k] != g[c, k]:
                    top, chunk, at = abs(g[c, k]), c, k
        if not top > 0.0:
            continue  # there is no gradient, or it is NaN
        total = 0.0
        if p > 1.0:
            q = p / (p - 1.0)
            for c in range(g.shape[0]):
                for k in range(lane if wide else 0, (lane + 1) if wide else LANES):
                    total += (abs(g[c, k]) / top) ** q
            total **= 1.0 / p
        for c in range(g.shape[0]):
            for k in range(lane if wide else 0, (lane + 1) if wide else LANES):
                x = abs(g[c, k]) / top
                if p > 1.0:
                    x = x ** (1.0 / (p - 1.0)) / total
                else:  # one coordinate alone, the first of the largest
                    x = 1.0 if c == chunk and k == at else 0.0
                g[c, k] = math.copysign(x, g[c, k])


@dataclass(frozen=True)
class SteepestDescent(Optimizer):
    """Normalised steepest descent in l_p: a step of length lr in that norm.

    w = w - lr u,  u = argmax { g.u : ||u||_p <= 1 },  that is  u_j = sign(g_j) |g_j|^(q-1) / ||g||_q^(q-1)

    with 1/p + 1/q = 1. p = 2 is normalised gradient descent, p = 1 greedy coordinate descent (of several largest
    |g_j| the first), p = inf sign descent. Full batch it goes to the l_p max-margin direction.

    Arguments
        p   in [1, inf]

    Errors: ``InputError`` when p is out of range.

    >>> SteepestDescent(p=3.0).label
    'SteepestDescent(p=3)'

    Source: arXiv 1802.08246, section 3 (Theorem 5).
    """

    p: float = field(default=math.inf, metadata={"valid": lambda x: x >= 1, "range": "at least 1"})

    name: ClassVar[str] = "steepest_descent"
    mode: ClassVar[int] = BATCH
    degrees: ClassVar[tuple[int, ...]] = (1,)  # nothing is kept, and the units may be those of each batch

    @property
    def step(self):
        return sign_step if self.p == math.inf else step

    @property
    def step_mode(self):
        # Signs need no common unit: a coordinate that light samples alone see has one, too.
        return COORDINATE if self.p == math.inf else BATCH

    def decays(self) -> tuple[float, ...]:
        return (0.0,)

"""Momentum in the dual (Ji, Srebro, Telgarsky, arXiv 2107.00595)."""

from dataclasses import dataclass
from typing import ClassVar

from implicitbias.jit import helper, inlined
from implicitbias.lanes import LANES, line_of, load, store
from implicitbias.optimizers.base import Optimizer
from implicitbias.simulation.scales import BATCH
from implicitbias.simulation.tail import pow2


@inlined
def step(w, g, state, hyper, lr, bias, units, batch):
    momentum = state[0]
    share = batch.size / weight_of(line_of(batch.f), line_of(batch.q), batch.size, batch.wide, batch.room)
    keep = batch.t / (batch.t + 1.0)
    for c in range(g.shape[0]):
        gradient = share * load(g, c)
        velocity = keep * (load(momentum, c) + gradient)
        store(momentum, c, velocity)
        store(w, c, load(w, c) - lr * (velocity + gradient))


@helper
def weight_of(f, q, size, wide, room):
    """The sum of the weights f 2^q of each run, in units of its largest 2^q, which are those of the gradient."""
    for lane in range(LANES):
        first, stride = (lane, LANES) if wide else (0, 1)
        high, total = q[first], 0.0
        for k in range(size):
            high = max(high, q[first + k * stride])
        for k in range(size):
            total += f[first + k * stride] * pow2(q[first + k * stride] - high)
        room[0, lane] = total
    return load(room, 0)


@dataclass(frozen=True)
class DualAccelerated(Optimizer):
    """Dual-accelerated momentum: Nesterov's method for the weights of the samples.

    q_i = s_i / sum s  (the softmin of the margins, for the exponential loss),  t = 0, 1, ...
    h = t / (t + 1) (h + A'q)
    w = w + lr (h + A'q)

    The margin gap falls like t^-2 up to logarithms, where that of normalised gradient descent falls like 1/t. Of a
    batch, A and q are its rows and their weights; the theory has all rows, lr = 1 and rows of length at most 1.

    >>> DualAccelerated().label
    'DualAccelerated'

    Source: arXiv 2107.00595, Algorithm 1 and Theorem 3.1.
    """

    name: ClassVar[str] = "dual_accelerated"
    sees_samples: ClassVar[bool] = True
    mode: ClassVar[int] = BATCH
    forgets: ClassVar[bool] = False
    degrees: ClassVar[tuple[int, ...]] = (0,)
    step: ClassVar = staticmethod(step)

    def decays(self) -> tuple[float, ...]:
        return (1.0,)

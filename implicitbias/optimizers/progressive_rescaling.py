"""Progressive rescaling gradient descent (Wang, Min, Wu, arXiv 2311.14387)."""

import math
from dataclasses import dataclass, field
from typing import ClassVar

from implicitbias.jit import inlined
from implicitbias.lanes import floor, load, select, store
from implicitbias.optimizers.base import Optimizer
from implicitbias.optimizers.parts import length_of
from implicitbias.simulation.scales import BATCH


@inlined
def step(w, g, state, hyper, lr, bias, units, batch):
    stage, growth = load(hyper, 0), load(hyper, 1)
    # the gradient is that at w, and a longer w comes before the next one
    size = length_of(g, batch.wide)
    rate = select(size > 0.0, lr / size, 0.0)
    done = (batch.t + 1.0) / stage
    factor = select(done == floor(done), growth, 1.0)
    for c in range(g.shape[0]):
        store(w, c, factor * (load(w, c) - rate * load(g, c)))


def is_count(x) -> bool:
    return 1 <= x < 2**53 and x == int(x)


@dataclass(frozen=True)
class ProgressiveRescaling(Optimizer):
    """Progressive rescaling: normalised gradient descent whose iterate is stretched after every stage.

    w = w - lr g / ||g||_2,  and after every `stage` steps  w = growth w

    Stretching takes w to where the direction of the gradient is nearer to the l2 max-margin direction. The margin gap
    falls by `growth` a stage, exponentially in t, where that of normalised gradient descent falls like 1/t; as long as
    the steps of a stage can still turn the longer w. If they cannot (a stage too short for its growth), or where w has
    a part outside the span of the support vectors, which is stretched for ever, the direction freezes short of it.

    Arguments
        stage    steps between two rescalings, a positive integer
        growth   >= 1; 1 is normalised gradient descent

    Errors: ``InputError`` listing every hyper-parameter out of range.

    >>> ProgressiveRescaling(stage=5).label
    'ProgressiveRescaling(stage=5)'

    Source: arXiv 2311.14387, Algorithm 2, with radii in geometric progression.
    """

    stage: float = field(default=10.0, metadata={"valid": is_count, "range": "an integer >= 1"})
    growth: float = field(default=1.2, metadata={"valid": lambda x: 1 <= x < math.inf, "range": ">= 1 and finite"})

    name: ClassVar[str] = "progressive_rescaling"
    mode: ClassVar[int] = BATCH
    moves: ClassVar[bool] = False
    degrees: ClassVar[tuple[int, ...]] = ()
    step: ClassVar = staticmethod(step)

"""AdaGrad far beyond its updates: the flow of the preconditioner that these have left."""

import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from implicitbias.flows.base import Beginning
from implicitbias.flows.gradient import GradientFlow
from implicitbias.optimizers import AdaGrad
from implicitbias.optimizers.base import nonnegative

MOST = 1e9  # updates, of which the kernel makes ten million a second


def _positive(default: float):
    valid = {"valid": lambda x: 0 < x < math.inf, "range": "> 0 and finite"}
    return field(default=default, metadata=valid)


def _count(default: float):
    valid = {"valid": lambda x: 1 <= x <= MOST and x == int(x), "range": f"a whole number from 1 to {MOST:g}"}
    return field(default=default, metadata=valid)


@dataclass(frozen=True)
class AdaGradFlow(GradientFlow):
    """AdaGrad with a preconditioner that is frozen after some updates, followed on to any time.

    full-batch AdaGrad with step size eta up to t = updates; from there on, with its V,
    dw/dt = -eta grad L(w) / (sqrt(V) + eps),  or  -eta grad L(w) / sqrt(V + eps) with eps_inside

    t counts updates, and the snapshots begin where V freezes. The sum V of the squared gradients has a limit, as these
    fall like 1/t: frozen at t it lacks a part of the order 1/t, so `updates` decides to how many digits the direction
    is that of AdaGrad. Its updates end as this flow, and get no nearer to their limit than 1/log t. In the coordinates
    w_j (sqrt(V_j) + eps)^(1/2) it is the gradient flow.

    Arguments
        eps          >= 0
        eps_inside   whether eps stands under the root, as in arXiv 1906.03559
        eta          > 0, the step size
        updates      a whole number from 1 to 1e9; `timeout` does not cut them short

    Errors: ``InputError`` listing every hyper-parameter out of range; in a run, where V does not fit float64.

    >>> import implicitbias as ib
    >>> run = ib.simulate([[2.0, 1.0], [1.0, -1.0]], ib.AdaGradFlow(eta=0.5, updates=1000), time=1e100)
    >>> bool(run.curve["inc_cos_limit"].iloc[-1] > 1.0 - 1e-9)
    True

    Source: arXiv 1906.03559, Theorem 3.1: its limit has the largest margin among all w with the same
    sum_j (sqrt(V_j) + eps) w_j^2.
    """

    eps: float = nonnegative(0.0)
    eps_inside: bool = False
    eta: float = _positive(0.1)
    updates: float = _count(100_000.0)

    name: ClassVar[str] = "adagrad_flow"
    transient: ClassVar[bool] = True

    @property
    def earliest(self) -> float:
        return self.updates

    @property
    def discrete(self) -> AdaGrad:
        """What makes the updates."""
        return AdaGrad(self.eps, self.eps_inside)

    def begin(self, problem, start, loss):
        from implicitbias.limits.frozen import roots
        from implicitbias.simulation.simulate import simulate  # which knows of flows

        run = simulate(
            problem, self.discrete, lr=self.eta, order="full", steps=int(self.updates), loss=loss, initial=start,
            per_octave=1,
        )  # fmt: skip
        scale = np.sqrt(self.eta / roots(problem, self.discrete, run.state))
        return Beginning(self.updates, run.weights[-1], scale, run.state)

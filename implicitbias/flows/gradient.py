"""Gradient flow: gradient descent with steps of length zero."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from implicitbias.flows.base import Flow


@dataclass(frozen=True)
class GradientFlow(Flow):
    """Gradient flow, the small-step limit of gradient descent.

    dw/dt = -grad L(w) = (1/n) sum_i s_i a_i

    Gradient descent with step size lr is near w(t) at t = lr * steps.

    >>> import implicitbias as ib
    >>> run = ib.simulate([[2.0, 1.0], [1.0, -1.0]], ib.GradientFlow(), time=1e100)
    >>> run.status, float(run.sum_lr[-1]), run.weights[-1].round(4)
    ('ok', 1e+100, array([154.0463, -76.33  ]))

    Source: goes to the l2 max-margin direction, arXiv 1710.10345.
    """

    name: ClassVar[str] = "gradient_flow"
    degree: ClassVar[int] = 1
    rotates: ClassVar[bool] = True
    longest: ClassVar[float] = 1e300

    def velocity(self, rows, logs):
        return np.exp(logs) @ rows / len(rows)

    def slope(self, rows, logs):
        return np.exp(logs)[:, None] * rows / len(rows)

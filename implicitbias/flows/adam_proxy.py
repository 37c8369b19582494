"""The flow of AdamProxy."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from implicitbias.flows.base import Flow


@dataclass(frozen=True)
class AdamProxyFlow(Flow):
    """The small-step limit of AdamProxy on the full batch.

    dw/dt = -g / sqrt(sum_i g_i^2),  0/0 = 0

    with g the mean of the gradients g_i of single rows. It does not depend on the size of the gradients: ||w|| grows
    like t, and t plays the role that log t has for the gradient flow.

    >>> import implicitbias as ib
    >>> run = ib.simulate([[1.0, 0.1], [0.1, 2.0]], ib.AdamProxyFlow(), time=1000.0)
    >>> (run.weights[-1] / 1000.0).round(3)
    array([0.5  , 0.501])

    Source: arXiv 2510.26303, where its limit is the rest point of S/sqrt(Q).
    """

    name: ClassVar[str] = "adam_proxy_flow"
    degree: ClassVar[int] = 0
    longest: ClassVar[float] = 1e6  # margins grow like t, and their differences must be known to a small part of 1

    def velocity(self, rows, logs):
        from implicitbias.limits.tail_maps import contributions, proxy

        return proxy().value(_level(contributions(rows, logs))) / len(rows)

    def slope(self, rows, logs):
        from implicitbias.limits.tail_maps import contributions, proxy

        return proxy().slope(_level(contributions(rows, logs))) / len(rows)


def _level(g: np.ndarray) -> np.ndarray:
    """g (n, d) over a power of two in each column, which no ratio sees and every square needs."""
    return np.ldexp(g, -np.frexp(np.abs(g).max(axis=0))[1])

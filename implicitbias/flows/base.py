"""What a flow is: an ordinary differential equation of the weights, the small-step limit of an optimizer."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from implicitbias.optimizers.base import Optimizer


@dataclass(frozen=True)
class Flow(Optimizer):
    """dw/dt as a function of the rows a_i and the sample weights s_i = -l'(a_i.w) on all n rows.

    Subclasses are frozen dataclasses of floats, checked as those of an optimizer are.

    Errors: ``InputError`` listing every hyper-parameter of the wrong type or out of range.
    """

    degree: ClassVar[int]  # k in dw/dt(2 s) = 2^k dw/dt(s): 1 is integrated in log(1 + t), 0 in t itself
    rotates: ClassVar[bool] = False  # a rotation of the features rotates dw/dt: it stays in the row space, as it is
    longest: ClassVar[float]  # the largest t that float64 can follow

    def velocity(self, rows: np.ndarray, logs: np.ndarray) -> np.ndarray:
        """(d,) dw/dt for rows (n, d) and log s (n,)."""
        raise NotImplementedError

    def slope(self, rows: np.ndarray, logs: np.ndarray) -> np.ndarray:
        """(n, d) the derivative of (dw/dt)_j by log s_i."""
        raise NotImplementedError

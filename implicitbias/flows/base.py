"""What a flow is: an ordinary differential equation of the weights, the small-step limit of an optimizer."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from implicitbias.optimizers.base import Optimizer
from implicitbias.problems import Problem


class Beginning(NamedTuple):
    """Where and when a flow begins, and in which coordinates it is one.

    time      t
    weights   (d,) w at that t
    scale     (d,) it is the flow of w / scale on the rows a_i * scale
    state     (K, d) what else has come of the run so far
    """

    time: float
    weights: np.ndarray
    scale: np.ndarray
    state: np.ndarray


@dataclass(frozen=True)
class Flow(Optimizer):
    """dw/dt as a function of the rows a_i and the sample weights s_i = -l'(a_i.w) on all n rows.

    Subclasses are frozen dataclasses of floats, checked as those of an optimizer are.

    Errors: ``InputError`` listing every hyper-parameter of the wrong type or out of range.
    """

    degree: ClassVar[int]  # k in dw/dt(2 s) = 2^k dw/dt(s): 1 is integrated in log(1 + t), 0 in t itself
    rotates: ClassVar[bool] = False  # a rotation of the features rotates dw/dt: it stays in the row space, as it is
    longest: ClassVar[float]  # the largest t that float64 can follow

    def unfit(self, shape: tuple[int, ...]) -> str | None:
        if len(shape) > 1:
            return f"{self.label} is a flow, and flows are of data of two classes: a Problem, not a Multiclass"
        return None

    @property
    def earliest(self) -> float:
        """The t at which it begins."""
        return 0.0

    def begin(self, problem: Problem, start: np.ndarray, loss: str) -> Beginning:
        """Where a run from start (d,) begins as a flow, after what comes before."""
        return Beginning(self.earliest, start, np.ones(problem.d), np.empty((0, 0)))

    @property
    def steep(self) -> bool:
        """Whether dw/dt rises infinitely steeply somewhere, so that it is `inverse` that is smooth."""
        return False

    def velocity(self, rows: np.ndarray, logs: np.ndarray) -> np.ndarray:
        """(d,) dw/dt for rows (n, d) and log s (n,)."""
        raise NotImplementedError

    def slope(self, rows: np.ndarray, logs: np.ndarray) -> np.ndarray:
        """(n, d) the derivative of (dw/dt)_j by log s_i."""
        raise NotImplementedError

    def inverse(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
        """(d,) the g = -grad L for which dw/dt is u (d,), and its derivative diag(curve) - by bend bend': curve (d,),
        bend (d,), by. A flow that is `steep` has it; g is the gradient of a convex function of u."""
        raise NotImplementedError

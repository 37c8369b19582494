"""Step sizes eta_t, t = 0, 1, ..."""

import sys
from dataclasses import dataclass

import numpy as np

from implicitbias.errors import InputError


@dataclass(frozen=True)
class Power:
    """Power-law step size eta_t = eta (t + t0)^-a, t = 0, 1, ...

    Arguments
        eta   > 0
        a     >= 0; 0 is a constant step. The sum of the steps diverges, as the limit theorems need, for a <= 1
        t0    > 0, the offset that keeps the first steps moderate

    Errors: ``InputError`` listing every argument out of range.

    >>> Power(0.1, 0.5)(np.arange(3))
    array([0.07071068, 0.05773503, 0.05      ])
    """

    eta: float
    a: float = 0.0
    t0: float = 2.0

    def __post_init__(self) -> None:
        rules = {"eta": ("> 0", lambda x: x > 0), "a": (">= 0", lambda x: x >= 0), "t0": ("> 0", lambda x: x > 0)}
        mistakes = []
        for name, (rule, valid) in rules.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
                mistakes.append(f"{name} of the step size must be a number, not {value!r}")
            elif not (abs(value) <= sys.float_info.max and valid(value)):  # np.isfinite raises for 10^400
                mistakes.append(f"{name} of the step size must be finite and {rule}, but is {value!r}")
            else:
                object.__setattr__(self, name, float(value))
        if mistakes:
            raise InputError(mistakes)

    def __call__(self, t: np.ndarray) -> np.ndarray:
        return self.eta * self.shape(t)

    def shape(self, t: np.ndarray) -> np.ndarray:
        """The step size without its factor eta: runs that differ in eta alone share it."""
        return np.ones(len(t)) if self.a == 0.0 else (np.asarray(t) + self.t0) ** -self.a

    @property
    def label(self) -> str:
        return f"{self.eta:g}" if self.a == 0.0 else f"{self.eta:g} (t+{self.t0:g})^-{self.a:g}"


def as_schedule(lr) -> Power:
    """A number is a constant step size; a schedule passes through."""
    if isinstance(lr, (str, list, tuple, dict)):
        raise InputError(f"a step size must be a number, or Power(eta, a), in a study {{ eta, a, t0 }}; not {lr!r}")
    return lr if isinstance(lr, Power) else Power(lr)

"""What every schedule of step sizes is: numbers with their rules, and a shape."""

import sys
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar

import numpy as np

from implicitbias.errors import InputError
from implicitbias.integers import whole

POSITIVE, NONNEGATIVE = ("> 0", lambda x: x > 0), (">= 0", lambda x: x >= 0)
# What the numbers of all schedules must be, by their names; those of COUNTS are integers.
RULES = {
    "eta": POSITIVE, "a": NONNEGATIVE, "t0": POSITIVE, "final": ("from 0 to 1", lambda x: 0 <= x <= 1),
    "seed": ("from 0 to 2^63 - 1", lambda x: 0 <= x < 2**63),
    "steps": (">= 1", lambda x: x >= 1), "warmup": NONNEGATIVE, "decay": (">= 1", lambda x: x >= 1),
}  # fmt: skip
COUNTS = ("seed", "steps", "warmup", "decay")


def six_digits(value: float) -> str:
    return f"{value:g}"


@dataclass(frozen=True)
class Schedule:
    """Step sizes eta_t = eta shape(t), t = 0, 1, ...; subclasses are frozen dataclasses of numbers, named in RULES.

    Errors: ``InputError`` listing every argument out of range.
    """

    eta: float

    name: ClassVar[str]  # of its kind, in a study file
    example: ClassVar[dict[str, Any]]
    remedy: ClassVar[str]  # what would be right where a step size is not
    factors: ClassVar[tuple[float, ...]] = (1.0,)  # the least and the largest that chance may put to the smooth shape
    over_loss: ClassVar[bool] = False  # whether the optimizer divides the step by the loss of the batch

    def __post_init__(self) -> None:
        mistakes = []
        for item in fields(self):
            name, value = item.name, getattr(self, item.name)
            value = whole(value) if name in COUNTS else value
            kinds = (int, np.integer) if name in COUNTS else (int, float, np.integer, np.floating)
            rule, valid = RULES[name]
            if isinstance(value, bool) or not isinstance(value, kinds):
                what = "an integer" if name in COUNTS else "a number"
                mistakes.append(f"{name} of the step size must be {what}, not {value!r}")
            elif not (abs(value) <= sys.float_info.max and valid(value)):  # np.isfinite raises for 10^400
                mistakes.append(f"{name} of the step size must be finite and {rule}, but is {value!r}")
            else:
                object.__setattr__(self, name, int(value) if name in COUNTS else float(value))
        if mistakes or (mistakes := self._conflicts()):
            raise InputError(mistakes)

    def _conflicts(self) -> list[str]:
        """What is wrong with numbers that are right each on its own."""
        return []

    def __call__(self, t: np.ndarray) -> np.ndarray:
        return self.eta * self.shape(t)

    def shape(self, t: np.ndarray) -> np.ndarray:
        """The step size without its factor eta: runs that differ in eta alone share it."""
        raise NotImplementedError

    def smooth(self, t: np.ndarray) -> np.ndarray:
        """The shape without what chance puts to it."""
        return self.shape(t)

    @property
    def law(self) -> tuple:
        """What decides the shape."""
        return (self.name, *(getattr(self, item.name) for item in fields(self) if item.name != "eta"))

    @property
    def corners(self) -> tuple[int, ...]:
        """The t between which the step size rises or falls throughout."""
        return ()

    def mistake(self, horizon: int) -> str | None:
        """The sentence for a step size that is 0 or infinite at one of so many steps; None if none is."""
        near = {0, horizon - 1, *(t + k for t in self.corners for k in (-1, 0, 1))}
        t = np.array(sorted(t for t in near if 0 <= t < horizon), np.int64)
        with np.errstate(over="ignore", under="ignore", divide="ignore"):
            sizes = (self.eta * self.smooth(t))[:, None] * np.array(self.factors)
        wrong = ~(np.isfinite(sizes) & (sizes > 0.0))
        if not wrong.any():
            return None
        first, which = np.argwhere(wrong)[0]
        found = f"{'is' if len(self.factors) == 1 else 'can be'} {sizes[first, which]:g}"
        return (
            f"the step size {self.label} {found} at step {t[first] + 1} of {horizon}, and must be "
            f"finite and > 0 at each; {self.remedy}"
        )

    def table(self) -> dict[str, Any]:
        """The schedule as a study writes it."""
        return {"schedule": self.name, **asdict(self)}

    def words(self, number=six_digits) -> str:
        """The schedule with its numbers as text."""
        default = {item.name: item.default for item in fields(self)}
        told = {name: value for name, value in asdict(self).items() if name != "eta" and value != default[name]}
        inside = ", ".join(f"{name}={value if name in COUNTS else number(value)}" for name, value in told.items())
        return f"{number(self.eta)} {self.name.replace('_', '-')}({inside})"

    @property
    def label(self) -> str:
        return self.words()

"""What the runs of a block share beside the data: checked, and with nothing left open."""

import sys
from dataclasses import dataclass, field

import numpy as np

from implicitbias.errors import InputError, one_of
from implicitbias.integers import whole
from implicitbias.simulation.orders import ORDERS, REMAINDERS, default_remainder, steps_per_epoch
from implicitbias.simulation.tail import LOSSES

MOST_STEPS = 10**15  # a century of computing


@dataclass(frozen=True)
class Setting:
    """What the runs of a block share beside the data, resolved: effective values, no defaults left open."""

    batch: int
    order: str
    remainder: str
    steps: int | None  # None for a flow
    until_log_loss: float | None
    seed: int
    loss: str
    per_octave: int
    after: str | None = field(default=None, kw_only=True)  # what a run of a study goes on from: study/branches.py

    def epochs(self, steps: np.ndarray, n: int) -> np.ndarray:
        """Passes over the n rows after this many steps."""
        return steps / _per_epoch(n, self.batch, self.order, self.remainder)

    def arguments(self) -> dict:
        """The arguments of `simulate` that give this setting, but for what it goes on from."""
        return {name: value for name, value in vars(self).items() if name != "after"}

    def told(self) -> dict:
        """All of it; without what it goes on from, if that is nothing."""
        return {name: value for name, value in vars(self).items() if name != "after" or value is not None}


def resolve(
    n: int, *, batch, order, steps=None, epochs=None, until_log_loss=None, seed=0, loss="logistic", remainder=None,
    per_octave=8,
) -> Setting:  # fmt: skip
    """The Setting of these arguments of `simulate` for n rows. Errors: ``InputError`` listing every mistake."""
    mistakes = []
    batch, steps, seed, per_octave = map(whole, (batch, steps, seed, per_octave))
    if order not in ORDERS:
        mistakes.append(one_of(order, "order", ORDERS))
    if loss not in LOSSES:
        mistakes.append(one_of(loss, "loss", LOSSES))
    batch = n if order == "full" or (isinstance(batch, str) and batch == "n") else batch
    if not is_integer(batch) or not 1 <= batch <= n:
        mistakes.append(f"batch must be an integer from 1 to n = {n}, but is {batch!r}")
    if remainder is not None and remainder not in REMAINDERS:
        mistakes.append(one_of(remainder, "remainder", REMAINDERS))
    elif remainder is None or order == "full":
        remainder = default_remainder(order)
    elif remainder == "drop" and order in ("cyclic", "shuffle_once") and not mistakes and n % batch:
        mistakes.append(
            f"remainder 'drop' with order {order!r} would never show {n % batch} of the {n} rows; "
            "use 'keep', or a batch size that divides n"
        )
    if not is_integer(seed) or not 0 <= seed < 2**63:
        mistakes.append(f"seed must be an integer from 0 to 2^63 - 1, but is {seed!r}")
    if not is_integer(per_octave) or not 1 <= per_octave <= 1000:
        mistakes.append(f"per_octave must be an integer from 1 to 1000, but is {per_octave!r}")
    horizon = 0
    if (steps is None) == (epochs is None):
        mistakes.append("give the horizon as either steps or epochs")
    elif steps is not None:
        if is_integer(steps) and 1 <= steps <= MOST_STEPS:
            horizon = int(steps)
        else:
            mistakes.append(f"steps must be an integer from 1 to {MOST_STEPS}, but is {steps!r}")
    elif not (is_number(epochs) and 0 < epochs <= MOST_STEPS / n):
        mistakes.append(f"epochs must be a positive number up to {MOST_STEPS // n}, but is {epochs!r}")
    elif not mistakes:
        horizon = steps_of(epochs, n, batch, order, remainder)
    if until_log_loss is not None and not (is_number(until_log_loss) and abs(until_log_loss) <= sys.float_info.max):
        mistakes.append(f"until_log_loss must be a finite number, but is {until_log_loss!r}")
    if mistakes:
        raise InputError(mistakes)
    until = None if until_log_loss is None else float(until_log_loss)
    return Setting(int(batch), order, remainder, horizon, until, int(seed), loss, int(per_octave))


def steps_of(epochs: float, n: int, batch: int, order: str, remainder: str) -> int:
    """The updates in so many passes over n rows."""
    return max(1, round(epochs * _per_epoch(n, batch, order, remainder)))


def _per_epoch(n: int, batch: int, order: str, remainder: str) -> float:
    return n / batch if order == "replacement" else float(steps_per_epoch(n, batch, remainder))


def is_integer(x) -> bool:
    return isinstance(x, (int, np.integer)) and not isinstance(x, bool)


def is_number(x) -> bool:
    return isinstance(x, (int, float, np.integer, np.floating)) and not isinstance(x, bool)

"""What decides the run of a flow beside the data: checked, and with nothing left open."""

import math
from dataclasses import dataclass

import numpy as np

from implicitbias.errors import InputError
from implicitbias.flows.base import Flow
from implicitbias.simulation.setting import Setting, resolve

PER_OCTAVE = 1  # 1e100 has 332 octaves


@dataclass(frozen=True)
class FlowSetting(Setting):
    """The Setting of a flow: the full batch, a horizon `time` in t, and no steps."""

    time: float

    def epochs(self, steps: np.ndarray, n: int) -> np.ndarray:
        """NaN: a flow makes no passes over the rows."""
        return np.full(len(steps), np.nan)

    def arguments(self) -> dict:
        return {name: getattr(self, name) for name in ("time", "until_log_loss", "loss", "per_octave")}


def resolve_flow(
    n: int, flows: list[Flow], *, time, until_log_loss=None, loss="logistic", per_octave=None
) -> FlowSetting:
    """The FlowSetting of these arguments of `simulate` for n rows. Errors: ``InputError`` listing every mistake."""
    mistakes = []
    if time is None:
        mistakes.append(f"a flow such as {flows[0].label} needs its horizon `time`")
    elif isinstance(time, bool) or not isinstance(time, (int, float, np.integer, np.floating)):
        mistakes.append(f"time must be a number, not {time!r}")
    else:
        mistakes += [
            f"time of {flow.label} must be > {flow.earliest:g} and at most {flow.longest:g}, but is {time!r}"
            for flow in flows
            if not flow.earliest < time <= flow.longest
        ]
    per_octave = PER_OCTAVE if per_octave is None else per_octave
    try:
        shared = resolve(
            n, batch=n, order="full", steps=1, until_log_loss=until_log_loss, loss=loss, per_octave=per_octave
        )
    except InputError as error:
        mistakes.extend(error.mistakes)
    if mistakes:
        raise InputError(mistakes)
    return FlowSetting(**vars(shared) | {"steps": None, "time": float(time)})


def snapshot_times(horizon: float, per_octave: int, earliest: float = 0.0) -> np.ndarray:
    """Times horizon 2^(-k/per_octave) down to t = 1, or the earliest: with every t also t/2, exactly."""
    count = max(1, math.floor(per_octave * math.log2(horizon)) + 1)
    octaves, parts = np.divmod(np.arange(count), per_octave)
    times = np.ldexp(horizon * 2.0 ** (-parts / per_octave), -octaves)[::-1]
    return times[np.searchsorted(times, earliest) :]

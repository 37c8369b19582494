"""Rates: the slope of a curve of a run on logarithmic axes, its error, and its drift.

A claim with `against` is about the exponent p of a law, fitted by least squares over the last `octaves` of updates:

    law = "power"        log measure = p log x + const    (the default)
    law = "exponential"  log measure = p x + const

    against   x: a column of the curves, such as step, sum_lr or norm_l2, or its logarithm, written "log step": the
              law 1/log t is a power law of exponent -1 against "log step"
    octaves   length of the window, in doublings of the number of updates, or of the time of a flow; default 6
    above     values up to here are rounding, and the window ends before the first of them; default 1e-12, and for a
              measure of ratio_<norm> ten times the certified relative error of the optimum, where that is more

The measure log_loss is taken as the logarithm of the loss that it is. Snapshots are log-spaced, so every octave has the
same weight.

    error     of the slope: jackknife over BLOCKS consecutive pieces of the window. Neighbouring snapshots are
              correlated and curves oscillate, so single points are no independent data; whole pieces nearly are. What
              the law does not explain, curvature included, makes the error larger. Where the correlation reaches
              across a piece it is still too small: by 10% at 0.8 from one of 6 snapshots to the next, by 30% at 0.9.
    drift     slope of the later half of the window minus that of the earlier one, with its error by the same jackknife.
              It counts if it is beyond 2.4 errors. A window of finite t shows a local slope, and the drift tells how
              far that may still be from the exponent (study.rates): not more than its `reach` times the drift, if
              the local slope is p + c / log t at worst.
    band      between slope and slope + drift, widened on both sides by 2.4 errors, or by more the more runs the claim
              is about (5 for 25): where the exponent may be.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from implicitbias.study.formula import ALREADY_LOG, columns, values
from implicitbias.study.spec import Claim

BLOCKS = 8
MISTAKEN = 0.05  # probability that the bands of a claim, all together, miss an exponent
OCTAVES = 6.0
ABOVE = 1e-12
LOG = "log "  # prefix of a column
# A step is rounded to an integer: a window may begin this much, relatively, late.
ROUNDING = 0.02


@dataclass(frozen=True)
class Fit:
    """A fitted slope, in the coordinates of the axes (logarithms where the law takes them).

    Attributes
        slope, error, drift, drift_error   as in the module's text
        start, end      (x, y) of the fitted line at both ends of the window
        points          number of snapshots
        reach           drifts that a slope p + c / log t has still to go: 2 log2 t / octaves - 1
    """

    slope: float
    error: float
    drift: float
    drift_error: float
    start: tuple[float, float] = (math.nan, math.nan)
    end: tuple[float, float] = (math.nan, math.nan)
    points: int = 0
    reach: float = 5.0  # as at t = 10^5 or 10^6 in a window of 6 octaves

    @property
    def drifts(self) -> bool:
        return abs(self.drift) > deviations(1) * self.drift_error

    def band(self, runs: int = 1) -> tuple[float, float]:
        """Where the exponent may be, for one of so many runs."""
        ends = (self.slope, self.slope + self.drift * self.drifts)
        return min(ends) - deviations(runs) * self.error, max(ends) + deviations(runs) * self.error

    def __str__(self) -> str:
        return f"± {self.error:.1g}, drift {self.drift:+.1g} ± {self.drift_error:.1g}"


def deviations(runs: int) -> float:
    """Errors in half a band: Student's t, and wider the more runs a claim is about, one of which must not stray.

    >>> round(deviations(1), 2), round(deviations(20), 2)
    (2.36, 4.59)
    """
    return float(stdtrit(BLOCKS - 1, 1.0 - 0.5 * MISTAKEN / runs))


def decimals(error: float) -> int:
    """How many decimals of a number with this error to show: one beyond the error's first digit, within reason."""
    return max(2, min(6, 1 - math.floor(math.log10(error)))) if error > 0.0 else 6


def fit_line(x: np.ndarray, y: np.ndarray) -> Fit | None:
    """Least squares of y on x, in the order of time; None for less than two points a block or an x that stands still.

    Arguments: x, y (S,), finite
    """
    if len(x) < 2 * BLOCKS:
        return None
    # Relative to its middle: products of long logarithms would lose the digits of a small error.
    x0, y0 = x.mean(), y.mean()
    pieces = np.arange(len(x)) * BLOCKS // len(x)
    found = np.array([_slopes(x - x0, y - y0, pieces, left_out) for left_out in (None, *range(BLOCKS))])
    if not np.isfinite(found).all():
        return None
    (slope, drift), rest = found[0], found[1:]
    error, drift_error = np.sqrt((BLOCKS - 1) * rest.var(axis=0))
    ends = [(float(at), float(y0 + slope * (at - x0))) for at in (x[0], x[-1])]
    return Fit(float(slope), float(error), float(drift), float(drift_error), *ends, len(x))


def _slopes(x: np.ndarray, y: np.ndarray, pieces: np.ndarray, left_out: int | None) -> tuple[float, float]:
    """Slope of the whole window and its drift, without one piece."""
    kept = np.ones(len(x), bool) if left_out is None else pieces != left_out
    early = pieces < BLOCKS // 2
    whole, first, second = (_slope(x[part], y[part]) for part in (kept, kept & early, kept & ~early))
    return whole, second - first


def _slope(x: np.ndarray, y: np.ndarray) -> float:
    x = x - x.mean()
    square = x @ x
    return float(x @ (y - y.mean()) / square) if square > 0.0 else math.nan


def mean_fit(fits: list[Fit]) -> Fit:
    """The mean of the slopes of independent runs; its error is the larger of what the runs say singly and together."""
    table = np.array([(fit.slope, fit.error, fit.drift, fit.drift_error) for fit in fits])
    count = len(fits)
    slope, _, drift, _ = table.mean(axis=0)
    _, error, _, drift_error = np.sqrt((table**2).mean(axis=0) / count)
    spread = table[:, 0].std(ddof=1) / math.sqrt(count) if count > 1 else 0.0
    reach = max(fit.reach for fit in fits)
    return Fit(float(slope), max(float(error), float(spread)), float(drift), float(drift_error), reach=reach)


def window(claim: Claim) -> float:
    """Octaves of updates that the claim is fitted over."""
    return OCTAVES if claim.octaves is None else float(claim.octaves)


def axis_names(claim: Claim) -> tuple[str, str]:
    """What is on the axes (y, x) on which the claim's law is a straight line."""
    y = claim.measure if claim.measure == ALREADY_LOG else f"log({claim.measure})"
    return y, claim.against if claim.law == "exponential" else f"log({claim.against})"


def coordinates(claim: Claim, curve: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """(x, y) of a claim's law at the snapshots of a run: a straight line where the law holds; NaN where undefined."""
    x = curve[claim.against.removeprefix(LOG)].to_numpy(float)
    y = values(claim.measure, curve).to_numpy(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        if claim.against.startswith(LOG):
            x = np.log(x)
        if claim.law != "exponential":
            x = np.log(x)
        if claim.measure != ALREADY_LOG:
            y = np.log(y)
    return np.where(np.isfinite(x), x, np.nan), np.where(np.isfinite(y), y, np.nan)


def floor(claim: Claim, run: pd.Series) -> float:
    """What a run's measure must exceed, in its own units, to be more than rounding."""
    least = ABOVE if claim.above is None else float(claim.above)
    for column in columns(claim.measure):
        kind, _, norm = column.removeprefix("inc_").partition("_")
        if kind == "ratio":
            error = 10.0 * run[f"gap_{norm}"] / run[f"gamma_{norm}"]
            least = max(least, error) if math.isfinite(error) else least
    return least


def fit_run(claim: Claim, run: pd.Series, curve: pd.DataFrame) -> Fit | None:
    """The fit of one run; None if its window is not there.

    Arguments
        run     its row of the table of runs
        curve   its snapshots in the order of time
    """
    x, y = coordinates(claim, curve)
    known = np.isfinite(x) & np.isfinite(y)
    if claim.measure != ALREADY_LOG:
        known &= values(claim.measure, curve).to_numpy(float) > floor(claim, run)
    if not known.any():
        return None
    first = int(known.argmax())
    missing = np.flatnonzero(~known[first:])
    last = first + int(missing[0]) if len(missing) else len(known)
    clock = curve["sum_lr" if pd.notna(run.get("time")) else "step"].to_numpy(float)  # a flow has a horizon in time
    begin = clock[last - 1] * 2.0 ** -window(claim)
    if clock[first] > (1.0 + ROUNDING) * begin:
        return None
    inside = slice(max(first, int(np.searchsorted(clock, (1.0 - ROUNDING) * begin))), last)
    found = fit_line(x[inside], y[inside])
    # The middles of the halves are half a window apart in log2 t, and the slope stands between them.
    reach = 2.0 * math.log2(clock[last - 1]) / window(claim) - 1.0
    return found and replace(found, reach=max(reach, 1.0))


def fit_runs(claim: Claim, runs: pd.DataFrame, curves: pd.DataFrame) -> dict[str, Fit]:
    """The fits of the runs that have one, under their run_id, in the order of the runs."""
    wanted = curves[curves["run_id"].isin(runs["run_id"])].sort_values("step", kind="stable")
    parts = dict(list(wanted.groupby("run_id", sort=False)))
    found = {
        run["run_id"]: fit_run(claim, run, parts[run["run_id"]]) for _, run in runs.iterrows() if run["run_id"] in parts
    }
    return {name: fit for name, fit in found.items() if fit is not None}

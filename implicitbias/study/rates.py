"""Claims about a rate: what fitted slopes say about an exponent.

A slope fitted over a window of finite t is near the exponent of the law, and no nearer than it drifts (study.fits). So
it is asked where the drift leads, if it goes on as that of a law behind 1/log t does, the slowest in this field: the
local slope p + c / log t has c / log t left, which is `reach` drifts, 2 log2 t / octaves - 1.

    holds       the whole band is inside the expectation, and a drift beyond its error that leads outwards does not lead
                out within its reach
    fails       the whole band is outside, and its drift does not point to the expectation; or does, but would not cover
                what is missed if it were two errors larger, and does not lead there: it is less than two errors, or
                misses it even after twice its reach and after ten drifts
    undecided   otherwise

A claim over each run fails if one run fails it, and holds if all runs meet it.
"""

import math

from implicitbias.study.expected import slack
from implicitbias.study.fits import Fit, decimals, mean_fit
from implicitbias.study.keys import Claim

FARTHEST = 10.0  # drifts: behind a logarithm, t^-1 log t, six are missing at t = 10^6 in a window of 6 octaves
SIGMAS = 2.0  # errors of a drift that may speak for an expectation that is missed


def judge(claim: Claim, fit: Fit, runs: int = 1) -> str:
    """The outcome for one slope of so many."""
    low, high = fit.band(runs)
    if min(slack(claim, low), slack(claim, high)) >= 0.0:
        return "undecided" if fit.drifts and _leads_out(claim, fit) else "holds"
    return "undecided" if _touches(claim, low, high) or _may_lead_in(claim, fit) else "fails"


def _leads_out(claim: Claim, fit: Fit) -> bool:
    """Whether the drift of a slope inside the expectation leads out of it within its reach, on whichever side."""
    return slack(claim, fit.slope + fit.reach * fit.drift) < 0.0


def _may_lead_in(claim: Claim, fit: Fit) -> bool:
    """Whether the drift speaks for an expectation that the slope misses."""
    aim = next(value for value in (claim.at_least, claim.at_most, claim.equal) if value is not None)
    if fit.drift * (aim - fit.slope) <= 0.0:
        return False
    far = max(FARTHEST, 2.0 * fit.reach) * fit.drift if abs(fit.drift) >= SIGMAS * fit.drift_error else 0.0
    further = fit.drift + math.copysign(SIGMAS * fit.drift_error, fit.drift)
    end = fit.slope + max(far, further, key=abs)
    return _touches(claim, min(fit.slope, end), max(fit.slope, end))


def _touches(claim: Claim, low: float, high: float) -> bool:
    """Whether some number from low to high meets the expectation."""
    return max(slack(claim, low), slack(claim, high)) >= 0.0 or (claim.equal is not None and low <= claim.equal <= high)


def over_each(claim: Claim, fits: dict[str, Fit]) -> tuple[str, str, str]:
    """The outcome for the slopes of all runs, the id of the run that decides, and what is open if something is."""
    found = {name: judge(claim, fit, len(fits)) for name, fit in fits.items()}
    outcome = next(word for word in ("fails", "undecided", "holds") if word in found.values())
    deciding = [name for name, word in found.items() if word == outcome]
    worst = min(deciding, key=lambda name: _outlook(claim, fits[name], outcome))
    fit, slopes = fits[worst], [item.slope for item in fits.values()]
    ends = (f"{end:.{decimals(fit.error)}f}" for end in (min(slopes), max(slopes)))
    detail = f"{fit}" + f"; slopes {' to '.join(ends)} over {len(fits)} runs" * (len(fits) > 1)
    if outcome == "undecided":
        detail = f"{len(deciding)} of {len(fits)} runs open, {_open(claim, fit, len(fits))}; {detail}"
    return outcome, worst, detail


def over_mean(claim: Claim, fits: list[Fit]) -> tuple[str, float, str]:
    """The outcome for the mean of the slopes, the mean, and its error in words."""
    fit = mean_fit(fits)
    outcome = judge(claim, fit)
    why = f"{_open(claim, fit, 1)}; " * (outcome == "undecided")
    return outcome, fit.slope, f"{why}{fit}; mean over {len(fits)} runs"


def _outlook(claim: Claim, fit: Fit, outcome: str) -> float:
    """The least slack of a fit, of those that decide: at the ends of its band, and of an open one where it leads."""
    ends = [*fit.band(), *([fit.slope + fit.reach * fit.drift] if outcome == "undecided" and fit.drifts else [])]
    return min(slack(claim, end) for end in ends)


def _open(claim: Claim, fit: Fit, runs: int) -> str:
    if not fit.drifts:
        return "the error is too large"
    if min(slack(claim, end) for end in fit.band(runs)) >= 0.0:
        return f"its drift leads out of the expectation, to {fit.slope + fit.reach * fit.drift:.2g}"
    return "the slope still drifts"

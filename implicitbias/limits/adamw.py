"""AdamW with decay lambda ends in a point, not a direction: the minimiser of L over ||w||_inf <= 1/lambda; on batches
the solution of lambda w = Psi_b(w).
"""

import sys
import warnings
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from implicitbias.errors import InputError, one_of
from implicitbias.limits import tail_maps
from implicitbias.limits.box import certify, minimise
from implicitbias.limits.decay_curve import curve
from implicitbias.limits.tail_maps import contributions
from implicitbias.margins import max_margin
from implicitbias.margins.exact import ExactMatrix, unit_scale
from implicitbias.problems import Problem
from implicitbias.simulation.setting import is_integer, is_number
from implicitbias.simulation.tail import LOSSES

NEWTON = 50  # steps; near the solution three do


@dataclass(frozen=True, eq=False)
class BoxMinimum:
    """The minimiser of the loss in a box.

    Attributes
        point     (d,) w, max |w_j| <= 1 / weight_decay
        log_loss  log L(w)
        gap       an upper bound on (L(w) - min L) / L(w), rounding included, from weights of the samples that bound L
                  from below on the box (`limits.box.certify`)
    """

    point: np.ndarray
    log_loss: float
    gap: float


def adamw_point(problem, weight_decay: float, loss: str = "logistic") -> BoxMinimum:
    """Where full-batch AdamW with eps = 0 converges: the minimiser of L over ||w||_inf <= 1 / weight_decay.

    Found on log L, whose gradient does not vanish with the loss, by an interior point method that starts at a high
    temperature (`limits.box`): down to margins of 1e5 and more the gap is below 1e-7, usually below 1e-10.

    Arguments
        problem       a Problem, or its rows (n, d)
        weight_decay  lambda > 0
        loss          "logistic" or "exponential"

    Returns a `BoxMinimum` with its certificate.
    Errors: ``InputError`` for wrong arguments. A RuntimeWarning says so if the gap is above 1e-6.

    >>> found = adamw_point([[1.0, 0.0], [1.0, -0.1]], weight_decay=0.5)
    >>> found.point.round(6), found.gap < 1e-9
    (array([ 2., -2.]), True)

    Source: Xie and Li, arXiv 2404.04454, Theorem 1.1 (AdamW); Chen et al., arXiv 2310.05898 (Lion).
    """
    problem = problem if isinstance(problem, Problem) else Problem(problem)
    mistakes = []
    if not is_number(weight_decay) or not 0.0 < weight_decay <= sys.float_info.max:
        mistakes.append(f"weight_decay must be a positive number, but is {weight_decay!r}")
    if loss not in LOSSES:
        mistakes.append(f"loss must be one of {', '.join(LOSSES)}, not {loss!r}")
    if mistakes:
        raise InputError(mistakes)
    with np.errstate(over="ignore"):
        half_width = 1.0 / np.float64(weight_decay)
        rows = problem.rows * half_width  # of x = w / half_width in the unit box
        sizes = np.abs(rows).sum(axis=1)
    if not (np.isfinite(sizes).all() and np.isfinite(half_width)):
        raise InputError(f"rows over weight_decay = {weight_decay:g} do not fit float64; scale the rows")
    if Fraction(half_width) * Fraction(weight_decay) > 1:
        half_width = np.nextafter(half_width, 0.0)
    point = half_width * minimise(rows, loss)
    found, gap = certify(problem.rows, half_width, point, loss)
    if not gap <= 1e-6:
        warnings.warn(f"the loss is only certified to a relative {gap:.1e}", RuntimeWarning, stacklevel=2)
    return BoxMinimum(point, found, gap)


def adamw_batch_point(
    problem, weight_decay: float, batch: int = 1, order: str = "reshuffle"
) -> tuple[np.ndarray, float]:
    """Where mini-batch AdamW with eps = 0, beta2 -> 1 and small steps settles: lambda w = Psi_b(w).

    Psi_b is the mean update at the sample weights of w, the tail map of the batch order in its true size:
    sqrt(b (n-1)/n) S/sqrt((b-1) S^2 + (n-b) Q) for reshuffling, sqrt(b) S/sqrt((b-1) S^2 + n Q) with replacement. The
    curve log c = -t A Psi_b(c), that of weights e^-z, is followed to t = 1/lambda; Newton's method goes from there to
    logistic weights.

    Arguments
        problem       a Problem, or its rows (n, d)
        weight_decay  lambda > 0
        batch         1..n-1
        order         "reshuffle" or "replacement"

    Returns w (d,), and the residual max_j |lambda w_j - Psi_b(w)_j| at the logistic weights of the exact margins of w;
    |Psi_b(w)_j| is at most 1.
    Errors: ``InputError`` for arguments out of range, ``NotSeparable`` for data without a separator. A RuntimeWarning
    says so if the residual is above 1e-6.

    >>> import implicitbias as ib
    >>> w, residual = adamw_batch_point(ib.geometry.gaussian(n=4, d=9, seed=0), weight_decay=0.05)
    >>> bool(np.abs(w).max() <= 20), residual < 1e-6
    (True, True)

    Source: derived; full batch it is the box of arXiv 2404.04454.
    """
    problem = problem if isinstance(problem, Problem) else Problem(problem)
    n, mistakes = problem.n, []
    if not is_number(weight_decay) or not 0.0 < weight_decay <= sys.float_info.max:
        mistakes.append(f"weight_decay must be > 0 and finite, but is {weight_decay!r}")
    if not is_integer(batch) or not 1 <= batch < n:
        mistakes.append(f"batch must be an integer from 1 to n - 1 = {n - 1}, but is {batch!r}; see adamw_point for n")
    if order not in ("reshuffle", "replacement"):
        mistakes.append(one_of(order, "order", ("reshuffle", "replacement")))
    if mistakes:
        raise InputError(mistakes)
    max_margin(problem)
    reshuffled = order == "reshuffle"
    tail_map = tail_maps.reshuffle(n, batch) if reshuffled else tail_maps.replacement(n, batch)
    size = np.sqrt(batch * (n - 1) / n) if reshuffled else np.sqrt(batch)
    # F does not depend on the scale of the rows, and the curve only on that of t times the rows.
    exact = ExactMatrix(problem.rows)
    unit, k = unit_scale(problem.rows)
    end = float(np.ldexp(size / weight_decay, k))
    *_, (_, logs) = curve(unit, tail_map, end)

    def mean_update(logs):
        return size * tail_map.value(contributions(unit, logs))

    best = (None, np.inf)
    # From weights e^-z to logistic ones by Newton's method, while the residual falls.
    for _ in range(NEWTON):
        w = mean_update(logs) / weight_decay
        wanted, share = _log_weights(exact, w)
        residual = float(np.abs(weight_decay * w - mean_update(wanted)).max())
        if not (residual < best[1] or best[0] is None):
            break
        best = w, residual
        bend = end * (1.0 - share)[:, None] * (unit @ tail_map.slope(contributions(unit, logs)).T)
        change = np.linalg.lstsq(np.eye(n) + bend, wanted - logs, rcond=None)[0]
        logs = logs + change * min(1.0, 2.0 / max(np.ptp(change), 1e-300))
    if not best[1] <= 1e-6:
        warnings.warn(f"w is only known to a residual of {best[1]:.1e}", RuntimeWarning, stacklevel=2)
    return best


def _log_weights(exact, w):
    """log s(z_i) of the logistic loss at the exact margins of w, up to a common constant, and s(z_i)."""
    # Rounded to float64, margins of 1e5 would move the weights by 1e-11: the differences come first.
    high, low = exact.pair(w)
    level, rest = high.min(), low[high.argmin()]
    tilt = np.log1p(np.exp(-np.abs(high)))  # log s = -z - tilt for z > 0, -tilt for z < 0
    return np.where(high > 0.0, (level - high) + (rest - low), level) - tilt, np.exp(-np.maximum(high, 0.0) - tilt)

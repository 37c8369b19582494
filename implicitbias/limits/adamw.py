"""AdamW with decay lambda ends in a point, not a direction: the minimiser of L over ||w||_inf <= 1/lambda; on batches
the solution of lambda w = Psi_b(w).
"""

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from implicitbias.errors import InputError, one_of
from implicitbias.limits import tail_maps
from implicitbias.limits.decay_curve import curve
from implicitbias.limits.tail_maps import contributions
from implicitbias.losses import log_loss, log_losses, log_weights
from implicitbias.margins import max_margin
from implicitbias.problem import Problem
from implicitbias.simulation.setting import is_integer, is_number
from implicitbias.simulation.tail import LOSSES

CERTIFIED = 1e-9  # relative gap of the loss at which the search in the box stops


@dataclass(frozen=True, eq=False)
class BoxMinimum:
    """The minimiser of the loss in a box.

    Attributes
        point     (d,) w, max |w_j| <= 1 / weight_decay
        log_loss  log L(w)
        gap       (max over the box of grad L(w).(w - x)) / L(w) >= 0: an upper bound on (L(w) - min L) / L(w), by
                  convexity; zero exactly where the KKT conditions hold
    """

    point: np.ndarray
    log_loss: float
    gap: float


def adamw_point(problem, weight_decay: float, loss: str = "logistic") -> BoxMinimum:
    """Where full-batch AdamW with eps = 0 converges: the minimiser of L over ||w||_inf <= 1 / weight_decay.

    Found on log L, whose gradient does not vanish with the loss, by L-BFGS-B (SciPy) and Newton's method on the
    coordinates inside the box.

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
    if not is_number(weight_decay) or not 0.0 < weight_decay < np.inf:
        mistakes.append(f"weight_decay must be a positive number, but is {weight_decay!r}")
    if loss not in LOSSES:
        mistakes.append(f"loss must be one of {', '.join(LOSSES)}, not {loss!r}")
    if mistakes:
        raise InputError(mistakes)
    rows = problem.rows / weight_decay  # of x = weight_decay w in the unit box

    def shares(x):
        """-l'(z_i) and l''(z_i) over the sum of l(z_i)."""
        z = rows @ x
        logs, first = log_losses(z, loss), log_weights(z, loss)
        second = first if loss == "exponential" else first - np.logaddexp(0.0, -z)  # s, or s (1 - s)
        top = logs.max()
        total = np.exp(logs - top).sum()
        return np.exp(first - top) / total, np.exp(second - top) / total

    def value(x):
        return float(log_loss(rows @ x, loss)), -(shares(x)[0] @ rows)

    def gap(x):
        slope = -(shares(x)[0] @ rows)
        return float(slope @ x + np.abs(slope).sum())

    best = np.zeros(problem.d)
    for ftol in (1e-13, 1e-16):  # the second goes on to rounding, and is seldom needed
        if gap(best) <= CERTIFIED:
            break
        found = minimize(
            value, best, jac=True, method="L-BFGS-B", bounds=[(-1.0, 1.0)] * problem.d,
            options={"maxiter": 20_000, "maxfun": 100_000, "ftol": ftol, "gtol": 1e-12, "maxcor": 30},
        )  # fmt: skip
        best = _polish(rows, shares, gap, np.clip(found.x, -1.0, 1.0))
    if gap(best) > 1e-6:
        warnings.warn(f"the loss is only certified to a relative {gap(best):.1e}", RuntimeWarning, stacklevel=2)
    return BoxMinimum(best / weight_decay, float(log_loss(rows @ best, loss)), max(gap(best), 0.0))


def adamw_batch_point(
    problem, weight_decay: float, batch: int = 1, order: str = "reshuffle"
) -> tuple[np.ndarray, float]:
    """Where mini-batch AdamW with eps = 0, beta2 -> 1 and small steps settles: lambda w = Psi_b(w).

    Psi_b is the mean update at the sample weights of w, the tail map of the batch order in its true size:
    sqrt(b (n-1)/n) S/sqrt((b-1) S^2 + (n-b) Q) for reshuffling, sqrt(b) S/sqrt((b-1) S^2 + n Q) with replacement. The
    curve log c = -t A Psi_b(c) is followed to t = 1/lambda, with weights e^-z: the logistic ones once margins exceed a
    few units.

    Arguments
        problem       a Problem, or its rows (n, d)
        weight_decay  lambda > 0
        batch         1..n-1
        order         "reshuffle" or "replacement"

    Returns w (d,), and the residual max_j |lambda w_j - Psi_b(w)_j| at the logistic weights; |Psi_b(w)_j| is at most 1.
    Errors: ``InputError`` for arguments out of range, ``NotSeparable`` for data without a separator.

    >>> import implicitbias as ib
    >>> w, residual = adamw_batch_point(ib.geometry.gaussian(n=4, d=9, seed=0), weight_decay=0.05)
    >>> bool(np.abs(w).max() <= 20), residual < 1e-6
    (True, True)

    Source: derived; full batch it is the box of arXiv 2404.04454.
    """
    problem = problem if isinstance(problem, Problem) else Problem(problem)
    n, mistakes = problem.n, []
    if not is_number(weight_decay) or not 0.0 < weight_decay < np.inf:
        mistakes.append(f"weight_decay must be > 0 and finite, but is {weight_decay!r}")
    if not is_integer(batch) or not 1 <= batch < n:
        mistakes.append(f"batch must be an integer from 1 to n - 1 = {n - 1}, but is {batch!r}; see adamw_point for n")
    if order not in ("reshuffle", "replacement"):
        mistakes.append(one_of(order, "order", ("reshuffle", "replacement")))
    if mistakes:
        raise InputError(mistakes)
    max_margin(problem, "l2")
    reshuffled = order == "reshuffle"
    tail_map = tail_maps.reshuffle(n, batch) if reshuffled else tail_maps.replacement(n, batch)
    size = np.sqrt(batch * (n - 1) / n) if reshuffled else np.sqrt(batch)
    *_, (t, logs) = curve(problem.rows, tail_map, size / weight_decay)
    w = t * tail_map.value(contributions(problem.rows, logs))
    weights = log_weights(problem.rows @ w, "logistic")
    psi = size * tail_map.value(contributions(problem.rows, weights))
    return w, float(np.abs(weight_decay * w - psi).max())


def _polish(rows, shares, gap, x):
    """Newton's method on the coordinates inside the box, while the gap falls."""
    best = x
    for _ in range(20):
        first, second = shares(x)
        slope = -(first @ rows)
        held = (np.abs(x) >= 1.0 - 1e-9) & (x * slope < 0.0)
        x = np.where(held, np.sign(x), x)
        free = np.flatnonzero(~held)
        root = np.sqrt(second)[:, None] * rows[:, free]
        # Least squares: where the free coordinates outnumber the rows the Hessian is singular.
        x[free] -= np.linalg.lstsq(root.T @ root, slope[free], rcond=1e-14)[0]
        x = np.clip(x, -1.0, 1.0)
        if not gap(x) < gap(best):
            break
        best = x.copy()
    return best

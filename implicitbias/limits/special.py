"""Limits that are not the rest point of a tail map: a programme of their own, or one that is read off a run.

    Adam, eps_t = kappa L(w_t)   argmax over |u_j| < 1 of min_i a_i.u - kappa sum_j (-|u_j| - log(1 - |u_j|))
    AdaGrad                      min sum_j w_j^2 / h_j over A w >= 1, h_j = (sum_t g_j^2)^(-1/2) of the run
    AdamW, decay lambda          a point, not a direction: the minimiser of L over ||w||_inf <= 1/lambda; on batches the
                                 solution of lambda w = Psi_b(w)
    Signum, reshuffled           a lower bound on its l_inf margin

each with a certificate where it is a programme.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from implicitbias.errors import InputError, one_of
from implicitbias.limits import tail_maps
from implicitbias.limits.fixed_point import curve
from implicitbias.limits.predict import Limit, solve
from implicitbias.limits.rules import Rule
from implicitbias.limits.tail_maps import contributions
from implicitbias.losses import log_loss, log_losses, log_weights
from implicitbias.margins import max_margin
from implicitbias.optimizers import AdaGrad
from implicitbias.problem import Problem
from implicitbias.simulation.tail import LOSSES

SOLVED = 1e-10  # gap over ||u||_2, in units of the longest row, at which the barrier stops; rounding is at 1e-15
CERTIFIED = 1e-9  # relative gap of the loss at which the search in the box stops


def kappa_direction(problem, kappa: float) -> Limit:
    """Where full-batch Adam with eps_t = kappa L(w_t) goes: between the l_inf (kappa -> 0) and the l2 direction.

    Far out m -> S, sqrt(v) -> |S| and L -> 1 up to a common factor, so u = S / (|S| + kappa) with S = A'c, and c rests
    where a_i.u is minimal. These are the optimality conditions of the concave programme

        max over |u_j| < 1 of  min_i a_i.u - kappa sum_j (-|u_j| - log(1 - |u_j|))

    and its dual, solved here by Newton's method with a logarithmic barrier: min over c in the simplex of
    sum_j |S_j| - kappa log(1 + |S_j| / kappa). The difference of the two values is sum_i c_i a_i.u - min_i a_i.u.

    Arguments
        problem  a Problem, or its rows (n, d)
        kappa    > 0, in units of the rows

    Returns a `Limit`; its gap is that difference over ||u||_2.
    Errors: ``InputError`` for a bad kappa, ``NotSeparable`` for data without a separator. A RuntimeWarning says so if
    the gap is above 1e-6 of the longest row, as for kappa below 1e-7 of it.

    >>> lim = kappa_direction([[1.0, 0.0], [0.0, 2.0]], kappa=1.0)
    >>> lim.direction.round(4), lim.gap < 1e-9
    (array([0.8944, 0.4472]), True)

    Source: derived; increments of simulations have cosines of at least 0.9996 to it for kappa from 0.01 to 100
    (Gaussian rows, n = 10, d = 50).
    """
    problem = problem if isinstance(problem, Problem) else Problem(problem)
    if not _is_number(kappa) or not 0.0 < kappa < np.inf:
        raise InputError(f"kappa must be a positive number, but is {kappa!r}")
    max_margin(problem, "l2")  # no limit without a separator
    size = np.linalg.norm(problem.rows, axis=1).max()
    c, u, gap = _kappa_programme(problem.rows / size, kappa / size)
    if gap > 1e-6:
        warnings.warn(
            f"kappa = {kappa:g} is so small beside rows of length {size:.3g} that the direction is only certified to "
            f"a relative gap of {gap:.1e}",
            RuntimeWarning,
            stacklevel=2,
        )
    text = f"argmax of min a.u - {kappa:g} sum(-|u| - log(1 - |u|)): Adam with eps = {kappa:g} L, full batch (derived)"
    return Limit(u / np.linalg.norm(u), c, float(gap * size), text)


def _kappa_programme(rows, kappa):
    """(c, u, gap / ||u||_2)."""
    n = len(rows)

    def gradient(c):
        total = c @ rows
        u = total / (np.abs(total) + kappa)
        z = rows @ u
        return total, u, z, max(float(c @ z - z.min()), 0.0)

    def value(c, mu):
        size = np.abs(c @ rows)
        return (size - kappa * np.log1p(size / kappa)).sum() - mu * np.log(c).sum()

    c = np.full(n, 1.0 / n)
    total, u, z, gap = gradient(c)
    best = c, u, gap / np.linalg.norm(u)
    mu = gap / n
    while best[2] > SOLVED and mu > 1e-18:
        for _ in range(60):
            # In relative changes y = dc / c the system is well scaled however light a sample is.
            scaled = c[:, None] * rows * (np.sqrt(kappa) / (np.abs(total) + kappa))
            system = scaled @ scaled.T + mu * np.eye(n)
            down, keep = np.linalg.solve(system, np.column_stack([mu - c * z, c])).T
            y = down - keep * ((c @ down) / (c @ keep))
            decrement = float(y @ system @ y)
            step = min(1.0, 0.95 / max(-y.min(), 1e-300))
            before = value(c, mu)
            # Below rounding of the value there is nothing to compare.
            while decrement > 1e-14 and step > 1e-10 and value(c * (1.0 + step * y), mu) > before:
                step /= 2.0
            c = c * (1.0 + step * y)
            c /= c.sum()
            total, u, z, gap = gradient(c)
            best = min(best, (c, u, gap / np.linalg.norm(u)), key=lambda item: item[2])
            if decrement <= 1e-2 * mu:
                break
        mu *= 0.2
    return best


def adagrad_direction(problem, run) -> Limit:
    """Where an AdaGrad run goes: l2 max-margin in the geometry its preconditioner has frozen to.

    min sum_j w_j^2 / h_j over A w >= 1, with h_j = V_j^(-1/2) at the end of the run.

    Arguments
        problem  a Problem, or its rows (n, d)
        run      a Run of AdaGrad on it, long enough for V to have settled

    Returns a `Limit` with the gap of the max-margin problem in that norm.
    Errors: ``InputError`` for a run of another optimizer or problem.

    >>> import implicitbias as ib
    >>> rows = [[1.0, 0.0], [0.0, 2.0]]
    >>> run = ib.simulate(rows, ib.AdaGrad(), lr=1.0, order="full", steps=1000)
    >>> adagrad_direction(rows, run).direction.round(3)
    array([0.894, 0.447])

    Source: Qian and Qian, arXiv 1906.03559, Theorem 3.1.
    """
    problem = problem if isinstance(problem, Problem) else Problem(problem)
    if not isinstance(run.optimizer, AdaGrad):
        raise InputError(f"run must be one of AdaGrad, not of {run.optimizer.label}")
    if run.state.shape != (1, problem.d):
        raise InputError(f"run has {run.problem.d} features, and the problem {problem.d}")
    root = np.sqrt(run.state[0])
    # Up to a common factor, which leaves the direction and keeps the squares within float64.
    norm = ("mahalanobis", tuple(float(x) for x in root / root.max()))
    text = "max-margin in the norm of the run's frozen preconditioner (theorem, arXiv 1906.03559)"
    return solve(problem, Rule(text, norm=norm))


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
    if not _is_number(weight_decay) or not 0.0 < weight_decay < np.inf:
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
    if not _is_number(weight_decay) or not 0.0 < weight_decay < np.inf:
        mistakes.append(f"weight_decay must be > 0 and finite, but is {weight_decay!r}")
    if not isinstance(batch, int) or isinstance(batch, bool) or not 1 <= batch < n:
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


def signum_bound(problem, beta: float, batch: int) -> float:
    """A lower bound on the l_inf margin of reshuffled Signum in the limit: very loose, and negative for small beta.

    gamma_inf - (1 - beta) m (m^2 - 1) max_i ||a_i||_1 with m = n / b steps an epoch (rounded down: the remainder is
    dropped). Within an epoch the momentum differs from the full gradient by at most the second term.

    Arguments
        problem  a Problem, or its rows (n, d)
        beta     decay rate of the momentum, in [0, 1)
        batch    1..n

    Returns the bound, in units of the rows; the margin of w is min_i a_i.w / ||w||_inf.
    Errors: ``InputError`` for wrong arguments.

    >>> signum_bound([[2.0, 1.0], [1.0, 2.0]], beta=0.99, batch=1)
    2.82

    Source: derived from the multiclass theorem of 2026 for momentum sign descent under reshuffling.
    """
    problem = problem if isinstance(problem, Problem) else Problem(problem)
    mistakes = []
    if not _is_number(beta) or not 0.0 <= beta < 1.0:
        mistakes.append(f"beta must be in [0, 1), but is {beta!r}")
    if isinstance(batch, bool) or not isinstance(batch, (int, np.integer)) or not 1 <= batch <= problem.n:
        mistakes.append(f"batch must be an integer from 1 to n = {problem.n}, but is {batch!r}")
    if mistakes:
        raise InputError(mistakes)
    m = problem.n // batch
    spread = (1.0 - beta) * m * (m**2 - 1) * np.abs(problem.rows).sum(axis=1).max()
    return float(max_margin(problem, "linf").margin - spread)


def _is_number(x) -> bool:
    return isinstance(x, (int, float, np.integer, np.floating)) and not isinstance(x, bool)

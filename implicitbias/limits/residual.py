"""Where gradient descent stands beside its direction: w(t) - w_hat log t converges, and to what."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linprog

from implicitbias.errors import InputError
from implicitbias.lengths import length, unit
from implicitbias.margins import max_margin
from implicitbias.margins.exact import unit_scale
from implicitbias.problems import Problem

# Directions are known to about 1e-12. A row is on the margin when a_i.w_hat <= 1 + TIGHT, with room for that error
# where |a_i||w_hat| is large; it carries no weight when its part alpha_i |a_i| of w_hat is below TIGHT of the largest.
TIGHT, KNOWN = 1e-9, 1e-11
RANK = 1e-12  # singular values of unit rows below this part of the largest are rounding of dependent rows


def gradient_residual(problem: Problem | ArrayLike, initial: ArrayLike | None = None) -> np.ndarray:
    """The limit w~ of w(t) - w_hat log t for full-batch gradient descent and gradient flow.

    w_hat minimises ||w||^2 / 2 over A w >= 1. Far out the rows on its margin, the support vectors, hold w_hat together:
    with alpha_i = exp(-a_i.w~) / n > 0 on them, w_hat = sum_i alpha_i a_i. Where they span the row space of the data
    this decides w~ up to what no gradient reaches, the part of the start orthogonal to the row space. It is the
    minimiser of sum_i exp(-a_i.v) / n + w_hat.v in the row space; independent support vectors have one alpha, the duals
    of w_hat, and w~ is then the solution of a linear system.

    The distance to w~ falls like t^-lambda, lambda < 1 the least non-zero eigenvalue of sum_i alpha_i a_i a_i' (derived
    by linearising the flow in log t): slowly where a support vector has little weight.

    Arguments
        problem  a Problem, or its rows (n, d)
        initial  (d,) starting point; default zero

    Returns w~ (d,). Time is t = lr * steps, the sum of the step sizes, for both losses.
    Errors: ``InputError`` if the support vectors do not span the row space (w~ then depends on the whole run), or if
    one of them can have no weight (then w - w_hat log t has no limit); ``NotSeparable``.

    >>> import implicitbias as ib
    >>> rows = [[2.0, 1.0], [1.0, -1.0]]
    >>> gradient_residual(rows).round(6)
    array([0.54062 , 0.422837])
    >>> run = ib.simulate(rows, ib.GradientFlow(), time=1e100)
    >>> bool(run.curve["residual"].iloc[-1] < 1e-6)
    True

    Source: Soudry et al., arXiv 1710.10345, Theorem 4; for dependent support vectors its proof with any positive alpha.
    """
    problem = problem if isinstance(problem, Problem) else Problem(problem)
    found, basis = _in_row_space(problem)
    if initial is None:
        return found.copy()
    start = np.asarray(initial, dtype=np.float64)
    if start.shape != (problem.d,) or not np.isfinite(start).all():
        raise InputError(f"initial must be finite numbers of shape ({problem.d},)")
    return found + start - basis.T @ (basis @ start)


def hard_margin(problem: Problem) -> np.ndarray:
    """(d,) w_hat, the minimiser of ||w||_2 over A w >= 1."""
    best = max_margin(problem)
    return best.direction / best.margin


@functools.lru_cache(maxsize=8)
def _in_row_space(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """w~ for a start in the row space, and an orthonormal basis (k, d) of that space.

    In the scale of the rows: if b = a / r, the w~ of a is that of b over r, plus 2 log r w_hat.
    """
    rows, k = unit_scale(problem.rows)
    best = max_margin(problem)
    w_hat = best.direction / np.ldexp(best.margin, -k)
    directions, lengths = unit(rows), length(rows)
    on = rows @ w_hat <= 1.0 + TIGHT + KNOWN * lengths * np.linalg.norm(w_hat)
    # Spans and weights are those of rows of length 1, however different the rows are.
    support, lengths = directions[on], lengths[on]
    _, sizes, basis = np.linalg.svd(directions, full_matrices=False)
    basis = basis[sizes > RANK * sizes[0]]
    sizes = np.linalg.svd(support, compute_uv=False)
    rank = int((sizes > RANK * sizes[0]).sum())
    if rank < len(basis):
        raise InputError(
            f"the {len(support)} support vectors of {problem.name} span {rank} of the {len(basis)} dimensions of its "
            "rows, so the limit of w - w_hat log t depends on the whole run"
        )
    if rank == len(support):
        parts = np.linalg.lstsq(support.T, w_hat)[0]
    else:
        parts = _largest_least(support, w_hat)
    if not parts.min() > TIGHT * parts.max():
        raise InputError(
            f"a row on the margin of {problem.name} has dual 0, so w - w_hat log t has no limit (it grows like "
            "log log t)"
        )
    inner = support @ basis.T
    v = np.linalg.lstsq(inner, -np.log(problem.n * parts / lengths) / lengths)[0]
    if rank < len(support):
        v = _balance(inner * lengths[:, None], basis @ w_hat, problem.n, v)
    return np.ldexp(basis.T @ v + 2.0 * k * np.log(2.0) * w_hat, -k), basis


def _largest_least(support: np.ndarray, w_hat: np.ndarray) -> np.ndarray:
    """The x with support' x = w_hat whose least entry is largest."""
    m = len(support)
    # Variables (x, least): least <= x_i. Equations are scaled to w_hat of length one.
    size = np.linalg.norm(w_hat)
    found = linprog(
        np.r_[np.zeros(m), -1.0], A_ub=np.c_[-np.eye(m), np.ones(m)], b_ub=np.zeros(m),
        A_eq=np.c_[support.T, np.zeros(support.shape[1])], b_eq=w_hat / size, bounds=[(0.0, None)] * (m + 1),
    )  # fmt: skip
    return found.x[:m] * size if found.status == 0 else np.zeros(m)


def _balance(inner: np.ndarray, w_hat: np.ndarray, n: int, v: np.ndarray) -> np.ndarray:
    """The minimiser of the convex sum exp(-inner v) / n + w_hat.v, by Newton's method with halved steps."""
    parts = np.exp(-inner @ v) / n
    for _ in range(200):
        slope = w_hat - parts @ inner
        step = np.linalg.solve((inner.T * parts) @ inner, -slope)
        decrement, length = -float(slope @ step), 1.0
        # The Newton decrement is in units of the value, which is of the order of the weights.
        if decrement <= 1e-26 * parts.sum():
            break
        value = parts.sum() + w_hat @ v
        while length > 1e-6 and np.exp(-inner @ (v + length * step)).sum() / n + w_hat @ (v + length * step) > value:
            length /= 2.0
        v = v + length * step
        parts = np.exp(-inner @ v) / n
    return v

"""The Hessian of the mean loss as a sum of squares, H = sum_j h_j u_j u_j' with h_j > 0, of which nothing cancels.

Two classes    u_i = a_i                          h_i = l''(z_i) / n:  s (1 - s), or e^-z of the exponential loss
Several        u = c (x) x_i for k - 1 vectors c of each row
  exponential  c = e_y - e_c                      h = e^(-z_ic) / n

For softmax the k - 1 vectors come from diag(p) - pp' by elimination, the own class y first. Of what is left the entries
off the diagonal are -p_a p_b / S, S the sum of the p that are left, so that each class gives, with R = S - p_a,

    h = p_a R / S,    c = e_a - sum_b (p_b / R) e_b    over the b that are left,

sums and products of positive numbers alone. The first has the h of its soft margin in the binary problem.

Source: elimination without subtractions: Grassmann, Taksar, Heyman, Oper. Res. 33 (1985) 1107-1116.
"""

import numpy as np
from scipy.special import logsumexp

from implicitbias.losses import log_weights
from implicitbias.problems import AnyProblem, Multiclass


def terms(problem: AnyProblem, weights: np.ndarray, loss: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Weights and vectors at iterates.

    Arguments: problem; weights (S, *shape); loss
    Returns log h (S, N) and the c (S, N, k) of each, those of the first row first; None for two classes.
    """
    z = problem.margins(weights)
    if not isinstance(problem, Multiclass):
        return log_bends(z, loss) - np.log(problem.n), None
    n, others, k = problem.n, problem.others, problem.k
    z = z.reshape(len(z), n, k - 1)
    c = np.zeros((len(z), n, k - 1, k))
    rows = np.arange(n)
    if loss == "exponential":
        c[:, rows[:, None], np.arange(k - 1), problem.labels[:, None]] = 1.0
        c[:, rows[:, None], np.arange(k - 1), others] = -1.0
        return _each(-z - np.log(n), c)
    top = logsumexp(-z, axis=-1, keepdims=True)
    logs = -z - np.logaddexp(0.0, top)  # log p of the others
    left = np.logaddexp.accumulate(logs[..., ::-1], axis=-1)[..., ::-1]  # that of the sum from each of them on
    h = np.empty_like(logs)
    h[..., 0] = log_bends(-top[..., 0], loss)
    h[..., 1:] = logs[..., :-1] + (left[..., 1:] - left[..., :-1])
    c[:, rows, 0, problem.labels] = 1.0
    c[:, rows[:, None], 0, others] = -np.exp(-z - top)
    for a in range(k - 2):
        c[:, rows, a + 1, others[:, a]] = 1.0
        c[:, rows[:, None], a + 1, others[:, a + 1 :]] = -np.exp(logs[..., a + 1 :] - left[..., a + 1 : a + 2])
    return _each(h - np.log(n), c)


def _each(h: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return h.reshape(len(h), -1), c.reshape(len(c), -1, c.shape[-1])


def log_bends(z: np.ndarray, loss: str) -> np.ndarray:
    """log l''(z) for every margin z."""
    bend = log_weights(z, loss)
    return bend if loss == "exponential" else bend + log_weights(-z, loss)


def vectors(problem: AnyProblem, c: np.ndarray | None) -> np.ndarray:
    """(S, N, d) the u, of matrices row by row; (N, d) where they are the same at all iterates."""
    if c is None:
        return problem.rows
    each = c.reshape(len(c), problem.n, problem.k - 1, -1, 1) * problem.X[:, None, None, :]
    return each.reshape(*c.shape[:2], -1)

"""Gradients of the mean loss up to a positive factor, and how fast they change, at any loss.

With a_j the rows of the margins z_j and s_j their weights, the gradient is -(1/n) sum_j s_j a_j. Its direction takes no
more than the ratios of the weights: the heaviest is the unit. When its margin moves by m, to z, a weight changes by

    -s(z) s(m - z) (e^m - 1)    two classes, logistic
    -s(z) (e^m - 1)             exponential
    -p (e^-D - 1)               softmax, p = e^-z_c / (1 + sum_c e^-z_c), D the change of log p

which is exact however small the move is, as the difference of two weights is not.
"""

import numpy as np
from scipy.special import logsumexp

from implicitbias.lengths import length
from implicitbias.losses import log_weights
from implicitbias.problems import AnyProblem, Multiclass, Objective

FAR = 30.0  # beyond it e^x - 1 is e^x


def gradients(problem: AnyProblem, weights: np.ndarray, loss: str, counts: np.ndarray | None = None) -> np.ndarray:
    """(S, d) gradients at iterates (S, *shape), each up to a positive factor, of matrices row by row.

    Arguments: counts (S, n), how often each row is in the batch; default once.
    """
    if isinstance(problem, Objective):
        return problem.gradients(weights, counts)
    logs = log_pairs(problem, problem.margins(weights), loss)
    if counts is not None:
        with np.errstate(divide="ignore"):
            logs = logs + np.repeat(np.log(counts), logs.shape[1] // problem.n, axis=1)
    return -sums(problem, np.exp(logs - logs.max(axis=1, keepdims=True)))


def log_smoothness(problem: AnyProblem, weights: np.ndarray, moves: np.ndarray, loss: str) -> np.ndarray:
    """(S,) log ||g(w) - g(w - m)|| / ||m|| of moves m that lead to iterates w (S, *shape); NaN for no move."""
    if isinstance(problem, Objective):
        with np.errstate(divide="ignore", invalid="ignore"):
            change = length(problem.gradients(weights) - problem.gradients(weights - moves))
            return np.where(moves.any(axis=1), np.log(change / length(moves)), np.nan)
    z, m = problem.margins(weights), problem.margins(moves)
    logs = log_pairs(problem, z, loss)
    if loss == "exponential":
        sizes, signs = logs + _log_grown(m), -np.sign(m)
    elif isinstance(problem, Multiclass):
        grown = _log_ratio(problem, z - m, m)
        sizes, signs = logs + _log_grown(-grown), np.sign(grown)
    else:
        sizes, signs = logs + log_weights(m - z, loss) + _log_grown(m), -np.sign(m)
    top = sizes.max(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        change = length(sums(problem, signs * np.exp(sizes - top)))
        moved = length(moves.reshape(len(moves), -1))
        return np.where(moved > 0.0, np.log(change) + top[:, 0] - np.log(problem.n) - np.log(moved), np.nan)


def log_pairs(problem: AnyProblem, z: np.ndarray, loss: str) -> np.ndarray:
    """(S, N) log s of margins z (S, N)."""
    if not isinstance(problem, Multiclass) or loss == "exponential":
        return log_weights(z, loss)
    each = z.reshape(len(z), problem.n, -1)
    return (-each - np.logaddexp(0.0, logsumexp(-each, axis=-1, keepdims=True))).reshape(z.shape)


def sums(problem: AnyProblem, x: np.ndarray) -> np.ndarray:
    """(S, d) sum_j x_j a_j of numbers x (S, N) for the margins."""
    if not isinstance(problem, Multiclass):
        return x @ problem.rows
    each, rows = x.reshape(len(x), problem.n, -1), np.arange(problem.n)
    of_classes = np.zeros((len(x), problem.n, problem.k))
    of_classes[:, rows, problem.labels] = each.sum(axis=-1)
    of_classes[:, rows[:, None], problem.others] = -each
    return np.matmul(np.swapaxes(of_classes, 1, 2), problem.X).reshape(len(x), -1)


def _log_grown(x: np.ndarray) -> np.ndarray:
    """log |e^x - 1|."""
    with np.errstate(divide="ignore"):
        return np.where(x > FAR, x, np.log(np.abs(np.expm1(np.minimum(x, FAR)))))


def _log_ratio(problem: Multiclass, z: np.ndarray, m: np.ndarray) -> np.ndarray:
    """(S, N) log p - log p before, of margins that move by m from z."""
    shape, m = z.shape, m.reshape(len(z), problem.n, -1)
    z = z.reshape(m.shape)
    own = -np.logaddexp(0.0, logsumexp(-z, axis=-1, keepdims=True))
    # the sum of p e^-m, with an m of 0 for the own class: near 1 where the moves are small
    near = np.log1p((np.exp(own - z) * np.expm1(-np.clip(m, -FAR, FAR))).sum(axis=-1, keepdims=True))
    far = np.logaddexp(own, logsumexp(own - z - m, axis=-1, keepdims=True))
    return (-m - np.where(np.abs(m).max(axis=-1, keepdims=True) < FAR, near, far)).reshape(shape)

"""The losses l and their weights s = -l', as logarithms: exact at any margin.

logistic      l(z) = log(1 + e^-z)    s(z) = 1 / (1 + e^z)
exponential   l(z) = e^-z             s(z) = e^-z
"""

import numpy as np
from scipy.special import logsumexp


def log_losses(z: np.ndarray, loss: str) -> np.ndarray:
    """log l(z) for every margin z."""
    if loss == "exponential":
        return -z
    deep = np.maximum(z, 30.0)  # log1p(x) = x (1 - x/2) to 1e-26 for x = e^-30
    shallow = np.minimum(z, 30.0)
    return np.where(z > 30.0, -deep + np.log1p(-0.5 * np.exp(-deep)), np.log(np.logaddexp(0.0, -shallow)))


def log_loss(z: np.ndarray, loss: str) -> np.ndarray:
    """log of the mean loss over the last axis of the margins z (..., n).

    >>> float(log_loss(np.array([20000.0, 10000.0]), "logistic")).__round__(6)
    -10000.693147
    """
    return logsumexp(log_losses(z, loss), axis=-1) - np.log(z.shape[-1])


def log_weights(z: np.ndarray, loss: str) -> np.ndarray:
    """log s(z) for every margin z."""
    return -z if loss == "exponential" else -np.logaddexp(0.0, z)

"""What may be done to real features before the labels are absorbed."""

import numpy as np


def standardized(X: np.ndarray) -> np.ndarray:
    """(n, d) features with mean 0 and variance 1 (divisor n) each; a constant feature becomes 0."""
    constant = X.min(axis=0) == X.max(axis=0)
    # Scaled by a power of two first, which is exact, so that squares can neither overflow nor vanish.
    X = np.ldexp(X, -np.frexp(np.abs(X).max(axis=0))[1])
    for _ in range(2):  # the second pass removes the rounding of the first mean
        X -= np.add.reduce(X, axis=0) / len(X)
    deviation = np.sqrt(np.add.reduce(X * X, axis=0) / len(X))
    # A constant feature is set, not divided: its mean rounds, and 1e-17 / 1e-17 is noise of size one.
    X[:, constant] = 0.0
    return X / np.where(constant, 1.0, deviation)


def with_intercept(X: np.ndarray) -> np.ndarray:
    """(n, d + 1) features: those of X, then a column of ones."""
    return np.hstack([X, np.ones((len(X), 1))])


def prepared(X: np.ndarray, standardize: bool, intercept: bool) -> np.ndarray:
    """X after the two options, in this order: the column of ones would not survive the other one."""
    X = standardized(X) if standardize else X
    return with_intercept(X) if intercept else X

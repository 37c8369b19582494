"""Gaussian rows with Toeplitz correlation."""

import math

import numpy as np

from implicitbias.parameters import Correlation, Count, Seed, family
from implicitbias.problems import Problem


@family
def correlated(n: Count = 10, d: Count = 50, rho: Correlation = 0.5, seed: Seed = 0) -> Problem:
    """Gaussian rows whose neighbouring coordinates are correlated.

    Covariance rho^|i-j|, by the recursion a_1 = z_1, a_k = rho a_{k-1} + sqrt(1 - rho^2) z_k along each row, z standard
    normal (that of ``gaussian``).

    Arguments
        n     number of rows; raising it keeps the first rows
        d     dimension
        rho   correlation of neighbours, -1 < rho < 1
        seed  integer >= 0

    Returns a ``Problem`` with rows (n, d).

    Errors: ``InputError`` listing every unfit argument.

    >>> correlated(n=2, d=3, rho=0.6, seed=0).rows.round(4)
    array([[ 0.1257, -0.0302,  0.4942],
           [ 0.1049, -0.3656,  0.0699]])

    Source: the autoregressive design of the sparse-regression literature; no single paper.
    """
    rows = np.random.default_rng(seed).normal(size=(n, d))
    rows[:, 1:] *= math.sqrt((1 - rho) * (1 + rho))
    for k in range(1, d):
        rows[:, k] += rho * rows[:, k - 1]
    return Problem(rows, name="correlated")

"""Gaussian rows."""

import numpy as np

from implicitbias.parameters import Count, Seed, family
from implicitbias.problems import Problem


@family
def gaussian(n: Count = 10, d: Count = 50, seed: Seed = 0) -> Problem:
    """Rows with independent standard normal entries.

    rows = numpy.random.default_rng(seed).normal(size=(n, d)), to the last bit.

    Arguments
        n     number of rows; raising it keeps the first rows
        d     dimension
        seed  integer >= 0

    Returns a ``Problem`` with rows (n, d); separable for n <= d, with probability 1/2 at n = 2 d (Cover 1965).

    Errors: ``InputError`` listing every unfit argument.

    >>> gaussian(n=2, d=3, seed=0).rows.round(4)
    array([[ 0.1257, -0.1321,  0.6404],
           [ 0.1049, -0.5357,  0.3616]])

    Source: the Gaussian data of Baek, Song, Yun, arXiv 2510.26303.
    """
    return Problem(np.random.default_rng(seed).normal(size=(n, d)), name="gaussian")

"""Scaled Rademacher rows: within a row all entries have one magnitude."""

import numpy as np

from implicitbias.parameters import Count, Seed, family
from implicitbias.problems import Problem


@family
def scaled_rademacher(n: Count = 10, d: Count = 50, seed: Seed = 0) -> Problem:
    """Random signs, the whole row scaled by its number.

    a_ik = r_i s_ik with r_i = i for i = 1..n and independent fair signs s_ik. On such rows a single-sample gradient
    is parallel to its own sign, so sign-based methods with batch size 1 move along the rows, as gradient methods do.

    Arguments
        n     number of rows; raising it keeps the first rows
        d     dimension
        seed  integer >= 0

    Returns a ``Problem`` with rows (n, d); rows may repeat up to scale when d is small.

    Errors: ``InputError`` listing every unfit argument.

    >>> scaled_rademacher(n=3, d=4, seed=0).rows
    array([[ 1., -1., -1., -1.],
           [ 2.,  2.,  2.,  2.],
           [ 3.,  3.,  3., -3.]])

    Source: Baek, Song, Yun, arXiv 2510.26303.
    """
    positive = np.random.default_rng(seed).random(size=(n, d)) >= 0.5
    size = np.arange(1.0, n + 1)[:, None]
    return Problem(np.where(positive, size, -size), name="scaled_rademacher")


@family
def scaled_rademacher_reference() -> Problem:
    """The scaled Rademacher set of four rows whose limits are known in closed form.

    The l_2 margin is 24/13, with direction proportional to (19, 13, 11, 5); the l_inf margin is 3, and its maximisers
    are the segment from (1, 1, 7/8, 1/8) to (1, 1, 1, 0).

    Arguments: none.

    Returns a ``Problem`` with rows (4, 4).

    Errors: ``InputError`` when given an argument.

    >>> scaled_rademacher_reference().rows
    array([[ 1.,  1.,  1.,  1.],
           [ 2.,  2.,  2., -2.],
           [ 3.,  3., -3., -3.],
           [ 4., -4.,  4., -4.]])

    Source: Baek, Song, Yun, arXiv 2510.26303.
    """
    rows = [[1, 1, 1, 1], [2, 2, 2, -2], [3, 3, -3, -3], [4, -4, 4, -4]]
    return Problem(rows, name="scaled_rademacher_reference")

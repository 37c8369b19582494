"""Two clouds: balanced ones, and a minority against a majority."""

import math

import numpy as np

from implicitbias.geometry.features import with_intercept
from implicitbias.parameters import Count, Flag, Minority, NotNegative, Positive, Seed, family
from implicitbias.problems import Problem


@family
def clusters(
    n: Count = 40,
    d: Count = 20,
    separation: Positive = 8.0,
    noise: NotNegative = 1.0,
    intercept: Flag = False,
    seed: Seed = 0,
) -> Problem:
    """Two Gaussian clouds with centres on either side of the origin; labels alternate +1, -1, +1, ...

    x_i = y_i (separation / 2) u + noise z_i with z_i standard normal and u a random unit vector, a_i = y_i x_i.

    Arguments
        n           number of rows; raising it keeps the first rows
        d           dimension of the clouds
        separation  distance of the centres, > 0
        noise       standard deviation of each coordinate, >= 0
        intercept   append a column of ones to x
        seed        integer >= 0

    Returns a ``Problem`` with rows (n, d), or (n, d + 1) with the intercept.

    Errors: ``InputError`` listing every unfit argument.

    >>> clusters(n=2, d=3, separation=8.0, noise=0.5, seed=0).rows.round(3)
    array([[ 0.384, -3.128, -2.233],
           [ 0.269, -2.795, -2.734]])

    Source: the usual two-cloud toy set; no single paper.
    """
    y = np.where(np.arange(n) % 2 == 0, 1.0, -1.0)
    return Problem(_clouds(y, d, separation, noise, intercept, seed), name="clusters")


@family
def imbalanced(
    n: Count = 40,
    d: Count = 20,
    fraction: Minority = 0.1,
    separation: Positive = 8.0,
    noise: NotNegative = 1.0,
    intercept: Flag = True,
    seed: Seed = 0,
) -> Problem:
    """Two Gaussian clouds of unequal weight: a minority labelled +1 among a majority labelled -1.

    The clouds are those of ``clusters``. The minority is spread evenly: the first m rows hold floor(fraction m + 1/2)
    of it, for every m. The intercept is on by default: without it the clouds are mirror images, and once the labels
    are absorbed the law of a row no longer depends on its class.

    Arguments
        n           number of rows; raising it keeps the first rows
        d           dimension of the clouds
        fraction    share of the minority, in (0, 0.5]
        separation  distance of the centres, > 0
        noise       standard deviation of each coordinate, >= 0
        intercept   append a column of ones to x
        seed        integer >= 0

    Returns a ``Problem`` with rows (n, d + 1), or (n, d) without the intercept; the last column then is y.

    Errors: ``InputError`` listing every unfit argument.

    >>> imbalanced(n=10, d=2, fraction=0.2).rows[:, -1]
    array([-1., -1.,  1., -1., -1., -1., -1.,  1., -1., -1.])

    Source: the usual two-cloud toy set; no single paper.
    """
    # math.floor of i * fraction + 1/2 stands half a row away from the products that round the wrong way (0.29 * 100).
    count = np.array([math.floor(i * fraction + 0.5) for i in range(n + 1)])
    y = np.where(np.diff(count) > 0, 1.0, -1.0)
    return Problem(_clouds(y, d, separation, noise, intercept, seed), name="imbalanced")


def _clouds(y, d, separation, noise, intercept, seed) -> np.ndarray:
    """(n, d) rows a_i = y_i x_i; small sets may be of one class."""
    z = np.random.default_rng(seed).normal(size=(len(y), d))
    # The direction has a stream of its own, so that it depends on neither n nor the noise.
    u = np.random.default_rng([seed, 1]).normal(size=d)
    u /= np.sqrt(np.add.reduce(u * u))
    X = (separation / 2) * y[:, None] * u + noise * z
    return y[:, None] * (with_intercept(X) if intercept else X)

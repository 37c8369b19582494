"""Gaussian rows whose covariance spectrum decays like a power."""

from decimal import Context, Decimal

import numpy as np

from implicitbias.geometry.rotation import rotate_by, rotate_rows
from implicitbias.parameters import Count, FlagOrSeed, NotNegative, Seed, family
from implicitbias.problems import Problem


@family
def power_law(
    n: Count = 10, d: Count = 50, alpha: NotNegative = 1.0, rotate: FlagOrSeed = False, seed: Seed = 0
) -> Problem:
    """Gaussian rows with covariance eigenvalues k^-alpha, along the axes or along a random basis.

    a_ik = k^(-alpha / 2) z_ik for k = 1..d, z standard normal (that of ``gaussian``). With rotate it becomes a_i Q,
    Q uniform on the orthogonal group: it hides the axes from coordinate-wise methods and keeps all l_2 geometry.

    Arguments
        n       number of rows; raising it keeps the first rows
        d       dimension
        alpha   exponent of the spectrum, >= 0
        rotate  apply the random rotation: True is one of the seed of the rows, a seed one of its own
        seed    integer >= 0

    Returns a ``Problem`` with rows (n, d).

    Errors: ``InputError`` listing every unfit argument.

    >>> power_law(n=2, d=3, alpha=2.0, seed=0).rows.round(4)
    array([[ 0.1257, -0.0661,  0.2135],
           [ 0.1049, -0.2678,  0.1205]])

    Source: uniform rotation by Householder reflections, Stewart 1980, doi 10.1137/0717034.
    """
    rows = np.random.default_rng(seed).normal(size=(n, d))
    rows *= powers(d, -alpha / 2)
    if rotate is True:
        rotate_rows(rows, seed, 1)
    elif rotate is not False:
        rows = rotate_by(rows, rotate)
    return Problem(rows, name="power_law")


def powers(count: int, exponent: float) -> np.ndarray:
    """(count,) the numbers 1^exponent, 2^exponent, ..., the same bits on every machine."""
    # Decimal powers, because the last bit of numpy's and libm's pow depends on the processor.
    context, power = Context(prec=30, traps=[]), Decimal(exponent)
    return np.array([float(context.power(Decimal(k), power)) for k in range(1, count + 1)])

"""Gaussian rows whose covariance spectrum decays like a power."""

from decimal import Context, Decimal

import numpy as np

from implicitbias.geometry.parameters import Count, Flag, NotNegative, Seed, family
from implicitbias.problem import Problem


@family
def power_law(n: Count = 10, d: Count = 50, alpha: NotNegative = 1.0, rotate: Flag = False, seed: Seed = 0) -> Problem:
    """Gaussian rows with covariance eigenvalues k^-alpha, along the axes or along a random basis.

    a_ik = k^(-alpha / 2) z_ik for k = 1..d, z standard normal (that of ``gaussian``). With rotate it becomes a_i Q,
    Q uniform on the orthogonal group: it hides the axes from coordinate-wise methods and keeps all l_2 geometry.

    Arguments
        n       number of rows; raising it keeps the first rows
        d       dimension
        alpha   exponent of the spectrum, >= 0
        rotate  apply the random rotation
        seed    integer >= 0

    Returns a ``Problem`` with rows (n, d).

    Errors: ``InputError`` listing every unfit argument.

    >>> power_law(n=2, d=3, alpha=2.0, seed=0).rows.round(4)
    array([[ 0.1257, -0.0661,  0.2135],
           [ 0.1049, -0.2678,  0.1205]])

    Source: uniform rotation by Householder reflections, Stewart 1980, doi 10.1137/0717034.
    """
    rows = np.random.default_rng(seed).normal(size=(n, d))
    # Decimal powers, because the last bit of numpy's and libm's pow depends on the processor.
    context, exponent = Context(prec=30, traps=[]), Decimal(-alpha / 2)
    rows *= np.array([float(context.power(Decimal(k), exponent)) for k in range(1, d + 1)])
    if rotate:
        _rotate(rows, np.random.default_rng([seed, 1]))
    return Problem(rows, name="power_law")


def _rotate(rows: np.ndarray, rng: np.random.Generator) -> None:
    """rows <- rows Q in place, Q the orthogonal factor of a Gaussian matrix with positive triangular diagonal.

    Q = H_1 ... H_d D: H_k reflects a Gaussian vector of the last d - k + 1 coordinates onto the first of them and D
    holds the signs. No BLAS or LAPACK: their bits differ between machines and with n.
    """
    for k in range(rows.shape[1]):
        v = rng.normal(size=rows.shape[1] - k)
        sign = np.copysign(1.0, v[0])
        v[0] += sign * np.sqrt(np.add.reduce(v * v))
        part = rows[:, k:]
        part -= np.add.reduce(part * v, axis=1)[:, None] * (v * (2 / np.add.reduce(v * v)))
        part[:, 0] *= -sign

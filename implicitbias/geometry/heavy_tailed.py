"""Rows with heavy tails."""

import numpy as np

from implicitbias.parameters import Count, Positive, Seed, family
from implicitbias.problems import Problem


@family
def heavy_tailed(n: Count = 10, d: Count = 50, df: Positive = 2.0, seed: Seed = 0) -> Problem:
    """Rows with independent Student t entries: a few coordinates dominate.

    Density proportional to (1 + x^2 / df)^(-(df + 1) / 2); moments below df are finite. Entries keep 24 bits.

    Arguments
        n     number of rows; raising it keeps the first rows
        d     dimension
        df    degrees of freedom, > 0; below about 0.05 entries overflow
        seed  integer >= 0

    Returns a ``Problem`` with rows (n, d).

    Errors: ``InputError`` listing every unfit argument, or the rows that overflow.

    >>> heavy_tailed(n=2, d=3, df=2.0, seed=0).rows.round(4)
    array([[  0.1245,  13.4437,  -0.4196],
           [  1.5004,  -0.2859, -17.3685]])

    Source: Student's distribution as numpy draws it; no single paper.
    """
    # The gamma variates behind t pass through libm and fused multiply-adds, whose last bits depend on the machine:
    # 24 bits are kept, as in single precision but with the range of double.
    digits, exponent = np.frexp(np.random.default_rng(seed).standard_t(df, size=(n, d)))
    return Problem(np.ldexp(np.rint(digits * 2.0**24), exponent - 24), name="heavy_tailed")

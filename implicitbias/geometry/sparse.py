"""Rows with few entries."""

import numpy as np

from implicitbias.errors import InputError
from implicitbias.parameters import Count, Flag, Seed, family
from implicitbias.problems import Problem


@family
def sparse(n: Count = 10, d: Count = 50, nonzeros: Count = 5, disjoint: Flag = False, seed: Seed = 0) -> Problem:
    """Rows with a few standard normal entries at random places, zero elsewhere.

    a_ik = z for k in a random set S_i with |S_i| = nonzeros; with disjoint, no two S_i meet, so that the rows are
    orthogonal and every coordinate belongs to at most one row.

    Arguments
        n         number of rows; raising it keeps the first rows
        d         dimension
        nonzeros  entries a row, at most d
        disjoint  supports that do not meet; needs n * nonzeros <= d
        seed      integer >= 0

    Returns a ``Problem`` with rows (n, d).

    Errors: ``InputError`` listing every unfit argument.

    >>> sparse(n=2, d=6, nonzeros=2, disjoint=True, seed=0).rows.round(2)
    array([[ 0.  ,  0.13,  0.  ,  0.  , -0.13,  0.  ],
           [ 0.1 ,  0.  ,  0.  ,  0.64,  0.  ,  0.  ]])

    Source: sparse and orthogonal designs as in the per-coordinate analyses of Adam; no single paper.
    """
    if nonzeros > d:
        raise InputError(f"sparse: nonzeros must be at most d = {d}, but is {nonzeros}")
    if disjoint and n * nonzeros > d:
        raise InputError(f"sparse: disjoint supports need n * nonzeros <= d, but {n} * {nonzeros} > {d}")
    values = np.random.default_rng(seed).normal(size=(n, nonzeros))
    places = np.random.default_rng([seed, 1])
    if disjoint:
        support = places.permutation(d)[: n * nonzeros].reshape(n, nonzeros)
    else:
        support = np.array([places.choice(d, size=nonzeros, replace=False) for _ in range(n)])
    rows = np.zeros((n, d))
    np.put_along_axis(rows, support, values, axis=1)
    return Problem(rows, name="sparse")

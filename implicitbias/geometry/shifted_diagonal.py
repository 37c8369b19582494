"""Shifted diagonal rows: axis-aligned up to a common shift."""

import math

import numpy as np

from implicitbias.errors import InputError
from implicitbias.parameters import MOST_ENTRIES, Number, Numbers, family
from implicitbias.problems import Problem


@family
def shifted_diagonal(diagonal: Numbers = (1, 2, 4, 8), shift: Number = 0.1) -> Problem:
    """A diagonal matrix with one small number everywhere off the diagonal.

    a_ii = diagonal[i], a_ik = shift for k != i. By default Adam goes to the l_inf direction (1, 1, 1, 1) at every
    batch size, with l_inf margin 1.3.

    Arguments
        diagonal  (d,) the diagonal; n = d rows
        shift     the entry off the diagonal

    Returns a ``Problem`` with rows (d, d).

    Errors: ``InputError`` listing every unfit argument, or the zero rows.

    >>> shifted_diagonal(diagonal=(1, 2), shift=0.1).rows
    array([[1. , 0.1],
           [0.1, 2. ]])

    Source: Baek, Song, Yun, arXiv 2510.26303.
    """
    if len(diagonal) ** 2 > MOST_ENTRIES:
        raise InputError(
            f"shifted_diagonal: diagonal must have at most {math.isqrt(MOST_ENTRIES)} numbers, but has {len(diagonal)}"
        )
    rows = np.full((len(diagonal), len(diagonal)), shift)
    np.fill_diagonal(rows, diagonal)
    return Problem(rows, name="shifted_diagonal")

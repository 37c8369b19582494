"""Two rows that pull in nearly opposite directions."""

import numpy as np

from implicitbias.parameters import Positive, family
from implicitbias.problems import Problem


@family
def opposed_pair(x: Positive = 2.0, gamma: Positive = 0.2) -> Problem:
    """Two rows whose first coordinates are opposed, and whose second is the margin.

    a_1 = (1, gamma), a_2 = (-x, gamma). The l_2 max-margin direction is (0, 1), with margin gamma: large steps are
    thrown back and forth along the first coordinate.

    Arguments
        x       how far the second row pulls back, > 0
        gamma   the margin, > 0

    Returns a ``Problem`` with rows (2, 2).

    Errors: ``InputError`` listing every unfit argument.

    >>> opposed_pair(x=2, gamma=0.2).rows
    array([[ 1. ,  0.2],
           [-2. ,  0.2]])

    Source: the toy data of large steps, Wu, Bartlett, Telgarsky, Yu, arXiv 2402.15926.
    """
    return Problem(np.array([[1.0, gamma], [-x, gamma]]), name="opposed_pair")

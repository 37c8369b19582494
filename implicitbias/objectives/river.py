"""A river valley: a hyperbola of minima, along which the value falls slowly."""

import math

import numpy as np

from implicitbias.jit import helper
from implicitbias.parameters import Number, objective
from implicitbias.problems.objective import Form, Objective, Reading


@helper
def _slope(w, g, numbers, index, size, t, seed):
    off = w[0] * w[1] - 1.0
    g[0] = off * w[1] - 1.0 / (1.0 + math.exp(w[0]))
    g[1] = off * w[0]
    return 0.0


def _value(numbers, w):
    return 0.5 * (w[:, 0] * w[:, 1] - 1.0) ** 2 + np.logaddexp(0.0, -w[:, 0])


def _hessian(numbers, w):
    a, b = w.T
    over = np.exp(-np.abs(a))
    across = 2.0 * a * b - 1.0
    return np.moveaxis(np.array([[b * b + over / (1.0 + over) ** 2, across], [across, a * a]]), -1, 0)


FORM = Form(
    "river", _slope, _value, _hessian,
    (
        Reading("off_river", "", "|w1 w2 - 1|: the distance from the river",
                lambda objective, w, lr: np.abs(w[:, 0] * w[:, 1] - 1.0)),
        Reading("along_river", "", "w1: how far down the river", lambda objective, w, lr: w[:, 0]),
    ),
)  # fmt: skip


@objective
def river(w1: Number = 2.0, w2: Number = 2.0) -> Objective:
    """(1/2) (w1 w2 - 1)^2 + log(1 + e^-w1) for weights (w1, w2).

    The river is w1 w2 = 1, down which w1 grows without end. Its walls are as steep as w1^2 + w2^2.

    Arguments: w1, w2, where runs start

    Returns an ``Objective`` of d = 2.

    Errors: ``InputError`` listing every unfit argument.

    >>> float(river().value([2.0, 0.5])).__round__(4)
    0.1269

    Source: Song, Baek, Ahn, Yun, Through the river, arXiv 2507.09846, Section 4.
    """
    return Objective(FORM, [], [w1, w2])

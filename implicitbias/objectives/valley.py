"""A quadratic valley, and samples that see it turned."""

import numpy as np

from implicitbias.jit import helper
from implicitbias.parameters import NotNegative, Number, Positive, objective
from implicitbias.problems.objective import Form, Objective, Reading


@helper
def _slope(w, g, numbers, index, size, t, seed):
    sign = 0.0
    for i in range(size):
        sign += 1.0 - 2.0 * index[i]
    noise = numbers[2] * sign / size
    g[0] = numbers[0] * w[0] + noise * w[1]
    g[1] = numbers[1] * w[1] + noise * w[0]
    return 0.0


def _value(numbers, w):
    return 0.5 * (numbers[0] * w[:, 0] ** 2 + numbers[1] * w[:, 1] ** 2)


def _hessian(numbers, w):
    return np.broadcast_to(np.diag(numbers[:2]), (len(w), 2, 2))


FORM = Form(
    "valley", _slope, _value, _hessian,
    (
        Reading("floor", "", "flat x^2 / 2: what is left to go along the valley",
                lambda objective, w, lr: 0.5 * objective.numbers[0] * w[:, 0] ** 2),
        Reading("wall", "", "steep y^2 / 2: the height over the floor",
                lambda objective, w, lr: 0.5 * objective.numbers[1] * w[:, 1] ** 2),
    ),
)  # fmt: skip


@objective
def valley(
    flat: Positive = 1.0, steep: Positive = 100.0, noise: NotNegative = 0.0, x: Number = 1.0, y: Number = 1.0
) -> Objective:
    """The mean of (flat x^2 + steep y^2)/2 +- noise x y, two samples, for weights (x, y).

    With all rows the noise cancels; one by one the gradients are along the wall wherever x is large.

    Arguments
        flat, steep   curvatures along and across, > 0
        noise         of the cross terms, >= 0
        x, y          where runs start

    Returns an ``Objective`` of d = 2 and n = 2.

    Errors: ``InputError`` listing every unfit argument.

    >>> valley(noise=100.0).gradient([1.0, 1.0])
    array([  1., 100.])

    Source: Song, Ahn, Yun, Does SGD really happen in tiny subspaces?, arXiv 2405.16002, Section 4.
    """
    return Objective(FORM, [flat, steep, noise], [x, y], n=2)

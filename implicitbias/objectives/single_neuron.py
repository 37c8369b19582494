"""A single neuron with a weight before and one behind it, on one datum."""

import math

import numpy as np

from implicitbias.jit import helper
from implicitbias.parameters import Number, objective
from implicitbias.problems.objective import Form, Objective, Reading


@helper
def _slope(w, g, numbers, index, size, t, seed):
    out = math.tanh(w[0])
    g[0] = out * (1.0 - out * out) * w[1] * w[1]
    g[1] = out * out * w[1]
    return 0.0


def _value(numbers, w):
    return 0.5 * (np.tanh(w[:, 0]) * w[:, 1]) ** 2


def _hessian(numbers, w):
    out, y = np.tanh(w[:, 0]), w[:, 1]
    bend = 1.0 - out * out
    across = 2.0 * out * bend * y
    top = bend * (bend - 2.0 * out * out) * y * y
    return np.moveaxis(np.array([[top, across], [across, out * out]]), -1, 0)


def _q(objective, w, lr):
    return 2.0 / (lr * w[:, 1] ** 2)


def _r(objective, w, lr):
    p = w[:, 0]
    safe = np.where(np.abs(p) < 1e-8, 1.0, p)  # r(p) = 1 + O(p^2)
    return np.where(np.abs(p) < 1e-8, 1.0, np.tanh(safe) * (1.0 - np.tanh(safe) ** 2) / safe)


FORM = Form(
    "single_neuron", _slope, _value, _hessian,
    (
        Reading("canonical_p", "", "p = x, what the neuron is given", lambda objective, w, lr: w[:, 0]),
        Reading("canonical_q", "", "q = 2/(eta y^2), over 1 where a minimum is stable", _q),
        Reading("canonical_r", "", "r(p) = tanh(p) tanh'(p)/p, the bifurcation curve", _r),
        Reading("q_over_r", "", "q/r(p): to 1 on the bifurcation curve", lambda *at: _q(*at) / _r(*at)),
        Reading("sharpness_gap", "", "2/eta - y^2: what sharpness is short of the edge",
                lambda objective, w, lr: 2.0 / lr - w[:, 1] ** 2),
    ),
    shown="canonical_p",
)  # fmt: skip


@objective
def single_neuron(x: Number = 0.5, y: Number = 3.0) -> Objective:
    """(1/2) tanh(x)^2 y^2 for weights (x, y).

    With p = x, q = 2/(eta y^2) and r(p) = tanh(p) tanh'(p)/p, a step of gradient descent is

    p+ = (1 - 2r/q) p,    q+ = q (1 - eta tanh(p)^2)^-2

    Arguments: x, y, where runs start

    Returns an ``Objective`` of d = 2.

    Errors: ``InputError`` listing every unfit argument.

    >>> single_neuron(x=0.0, y=2.0).hessian([0.0, 2.0])
    array([[4., 0.],
           [0., 0.]])

    Source: Song, Yun, Trajectory alignment, arXiv 2307.04204, Section 5.
    """
    return Objective(FORM, [], [x, y])

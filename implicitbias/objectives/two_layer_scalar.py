"""A linear network of two layers with one weight each, on one datum."""

from typing import Annotated

import numpy as np

from implicitbias.jit import helper
from implicitbias.objectives.scalar_losses import LOSSES, curvature, loss, second, slope_of, slopes
from implicitbias.parameters import Number, objective, one
from implicitbias.problems.objective import Form, Objective, Reading

LossName = Annotated[str, one(*LOSSES)]


@helper
def _slope(w, g, numbers, index, size, t, seed):
    move = slope_of(int(numbers[0]), w[0] * w[1])
    g[0] = move * w[1]
    g[1] = move * w[0]
    return 0.0


def _value(numbers, w):
    return loss(int(numbers[0]), w[:, 0] * w[:, 1])


def _hessian(numbers, w):
    kind, (u, v) = int(numbers[0]), w.T
    across = second(kind, u * v) * u * v + slopes(kind, u * v)
    bend = second(kind, u * v)
    return np.moveaxis(np.array([[bend * v * v, across], [across, bend * u * u]]), -1, 0)


def _p(objective, w, lr):
    return w[:, 0] * w[:, 1]


def _sharpness(objective, w):
    return curvature(int(objective.numbers[0])) * (w[:, 0] ** 2 + w[:, 1] ** 2)


def _q(objective, w, lr):
    return 2.0 / (lr * _sharpness(objective, w))


def _r(objective, w, lr):
    p, kind = _p(objective, w, lr), int(objective.numbers[0])
    small = np.abs(p) < 1e-8  # r(p) = 1 + O(p^2)
    safe = np.where(small, 1.0, p)
    return np.where(small, 1.0, slopes(kind, safe) / (safe * curvature(kind)))


def _gap(objective, w, lr):
    return 2.0 / lr - _sharpness(objective, w)


FORM = Form(
    "two_layer_scalar", _slope, _value, _hessian,
    (
        Reading("canonical_p", "", "p = u v, the output of the network", _p),
        Reading("canonical_q", "", "q = 2/(eta l''(0) (u^2 + v^2)), over 1 where a minimum is stable", _q),
        Reading("canonical_r", "", "r(p) = l'(p)/(l''(0) p), the bifurcation curve", _r),
        Reading("q_over_r", "", "q/r(p): to 1 on the bifurcation curve", lambda *at: _q(*at) / _r(*at)),
        Reading("sharpness_gap", "", "2/eta - l''(0) (u^2 + v^2): what sharpness is short of the edge", _gap),
    ),
    shown="canonical_p",
)  # fmt: skip


@objective
def two_layer_scalar(loss: LossName = "log_cosh", u: Number = 2.0, v: Number = 0.5) -> Objective:
    """l(u v) for weights (u, v), with l even and convex and its minimum at 0.

    With p = u v, q = 2/(eta l''(0) (u^2 + v^2)) and r(p) = l'(p)/(l''(0) p), a step of gradient descent is

    p+ = (1 - 2r/q + (l''(0) eta p r)^2) p,    1/q+ = (1/q) (1 - (l''(0) eta p)^2 r (2q - r))

    Trajectories from wherever come to the curve q = r(p), and slide along it to q = 1.

    Arguments
        loss   "log_cosh" log cosh p, "sqrt" (1 + p^2)^.5 - 1, or "logistic" log cosh(p/2), the logistic loss of a datum
               with both labels
        u, v   where runs start

    Returns an ``Objective`` of d = 2.

    Errors: ``InputError`` listing every unfit argument.

    >>> float(two_layer_scalar().gradient([2.0, 0.5])[0]).__round__(4)
    0.3808

    Source: Song, Yun, Trajectory alignment, arXiv 2307.04204, Section 4.
    """
    return Objective(FORM, [LOSSES.index(loss)], [u, v])

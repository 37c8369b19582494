"""The logistic loss with a minimum: label smoothing, labels of both kinds, a ridge."""

import math

import numpy as np

from implicitbias.errors import InputError
from implicitbias.jit import helper
from implicitbias.parameters import Minority, Number, Positive, objective
from implicitbias.problems.binary import Problem
from implicitbias.problems.objective import Form, Objective, Reading

SMOOTHING, RIDGE, FEATURES, ROWS = range(4)  # where its numbers are; the rows follow, one by one


@helper
def _slope(w, g, numbers, index, size, t, seed):
    d = int(numbers[FEATURES])
    for i in range(size):
        first, z = ROWS + index[i] * d, 0.0
        for j in range(d):
            z += numbers[first + j] * w[j]
        over = math.exp(-abs(z))
        weight = over / (1.0 + over) if z > 0.0 else 1.0 / (1.0 + over)  # 1/(1 + e^z)
        for j in range(d):
            g[j] -= (weight - numbers[SMOOTHING]) * numbers[first + j]
    for j in range(d):
        g[j] = g[j] / size + numbers[RIDGE] * w[j]
    return 0.0


def _rows(numbers) -> np.ndarray:
    return numbers[ROWS:].reshape(-1, int(numbers[FEATURES]))


def _value(numbers, w):
    z = w @ _rows(numbers).T
    fit = (np.logaddexp(0.0, -z) + numbers[SMOOTHING] * z).mean(axis=1)
    return fit + 0.5 * numbers[RIDGE] * (w * w).sum(axis=1)


def _hessian(numbers, w):
    rows = _rows(numbers)
    over = np.exp(-np.abs(w @ rows.T))
    weights = over / (1.0 + over) ** 2 / len(rows)
    return np.einsum("sn,ni,nj->sij", weights, rows, rows) + numbers[RIDGE] * np.eye(rows.shape[1])


FORM = Form(
    "logistic", _slope, _value, _hessian,
    (Reading("size", "", "||w||_2", lambda objective, w, lr: np.linalg.norm(w, axis=1)),),
)  # fmt: skip


def with_minimum(problem: Problem, smoothing: float, ridge: float) -> Objective:
    """The mean over the rows of (1 - smoothing) l(z) + smoothing l(-z), plus ridge ||w||^2/2, from w = 0."""
    if smoothing == 0.0 and ridge == 0.0:
        raise InputError("without smoothing and ridge this is the problem itself; leave both out")
    numbers = np.concatenate([[smoothing, ridge, problem.d], problem.rows.reshape(-1)])
    return Objective(FORM, numbers, np.zeros(problem.d), n=problem.n)


@objective
def noisy_logistic(x: Positive = 1.0, rho: Minority = 0.5, w: Number = 0.1) -> Objective:
    """One datum that has the label +1 in a share 1 - rho of all cases: (1 - rho) l(x w) + rho l(-x w).

    With rho = 1/2 it is log(2 cosh(x w/2)); a minimum, at x w = log(1/rho - 1), has the sharpness x^2 rho (1 - rho).

    Arguments
        x     the datum, > 0
        rho   share of the other label, in (0, 1/2]
        w     where runs start

    Returns an ``Objective`` of d = 1.

    Errors: ``InputError`` listing every unfit argument.

    >>> noisy_logistic(x=2.0, rho=0.5).hessian([0.0])
    array([[1.]])

    Source: gradient descent on it, Meng, Orvieto, Cao, De Sa, arXiv 2406.05033.
    """
    return Objective(FORM, [rho, 0.0, 1.0, x], [w])

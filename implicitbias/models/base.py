"""What a model of depth is: weights theta that make the linear predictor w(theta) which sees the rows."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import numpy as np

from implicitbias.errors import InputError
from implicitbias.jit import helper, hot
from implicitbias.parameters import Rule
from implicitbias.problems.binary import Problem
from implicitbias.problems.objective import Form, Objective
from implicitbias.simulation.tail import LN2_HIGH, LN2_LOW, LOG2_E, LOSSES, pow2

SHAPE = 4  # numbers of a model before the rows: features, loss, and two of its own


@hot
def places(numbers):
    """Where the weights of the samples, the predictor and its gradient are."""
    d = int(numbers[0])
    n = (numbers.shape[0] - SHAPE - 2 * d) // (d + 2)
    first = SHAPE + n * d
    return numbers[first : first + 2 * n], numbers[first + 2 * n : first + 2 * n + d], numbers[first + 2 * n + d :]


@helper
def pull_back(numbers, index, size):
    """The gradient of the mean loss of a batch by the predictor, both in their `places`, in units of 2^unit, which is
    returned: the exponent of the heaviest weight. Exact at any margin."""
    weights, w, g = places(numbers)
    d, exponential = int(numbers[0]), numbers[1] > 0.0
    unit = -np.inf
    f_each, q_each = weights[:size], weights[size : 2 * size]
    for i in range(size):
        z = product(numbers[SHAPE + index[i] * d : SHAPE + (index[i] + 1) * d], w)
        x = -z if exponential else -abs(z)
        q = math.floor(x * LOG2_E + 0.5)
        f = math.exp((x - q * LN2_HIGH) - q * LN2_LOW)
        if not exponential:
            small = f * pow2(q)
            f = (1.0 if z < 0.0 else f) / (1.0 + small)
            q = 0.0 if z < 0.0 else q
        f_each[i], q_each[i] = f, q
        unit = max(unit, q)
    for j in range(d):
        g[j] = 0.0
    for i in range(size):
        row = numbers[SHAPE + index[i] * d : SHAPE + (index[i] + 1) * d]
        weight = -f_each[i] * pow2(q_each[i] - unit) / size
        for j in range(d):
            g[j] += weight * row[j]
    return unit


@hot
def product(x, y):
    """x.y, in four sums that do not wait for each other."""
    a, b, c, e = 0.0, 0.0, 0.0, 0.0
    whole = x.shape[0] // 4 * 4
    for j in range(0, whole, 4):
        a += x[j] * y[j]
        b += x[j + 1] * y[j + 1]
        c += x[j + 2] * y[j + 2]
        e += x[j + 3] * y[j + 3]
    for j in range(whole, x.shape[0]):
        a += x[j] * y[j]
    return (a + b) + (c + e)


def parameter(default: Any, rule: Rule) -> Any:
    """A parameter of a model."""
    return field(default=default, metadata={"rule": rule})


@dataclass(frozen=True)
class Model:
    """Hyper-parameters of a model; `simulate(..., model=...)` runs optimizers on its weights theta.

    Errors: ``InputError`` listing every parameter that is wrong.
    """

    name: ClassVar[str]
    form: ClassVar[Form]

    def begin(self, d: int) -> np.ndarray:
        """(m,) theta where runs begin."""
        raise NotImplementedError

    def own(self) -> tuple[float, float]:
        """Two numbers for its kernel."""
        raise NotImplementedError

    def predictor(self, theta: np.ndarray, d: int) -> np.ndarray:
        """(..., d) w of weights (..., m)."""
        raise NotImplementedError

    def params(self) -> dict[str, Any]:
        """As a study names them."""
        return {"model": self.name, **{item.name: getattr(self, item.name) for item in fields(self)}}

    def __post_init__(self) -> None:
        mistakes = []
        for item in fields(self):
            try:
                object.__setattr__(self, item.name, item.metadata["rule"].convert(getattr(self, item.name)))
            except (TypeError, ValueError, OverflowError):
                words = item.metadata["rule"].words
                mistakes.append(
                    f"{item.name} of {type(self).__name__} must be {words}, not {getattr(self, item.name)!r}"
                )
        if mistakes:
            raise InputError(mistakes)


class Deep(Objective):
    """Data under a model: an objective of theta whose predictor w(theta) is measured as that of the data.

    Attributes
        data   the Problem
        model  the Model
    """

    def __init__(self, data: Problem, model: Model, loss: str = "logistic"):
        if not isinstance(data, Problem):
            raise InputError(f"a model of depth is for data of two classes, not for a {type(data).__name__}")
        self.data, self.model = data, model
        room = np.zeros(2 * (data.n + data.d))  # for weights, predictor and its gradient: kernels allocate nothing
        numbers = np.concatenate([[data.d, LOSSES[loss], *model.own()], data.rows.reshape(-1), room])
        super().__init__(model.form, numbers, model.begin(data.d), data.n, data.params | model.params())
        self.reading = data.reading

    def predictor(self, theta: np.ndarray) -> np.ndarray:
        """(..., d) the w of weights (..., m)."""
        return self.model.predictor(theta, self.data.d)

    def value(self, weights: np.ndarray) -> np.ndarray:
        loss = next(name for name, number in LOSSES.items() if number == self.numbers[1])
        with np.errstate(under="ignore"):
            return np.exp(self.log_loss(np.asarray(weights, np.float64), loss))

    def finite(self, weights: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore", invalid="ignore"):
            return np.isfinite(weights).all(axis=-1) & self.data.finite(self.predictor(weights))

    def log_loss(self, weights: np.ndarray, loss: str) -> np.ndarray:
        return self.data.log_loss(self.predictor(weights), loss)

    def under(self, loss: str) -> Deep:
        """The same with another loss."""
        return self if self.numbers[1] == LOSSES[loss] else Deep(self.data, self.model, loss)

    def __repr__(self) -> str:
        return f"Deep({self.data!r}, {self.model!r})"

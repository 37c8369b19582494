"""Linear networks of two layers."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from implicitbias.jit import helper
from implicitbias.models.base import Model, parameter, places, pull_back
from implicitbias.parameters import COUNT, POSITIVE, SEED
from implicitbias.problems.objective import Form


@helper
def _slope(theta, g, numbers, index, size, t, seed):
    d, width = int(numbers[0]), int(numbers[2])
    _, w, down = places(numbers)
    for j in range(d):
        w[j] = 0.0
    for h in range(width):
        for j in range(d):
            w[j] += theta[width * d + h] * theta[h * d + j]
    unit = pull_back(numbers, index, size)
    for h in range(width):
        for j in range(d):
            g[h * d + j] = theta[width * d + h] * down[j]
            g[width * d + h] += theta[h * d + j] * down[j]
    return unit


@dataclass(frozen=True)
class TwoLayer(Model):
    """A fully connected linear network of two layers: w = V' u of theta = (V, u), V (width, d) row by row.

    The layers become aligned, and gradient descent goes to the l2 max-margin direction.

    Arguments
        width   hidden units, an integer >= 1
        start   > 0, the scale of the Gaussian numbers that V sqrt(d) and u sqrt(width) begin at
        init    seed of these numbers, an integer >= 0

    Errors: ``InputError`` listing every argument that is wrong.

    >>> TwoLayer(width=1).predictor(np.array([3.0, 1.0, 2.0]), 2)
    array([6., 2.])

    Source: Ji, Telgarsky, arXiv 1810.02032.
    """

    width: int = parameter(4, COUNT)
    start: float = parameter(0.1, POSITIVE)
    init: int = parameter(0, SEED)

    name: ClassVar[str] = "two_layer"
    form: ClassVar[Form] = Form("two_layer", _slope, None, None)

    def begin(self, d: int) -> np.ndarray:
        random = np.random.default_rng(self.init)
        first = random.normal(size=self.width * d) / np.sqrt(d)
        return self.start * np.concatenate([first, random.normal(size=self.width) / np.sqrt(self.width)])

    def own(self) -> tuple[float, float]:
        return float(self.width), 0.0

    def predictor(self, theta: np.ndarray, d: int) -> np.ndarray:
        layers = theta[..., : self.width * d].reshape(*theta.shape[:-1], self.width, d)
        return np.einsum("...hj,...h->...j", layers, theta[..., self.width * d :])

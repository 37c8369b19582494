"""Diagonal networks."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from implicitbias.jit import helper
from implicitbias.models.base import Model, parameter, places, pull_back
from implicitbias.parameters import COUNT, POSITIVE, one
from implicitbias.problems.objective import Form

LAYOUTS = ("signed", "product")


@helper
def _slope(theta, g, numbers, index, size, t, seed):
    d, depth, product = int(numbers[0]), int(numbers[2]), numbers[3] > 0.0
    _, w, down = places(numbers)
    for j in range(d):
        if product:
            w[j] = 1.0
            for k in range(depth):
                w[j] *= theta[k * d + j]
        else:
            w[j] = theta[j] ** depth - theta[d + j] ** depth
    unit = pull_back(numbers, index, size)
    for j in range(d):
        if not product:
            g[j] = depth * theta[j] ** (depth - 1) * down[j]
            g[d + j] = -depth * theta[d + j] ** (depth - 1) * down[j]
            continue
        for k in range(depth):
            g[k * d + j] = down[j]
            for other in range(depth):
                if other != k:
                    g[k * d + j] *= theta[other * d + j]
    return unit


@dataclass(frozen=True)
class Diagonal(Model):
    """A diagonal network: each coordinate of the predictor is made of weights of its own.

    signed   w = u^L - v^L, entry by entry, of theta = (u, v)
    product  w = u_1 o ... o u_L, of theta = (u_1, ..., u_L)

    From a small start gradient descent goes towards the l1 margin with L = 2, and to sparser predictors beyond; from a
    large one it stays in the kernel regime for long, and goes towards that of l2. A product from positive weights stays
    positive.

    Arguments
        depth   L, an integer >= 1
        start   > 0, what all of theta begins at
        layout  "signed" or "product"

    Errors: ``InputError`` listing every argument that is wrong.

    >>> Diagonal(depth=2, start=0.5).predictor(np.array([3.0, 1.0, 2.0, 0.0]), 2)
    array([5., 1.])

    Source: Woodworth et al., arXiv 2002.09277; Gunasekar, Lee, Soudry, Srebro, arXiv 1806.00468.
    """

    depth: int = parameter(2, COUNT)
    start: float = parameter(0.1, POSITIVE)
    layout: str = parameter("signed", one(*LAYOUTS))

    name: ClassVar[str] = "diagonal"
    form: ClassVar[Form] = Form("diagonal", _slope, None, None)

    def begin(self, d: int) -> np.ndarray:
        return np.full((2 if self.layout == "signed" else self.depth) * d, self.start)

    def own(self) -> tuple[float, float]:
        return float(self.depth), float(LAYOUTS.index(self.layout))

    def predictor(self, theta: np.ndarray, d: int) -> np.ndarray:
        parts = theta.reshape(*theta.shape[:-1], -1, d)
        if self.layout == "product":
            return parts.prod(axis=-2)
        return parts[..., 0, :] ** self.depth - parts[..., 1, :] ** self.depth

"""l_2: sqrt(sum_j w_j^2), the norm of gradient descent (arXiv 1710.10345)."""

import math
from dataclasses import dataclass

import numpy as np

from implicitbias.lengths import length
from implicitbias.margins.norms.base import Norm, up


@dataclass(frozen=True)
class L2(Norm):
    name, symbol = "l2", "ℓ₂"
    usual = followed = True

    def value(self, w):
        return math.hypot(*w.ravel().tolist())

    def values(self, rows):
        return length(rows.reshape(len(rows), math.prod(rows.shape[1:])))

    def above(self, w):
        sizes = np.abs(w).tolist()
        size = math.hypot(*sizes)  # documented to be right to an ulp, and exact for one number
        return size if sizes.count(0.0) == len(sizes) - 1 else up(size)

    def dual_above(self, y):
        return self.above(y)

    def solve(self, unit, l2):
        from implicitbias.margins import euclidean

        return euclidean.solve(unit)


NORM = L2

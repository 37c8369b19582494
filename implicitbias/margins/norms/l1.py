"""l_1: sum_j |w_j|, the norm of coordinate descent and boosting (arXiv 1802.08246)."""

from dataclasses import dataclass

import numpy as np

from implicitbias.margins.norms.base import Active, Polyhedral
from implicitbias.margins.norms.linf import sum_above


@dataclass(frozen=True)
class L1(Polyhedral):
    name, symbol = "l1", "ℓ₁"
    matrices = usual = True

    def value(self, w):
        return float(np.abs(w).sum())

    def values(self, rows):
        return np.abs(rows).sum(axis=tuple(range(1, rows.ndim)))

    def above(self, w):
        return sum_above(w)

    def dual_above(self, y):
        return max(np.abs(y).tolist())

    def program(self, b, level, unit_of):
        """w = x+ - x-, where each of them costs 1/unit_of."""
        d = b.shape[1]
        matrix = np.vstack([np.hstack([b, -b, level]), np.r_[-1 / unit_of, -1 / unit_of, 0.0]])
        rhs = np.r_[np.zeros(len(b)), -1.0]
        return matrix, rhs, np.zeros(2 * d + 1), np.r_[unit_of, unit_of, 2.0]

    def point(self, x, d):
        return x[:d] - x[d : 2 * d]

    def integer_program(self, m):
        """w = x+ - x-, all of price 1."""
        return np.hstack([m, -m]), np.ones(2 * m.shape[1], dtype=object)

    def integer_point(self, x, d):
        return x[:d] - x[d:]

    def active(self, y, known, direction):
        """w_j = 0 where |y_j| is not the largest, and has the sign of y_j elsewhere."""
        free = np.abs(y) >= np.abs(y).max() - known
        signs = np.sign(y[free])
        return Active(free, signs[None], np.diag(signs), signs * direction[free])


NORM = L1

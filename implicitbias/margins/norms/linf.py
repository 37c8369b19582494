"""l_inf: max_j |w_j|, the norm of sign descent and of full-batch Adam (arXiv 2406.10650)."""

import math
from dataclasses import dataclass

import numpy as np

from implicitbias.margins.norms.base import Active, Polyhedral, up


@dataclass(frozen=True)
class LInf(Polyhedral):
    name, symbol = "linf", "ℓ∞"
    usual = followed = True
    instead = "max"

    def value(self, w):
        return float(np.abs(w).max())

    def values(self, rows):
        return np.abs(rows).max(axis=tuple(range(1, rows.ndim)))

    def above(self, w):
        return max(np.abs(w).tolist())

    def dual_above(self, y):
        return sum_above(y)

    def program(self, b, level, unit_of):
        """-unit_of_j <= w_j <= unit_of_j."""
        bound = 2 * np.sqrt(b.shape[1])
        return np.hstack([b, level]), np.zeros(len(b)), np.r_[-unit_of, 0.0], np.r_[unit_of, bound]

    def point(self, x, d):
        return x[:d]

    def integer_program(self, m):
        """w = x - r 1 with 0 <= x <= 2 r, and r is the price."""
        d = m.shape[1]
        box = np.hstack([-np.eye(d, dtype=np.int64).astype(object), np.full((d, 1), 2, dtype=object)])
        return np.vstack([np.column_stack([m, -m.sum(axis=1)]), box]), np.r_[np.zeros(d, dtype=object), 1]

    def integer_point(self, x, d):
        return x[:d] - x[d]

    def active(self, y, known, direction):
        """w_j = sign(y_j) where y_j is not 0."""
        free = np.abs(y) <= known
        normals = np.vstack([np.eye(free.sum()), -np.eye(free.sum())])
        return Active(free, normals[:0], normals, np.r_[1 + direction[free], 1 - direction[free]])

    def idle(self, kept):
        return ~kept


def sum_above(w: np.ndarray) -> float:
    """sum_j |w_j|, or the next number above it."""
    sizes = np.abs(w).tolist()
    total = math.fsum(sizes)
    return up(total) if math.fsum([*sizes, -total]) > 0 else total


NORM = LInf

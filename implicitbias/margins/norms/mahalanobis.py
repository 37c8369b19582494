"""Mahalanobis: sqrt(sum_j diag_j w_j^2), a seminorm if diag has zeros; the norm of AdaGrad (arXiv 1906.03559)."""

import math
from dataclasses import dataclass

import numpy as np

from implicitbias.errors import InputError
from implicitbias.margins.norms.base import Active, Norm, up


@dataclass(frozen=True)
class Mahalanobis(Norm):
    """A diagonal Mahalanobis norm.

    >>> Mahalanobis.of([4.0, 0.0], (2,)).dual_above(np.array([6.0, 0.0])) - 3 < 1e-14
    True
    """

    diag: tuple[float, ...]
    name, symbol = "mahalanobis", "Mahalanobis"

    @classmethod
    def of(cls, parameter, shape):
        (d,) = shape
        try:
            diag = np.asarray(parameter, dtype=np.float64)
        except (TypeError, ValueError):
            raise InputError(f"the diag of mahalanobis must be {d} numbers >= 0") from None
        mistakes = []
        if diag.shape != (d,):
            mistakes.append(f"the diag of mahalanobis must have shape ({d},), but has shape {diag.shape}")
        if not np.isfinite(diag).all():
            mistakes.append("the diag of mahalanobis must be finite, but has NaN or infinite entries")
        if (diag < 0).any():
            mistakes.append(f"the diag of mahalanobis must be >= 0, but its smallest entry is {np.nanmin(diag):g}")
        if mistakes:
            raise InputError(mistakes)
        return cls(tuple(diag.tolist()))

    @property
    def strictly_convex(self):
        return min(self.diag) > 0

    @property
    def blind(self):
        return None if self.strictly_convex else np.array(self.diag) == 0

    def value(self, w):
        return math.hypot(*(np.sqrt(self.diag) * w).tolist())

    def above(self, w):
        # A root and a product: two roundings in each term, and one of the whole.
        return up(math.hypot(*(np.sqrt(self.diag) * np.abs(w)).tolist()) * (1 + 2.0**-50))

    def dual_above(self, y):
        diag = np.array(self.diag)
        costly = diag > 0
        return up(math.hypot(*(np.abs(y[costly]) / np.sqrt(diag[costly])).tolist()) * (1 + 2.0**-50))

    def solve(self, unit, l2):
        from implicitbias.margins import mahalanobis

        return mahalanobis.solve(unit, np.array(self.diag), l2)

    def active(self, y, known, direction):
        """w_j is fixed where diag_j > 0."""
        none = np.empty((0, self.blind.sum()))
        return Active(self.blind, none, none, none.sum(axis=1))

    def narrowed(self, kept):
        return Mahalanobis(tuple(np.array(self.diag)[kept].tolist()))

    def idle(self, kept):
        return ~kept & (np.array(self.diag) == 0)


NORM = Mahalanobis

"""What norms of matrices have beside those of vectors: a barrier of their ball, for the interior point method."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from implicitbias.margins.norms.base import Norm

EPS = np.finfo(float).eps


@dataclass(frozen=True)
class MatrixNorm(Norm):
    """A norm N(W) of matrices that is not that of their entries as a vector.

    The ball N(M) <= 1 of matrices (a, b) is described by a self-concordant barrier F(v), infinite outside. v holds the
    entries of M and then, where the ball is the shadow of a simpler set in more dimensions, ``extra`` others.

    Class attributes
        turns  whether N stays the same when W is turned from the left, and from the right: then it does not grow
               under orthogonal projections, and W is looked for among matrices whose columns sum to zero, and whose
               rows are spanned by the samples, because the margins see nothing else of it
    """

    vectors: ClassVar[bool] = False
    matrices: ClassVar[bool] = True
    entrywise: ClassVar[bool] = False
    instead: ClassVar[str] = "l2"
    turns: ClassVar[tuple[bool, bool]] = (True, True)

    @property
    def strictly_convex(self):
        return False

    def sizes(self, w: np.ndarray) -> np.ndarray:
        """(S,) N of matrices (S, k, d) with entries of the size of 1."""
        raise NotImplementedError

    def dual_sizes(self, y: np.ndarray) -> np.ndarray:
        """(S,) N* of matrices (S, k, d) with entries of the size of 1."""
        raise NotImplementedError

    def extra(self, shape: tuple[int, int]) -> int:
        """How many numbers v has after the entries of M (a, b)."""
        return 0

    def inside(self, m: np.ndarray) -> np.ndarray:
        """A v of M, N(M) < 1, at which the barrier is finite."""
        return m.ravel()

    def barrier(self, v: np.ndarray, shape: tuple[int, int]) -> float:
        """F(v), infinite outside of the ball."""
        raise NotImplementedError

    def derivatives(self, v: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """The gradient (q,) of F at v (q,), and its Hessian (q, q)."""
        raise NotImplementedError

    def value(self, w):
        return float(self.values(w[None])[0])

    def values(self, rows):
        return _at_ordinary_scale(self.sizes, rows)

    def above(self, w):
        return self.value(w) * _allowance(w)

    def dual_above(self, y):
        return float(_at_ordinary_scale(self.dual_sizes, y[None])[0]) * _allowance(y)

    def solve(self, unit, l2):
        from implicitbias.margins import interior

        return interior.solve(unit, self, l2)

    def face(self, unit, direction, dual):
        from implicitbias.margins.round_face import RoundFace

        return RoundFace(unit, self, direction)


def singular_values(w: np.ndarray) -> np.ndarray:
    """(S, min(k, d)) those of matrices (S, k, d), the largest first."""
    return np.linalg.svd(w, compute_uv=False)


def _allowance(w):
    """1 and what singular values, lengths and sums of them may be off: a few ulps of the largest for each entry."""
    return 1.0 + 4.0 * w.size * EPS


def _at_ordinary_scale(sizes, w):
    """The sizes of matrices of any scale; NaN for those that are not finite."""
    finite = np.isfinite(w).all(axis=(1, 2))
    w = np.where(finite[:, None, None], w, 0.0)
    exponents = np.frexp(np.abs(w).max(axis=(1, 2)))[1]
    return np.where(finite, np.ldexp(sizes(np.ldexp(w, -exponents[:, None, None])), exponents), np.nan)

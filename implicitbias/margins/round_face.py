"""The optimal face of a norm of matrices: no polytope, so it is seen with a margin a little below the best."""

from functools import cached_property

import numpy as np

from implicitbias.margins.interior import Path, Reduced

RELAXED = 1e-9  # the part of the margin that is given up: what remains has an inside
# Where the maximiser is a single point the matrices that give up so little lie within about sqrt(RELAXED), 3e-5, times
# a factor for how flat the ball is there. Faces narrower than this part of the direction's length count as points.
POINT = 1e-3
WIDTH, NEAREST = 1e-6, 1e-11  # how near to their best the programs for the width and for the nearest point come


class RoundFace:
    """The face {W : N(W) <= 1, min_i <a_i, W> >= margin (1 - 1e-9)}, among the matrices that the margins see.

    These have columns that sum to zero and rows spanned by the samples, where the norm allows it (``Reduced``): W and
    W + 1 v' have the same margins, and are not told apart.

    Arguments
        unit       the rows a_i, with vec(W)
        norm       a norm of matrices
        direction  (k, d) an optimal direction with N(direction) = 1

    >>> from implicitbias.margins.norms import norm_of
    >>> from implicitbias.margins.unit_rows import UnitRows
    >>> unit = UnitRows(np.array([[2.0, 0.0, -2.0, 0.0]]))  # one sample x = (2, 0) of the first of two classes
    >>> face = RoundFace(unit, norm_of("columns", (2, 2)), np.array([[1.0, 0.0], [-1.0, 0.0]]) / np.sqrt(2))
    >>> face.is_point, bool(np.abs(face.nearest(np.array([[0.0, 0.3], [0.0, -0.3]]))[:, 1] - [0.3, -0.3]).max() < 1e-3)
    (False, True)
    """

    tolerance = 10 * RELAXED

    def __init__(self, unit, norm, direction):
        self.unit, self.norm, self.direction = unit, norm, direction

    @cached_property
    def reduced(self):
        return Reduced(self.unit.b, self.norm, self.direction.shape)

    @property
    def is_point(self) -> bool:
        """Whether its extremes along two random directions (seed 0) are apart by less than 1e-3 of its length."""
        return self.ends() is None

    def ends(self):
        """Two of its points (k, d) that are apart, along one of two random directions; None if it is a point."""
        size = self.reduced.rows.shape[1]
        for cost in np.random.default_rng(0).normal(size=(2, size)):
            cost /= np.linalg.norm(cost)
            ends = self._least(cost, 0.0, WIDTH), self._least(-cost, 0.0, WIDTH)
            if np.linalg.norm(ends[0] - ends[1]) > POINT * np.linalg.norm(self.direction):
                return ends
        return None

    def nearest(self, u: np.ndarray) -> np.ndarray:
        """The point of the face nearest to u (k, d) in the Frobenius norm, to about 1e-4."""
        return self._least(-self.reduced.down(u).ravel(), 1.0, NEAREST)

    def _least(self, cost, quadratic, gap):
        """The W (k, d) of the face with the least  cost.M + |M|^2 quadratic/2."""
        m = self.reduced.down(self.direction)
        products = self.reduced.rows @ m.ravel()
        level = (products / self.unit.h).min() * self.unit.h
        v = self.reduced.inside(m * (1.0 - RELAXED / 2.0))
        others = np.zeros((len(level), len(v) - m.size))
        rows = np.hstack([self.reduced.rows / level[:, None], others])
        cost = np.concatenate([cost, others[0]])
        path = Path(self.reduced, rows, np.full(len(level), 1.0 - RELAXED), cost, quadratic)
        for point in path.follow(v, gap):
            v = point.v
        return self.reduced.up(v)

"""The optimal face of a margin problem whose maximiser need not be unique: its width, and the nearest point on it."""

from typing import Protocol

import numpy as np

from implicitbias.margins.exact import ExactMatrix

# Complementary slackness turns what the dual weights say into equations. A weight or reduced cost below this part
# of the largest counts as zero: the dual is exact to about 1e-12, and leaving out an equation is harmless, because
# the inequalities that imply it stay.
ZERO = 1e-9
ROUND_OFF = 2.0**-46  # of a sum, as a part of its terms: the weights are rounded, and a hundred of them are added
# Singular values below this part of the largest are round-off of an equation that depends on the others.
RANK = 1e-11
EVEN = 1e6  # entries within this factor of each other are of one size
# Faces narrower than this part of the direction's length count as points: HiGHS meets constraints to 1e-10, and the
# corner of two of them may be a hundred times further out.
POINT = 1e-7


class AnyFace(Protocol):
    """What a separator asks of an optimal face."""

    @property
    def is_point(self) -> bool: ...

    def nearest(self, u: np.ndarray) -> np.ndarray: ...


class Face:
    """The face {w : N(w) <= 1, min_i a_i.w >= margin}, written as w = direction + basis z with G z >= -slack.

    Every optimal w meets with equality each row that has dual weight, and attains w.y = N(w) N*(y) for y = A'c, which
    fixes some of its coordinates (``Norm.active``). ``basis`` spans the null space of these equations; what they leave
    over is bounded by the other rows and the norm's own inequalities. z = 0 is feasible by construction.

    Arguments
        unit       the rows a_i
        norm       a norm that is not strictly convex
        direction  (d,) an optimal direction with N(direction) = 1
        dual       (n,) optimal weights in the simplex

    >>> from implicitbias.margins.norms import norm_of
    >>> from implicitbias.margins.unit_rows import UnitRows
    >>> unit = UnitRows(np.array([[2.0, 1.0], [2.0, -1.0]]))
    >>> face = Face(unit, norm_of("linf", 2), np.array([1.0, 0.0]), np.array([0.5, 0.5]))
    >>> face.is_point, face.nearest(np.array([0.7, 0.2]))
    (True, array([1., 0.]))
    """

    tolerance = 1e-9  # of a level that its points meet

    def __init__(self, unit, norm, direction, dual):
        self.direction = direction
        alpha = unit.multipliers(dual)
        y = unit.exact.dot_rows(alpha)
        terms = np.abs(unit.b).T @ alpha
        known = np.minimum(ZERO * terms, np.maximum(ZERO * np.abs(y).max(), ROUND_OFF * terms))
        tight = alpha > ZERO * alpha.max()
        free, equations, normals, slack = norm.active(y, known, direction)
        equations = np.vstack([unit.b[tight][:, free], equations])
        # Rows: b_i.w - h_i t has slack >= 0, with t the margin in units of the shortest row.
        products = unit.exact.dot(direction)
        level = unit.relative(products).min()
        slack = np.concatenate([(products - unit.h * level)[~tight], slack])
        self.free = free
        self.basis = _null_space(equations)
        normals = np.vstack([unit.b[~tight][:, free], normals]) @ self.basis
        size = np.linalg.norm(normals, axis=1)
        moves = size > RANK  # the others are constant on the face
        self.normals = normals[moves] / size[moves, None]
        self.slack = np.maximum(slack[moves], 0.0) / size[moves]

    @property
    def is_point(self) -> bool:
        """Whether the face is a single point: no basis, or no width along three random directions (seed 0)."""
        return self.ends() is None

    def ends(self):
        """Two of its points (d,) that are apart, along one of three random directions; None if it is a point."""
        from scipy.optimize import linprog

        k = self.basis.shape[1]
        if k == 0:
            return None
        # A face may be unbounded where the norm is blind (zeros in diag); a box of 1 is enough to see its width.
        for cost in np.random.default_rng(0).normal(size=(3, k)) / np.sqrt(k):
            width, ends = 0.0, []
            for sign in (1.0, -1.0):
                result = linprog(
                    sign * cost,
                    A_ub=-self.normals,
                    b_ub=self.slack,
                    bounds=(-1, 1),
                    options={
                        "primal_feasibility_tolerance": 1e-10,
                        "dual_feasibility_tolerance": 1e-10,
                        "maxiter": 1000 + 50 * sum(self.normals.shape),  # no pivoting in circles
                    },
                )
                width -= result.fun if result.status == 0 else -np.inf
                ends.append(self._point(result.x if result.status == 0 else np.zeros(k)))
            if width > POINT * np.linalg.norm(self.direction):
                return ends
        return None

    def nearest(self, u: np.ndarray) -> np.ndarray:
        """The point of the face nearest to u (d,) in l2: a least-distance problem in z."""
        from implicitbias.margins.euclidean import least_distance

        if not self.basis.shape[1]:
            return self.direction
        z = self.basis.T @ (u - self.direction)[self.free]
        exact = ExactMatrix(self.normals) if self.normals.size else None
        move, _ = least_distance(self.normals, -self.slack - self.normals @ z, exact)
        return self._point(z + move)

    def _point(self, z):
        w = self.direction.copy()
        w[self.free] += self.basis @ z
        return w


class WideFace:
    """The face of rows some of whose columns have no entries: these are 0, or free where that costs nothing.

    Arguments
        inner  the separator of the rows without these columns
        kept   (d,) which columns have entries; (k, d) for matrices
        idle   as kept: which of the others may have any value within the norm
    """

    def __init__(self, inner, kept, idle):
        self.inner, self.kept, self.idle = inner, kept, idle

    @property
    def is_point(self) -> bool:
        return self.inner.unique and not self.idle.any()

    def nearest(self, u: np.ndarray) -> np.ndarray:
        """The point of the face nearest to u in l2, N(u) <= 1."""
        w = np.where(self.idle, u, 0.0)
        w[self.kept] = self.inner._nearest(u[self.kept].reshape(self.inner.direction.shape)).ravel()
        return w


def _null_space(equations):
    """(k, dimension) an orthonormal basis."""
    if not equations.size:
        return np.eye(equations.shape[1])
    vt, rank = _right_vectors(equations)
    sizes = np.abs(equations)
    if rank == equations.shape[1] or sizes.max() < EVEN * sizes.min(where=sizes > 0, initial=np.inf):
        return vt[rank:].T
    # Features of very different size make equations look dependent that are not.
    from implicitbias.margins.separability import column_exponents

    columns = column_exponents(equations)
    balanced = np.ldexp(equations, -columns)
    vt, rank = _right_vectors(np.ldexp(balanced, -np.frexp(np.abs(balanced).max(axis=1))[1][:, None]))
    return np.linalg.qr(np.ldexp(vt[rank:].T, -columns[:, None]))[0]


def _right_vectors(equations):
    _, singular, vt = np.linalg.svd(equations)
    return vt, int((singular > RANK * singular[0]).sum())

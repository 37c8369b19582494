"""Rows: the largest l2 norm of a row of W, the norm of steps that are normalised for each class."""

from dataclasses import dataclass

import numpy as np

from implicitbias.lengths import length
from implicitbias.margins.norms.matrix import MatrixNorm


@dataclass(frozen=True)
class Rows(MatrixNorm):
    name, symbol = "rows", "rows"
    turns = (False, True)

    def sizes(self, w):
        return length(w).max(axis=1)

    def dual_sizes(self, y):
        return length(y).sum(axis=1)

    def barrier(self, v, shape):
        """-sum_c log(1 - |M_c|^2)."""
        m = v.reshape(shape)
        left = 1.0 - (m * m).sum(axis=1)
        return -float(np.log(left).sum()) if (left > 0).all() else np.inf

    def derivatives(self, v, shape):
        m = v.reshape(shape)
        left = 1.0 - (m * m).sum(axis=1)
        slope = 2.0 * m / left[:, None]
        hessian = np.zeros((*shape, *shape))
        c = np.arange(len(m))
        hessian[c, :, c, :] = 2.0 * np.eye(shape[1]) / left[:, None, None] + slope[:, :, None] * slope[:, None, :]
        return slope.ravel(), hessian.reshape(m.size, m.size)


NORM = Rows

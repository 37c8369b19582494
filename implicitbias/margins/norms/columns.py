"""Columns: the largest l2 norm of a column of W, the norm of steps that are normalised for each feature."""

from dataclasses import dataclass

import numpy as np

from implicitbias.margins.norms.matrix import MatrixNorm
from implicitbias.margins.norms.rows import Rows


@dataclass(frozen=True)
class Columns(MatrixNorm):
    name, symbol, instead = "columns", "columns", "linf"
    turns = (True, False)

    def sizes(self, w):
        return Rows().sizes(w.swapaxes(1, 2))

    def dual_sizes(self, y):
        return Rows().dual_sizes(y.swapaxes(1, 2))

    def barrier(self, v, shape):
        return Rows().barrier(v.reshape(shape).T.ravel(), shape[::-1])

    def derivatives(self, v, shape):
        order = np.arange(v.size).reshape(shape[::-1]).T.ravel()  # where the entries of M are in those of M'
        gradient, hessian = Rows().derivatives(v.reshape(shape).T.ravel(), shape[::-1])
        return gradient[order], hessian[np.ix_(order, order)]

    def idle(self, kept):
        return ~kept


NORM = Columns

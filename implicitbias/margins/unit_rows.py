"""Rows scaled to unit length: every threshold of the solvers is then relative to the row it is applied to."""

import numpy as np


class UnitRows:
    """The rows a_i = s_i b_i with ||b_i||_2 = 1, and the levels h_i = min(s)/s_i in (0, 1].

    a_i.w >= min(s) for all i means b_i.w >= h_i, and a multiplier alpha_i of the latter is the sample weight
    c_i proportional to alpha_i h_i. Rows of length 1e-6 beside rows of length 1e6 are then ordinary numbers.

    Attributes
        b       (n, d) unit rows
        h       (n,) levels in (0, 1]
        scale   min_i s_i: a margin on (b, h) times this is a margin on the rows
        slack   the round-off of one product b_i.w with |w| = 1

    >>> UnitRows(np.array([[3.0, 4.0], [0.0, 10.0]])).h
    array([1. , 0.5])
    """

    def __init__(self, rows: np.ndarray):
        largest = np.abs(rows).max(axis=1, keepdims=True)
        s = largest * np.linalg.norm(rows / largest, axis=1, keepdims=True)  # no overflow for entries of 1e200
        self.b = rows / s
        self.scale = float(s.min())
        self.h = self.scale / s[:, 0]
        # A dot product of d terms errs by about sqrt(d) ulps; four of them leave the result on the safe side.
        self.slack = 4.0 * np.finfo(float).eps * np.sqrt(rows.shape[1])

    def weights(self, alpha: np.ndarray) -> np.ndarray:
        """Multipliers of b_i.w >= h_i as weights (n,) in the simplex (negative round-off is cut)."""
        c = np.maximum(alpha, 0.0) * self.h
        return c / c.sum()


def exact_product(matrix: np.ndarray, x: np.ndarray) -> np.ndarray:
    """matrix @ x accumulated in extended precision where the machine has it, in blocks of rows to save memory.

    >>> exact_product(np.array([[1e17, 1.0, -1e17]]), np.ones(3)).astype(float)
    array([1.])
    """
    x = x.astype(np.longdouble)
    block = max(1, 2**20 // max(1, matrix.shape[1]))
    parts = [matrix[i : i + block].astype(np.longdouble) @ x for i in range(0, len(matrix), block)]
    return np.concatenate(parts) if parts else np.zeros(0, np.longdouble)

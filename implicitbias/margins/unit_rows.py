"""Rows scaled to length about one by powers of two: exact, and every threshold is relative to the row it meets."""

import math
from functools import cached_property

import numpy as np

from implicitbias.margins.exact import ExactMatrix, times_power

# A level this far below the others is nothing beside their round-off; it is not made any smaller.
LOWEST = -300
EPS = np.finfo(float).eps
FEW = 100  # rows, up to which all products without round-off cost less than to see in float64 which ones are needed


class UnitRows:
    """The rows a_i = 2^e_i b_i with ||b_i||_2 about 1, and the levels h_i = 2^(min(e) - e_i) in (0, 1].

    a_i.w >= 2^min(e) for all i means b_i.w >= h_i, and a multiplier alpha_i of the latter is the sample weight
    c_i proportional to alpha_i h_i. Rows of length 1e-6 beside rows of length 1e6 are then ordinary numbers.
    Scaling by a power of two is exact, so b has the separators of the rows and no others. (Only where an entry is
    2^-1000 times as large as another of its row may it be cut at 2^-1074; ``exact`` has it all the same.)

    Attributes
        rows    (n, d) the rows
        b       (n, d) the scaled rows, 1/2 <= ||b_i||_2 < 1
        e       (n,) their exponents
        lowest  the smallest of them: a margin on (b, h) times 2^lowest is a margin on the rows
        h       (n,) levels in (0, 1], cut at 2^-300
        slack   the round-off of one product b_i.w with |w| = 1

    >>> unit = UnitRows(np.array([[3.0, 4.0], [0.0, 10.0]]))
    >>> unit.b.tolist(), unit.h.tolist()
    ([[0.375, 0.5], [0.0, 0.625]], [1.0, 0.5])
    """

    def __init__(self, rows: np.ndarray, shift: np.ndarray | int = 0):
        """shift (n,): the rows are meant 2^shift_i times as long as they are given."""
        self.rows = rows
        largest = np.frexp(np.abs(rows).max(axis=1))[1]
        b = times_power(rows, -largest[:, None])  # no overflow for entries of 1e200
        longer = np.frexp(np.sqrt(np.einsum("ij,ij->i", b, b)))[1]  # from 0 to log2 of d
        self.scale = largest + longer
        self.b = b * np.ldexp(1.0, -longer)[:, None]
        self.e = self.scale + shift
        self.lowest = int(self.e.min())
        self.h = np.ldexp(1.0, np.maximum(self.lowest - self.e, LOWEST))
        # A dot product of d terms errs by about sqrt(d) ulps; sixteen leave the result on the safe side,
        # and are more than what an active set method takes for round-off.
        self.slack = 16.0 * EPS * math.sqrt(rows.shape[1])

    @cached_property
    def exact(self) -> ExactMatrix:
        """b for products without round-off."""
        return ExactMatrix(self.rows, self.scale, self.b)

    def relative(self, products: np.ndarray, rows=slice(None)) -> np.ndarray:
        """b_i.w of the rows i as a_i.w/2^lowest; a product beyond float64 is infinite, and never the smallest."""
        with np.errstate(over="ignore"):
            return np.ldexp(products, self.e[rows] - self.lowest)

    def smallest(self, w: np.ndarray) -> np.ndarray | slice:
        """The rows that may have the smallest a_i.w; where there are many, all but those that float64 proves larger."""
        if len(self.b) <= FEW:
            return slice(None)
        with np.errstate(over="ignore", invalid="ignore"):  # what is infinite or NaN proves nothing
            products = self.b @ w
            # d products and their sum err by d/2 ulps of ||b_i|| ||w|| at most, whatever the order.
            # Source: Higham, Accuracy and Stability of Numerical Algorithms (2002), section 3.1.
            error = (len(w) + 2) * EPS * np.linalg.norm(w)
            return np.flatnonzero(~(self.relative(products - error) > self.relative(products + error).min()))

    def weights(self, alpha: np.ndarray) -> np.ndarray:
        """Multipliers of b_i.w >= h_i as weights (n,) in the simplex (negative round-off is cut)."""
        alpha = np.maximum(alpha, 0.0)
        c = np.ldexp(alpha / alpha.max(), self.lowest - self.e)
        return c / c.sum()

    def multipliers(self, c: np.ndarray) -> np.ndarray:
        """Weights (n,) as multipliers of b_i.w >= h_i, the largest of them about 1."""
        exponent = np.frexp(c)[1] + self.e
        return np.ldexp(c, self.e - exponent[c > 0].max())

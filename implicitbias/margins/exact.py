"""Exact arithmetic on float64 numbers: sums of products without round-off, and float64 arrays as integers.

A matrix with entries in [-1, 1] is cut into slices of few bits, the k-th a multiple of 2^(-k bits). A product of two
slices is then exact in float64, whatever the order of its sums and whether they are fused: nothing depends on the
processor or its BLAS. What the products of slices leave to add for one entry of the result is added without round-off
by ``math.fsum``.

Source: Ozaki, Ogita, Oishi, Rump, Numer. Algorithms 59 (2012) 95-118.
"""

import math
from functools import cached_property

import numpy as np

# More slices than these would reach below the smallest float64; such numbers are multiplied as integers.
MOST_SLICES = 20


class ExactMatrix:
    """An (n, d) matrix whose products with vectors are rounded once: the rows a_i 2^(-e_i), with e = 0 if left out.

    >>> ExactMatrix(np.array([[1e17, 1.0, -1e17], [0.1, 0.1, 0.1]])).dot(np.array([1.0, 3.0, 1.0])).tolist()
    [3.0, 0.5]
    """

    def __init__(self, rows: np.ndarray, e: np.ndarray | None = None, matrix: np.ndarray | None = None):
        self.rows, self.e = rows, np.zeros(len(rows), dtype=int) if e is None else e
        self.bits = (53 - math.ceil(math.log2(max(rows.shape) + 1))) // 2
        # `matrix`, rows times 2^-e in float64, may have been cut at the smallest float64
        cut = matrix is not None and not (times_power(matrix, self.e[:, None]) == rows).all()
        self.slices, self.exponent = (None, 0) if cut else _slices(rows if matrix is None else matrix, self.bits)

    @cached_property
    def integers(self):
        """(m, e) with matrix = m 2^e, for what slices cannot hold."""
        m, exponent = integers(self.rows)
        top = int(self.e.max())
        return m << (top - self.e).astype(object)[:, None], exponent - top

    def dot(self, x: np.ndarray, rows=slice(None)) -> np.ndarray:
        """matrix[rows] @ x; where x is huge or tiny the result may leave float64, see ``scaled_dot``."""
        values, exponent = self.scaled_dot(x, rows)
        return np.ldexp(values, exponent)

    def dot_rows(self, x: np.ndarray, rows=slice(None)) -> np.ndarray:
        """x @ matrix[rows]."""
        values, exponent = self.scaled_dot(x, rows, transposed=True)
        return np.ldexp(values, exponent)

    def scaled_dot(self, x: np.ndarray, rows=slice(None), transposed=False):
        """(values, exponent): the product is values 2^exponent, each value rounded once."""
        terms, exponent = self.terms(x, rows, transposed)
        return np.array([math.fsum(row) for row in terms]), exponent

    def terms(self, x: np.ndarray, rows=slice(None), transposed=False):
        """(lists, exponent): the exact sum of list i times 2^exponent is entry i of the product."""
        factors, its_exponent = _slices(x, self.bits) if self.slices is not None else (None, 0)
        if factors is None:
            m, exponent = self.integers
            return _integer_terms(m[rows].T if transposed else m[rows], exponent, x)
        slices = self.slices[:, rows]
        if transposed:
            slices = slices.transpose(0, 2, 1)
        partial = slices @ factors.T
        return partial.transpose(1, 0, 2).reshape(partial.shape[1], -1).tolist(), self.exponent + its_exponent


def times_power(x: np.ndarray, exponent) -> np.ndarray:
    """x 2^exponent: ``np.ldexp``, by the faster product where the power itself is a float64."""
    if np.abs(exponent).max() > 1000:
        return np.ldexp(x, exponent)
    return x * np.ldexp(1.0, exponent)


def _slices(x, bits):
    """(slices of x/2^exponent, exponent), or (None, 0) where they would be too many."""
    exponent = math.frexp(max(x.max(), -x.min()))[1]
    rest = times_power(x, -exponent)
    if exponent > 0 and not (times_power(rest, exponent) == x).all():  # the smallest entries fell below float64
        return None, 0
    found = []
    for k in range(1, MOST_SLICES + 1):
        shift = math.ldexp(1.5, 52 - k * bits)
        piece = rest + shift
        piece -= shift
        rest -= piece
        found.append(piece)
        if not rest.any():
            return np.array(found), exponent
    return None, 0


def _integer_terms(left, one, x):
    right, two = integers(x)
    sums = left @ right
    longest = max(int(value).bit_length() for value in sums)
    terms = []
    for value in sums.tolist():
        rest, parts = value, []
        while rest:  # the leading 53 bits, again and again
            cut = max(abs(rest).bit_length() - 53, 0)
            top = (abs(rest) >> cut << cut) * (1 if rest > 0 else -1)
            part = math.ldexp(top >> cut, cut - longest)
            if not part:
                break
            parts.append(part)
            rest -= top
        terms.append(parts)
    return terms, one + two + longest


def integers(x: np.ndarray):
    """(m, e): float64 numbers as Python integers, x = m 2^e exactly, without a common factor of 2.

    >>> integers(np.array([0.75, -2.0]))
    (array([3, -8], dtype=object), -2)
    """
    mantissa, exponent = np.frexp(x)
    whole = np.ldexp(mantissa, 53).astype(np.int64).astype(object)
    if not x.any():
        return whole, 0
    lowest = int(exponent[x != 0].min())
    m = whole << np.where(x != 0, exponent - lowest, 0).astype(object)
    even = min((int(value) & -int(value)).bit_length() - 1 for value in m[x != 0])
    return m >> even, lowest - 53 + even

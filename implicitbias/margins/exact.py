"""Exact arithmetic on float64 numbers: powers of two, sums of products without round-off, and integers.

A matrix is cut into slices of few bits, the k-th a multiple of 2^(-k bits) of the power of two above its largest entry.
A product of two slices is then exact in float64, whatever the order of its sums and whether they are fused: nothing
depends on the processor or its BLAS. What the products of slices leave to add for one entry of the result is added
without round-off by ``math.fsum``.

Source: Ozaki, Ogita, Oishi, Rump, Numer. Algorithms 59 (2012) 95-118.
"""

import math
from functools import cached_property

import numpy as np

# Parts of 2^-520 of two factors have products of 2^-1040: what lies below is multiplied as integers, so that nothing
# falls below the smallest float64, 2^-1074. Factors of the order of 1, up to 2^16, need no scaling for that.
MOST_SLICES, ORDER_ONE = 20, 16
NORMAL, TINY = 2.0**-1022, 2.0**-1074  # the smallest float64 of all digits, and of one


class ExactMatrix:
    """An (n, d) matrix whose products with vectors are rounded once: the rows a_i 2^(-e_i), with e = 0 if left out.

    >>> matrix = ExactMatrix(np.array([[1e17, 1.0, -1e17], [0.1, 0.1, 0.1]]))
    >>> matrix.dot(np.array([1.0, 3.0, 1.0])).tolist(), matrix.dot_rows(np.array([0.0, 10.0])).tolist()
    ([3.0, 0.5], [1.0, 1.0, 1.0])
    """

    def __init__(self, rows: np.ndarray, e: np.ndarray | None = None, matrix: np.ndarray | None = None):
        self.rows, self.e = rows, np.zeros(len(rows), dtype=int) if e is None else e
        self.bits = (53 - math.ceil(math.log2(max(rows.shape) + 1))) // 2
        # `matrix`, rows times 2^-e in float64, may have been cut where it is not normal
        cut = matrix is not None and rows[np.abs(matrix) < NORMAL].any()
        self.slices, self.exponent = (None, 0) if cut else _slices(rows if matrix is None else matrix, self.bits)

    @cached_property
    def integers(self):
        """(m, e) with matrix = m 2^e, for what slices cannot hold."""
        m, exponent = integers(self.rows)
        top = int(self.e.max())
        return m << (top - self.e).astype(object)[:, None], exponent - top

    def dot(self, x: np.ndarray, rows=slice(None)) -> np.ndarray:
        """matrix[rows] @ x; where x is huge or tiny the result may leave float64, see ``terms``."""
        terms, exponent = self.terms(x, rows)
        return np.ldexp(rounded(terms), exponent)

    def dot_rows(self, x: np.ndarray, rows=slice(None)) -> np.ndarray:
        """x @ matrix[rows]."""
        terms, exponent = self.terms(x, rows, transposed=True)
        return np.ldexp(rounded(terms), exponent)

    def pair(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(high, low): matrix @ x as sums of two numbers, high the nearest float64 and low what it leaves, rounded.

        >>> ExactMatrix(np.array([[1e17, 1.0, -1e17, 2.0**-60]])).pair(np.ones(4))
        (array([1.]), array([8.67361738e-19]))
        """
        terms, exponent = self.terms(x)
        high = rounded(terms)
        return np.ldexp(high, exponent), np.ldexp(remainders(terms, high), exponent)

    def terms(self, x: np.ndarray, rows=slice(None), transposed=False):
        """(lists, exponent): the sum of list i times 2^exponent is entry i of matrix[rows] @ x, or of x @ matrix[rows].

        The sum is exact, or has 106 bits beside which the rest keeps its sign; below 2^-1022 it may be rounded away
        from zero to a multiple of 2^-1074.
        """
        factors, its_exponent = _slices(x, self.bits) if self.slices is not None else (None, 0)
        if factors is None:
            m, exponent = self.integers
            return _integer_terms(m[rows].T if transposed else m[rows], exponent, x)
        factors = np.array(factors).T
        parts = [(piece[rows].T if transposed else piece[rows]) @ factors for piece in self.slices]
        return np.concatenate(parts, axis=1).tolist(), self.exponent + its_exponent


def rounded(terms: list[list[float]]) -> np.ndarray:
    """The float64 numbers nearest to the sums of the lists."""
    return np.array(list(map(math.fsum, terms)))


def remainders(terms: list[list[float]], values: np.ndarray) -> np.ndarray:
    """What the values leave of the sums of the lists, rounded; 0 only if that is nothing."""
    return np.array([math.fsum([*row, -value]) for row, value in zip(terms, values.tolist(), strict=True)])


def unit_scale(x: np.ndarray) -> tuple[np.ndarray, int]:
    """(unit, k): x = unit 2^k with the largest entry of unit in [1/2, 1), so that squares stay within float64.

    >>> unit_scale(np.array([3.0, -5.0]))
    (array([ 0.375, -0.625]), 3)
    """
    k = _exponent(x)
    return times_power(x, -k), k


def times_power(x: np.ndarray, exponent) -> np.ndarray:
    """x 2^exponent: ``np.ldexp``, by the faster product where the power itself is a float64."""
    if np.abs(exponent).max() > 1000:
        return np.ldexp(x, exponent)
    return x * np.ldexp(1.0, exponent)


def _exponent(x):
    """k with 2^(k-1) <= max |x| < 2^k."""
    return math.frexp(np.abs(x).max())[1]


def _slices(x, bits):
    """([slices of x/2^exponent], exponent), or (None, 0) where they would be too many."""
    order = _exponent(x)
    exponent = order if abs(order) > ORDER_ONE else 0
    rest = times_power(x, -exponent) if exponent else x.copy()
    if exponent > 0 and not (times_power(rest, exponent) == x).all():  # the smallest entries fell below float64
        return None, 0
    found = []
    for k in range(1, MOST_SLICES + 1):
        shift = math.ldexp(1.5, 52 + order - exponent - k * bits)
        piece = rest + shift
        piece -= shift
        rest -= piece
        found.append(piece)
        if not np.count_nonzero(rest):
            return found, exponent
    return None, 0


def _integer_terms(left, one, x):
    right, two = integers(x)
    sums = (left @ right).tolist()
    longest = max(abs(value).bit_length() for value in sums)
    return [_leading(value, 1 << longest) for value in sums], one + two + longest


def _leading(value: int, unit: int) -> list[float]:
    """value/unit in two numbers: the nearest float64, and what it leaves, of the right sign however little it is.

    Below the normal numbers it is one, rounded away from zero.
    """
    high = value / unit
    if abs(high) < NORMAL:
        return [math.copysign(-(-(abs(value) << 1074) // unit) * TINY, high)]
    numerator, denominator = high.as_integer_ratio()
    rest = value * denominator - numerator * unit
    low = rest / (unit * denominator)
    if rest and not low:
        low = TINY if rest > 0 else -TINY
    return [high, low]


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

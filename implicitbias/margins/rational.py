"""Margin problems in exact integers: the answer where float64 solvers have lost their digits, on small data.

Every program here is a linear complementarity problem (``complementarity``). Its answer is a pair (w, c), the proof
that the data have no separator, or nothing, where the program would be too large.
"""

from collections.abc import Callable, Iterator

import numpy as np

from implicitbias.margins import complementarity
from implicitbias.margins.exact import integers
from implicitbias.margins.norms.base import Polyhedral
from implicitbias.margins.separability import not_separable
from implicitbias.margins.unit_rows import UnitRows

MOST = 60  # unknowns: with entries of a bit or two they are as many as LARGEST allows
# Steps of a program of k unknowns and b bits: k pivots of k^2 numbers, which grow to k b bits. So many take about two
# seconds, four times as many ten.
LARGEST = 250_000


def _too_large(system) -> bool:
    k, bits = len(system), max(int(value).bit_length() for value in system.flat)
    return k**3 * (1 + k * bits / 2000) > LARGEST


class IntegerRows:
    """The rows as a_i = 2^(l_i) m_i with integers m_i, and levels: a_i.w >= t for all i means m_i.w >= level_i t'.

    >>> data = IntegerRows(np.array([[1.0, -0.5], [4.0, 0.0]]))
    >>> data.m.tolist(), data.level.tolist()
    ([[2, -1], [1, 0]], [8, 1])
    """

    def __init__(self, rows):
        found = [integers(row) for row in rows]
        self.m = np.array([m for m, _ in found], dtype=object)
        top = max(e for _, e in found)
        self.level = np.array([1 << (top - e) for _, e in found], dtype=object)

    def weights(self, alpha) -> np.ndarray:
        """Multipliers of m_i.w >= level_i as weights (n,) in the simplex."""
        c = ratios(alpha * self.level)
        return c / c.sum()


def ratios(values) -> np.ndarray:
    """Integers, not all 0, as float64 parts of the largest.

    >>> ratios(np.array([10**400, -(10**399)], dtype=object))
    array([ 1. , -0.1])
    """
    largest = max(abs(value) for value in values)
    return np.array([value / largest for value in values])


def quadratic(unit: UnitRows, start, diag: np.ndarray | None = None) -> Iterator:
    """Pairs (w, c) for  max { min_i a_i.w : sum_j diag_j w_j^2 <= 1 }; diag (d,) >= 0 is 1 if left out.

    With V = 1/diag on the costly columns C, and the free columns F, those of diag 0: w = (V C'alpha, f), where
    alpha >= 0, C V C'alpha + F f >= level with equality where alpha > 0, and F'alpha = 0. Only rows of a working set
    enter, at first ``start``; those that the answer violates join them.

    Errors: ``NotSeparable``. Source of the optimality system: Boyd and Vandenberghe (2004), section 10.1.
    """
    rows = unit.rows
    data = IntegerRows(rows)
    diag = np.ones(rows.shape[1]) if diag is None else diag
    free = diag == 0
    inverse = np.array([_inverse(value, diag[~free].max()) for value in diag[~free]], dtype=object)
    working = sorted(set(map(int, start)))

    def solve(level):
        nonlocal working
        while len(working) + 2 * free.sum() <= MOST:
            costly, own = data.m[working][:, ~free], data.m[working][:, free]
            zeros = np.zeros((2 * own.shape[1], 2 * own.shape[1]), dtype=object)
            both = np.hstack([own, -own])
            system = np.block([[(costly * inverse) @ costly.T, both], [-both.T, zeros]])
            if _too_large(system):
                break
            z, scale = complementarity.solve(system, np.r_[-level[working], zeros[0] if len(zeros) else []])
            alpha = np.zeros(len(rows), dtype=object)
            alpha[working] = z[: len(working)]
            if not scale:
                raise not_separable(unit, data.weights(alpha))
            w = np.zeros(len(free), dtype=object)
            w[~free] = inverse * (alpha[working] @ costly)
            plus, minus = np.split(z[len(working) :], 2)
            w[free] = plus - minus
            short = scale * level - data.m @ w
            if not (short > 0).any():
                return w, alpha, scale
            worst = np.argsort((short << 64) // (scale * level))[-4:]
            working = sorted({*working, *(int(i) for i in worst if short[i] > 0)})
        return None

    yield from _rounded(data, solve)


def linear(unit: UnitRows, norm: Polyhedral) -> Iterator:
    """Pairs (w, c) for  max { min_i a_i.w : N(w) <= 1 }  of a polyhedral norm.

    As min { cost.x : G x >= level, x >= 0 }, as the norm's ``integer_program`` writes it.

    Errors: ``NotSeparable``.
    """
    n, d = unit.rows.shape
    if n + 2 * d > MOST:
        return
    data = IntegerRows(unit.rows)
    program, cost = norm.integer_program(data.m)
    k, unknowns = program.shape
    system = np.block(
        [[np.zeros((k, k), dtype=object), program], [-program.T, np.zeros((unknowns, unknowns), dtype=object)]]
    )

    if _too_large(system):
        return

    def solve(level):
        z, scale = complementarity.solve(system, np.r_[-level, np.zeros(k - n, dtype=object), cost])
        if not scale:
            raise not_separable(unit, data.weights(z[:n]))
        return norm.integer_point(z[k:], d), z[:n], scale

    yield from _rounded(data, solve)


def _rounded(data: IntegerRows, solve: Callable) -> Iterator:
    """The pair of solve(levels) in float64; and again with levels raised by what the rounding of w takes from them."""
    if (answer := solve(data.level)) is None:
        return
    w, alpha, scale = answer
    if not w.any():
        return
    c = data.weights(alpha)
    yield ratios(w), c
    room = (np.abs(data.m) @ np.abs(w)) >> 51  # an ulp for the entry, one for its division by the norm
    if (answer := solve(scale * data.level + room)) is not None:
        yield ratios(answer[0]), c


def _inverse(value: float, largest: float) -> int:
    """largest/value in units of 2^-160: rounded, so that the answer is that of a diag moved by less than an ulp."""
    top, bottom = largest.as_integer_ratio(), value.as_integer_ratio()
    return (top[0] * bottom[1] << 160) // (top[1] * bottom[0])

"""Separable or not: proofs for either answer, where the l2 problem itself has not given one.

By Gordan's theorem data have a direction w with min_i a_i.w > 0, or weights c >= 0, not all 0, with A'c = 0. Neither
changes when rows and columns are scaled, so both are looked for in data balanced by powers of two.
"""

import numpy as np
from scipy.linalg import qr

from implicitbias.errors import NotSeparable
from implicitbias.margins import euclidean
from implicitbias.margins.exact import NORMAL, ExactMatrix, remainders
from implicitbias.margins.unit_rows import UnitRows

ROUND_OFF = 1e-12
FEW_BITS = 24  # of a factor by which a column depends on others: 1, -1, 3/4, a count


def column_exponents(rows: np.ndarray) -> np.ndarray:
    """Integers k_j: the entries a_ij 2^(-r_i - k_j), with the best integers r_i, are as near to 1 as they can be.

    The mean square of the logarithms of the nonzero entries is minimised, by rows and columns in turn.

    >>> column_exponents(np.array([[1.0, 1024.0], [3.0, -2048.0]]))
    array([-5,  5])
    """
    there = rows != 0
    logs = np.where(there, np.frexp(rows)[1], 0).astype(np.float64)
    row_count, column_count = (np.maximum(there.sum(axis=axis), 1) for axis in (1, 0))
    columns = np.zeros(rows.shape[1])
    for _ in range(10):
        of_rows = (logs - np.where(there, columns, 0.0)).sum(axis=1) / row_count
        columns = (logs - np.where(there, of_rows[:, None], 0.0)).sum(axis=0) / column_count
    return np.rint(columns - columns.mean()).astype(int)


def decide(unit: UnitRows):
    """(w, rows): a direction that may separate the data, and the rows that decide it, if float64 has seen them right.

    Errors: ``NotSeparable``, proved.
    """
    exponents = column_exponents(unit.rows)
    balanced = UnitRows(np.ldexp(unit.rows, -exponents))
    if not (np.ldexp(balanced.rows, exponents) == unit.rows).all():  # beyond the range of float64
        exponents, balanced = np.zeros_like(exponents), unit
    ones = np.ones_like(unit.h)
    combination, _ = euclidean.combination(balanced.b, ones)
    with np.errstate(over="ignore", invalid="ignore"):  # w has no end where the data are not separable
        w, alpha = euclidean.least_distance(balanced.b, ones, balanced.exact)
        separates = (balanced.b @ w > balanced.slack * np.linalg.norm(w)).all()
    if not separates:
        # Where the data have structure some weights of a vertex are zero, and NNLS leaves round-off in their place.
        for least in (ROUND_OFF * combination.max(), 0.0):
            weights = prove(balanced, np.flatnonzero(combination > least))
            if weights is not None:
                raise not_separable(unit, weights)
    return np.ldexp(w, -exponents), np.flatnonzero((combination > 0) | (alpha > 0))


def prove(unit: UnitRows, support: np.ndarray) -> np.ndarray | None:
    """Weights (n,) of rows in the support whose combination is exactly zero, to round-off, if that can be proved.

    Of k rows of rank k - 1 some combination c is zero. With c = 1 at the last row the others solve a square system in
    k - 1 independent columns; with an approximate inverse R of its matrix M and ||I - R M||_inf = delta < 1 the exact
    solution is within ||R r||_inf/(1 - delta) of an approximate one with the residual r. Positive beyond that is
    positive. Other columns, such as the constant beside indicators that add up to it, must depend on these exactly.

    Source: Rump, Acta Numerica 19 (2010) 287-449, section 10.
    """
    k, d = len(support), unit.b.shape[1]
    if not 2 <= k <= d + 1 or unit.exact.slices is None:  # b may be cut
        return None
    columns = np.arange(d)
    if k <= d:
        columns = np.sort(qr(unit.b[support], mode="r", pivoting=True)[1][: k - 1])
    b = np.ascontiguousarray(unit.b[support][:, columns])
    exact, matrix = ExactMatrix(b), b[:-1].T
    try:
        inverse = np.linalg.inv(matrix)
    except np.linalg.LinAlgError:
        return None
    c = np.append(inverse @ -b[-1], 1.0)
    for _ in range(2):
        c[:-1] -= inverse @ exact.dot_rows(c)
    residual = np.abs(exact.dot_rows(c)) * (1 + 1e-15)
    # Products of k terms err by at most k ulps of the sum of their sizes; 1.01 covers these estimates themselves.
    eps = 1.01 * (k + 2) * np.finfo(float).eps
    size = np.abs(inverse)
    off = np.abs(inverse @ matrix - np.eye(k - 1)) + eps * (size @ np.abs(matrix))
    delta = 1.01 * off.sum(axis=1).max()
    error = 1.01 * (1 + eps) * (size @ residual).max() / (1 - delta) if delta < 1 else np.inf
    if not (c[:-1] > error + 1e-290).all():
        return None
    others = np.setdiff1d(np.arange(d), columns)
    if not _depend(exact, unit.b[support][:, others], inverse.T @ unit.b[support[:-1]][:, others]):
        return None
    alpha = np.zeros(len(unit.h))
    alpha[support] = c
    return unit.weights(alpha)


def _depend(exact: ExactMatrix, columns: np.ndarray, factors: np.ndarray) -> bool:
    """Whether each of the columns is exactly the combination of the matrix that its factors, of few bits, say."""
    mantissa, exponent = np.frexp(factors)
    factors = np.ldexp(np.rint(np.ldexp(mantissa, FEW_BITS)), exponent - FEW_BITS)
    factors[np.abs(factors) < 2.0**-FEW_BITS] = 0.0
    for column, x in zip(columns.T, factors.T):
        terms, shift = exact.terms(x)
        entries = np.ldexp(column, -shift)
        if (np.abs(entries) < NORMAL)[column != 0].any() or remainders(terms, entries).any():
            return False
    return True


def not_separable(unit: UnitRows, weights: np.ndarray) -> NotSeparable:
    """The error for weights (n,) that round a proof, with what is left of their combination."""
    alpha = unit.multipliers(weights)
    left = np.linalg.norm(unit.exact.dot_rows(alpha))
    return NotSeparable(weights, left / (alpha @ np.linalg.norm(unit.b, axis=1)))

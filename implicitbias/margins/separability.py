"""Separable or not: proofs for either answer, where the l2 problem itself has not given one.

By Gordan's theorem data have a direction w with min_i a_i.w > 0, or weights c >= 0, not all 0, with A'c = 0. Neither
changes when rows and columns are scaled, so both are looked for in data balanced by powers of two.
"""

import numpy as np

from implicitbias.errors import NotSeparable
from implicitbias.margins import euclidean
from implicitbias.margins.unit_rows import UnitRows


def column_exponents(rows: np.ndarray) -> np.ndarray:
    """Integers k_j: the entries a_ij 2^(-r_i - k_j), with the best integers r_i, are as near to 1 as they can be.

    The mean square of the logarithms of the nonzero entries is minimised, by rows and columns in turn.

    >>> column_exponents(np.array([[1.0, 1024.0], [3.0, -2048.0]]))
    array([-5,  5])
    """
    there = rows != 0
    logs = np.where(there, np.frexp(rows)[1], 0).astype(np.float64)
    row_count, column_count = there.sum(axis=1), np.maximum(there.sum(axis=0), 1)
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
        weights = prove(balanced, np.flatnonzero(combination))
        if weights is not None:
            raise not_separable(unit, weights)
    return np.ldexp(w, -exponents), np.flatnonzero((combination > 0) | (alpha > 0))


def prove(unit: UnitRows, support: np.ndarray) -> np.ndarray | None:
    """Weights (n,) of rows in the support whose combination is exactly zero, to round-off, if that can be proved.

    With d + 1 rows in d dimensions some combination c of them is zero. With c = 1 at the last row the others solve a
    square system; with an approximate inverse R of its matrix M and ||I - R M||_inf = delta < 1 the exact solution is
    within ||R r||_inf/(1 - delta) of an approximate one with the residual r. Positive beyond that is positive.

    Source: Rump, Acta Numerica 19 (2010) 287-449, section 10.
    """
    b = unit.b[support]
    k, d = b.shape
    if k != d + 1 or unit.exact.slices is None:  # b may be cut
        return None
    matrix, last = b[:-1].T, b[-1]
    try:
        inverse = np.linalg.inv(matrix)
    except np.linalg.LinAlgError:
        return None
    c = np.append(inverse @ -last, 1.0)
    for _ in range(2):
        residual = unit.exact.dot_rows(c, support)
        correction = inverse @ residual
        c[:-1] -= correction
    residual = np.abs(unit.exact.dot_rows(c, support)) * (1 + 1e-15)
    # Products of d terms err by at most d ulps of the sum of their sizes; 1.01 covers these estimates themselves.
    eps = 1.01 * (d + 2) * np.finfo(float).eps
    size = np.abs(inverse)
    off = np.abs(inverse @ matrix - np.eye(d)) + eps * (size @ np.abs(matrix))
    delta = 1.01 * off.sum(axis=1).max()
    error = 1.01 * (size @ residual * (1 + eps)).max() / (1 - delta) if delta < 1 else np.inf
    if not (c[:-1] > error + 1e-290).all():
        return None
    alpha = np.zeros(len(unit.h))
    alpha[support] = c
    return unit.weights(alpha)


def not_separable(unit: UnitRows, weights: np.ndarray) -> NotSeparable:
    """The error for weights (n,) that round a proof; what is left of their combination is computed without round-off."""
    alpha = unit.multipliers(weights)
    left = np.linalg.norm(unit.exact.dot_rows(alpha))
    return NotSeparable(weights, left / (alpha @ np.linalg.norm(unit.b, axis=1)))

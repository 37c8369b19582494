"""Linear complementarity in exact integers: convex quadratic and linear programs solved, or proved infeasible."""

import random

import numpy as np

# Ties of the ratio test would let the method circle. Right-hand sides moved by random parts of about 2^-80 have none,
# and no answer moves by more than a float64 of it can show.
SCALE, NOISE = 2**128, 2**48


def solve(m: np.ndarray, q: np.ndarray):
    """z >= 0 with s = m z + q >= 0 and z.s = 0, for a positive semidefinite m; or the proof that there is none.

    Arguments
        m  (k, k) Python integers, z.m z >= 0 for every z
        q  (k,) Python integers

    Returns z (k,) Python integers and a denominator > 0: z/denominator is the answer for a q whose entries are larger
    in size by at most 2^-80 of themselves. Where no z >= 0 has m z + q >= 0 the denominator is 0, and z is a ray that
    proves it: z >= 0, z.m z = 0, m'z <= 0 and q.z < 0.

    Lemke's method. All entries of its tableau are determinants over one common denominator, so divisions are exact.

    >>> z, denominator = solve(np.array([[2, 1], [1, 2]], dtype=object), np.array([-1, -2], dtype=object))
    >>> [round(value / denominator, 9) for value in z]
    [0.0, 1.0]
    >>> solve(np.array([[1, -1], [-1, 1]], dtype=object), np.array([-1, -1], dtype=object))
    (array([2, 2], dtype=object), 0)

    Source: Lemke, Management Science 11 (1965) 681-689; Cottle, Pang, Stone, The Linear Complementarity Problem
    (1992), section 4.4; Edmonds, J. Res. Natl. Bur. Stand. 71B (1967) 241-245 (the integers).
    """
    k = len(q)
    noise = random.Random(0)
    q = np.array([value * (SCALE + noise.randrange(NOISE)) for value in q], dtype=object)
    # Basic variables (rows) are (table[:, 0] + table[:, 1:] nonbasic) / denominator. z_i is variable i, s_i is k + i,
    # and z0, which is added to every row, is 2 k.
    table = np.column_stack([q, m, np.ones(k, dtype=object)])
    basic, nonbasic = np.arange(k, 2 * k), np.r_[-1, np.arange(k), 2 * k]
    denominator = 1
    column = k + 1
    row = int(min(range(k), key=lambda i: q[i]))
    if q[row] >= 0:
        return np.zeros(k, dtype=object), 1
    while True:
        table, denominator = _pivot(table, row, column, denominator)
        left = basic[row]
        basic[row], nonbasic[column] = nonbasic[column], left
        if left == 2 * k:
            return _values(basic, table[:, 0], k), denominator * SCALE
        entering = left + k if left < k else left - k
        column = int(np.flatnonzero(nonbasic == entering)[0])
        falling = [i for i in range(k) if table[i, column] < 0]
        if not falling:
            ray = _values(basic, table[:, column], k)
            if entering < k:
                ray[entering] = denominator
            return ray, 0
        row = falling[0]
        for i in falling[1:]:
            if table[i, 0] * table[row, column] > table[row, 0] * table[i, column]:
                row = i


def _pivot(table, row, column, denominator):
    """The table with a basic and a nonbasic variable exchanged, and its denominator, kept positive."""
    pivot = table[row, column]
    sign = 1 if pivot > 0 else -1
    old_row, old_column = table[row].copy(), table[:, column].copy()
    table = (table * pivot - np.multiply.outer(old_column, old_row)) // (sign * denominator)
    table[row] = -sign * old_row
    table[:, column] = sign * old_column
    table[row, column] = sign * denominator
    return table, sign * pivot


def _values(basic, values, k):
    z = np.zeros(k, dtype=object)
    for variable, value in zip(basic, values):
        if variable < k:
            z[variable] = value
    return z

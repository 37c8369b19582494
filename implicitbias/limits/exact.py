"""Scaling, and products accumulated without rounding: the same on every machine."""

import math

import numpy as np

SPLIT = 2.0**27 + 1.0  # Veltkamp's: halves of 26 bits, whose products are exact


def unit_scale(rows: np.ndarray) -> tuple[np.ndarray, int]:
    """(unit, k): rows = unit 2^k with the largest entry of unit in [1/2, 1), so that squares stay within float64."""
    k = int(np.frexp(np.abs(rows).max())[1])
    return np.ldexp(rows, -k), k


def unit_rows(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(b, lengths): rows = lengths b with ||b_i||_2 = 1, for entries of any size.

    >>> unit_rows(np.array([[3e200, 4e200]]))
    (array([[0.6, 0.8]]), array([5.e+200]))
    """
    largest = np.abs(rows).max(axis=1, keepdims=True)
    scaled = rows / largest
    lengths = np.linalg.norm(scaled, axis=1, keepdims=True)
    return scaled / lengths, (largest * lengths)[:, 0]


def product(matrix: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(high, low): matrix @ x as sums of two floats, high the nearest float64.

    Every product of two entries is split into its rounded value and the error of it (Dekker), and the sums are exact
    (`math.fsum`), so what is lost is half an ulp of low; that, and entries 1e-150 of the largest in matrix or in x.

    >>> product(np.array([[1e17, 1.0, -1e17, 2.0**-60]]), np.ones(4))
    (array([1.]), array([8.67361738e-19]))

    Source: Dekker, Numerische Mathematik 18 (1971) 224-242; Shewchuk, Discrete Comput. Geom. 18 (1997) 305-363.
    """
    # Powers of two, so that neither the splitting overflows nor an error underflows.
    (a, a_order), (b, b_order) = unit_scale(matrix), unit_scale(x)
    b_high = _half(b)
    b_low = b - b_high
    high, low = np.empty(len(a)), np.empty(len(a))
    for i, row in enumerate(a):
        rounded, row_high = row * b, _half(row)
        row_low = row - row_high
        error = row_low * b_low - (((rounded - row_high * b_high) - row_low * b_high) - row_high * b_low)
        terms = np.concatenate([rounded, error]).tolist()
        high[i] = math.fsum(terms)
        low[i] = math.fsum([*terms, -high[i]])
    return np.ldexp(high, a_order + b_order), np.ldexp(low, a_order + b_order)


def _half(x):
    large = SPLIT * x
    return large - (large - x)

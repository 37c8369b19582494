"""Lengths of vectors of any size."""

import numpy as np


def length(x: np.ndarray) -> np.ndarray:
    """||x||_2 along the last axis. The squares are those of x over a power of two near its largest entry: exact, and
    within float64 wherever x is.

    >>> length(np.array([[3.0, 4.0], [3e-200, 4e-200], [3e300, 4e300]]))
    array([5.e+000, 5.e-200, 5.e+300])
    """
    scaled, above = _ordinary(x)
    return np.ldexp(np.linalg.norm(scaled, axis=-1), above)


def unit(x: np.ndarray) -> np.ndarray:
    """x over its length, along the last axis; NaN for zero.

    >>> unit(np.array([3e-200, 4e-200]))
    array([0.6, 0.8])
    """
    scaled, _ = _ordinary(x)
    return scaled / np.linalg.norm(scaled, axis=-1, keepdims=True)


def _ordinary(x):
    """(x 2^-k, k) with entries of at most 1, for a k for each vector."""
    _, above = np.frexp(np.abs(x).max(axis=-1))
    with np.errstate(under="ignore"):
        return np.ldexp(x, -above[..., None]), above

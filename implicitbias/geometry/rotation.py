"""Random rotations of the features, which hide the axes from coordinate-wise methods and keep all l_2 geometry."""

import numpy as np


def rotate_rows(rows: np.ndarray, *seed: int) -> None:
    """rows <- rows Q in place, Q the orthogonal factor of a Gaussian matrix with positive triangular diagonal.

    Q = H_1 ... H_d D: H_k reflects a Gaussian vector of the last d - k + 1 coordinates onto the first of them and D
    holds the signs. No BLAS or LAPACK: their bits differ between machines and with n.
    """
    rng = np.random.default_rng(seed)
    for k in range(rows.shape[1]):
        v = rng.normal(size=rows.shape[1] - k)
        sign = np.copysign(1.0, v[0])
        v[0] += sign * np.sqrt(np.add.reduce(v * v))
        part = rows[:, k:]
        part -= np.add.reduce(part * v, axis=1)[:, None] * (v * (2 / np.add.reduce(v * v)))
        part[:, 0] *= -sign


def rotate_by(rows: np.ndarray, seed: int) -> np.ndarray:
    """(n, d) rows Q for the Q of a seed, `rotation`."""
    rows = rows.copy()
    rotate_rows(rows, seed, 2)  # families draw from the streams of (seed) and (seed, 1)
    return rows

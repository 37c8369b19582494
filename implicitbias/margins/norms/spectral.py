"""Spectral: the largest singular value of W, the norm of Muon and Shampoo (arXiv 2502.04664)."""

from dataclasses import dataclass

import numpy as np

from implicitbias.margins.norms.matrix import MatrixNorm, singular_values


@dataclass(frozen=True)
class Spectral(MatrixNorm):
    name, symbol = "spectral", "spectral"
    usual = followed = True

    def sizes(self, w):
        return singular_values(w)[:, 0]

    def dual_sizes(self, y):
        return singular_values(y).sum(axis=1)

    def barrier(self, v, shape):
        """-log det(I - M M')."""
        left = 1.0 - singular_values(v.reshape(1, *shape))[0]
        return -float(np.log(left * (2.0 - left)).sum()) if left[-1] > 0 and left[0] > 0 else np.inf

    def derivatives(self, v, shape):
        """2 K, and H -> 2 (S H T + K H'K), with S = (I - M M')^-1, K = S M and T = I + M'K.

        All three come from the same singular values: as inverses of differences they would not fit together near the
        edge, and the Hessian would not be positive.
        """
        u, s, vt = np.linalg.svd(v.reshape(shape), full_matrices=False)
        over = 1.0 / ((1.0 - s) * (1.0 + s))
        k = (u * (s * over)) @ vt
        left = np.eye(shape[0]) + (u * (s * s * over)) @ u.T
        right = np.eye(shape[1]) + (vt.T * (s * s * over)) @ vt
        hessian = left[:, None, :, None] * right[None, :, None, :] + k[:, None, None, :] * k.T[None, :, :, None]
        return 2.0 * k.ravel(), 2.0 * hessian.reshape(v.size, v.size)


NORM = Spectral

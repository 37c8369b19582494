"""Nuclear: the sum of the singular values of W, the norm of steps of rank one (arXiv 2502.04664)."""

from dataclasses import dataclass

import numpy as np

from implicitbias.margins.norms.matrix import MatrixNorm, singular_values


@dataclass(frozen=True)
class Nuclear(MatrixNorm):
    """The nuclear norm.

    sum_j s_j(M) <= r where some A > 0 has  tr A + tr(M'A^-1 M) <= 2 r:  v is M, and the upper triangle of A on the
    shorter side of M.

    Source: Nesterov and Nemirovskii, Interior-Point Polynomial Algorithms (1994), section 5.4.5 (the barrier).
    """

    name, symbol = "nuclear", "nuclear"
    bound = 1.0

    def sizes(self, w):
        return singular_values(w).sum(axis=1)

    def dual_sizes(self, y):
        return singular_values(y)[:, 0]

    def extra(self, shape):
        return min(shape) * (min(shape) + 1) // 2

    def inside(self, m):
        return nuclear_inside(m, self.bound)

    def barrier(self, v, shape):
        """-log(2 r - tr A - tr(M'A^-1 M)) - log det A."""
        return nuclear_barrier(v, shape, self.bound)

    def derivatives(self, v, shape):
        return nuclear_derivatives(v, shape, self.bound)


def nuclear_inside(m, bound: float) -> np.ndarray:
    """M and A: the root of M M', and half as much more as there is room for."""
    u, s, _ = np.linalg.svd(m if m.shape[0] <= m.shape[1] else m.T, full_matrices=False)
    a = (u * s) @ u.T + (bound - s.sum()) / len(s) * np.eye(len(s))
    return np.concatenate([m.ravel(), a[np.triu_indices(len(s))]])


def nuclear_barrier(v, shape, bound: float) -> float:
    """F of the matrices with a sum of singular values of at most ``bound``."""
    m, a = _parts(v, shape)
    eigenvalues, root = _inverse_root(a)
    if not eigenvalues[0] > 0:
        return np.inf
    left = 2.0 * bound - eigenvalues.sum() - ((root @ m) ** 2).sum()
    return -np.log(left) - float(np.log(eigenvalues).sum()) if left > 0 else np.inf


def nuclear_derivatives(v, shape, bound: float):
    """The gradient and the Hessian: with P = A^-1 = R'R, K = P M and f = tr A + tr(M'P M),

    f' = (2 K, I - K K'),  f''(H, E) = 2 |R (H - E K)|^2,  and |R E R'|^2 is that of -log det A.

    As sums of squares they stay positive where A is nearly singular.
    """
    m, a = _parts(v, shape)
    size, n = m.size, len(a)
    eigenvalues, root = _inverse_root(a)
    scaled = root @ m
    k = root.T @ scaled
    left = 2.0 * bound - eigenvalues.sum() - (scaled**2).sum()
    upper = np.triu_indices(n)
    which = np.arange(len(upper[0]))
    entries = np.zeros((n, n, len(which)))  # dA/dv, symmetric
    entries[upper[0], upper[1], which] = entries[upper[1], upper[0], which] = 1.0
    moved = np.tensordot(root, entries, 1)  # R E for each entry
    slope = np.concatenate([2.0 * k.ravel(), (np.eye(n) - k @ k.T).ravel() @ entries.reshape(n * n, -1)])
    square = np.hstack([np.kron(root, np.eye(m.shape[1])), -np.einsum("iqe,qj->ije", moved, k).reshape(size, -1)])
    hessian = 2.0 / left * square.T @ square + np.outer(slope, slope) / left**2
    square = np.einsum("iqe,jq->ije", moved, root).reshape(n * n, -1)
    hessian[size:, size:] += square.T @ square
    gradient = slope / left
    gradient[size:] -= (root.T @ root).ravel() @ entries.reshape(n * n, -1)
    if m.shape != tuple(shape):  # back to the order of the entries of M as it was given
        order = np.concatenate([np.arange(size).reshape(m.shape).T.ravel(), np.arange(size, len(v))])
        gradient, hessian = gradient[order], hessian[np.ix_(order, order)]
    return gradient, hessian


def _inverse_root(a):
    """The eigenvalues of A, the smallest first, and R with R'R = A^-1; of no use where A is not positive definite."""
    eigenvalues, vectors = np.linalg.eigh(a)
    return eigenvalues, vectors.T / np.sqrt(np.abs(eigenvalues))[:, None]


def _parts(v, shape):
    """M, or its transpose if that is the wide one; and A."""
    size, n = shape[0] * shape[1], min(shape)
    m = v[:size].reshape(shape)
    a = np.zeros((n, n))
    a[np.triu_indices(n)] = v[size:]
    return (m if shape[0] <= shape[1] else m.T), a + np.triu(a, 1).T


NORM = Nuclear

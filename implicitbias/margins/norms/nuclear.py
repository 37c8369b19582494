"""Nuclear: the sum of the singular values of W, the norm of steps of rank one (arXiv 2502.04664)."""

from dataclasses import dataclass

import numpy as np

from implicitbias.margins.norms.matrix import MatrixNorm, log_determinant, singular_values


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
    logs = log_determinant(a)
    if logs == -np.inf:
        return np.inf
    left = 2.0 * bound - np.trace(a) - (m * np.linalg.solve(a, m)).sum()
    return -np.log(left) - logs if left > 0 else np.inf


def nuclear_derivatives(v, shape, bound: float):
    """The gradient and the Hessian: with P = A^-1, K = P M and f = tr A + tr(M'P M),

    f' = (2 K, I - K K'),  f'' = (H, E) -> (2 P H - 2 P E K, -2 P H K' + 2 P E K K')  made symmetric in E.
    """
    m, a = _parts(v, shape)
    size, n = m.size, len(a)
    p = np.linalg.inv(a)
    k = p @ m
    kk = k @ k.T
    left = 2.0 * bound - np.trace(a) - (m * k).sum()
    upper = np.triu_indices(n)
    entries = np.zeros((n, n, len(upper[0])))  # d A / d v, symmetric
    entries[upper[0], upper[1], np.arange(len(upper[0]))] = 1.0
    entries[upper[1], upper[0], np.arange(len(upper[0]))] = 1.0
    moved = np.einsum("ip,pqe->iqe", p, entries)  # P E for each entry
    of_a = entries.reshape(n * n, -1)
    slope = np.concatenate([2.0 * k.ravel(), of_a.T @ (np.eye(n) - kk).ravel()])
    hessian = np.zeros((len(v), len(v)))
    hessian[:size, :size] = 2.0 * np.kron(p, np.eye(m.shape[1]))
    cross = -2.0 * np.einsum("iqe,qj->ije", moved, k).reshape(size, -1)
    hessian[:size, size:], hessian[size:, :size] = cross, cross.T
    both = 2.0 * of_a.T @ np.einsum("iqe,qj->ije", moved, kk).reshape(n * n, -1)
    hessian[size:, size:] = (both + both.T) / 2.0
    hessian = hessian / left + np.outer(slope, slope) / left**2
    hessian[size:, size:] += of_a.T @ np.einsum("iqe,qj->ije", moved, p).reshape(n * n, -1)
    gradient = slope / left
    gradient[size:] -= of_a.T @ p.ravel()
    if m.shape != tuple(shape):  # back to the order of the entries of M as it was given
        order = np.concatenate([np.arange(size).reshape(m.shape).T.ravel(), np.arange(size, len(v))])
        gradient, hessian = gradient[order], hessian[np.ix_(order, order)]
    return gradient, hessian


def _parts(v, shape):
    """M, or its transpose if that is the wide one; and A."""
    size, n = shape[0] * shape[1], min(shape)
    m = v[:size].reshape(shape)
    a = np.zeros((n, n))
    a[np.triu_indices(n)] = v[size:]
    return (m if shape[0] <= shape[1] else m.T), a + np.triu(a, 1).T


NORM = Nuclear

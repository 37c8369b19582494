"""The largest eigenvalues of H = sum_j h_j u_j u_j' and their vectors, however far apart the weights h_j are.

With V the matrix of the rows sqrt(h_j) u_j, each in a unit of its own, they are singular values and right vectors of V:

    V' = Q R            by Gram-Schmidt with pivoting (optimizers.matrix.factors)
    R = T' diag(s) W    by rotations of its rows, so that H = (Q T') diag(s^2) (Q T')'

which loses nothing to the size of a weight. For the k largest, Q and R end where all that is left is so much shorter
than pivot number k, r_kk, that it moves no vector by more than 2^-54: what is left, E, turns the k-th singular vector
by at most ||E|| / s_k, adds at most ||E||^2 to an eigenvalue, and s_k >= 3 r_kk / sqrt(4^k + 6k - 1).

Where the eigenvalues are within NEAR of each other, those of the matrix H itself are as good, and faster to have.

Source: Higham, Accuracy and Stability of Numerical Algorithms (2002), theorem 8.14 (the bound on s_k); Demmel and
Veselic, SIAM J. Matrix Anal. Appl. 13 (1992) 1204-1245.
"""

import math

import numpy as np

from implicitbias.jit import kernel
from implicitbias.lanes import LANES, aligned, line_of, view
from implicitbias.optimizers.matrix.factors import orthonormal, rotate_rows
from implicitbias.optimizers.matrix.rows import add_to, dot, scale_row
from implicitbias.simulation.tail import times_pow2
from implicitbias.threads import one_thread

BELOW = 54  # binary orders of what is left out, below what it could turn
# H has errors of a few 2^-53 of its largest eigenvalue: of one that is 1e3 smaller, some 1e-12.
NEAR = 1e-3
SMALL = 16  # rows or columns up to which rotations are as fast
ALIKE = 200  # binary orders between factors of coordinates that one unit will do for
ROOM = 2**20  # numbers of vectors that are laid out at a time


@kernel
def spectra(v, expo, rank, k, margin, room, logs, directions):
    """logs (S, k) = the largest log2 eigenvalues of sum_i v_i v_i', directions (S, k, chunks, 8) their vectors, of
    v (S, N, chunks, 8) in units 2^expo (S, N), which are destroyed, of rank at most `rank`."""
    count, chunks = v.shape[1], v.shape[2]
    across, along = (count + 7) // 8, (rank + 7) // 8
    q, at = view(room, 0, (rank, chunks, 8)), rank * chunks * 8
    r, at = view(room, at, (rank, across, 8)), at + rank * across * 8
    turn, at = view(room, at, (rank, along, 8)), at + rank * along * 8
    size, at = room[at : at + count], at + count
    height, at = room[at : at + rank], at + rank
    value = room[at : at + rank]
    for s in range(v.shape[0]):
        found = orthonormal(v[s], expo[s], count, rank, q, r, size, height, k, margin)
        for t in range(found):
            line = line_of(r[t])
            for i in range(count):
                if line[i] != 0.0:
                    line[i] = times_pow2(line[i], expo[s, i] - height[t])
        rotate_rows(r, height, max(found, 0), turn)
        for t in range(max(found, 0)):
            value[t] = 2.0 * height[t] + math.log2(dot(r[t], r[t]))
        for place in range(k):
            scale_row(directions[s, place], 0.0)
            logs[s, place] = -np.inf if found >= 0 else np.nan
            best = -1
            for t in range(max(found, 0)):
                if value[t] == value[t] and (best < 0 or value[t] > value[best]):
                    best = t
            if best < 0:
                continue
            logs[s, place], value[best] = value[best], np.nan
            line = line_of(turn[best])
            for t in range(found):
                add_to(directions[s, place], line[t], q[t])


def largest(
    logs: np.ndarray, u: np.ndarray, k: int, rank: int, stretch: np.ndarray | None = None, bare: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """The k largest eigenvalues of H at S iterates.

    Arguments
        logs      (S, N) log h_j
        u         (S, N, d) or (N, d) the u_j
        k, rank   1 <= k <= rank, the largest rank that H can have
        stretch   (S, d) log2 of factors of the coordinates of all u_j; default none. A coordinate in which all u_j are
                  zero may have any
        bare      whether eigenvalues will do, and vectors may be NaN

    Returns their natural logarithms (S, k), largest first, -inf beyond the rank, and orthonormal eigenvectors
    (S, k, d), zero there. NaN where a weight is, or an entry infinite.
    """
    N, d = u.shape[-2:]
    u, orders = _ordinary(u)
    logs = logs + 2.0 * np.log(2.0) * orders
    values, found = np.full((len(logs), k), np.nan), np.full((len(logs), k, d), np.nan)
    good = np.flatnonzero(np.isfinite(logs).all(axis=1))
    step = max(1, ROOM // (N * d))
    for first in range(0, len(good), step):
        mine = good[first : first + step]
        h, rows = logs[mine], np.broadcast_to(u, (len(mine), N, d)) if u.ndim == 2 else u[mine]
        if stretch is not None:
            rows, orders = _stretched(rows, stretch[mine])
            h = h + 2.0 * np.log(2.0) * orders
        left = np.ones(len(mine), bool)
        if min(N, d) > SMALL:
            with one_thread():
                near, *both = _within(h, rows, k, bare)
            left = ~near
            values[mine[near]], found[mine[near]] = (x[near] for x in both)
        if left.any():
            values[mine[left]], found[mine[left]] = _apart(h[left], rows[left], k, rank)
    return values, found


def _ordinary(u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(u 2^-order, order) with entries of at most 1, and an order for each of the vectors (..., d)."""
    _, order = np.frexp(np.abs(u).max(axis=-1))
    with np.errstate(under="ignore"):
        return np.ldexp(u, -order[..., None]), order


def _stretched(u: np.ndarray, stretch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """u 2^stretch for vectors (S, N, d), over 2^order, and the orders (S, N)."""
    there = None
    if not np.isfinite(stretch).all():
        there = u != 0.0
        stretch = np.where(there.any(axis=1), stretch, -np.inf)
    top = np.floor(stretch.max(axis=-1))
    seen = np.where(np.isneginf(stretch), top[:, None], stretch)
    if (np.ptp(seen, axis=-1) <= ALIKE).all():
        with np.errstate(under="ignore"):
            return u * np.exp2(seen - top[:, None])[:, None, :], np.broadcast_to(top[:, None], u.shape[:2])
    whole = np.where(np.isfinite(seen), np.floor(seen), 0.0)
    part = np.where(np.isfinite(seen), np.exp2(seen - whole), np.nan)[:, None, :]
    _, sizes = np.frexp(u)
    there = u != 0.0 if there is None else there
    order = np.where(there, sizes + whole[:, None, :], -np.inf).max(axis=-1)
    shift = np.clip(whole[:, None, :] - order[..., None], -(2**20), 2**20).astype(np.int32)
    with np.errstate(under="ignore", over="ignore"):
        return np.where(there, np.ldexp(u * part, shift), 0.0), order


def _within(logs: np.ndarray, u: np.ndarray, k: int, bare: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same of several iterates by LAPACK: which are as good (S,), their eigenvalues and vectors."""
    from scipy.linalg.lapack import dsyevr, dsyevr_lwork

    S, N, d = u.shape
    top = logs.max(axis=1)
    rows = np.exp(0.5 * (logs - top[:, None]))[..., None] * u
    sizes = np.einsum("sij,sij->si", rows, rows)
    good = np.isfinite(sizes).all(axis=1)
    if k > 1:  # a bound on the k-th, and one on the first
        sizes = np.sort(sizes, axis=1)
        good &= sizes[:, : 1 - k].sum(axis=1) >= NEAR * sizes[:, -1]
    values, found = np.full((S, k), np.nan), np.full((S, k, d), np.nan)
    dual, m = d > N, min(N, d)
    sizes = [int(x) for x in dsyevr_lwork(m)[:2]]  # of the room it wants; as `eigh`, which takes as long to call
    for s in np.flatnonzero(good):
        mine = rows[s]
        H = mine @ mine.T if dual else mine.T @ mine
        some, turned, *_, failed = dsyevr(H.T, compute_v=not bare, range="I", il=m - k + 1, iu=m, lwork=sizes[0],
                                          liwork=sizes[1], overwrite_a=True)  # fmt: skip
        good[s] = not failed and some[0] > NEAR * some[k - 1]
        if not good[s]:
            continue
        values[s] = np.log(some[k - 1 :: -1]) + top[s]
        if not bare:
            turned = turned[:, ::-1].T
            found[s] = turned @ mine if dual else turned
    if dual:
        found /= np.linalg.norm(found, axis=-1, keepdims=True)
    return good, values, found


def _apart(logs: np.ndarray, u: np.ndarray, k: int, rank: int) -> tuple[np.ndarray, np.ndarray]:
    """The same of several iterates by rotations."""
    S, N, d = u.shape
    chunks = -(-d // LANES)
    half = logs / (2.0 * np.log(2.0))
    expo = np.floor(half)
    v = aligned((S, N, chunks, LANES))
    v.reshape(S, N, -1)[..., :d] = np.exp2(half - expo)[..., None] * u
    margin = BELOW + 0.5 * math.log2((4.0**k + 6 * k - 1) / 9 * N)
    room = aligned(rank * (chunks + -(-N // LANES) + -(-rank // LANES)) * LANES + N + 2 * rank)
    values, found = np.empty((S, k)), aligned((S, k, chunks, LANES))
    spectra(v, expo, rank, k, margin, room, values, found)
    found = found.reshape(S, k, -1)[..., :d]
    size = np.linalg.norm(found, axis=-1, keepdims=True)
    return values * np.log(2.0), found / np.where(size > 0.0, size, 1.0)

"""The curvature of the mean loss: the largest eigenvalues of its Hessian, exact at any loss."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from implicitbias.errors import InputError, one_of, told
from implicitbias.hessian.eigen import ROOM, largest
from implicitbias.hessian.terms import terms, vectors
from implicitbias.integers import whole
from implicitbias.lengths import unit
from implicitbias.problems import AnyProblem, Multiclass, Objective, as_problem
from implicitbias.simulation.setting import is_integer
from implicitbias.simulation.tail import LOSSES
from implicitbias.threads import one_thread

__all__ = ["Curvature", "curvature", "log_stretched", "most_of", "share_of", "spectrum"]


@dataclass(frozen=True, eq=False)
class Curvature:
    """The top of the Hessian of the mean loss.

    Attributes
        log_eigenvalues   (k,) natural logarithms of the largest eigenvalues, largest first; -inf beyond the rank
        directions        (k, *shape) their orthonormal eigenvectors, each with its largest entry positive; zero beyond
                          the rank
    """

    log_eigenvalues: np.ndarray
    directions: np.ndarray

    @property
    def eigenvalues(self) -> np.ndarray:
        """(k,) the eigenvalues, zero where float64 does not reach."""
        with np.errstate(under="ignore"):
            return np.exp(self.log_eigenvalues)

    def chi(self, v: ArrayLike) -> np.ndarray:
        """(...,) the share ||P v|| / ||v|| of v (..., *shape) in the span of the directions, with P the projector on
        it; NaN for zero. Errors: ``InputError`` for another shape."""
        shape = self.directions.shape[1:]
        given = np.asarray(v, dtype=np.float64)
        if given.shape[max(given.ndim - len(shape), 0) :] != shape:
            raise InputError(f"v must have the shape {shape} of the weights, or (..., *{shape}), not {given.shape}")
        flat = given.reshape(*given.shape[: given.ndim - len(shape)], -1)
        return share_of(self.directions.reshape(len(self.directions), -1), flat)


def share_of(directions: np.ndarray, v: np.ndarray) -> np.ndarray:
    """(...,) ||P v|| / ||v|| of v (..., d), with P the projector on orthonormal directions (..., k, d); NaN for 0."""
    with np.errstate(invalid="ignore", under="ignore"):
        parts = np.matmul(directions, unit(v)[..., None])[..., 0]
        return np.minimum(np.linalg.norm(parts, axis=-1), 1.0)


def most_of(problem: AnyProblem) -> int:
    """The largest rank that the Hessian of a problem can have: min(n, d), of k classes (k - 1) times that; of an
    objective d."""
    if isinstance(problem, Objective):
        return problem.d
    return min(problem.n, problem.d) * (problem.k - 1 if isinstance(problem, Multiclass) else 1)


def spectrum(problem: AnyProblem, weights: np.ndarray, k: int, loss: str) -> tuple[np.ndarray, np.ndarray]:
    """The k largest eigenvalues at iterates (S, *shape) as logarithms (S, k), and eigenvectors (S, k, d), of a matrix
    row by row, each with its largest entry positive."""
    values, found = np.empty((len(weights), k)), np.empty((len(weights), k, math.prod(problem.shape)))
    if isinstance(problem, Objective):
        values, found = _dense(problem.hessian(weights), k)
    for piece in [] if isinstance(problem, Objective) else _pieces(problem, weights):
        h, c = terms(problem, weights[piece], loss)
        if c is None:
            values[piece], found[piece] = largest(h, vectors(problem, c), k, most_of(problem))
            continue
        # the entries of a vector of classes add up to 0: in a basis of these there is one less
        basis = np.linalg.qr(np.eye(problem.k)[:, 1:] - np.eye(problem.k)[:, :1])[0]
        values[piece], mine = largest(h, vectors(problem, c @ basis), k, most_of(problem))
        mine = np.matmul(basis, mine.reshape(*mine.shape[:2], problem.k - 1, problem.d))
        found[piece] = mine.reshape(*mine.shape[:2], -1)
    most = np.take_along_axis(found, np.abs(found).argmax(axis=-1)[..., None], axis=-1)
    return values, np.where(most < 0.0, -found, found)


def log_stretched(problem: AnyProblem, weights: np.ndarray, loss: str, stretch: np.ndarray) -> np.ndarray:
    """(S,) logarithm of the largest eigenvalue of D H D at iterates (S, *shape), with D = diag(2^stretch), stretch
    (S, d)."""
    if isinstance(problem, Objective):
        by = np.exp2(stretch)
        return _dense(problem.hessian(weights) * by[:, :, None] * by[:, None, :], 1)[0][:, 0]
    found = np.empty(len(weights))
    for piece in _pieces(problem, weights):
        h, c = terms(problem, weights[piece], loss)
        found[piece] = largest(h, vectors(problem, c), 1, most_of(problem), stretch[piece], bare=True)[0][:, 0]
    return found


def _dense(matrices: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Logarithms (S, k) of the largest eigenvalues of matrices (S, d, d), NaN below 0, and eigenvectors (S, k, d)."""
    good = np.isfinite(matrices).all(axis=(1, 2))  # those of a run that overflows are not
    with one_thread():
        values, found = np.linalg.eigh(np.where(good[:, None, None], matrices, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(np.where(good[:, None], values[:, : -k - 1 : -1], np.nan))
    return logs, np.swapaxes(found[:, :, : -k - 1 : -1], 1, 2)


def _pieces(problem: AnyProblem, weights: np.ndarray) -> list[slice]:
    """So many iterates at a time that the vectors of their classes have room."""
    each = math.prod(problem.shape) * problem.n * (problem.k - 1) if isinstance(problem, Multiclass) else 1
    step = max(1, ROOM // each)
    return [slice(first, first + step) for first in range(0, len(weights), step)]


@told
def curvature(problem: AnyProblem | ArrayLike, w: ArrayLike, k: int = 2, loss: str = "logistic") -> Curvature:
    """The k largest eigenvalues of the Hessian of the mean loss, and their directions.

    H = (1/n) sum_i l''(a_i.w) a_i a_i',  of k classes (1/n) sum_i (diag(p_i) - p_i p_i') (x) x_i x_i'

    The weights l'' pass 1e-308 long before the direction of w has settled; each is kept with an exponent of its own, so
    that an eigenvalue of e^-2000 has as many digits as one of order 1, and a direction as many as the gap between its
    eigenvalue and the next, as a part of them, leaves it.

    Arguments
        problem   a Problem or a Multiclass, or the rows (n, d) of a Problem; or an objective, in plain float64
        w         finite weights: (d,), of a Multiclass (k, d)
        k         how many, from 1 to min(n, d), of a Multiclass to (classes - 1) min(n, d)
        loss      "logistic" (default) or "exponential"

    Returns a Curvature.
    Errors: ``InputError`` listing every argument that is wrong.

    >>> import implicitbias as ib
    >>> top = ib.curvature([[3.0, 0.0], [0.0, 1.0]], [1000.0, 0.0])
    >>> top.log_eigenvalues.round(1).tolist(), top.directions.round(6).tolist()
    ([-2.1, -2998.5], [[0.0, 1.0], [1.0, 0.0]])
    >>> ib.curvature([[3.0, 0.0], [0.0, 1.0]], [1000.0, 0.0], k=1).chi([3.0, 4.0]).round(6)
    np.float64(0.8)

    Source: arXiv 2405.16002 (the dominant subspace, chi_k).
    """
    problem = as_problem(problem)
    mistakes = []
    try:
        given = np.asarray(w, dtype=np.float64)
    except (TypeError, ValueError):
        given = np.empty(0)
    if given.shape != problem.shape:
        mistakes.append(f"w must be numbers of shape {problem.shape}, that of the weights")
    elif not np.isfinite(given).all():
        mistakes.append("w must be finite")
    k, most = whole(k), most_of(problem)
    if not is_integer(k) or not 1 <= k <= most:
        mistakes.append(f"k must be an integer from 1 to {most}, the largest rank of the Hessian, but is {k!r}")
    if loss not in LOSSES:
        mistakes.append(one_of(loss, "loss", LOSSES))
    if mistakes:
        raise InputError(mistakes)
    logs, directions = spectrum(problem, given[None], int(k), loss)
    return Curvature(logs[0], directions[0].reshape(-1, *problem.shape))

"""The rows of a problem as the driver has them: in lanes, and in the space where runs advance."""

from __future__ import annotations

import numpy as np

from implicitbias.errors import InputError
from implicitbias.lanes import LANES, aligned
from implicitbias.problems import Problem
from implicitbias.simulation.end import End
from implicitbias.simulation.margin_space import MarginSpace, margin_space
from implicitbias.simulation.scales import COORDINATE
from implicitbias.threads import one_thread

# Binary orders of the squares of the entries, with room for the units of gradients beside them.
ROOT = 600


def space_of(problem, kind, starts: list[End]) -> MarginSpace | None:
    """The margin space, if runs that begin can use it, or those that go on are in it."""
    if not isinstance(problem, Problem):
        return None
    if starts[0].state is None:
        return margin_space(problem, kind, np.array([end.iterate for end in starts]))
    return margin_space(problem, kind, np.zeros((1, problem.d))) if starts[0].in_margins else None


def rank_of(rows: np.ndarray) -> int:
    with one_thread():
        return int(np.linalg.matrix_rank(rows))


def padded_rows(rows: np.ndarray) -> np.ndarray:
    """(n, chunks, 8) the rows (n, d), filled up with zeros."""
    n, d = rows.shape
    padded = aligned((n, -(-d // LANES), LANES))
    padded.reshape(n, -1)[:, :d] = rows
    return padded


def bent_rows(padded: np.ndarray, scaled: np.ndarray, kind) -> np.ndarray:
    """Minus the squares of the rows, for an optimizer that sees curvatures, in the units of `scaled`."""
    if "curvature" not in kind.evaluations:
        return scaled
    if kind.mode != COORDINATE:
        raise InputError(f"{kind.__name__} sees the curvature, which there is in mode COORDINATE alone")
    bent = aligned(padded.shape)
    with np.errstate(over="ignore", under="ignore"):
        np.multiply(padded, -scaled, out=bent)
    sizes = np.abs(bent[padded != 0.0])
    if not (sizes.min() >= 2.0**-ROOT and sizes.max() <= 2.0**ROOT):
        raise InputError(
            f"{kind.__name__} sees squares of the entries of the rows, and these are too large or too small for them; "
            "scale the rows"
        )
    return bent

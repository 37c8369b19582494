"""Blocks of features under norms of their own, as of Muon beside Adam: max(N_A(A), N_B(B) / ratio) of W = (A, B)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np

from implicitbias.errors import InputError, one_of
from implicitbias.margins.norms.columns import Columns
from implicitbias.margins.norms.matrix import MatrixNorm
from implicitbias.margins.norms.rows import Rows
from implicitbias.margins.norms.spectral import Spectral

# The norms of a block, each as one of these of the block in another shape.
BALLS = {
    "frobenius": (Rows(), lambda a, b: (1, a * b)), "max": (Rows(), lambda a, b: (a * b, 1)),
    "spectral": (Spectral(), lambda a, b: (a, b)), "rows": (Rows(), lambda a, b: (a, b)),
    "columns": (Columns(), lambda a, b: (a, b)),
}  # fmt: skip
_NAMES = "|".join(BALLS)
NAME = rf"({_NAMES})([1-9]\d*)_({_NAMES})(?:x(\d+(?:\.\d+)?))?"


@dataclass(frozen=True)
class Blocks(MatrixNorm):
    """max(N_A(A), N_B(B) / ratio), A the first `split` columns of W and B the others: the norm of steepest descent with
    a map and a step size for each block of features.

    Its parameter is (N_A, split, N_B) or (N_A, split, N_B, ratio), the norms from frobenius, max, spectral, rows and
    columns; tables call it "spectral8_max", or "spectral8_maxx0.5" with a ratio.

    >>> norm = Blocks.of(("spectral", 2, "max", 0.5), (3, 5))
    >>> round(norm.value(np.diag([3.0, 2.0, 1.0]) @ np.eye(3, 5)), 12), str(norm)
    (3.0, 'spectral2_maxx0.5')

    Source: arXiv 2405.14813 and 2410.21265 (modular norms); 2602.16340 (Muon beside Adam).
    """

    parts: tuple
    name, symbol = "blocks", "blocks"

    @classmethod
    def of(cls, parameter, shape):
        words = 'the parts of ("blocks", parts) must be (norm, split, norm) or (norm, split, norm, ratio)'
        if isinstance(parameter, str) or not isinstance(parameter, Sequence) or len(parameter) not in (3, 4):
            raise InputError(f"{words}, but are {parameter!r}")
        first, split, second, ratio = (*parameter, 1.0)[:4]
        mistakes = [one_of(part, "norm of a block", BALLS) for part in (first, second) if part not in BALLS]
        if isinstance(split, bool) or not isinstance(split, Integral) or not 1 <= split < shape[1]:
            mistakes.append(f"the split of blocks must be a whole number from 1 to {shape[1] - 1}, but is {split!r}")
        if isinstance(ratio, bool) or not isinstance(ratio, Real) or not 0.0 < ratio < math.inf:
            mistakes.append(f"the ratio of blocks must be a number > 0 and finite, but is {ratio!r}")
        if mistakes:
            raise InputError(mistakes)
        return cls((first, int(split), second, float(ratio)))

    @staticmethod
    def pair(name: str) -> tuple | None:
        """The parameter in a name such as "spectral8_max"; None if it has none."""
        found = re.fullmatch(NAME, name)
        return (found[1], int(found[2]), found[3], float(found[4] or 1.0)) if found else None

    def __str__(self):
        first, split, second, ratio = self.parts
        return f"{first}{split}_{second}" + (f"x{ratio:g}" if ratio != 1.0 else "")

    @property
    def turns(self):
        return all(name in ("frobenius", "spectral", "columns") for name in self.parts[::2]), False

    def _blocks(self, w: np.ndarray) -> Iterator[tuple]:
        """(norm, its shape, ratio, the block) of matrices (S, k, d), for each block that has features."""
        first, split, second, ratio = self.parts
        for name, share, part in ((first, 1.0, w[:, :, :split]), (second, ratio, w[:, :, split:])):
            if part.shape[2]:
                norm, shape = BALLS[name]
                shape = shape(*part.shape[1:])
                yield norm, shape, share, part.reshape(-1, *shape)

    def sizes(self, w):
        return np.max([norm.sizes(part) / ratio for norm, _, ratio, part in self._blocks(w)], axis=0)

    def dual_sizes(self, y):
        return np.sum([norm.dual_sizes(part) * ratio for norm, _, ratio, part in self._blocks(y)], axis=0)

    def barrier(self, v, shape):
        found = self._blocks(v.reshape(1, *shape))
        return sum(norm.barrier(part.ravel() / ratio, own) for norm, own, ratio, part in found)

    def derivatives(self, v, shape):
        gradient, hessian = np.zeros(v.size), np.zeros((v.size, v.size))
        places = np.arange(v.size).reshape(1, *shape)
        for (norm, own, ratio, part), (*_, at) in zip(self._blocks(v.reshape(1, *shape)), self._blocks(places)):
            slope, curvature = norm.derivatives(part.ravel() / ratio, own)
            gradient[at.ravel()] = slope / ratio
            hessian[np.ix_(at.ravel(), at.ravel())] = curvature / ratio**2
        return gradient, hessian

    def narrowed(self, kept):
        first, split, second, ratio = self.parts
        return Blocks((first, int(kept[:split].sum()), second, ratio))

    def idle(self, kept):
        first, split, second, _ = self.parts
        free = np.array([name in ("max", "columns") for name in (first, second)])
        return ~kept & np.repeat(free, [split, kept.shape[1] - split])


NORM = Blocks

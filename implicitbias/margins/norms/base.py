"""What a norm is to a margin: its value, its dual, bounds of both without round-off, its solver, its optimal face."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from implicitbias.errors import InputError

if TYPE_CHECKING:
    from implicitbias.margins.face import AnyFace
    from implicitbias.margins.separator import Separator
    from implicitbias.margins.unit_rows import UnitRows


class Active(NamedTuple):
    """What w.y = N(w) N*(y) leaves of a w: the coordinates that it does not fix, and what it says of them.

    Attributes
        free       (d,) which coordinates are not fixed; k of them
        equations  (m, k) rows that are constant on the face
        normals    (j, k) rows of the norm's own inequalities
        slack      (j,) how far the direction is from each of these
    """

    free: np.ndarray
    equations: np.ndarray
    normals: np.ndarray
    slack: np.ndarray


@dataclass(frozen=True)
class Norm:
    """A norm N(w) on R^d, or N(W) on matrices (k, d). A new one is a file in this folder with a subclass as its `NORM`.

    Class attributes
        name        what `max_margin`, a study and the columns call it
        symbol      how it is printed
        vectors     whether it fits a ``Problem``, whose weights are a vector
        matrices    whether it fits a ``Multiclass``, whose weights are a matrix
        entrywise   whether the norm of a matrix is that of the vector of its entries
        instead     the norm to ask for where the weights are of the other kind
        usual       whether every table has it that asks for no norms; one that fits vectors is usual for these alone
        followed    whether reports follow the direction of it when a study asks for no norms: theorems lead there
        polyhedral  whether its ball is a polytope: its values have no round-off where float64 holds them

    A parameter is a field of the dataclass, and the norm is then asked for as (name, parameter).
    """

    name: ClassVar[str]
    symbol: ClassVar[str]
    vectors: ClassVar[bool] = True
    matrices: ClassVar[bool] = False
    entrywise: ClassVar[bool] = True
    instead: ClassVar[str] = "frobenius"
    usual: ClassVar[bool] = False
    followed: ClassVar[bool] = False
    polyhedral: ClassVar[bool] = False

    @classmethod
    def takes(cls) -> str:
        """The name of its parameter, "" if it has none."""
        return "".join(field.name for field in fields(cls))

    @classmethod
    def of(cls, parameter: Any, shape: tuple[int, ...]) -> Norm:
        """The norm of a user's parameter on weights (d,) or (k, d). Errors: ``InputError`` with every mistake of it."""
        raise InputError(f"norm {cls.name!r} takes no parameter, but got {parameter!r}")

    @property
    def key(self) -> str | tuple[str, Any]:
        """Its canonical name: "l2", or (name, parameter)."""
        parameters = [getattr(self, field.name) for field in fields(self)]
        return (self.name, *parameters) if parameters else self.name

    def __str__(self) -> str:
        return self.name

    @property
    def strictly_convex(self) -> bool:
        """Whether a margin has one maximiser whatever the data."""
        return not self.polyhedral

    @property
    def blind(self) -> np.ndarray | None:
        """(d,) the coordinates that cost nothing, if there are any: N is a seminorm then."""
        return None

    def value(self, w: np.ndarray) -> float:
        """N(w) of w (d,) or (k, d), which neither overflows nor underflows where w does not."""
        raise NotImplementedError

    def values(self, rows: np.ndarray) -> np.ndarray:
        """(S,) N of each row (S, d), or of each matrix (S, k, d)."""
        return np.array([self.value(row) for row in rows])

    def above(self, w: np.ndarray) -> float:
        """An upper bound of N(w), a few ulps above it; N(w) itself for a polyhedral norm where float64 holds it.

        Nothing here may depend on the processor: sums and roots are those of ``math``.
        """
        raise NotImplementedError

    def dual_above(self, y: np.ndarray) -> float:
        """An upper bound of N*(y) = max { y.w : N(w) <= 1 }, a few ulps above it; over the costly coordinates only."""
        raise NotImplementedError

    def solve(self, unit: UnitRows, l2: Separator | None) -> Iterator:
        """Pairs (w, c), each better, for max { min_i a_i.w : N(w) <= 1 }, as ``certified`` takes them.

        Arguments
            unit  the rows a_i
            l2    the l2 separator, which exists; None for the l2 norm itself
        """
        raise NotImplementedError

    def face(self, unit: UnitRows, direction: np.ndarray, dual: np.ndarray) -> AnyFace | None:
        """The optimal face with this direction and dual weights; None if it is the direction alone."""
        from implicitbias.margins.face import Face

        return None if self.strictly_convex else Face(unit, self, direction, dual)

    def active(self, y: np.ndarray, known: np.ndarray, direction: np.ndarray) -> Active:
        """What y = A'c (d,), known to ``known`` (d,), says of the optimal w; for norms that are not strictly convex."""
        raise NotImplementedError

    def narrowed(self, kept: np.ndarray) -> Norm:
        """The norm of the coordinates that are kept (d,), the others being 0."""
        return self

    def idle(self, kept: np.ndarray) -> np.ndarray:
        """Which of the others may be anything (within the norm's ball) at no cost; as ``kept``, (d,) or (k, d)."""
        return np.zeros_like(kept)


@dataclass(frozen=True)
class Polyhedral(Norm):
    """A norm whose ball is a polytope: its margin is a linear program, in float64 and in exact integers."""

    polyhedral: ClassVar[bool] = True

    def solve(self, unit, l2):
        from implicitbias.margins import polyhedral

        return polyhedral.solve(unit, self, l2)

    def program(self, b: np.ndarray, level: np.ndarray, unit_of: np.ndarray):
        """max { t : b w + level t >= 0, N(w) <= 1 } for a w whose coordinate j is written in units of 1/unit_of_j.

        Arguments
            b        (n, d) rows
            level    (n, 1) minus the level of each
            unit_of  (d,) powers of two

        Returns (matrix, rhs, lower, upper) of  matrix x >= rhs, lower <= x <= upper  with t the last entry of x, and
        the first n rows those of b.
        """
        raise NotImplementedError

    def point(self, x: np.ndarray, d: int) -> np.ndarray:
        """(d,) the w of an x of ``program``."""
        raise NotImplementedError

    def integer_program(self, m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(matrix, cost) of min { N(w) : m w >= level } as min { cost.x : matrix x >= (level, 0), x >= 0 }."""
        raise NotImplementedError

    def integer_point(self, x: np.ndarray, d: int) -> np.ndarray:
        """(d,) the w of an x of ``integer_program``."""
        raise NotImplementedError


def up(value: float) -> float:
    return math.nextafter(value, math.inf)

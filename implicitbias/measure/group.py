"""What a measure is: columns with a meaning, and how they are computed from a run."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from implicitbias.models import Deep
from implicitbias.problems import AnyProblem

if TYPE_CHECKING:
    from implicitbias.limits import Limit
    from implicitbias.margins import Separator
    from implicitbias.simulation.run import Run


@dataclass(frozen=True)
class Column:
    """A column of a table: its name, its type (int, float, bool, str, or list for a vector), its unit and what it is.

    The unit is "" where the number has none.
    """

    name: str
    kind: type
    unit: str
    says: str


class Snapshots:
    """A run as measures see it; what several of them need is computed once.

    Attributes
        run         the run, with S snapshots of n samples; the weights are d numbers, of a matrix row by row
        limit       its predicted limit, or None
        norms       the norms that are asked for
        deep        whether the weights are those that a model of depth makes
        top         how many eigenvalues of the Hessian are, if any
    """

    def __init__(self, run: "Run", limit: "Limit | None", norms: tuple[str, ...], top: int | None = None):
        self.deep = isinstance(run.problem, Deep)
        if self.deep:  # what is measured is the predictor, as that of the data
            data, predictor = run.problem.data, run.problem.predictor
            initial = predictor(run.initial)
            run = replace(
                run, problem=data, weights=predictor(run.weights), initial=initial, updates=None, divisors=None
            )
        self.run, self.limit, self.norms, self.top = run, limit, norms, top

    def separator(self, norm: str) -> "Separator":
        from implicitbias.margins import max_margin

        return max_margin(self.run.problem, norm)

    def towards(self, norm: str) -> np.ndarray:
        """(d,) the max-margin direction of a norm."""
        return self.separator(norm).direction.reshape(-1)

    @property
    def weights(self) -> np.ndarray:
        """(S, d) w(t)."""
        weights = self.run.weights  # of a run without snapshots, too
        return weights.reshape(len(weights), math.prod(weights.shape[1:]))

    def in_shape(self, vectors: np.ndarray) -> np.ndarray:
        """(S, *shape) vectors (S, d) as weights."""
        return vectors.reshape(len(vectors), *self.run.problem.shape)

    @cached_property
    def margins(self) -> np.ndarray:
        """(S, N) those of w(t)."""
        return self.run.problem.margins(self.run.weights)

    @cached_property
    def soft_margins(self) -> np.ndarray:
        """(S, n) the margins that the losses of the samples are functions of."""
        return self.run.problem.soft_margins(self.margins)

    @cached_property
    def least(self) -> np.ndarray:
        """(S,) the smallest margin."""
        return self.margins.min(axis=1)

    @cached_property
    def increments(self) -> np.ndarray:
        """(S, d) w(t) - w(t/2); NaN before the first snapshot at t/2."""
        return self.weights - half_way(self.run).reshape(self.weights.shape)

    @cached_property
    def least_moved(self) -> np.ndarray:
        """(S,) the smallest margin of the increment."""
        return self.run.problem.margins(self.in_shape(self.increments)).min(axis=1)

    @cached_property
    def spectrum(self) -> tuple[np.ndarray, np.ndarray]:
        """The logarithms (S, top) of the largest eigenvalues of the Hessian, and eigenvectors (S, top, d)."""
        from implicitbias.hessian import spectrum

        return spectrum(self.run.problem, self.run.weights, self.top, self.run.setting.loss)


def half_way(run: "Run") -> np.ndarray:
    """(S, *shape) the iterate at half the clock of each snapshot: a snapshot itself, up to the rounding of steps."""
    half = run.clock / 2.0
    rounding = 0.5 if run.clock.dtype.kind == "i" else 1e-9 * half
    position = np.searchsorted(run.clock, half - rounding)
    exists = np.abs(run.clock[position] - half) <= rounding
    exists = exists.reshape(-1, *[1] * (run.weights.ndim - 1))
    return np.where(exists, run.weights[position], np.nan)


_Columns = Callable[[tuple[str, ...]], list[Column]]


def _none(*_) -> list:
    return []


def _nothing(*_) -> dict:
    return {}


@dataclass(frozen=True)
class Group:
    """Measures that are asked for together, under one name.

    Attributes
        name          what a study and `simulate` call it
        columns       norms -> its columns of every snapshot
        measure       Snapshots -> {column: (S,) values}
        end_columns   norms -> its columns of the end of a run, which the table of runs has beside those of the last
                      snapshot
        at_end        Snapshots -> {column: value} of the last of them
        data_columns  norms -> its columns of a data set
        of_data       (problem, norms) -> {column: value}
        matrices      whether it is for weights that are matrices, or for vectors; None for both
        data, objectives  whether it is for data, and for objectives, which have no margins
        top_columns   top -> its columns of every snapshot that are about the `top` largest eigenvalues of the Hessian
        by_name       whether it is there only where it is asked for by name, for what it costs
        needs         what a run keeps for it: "updates", "divisors" at each snapshot, "window" of its end (see `Run`)

    A new group is a file in this folder with a `GROUP`.
    """

    name: str
    columns: _Columns
    measure: Callable[[Snapshots], dict[str, np.ndarray]]
    end_columns: _Columns = _none
    at_end: Callable[[Snapshots], dict] = _nothing
    data_columns: _Columns = _none
    of_data: Callable[[AnyProblem, tuple[str, ...]], dict] = _nothing
    matrices: bool | None = None
    data: bool = True
    objectives: bool = False
    top_columns: Callable[[int], list[Column]] = _none
    by_name: bool = False
    needs: tuple[str, ...] = ()

    def fits(self, matrices: bool, objective: str | None = None) -> bool:
        if objective:
            return self.objectives
        return self.data and (self.matrices is None or self.matrices == matrices)

"""What is recorded of a run, in groups that a study or `simulate` asks for by name; one file a group.

    clock        step, epoch, sum_lr, lr, log_loss, min_margin: always there
    directions   cos_<norm>, angle_<norm> to the max-margin direction of each norm, inc_... of the increment w(t) -
                 w(t/2), which forgets the transient that stays in w; relative_move
    limit        the same to the predicted limit
    margins      norm_<norm>, margin_<norm>, ratio_<norm>, inc_ratio_<norm>; support
    residual     of gradient descent and gradient flow, on data of two classes
    accuracy     on the rows and on test rows, of Multiclass problems
    means        cos_means, angle_means of the rows of W to the class means, of Multiclass problems

`implicitbias columns` and `columns` below list them all, with their units and meanings. NaN stands for what does not
exist: the direction of w = 0, an increment before the first snapshot at t/2, a limit or residual without theory.
"""

import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from implicitbias.errors import InputError, one_of
from implicitbias.margins.norms import measurable, usual
from implicitbias.measure.group import Column, Group, Snapshots, half_way
from implicitbias.measure.objective import group_of
from implicitbias.measure.vectors import angle, cosine
from implicitbias.problems import AnyProblem, Multiclass, Objective
from implicitbias.registry import entries

if TYPE_CHECKING:
    from implicitbias.limits import Limit
    from implicitbias.simulation.run import Run

__all__ = ["Column", "Group", "Measures", "Snapshots", "angle", "cosine", "half_way", "limit_of"]

ALWAYS = "clock"


@cache
def groups() -> dict[str, Group]:
    """Every group, under its name: a file of this folder is one if it has a `GROUP`."""
    found = entries(__name__, __path__, "GROUP")
    return {ALWAYS: found.pop(ALWAYS), **found}


@dataclass(frozen=True)
class Measures:
    """What is measured of a run.

    Attributes
        groups    names of groups; the clock is always there
        norms     names of norms, for the groups that measure against them
        matrices  whether the weights are matrices, those of a Multiclass problem
        objective the form of the objectives that are run on, None on data
    """

    groups: tuple[str, ...]
    norms: tuple[str, ...] = field(default_factory=usual)
    matrices: bool = False
    objective: str | None = None

    @classmethod
    def of(
        cls,
        groups_: Iterable[str] | None = None,
        norms: Iterable[str] | None = None,
        matrices: bool = False,
        objective: str | None = None,
    ) -> "Measures":
        """The measures of these names; all groups, or the norms of every table, where none are given, that fit the
        weights.

        Errors: ``InputError`` with every unknown name, and every one that does not fit.

        >>> Measures.of(["margins"], ["l2"]).names()[-3:]
        ['ratio_l2', 'inc_ratio_l2', 'support']
        """
        known = {name: group for name, group in groups().items() if name == ALWAYS or group.fits(matrices, objective)}
        asked = list(known) if groups_ is None else [ALWAYS, *_names(groups_)]
        wanted = [] if objective else list(usual(matrices)) if norms is None else _names(norms)
        data = "two classes" if matrices else "a Multiclass problem"
        data = "data, not for objectives" if objective else f"data of {data}"
        mistakes = [
            f"measures: the group {name!r} is for {data}"
            if name in groups()
            else f"measures: {one_of(name, 'group of measures', known)}"
            for name in asked
            if name not in known
        ]
        for norm in wanted:
            try:
                measurable(norm, matrices)
            except InputError as error:
                mistakes += [f"norms: {mistake}" for mistake in error.mistakes]
        if objective and norms is not None:
            mistakes.append("norms: an objective has no margins that norms measure; leave norms out")
        if mistakes:
            raise InputError(mistakes)
        return cls(tuple(name for name in known if name in asked), tuple(dict.fromkeys(wanted)), matrices, objective)

    @classmethod
    def fitting(
        cls, problem: AnyProblem, groups_: Iterable[str] | None = None, norms: Iterable[str] | None = None
    ) -> "Measures":
        """`of`, for runs on a problem."""
        objective = problem.name if isinstance(problem, Objective) else None
        return cls.of(groups_, norms, isinstance(problem, Multiclass), objective)

    def chosen(self) -> list[Group]:
        own = {} if self.objective is None else {ALWAYS: group_of(self.objective)}
        return [own.get(name) or groups()[name] for name in self.groups]

    def columns(self) -> list[Column]:
        """Those of every snapshot."""
        return [column for group in self.chosen() for column in group.columns(self.norms)]

    def names(self) -> list[str]:
        return [column.name for column in self.columns()]

    def end_columns(self) -> list[Column]:
        """Those of the end of a run alone."""
        return [column for group in self.chosen() for column in group.end_columns(self.norms)]

    def data_columns(self) -> list[Column]:
        """Those of its data."""
        return [column for group in self.chosen() for column in group.data_columns(self.norms)]

    def of_data(self, problem: AnyProblem) -> dict:
        return {name: x for group in self.chosen() for name, x in group.of_data(problem, self.norms).items()}

    def measure(self, seen: Snapshots) -> dict[str, np.ndarray]:
        """Every column of the snapshots (S,)."""
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # of a diverged run
            found = {name: x for group in self.chosen() for name, x in group.measure(seen).items()}
        return {name: found[name] for name in self.names()}

    def at_end(self, seen: Snapshots) -> dict:
        return {name: x for group in self.chosen() for name, x in group.at_end(seen).items()}

    @property
    def usual(self) -> bool:
        """Whether this is what a study gets that asks for nothing."""
        return self == Measures.of(None, None, self.matrices, self.objective)

    def asked(self) -> dict[str, list[str]]:
        """As in a study file; nothing if it asks for nothing."""
        if self.usual:
            return {}
        return {"measures": list(self.groups), **({} if self.objective else {"norms": list(self.norms)})}


def _names(given: Iterable[str]) -> list[str]:
    if isinstance(given, str) or not all(isinstance(name, str) for name in given):
        raise InputError(f"measures and norms must be lists of names, not {given!r}")
    return list(given)


def limit_of(run: "Run") -> "Limit | None":
    """The predicted limit of a run, from theory."""
    if isinstance(run.problem, Objective):
        return None
    from implicitbias.limits import predict

    shared = run.setting
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # several rest points: the first is stable
        return predict(
            run.problem,
            run.optimizer.under(run.lr),
            batch=shared.batch,
            order=shared.order,
            remainder=shared.remainder,
            seed=shared.seed,
            initial=run.initial,
            loss=shared.loss,
        )


def measure(run: "Run", limit: "Limit | None", measures: Measures | None = None) -> pd.DataFrame:
    """The measures of one run and its predicted limit: a DataFrame with one row a snapshot."""
    measures = measures or Measures.fitting(run.problem)
    return pd.DataFrame(measures.measure(Snapshots(run, limit, measures.norms)))

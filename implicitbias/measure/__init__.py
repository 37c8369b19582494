"""What is recorded of a run, in groups that a study or `simulate` asks for by name; one file a group.

    clock        step, epoch, sum_lr, lr, log_loss, min_margin: always there
    directions   cos_<norm>, angle_<norm> to the max-margin direction of each norm, inc_... of the increment w(t) -
                 w(t/2), which forgets the transient that stays in w; relative_move
    limit        the same to the predicted limit
    margins      norm_<norm>, margin_<norm>, ratio_<norm>, inc_ratio_<norm>; support
    residual     of gradient descent and gradient flow, on data of two classes
    accuracy     on the rows and on test rows, of Multiclass problems
    means        cos_means, angle_means of the rows of W to the class means, of Multiclass problems
    curvature    log_lambda_1, ..., lr_lambda_1, precond_lambda_1, log_directional_smoothness; asked for by name alone
    orbit        period, lyapunov, orbit, median_<reading>: of a run on an objective; asked for by name alone
    subspace     chi_gradient, chi_batch, chi_update, in the span of the top eigenvectors; asked for by name alone

`implicitbias columns` and `columns` below list them all, with their units and meanings. NaN stands for what does not
exist: the direction of w = 0, an increment before the first snapshot at t/2, a limit or residual without theory.
"""

import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pandas as pd

from implicitbias.errors import InputError, one_of
from implicitbias.integers import whole
from implicitbias.margins.norms import measurable, usual
from implicitbias.measure.group import Column, Group, Snapshots, half_way
from implicitbias.measure.objective import group_of
from implicitbias.measure.orbit import orbit_of
from implicitbias.measure.vectors import angle, cosine
from implicitbias.models import Deep
from implicitbias.problems import AnyProblem, Multiclass, Objective
from implicitbias.registry import entries
from implicitbias.simulation.setting import is_integer

if TYPE_CHECKING:
    from implicitbias.limits import Limit
    from implicitbias.simulation.run import Run

__all__ = ["Column", "Group", "Measures", "Snapshots", "angle", "cosine", "half_way", "limit_of"]

ALWAYS = "clock"
LINEAR = "measures: 'curvature' and 'subspace' are of the Hessian of a linear predictor, not of a model of depth"
TOP = 2  # eigenvalues that are measured of two classes
Shape: TypeAlias = "tuple[int, int, int | None]"


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
        top       number of eigenvalues, for the groups that are about the largest of the Hessian; None without these
    """

    groups: tuple[str, ...]
    norms: tuple[str, ...] = field(default_factory=usual)
    matrices: bool = False
    objective: str | None = None
    top: int | None = None

    @classmethod
    def of(
        cls,
        groups_: Iterable[str] | None = None,
        norms: Iterable[str] | None = None,
        matrices: bool = False,
        objective: str | None = None,
        top: int | None = None,
        shapes: Iterable[Shape] = (),
    ) -> "Measures":
        """The measures of these names; the usual groups, or the norms of every table, where none are given, that fit
        the weights. `shapes` are (n, d, number of classes or None) of the problems, as far as they are known: top is at
        most the rank of their Hessians, and by default 2, or the number of classes.

        Errors: ``InputError`` with every unknown name, and every one that does not fit.

        >>> Measures.of(["margins"], ["l2"]).names()[-3:]
        ['ratio_l2', 'inc_ratio_l2', 'support']
        """
        known = {name: group for name, group in groups().items() if name == ALWAYS or group.fits(matrices, objective)}
        asked = [name for name in known if not known[name].by_name] if groups_ is None else [ALWAYS, *_names(groups_)]
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
        able = [name for name, group in known.items() if group.top_columns(TOP)]
        number = _top(top, shapes, able, not set(able).isdisjoint(asked), mistakes)
        if mistakes:
            raise InputError(mistakes)
        names = tuple(name for name in known if name in asked)
        return cls(names, tuple(dict.fromkeys(wanted)), matrices, objective, number)

    @classmethod
    def fitting(
        cls,
        problem: AnyProblem,
        groups_: Iterable[str] | None = None,
        norms: Iterable[str] | None = None,
        top: int | None = None,
    ) -> "Measures":
        """`of`, for runs on a problem."""
        deep = isinstance(problem, Deep)  # which is measured as the data that its predictor sees
        problem = problem.data if deep else problem
        objective = problem.name if isinstance(problem, Objective) else None
        classes = problem.k if isinstance(problem, Multiclass) else None
        shape = (problem.d if objective else problem.n, problem.d, classes)
        found = cls.of(groups_, norms, classes is not None, objective, top=top, shapes=[shape])
        if deep and found.top is not None:
            raise InputError(LINEAR)
        return found

    @classmethod
    def every(cls, norms: Iterable[str], matrices: bool, top: int = TOP) -> "Measures":
        """All that there are."""
        return cls.of([name for name, group in groups().items() if group.fits(matrices)], norms, matrices, top=top)

    def with_those_of(self, names: Iterable[str]) -> "Measures":
        """These, and the groups that are there by name alone of which there are such columns."""
        names = set(names)
        top, more = TOP, []
        for name, group in groups().items():
            if not (group.by_name and group.fits(self.matrices, self.objective)):
                continue
            there = (*group.top_columns(TOP), *group.columns(self.norms), *group.end_columns(self.norms))
            if names & {column.name for column in there}:
                more.append(name)
            while names & ({c.name for c in group.top_columns(top + 1)} - {c.name for c in group.top_columns(top)}):
                top += 1
        if not more:
            return self
        norms = None if self.objective else self.norms
        sees_top = any(groups()[name].top_columns(TOP) for name in more)
        return Measures.of([*self.groups, *more], norms, self.matrices, self.objective, top if sees_top else None)

    def chosen(self) -> list[Group]:
        own = {} if self.objective is None else {ALWAYS: group_of(self.objective), "orbit": orbit_of(self.objective)}
        return [own.get(name) or groups()[name] for name in self.groups]

    def columns(self) -> list[Column]:
        """Those of every snapshot."""
        return [
            column
            for group in self.chosen()
            for column in (*group.top_columns(self.top or TOP), *group.columns(self.norms))
        ]

    def names(self) -> list[str]:
        return [column.name for column in self.columns()]

    def end_columns(self) -> list[Column]:
        """Those of the end of a run alone."""
        return [column for group in self.chosen() for column in group.end_columns(self.norms)]

    def data_columns(self) -> list[Column]:
        """Those of its data."""
        return [column for group in self.chosen() for column in group.data_columns(self.norms)]

    @property
    def needs(self) -> frozenset[str]:
        """What a run must keep for them, see `Group`."""
        return frozenset(name for group in self.chosen() for name in group.needs)

    def of_data(self, problem: AnyProblem) -> dict:
        data = problem.data if isinstance(problem, Deep) else problem
        return {name: x for group in self.chosen() for name, x in group.of_data(data, self.norms).items()}

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
        asked = {} if self.usual else {"measures": list(self.groups)}
        if asked and not self.objective:
            asked["norms"] = list(self.norms)
        return asked if self.top is None else {**asked, "top": self.top}


def _top(top, shapes: Iterable[Shape], able: list[str], asked: bool, mistakes: list[str]) -> int | None:
    """How many eigenvalues the groups that are `able` to measure them do, if any of these is asked for."""
    if not asked:
        if top is not None:
            words = " or ".join(map(repr, able))
            mistakes.append(f"top is a number of eigenvalues of the Hessian, for which measures must name {words}")
        return None
    shapes = set(shapes)
    most = min((min(n, d) * ((k or 2) - 1) for n, d, k in shapes), default=None)
    if top is None:
        usual_ = max((k or TOP for _, _, k in shapes), default=TOP)
        return usual_ if most is None else min(usual_, most)
    top = whole(top)
    if not is_integer(top) or top < 1 or (most is not None and top > most):
        limit = "" if most is None else f" to {most}, the largest rank of the Hessian"
        mistakes.append(f"top must be an integer from 1{limit}{' on' * (most is None)}, but is {top!r}")
        return None
    return int(top)


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
    return pd.DataFrame(measures.measure(Snapshots(run, limit, measures.norms, measures.top)))

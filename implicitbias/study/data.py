"""The data sets of a study."""

import itertools
from dataclasses import dataclass

from implicitbias.errors import InputError
from implicitbias.geometry import FAMILIES, make
from implicitbias.measure import Shape
from implicitbias.models import Deep
from implicitbias.problems import AnyProblem, Multiclass, Objective
from implicitbias.study.axes import combinations, enough, unknown_kind

MOST_SETS = 10**5  # planning makes every data set once


@dataclass(frozen=True)
class Data:
    """A named data set of a study: how to make it, and its shape."""

    name: str
    kind: str
    params: tuple[tuple[str, object], ...]
    digest: str
    n: int
    d: int
    reading: tuple[str, ...] = ()  # what was read of a file, in sentences
    k: int | None = None  # the number of classes of a Multiclass
    objective: str | None = None  # the form of an objective
    model: str | None = None  # that of a model of depth

    @property
    def form(self) -> str | None:
        """The form of the kernel that its gradients come from; None for rows."""
        return self.objective or self.model

    @property
    def margins(self) -> int:
        """How many there are."""
        return self.n * ((self.k or 2) - 1)

    @property
    def weights(self) -> int:
        """How many entries w or W has."""
        return self.d * (self.k or 1)

    def problem(self) -> AnyProblem:
        return make(self.kind, **dict(self.params))


def data_sets(tables: dict, mistakes: list[str]) -> dict[str, list[Data]]:
    """The data sets of a study, by the names of their tables; mistakes are added to the list, and the rest goes on."""
    found = {name: _data(name, table, mistakes) if isinstance(table, dict) else [] for name, table in tables.items()}
    first: dict[str, str] = {}
    for item in itertools.chain.from_iterable(found.values()):
        kind = "weights for each class (Multiclass)" if item.k is not None else "two classes"
        first.setdefault(kind if item.objective is None else f"an objective of the form {item.objective}", item.name)
    if len(first) > 1:
        words = " and ".join(f"data.{name} has {kind}" for kind, name in first.items())
        mistakes.append(f"{words}, and a table of runs has one set of columns; make a study of each of them")
    return found


def subject(sets: dict[str, list[Data]]) -> tuple[bool, str | None]:
    """What a study is about: whether its data have weights for each class, and the form of its objectives."""
    one = next(itertools.chain.from_iterable(sets.values()), None)
    return (False, None) if one is None else (one.k is not None, one.objective)


def shapes_of(sets: dict[str, list[Data]]) -> set[Shape]:
    """(n, d, number of classes or None) of the data sets of a study."""
    return {
        (item.d if item.objective else item.n, item.d, item.k) for item in itertools.chain.from_iterable(sets.values())
    }


def describe(name: str, kind: str, problem: AnyProblem) -> Data:
    """A data set as a study knows it."""
    params = tuple(sorted((key, tuple(v) if isinstance(v, list) else v) for key, v in problem.params.items()))
    k = problem.k if isinstance(problem, Multiclass) else None
    model = problem.name if isinstance(problem, Deep) else None
    objective = problem.name if isinstance(problem, Objective) and model is None else None
    d = problem.data.d if isinstance(problem, Deep) else problem.d
    return Data(name, kind, params, problem.digest, problem.n, d, problem.reading, k, objective, model)


def _data(name: str, table: dict, mistakes: list[str]) -> list[Data]:
    table, where = dict(table), f"data.{name}"
    kind, zips = table.pop("kind", name), table.pop("zip", [])
    if not isinstance(kind, str) or kind not in FAMILIES:
        mistakes.append(unknown_kind(where, name, kind, "data family", FAMILIES))
        return []
    for key in FAMILIES[kind].many & set(table):
        if isinstance(table[key], list) and not any(isinstance(x, list) for x in table[key]):
            table[key] = [table[key]]  # one list of numbers or names is one value, not an axis
    found, local = [], []
    for params in combinations(table, zips, where, local, MOST_SETS):
        if enough(local):
            break
        try:
            problem = make(kind, **params)
        except InputError as error:
            local.extend(f"{where}: {mistake}" for mistake in error.mistakes)
            continue
        found.append(describe(name, kind, problem))
    mistakes.extend(dict.fromkeys(local))
    return found

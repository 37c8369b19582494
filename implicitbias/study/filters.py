"""Filters: the rows of the table of runs that a claim is about, its `where`."""

import json
from dataclasses import fields

import numpy as np
import pandas as pd

from implicitbias.flows import KINDS
from implicitbias.simulation.schedule import Schedule
from implicitbias.study.keys import axis
from implicitbias.study.step_sizes import STEP_SIZE, schedule, schedule_of

PARAMETER = "data."  # where = {"data.alpha" = 1.0} looks into the parameters of the data
# Hyper-parameters that the table leaves out at their defaults: name, kind of optimizer, default.
_LATER: dict[str, dict[str, object]] = {}
for _kind in KINDS.values():
    for _item in fields(_kind):
        if "later" in _item.metadata:
            _LATER.setdefault(_item.name, {})[_kind.name] = _item.default


def select(runs: pd.DataFrame, where: dict) -> pd.DataFrame:
    """The rows in which every named column has the value, or one of the values, given.

    Types count: true is not 1 and "1" is not 1, but 1 is 1.0. batch = "n" is the batch of all rows, and lr = 0.1 or
    lr = { eta = 0.1, a = 0.5 } the step size, as in a grid, whatever its schedule.
    """
    keep = np.ones(len(runs), bool)
    for name, wanted in where.items():
        items = [*axis(wanted), wanted]  # a list may be the value of a parameter of the data
        if name == "lr":
            laws = [schedule(item, "lr", []) for item in axis(wanted)]
            keep &= np.array([law in laws for law in laws_of(runs)], bool)
            continue
        found = values_of(runs, name)
        distinct = {repr(value): value for value in found}
        known = {text: any(same(value, item) for item in items) for text, value in distinct.items()}
        fits = np.array([known[repr(value)] for value in found], bool)
        if name == "batch" and "n" in items:
            fits |= (runs["batch"] == runs["n"]).to_numpy(bool)
        keep &= fits
    return runs[keep]


def columns_of(name: str) -> tuple[str, ...]:
    """The columns of the table that a filter of this name looks at."""
    if name.startswith(PARAMETER):
        return ("data_params",)
    if name in _LATER:
        return (name, "optimizer_kind")
    return {"batch": ("batch", "n"), "lr": STEP_SIZE}.get(name, (name,))


def laws_of(runs: pd.DataFrame) -> list[Schedule | None]:
    """The step sizes of runs; None for flows."""
    rows = list(zip(*(values_of(runs, name) for name in STEP_SIZE)))
    known = {row: schedule_of(dict(zip(STEP_SIZE, row))) for row in dict.fromkeys(rows)}
    return [known[row] for row in rows]


def values_of(runs: pd.DataFrame, name: str) -> list:
    """A column, or a parameter of the data, as Python's own values."""
    if name.startswith(PARAMETER):
        return [json.loads(text).get(name.removeprefix(PARAMETER)) for text in runs["data_params"]]
    found = [None if value is pd.NA else value for value in runs[name].tolist()]  # what load_runs has for a gap
    if name not in _LATER:
        return found
    defaults = map(_LATER[name].get, runs["optimizer_kind"])
    return [default if pd.isna(value) else value for value, default in zip(found, defaults)]


def same(a, b) -> bool:
    """Whether two values of a study are equal, lists element by element; a boolean equals no number.

    >>> same(1, 1.0), same(True, 1), same([1, 2], (1.0, 2.0)), same("1", 1)
    (True, False, True, False)
    """
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return isinstance(a, bool) == isinstance(b, bool) and bool(a == b)

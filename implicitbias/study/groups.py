"""Groups of runs that differ in one thing alone, for claims with `across`.

What a run is, is its canonical specification (study.expand.canonical): the rows of the data, the optimizer with every
hyper-parameter, the law of its step size, the setting, and how its limit is predicted. The table of runs has each part
as a column, those of SPECIFICATION. Runs form a group if they agree in all of them but the one that `across` names.

Some columns may differ all the same, where the study file leaves them to follow from others: `remainder`, if no grid
gives it, because each batch order has its own; `steps`, if the runs make the same number of `epochs` that a grid
asks for; and what advances together with the axis, where a table has both in its `zip`. Names that the study gives to
data and optimizers are no part of what a run is.
"""

import math
from dataclasses import fields

import numpy as np
import pandas as pd

from implicitbias.flows import KINDS
from implicitbias.flows.setting import FlowSetting
from implicitbias.simulation.setting import steps_of
from implicitbias.study.formula import values
from implicitbias.study.keys import Claim, Study
from implicitbias.study.step_sizes import STEP_SIZE

# What identifies a run, as columns of the table of runs.
SPECIFICATION = (
    "data_digest",
    "optimizer_kind",
    *sorted({item.name for kind in KINDS.values() for item in fields(kind)}),
    *STEP_SIZE,
    *(item.name for item in fields(FlowSetting)),  # all of Setting, and the time of a flow
    "limit_method",
)
# What runs can differ in alone: other data or another kind of optimizer would change several columns at once.
AXES = tuple(name for name in SPECIFICATION if name not in ("data_digest", "optimizer_kind"))
VECTORS = {"direction": "w", "inc_direction": "increment"}  # measures of a group, and their columns in the table


def whole(runs: pd.DataFrame) -> pd.DataFrame:
    """The table of runs with every column of SPECIFICATION: `load_runs` leaves out those that no run has."""
    return runs.reindex(columns=[*runs.columns, *(name for name in SPECIFICATION if name not in runs)])


def across(claim: Claim, runs: pd.DataFrame, counts: pd.Series, study: Study) -> tuple[pd.Series, dict]:
    """A value for each group of runs that differ in the column `claim.across` alone, and the rows of each group.

    The value of a claim with `against` is the slope of its law, that of one with `width` is `half_width`. It is NaN
    unless every run of the group counts and has the measure. Both are indexed by the run of the group that has most to
    do with its value.
    """
    found, members = {}, {}
    for group in _groups(claim.across, runs, study):
        value, place = math.nan, 0
        if counts[group.index].all() and claim.measure in VECTORS:
            value, place = least_cosine(group[VECTORS[claim.measure]])
        elif counts[group.index].all() and claim.against is not None:
            value = _slope(values(claim.against, group), values(claim.measure, group))
        elif counts[group.index].all():
            numbers = values(claim.measure, group).to_numpy(float)
            known = np.isfinite(numbers).all()
            if known and claim.width is not None:
                of_log = claim.measure.startswith("log_")
                value = half_width(group[claim.across].to_numpy(float), numbers, claim.width, of_log)
                place = int(numbers.argmin())
            elif known:
                value, place = float(numbers.max() - numbers.min()), int(numbers.argmax())
        found[group.index[place]], members[group.index[place]] = value, group
    return pd.Series(found, dtype=float), members


def _slope(x: pd.Series, y: pd.Series) -> float:
    """Of log y on log x, by least squares; NaN unless all are positive and x has at least three values."""
    if not ((x > 0.0).all() and (y > 0.0).all()) or x.nunique() < 3:
        return math.nan
    x, y = np.log(x.to_numpy(float)), np.log(y.to_numpy(float))
    x = x - x.mean()
    return float(x @ (y - y.mean()) / (x @ x))


def half_width(x: np.ndarray, y: np.ndarray, part: float, of_log: bool = False) -> float:
    """Half the decades of x on which y, drawn in straight lines over log x, is above its least value by this part of
    that at most; of a logarithm, by log(1 + part). NaN if the least, or an end of the width, is at an end of x.

    >>> round(half_width(np.array([0.01, 0.1, 1.0]), np.array([2.0, 1.0, 1.5]), 0.1), 6)
    0.15
    """
    if not (x > 0.0).all():
        return math.nan
    order = np.argsort(x)
    x, y = np.log10(x[order]), y[order]
    best = int(y.argmin())
    most = y[best] + (math.log1p(part) if of_log else part * abs(y[best]))
    ends = []
    for way in (-1, 1):
        i = best
        while 0 <= i + way < len(x) and y[i + way] <= most:
            i += way
        if not 0 <= i + way < len(x):
            return math.nan
        ends.append(x[i] + (x[i + way] - x[i]) * (most - y[i]) / (y[i + way] - y[i]))
    return float(abs(ends[1] - ends[0]) / 2.0)


def _groups(axis: str, runs: pd.DataFrame, study: Study) -> list[pd.DataFrame]:
    """The groups of at least two runs that differ in one column alone, in the order of the runs."""
    keys = runs[[name for name in SPECIFICATION if name != axis]].copy()
    if axis == "order" and all(grid.remainder is None for grid in study.grid):
        del keys["remainder"]
    keys = keys.drop(columns=[name for name in _together(axis, study) if name in keys])
    epochs = sorted({value for grid in study.grid for value in grid.epochs or ()})
    if epochs and axis in ("batch", "order", "remainder"):
        keys["steps"] = [_horizon(run, epochs) for _, run in runs.iterrows()]
    labels = keys.groupby(list(keys), dropna=False, sort=False).ngroup()
    parts = [part for _, part in runs.groupby(labels.to_numpy(), sort=False)]
    return [part for part in parts if part[axis].nunique(dropna=False) > 1]


def _together(axis: str, study: Study) -> set[str]:
    """The columns that advance with an axis: a step size has several."""
    names = {"lr"} if axis in STEP_SIZE else {axis}
    lists = [list_ for grid in study.grid for list_ in grid.zip]
    lists += [list_ for table in study.optimizer.values() for list_ in table.get("zip", [])]
    found = {name for list_ in lists if names & set(list_) for name in list_}
    return {column for name in found for column in (STEP_SIZE if name == "lr" else (name,))} - {axis}


def _horizon(run: pd.Series, epochs: list[float]) -> str:
    """The horizon of a run as the study asks for it: in epochs, if it is that of a grid, and otherwise in steps."""
    if pd.notna(run["steps"]):
        shape = run["n"], run["batch"], run["order"], run["remainder"]
        for count in epochs:
            if steps_of(count, *shape) == run["steps"]:
                return f"{count!r} epochs"
    return f"{run['steps']!r} steps"


def least_cosine(weights: pd.Series) -> tuple[float, int]:
    """The least cosine between two of these vectors, and the place of the one farthest from the others."""
    if weights.isna().any():
        return math.nan, 0
    w = np.array(weights.tolist())
    with np.errstate(invalid="ignore"):
        w /= np.linalg.norm(w, axis=1, keepdims=True)  # NaN for a zero vector, which has no direction
    cosines = w @ w.T
    if not np.isfinite(cosines).all():
        return math.nan, 0
    return float(cosines.min()), int(np.argmin(cosines.sum(axis=1)))

"""The name of one run among others: its data, label, order and batch, and whatever else varies.

A *geometry* is a data set of a study up to its seed. A *method* is an optimizer with all that varies beside data, batch
order, batch size and seeds: hyper-parameters, step size, horizon, loss, ... Runs that share geometry, method, order and
batch differ in seeds alone.
"""

import functools
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from implicitbias.study.branches import phase_words
from implicitbias.study.groups import SPECIFICATION
from implicitbias.study.step_sizes import STEP_SIZE, schedule_of

_TOLD = ("data_digest", "optimizer_kind", "order", "batch", *STEP_SIZE)  # in every name, or in their own way
# What a method names where it varies, beside the step size and the way in which the limit is predicted.
_OTHERS = [name for name in SPECIFICATION if name not in (*_TOLD, "seed", "limit_method")]
DERIVED = ("geometry", "method")
# Columns of the table of runs that they are made from.
NAMED_FROM = ("data", "data_params", "label", "order", "batch", *STEP_SIZE, *_OTHERS, "limit_method")


def name_among(run: pd.Series, runs: pd.DataFrame) -> str:
    """A run as it is told from others: "gaussian n=10 seed 0, Adam(0.9, 0.95), cyclic, batch 1, lr 0.1, run 1a2b".

    Arguments
        run     its row of the table of runs
        runs    the rows it is one of
    """
    alike = runs[(runs[["label", "order", "batch"]] == run[["label", "order", "batch"]]).all(axis=1)]
    parts = [_data(run, runs), run["label"], run["order"], f"batch {run['batch']}"]
    if any(_varies(alike, name) for name in STEP_SIZE) and pd.notna(run["lr_eta"]):
        parts.append(step_size(run))
    others = [name for name in SPECIFICATION if name not in _TOLD and _varies(alike, name) and pd.notna(run[name])]
    parts += [f"{name} {short(run[name])}" for name in others]
    return ", ".join([*parts, f"run {run['run_id']}"])


def step_size(run: pd.Series, whole: bool = False) -> str:
    """The step size of a run, as a formula; `whole` as in `short`."""
    return f"lr {schedule_of(run).words(lambda value: short(value, whole))}"


def label_runs(runs: pd.DataFrame, brief: bool = False) -> pd.DataFrame:
    """The table of runs with the columns geometry and method.

    Each is the study's own name for it, followed by the parameters that tell apart what would otherwise share the name.

    Arguments
        runs    the table of runs, or its columns NAMED_FROM; what varies in a column that is not there is not named
        brief   whether a method names no more than tells it apart, and not how its limit is predicted
    """
    runs = runs.copy()
    runs["geometry"] = _geometries(runs)
    runs["method"] = _methods(runs, brief)
    return runs


def _geometries(runs: pd.DataFrame) -> list[str]:
    # Once for each data set: there are many runs on each.
    sets = runs[["data", "data_params"]].astype(object).where(runs[["data", "data_params"]].notna(), "")
    places = sets.groupby(["data", "data_params"], sort=False).ngroup().to_numpy()
    sets = sets.drop_duplicates(ignore_index=True)
    params = [json.loads(text) if text else {} for text in sets["data_params"]]
    keys = dict.fromkeys(key for row in params for key in row if key != "seed")
    texts = {key: _told_apart([row.get(key) for row in params], short) for key in keys}
    params = pd.DataFrame({key: pd.Series(texts[key], dtype=object) for key in keys}, index=sets.index)
    names = sets["data"].astype(str)
    parts = [[name] for name in names]
    for key in params:
        # it tells data sets apart only if it varies under one name
        varies = names.map(params[key].groupby(names).nunique(dropna=False)) > 1
        for row in np.flatnonzero(varies & params[key].notna()):
            parts[row].append(f"{key}={params[key].iloc[row]}")
    found = [" ".join([name, ", ".join(rest)]).strip() for name, *rest in parts]
    return [found[place] for place in places]


def _methods(runs: pd.DataFrame, brief: bool) -> list[str]:
    labels = runs["label"].astype(str)
    found = labels.copy()

    def varies(names):
        own = found if brief else labels
        cell = runs.groupby([own, runs["geometry"], runs["order"], runs["batch"]], dropna=False).ngroup()
        some = [name for name in names if name in runs and _varies(runs, name)]
        spread = [runs.groupby(cell)[name].transform("nunique", dropna=False) - 1 for name in some]
        return own.isin(own[sum(spread, pd.Series(0, runs.index)) > 0])

    def append(keep, names, words):
        """Words of the values of some columns, made once for each of them, after the names of some runs."""
        values = runs.loc[keep, names]
        texts = _told_apart([row for _, row in values.drop_duplicates().iterrows()], words)
        places = values.groupby(names, sort=False, dropna=False).ngroup()
        found[keep] += ", " + places.map(dict(enumerate(texts))).astype(str)

    append(varies(STEP_SIZE) & runs["lr_eta"].notna(), [name for name in STEP_SIZE if name in runs], step_size)
    for name in _OTHERS:
        if (keep := varies([name])).any():
            level = functools.partial(_level, name)
            append(keep & runs[name].notna(), [name], level)
    mixed = (not brief) & (varies(["limit_method"]) | labels.isin(_two_methods(runs)))
    append(mixed & runs["limit_method"].notna(), ["limit_method"], lambda row, _: f"limit {row['limit_method']}")
    return found.tolist()


def _two_methods(runs: pd.DataFrame) -> np.ndarray:
    """Labels with limits from theory and measured ones on the same data: a line over batch sizes would mix them."""
    known = runs[runs["limit_method"] != "none"]
    counts = known.groupby(["geometry", "label"])["limit_method"].transform("nunique")
    return known.loc[counts > 1, "label"].astype(str).unique()


def _data(run: pd.Series, runs: pd.DataFrame) -> str:
    """The data set of a run: its name, the parameters that vary under that name, and its seed."""
    texts = runs.loc[runs["data"] == run["data"], "data_params"].dropna().unique()
    tables = [json.loads(text) for text in texts]
    own = json.loads(run["data_params"]) if pd.notna(run["data_params"]) else {}
    varied = [key for key in own if key != "seed" and any(table.get(key) != own[key] for table in tables)]
    seed = [] if pd.isna(run["data_seed"]) else [f"seed {run['data_seed']:g}"]
    return " ".join([str(run["data"]), *(f"{key}={short(own[key])}" for key in varied), *seed])


def _level(name: str, row: pd.Series, whole: bool) -> str:
    return f"{name} {phase_words(row[name]) if name == 'after' else short(row[name], whole)}"


def _varies(runs: pd.DataFrame, name: str) -> bool:
    return runs[name].nunique(dropna=False) > 1


def _told_apart(values: list, words: Callable[[Any, bool], str]) -> list[str | None]:
    """The words for each value; numbers have all their digits where six do not tell two of them apart."""
    known = [value for value in values if value is not None]
    whole = len({words(value, False) for value in known}) < len({words(value, True) for value in known})
    return [None if value is None else words(value, whole) for value in values]


def short(value, whole: bool = False) -> str:
    """A value in a name: a number with six digits, or with all it has.

    >>> short(0.1), short((1.0, 1.5))
    ('0.1', '[1, 1.5]')
    """
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(short(item, whole) for item in value)}]"
    return f"{value:g}" if isinstance(value, float) and not whole else str(value)

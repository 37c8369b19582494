"""The table that a figure is made of: the runs of a study with what they are called, and the values of a measure.

A *geometry* is a data set of the study up to its seed, a *method* an optimizer with its step size. Runs that share
geometry, order, method and batch differ in seeds alone. Runs that differ in the way their limit is predicted alone are
one *trajectory*: a prediction is a mark on it.
"""

import json

import numpy as np
import pandas as pd

from implicitbias.study.formula import columns
from implicitbias.study.formula import values as formula
from implicitbias.study.groups import SPECIFICATION
from implicitbias.study.naming import step_size

FULL = "full"
_LR = ["lr_eta", "lr_a", "lr_t0"]
_OTHER_AXES = ["loss", "remainder", "steps", "time", "until_log_loss"]


def label_runs(runs: pd.DataFrame) -> pd.DataFrame:
    """The table of runs with the columns geometry and method.

    Each is the study's own name for it, followed by the parameters that tell apart what would otherwise share the name.
    """
    runs = runs.copy()
    runs["geometry"] = _geometries(runs)
    runs["method"] = _methods(runs)
    return runs


def with_parameters(runs: pd.DataFrame) -> pd.DataFrame:
    """The table of runs with a column data.NAME for each parameter of the data; n and d have columns already."""
    texts = runs["data_params"].astype(object).where(runs["data_params"].notna(), "{}")
    tables = {text: json.loads(text) for text in texts.unique()}
    names = dict.fromkeys(key for table in tables.values() for key in table if key not in ("seed", "n", "d"))
    found = {f"data.{key}": [_cell(tables[text].get(key)) for text in texts] for key in names}
    return pd.concat([runs, pd.DataFrame(found, index=runs.index)], axis=1)


def _cell(value):
    return tuple(value) if isinstance(value, list) else value


def trajectories(runs: pd.DataFrame) -> pd.DataFrame:
    """One row for each trajectory: that with a limit from theory if there is one, then a measured one, then any."""
    rank = runs["limit_method"].map({"theory": 0, "numerical": 1}).fillna(2)
    names = [name for name in (*SPECIFICATION, "data", "optimizer") if name != "limit_method"]
    kept = runs.assign(rank=rank).sort_values("rank", kind="stable").drop_duplicates(names).index
    return runs.loc[runs.index.isin(kept)]


def values(measure: str, frame: pd.DataFrame) -> pd.Series:
    """A column or a formula of a claim in every row; 1 - cosine from the angle, which has its digits where it is small.

    >>> round(1e20 * values("1 - cos_l2", pd.DataFrame({"cos_l2": [1.0], "angle_l2": [1e-8]})).item(), 6)
    1.523087
    """
    name = measure.removeprefix("1 - ")
    angle = name.replace("cos_", "angle_", 1)
    if measure.startswith("1 - ") and angle != name and angle in frame:
        return 2.0 * np.sin(np.radians(frame[angle].astype(float)) / 2.0) ** 2
    return formula(measure, frame)


def needed(measure: str) -> list[str]:
    """The columns that `values` reads."""
    found = list(columns(measure) or [measure])
    return [*found, *(name.replace("cos_", "angle_", 1) for name in found if "cos_" in name and "_if_" not in name)]


def _geometries(runs: pd.DataFrame) -> list[str]:
    # Once for each data set: there are many runs on each.
    sets = runs[["data", "data_params"]].astype(object).where(runs[["data", "data_params"]].notna(), "")
    places = sets.groupby(["data", "data_params"], sort=False).ngroup().to_numpy()
    sets = sets.drop_duplicates(ignore_index=True)
    params = [json.loads(text) if text else {} for text in sets["data_params"]]
    params = pd.DataFrame([{k: short(v) for k, v in row.items() if k != "seed"} for row in params], index=sets.index)
    names = sets["data"].astype(str)
    parts = [[name] for name in names]
    for key in params:
        # it tells data sets apart only if it varies under one name
        varies = names.map(params[key].groupby(names).nunique(dropna=False)) > 1
        for row in np.flatnonzero(varies & params[key].notna()):
            parts[row].append(f"{key}={params[key].iloc[row]}")
    found = [" ".join([name, ", ".join(rest)]).strip() for name, *rest in parts]
    return [found[place] for place in places]


def short(value) -> str:
    """A value in a name.

    >>> short(0.1), short((1.0, 1.5))
    ('0.1', '[1, 1.5]')
    """
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(short, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _methods(runs: pd.DataFrame) -> list[str]:
    found = runs["label"].astype(str)

    def varies(names):
        cell = [found, runs["geometry"], runs["order"], runs["batch"]]
        spread = sum(runs.groupby(cell, dropna=False)[name].transform("nunique", dropna=False) - 1 for name in names)
        return found.isin(found[spread > 0])

    def append(keep, names, words):
        """Words of the values of some columns, made once for each of them, after the names of some runs."""
        values = runs.loc[keep, names]
        texts = [words(row) for _, row in values.drop_duplicates().iterrows()]
        places = values.groupby(names, sort=False, dropna=False).ngroup()
        return found.where(~keep, found + ", " + places.map(dict(enumerate(texts))).astype(str))

    found = append(varies(_LR), _LR, step_size)
    for name in _OTHER_AXES:
        found = append(varies([name]) & runs[name].notna(), [name], lambda row, name=name: f"{name} {short(row[name])}")
    return found.tolist()

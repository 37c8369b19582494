"""The table that a figure is made of: the runs of a study with what they are called, and the values of a measure.

A *geometry* is a data set of the study up to its seed, a *method* an optimizer with its step size. Runs that share
geometry, order, method and batch differ in seeds alone. Runs that differ in the way their limit is predicted alone are
one *trajectory*: a prediction is a mark on it.
"""

import json

import numpy as np
import pandas as pd

from implicitbias.study import naming
from implicitbias.study.formula import columns
from implicitbias.study.formula import values as formula
from implicitbias.study.groups import SPECIFICATION

FULL = "full"


def label_runs(runs: pd.DataFrame) -> pd.DataFrame:
    """The table of runs with the columns geometry and method (study.naming); how a limit is predicted is no method."""
    return naming.label_runs(runs, brief=True)


def with_parameters(runs: pd.DataFrame) -> pd.DataFrame:
    """The table of runs with a column data.NAME for each parameter of the data; n, d and k have columns."""
    texts = runs["data_params"].astype(object).where(runs["data_params"].notna(), "{}")
    tables = {text: json.loads(text) for text in texts.unique()}
    names = dict.fromkeys(key for table in tables.values() for key in table if key not in ("seed", "n", "d", "k"))
    found = {f"data.{key}": [_cell(tables[text].get(key)) for text in texts] for key in names}
    return pd.concat([runs, pd.DataFrame(found, index=runs.index)], axis=1)


def _cell(value):
    return tuple(value) if isinstance(value, list) else value


def trajectories(runs: pd.DataFrame) -> pd.DataFrame:
    """One row for each trajectory: that with a limit from theory if there is one, then a measured one, then any."""
    rank = runs["limit_method"].map({"theory": 0, "numerical": 1}).fillna(2)
    names = [name for name in (*SPECIFICATION, "data", "optimizer") if name != "limit_method"]
    kept = runs.loc[rank.sort_values(kind="stable").index].drop_duplicates(names).index
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


def shifted(runs: pd.DataFrame, measure: str) -> pd.Series:
    """Step sizes over the best one: that at which, among runs that are alike but for it, a measure is least."""
    names = [name for name in SPECIFICATION if name != "lr_eta" and name in runs]
    groups = runs.groupby(names, dropna=False, sort=False).ngroup()
    y = values(measure, runs).to_numpy(float)
    order = runs.assign(_y=y).sort_values("_y", kind="stable")  # without a measure at the end
    best = order.groupby(groups)["lr_eta"].first()
    found = runs["lr_eta"] / groups.map(best)
    return found.map(lambda ratio: float(f"{ratio:.6g}"))  # levels that many groups share


def needed(measure: str) -> list[str]:
    """The columns that `values` reads."""
    found = list(columns(measure) or [measure])
    return [*found, *(name.replace("cos_", "angle_", 1) for name in found if "cos_" in name and "_if_" not in name)]

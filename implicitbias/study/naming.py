"""The name of one run among others: its data, label, order and batch, and whatever else varies."""

import json

import pandas as pd

from implicitbias.study.groups import SPECIFICATION

_STEP_SIZE = ("lr_eta", "lr_a", "lr_t0")
_TOLD = ("data_digest", "optimizer_kind", "order", "batch", *_STEP_SIZE)  # in every name, or in their own way


def name_among(run: pd.Series, runs: pd.DataFrame) -> str:
    """A run as it is told from others: "gaussian n=10 seed 0, Adam(0.9, 0.95), cyclic, batch 1, lr 0.1, run 1a2b".

    Arguments
        run     its row of the table of runs
        runs    the rows it is one of
    """
    alike = runs[(runs[["label", "order", "batch"]] == run[["label", "order", "batch"]]).all(axis=1)]
    parts = [_data(run, runs), run["label"], run["order"], f"batch {run['batch']}"]
    if any(_varies(alike, name) for name in _STEP_SIZE) and pd.notna(run["lr_eta"]):
        parts.append(step_size(run))
    others = [name for name in SPECIFICATION if name not in _TOLD and _varies(alike, name) and pd.notna(run[name])]
    parts += [f"{name} {_short(run[name])}" for name in others]
    return ", ".join([*parts, f"run {run['run_id']}"])


def step_size(run: pd.Series) -> str:
    """The step size of a run, as a formula."""
    if not run["lr_a"]:
        return f"lr {run['lr_eta']:g}"
    return f"lr {run['lr_eta']:g} (t+{run['lr_t0']:g})^-{run['lr_a']:g}"


def _data(run: pd.Series, runs: pd.DataFrame) -> str:
    """The data set of a run: its name, the parameters that vary under that name, and its seed."""
    texts = runs.loc[runs["data"] == run["data"], "data_params"].dropna().unique()
    tables = [json.loads(text) for text in texts]
    own = json.loads(run["data_params"]) if pd.notna(run["data_params"]) else {}
    varied = [key for key in own if key != "seed" and any(table.get(key) != own[key] for table in tables)]
    seed = [] if pd.isna(run["data_seed"]) else [f"seed {run['data_seed']:g}"]
    return " ".join([str(run["data"]), *(f"{key}={_short(own[key])}" for key in varied), *seed])


def _varies(runs: pd.DataFrame, name: str) -> bool:
    return runs[name].nunique(dropna=False) > 1


def _short(value) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)

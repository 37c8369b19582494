"""A planned run as columns of the table of runs: what it is, and what the study calls it."""

import json
import os
import platform
from dataclasses import asdict

import pyarrow as pa

from implicitbias.problems import AnyProblem
from implicitbias.store.schema import RUNS
from implicitbias.study.data import Data
from implicitbias.study.expand import RunSpec
from implicitbias.study.provenance import provenance
from implicitbias.study.step_sizes import step_columns


def describe(spec: RunSpec) -> dict:
    """What a run is, as columns."""
    data = spec.data
    return {
        "run_id": spec.run_id,
        **naming(data),
        "data_digest": data.digest,
        **size(data),
        "optimizer": spec.optimizer_name,
        "optimizer_kind": spec.optimizer.name,
        "label": spec.optimizer.label,
        **spec.optimizer.canonical(),
        **step_columns(spec.lr),
        **asdict(spec.setting),
        "limit_method": spec.limit,
        **provenance(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "message": None,
    }


def labels(runs: list[RunSpec]) -> pa.Table:
    """What a study calls its runs, and where it has their data from: columns of the table of runs that are no part of
    what a run is, and so of its id."""
    sets = {run.data: naming(run.data) for run in runs}
    columns = {name: [sets[run.data][name] for run in runs] for name in next(iter(sets.values()))}
    columns["optimizer"] = [run.optimizer_name for run in runs]
    return pa.table(columns, pa.schema([RUNS.field(name) for name in columns]))


def size(data: Data | AnyProblem) -> dict:
    """The columns of the shape of a data set."""
    k = getattr(data, "k", None)
    return {"n": data.n, "d": data.d, **({} if k is None else {"k": k})}


def naming(data: Data) -> dict:
    """The columns of a data set that are its name and its origin."""
    params = dict(data.params)
    return {
        "data": data.name, "data_kind": data.kind, "data_params": json.dumps(params), "data_seed": params.get("seed"),
        "data_read": "; ".join(data.reading) or None,
    }  # fmt: skip

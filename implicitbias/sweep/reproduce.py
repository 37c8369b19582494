"""One run again, from its row alone, and whether it comes out the same.

The row of a run holds everything that decides it: the kind and the parameters of its data, the optimizer with its
hyper-parameters, the step size, the setting, and how its limit was predicted. The run is computed anew, alone, and its
whole row and all its snapshots are compared with what is stored, bit by bit: every column but those of EXEMPT. What the
study calls the data and the optimizer is no result of the run, and is compared with the study file beside the tables.
"""

import json
import math
import os
import struct
import warnings
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from implicitbias.errors import InputError
from implicitbias.flows import KINDS, Flow
from implicitbias.flows.setting import FlowSetting
from implicitbias.geometry import make
from implicitbias.measure import Measures, measure
from implicitbias.simulation.run import Run
from implicitbias.simulation.setting import Setting
from implicitbias.simulation.simulate import simulate
from implicitbias.store import Store
from implicitbias.store.schema import USUAL
from implicitbias.study.data import describe
from implicitbias.study.expand import RunSpec, expand, identity
from implicitbias.study.provenance import PROVENANCE
from implicitbias.study.rows import labels
from implicitbias.study.spec import read_study
from implicitbias.study.step_sizes import schedule_of
from implicitbias.sweep.execute import execute, predicted, prediction, start_of
from implicitbias.threads import one_thread

# Columns that may differ from one time to the next, and why.
EXEMPT = {
    "kernel_seconds": "time",
    "measure_seconds": "time",
    "version": "code; what differs is told as stale",
    "source": "code; what differs is told as stale",
    "libraries": "code; what differs is told as stale",
    "machine": "the machine",
}
SHOWN = 5  # candidates of an ambiguous prefix


@dataclass(frozen=True)
class Difference:
    """A column that did not come out the same.

    Attributes
        table, column       "runs" or "curves", and its column
        places              how many numbers differ: snapshots, or entries of a vector
        stored, now         the pair that differs most
        size                by how much; NaN where that is no number
    """

    table: str
    column: str
    places: int
    stored: object
    now: object
    size: float


@dataclass(frozen=True)
class Reproduction:
    """What came of computing a run again: the row it had, the row it has now, and what differs."""

    folder: Path
    row: dict
    now: dict
    snapshots: int
    differences: list[Difference]
    stale: dict[str, tuple[str, str]]  # of code and libraries: what the row says, and what is here

    @property
    def equal(self) -> bool:
        return not self.differences

    def __repr__(self) -> str:
        same = f"bit-identical, its end and all {self.snapshots} snapshots"
        found = same if self.equal else f"differs in {', '.join(item.column for item in self.differences)}"
        return f"Reproduction(run {self.row['run_id']} of {self.folder}: {found})"


def reproduce(name: str, folder: str | os.PathLike[str] | None = None) -> Reproduction:
    """Compute a stored run again and compare.

    Arguments
        name    the id of the run, or a beginning of it that no other run has
        folder  the results folder; by default any folder in results/

    Errors: ``InputError`` if there is no such run or more than one, if its row does not say what it was, or if its
    data file is gone or has changed.
    """
    store, row = find(name, folder)
    if row["status"] == "timeout":
        raise InputError(f"run {row['run_id']} was stopped by the clock, so there is no end to compare with")
    stored = store.table("curves", ids=[row["run_id"]])
    spec = spec_of(row, store.measures)
    _, (found,), curve = execute([[spec]])
    now = pa.Table.from_pylist([found | _names(store, row)], schema=store.schemas["runs"]).to_pylist()[0]
    differences = [*compare_rows(row, now), *compare_curves(stored, curve)]
    stale = {key: (row[key] or "unknown", now[key]) for key in PROVENANCE if row[key] != now[key]}
    return Reproduction(store.folder, row, now, len(curve), differences, stale)


def rerun(folder: str | os.PathLike[str], run_id: str) -> Run:
    """A stored run again, as a Run: its iterates w(t), which the tables do not have.

    Arguments
        folder  the results folder
        run_id  the id of the run (column run_id of the tables), or a beginning of it that no other run has

    Returns a Run, whose `weights` (S, d), or (S, k, d), are the iterates at the snapshots and whose `curve` is that of
    the table.
    Warns (RuntimeWarning) if its end is not the stored one bit for bit, as with another version of the code or of a
    library; `reproduce` compares everything.
    Errors: ``InputError`` as `reproduce`; for data without a separator what `simulate` and `Run.curve` raise.
    """
    store, row = find(run_id, folder)
    if row["status"] == "timeout":
        raise InputError(f"run {row['run_id']} was stopped by the clock, so there is no end to go to")
    spec = spec_of(row, store.measures)
    options = spec.setting.arguments() | ({} if spec.lr is None else {"lr": spec.lr}) | spec.measures.asked()
    problem = spec.data.problem()
    with one_thread():
        options |= start_of(problem, spec)
        run = replace(simulate(problem, spec.optimizer, **options), measures=spec.measures)
        if spec.limit != "theory":  # which is what a Run compares with otherwise
            run.__dict__["curve"] = measure(run, predicted(prediction(spec)), spec.measures)
    stored = row["w"]
    if stored is not None and not all(map(same, stored, run.weights[-1].ravel().tolist())):
        warnings.warn(
            f"run {row['run_id']} does not come out as it is stored; `implicitbias reproduce` says where it differs",
            RuntimeWarning,
            stacklevel=2,
        )
    return run


def _names(store: Store, row: dict) -> dict:
    """What the study calls the data and the optimizer of a run; nothing if it cannot be planned, or has no such run."""
    try:
        study = read_study(store.folder / "study.toml", store.identity()["settings"], store.base)[0]
        runs = [spec for spec in expand(study) if spec.run_id == row["run_id"]]
    except InputError:  # another data file of the study is gone
        return {}
    return labels(runs).to_pylist()[0] if runs else {}


def find(name: str, folder=None) -> tuple[Store, dict]:
    """The store and the row of the one run whose id begins so. Errors: ``InputError``."""
    if not name:
        raise InputError("the id of a run is empty; `implicitbias status` and the column run_id of the tables have ids")
    every = sorted(path.parent for path in Path("results").glob("*/study.json"))
    folders, where = (every, "results/") if folder is None else ([Path(folder)], str(folder))
    if not folders:
        raise InputError("results/ holds no results of a study; name a results folder with --in")
    found, unread = [], []
    for place in folders:
        try:
            store = Store.open(place)
            ids = store.table("runs", ["run_id"]).column("run_id")
        except InputError as error:  # another folder may have the run
            unread += error.mistakes
            continue
        found += [(store, identity) for identity in ids.filter(pc.starts_with(ids, name)).to_pylist()]
    if not found:
        missing = [f"no run in {where} has an id that begins with {name!r}"]
        raise InputError([*(missing if len(unread) < len(folders) else []), *unread])
    if len(found) > 1:
        some = ", ".join(f"{identity} in {store.folder}" for store, identity in found[:SHOWN])
        more = f", and {len(found) - SHOWN} more" * (len(found) > SHOWN)
        same = len({identity for _, identity in found}) == 1
        hint = "choose its folder with --in" if same else "give more of it"
        raise InputError(f"{len(found)} runs have an id that begins with {name!r}: {some}{more}; {hint}")
    store, identity = found[0]
    return store, store.table("runs", ids=[identity]).to_pylist()[0]


def spec_of(row: dict, measures: Measures = USUAL) -> RunSpec:
    """The run that a row describes. Errors: ``InputError`` if its data are no longer the same, or it describes none."""
    where = f"run {row['run_id']}"
    try:
        kind = KINDS[row["optimizer_kind"]]
        optimizer = kind.of(row)
        flow = issubclass(kind, Flow)
        lr = None if flow else schedule_of(row)
        form = FlowSetting if flow else Setting
        setting = form(**{item.name: row[item.name] for item in fields(form)})
        params = json.loads(row["data_params"])
        problem = make(row["data_kind"], **params)
    except (KeyError, TypeError, ValueError) as error:
        words = error.mistakes if isinstance(error, InputError) else [f"{type(error).__name__}: {error}"]
        raise InputError(f"{where} cannot be made from its row: {word}" for word in words) from None
    data = describe(row["data"], row["data_kind"], problem)
    if data.digest != row["data_digest"]:
        what = f"the file {params['path']}" if row["data_kind"] == "file" else f"the data family {data.kind!r}"
        raise InputError(
            f"{where} cannot be compared: {what} no longer gives the data of the run (digest {data.digest}, then "
            f"{row['data_digest']})"
        )
    known = identity(data, optimizer, lr, setting, row["limit_method"], measures)
    if known != row["run_id"]:
        raise InputError(f"{where}: its row describes another run, {known}; the table has been changed")
    return RunSpec(data, row["optimizer"], optimizer, lr, setting, row["limit_method"], known, measures)


def compare_rows(stored: dict, now: dict) -> list[Difference]:
    """What differs between two rows of the table of runs."""
    found = []
    for name in (name for name in now if name not in EXEMPT):
        before, after = stored.get(name), now.get(name)
        if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
            found += _difference("runs", name, before, after)
        else:
            found += _difference("runs", name, [before], [after])
    return found


def compare_curves(stored: pa.Table, now: pa.Table) -> list[Difference]:
    """What differs between the snapshots of a run."""
    if len(stored) != len(now):
        return [Difference("curves", "snapshots", 1, len(stored), len(now), float(abs(len(stored) - len(now))))]
    names = [name for name in now.column_names if name != "run_id"]
    pairs = ((name, stored.column(name).to_pylist(), now.column(name).to_pylist()) for name in names)
    return [item for name, before, after in pairs for item in _difference("curves", name, before, after)]


def _difference(table: str, column: str, stored: list, now: list) -> list[Difference]:
    """The difference of two lists of values, if any."""
    pairs = [(a, b) for a, b in zip(stored, now, strict=True) if not same(a, b)]
    if not pairs:
        return []
    sizes = np.array([_size(a, b) for a, b in pairs])
    worst = 0 if np.isnan(sizes).all() else int(np.nanargmax(sizes))
    return [Difference(table, column, len(pairs), *pairs[worst], float(sizes[worst]))]


def same(a, b) -> bool:
    """Whether two values have the same bits; every NaN is the same, and so is a missing value."""
    if _missing(a) or _missing(b):
        return _missing(a) and _missing(b)
    if isinstance(a, float) and isinstance(b, float):
        return struct.pack("<d", a) == struct.pack("<d", b)
    return type(a) is type(b) and a == b


def _missing(x) -> bool:
    return x is None or (isinstance(x, float) and math.isnan(x))


def _size(a, b) -> float:
    numbers = all(isinstance(x, (int, float)) and not isinstance(x, bool) for x in (a, b))
    return abs(float(a) - float(b)) if numbers else math.nan

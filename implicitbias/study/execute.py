"""Running a study: tasks of blocks over worker processes, each result kept as soon as it is there."""

import functools
import json
import math
import os
import platform
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from implicitbias import __version__
from implicitbias.errors import InputError, NotSeparable
from implicitbias.flows import Flow
from implicitbias.jit import source_hash
from implicitbias.limits import Limit, predict
from implicitbias.margins import max_margin
from implicitbias.measure import NORMS, cosine, half_way, measure
from implicitbias.optimizers import Optimizer
from implicitbias.problem import Problem
from implicitbias.simulation.setting import Setting
from implicitbias.simulation.simulate import Run, simulate
from implicitbias.store import Store
from implicitbias.store.schema import CURVES, RIVALS
from implicitbias.study.expand import Data, RunSpec, run_id
from implicitbias.study.plan import plan
from implicitbias.study.spec import Study, read_study
from implicitbias.study.tasks import tasks
from implicitbias.threads import one_thread


@dataclass(frozen=True)
class Summary:
    """What a call of `run_study` did: runs in the study, runs computed now, and where the seconds went.

    `kernel` is time inside the compiled drivers and `measure` time spent on separators and measures, both summed over
    workers; `compile` came before the first run; `wall` is the whole call.
    """

    folder: Path
    total: int
    computed: int
    jobs: int
    wall: float
    compile: float
    kernel: float
    measure: float


def run_study(
    path,
    out=None,
    *,
    jobs: int | None = None,
    settings: list[str] = (),
    progress: Callable[[str, int, int], None] = lambda phase, done, total: None,
) -> Summary:
    """Run a study file and keep its results; runs already in the folder are not repeated.

    Arguments
        path      the study file
        out       results folder; default results/ and the name of the study file
        jobs      worker processes; default all cores
        settings  overrides, such as ["grid.steps=1000"]
        progress  called as progress(phase, done, total) with phase "compile" or "run"

    Returns a Summary. The tables are then read with `load_runs(out)` and `load_curves(out)`.
    Errors: ``InputError`` with every mistake of the study file, or if out belongs to another study.

    The tables do not depend on the number of workers, nor on interruptions: identical inputs give identical bits, but
    for the columns of provenance.
    """
    clock = time.perf_counter()
    if jobs is not None and (isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1):
        raise InputError(f"jobs must be an integer >= 1, but is {jobs!r}")
    jobs = jobs or os.cpu_count() or 1
    _, text, runs = plan(path, settings)
    identity = {"study": Path(path).stem, "settings": list(settings), "runs": len(runs), "digest": _digest(runs)}
    store = Store.create(out or Path("results") / Path(path).stem, identity, text)
    done = store.done()
    missing = [run for run in runs if run.run_id not in done]
    started = time.perf_counter()
    needed = kernels_of(missing)
    for position, optimizer in enumerate(needed.values()):
        progress(f"compiling {optimizer.name}", position, len(needed))
        warm_up(optimizer)
    compiled = time.perf_counter() - started
    kernel = measured = 0.0
    finished = 0
    progress("running", 0, len(missing))
    try:
        for name, rows, curves in _results(tasks(missing, jobs), jobs):
            store.add(name, rows, curves)
            finished += len(rows)
            kernel += sum(row.get("kernel_seconds", 0.0) for row in rows)
            measured += sum(row.get("measure_seconds", 0.0) for row in rows)
            progress("running", finished, len(missing))
    finally:
        store.compact([run.run_id for run in runs])
    wall = time.perf_counter() - clock
    return Summary(store.folder, len(runs), finished, jobs, wall, compiled, kernel, measured)


def stored_study(folder) -> tuple[Study, Store]:
    """The study a results folder was made from. Errors: ``InputError`` if it is none."""
    store = Store.open(folder)
    return read_study(store.folder / "study.toml", store.identity()["settings"])[0], store


def _digest(runs: list[RunSpec]) -> str:
    return run_id({"runs": [run.run_id for run in runs]})


def kernels_of(runs: list[RunSpec]) -> dict:
    """What the runs need compiled, with an optimizer that uses it."""
    return {run.optimizer.advance: run.optimizer for run in runs if not isinstance(run.optimizer, Flow)}


@functools.cache
def warm_up(optimizer: Optimizer) -> None:
    """Compile the kernel of an optimizer, or load it from the cache: not part of the time of a run."""
    simulate(Problem([[1.0]]), optimizer, lr=1.0, steps=1)


def _results(found: list, jobs: int):
    """(name, rows of runs, curves) of each task as it ends, in any order."""
    if jobs == 1 or len(found) <= 1:
        yield from map(execute, found)
        return
    from joblib import Parallel, delayed

    yield from Parallel(n_jobs=jobs, return_as="generator_unordered")(delayed(execute)(task) for task in found)


@functools.lru_cache(maxsize=4)
def _problem(data: Data) -> Problem:
    """The data of a task; the cache keeps its separators for the next task on the same data."""
    return data.problem()


def execute(task: list[list[RunSpec]]) -> tuple[str, list[dict], pa.Table]:
    """Simulate and measure the blocks of a task. What goes wrong in a run becomes its status."""
    rows, curves = [], []
    with one_thread():
        for block in task:
            for spec, row, curve in _execute_block(block):
                rows.append(_describe(spec) | row)
                if curve is not None:
                    curves.append(_table(spec.run_id, curve))
    name = run_id({"task": [row["run_id"] for row in rows]})
    return name, rows, pa.concat_tables(curves) if curves else CURVES.empty_table()


def _table(name: str, curve: pd.DataFrame) -> pa.Table:
    """The curve of a run as rows of the table; NaN is null there."""
    columns = [pa.array([name] * len(curve), CURVES.field("run_id").type)]
    columns += [
        pa.array(curve[item.name].to_numpy(), item.type, from_pandas=True) for item in CURVES if item.name != "run_id"
    ]
    return pa.Table.from_arrays(columns, schema=CURVES)


def _execute_block(block: list[RunSpec]):
    setting = block[0].setting.arguments()
    if block[0].lr is not None:  # all but flows
        setting["lr"] = [spec.lr for spec in block]
    try:
        for optimizer in kernels_of(block).values():
            warm_up(optimizer)
        clock = time.perf_counter()
        problem = _problem(block[0].data)
        certified = _certificates(problem)
        seconds = time.perf_counter() - clock
        runs = simulate(problem, [spec.optimizer for spec in block], **setting)
    except NotSeparable as error:
        yield from ((spec, {"status": "not_separable", "message": str(error)}, None) for spec in block)
        return
    except Exception as error:
        yield from ((spec, _failure(error), None) for spec in block)
        return
    for spec, run in zip(block, runs, strict=True):
        clock = time.perf_counter()
        try:
            with np.errstate(over="ignore", invalid="ignore"):  # the norms of a diverged run may overflow
                limit = _limit(spec.data, spec.optimizer, spec.limit, **_visits(spec.setting))
                curve = measure(run, limit)
                row = certified | {"status": run.status, "kernel_seconds": run.seconds}
                row |= _final(run, spec, curve, limit)
        except Exception as error:
            yield spec, _failure(error), None
            continue
        row["measure_seconds"] = seconds / len(block) + time.perf_counter() - clock
        yield spec, row, curve


def _failure(error: Exception) -> dict:
    """A failure is data: the study goes on, and the table says what happened."""
    return {"status": "error", "message": f"{type(error).__name__}: {error}"}


def _certificates(problem: Problem) -> dict:
    found = {norm: max_margin(problem, norm) for norm in NORMS}
    return {
        **{f"gamma_{norm}": sep.margin for norm, sep in found.items()},
        **{f"gap_{norm}": sep.gap for norm, sep in found.items()},
        **{f"unique_{norm}": bool(sep.unique) for norm, sep in found.items()},
    }


def _final(run: Run, spec: RunSpec, curve: pd.DataFrame, limit: Limit | None) -> dict:
    """The measures at the end of a run, and its predicted limit."""
    if not len(run.steps):
        return {}
    w, increment = run.weights[-1], (run.weights - half_way(run))[-1]
    row = {**curve.iloc[-1].to_dict(), "w": w.tolist(), "increment": increment.tolist()}
    if w.any():
        row |= {f"distance_{norm}": float(max_margin(run.problem, norm).distance(w)) for norm in NORMS}
    if limit is not None:
        row |= {"limit_rule": limit.rule, "limit_gap": limit.gap, "limit_error": limit.error}
        row |= {"limit": limit.direction.tolist()}
        for norm in NORMS:
            row[f"limit_cos_{norm}"] = float(cosine(limit.direction, max_margin(run.problem, norm).direction))
    # Rival orders are told apart on small data, where each takes milliseconds.
    if spec.optimizer.name == "adam" and spec.data.n <= 50 and spec.setting.batch < spec.data.n:
        for order in RIVALS:
            rival = _limit(
                spec.data, spec.optimizer, "theory", **_visits(spec.setting) | {"order": order, "remainder": None}
            )
            row[f"inc_cos_if_{order}"] = math.nan if rival is None else float(cosine(increment, rival.direction))
    return row


def _visits(setting: Setting) -> dict:
    """The part of a setting that a prediction depends on."""
    return {name: getattr(setting, name) for name in ("batch", "order", "remainder", "seed")}


@functools.lru_cache(maxsize=4096)
def _limit(data: Data, optimizer: Optimizer, method: str, **visits) -> Limit | None:
    if method == "none":
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # several rest points: the first is stable
        return predict(_problem(data), optimizer, method=method, **visits)


def _describe(spec: RunSpec) -> dict:
    """What a run is, as columns."""
    data, params = spec.data, dict(spec.data.params)
    return {
        "run_id": spec.run_id,
        "data": data.name,
        "data_kind": data.kind,
        "data_params": json.dumps(params),
        "data_seed": params.get("seed"),
        "data_digest": data.digest,
        "n": data.n,
        "d": data.d,
        "optimizer": spec.optimizer_name,
        "optimizer_kind": spec.optimizer.name,
        "label": spec.optimizer.label,
        **asdict(spec.optimizer),
        **({} if spec.lr is None else {f"lr_{key}": value for key, value in asdict(spec.lr).items()}),
        **asdict(spec.setting),
        "limit_method": spec.limit,
        "version": __version__,
        "source": source_hash(),
        "libraries": _libraries(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "message": None,
    }


@functools.cache
def _libraries() -> str:
    import numba
    import scipy

    names = {"python": platform.python_version()} | {m.__name__: m.__version__ for m in (np, numba, scipy, pd, pa)}
    return ", ".join(f"{name} {version}" for name, version in names.items())

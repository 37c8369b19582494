"""What a worker does: simulate and measure the blocks of a task, and describe the runs as rows."""

import dataclasses
import functools
import math
import time
import warnings
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from implicitbias.errors import InputError, NotSeparable, Undecided
from implicitbias.flows import Flow
from implicitbias.measure import Snapshots, cosine
from implicitbias.objectives import EXAMPLES, FORMS
from implicitbias.optimizers import Optimizer
from implicitbias.problems import AnyProblem, Multiclass, Problem
from implicitbias.simulation.orders import default_remainder
from implicitbias.simulation.resumption import DEFAULTS
from implicitbias.simulation.run import Run
from implicitbias.simulation.shared import with_objective
from implicitbias.simulation.simulate import simulate
from implicitbias.store.schema import RIVALS, schemas
from implicitbias.study.branches import before
from implicitbias.study.data import Data
from implicitbias.study.expand import RunSpec, run_id
from implicitbias.study.rows import describe
from implicitbias.sweep.pool import WorkerDied
from implicitbias.threads import one_thread

if TYPE_CHECKING:
    from implicitbias.limits import Limit


def kernels_of(runs: list[RunSpec]) -> dict:
    """What the runs need compiled, with an optimizer that uses it."""
    movers = [run.optimizer.under(run.lr) for run in runs if not isinstance(run.optimizer, Flow)]
    return {kernel_of(item, run.data): item for item, run in zip(movers, runs)}


def kernel_of(optimizer: Optimizer, data: Data):
    """The compiled driver of an optimizer on a data set."""
    if data.form is None:
        return optimizer.driver(data.k is not None)
    return with_objective(FORMS[data.form].slope, optimizer.step)


@functools.cache
def warm_up(optimizer: Optimizer, multiclass: bool = False, form: str | None = None) -> None:
    """Compile the kernel of an optimizer, or load it from the cache: not part of the time of a run."""
    if form is not None:
        simulate(EXAMPLES[form](), optimizer, lr=1e-3, steps=1)
        return
    shape = (lambda size: (size, size)) if multiclass else (lambda size: (size,))
    sizes = 2 ** np.arange(1 if multiclass else 0, 20)
    fit = (size for size in sizes if not (optimizer.unfit(shape(size)) or optimizer.too_few(shape(size), size)))
    size = next(fit, sizes[0])
    smallest = Multiclass(np.eye(size), range(size)) if multiclass else Problem(np.eye(size))
    simulate(smallest, optimizer, lr=1.0, steps=1)


@functools.lru_cache(maxsize=4)
def problem_of(data: Data) -> AnyProblem:
    """The data of a task; the cache keeps its separators for the next task on the same data."""
    problem = data.problem()
    if problem.digest != data.digest:  # a file, read again by a worker
        raise InputError(f"the data {data.name!r} are not those that the study was planned with: the file has changed")
    return problem


def execute(task: list[list[RunSpec]], timeout: float | None = None) -> tuple[str, list[dict], pa.Table]:
    """Simulate and measure the blocks of a task. What goes wrong in a run becomes its status."""
    rows, curves = [], []
    with one_thread():
        for block in task:
            for spec, row, curve in _execute_block(block, timeout):
                rows.append(describe(spec) | row)
                if curve is not None:
                    curves.append(_table(spec, curve))
    return _part(rows), rows, pa.concat_tables(curves) if curves else _no_curves(task)


def lost(task: list[list[RunSpec]], error: Exception) -> tuple[str, list[dict], pa.Table]:
    """What `execute` would have returned for a task without an answer."""
    failure = _failure(error)
    if isinstance(error, WorkerDied):
        failure["message"] = (
            f"the worker of this run died in both attempts ({error}); too little memory is the usual reason"
        )
    rows = [describe(spec) | failure for block in task for spec in block]
    return _part(rows), rows, _no_curves(task)


def _part(rows: list[dict]) -> str:
    """The name of the results of a task."""
    return run_id({"task": [row["run_id"] for row in rows]})


def _table(spec: RunSpec, curve: dict[str, np.ndarray]) -> pa.Table:
    """The curve of a run as rows of the table; NaN is null there."""
    schema = schemas(spec.measures)["curves"]
    columns = [pa.array([spec.run_id] * len(curve["step"]), schema.field("run_id").type)]
    columns += [pa.array(curve[item.name], item.type, from_pandas=True) for item in schema if item.name != "run_id"]
    return pa.Table.from_arrays(columns, schema=schema)


def _no_curves(task: list[list[RunSpec]]) -> pa.Table:
    return schemas(task[0][0].measures)["curves"].empty_table()


def _execute_block(block: list[RunSpec], timeout: float | None = None):
    setting = block[0].setting.arguments()
    if block[0].lr is not None:  # all but flows
        setting["lr"] = [spec.lr for spec in block]
    try:
        for optimizer in kernels_of(block).values():
            warm_up(optimizer, block[0].data.k is not None, block[0].data.form)
        clock = time.perf_counter()
        problem = problem_of(block[0].data)
        certified = block[0].measures.of_data(problem)
        seconds = time.perf_counter() - clock
        setting |= block[0].measures.asked()  # some of which a run must keep something for
        setting |= start_of(problem, block[0])
        runs = simulate(problem, [spec.optimizer for spec in block], timeout=timeout, **setting)
    except (NotSeparable, Undecided) as error:
        status = "not_separable" if isinstance(error, NotSeparable) else "undecided"
        yield from ((spec, {"status": status, "message": str(error)}, None) for spec in block)
        return
    except Exception as error:
        yield from ((spec, _failure(error), None) for spec in block)
        return
    for spec, run in zip(block, runs, strict=True):
        clock = time.perf_counter()
        try:
            with np.errstate(over="ignore", invalid="ignore"):  # the norms of a diverged run may overflow
                limit = predicted(prediction(spec))
                seen = Snapshots(run, limit, spec.measures.norms, spec.measures.top)
                curve = spec.measures.measure(seen)
                row = certified | {"status": run.status, "kernel_seconds": run.seconds, "message": _end(run, timeout)}
                if run.status != "timeout":  # whose end is not what the study asks for; its snapshots are in the curves
                    row |= _final(seen, spec, curve)
        except Exception as error:
            yield spec, _failure(error), None
            continue
        row["measure_seconds"] = seconds / len(block) + time.perf_counter() - clock
        yield spec, row, curve


def start_of(problem: AnyProblem, spec: RunSpec) -> dict:
    """What `simulate` is told of where a run goes on from; nothing if it begins."""
    text = getattr(spec.setting, "after", None)
    if text is None:
        return {}
    optimizer, options = before(text)
    setting = spec.setting.arguments() | spec.measures.asked() | {"until_log_loss": None} | options
    if setting["order"] != spec.setting.order or setting["batch"] != spec.setting.batch:
        setting["remainder"] = None  # each order has its own
    return {"start": simulate(problem, optimizer, **setting)}


def _end(run: Run, timeout: float | None) -> str | None:
    """How a run ended, if not well."""
    if run.status == "diverged":
        return "the loss ends above that of w = 0"
    if run.status == "non_finite":
        return "w overflows" + (f" after step {run.steps[-1]}, its last snapshot" if len(run.steps) else " at once")
    if run.status == "timeout" and run.setting.steps is None:
        return f"stopped after {timeout:g} s at t = {run.sum_lr[-1]:g} of {run.setting.time:g}"
    if run.status == "timeout":
        return f"stopped after {timeout:g} s between its snapshot at step {run.steps[-1]} and step {run.setting.steps}"
    return None


def _failure(error: Exception) -> dict:
    """A failure is data: the study goes on, and the table says what happened."""
    return {"status": "error", "message": f"{type(error).__name__}: {error}"}


def _final(seen: Snapshots, spec: RunSpec, curve: dict[str, np.ndarray]) -> dict:
    """The measures at the end of a run."""
    run = seen.run
    if not len(run.steps):
        return {}
    increment = seen.increments[-1]
    row = {name: values[-1].item() for name, values in curve.items()}
    row |= {"w": run.weights[-1].ravel().tolist(), "increment": increment.ravel().tolist()} | spec.measures.at_end(seen)
    for order, rival in rivals(spec).items():
        other = predicted(rival)
        row[f"inc_cos_if_{order}"] = math.nan if other is None else float(cosine(increment, other.direction))
    return row


class Prediction(NamedTuple):
    """What a predicted limit depends on; runs with the same share it."""

    data: Data
    optimizer: Optimizer | Flow
    method: str
    batch: int
    order: str
    remainder: str | None
    seed: int
    loss: str = DEFAULTS["loss"]


def prediction(spec: RunSpec) -> Prediction:
    """That of the limit of a run."""
    setting = spec.setting
    # Runs that differ in the seed alone share a prediction, but for blocks that the seed has chosen.
    shared = spec.limit == "theory" and setting.order != "shuffle_once"
    visits = setting.batch, setting.order, setting.remainder, 0 if shared else setting.seed
    loss = setting.loss if spec.optimizer.transient else DEFAULTS["loss"]  # of the others, one does for both
    return Prediction(spec.data, spec.optimizer.under(spec.lr), spec.limit, *visits, loss)


def rivals(spec: RunSpec) -> dict[str, Prediction]:
    """Those of other orders, told apart on small data, where each takes milliseconds; without eps, whose own limit is
    that of gradient descent, they are where a run goes as long as its gradients are large."""
    small = spec.data.n <= 50 and spec.setting.batch < spec.data.n and spec.data.k is None
    asked = spec.limit != "none" and "limit" in spec.measures.groups
    orders = RIVALS if asked and spec.optimizer.name == "adam" and small else ()
    bare = dataclasses.replace(spec.optimizer, eps=0.0) if orders else spec.optimizer
    what = spec.data, bare, "theory", spec.setting.batch
    return {order: Prediction(*what, order, default_remainder(order), 0) for order in orders}


@functools.lru_cache(maxsize=4096)
def predicted(of: Prediction) -> "Limit | None":
    """The limit itself; None where no theory has one, or none is asked for."""
    if of.method == "none" or of.data.form:
        return None
    from implicitbias.limits import predict

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # several rest points: the first is stable
        return predict(
            problem_of(of.data), of.optimizer, batch=of.batch, order=of.order, remainder=of.remainder, seed=of.seed,
            loss=of.loss, method=of.method,
        )  # fmt: skip

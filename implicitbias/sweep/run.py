"""Running a study: its tasks over workers, each result kept as soon as it is there."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from implicitbias.errors import InputError
from implicitbias.shown import as_html
from implicitbias.study.expand import RunSpec
from implicitbias.study.keys import Study
from implicitbias.study.plan import plan
from implicitbias.study.rows import labels
from implicitbias.study.text import setting_texts, study_text
from implicitbias.sweep.execute import execute, kernels_of, lost, warm_up
from implicitbias.sweep.places import check_apart, default_folder
from implicitbias.sweep.pool import outcomes
from implicitbias.sweep.resume import open_results
from implicitbias.sweep.tasks import read_shard, seconds_of, shard_of, tasks
from implicitbias.sweep.workers import open_pool

# Seconds of a single task that is done before a worker could begin it.
QUICK = 1.0


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
    rate: float  # updates per second in the kernel, of the runs that came to their end

    def __repr__(self) -> str:
        return f"Summary({self.folder}: {self.total} runs, {self.computed} computed now, {self.wall:.1f} s)"

    def _repr_html_(self) -> str:
        return as_html("Summary", {
            "folder": self.folder, "runs": self.total, "computed now": self.computed, "workers": self.jobs,
            "seconds in all": round(self.wall, 2), "compiling": round(self.compile, 2),
            "in kernels, over the workers": round(self.kernel, 2), "measuring": round(self.measure, 2),
        })  # fmt: skip


def run_study(
    study: str | os.PathLike[str] | Mapping[str, Any],
    out: str | os.PathLike[str] | None = None,
    *,
    jobs: int | None = None,
    settings: Mapping[str, Any] | Sequence[str] | None = None,
    backend: str = "local",
    scheduler: str | None = None,
    shard: str | None = None,
    retry: bool = False,
    mode: str = "resume",
    refresh: bool = False,
    notice: Callable[[str], None] | None = None,
    progress: Callable[[str, int, int], None] | bool | None = None,
) -> Summary:
    """Run a study and keep its results; runs already in the folder are not repeated.

    Arguments
        study      the study file; or its keys as a dict, {"title": ..., "data": {...}, "optimizer": {...},
                   "grid": [{...}]}, in which an optimizer may be one such as Adam(beta2=0.95), and lr a
                   schedule such as Power
        out        results folder; default results/ and the name of the study file, which a dict does not have
        jobs       worker processes; default all cores
        settings   overrides, such as {"grid.steps": 1000} or ["grid.steps=1000"]
        backend    "local": worker processes on this machine; "dask": the workers of a running cluster
        scheduler  the address of its scheduler, such as "tcp://10.0.0.1:8786"
        shard      "i/n": only part i = 1..n of the study, left in pieces for `collect`
        retry      repeat runs that ended with the status error or timeout
        mode       if out holds other runs than those of this study: "resume" refuses, "extend" computes the new ones
                   and keeps the others beside the tables, "overwrite" starts afresh
        refresh    repeat runs that other code or other versions of libraries have made
        notice     called with a sentence for each damaged file that was set aside, and if a cluster has no workers yet
        progress   True for a bar on stderr, as the command line has; or a function, called as
                   progress(phase, done, total) with a phase such as "running" and counts

    Returns a Summary. The tables are then read with `load_runs(out)` and `load_curves(out)`.
    Errors: ``InputError`` with every mistake of the study, or if out belongs to another study, or if no scheduler
    answers. What goes wrong in a run, or ends its worker twice, is its status.

    The tables do not depend on the number of workers, nor on interruptions: identical inputs give identical bits, but
    for the columns of provenance.
    """
    notice = notice or (lambda sentence: None)
    if progress is True:
        from implicitbias import terminal

        with terminal.progress() as bar:
            return _run(study, out, jobs, settings, backend, scheduler, shard, retry, mode, refresh, notice, bar)
    progress = progress or (lambda phase, done, total: None)
    return _run(study, out, jobs, settings, backend, scheduler, shard, retry, mode, refresh, notice, progress)


def load_study(
    study: str | os.PathLike[str] | Mapping[str, Any], settings: Mapping[str, Any] | Sequence[str] | None = None
) -> Study:
    """A study as `run_study` would run it: its title, data, optimizer, grid and claim, checked as a whole.

    Arguments: study and settings, as in `run_study`
    Errors: ``InputError`` with every mistake of the study.
    """
    path, text = _written(study, "study")
    return plan(path, setting_texts(settings), text)[0]


def _written(study, name: str) -> tuple[Path, str | None]:
    """The path of a study, and its text if it is no file."""
    if not isinstance(study, Mapping):
        return Path(study), None
    return Path(f"{name}.toml"), study_text(study)


def checked_jobs(jobs: int | None) -> int:
    """How many workers are asked for, by default one for each core. Errors: ``InputError``."""
    if jobs is not None and (isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1):
        raise InputError(f"jobs must be an integer >= 1, but is {jobs!r}")
    return jobs or os.cpu_count() or 1


def run_study_in(pool, study: Path, folder: Path, *, settings: Sequence[str], notice, progress) -> Summary:
    """Run a study in a pool that stays open, unless the study ends early. Errors: as `run_study`."""
    progress = progress or (lambda phase, done, total: None)
    clock, planned = time.perf_counter(), plan(study, settings)
    return _computed(pool, study, folder, planned, settings, None, False, "resume", False, notice, progress, clock)


def _run(study, out, jobs, settings, backend, scheduler, shard, retry, mode, refresh, notice, progress) -> Summary:
    clock = time.perf_counter()
    jobs = checked_jobs(jobs)
    if shard is not None:
        read_shard(shard)
    if isinstance(study, Mapping) and out is None:
        raise InputError("a study that is given as a dict has no name to call a folder by; choose one with out")
    path, text = _written(study, Path(out or "").name)
    settings = setting_texts(settings)
    folder = out or default_folder(path)
    planned = plan(path, settings, text)
    with closing(open_pool(jobs, backend, scheduler)) as pool:
        return _computed(pool, path, folder, planned, settings, shard, retry, mode, refresh, notice, progress, clock)


def _computed(pool, path, folder, planned, settings, shard, retry, mode, refresh, notice, progress, clock) -> Summary:
    study, text, runs = planned
    check_apart(folder, [dict(run.data.params)["path"] for run in runs if run.data.kind == "file"])
    store, missing = open_results(
        path, folder, runs, text, settings, mode=mode, refresh=refresh, retry=retry, shard=shard, notice=notice
    )
    try:
        if shard is not None:
            mine = {run.run_id for run in shard_of(runs, *read_shard(shard))}
            missing = [run for run in missing if run.run_id in mine]
        work = tasks(missing, pool.shares())
        quick = len(work) == 1 and not retry and sum(map(seconds_of, work[0])) < QUICK
        pool.start(0 if quick else min(pool.size, len(work)))
        if work and not pool.size:
            notice(f"the Dask scheduler at {pool.address} has no workers yet; the study waits for them")
        compiled = _compile(missing, progress)
        kernel = measured = timed = 0.0
        updates = 0
        finished = 0
        progress("running", 0, len(missing))
        for task, answer in outcomes(pool, execute, work, study.timeout):
            name, rows, curves = lost(task, answer) if isinstance(answer, Exception) else answer
            store.add(name, rows, curves)
            finished += len(rows)
            kernel += sum(row.get("kernel_seconds", 0.0) for row in rows)
            measured += sum(row.get("measure_seconds", 0.0) for row in rows)
            ended = [row for row in rows if row.get("step") is not None]
            updates += sum(row["step"] for row in ended)
            timed += sum(row["kernel_seconds"] for row in ended)
            progress("running", finished, len(missing))
    except BaseException:
        pool.close()  # before its workers compute what nobody waits for
        raise
    finally:
        try:
            if shard is None:
                store.compact([run.run_id for run in runs], labels(runs))
        finally:
            store.release()
    wall = time.perf_counter() - clock
    rate = updates / timed if timed else 0.0
    return Summary(store.folder, len(runs), finished, pool.size, wall, compiled, kernel, measured, rate)


def _compile(runs: list[RunSpec], progress: Callable[[str, int, int], None]) -> float:
    """Compile or load what the runs need, once for all workers; the seconds it took."""
    started = time.perf_counter()
    needed = kernels_of(runs)
    for position, optimizer in enumerate(needed.values()):
        progress(f"compiling {optimizer.name}", position, len(needed))
        warm_up(optimizer, runs[0].measures.matrices, runs[0].data.form)
    return time.perf_counter() - started

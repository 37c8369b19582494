"""A study on a Dask cluster of real processes: the same tables as on this machine, and failures that are told."""

import contextlib
import json
import os
import subprocess
import sys
import time

import deadly
import pytest
from processes import assert_as, kill, start, wait_until

import implicitbias as ib
from implicitbias.errors import InputError
from implicitbias.sweep import cluster
from implicitbias.sweep.pool import WorkerDied, outcomes
from implicitbias.sweep.run import run_study

distributed = pytest.importorskip("distributed", reason="needs dask and distributed: the extra `cluster`")

STUDY = """
title = "t"
[data.gaussian]
n = 6
d = 8
seed = { from = 0, to = 15 }
[optimizer.adam]
lr = { eta = 0.1, a = 0.5 }
[optimizer.sgd]
lr = 0.1
[[grid]]
batch = [1, 2]
steps = 100_000
"""


WORKER = ["--nthreads", "1", "--no-nanny"]


@pytest.fixture
def study(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(STUDY)
    return path


@pytest.fixture
def launch(tmp_path):
    """A function that starts a process of the cluster on this machine: launch("worker", ...)."""
    # A task that kills its worker is not tried on others by the scheduler.
    settings = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0", "PYTHONPATH": os.pathsep.join(sys.path)}
    options = {"env": {**os.environ, **settings}, "cwd": tmp_path, "stderr": subprocess.DEVNULL}
    place = ["--scheduler-file", str(tmp_path / "scheduler.json"), "--host", "127.0.0.1", "--no-dashboard"]
    processes = []

    def started(kind, *arguments):
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", *place, *arguments]
        processes.append(subprocess.Popen(command, **options))
        return processes[-1]

    yield started
    for process in processes:
        process.kill()
        process.wait()


@pytest.fixture
def scheduler(launch, tmp_path):
    """(address, process) of a scheduler without workers."""
    process = launch("scheduler", "--port", "0")
    file = tmp_path / "scheduler.json"
    # the scheduler opens the file before it writes it: a file that is there may still be empty
    wait_until(lambda: file.exists() and file.read_text().endswith("}"))
    return json.loads(file.read_text())["address"], process


@pytest.fixture
def dask(launch, scheduler):
    """(address, scheduler, workers) of a cluster of three worker processes."""
    address, process = scheduler
    workers = [launch("worker", *WORKER) for _ in range(3)]
    with distributed.Client(address, set_as_default=False) as client:
        client.wait_for_workers(3, timeout=120)
    return address, process, workers


def test_a_cluster_gives_the_tables_of_this_machine(study, dask, tmp_path):
    address, _, workers = dask
    out = tmp_path / "out"
    child = start("run", study, "--out", out, "--backend", "dask", "--scheduler", address)
    wait_until(lambda: len(list(out.glob("parts/*.runs.parquet"))) > 2 or child.poll() is not None)
    kill(workers[0].pid)
    said, err = child.communicate(timeout=120)
    # distributed tells if the worker died between the end of a task and the transfer of its result
    told = [line for line in err.splitlines() if "distributed.client - WARNING - Couldn't gather" not in line]
    assert (child.returncode, told) == (0, [])
    assert "64 runs: 64 ok; 64 computed now, 0 kept" in " ".join(said.split())
    run_study(study, tmp_path / "local", jobs=1)
    assert_as(out, tmp_path / "local")


def test_a_study_waits_for_the_first_worker(study, scheduler, launch, tmp_path):
    """As batch systems start them, some time after the scheduler."""
    address, _ = scheduler
    child = start("run", study, "--out", "out", "--backend", "dask", "--scheduler", address, cwd=tmp_path)
    wait_until(lambda: (tmp_path / "out" / "study.json").is_file() or child.poll() is not None)
    launch("worker", *WORKER)
    said, err = child.communicate(timeout=120)
    sentence = f"warning: the Dask scheduler at {address} has no workers yet; the study waits for them\n"
    assert (child.returncode, err) == (0, sentence)
    assert "64 computed now" in said


def test_a_scheduler_that_dies_loses_nothing(study, dask, tmp_path):
    address, scheduler, _ = dask
    out = tmp_path / "out"
    child = start("run", study, "--out", out, "--backend", "dask", "--scheduler", address)
    wait_until(lambda: list(out.glob("parts/*.runs.parquet")) or child.poll() is not None)
    kill(scheduler.pid)
    said, err = child.communicate(timeout=120)
    assert (child.returncode, said) == (2, ""), err
    assert f"error: the Dask scheduler at {address} is gone, or has cancelled the tasks of the study; what was " in err
    kept = len(ib.load_runs(out))
    assert 0 < kept < 64
    assert run_study(study, out, jobs=1).computed == 64 - kept


def test_a_task_that_kills_its_worker_is_told(dask, tmp_path):
    tasks = [["die"], *([k] for k in range(20))]
    with contextlib.closing(cluster.Cluster(dask[0])) as pool:
        assert pool.size == 3
        with pytest.raises(InputError, match=r"cannot run the tasks of the study: .*Strange"):  # nobody's run
            list(outcomes(pool, deadly.work, [["raise"]], str(tmp_path)))
        found = {tuple(task): answer for task, answer in outcomes(pool, deadly.work, tasks, str(tmp_path))}
    death = found.pop(("die",))
    assert isinstance(death, WorkerDied) and "tcp://127.0.0.1:" in str(death)
    assert found == {(k,): [2 * k] for k in range(20)}


def test_workers_with_other_sources_are_refused():
    with pytest.raises(InputError, match=r"^a Dask worker has other sources of implicitbias \([0-9a-f]{16}\) than "):
        cluster.remote("0" * 16, deadly.work, ["a"], "")


@pytest.mark.parametrize(
    ("address", "detail"), [("tcp://127.0.0.1:1", ""), ("nonsense", " (missing port "), ("foo://a:1", " (unknown ")]
)
def test_an_address_where_no_scheduler_is(monkeypatch, address, detail):
    monkeypatch.setattr(cluster, "ANSWERS_WITHIN", 0.3)
    clock = time.monotonic()
    with pytest.raises(InputError) as caught:
        cluster.Cluster(address)
    (sentence,) = caught.value.mistakes
    assert sentence.startswith(f"no Dask scheduler answers at {address}{detail}")
    assert sentence.endswith("--scheduler takes the address that `dask scheduler` prints, such as tcp://10.0.0.1:8786")
    assert time.monotonic() - clock < 30

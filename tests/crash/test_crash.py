"""Studies that are killed, interrupted, or lose workers: the same command then ends with the same tables."""

import os
import random
import signal
import sys
import time

import pytest
from processes import assert_as, is_alive, kill, start, wait_until, workers

import implicitbias as ib
from implicitbias.study.plan import plan
from implicitbias.sweep.run import run_study
from implicitbias.sweep.tasks import tasks

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for workers in /proc")

# About two core seconds in a dozen tasks, with every kind of thing a task can give.
STUDY = """
title = "t"
[data.gaussian]
n = 6
d = 8
seed = { from = 0, to = 11 }
[optimizer.adam]
lr = { eta = 0.1, a = 0.5 }
[optimizer.sgd]
lr = [0.1, 1.7e308]
[[grid]]
batch = [1, 2]
steps = 100_000
limit = "none"
"""
RUNS = 12 * 3 * 2


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    path = tmp_path_factory.mktemp("crash") / "study.toml"
    path.write_text(STUDY)
    return path


@pytest.fixture(scope="module")
def finished(study):
    """The tables of the study run without a disturbance, by one worker."""
    run_study(study, study.parent / "finished", jobs=1)
    runs = ib.load_runs(study.parent / "finished")
    assert len(runs) == RUNS and len(tasks(plan(study)[2], 2)) >= 6
    assert set(runs["status"]) == {"ok", "non_finite"}
    return study.parent / "finished"


def run_killed(study, out, moment, jobs=2):
    """Start the study, and kill it so many seconds after its folder is there; its workers end with it."""
    child = start("run", study, "--out", out, "--jobs", jobs)
    try:
        wait_until(lambda: (out / "study.json").is_file() or child.poll() is not None)
        end = time.monotonic() + moment
        while time.monotonic() < end and child.poll() is None:
            time.sleep(0.005)
        there = workers(child.pid)
    finally:
        child.kill()
        child.communicate()
    wait_until(lambda: not any(map(is_alive, there)), 20.0)
    return child.returncode


@pytest.mark.parametrize("seed", range(5))
def test_a_study_killed_at_any_moment_goes_on(study, finished, tmp_path, seed):
    draw = random.Random(seed)
    run_killed(study, tmp_path / "out", draw.uniform(0.0, 4.0))
    run_study(study, tmp_path / "out", jobs=1)
    assert_as(tmp_path / "out", finished)


@pytest.mark.long
def test_a_study_killed_again_and_again_goes_on(study, finished, tmp_path):
    draw, killed, turn = random.Random(0), 0, 0
    while killed < 60:
        turn += 1
        out = tmp_path / f"out{turn}"
        for _ in range(draw.choice([1, 1, 2])):
            killed += run_killed(study, out, draw.uniform(0.0, 4.0), jobs=draw.choice([1, 2])) == -signal.SIGKILL
        if turn % 5:
            run_study(study, out, jobs=1)
        else:
            child = start("run", study, "--out", out, "--jobs", "2")
            _, err = child.communicate(timeout=300)
            assert (child.returncode, err) == (0, "")
        assert_as(out, finished)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_study_well(study, finished, tmp_path, number):
    out = tmp_path / "out"
    child = start("run", study, "--out", "out", "--jobs", "2", cwd=tmp_path, start_new_session=True)
    wait_until(lambda: list(out.glob("parts/*.runs.parquet")) or child.poll() is not None)
    there = workers(child.pid)
    os.killpg(child.pid, number)  # as a terminal does
    said = child.communicate(timeout=60)
    sentence = "interrupted; what was computed is in out, and the same command goes on from there\n"
    assert (child.returncode, *said) == (128 + number, "", sentence)
    assert len(there) == 2 and not any(map(is_alive, there))
    kept = ib.load_runs(out)["run_id"]
    assert 0 < len(kept) < RUNS and not (out / "parts").exists()
    assert run_study(study, out, jobs=1).computed == RUNS - len(kept)
    assert_as(out, finished)


def test_a_second_signal_ends_it_at_once(study, finished, tmp_path):
    out = tmp_path / "out"
    child = start("run", study, "--out", "out", "--jobs", "1", cwd=tmp_path)
    wait_until(lambda: list(out.glob("parts/*.runs.parquet")) or child.poll() is not None)
    child.send_signal(signal.SIGINT)
    while child.poll() is None:
        child.send_signal(signal.SIGINT)
        time.sleep(0.001)
    out_, err = child.communicate(timeout=60)
    assert child.returncode == 130 and out_ == "" and "Traceback" not in err
    run_study(study, out, jobs=1)
    assert_as(out, finished)


def test_a_killed_worker_costs_nothing(study, finished, tmp_path):
    out = tmp_path / "out"
    child = start("run", study, "--out", out, "--jobs", "2")
    killed = set()
    while len(killed) < 2 and child.poll() is None:
        wait_until(lambda: len(list(out.glob("parts/*.runs.parquet"))) > 2 * len(killed) or child.poll() is not None)
        for process in set(workers(child.pid)) - killed if child.poll() is None else ():
            kill(process)
            killed.add(process)
            break
    _, err = child.communicate(timeout=120)
    assert (child.returncode, err) == (0, "") and len(killed) == 2
    assert_as(out, finished)

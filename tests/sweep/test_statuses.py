"""How a run can end: every status is reached, is told with its reason, and stops nothing else."""

import math

import numpy as np
import pytest

import implicitbias as ib
from implicitbias.errors import InputError
from implicitbias.store.schema import STATUSES
from implicitbias.sweep import execute, run
from implicitbias.sweep.pool import WorkerDied
from implicitbias.sweep.run import run_study

STUDY = """
title = "t"
timeout = 0.3
[data.gaussian]
n = 4
d = 6
[data.wedge]
kind = "file"
path = "wedge.csv"
[data.hopeless]
kind = "file"
path = "hopeless.csv"
[data.hair]
kind = "file"
path = "hair.csv"
[optimizer.sgd]
lr = [0.1, 1000.0, 1.7e308]
[[grid]]
order = "cyclic"
steps = [1, 20, 10_000_000_000]
limit = "none"
"""


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wedge.csv").write_text("1,0,1\n1,-0.5,-1\n")
    (tmp_path / "hopeless.csv").write_text("1,0,1\n-1,0,1\n0,1,1\n0,1,-1\n")
    # a separator exists, but none whose entries are float64 numbers
    (tmp_path / "hair.csv").write_text("1,-3,0,1\n-1,3,8.673617379884035e-19,1\n-1,0,1,-1\n")
    (tmp_path / "study.toml").write_text(STUDY)
    return tmp_path / "study.toml"


def test_every_status_in_one_study(study, tmp_path, monkeypatch):
    original = execute.simulate

    def fails_on_one(problem, optimizers, *, steps=None, **options):
        if steps == 20 and problem.n == 4:
            raise ZeroDivisionError("by a test")
        return original(problem, optimizers, steps=steps, **options)

    monkeypatch.setattr(execute, "simulate", fails_on_one)
    run_study(study, "out", jobs=1)
    runs, curves = ib.load_runs("out"), ib.load_curves("out")
    assert len(runs) == 4 * 3 * 3 and set(runs["status"]) == set(STATUSES)
    said = runs[runs["status"].isin(["diverged", "non_finite"])][["status", "message"]].drop_duplicates()
    assert dict(said.to_numpy()) == {
        "diverged": "the loss ends above that of w = 0", "non_finite": "w overflows after step 1, its last snapshot"
    }  # fmt: skip
    late = runs[runs["status"] == "timeout"]
    assert set(late["steps"]) == {10_000_000_000} and set(late["data"]) == {"gaussian", "wedge"}
    # its end is not what the study asks for, and its snapshots are there
    assert late[["step", "cos_l2", "w", "limit"]].isna().all(axis=None) and late["gamma_l2"].notna().all()
    assert (late["kernel_seconds"] > 0.3).all() and (late["kernel_seconds"] < 60).all()  # 1e10 steps take ten minutes
    for row in late.itertuples():
        steps = curves[curves["run_id"] == row.run_id]["step"]
        assert 1 <= steps.max() < 10_000_000_000
        assert row.message == f"stopped after 0.3 s between its snapshot at step {steps.max()} and step 10000000000"


def test_only_retry_repeats_failures(study, tmp_path, monkeypatch):
    monkeypatch.setattr(execute, "simulate", lambda *args, **options: 1 / 0)
    settings = ["grid.steps=5", "grid.data=gaussian"]
    run_study(study, "out", jobs=1, settings=settings)
    assert set(ib.load_runs("out")["status"]) == {"error"}
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert run_study(study, "out", jobs=1, settings=settings).computed == 0
    assert run_study(study, "out", jobs=1, settings=settings, retry=True).computed == 3
    assert "error" not in set(ib.load_runs("out")["status"])
    assert run_study(study, "out", jobs=1, settings=settings, retry=True).computed == 0


def test_the_death_of_workers_is_the_status_of_their_runs(study, tmp_path, monkeypatch):
    monkeypatch.setattr(
        run,
        "outcomes",
        lambda pool, function, tasks, *args: ((task, WorkerDied("killed by SIGKILL")) for task in tasks),
    )
    run_study(study, "out", jobs=2, settings=["grid.steps=5"])
    runs = ib.load_runs("out")
    assert len(runs) == 12 and set(runs["status"]) == {"error"}
    (message,) = set(runs["message"])
    assert message == (
        "the worker of this run died in both attempts (killed by SIGKILL); too little memory is the usual reason"
    )
    assert ib.load_curves("out").empty


def test_a_run_in_time_does_not_notice_the_limit():
    problem = ib.geometry.gaussian(n=4, d=6, seed=0)
    arguments = {"lr": [0.1, 0.2], "batch": 2, "steps": 5000}
    free, limited = (ib.simulate(problem, [ib.Adam()] * 2, **arguments, timeout=x) for x in (None, 1000))
    for one, other in zip(free, limited):
        np.testing.assert_array_equal(one.weights, other.weights)
        np.testing.assert_array_equal(one.state, other.state)
        assert (one.status, other.status) == ("ok", "ok")


def test_a_run_out_of_time_is_the_beginning_of_one_in_time():
    problem = ib.geometry.gaussian(n=4, d=6, seed=0)
    late = ib.simulate(problem, ib.Adam(), lr=0.1, steps=2**33, timeout=0.05)
    assert late.status == "timeout" and late.state.size == 0 and 0.05 < late.seconds < 60
    assert len(late.steps) and late.steps[-1] < 2**33
    assert len(late.curve) == len(late.steps)
    short = ib.simulate(problem, ib.Adam(), lr=0.1, steps=2**10)
    shared = np.intersect1d(late.steps, short.steps)
    for k in shared:
        np.testing.assert_array_equal(late.weights[late.steps == k], short.weights[short.steps == k])


def test_a_flow_out_of_time_ends_with_what_it_has():
    problem = ib.geometry.gaussian(n=40, d=50, seed=0)
    whole = ib.simulate(problem, ib.GradientFlow(), time=1e100)
    late = ib.simulate(problem, ib.GradientFlow(), time=1e100, timeout=1e-9)
    assert (whole.status, late.status) == ("ok", "timeout")
    assert 0 < len(late.steps) < len(whole.steps)
    np.testing.assert_array_equal(late.weights, whole.weights[: len(late.steps)])


@pytest.mark.parametrize("timeout", [0, -1.0, math.nan, "1", True])
def test_a_limit_is_a_positive_number_of_seconds(study, timeout):
    with pytest.raises(InputError, match=r"^timeout must be a number of seconds > 0, but is "):
        ib.simulate([[1.0]], ib.Adam(), steps=1, timeout=timeout)


@pytest.mark.parametrize("timeout", ["0", "-1", '"1"', "true"])
def test_the_limit_of_a_study_is_a_positive_number(study, timeout):
    with pytest.raises(InputError, match=r"timeout"):
        run_study(study, "out", settings=[f"timeout={timeout}"])

"""Running a study: the same bits whatever the workers and interruptions, and failures that are data."""

import json
import tomllib
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from processes import assert_as
from stores import create

import implicitbias as ib
from implicitbias import margins
from implicitbias.errors import InputError
from implicitbias.jit import source_hash
from implicitbias.store import Store
from implicitbias.store.files import write as write_table
from implicitbias.store.schema import STATUSES
from implicitbias.study.claims import verdicts
from implicitbias.study.plan import plan
from implicitbias.study.stored import stored_study
from implicitbias.sweep import execute, run
from implicitbias.sweep.run import run_study
from implicitbias.sweep.tasks import tasks

STUDY = """
title = "t"
[data.gaussian]
n = 4
d = 6
seed = { from = 0, to = 2 }
[data.shifted_diagonal]
[optimizer.adam]
beta2 = [0.9, 0.95]
lr = { eta = 0.1, a = 0.5 }
[optimizer.sgd]
lr = 0.1
[[grid]]
batch = [1, 2]
order = ["reshuffle", "cyclic"]
steps = 300
[[grid]]
order = "full"
steps = 100
until_log_loss = -3
[[claim]]
says = "a"
source = "b"
measure = "cos_l2"
at_least = 0.1
"""
RUNS = 4 * 3 * 5


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    path = tmp_path_factory.mktemp("study") / "small.toml"
    path.write_text(STUDY)
    return path


@pytest.fixture(scope="module")
def finished(study):
    """The study run without a disturbance, by one worker: its folder and its summary."""
    folder = study.parent / "finished"
    return folder, run_study(study, folder, jobs=1)


@pytest.fixture
def computed(monkeypatch):
    """The ids of the runs that are simulated while a test runs, by one worker."""
    calls = Counter()
    original = execute._execute_block

    def counting(block, *args):
        calls.update(spec.run_id for spec in block)
        yield from original(block, *args)

    monkeypatch.setattr(execute, "_execute_block", counting)
    return calls


def test_every_run_is_in_the_tables_once_and_in_the_order_of_the_study(study, finished):
    folder, summary = finished
    expected = [run.run_id for run in plan(study)[2]]
    runs, curves = ib.load_runs(folder), ib.load_curves(folder)
    assert len(expected) == RUNS
    assert runs["run_id"].tolist() == expected
    assert curves["run_id"].drop_duplicates().tolist() == expected
    assert (summary.total, summary.computed, summary.jobs, summary.folder) == (RUNS, RUNS, 1, folder)
    assert 0 < summary.kernel + summary.measure + summary.compile < summary.wall
    assert summary.kernel == pytest.approx(runs["kernel_seconds"].sum())
    assert (folder / "study.toml").read_text() == STUDY


def test_the_table_of_runs_holds_effective_values_and_the_end_of_each_curve(finished):
    runs, curves = ib.load_runs(finished[0]), ib.load_curves(finished[0])
    assert set(runs["status"]) == {"ok"} and runs["message"].isna().all()
    assert set(runs["source"]) == {source_hash()} and set(runs["version"]) == {ib.__version__}
    last = curves.groupby("run_id", sort=False).tail(1).reset_index(drop=True)
    pd.testing.assert_frame_equal(runs[last.columns], last, check_exact=True)
    full = runs[runs["order"] == "full"]
    assert (full["batch"] == 4).all() and (full["steps"] == 100).all() and (full["until_log_loss"] == -3).all()
    assert ((full["step"] == 100) | (full["log_loss"] <= -3)).all() and (full["step"] < 100).any()
    assert (runs[runs["order"] == "reshuffle"]["remainder"] == "drop").all()
    assert (runs[runs["optimizer"] == "sgd"]["beta2"].isna()).all()
    assert set(runs[runs["optimizer"] == "adam"]["beta2"]) == {0.9, 0.95}
    assert [json.loads(text).get("seed") for text in runs["data_params"]] == [
        None if pd.isna(seed) else seed for seed in runs["data_seed"]
    ]


def test_a_run_of_a_study_is_a_call_of_simulate(finished):
    runs, curves = ib.load_runs(finished[0]), ib.load_curves(finished[0])
    row = runs.query("data_seed == 1 and beta2 == 0.95 and batch == 2 and order == 'reshuffle'").iloc[0]
    problem = ib.geometry.gaussian(n=4, d=6, seed=1)
    alone = ib.simulate(problem, ib.Adam(beta2=0.95), lr=ib.Power(0.1, 0.5), batch=2, steps=300)
    found = curves[curves["run_id"] == row["run_id"]].drop(columns="run_id").reset_index(drop=True)
    pd.testing.assert_frame_equal(found, alone.curve, check_exact=True)
    np.testing.assert_array_equal(row["w"], alone.weights[-1])
    half = alone.weights[np.argmin(np.abs(alone.steps - 150))]
    np.testing.assert_array_equal(row["increment"], alone.weights[-1] - half)
    assert row["data_digest"] == problem.digest
    for norm in ("l1", "l2", "linf"):
        separator = ib.max_margin(problem, norm)
        assert (row[f"gamma_{norm}"], row[f"gap_{norm}"]) == (separator.margin, separator.gap)
        assert row[f"unique_{norm}"] == separator.unique
        assert row[f"distance_{norm}"] == separator.distance(alone.weights[-1])


def test_two_workers_give_the_same_bits(study, finished, tmp_path):
    assert len(tasks(plan(study)[2])) > 1  # or the workers would have nothing to share
    summary = run_study(study, tmp_path / "two", jobs=2)
    assert (summary.jobs, summary.computed) == (2, RUNS)
    assert_as(tmp_path / "two", finished[0])


def test_a_finished_study_is_not_run_again(study, finished, computed):
    before = (finished[0] / "curves.parquet").read_bytes()
    summary = run_study(study, finished[0], jobs=1)
    assert (summary.total, summary.computed, summary.kernel) == (RUNS, 0, 0.0)
    assert not computed
    assert (finished[0] / "curves.parquet").read_bytes() == before


def test_an_interrupted_study_goes_on_where_it_stopped(study, finished, tmp_path, computed):
    def interrupt(phase, done, total):
        if phase == "running" and done:
            raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            run_study(study, tmp_path / "out", jobs=1, progress=interrupt)
    kept = set(ib.load_runs(tmp_path / "out")["run_id"])
    assert kept == set(computed) and 0 < len(kept) < RUNS
    assert set(ib.load_curves(tmp_path / "out")["run_id"]) == kept
    summary = run_study(study, tmp_path / "out", jobs=1)
    assert (summary.total, summary.computed) == (RUNS, RUNS - len(kept))
    assert len(computed) == RUNS and set(computed.values()) == {1}
    assert_as(tmp_path / "out", finished[0])


def test_an_interruption_inside_a_task_loses_that_task_alone(study, finished, tmp_path, monkeypatch):
    original, calls = execute.execute, []

    def interrupted(task, *args):
        calls.append(task)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(task, *args)

    monkeypatch.setattr(run, "execute", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_study(study, tmp_path / "out", jobs=1)
    assert len(ib.load_runs(tmp_path / "out")) == sum(map(len, (block for task in calls[:2] for block in task)))
    monkeypatch.undo()
    run_study(study, tmp_path / "out", jobs=1)
    assert_as(tmp_path / "out", finished[0])


@pytest.mark.parametrize("step", [2, 3, 7])
def test_missing_runs_are_computed_as_they_would_have_been(study, finished, tmp_path, computed, step):
    """Every block loses some of its runs: what is left of it is advanced by other company, to the same bits."""
    store = Store.open(finished[0])
    out = create(tmp_path / "out", store.identity(), store.text())
    gone = set(ib.load_runs(finished[0])["run_id"][::step])
    for name in ("runs", "curves"):
        table = store.table(name)
        keep = [run not in gone for run in table.column("run_id").to_pylist()]
        write_table(out.folder / f"{name}.parquet", table.schema, [table.filter(keep)])
    assert run_study(study, out.folder, jobs=1).computed == len(gone)
    assert set(computed) == gone
    assert_as(out.folder, finished[0])


def test_runs_of_a_block_share_data_and_batches(study, finished, computed):
    for block in (block for task in tasks(plan(study)[2]) for block in task):
        assert len({(run.data.digest, run.setting) for run in block}) == 1
    runs = ib.load_runs(finished[0])
    cell = ["data_digest", "batch", "order", "steps", "seed", "loss", "per_octave"]
    assert (runs.groupby(cell)["label"].nunique() == 3).all()  # common random numbers for every optimizer


def test_a_settings_override_is_part_of_the_results(study, tmp_path):
    settings = ["grid.steps=20", "data.gaussian.seed=[5]"]
    summary = run_study(study, tmp_path / "out", jobs=1, settings=settings)
    runs = ib.load_runs(tmp_path / "out")
    assert summary.total == len(runs) == 2 * 3 * 5
    assert set(runs["steps"]) == {20} and set(runs["data_seed"].dropna()) == {5}
    stored, store = stored_study(tmp_path / "out")
    assert stored.grid[0].steps == [20]
    assert store.identity()["settings"] == settings
    with pytest.raises(InputError, match="another version of this study"):
        run_study(study, tmp_path / "out", jobs=1)


def test_new_claims_are_judged_on_the_results_that_are_there(study, finished, write, tmp_path, computed):
    folder = tmp_path / "out"
    text = STUDY.split("[[claim]]")[0].replace("{ from = 0, to = 2 }", "0")
    run_study(write(text), folder, jobs=1)
    computed.clear()
    claim = "[[claim]]\nsays='a'\nsource='b'\nmeasure='step'\nat_most=300"
    run_study(write(text + claim), folder, jobs=1)
    assert not computed
    stored, store = stored_study(folder)
    (verdict,) = verdicts(stored, store.table("runs").to_pandas(), store.table("curves").to_pandas())
    assert (verdict.outcome, verdict.runs) == ("holds", 2 * 3 * 5)


def test_progress_tells_what_is_done(study, tmp_path):
    calls = []
    run_study(study, tmp_path / "out", jobs=1, progress=lambda *call: calls.append(call))
    assert calls[0] == ("compiling adam", 0, 2)
    running = [(done, total) for phase, done, total in calls if phase == "running"]
    assert running[0] == (0, RUNS) and running[-1] == (RUNS, RUNS)
    assert running == sorted(running)


@pytest.mark.parametrize("jobs", [0, -1, 1.5, "2", True])
def test_jobs_must_be_a_positive_integer(study, tmp_path, jobs):
    with pytest.raises(InputError, match=r"^jobs must be an integer >= 1, but is "):
        run_study(study, tmp_path / "out", jobs=jobs)
    assert not (tmp_path / "out").exists()


def test_a_study_with_mistakes_leaves_nothing_behind(write, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write(STUDY.replace("batch = [1, 2]", "batch = 9").replace('"cos_l2"', '"cos_l9"'))
    for out in (tmp_path / "out", None):
        with pytest.raises(InputError) as caught:
            run_study(path, out, jobs=1)
        assert len(caught.value.mistakes) == 3  # two data sets with b > n, and the claim
    assert [item.name for item in tmp_path.iterdir()] == ["study.toml"]


def test_the_default_folder_has_the_name_of_the_study(write, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert str(run_study(write(STUDY, "mine.toml"), jobs=1, settings=["grid.steps=2"]).folder) == "results/mine"
    assert len(ib.load_runs("results/mine")) == RUNS


def test_a_run_that_gets_lost_is_a_result(write, tmp_path):
    text = """
        title = "t"
        [data.gaussian]
        n = 4
        d = 6
        seed = [0, 1]
        [optimizer.sgd]
        lr = [0.01, 30.0, 1e300]
        [[grid]]
        loss = "exponential"
        order = "cyclic"
        steps = 12
    """
    run_study(write(text), tmp_path / "out", jobs=1)
    runs, curves = ib.load_runs(tmp_path / "out"), ib.load_curves(tmp_path / "out")
    assert runs["lr_eta"].tolist() == [0.01, 30.0, 1e300] * 2
    assert set(runs["status"]) <= set(STATUSES)
    assert runs["status"].tolist()[::3] == ["ok", "ok"]
    assert (runs["status"][2::3] == "non_finite").all()
    assert (runs.query("status == 'non_finite'")["step"] < 12).all()  # the snapshots end before
    assert np.isfinite(curves[curves["run_id"].isin(runs["run_id"][::3])]["log_loss"]).all()


@pytest.mark.parametrize(("module", "broken"), [(execute, "simulate"), (margins, "max_margin"), (execute, "_final")])
def test_what_goes_wrong_in_a_run_is_its_status(study, tmp_path, monkeypatch, module, broken):
    original = getattr(module, broken)

    def fails_on_one(first, *args, **options):
        problem = first.run.problem if hasattr(first, "run") else first
        if problem.digest == bad:
            raise ZeroDivisionError("by a test")
        return original(first, *args, **options)

    bad = ib.geometry.gaussian(n=4, d=6, seed=1).digest
    monkeypatch.setattr(module, broken, fails_on_one)
    execute.problem_of.cache_clear()
    run_study(study, tmp_path / "out", jobs=1)
    runs = ib.load_runs(tmp_path / "out")
    failed = runs["data_digest"] == bad
    assert set(runs["status"][failed]) == {"error"} and set(runs["status"][~failed]) == {"ok"}
    assert set(runs["message"][failed]) == {"ZeroDivisionError: by a test"}
    assert failed.sum() == 3 * 5
    assert set(ib.load_curves(tmp_path / "out")["run_id"]) == set(runs["run_id"][~failed])


def test_one_row_and_one_column_are_enough(write, tmp_path):
    text = """
        title = "t"
        data.gaussian = { n = 1, d = 1 }
        optimizer = { sgd = {}, adam = {}, signum = {}, ngd = {} }
        [[grid]]
        order = ["full", "reshuffle", "replacement", "cyclic", "shuffle_once"]
        lr = 0.1
        steps = 8
    """
    run_study(write(text), tmp_path / "out", jobs=1)
    runs = ib.load_runs(tmp_path / "out")
    assert len(runs) == 4 * 5 and set(runs["status"]) == {"ok"}
    np.testing.assert_allclose(runs[["cos_l2", "ratio_linf"]], 1.0, rtol=1e-12)


def test_a_folder_without_a_study_has_none(tmp_path):
    with pytest.raises(InputError, match="holds no results of a study"):
        stored_study(tmp_path)


def test_the_study_of_these_tests_is_read_back(finished):
    assert stored_study(finished[0])[0].title == tomllib.loads(STUDY)["title"]


def test_of_no_run_nothing_is_compiled():
    """A study all of whose runs are kept, with a claim that is new."""
    assert execute.kernels_of([]) == {}

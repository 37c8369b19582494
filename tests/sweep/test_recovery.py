"""Rows that were computed twice, renamed studies, lost and damaged files: the better row stays, under its name now."""

import os
import shutil
import signal

import pyarrow.parquet as pq
import pytest
from processes import assert_as

import implicitbias as ib
from implicitbias.errors import InputError
from implicitbias.store import Store, compaction
from implicitbias.store.pieces import Pair
from implicitbias.study import rows
from implicitbias.study.plan import plan
from implicitbias.study.provenance import provenance
from implicitbias.sweep import execute
from implicitbias.sweep import run as running
from implicitbias.sweep.collect import collect
from implicitbias.sweep.run import run_study

STUDY = """
title = "t"
[data.a]
kind = "gaussian"
n = 4
d = 6
seed = 0
[data.b]
kind = "gaussian"
n = 4
d = 6
seed = 1
[optimizer.adam]
[optimizer.sgd]
[[grid]]
lr = 0.1
batch = [1, 2]
steps = 30
limit = "none"
[[claim]]
says = "of one data set"
source = "s"
measure = "step"
where = { data = "a" }
equal = 30
within = 0
"""
RUNS = 8


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    path = tmp_path_factory.mktemp("study") / "s.toml"
    path.write_text(STUDY)
    run_study(path, path.parent / "out", jobs=1)
    return path.parent / "out"


@pytest.fixture
def study(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text(STUDY)
    return path


@pytest.fixture
def flaky(monkeypatch):
    """A switch: while it is on every run ends with an error."""

    def switch(on):
        monkeypatch.setattr(execute, "simulate", (lambda *args, **options: 1 / 0) if on else original)

    original = execute.simulate
    return switch


def statuses(folder):
    return ib.load_runs(folder)["status"].value_counts().to_dict()


def failed_then_ok(study, out, flaky, shards=2):
    """Parts with errors, and newer parts with the same runs, ok."""
    for on in (True, False):
        flaky(on)
        for k in range(1, shards + 1):
            run_study(study, out, jobs=1, shard=f"{k}/{shards}", retry=not on)
    assert statuses(out) == {"ok": RUNS}


@pytest.mark.parametrize("removed", range(5))
def test_killed_while_it_removes_parts(study, tmp_path, finished, flaky, monkeypatch, removed):
    failed_then_ok(study, tmp_path / "out", flaky)
    original, calls = Pair.remove, []

    def killed(pair):
        if len(calls) == removed:
            raise KeyboardInterrupt
        calls.append(pair)
        original(pair)

    monkeypatch.setattr(Pair, "remove", killed)
    with pytest.raises(KeyboardInterrupt):
        collect([tmp_path / "out"])
    monkeypatch.setattr(Pair, "remove", original)
    assert statuses(tmp_path / "out") == {"ok": RUNS}
    assert run_study(study, tmp_path / "out", jobs=1).computed == 0
    assert_as(tmp_path / "out", finished)


def test_clocks_do_not_decide_which_row_is_new(study, tmp_path, finished, flaky):
    failed_then_ok(study, tmp_path / "out", flaky)
    for path in sorted((tmp_path / "out" / "parts").iterdir(), reverse=True):  # as a copy in any order would
        now = 1e9 if ".2." in path.name else 2e9
        os.utime(path, (now, now))
    assert statuses(tmp_path / "out") == {"ok": RUNS}
    collect([tmp_path / "out"])
    assert_as(tmp_path / "out", finished)


def test_killed_between_the_files_of_a_part_that_is_computed_again(study, tmp_path, finished, flaky, monkeypatch):
    flaky(True)
    run_study(study, tmp_path / "out", jobs=1, shard="1/1")
    flaky(False)
    original = Store.add

    def killed(store, name, runs, curves):
        original(store, name, runs, curves)
        for path in store.parts.glob("*.2.runs.parquet"):
            path.unlink()
        raise KeyboardInterrupt

    monkeypatch.setattr(Store, "add", killed)
    with pytest.raises(KeyboardInterrupt):
        run_study(study, tmp_path / "out", jobs=1, shard="1/1", retry=True)
    monkeypatch.setattr(Store, "add", original)
    assert statuses(tmp_path / "out") == {"error": RUNS} and ib.load_curves(tmp_path / "out").empty
    assert run_study(study, tmp_path / "out", jobs=1, retry=True).computed == RUNS
    assert_as(tmp_path / "out", finished)


def test_names_are_those_of_the_study_as_it_is_now(study, tmp_path):
    out = tmp_path / "out"
    run_study(study, out, jobs=1)
    before = ib.load_runs(out).set_index("run_id")
    study.write_text(
        STUDY.replace("[data.a]", "[data.x]").replace("[data.b]", "[data.a]").replace("[data.x]", "[data.b]")
    )
    assert run_study(study, out, jobs=1).computed == 0
    after = ib.load_runs(out).set_index("run_id")
    assert (after["data"] == before["data"].map({"a": "b", "b": "a"})).all()
    assert (after["data_seed"] == after["data"].map({"a": 1, "b": 0})).all()
    longer = STUDY.replace("[optimizer.adam]", '[optimizer.mine]\nkind = "adam"').replace("[1, 2]", "[1, 2, 3]")
    study.write_text(longer)
    assert run_study(study, out, jobs=1, mode="extend").computed == 4
    assert [(row.data, row.optimizer) for row in ib.load_runs(out).itertuples()] == [
        (run.data.name, run.optimizer_name) for run in plan(study)[2]
    ]
    fresh = tmp_path / "fresh"
    run_study(study, fresh, jobs=1)
    assert (out / "curves.parquet").read_bytes() == (fresh / "curves.parquet").read_bytes()


def test_collecting_again_takes_what_is_better(study, tmp_path, finished, flaky, monkeypatch):
    parts, out = [tmp_path / "1", tmp_path / "2"], tmp_path / "out"
    flaky(True)
    for k, folder in enumerate(parts, 1):
        run_study(study, folder, jobs=1, shard=f"{k}/2")
    assert collect(parts, out).missing == 0 and statuses(out) == {"error": RUNS}
    flaky(False)
    real = provenance()
    monkeypatch.setattr(rows, "provenance", lambda: real | {"source": "old"})
    for k, folder in enumerate(parts, 1):
        run_study(study, folder, jobs=1, shard=f"{k}/2", retry=True)
    collect(parts, out)
    assert statuses(out) == {"ok": RUNS} and set(ib.load_runs(out)["source"]) == {"old"}
    monkeypatch.undo()
    run_study(study, parts[0], jobs=1, shard="1/2", refresh=True)
    collect(parts[::-1], out)
    assert set(ib.load_runs(out)["source"]) == {"old", real["source"]}
    run_study(study, parts[1], jobs=1, shard="2/2", refresh=True)
    collect(parts, out)
    assert_as(out, finished)


@pytest.mark.parametrize("content", [None, "", "{}"])
def test_a_folder_that_has_lost_its_identity_goes_on(study, tmp_path, finished, content):
    shutil.copytree(finished, tmp_path / "out")
    path = tmp_path / "out" / "study.json"
    path.unlink() if content is None else path.write_text(content)
    told = []
    assert run_study(study, tmp_path / "out", jobs=1, notice=told.append).computed == 0
    assert told == [f"{tmp_path / 'out'} has lost its study.json, which is written anew"]
    assert path.read_bytes() == (finished / "study.json").read_bytes()
    path.unlink()
    study.write_text(STUDY.replace("seed = 1", "seed = 2"))
    with pytest.raises(InputError, match=r"has lost its study\.json, and holds 4 runs that this study does not name"):
        run_study(study, tmp_path / "out", jobs=1)
    (tmp_path / "out" / "thesis.tex").write_text("")
    with pytest.raises(InputError, match="exists and is not a results folder"):
        run_study(study, tmp_path / "out", jobs=1, mode="overwrite")


def test_a_study_that_appears_while_a_folder_is_looked_at(study, tmp_path, finished, monkeypatch):
    """Shards of a job array start in the same empty folder."""
    out, answers = tmp_path / "out", [{}, {}]
    original = Store.identity
    out.mkdir()
    shutil.copy(finished / "study.json", out)
    monkeypatch.setattr(Store, "identity", lambda store: answers.pop() if answers else original(store))
    Store(out).prepare()
    assert not answers


@pytest.fixture
def bad_page(tmp_path, finished):
    """A results folder whose table of runs, or of snapshots, is damaged in one column, which is not that of the ids."""

    def of(name, column):
        folder = tmp_path / f"bad-{name}"
        shutil.copytree(finished, folder)
        path = folder / f"{name}.parquet"
        group = pq.ParquetFile(path).metadata.row_group(0)
        places = {group.column(k).path_in_schema: group.column(k) for k in range(group.num_columns)}
        content, at = bytearray(path.read_bytes()), places[column]
        start = at.dictionary_page_offset or at.data_page_offset
        content[start + at.total_compressed_size - 3] ^= 0xFF
        path.write_bytes(content)
        with pytest.raises(InputError, match=f"{name}.parquet is damaged"):
            Store.open(folder).table(name)
        return folder

    return of


def test_a_damaged_column_does_not_stop_what_puts_it_right(study, tmp_path, finished, bad_page):
    folder, told = bad_page("curves", "cos_l2"), []
    assert collect([finished, folder], tmp_path / "all", told.append).missing == 0
    assert len(told) == 1 and told[0].endswith("; its runs are left out")
    assert collect([folder], tmp_path / "none", told.append).missing == RUNS
    folder = bad_page("runs", "data_digest")
    study.write_text(STUDY.replace("seed = 1", "seed = 2"))
    with pytest.raises(InputError, match="another version of this study"):
        run_study(study, folder, jobs=1)
    study.write_text(STUDY)
    assert run_study(study, folder, jobs=1).computed == RUNS
    assert_as_but_corrupt(folder, finished)


def assert_as_but_corrupt(folder, finished):
    (corrupt,) = folder.glob("*.corrupt")
    corrupt.unlink()
    assert_as(folder, finished)


def test_rows_beside_the_tables_do_not_come_back_when_they_are_named_again(study, tmp_path, finished, flaky):
    out = tmp_path / "out"
    flaky(True)
    run_study(study, out, jobs=1)
    flaky(False)
    study.write_text(STUDY.replace("steps = 30", "steps = 20"))
    run_study(study, out, jobs=1, mode="extend")
    study.write_text(STUDY)
    run_study(study, out, jobs=1, mode="extend")
    run_study(study, out, jobs=1, retry=True)
    assert statuses(out) == {"ok": RUNS} and len(pq.read_table(out / "unused.runs.parquet")) == RUNS
    (out / "runs.parquet").write_bytes(b"")
    assert run_study(study, out, jobs=1).computed == RUNS
    assert set(ib.load_runs(out)["status"]) == {"ok"}
    assert compaction.tables(out).curves.read_bytes() == (finished / "curves.parquet").read_bytes()


def kill(task, *args):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_single_task_that_is_tried_again_kills_no_more_than_a_worker(study, tmp_path, flaky, monkeypatch):
    flaky(True)
    settings = ["grid.batch=1", "grid.optimizer=sgd", "grid.data=a"]
    assert run_study(study, tmp_path / "out", jobs=2, settings=settings).computed == 1
    monkeypatch.setattr(running, "execute", kill)
    run_study(study, tmp_path / "out", jobs=2, settings=settings, retry=True)
    (row,) = ib.load_runs(tmp_path / "out").itertuples()
    assert row.status == "error" and "killed by SIGKILL" in row.message


def test_stale_rows_are_told_when_shards_are_collected(study, tmp_path, monkeypatch, capsys):
    from implicitbias import cli

    real = provenance()
    monkeypatch.setattr(rows, "provenance", lambda: real | {"source": "old"})
    run_study(study, tmp_path / "out", jobs=1, shard="1/2")
    monkeypatch.undo()
    run_study(study, tmp_path / "out", jobs=1, shard="2/2")
    monkeypatch.setattr("sys.argv", ["implicitbias", "collect", str(tmp_path / "out")])
    with pytest.raises(SystemExit, match="0"):
        cli.main()
    assert "4 of 8 runs are stale, made by source old" in " ".join(capsys.readouterr().out.split())

"""Going on with a results folder: other studies, other code, damage, a second process, a full disk."""

import os
import re
import signal
import subprocess
import sys

import pandas as pd
import pytest

import implicitbias as ib
from implicitbias.errors import InputError, NotWritten
from implicitbias.store import Store
from implicitbias.study import provenance
from implicitbias.study.plan import plan
from implicitbias.sweep.run import run_study

STUDY = """
title = "t"
[data.gaussian]
n = 4
d = 6
seed = { from = 0, to = 2 }
[optimizer.sgd]
lr = 0.1
[optimizer.signum]
lr = 0.1
[[grid]]
batch = [1, 2]
steps = 30
"""
RUNS = 3 * 2 * 2
TIMINGS = ["kernel_seconds", "measure_seconds"]
CLI = [sys.executable, "-c", "from implicitbias.cli import main; main()"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The study run without a disturbance."""
    path = tmp_path_factory.mktemp("study") / "small.toml"
    path.write_text(STUDY)
    run_study(path, path.parent / "out", jobs=1)
    return path.parent / "out"


@pytest.fixture
def study(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(STUDY)
    return path


@pytest.fixture
def run(study, tmp_path):
    """Run the study; with a text, the study as it is from then on."""

    def of(text=None, **options):
        if text is not None:
            study.write_text(text)
        return run_study(study, tmp_path / "out", jobs=1, **options)

    return of


@pytest.fixture
def other_code(monkeypatch):
    """As if other sources ran from now on."""

    def now(**made):
        monkeypatch.setattr(provenance, "provenance", lambda: real | made)
        monkeypatch.setattr("implicitbias.study.rows.provenance", lambda: real | made)

    real = provenance.provenance()
    return now


def assert_as(folder, finished):
    assert (folder / "curves.parquet").read_bytes() == (finished / "curves.parquet").read_bytes()
    left, right = (ib.load_runs(x).drop(columns=TIMINGS) for x in (folder, finished))
    pd.testing.assert_frame_equal(left, right, check_exact=True)


def said(run, *args, **options):
    with pytest.raises(InputError) as caught:
        run(*args, **options)
    (sentence,) = caught.value.mistakes
    return sentence


def call(*args, **options):
    return subprocess.run([*CLI, *map(str, args)], capture_output=True, text=True, timeout=300, **options)


def test_another_version_is_refused_with_what_differs_and_the_ways_out(run, tmp_path):
    run()
    before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    text = STUDY.replace("steps = 30", "steps = 40\nseed = [0, 1]").replace("[optimizer.signum]\nlr = 0.1\n", "")
    text = text.replace("{ from = 0, to = 2 }", "[0]")
    assert said(run, text) == (
        f"{tmp_path / 'out'} holds the results of another version of this study ('small', 12 runs): "
        'data.gaussian.seed was {"from": 0, "to": 2} and is [0]; optimizer.signum = {"lr": 0.1} is gone; '
        "grid.0.steps was 30 and is 40; grid.0.seed = [0, 1] is new; of the 12 runs on disk this study names 0 and "
        "leaves out 12, and 4 are new: --extend computes these and keeps the others, --out DIR writes elsewhere, "
        "--overwrite starts afresh"
    )
    assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_an_override_is_a_difference_too(run):
    run(settings=["grid.steps=20"])
    sentence = said(run, settings=["grid.steps=25"])
    assert "('small', 12 runs): grid.0.steps was 20 and is 25; of the 12 runs" in sentence
    assert run(settings=["grid.steps=20", "title=other"]).computed == 0  # other words, the same runs


def test_changed_words_and_claims_are_no_other_study(run, tmp_path):
    run()
    claim = "[[claim]]\nsays='a'\nsource='b'\nmeasure='cos_l2'\nat_least=0"
    text = STUDY.replace('title = "t"', 'title = "u"\nquestion = "why"') + claim
    assert run(text).computed == 0
    assert (tmp_path / "out" / "study.toml").read_text() == text


def test_a_finished_study_in_another_order_goes_on(run):
    run()
    summary = run(STUDY.replace("[1, 2]", "[2, 1]"))
    assert (summary.computed, summary.total) == (0, RUNS)


def test_changed_rows_of_a_data_file_are_named(run, tmp_path):
    data = tmp_path / "mine.csv"
    data.write_text("1.0,2.0,1\n3.0,0.5,0\n0.5,3.0,1\n")
    text = STUDY + f'[data.mine]\nkind = "file"\npath = "{data}"\n'
    run(text)
    data.write_text("1.5,2.0,1\n3.0,0.5,0\n0.5,3.0,1\n")
    assert "('small', 16 runs): the rows of data.mine are others; of the 16 runs on disk this study names 12" in said(
        run
    )


def test_extending_computes_what_is_new_and_keeps_the_rest(run, study, tmp_path, finished):
    run()
    wider = STUDY.replace("to = 2 }", "to = 3 }").replace("[1, 2]", "[2, 4]")
    assert "names 6 and leaves out 6, and 10 are new" in said(run, wider)
    summary = run(mode="extend")
    assert (summary.total, summary.computed) == (16, 10)
    out = tmp_path / "out"
    assert ib.load_runs(out)["run_id"].tolist() == [spec.run_id for spec in plan(study)[2]]
    assert (out / "study.toml").read_text() == wider and Store.open(out).identity()["runs"] == 16
    run_study(study, tmp_path / "alone", jobs=1)
    assert_as(out, tmp_path / "alone")
    assert run().computed == 0
    assert run(STUDY, mode="extend").computed == 0  # what was left out is still there
    assert_as(out, finished)


def test_an_interrupted_extension_goes_on(run, tmp_path):
    def interrupt(phase, done, total):
        if phase == "running" and done:
            raise KeyboardInterrupt

    run()
    wider = STUDY.replace("to = 2 }", "to = 3 }")
    with pytest.raises(KeyboardInterrupt):
        run(wider, mode="extend", progress=interrupt)
    run()
    assert len(ib.load_runs(tmp_path / "out")) == 16


def test_overwriting_starts_afresh_and_leaves_what_is_not_the_stores(run, tmp_path):
    run()
    notes = [tmp_path / "out" / "notes.txt", tmp_path / "out" / "parts" / "mine.parquet.txt"]
    notes[1].parent.mkdir()
    for note in notes:
        note.write_text("mine")
    summary = run(STUDY.replace("steps = 30", "steps = 40"), mode="overwrite")
    assert (summary.total, summary.computed) == (RUNS, RUNS)
    assert set(ib.load_runs(tmp_path / "out")["steps"]) == {40}
    assert [note.read_text() for note in notes] == ["mine", "mine"]
    assert not (tmp_path / "out" / "unused.runs.parquet").exists()


def test_overwriting_takes_no_folder_of_something_else(run, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years of work")
    assert "exists and is not a results folder" in said(run, mode="overwrite")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.tex"]


def test_modes_that_do_not_exist_or_go_together(run, study, tmp_path):
    assert said(run, mode="extent") == "unknown mode 'extent'; did you mean 'extend'?"
    assert said(run, mode="extend", shard="1/2").startswith("--extend does not go with --shard")
    done = call("run", study, "--out", tmp_path / "out", "--extend", "--overwrite")
    assert (done.returncode, done.stderr) == (
        2, "error: --extend keeps what is there and --overwrite removes it; give one of them\n",
    )  # fmt: skip


def test_rows_of_other_code_are_kept_and_counted_and_refreshed(run, tmp_path, other_code, finished):
    run()
    assert provenance.stale_words(ib.load_runs(tmp_path / "out")) is None
    other_code(source="feedfeedfeedfeed", libraries="python 3.11.7, numpy 9.9")
    old = provenance.source_hash()
    assert run().computed == 0
    words = provenance.stale_words(ib.load_runs(tmp_path / "out"))
    assert words.startswith(f"12 of 12 runs are stale, made by source {old} with ")
    assert "numpy 2" in words and "python" not in words.split(";")[0].replace("python 3.11.7", "")
    assert words.endswith("; they are kept, and `implicitbias run` with --refresh computes them again")

    def interrupt(phase, done, total):
        if phase == "running" and done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(refresh=True, progress=interrupt)
    runs = ib.load_runs(tmp_path / "out")
    assert len(runs) == RUNS and 0 < (runs["source"] == old).sum() < RUNS  # the others are still the old ones
    summary = run(refresh=True)
    assert summary.computed == (runs["source"] == old).sum()
    runs = ib.load_runs(tmp_path / "out")
    assert set(runs["source"]) == {"feedfeedfeedfeed"} and provenance.stale_words(runs) is None
    assert runs["run_id"].is_unique and run(refresh=True).computed == 0
    assert (tmp_path / "out" / "curves.parquet").read_bytes() == (finished / "curves.parquet").read_bytes()


def test_rows_of_several_makers_are_told_apart(other_code):
    now = provenance.provenance()
    rows = [now, now | {"source": "a"}, now | {"source": "a"}, now | {"version": "0.0"}, dict.fromkeys(now)]
    words = provenance.stale_words(pd.DataFrame(rows))
    assert words.startswith(
        "4 of 5 runs are stale, made by 2 by source a, 1 by implicitbias 0.0, 1 by implicitbias unknown"
    )


def test_failed_runs_are_tried_again_on_request(run, tmp_path, finished):
    run()
    path = tmp_path / "out" / "runs.parquet"
    table = pd.read_parquet(path)
    table.loc[[1, 5], "status"] = ["error", "timeout"]
    table.to_parquet(path)
    assert run().computed == 0
    assert run(retry=True).computed == 2
    assert_as(tmp_path / "out", finished)


@pytest.mark.parametrize("name", ["runs.parquet", "curves.parquet"])
def test_a_damaged_table_is_set_aside_and_computed_again(run, study, tmp_path, finished, name):
    run()
    path = tmp_path / "out" / name
    path.write_bytes(path.read_bytes()[:-100])
    done = call("status", tmp_path / "out")
    assert done.returncode == 0 and f"warning: {path} is damaged (" in done.stderr
    assert "0 of 12 runs done, 12 missing" in done.stdout
    notices = []
    assert run(notice=notices.append).computed == RUNS
    assert len(notices) == 1 and notices[0].startswith(f"{path} is damaged (")
    assert notices[0].endswith(f"; it is set aside as {name}.corrupt, and its runs are computed again")
    assert_as(tmp_path / "out", finished)


WAIT = """
import sys, time
from implicitbias.sweep.run import run_study
def wait(phase, done, total):
    if phase == "running" and done:
        print("writing", flush=True)
        time.sleep(300)
run_study(sys.argv[1], sys.argv[2], jobs=1, progress=wait)
"""


def test_a_second_run_is_refused_readers_are_not_and_a_killed_one_leaves_no_lock(study, run, tmp_path, finished):
    pytest.importorskip("fcntl")
    out = tmp_path / "out"
    with subprocess.Popen([sys.executable, "-c", WAIT, study, out], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "writing\n"
        second = call("run", study, "--out", out)
        assert (second.returncode, second.stdout) == (2, "")
        assert second.stderr == (
            f"error: {out} is being written by process {process.pid} on {os.uname().nodename}; wait until it ends, or "
            "choose another --out\n"
        )
        for command in ("status", "check", "report"):
            assert call(command, out).returncode == 0
        process.send_signal(signal.SIGKILL)
    (part,) = (out / "parts").glob("*.runs.parquet")
    part.write_bytes(part.read_bytes()[:1000])  # and the machine went down
    notices = []
    assert run(notice=notices.append).computed == RUNS
    assert len(notices) == 1
    assert_as(out, finished)
    assert [path.name for path in (out / "parts").iterdir()] == [f"{part.name}.corrupt"]


FULL = """
import resource, signal, sys
from implicitbias.sweep.run import run_study
run_study(sys.argv[3], sys.argv[5] + "-before", jobs=1)  # what is compiled is in the cache
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
sys.argv[1:2] = []
from implicitbias.cli import main
main()
"""


@pytest.mark.parametrize("room, what", [(40, "study.json"), (20_000, "parquet"), (105_000, "report.html")])
def test_a_full_disk_is_one_sentence_and_leaves_whole_files(study, run, tmp_path, finished, room, what):
    pytest.importorskip("resource")
    out = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(room), "run", study, "--out", out, "--jobs", "1"],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith(f"error: {out}") and f"{what} could not be written: File too large; " in sentence
    assert sentence.endswith("what is on disk already is kept, and the same command goes on from there")
    assert not list(out.rglob(".*"))
    for path in out.rglob("*.parquet"):
        pd.read_parquet(path)
    run()
    assert_as(out, finished)


def test_a_disk_that_is_full_in_the_middle_loses_nothing_that_was_done(run, tmp_path, finished, monkeypatch):
    original, written = Store._add, []

    def add(self, name, runs, curves, **options):
        if len(written) == 1:
            raise NotWritten(self.parts / name, OSError(28, "No space left on device"))
        written.append(len(runs))
        original(self, name, runs, curves, **options)

    monkeypatch.setattr(Store, "_add", add)
    with pytest.raises(NotWritten, match="No space left on device"):
        run()
    monkeypatch.undo()
    assert len(ib.load_runs(tmp_path / "out")) == written[0]
    assert run().computed == RUNS - written[0]
    assert_as(tmp_path / "out", finished)


def test_status_counts_what_is_stale_and_why_runs_failed(run, tmp_path):
    run()
    path = tmp_path / "out" / "runs.parquet"
    table = pd.read_parquet(path)
    table.loc[:4, ["status", "message"]] = ["error", "ValueError: no"]
    table.loc[7:, "source"] = "abc"
    table.drop(index=6).to_parquet(path)
    done = call("status", tmp_path / "out")
    words = " ".join(done.stdout.split())
    assert re.match(
        r"study small: 11 of 12 runs done, 1 missing ok 6 error 5 \d+ of 11 runs are stale, made by ", words
    )
    assert "source abc" in words and words.count("ValueError: no") == 1 and "slowest" in words

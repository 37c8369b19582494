"""Nothing to do is found out without a plan; what is not quite so is planned."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import implicitbias as ib
from implicitbias.sweep.run import run_study
from implicitbias.sweep.unchanged import last_words

STUDY = """
title = "t"
[data.gaussian]
n = 4
d = 6
seed = [0, 1]
[optimizer.sgd]
lr = 0.1
[[grid]]
batch = [1, 2]
steps = 50
"""


@pytest.fixture
def plans(monkeypatch):
    """How many plans were made."""
    made = []
    import implicitbias.sweep.run as module

    def counted(*given, plan=module.plan):
        made.append(given)
        return plan(*given)

    monkeypatch.setattr(module, "plan", counted)
    return made


@pytest.fixture
def done(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("s.toml").write_text(STUDY)
    run_study("s.toml", "out", jobs=1)
    return Path("out")


def test_a_finished_study_is_not_planned(done, plans):
    summary = run_study("s.toml", "out", jobs=1)
    assert (summary.total, summary.computed, plans) == (4, 0, [])


@pytest.mark.parametrize("change", [
    lambda out: Path("s.toml").write_text(STUDY.replace('"t"', '"u"')),
    lambda out: (out / "study.json").write_text((out / "study.json").read_text().replace('"plan": "', '"plan": "0')),
    lambda out: (out / "curves.parquet").unlink(),
    lambda out: (out / "runs.parquet").write_bytes(b"PAR1"),
], ids=["text", "made otherwise", "lost", "damaged"])  # fmt: skip
def test_what_has_changed_is_looked_at(done, plans, change):
    change(done)
    summary = run_study("s.toml", "out", jobs=1)
    assert len(plans) == 1 and summary.total == 4
    assert (ib.load_runs("out")["status"] == "ok").all() and len(ib.load_curves("out")["run_id"].unique()) == 4
    assert run_study("s.toml", "out", jobs=1).computed == 0 and len(plans) == 1  # from now on it is not


def test_settings_and_files_are_part_of_it(done, plans):
    with pytest.raises(ib.InputError, match="another version"):
        run_study("s.toml", "out", jobs=1, settings={"grid.steps": 60})
    for options in ({"retry": True}, {"refresh": True}, {"mode": "extend"}):
        run_study("s.toml", "out", jobs=1, **options)
    assert len(plans) == 4
    # rows of a file may change without a word in the study
    Path("x.csv").write_text("a,b,label\n1,2,1\n2,1,0\n1,3,1\n3,1,0\n")
    Path("f.toml").write_text(
        STUDY.replace("[data.gaussian]\nn = 4\nd = 6\nseed = [0, 1]", '[data.file]\npath = "x.csv"')
    )
    run_study("f.toml", "mine", jobs=1)
    Path("x.csv").write_text("a,b,label\n1,2,1\n2,1,0\n1,4,1\n3,1,0\n")
    with pytest.raises(ib.InputError):
        run_study("f.toml", "mine", jobs=1)


def test_what_was_said_is_said_again(done, call):
    first = call("run", "s.toml", "--out", "out")
    again = call("run", "s.toml", "--out", "out")
    assert again[0] == 0 and again[1].splitlines()[:-1] == first[1].splitlines()[:-1]
    assert again[1].endswith(f"report: {Path('out', 'report.html')} (nothing has changed)\n")
    assert last_words(Path("s.toml"), Path("out"), []) is not None
    assert last_words(Path("s.toml"), Path("out"), ["grid.steps=9"]) is None


@pytest.mark.parametrize("change", [
    lambda: Path("s.toml").write_text(STUDY.replace('"t"', '"u"')),
    lambda: Path("out/runs.parquet").write_bytes(b"PAR1"),
    lambda: Path("out/report.html").unlink(),
    lambda: Path("out/summary.txt").write_text("0" * 32 + " 1.0\nAll is well"),
], ids=["text", "tables", "report", "made from others"])  # fmt: skip
def test_nothing_old_is_said(done, call, change):
    call("run", "s.toml", "--out", "out")
    assert last_words(Path("s.toml"), Path("out"), []) is not None
    change()
    assert last_words(Path("s.toml"), Path("out"), []) is None


def test_saying_it_again_needs_no_kernels(done, call):
    call("run", "s.toml", "--out", "out")
    script = (
        "import sys; sys.argv = ['implicitbias', 'run', 's.toml', '--out', 'out']\n"
        "from implicitbias.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        "assert not {'numba', 'pandas', 'scipy'} & set(sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", script], env=environment).returncode == 0

"""Nothing to do is found out without a plan; what is not quite so is planned."""

from pathlib import Path

import pytest

import implicitbias as ib
from implicitbias.sweep.run import run_study

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

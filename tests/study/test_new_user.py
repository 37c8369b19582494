"""Three studies as a new user writes them from `implicitbias help study` alone: they run, and are judged."""

import shutil
from pathlib import Path

import pytest

import implicitbias as ib
from implicitbias.results import check

HERE = Path(__file__).parent / "new_user"


@pytest.mark.parametrize(
    "name, expected, figures",
    [
        ("own_csv", ["undecided"], 1),  # all runs are on their way, and at 0.99
        ("grid", ["holds", "holds"], 3),
        ("rate", ["holds", "undecided"], 2),  # the gap of GD is about 1 / log t, which 2e5 updates leave open
    ],
)
def test_a_study_of_a_new_user(name, expected, figures, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # its data are where the study file is
    shutil.copytree(HERE, tmp_path / "mine")
    done = ib.run_study(Path("mine", f"{name}.toml"), "out", jobs=2)
    runs = ib.load_runs("out")
    assert done.total == len(runs) == done.computed and (runs["status"] == "ok").all()
    verdicts = check("out")
    assert [verdict.outcome for verdict in verdicts] == expected, [verdict.detail for verdict in verdicts]
    assert all("as it should" in verdict.detail for verdict in verdicts if verdict.claim.control)
    ib.write_report("out")
    assert len(list(Path("out", "figures").glob("*.svg"))) >= figures


def test_what_is_read_of_own_data_is_said(tmp_path):
    study = ib.load_study(HERE / "own_csv.toml")
    assert [claim.source for claim in study.claim] == [""]  # one's own conjecture has none
    problem = ib.geometry.from_file(HERE / "patients.csv", drop="patient", standardize=True, intercept=True)
    assert "left out: column 'patient'" in problem.reading[0]
    assert problem.feature_names == ("age", "pressure", "marker_a", "marker_b", "intercept")

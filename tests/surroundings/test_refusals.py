"""A user's mistake: one sentence each, exit code 2, and nothing left behind."""

from pathlib import Path

import pytest
from commands import STUDY, refused
from processes import start


def test_mistakes_in_a_study_leave_nothing_behind(study, call, tmp_path):
    study.write_text(
        STUDY.replace("batch = [1, 2]", "batch = 9").replace("[optimizer.adam]", "[optimizer.adam]\nbeta1 = 1.0")
    )
    sentences = [
        "optimizer.adam: beta1 of Adam must be in [0, 1), but is 1.0",
        "batch must be an integer from 1 to n = 4",
    ]
    for command in ("run", "show"):
        refused(call(command, study), *sentences)
    refused(call("run", study, "--out", "out"), *sentences)
    refused(
        call("run", study, "--set", "grid.bach=1"), "grid.0.bach: unknown key 'bach'; did you mean 'batch'?", *sentences
    )
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.toml"]


def test_every_other_mistake_is_one_sentence(study, call, tmp_path):
    (tmp_path / "broken.toml").write_text("title = ")
    (tmp_path / "file").write_text("x")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("x")
    (tmp_path / "wide.csv").write_text("1,2,1\n1,2\n3,4,5,-1\n")
    (tmp_path / "three.csv").write_text("1,2,1\n1,2,2\n3,4,3\n")
    (tmp_path / "nan.csv").write_text("1,nan,1\n1,2,-1\n")
    (tmp_path / "no.csv").write_text("1,1\n1,-1\n")
    (tmp_path / "bad.csv").write_text("0,1\n1,1\n")
    before = sorted(map(str, tmp_path.rglob("*")))
    for command in ("run", "show", "check"):
        refused(call(command, "none.toml"), "there is no study file none.toml")
        refused(call(command, "broken.toml"), "broken.toml is not valid TOML: ")
    for command in ("status", "report", "check"):
        refused(call(command, "other"), "other holds no results of a study")
    for command in ("status", "report"):
        refused(call(command, "nowhere"), "nowhere holds no results of a study")
    refused(call("check", study), "results/tiny holds no results of a study")
    refused(call("run", study, "--jobs", 0), "jobs must be an integer >= 1, but is 0")
    refused(call("run", study, "--out", "file"), "file is a file; --out must be a directory")
    refused(call("run", study, "--out", "file/out"), "file/out cannot be written: Not a directory")
    refused(call("run", study, "--out", "other"), "other exists and is not a results folder; choose another --out")
    refused(call("margins", "none.csv"), "none.csv: no such file")
    refused(call("margins", "file"), "file: unknown extension ''; use one of .csv")
    refused(call("margins", "wide.csv"), "wide.csv: line 2 ", "wide.csv: line 3 ")
    refused(call("margins", "three.csv"), "three.csv: needs exactly two labels")
    refused(call("margins", "nan.csv"), "nan.csv: line 1")
    code, out, err = call("margins", "no.csv")  # what was read may be why
    assert code == 2 and out.startswith("no.csv: 2 rows, 1 feature; no header\n")
    refused((code, "", err), "the data are not separable: the convex combination 0.5 row 0 + 0.5 row 1 of the rows")
    refused(call("margins", "bad.csv", "--label", "kind"), "bad.csv: ")
    assert sorted(map(str, tmp_path.rglob("*"))) == before


def test_a_data_file_of_a_study_can_be_wrong_too(call, tmp_path):
    (tmp_path / "bad.csv").write_text("1,2,1\n1,2\n")
    (tmp_path / "a.toml").write_text(
        'title = "t"\noptimizer.sgd.lr = 1\n[[grid]]\nsteps = 5\n'
        '[data]\na = { kind = "file", path = "bad.csv" }\nb = { kind = "file", path = "none.csv" }\n'
    )
    refused(call("run", "a.toml"), "data.a: bad.csv: line 2", f"data.b: {tmp_path}/none.csv: no such file")
    assert not Path("results").exists()


@pytest.mark.parametrize("arguments", [["runn"], ["run"], ["run", "a.toml", "--jobs", "many"], ["check", "a", "--no"]])
def test_a_wrong_command_line_is_exit_code_two(call, arguments):
    code, _, err = call(*arguments)
    assert code == 2 and "Traceback" not in err


def test_a_mistake_in_a_process_of_its_own(tmp_path):
    child = start("run", "none.toml", cwd=tmp_path)
    out, err = child.communicate(timeout=300)
    assert (child.returncode, out, err) == (2, "", "error: there is no study file none.toml\n")

"""What the commands say of a data file: what was read, what was left out, which label is +1."""

import json
import sys
from pathlib import Path

import pytest
from report.made_up import read as read_page

from implicitbias import cli
from implicitbias.report import tables
from implicitbias.results import load_runs


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    """Call the command line in this process, in an empty folder: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def of(*arguments):
        monkeypatch.setattr(sys, "argv", ["implicitbias", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            cli.main()
            raise SystemExit(0)
        captured = capsys.readouterr()
        return end.value.code or 0, captured.out, captured.err

    return of


def squeezed(text):
    """The words, however the lines are broken."""
    return " ".join(text.split())


INDEXED = ",height,width,kind\n0,1,2,tree\n1,3,0.5,bush\n2,0.5,3,tree\n"


def test_what_was_read_is_said(call, tmp_path):
    (tmp_path / "plants.csv").write_text(INDEXED)
    sentence = "plants.csv: column [0] has no name (and holds 0, 1, 2): if it is an index, drop = 0 leaves it out"
    for command in ("margins", "predict"):
        assert call(command, "plants.csv") == (2, "", f"error: {sentence}; if not, columns = '*' keeps every column\n")
    read = (
        "plants.csv: 3 rows, 2 features ('height', 'width'); left out: column [0]; line 1 is the header label: column "
        "'kind' (the last, as none has the name of a label); +1 is 'tree' (2 rows), -1 is 'bush' (1 row) plants"
    )
    for command in ("margins", "predict"):
        for options in (["--drop", "0"], ["--columns", "height", "--columns", "width"]):
            code, out, err = call(command, "plants.csv", *options)
            assert (code, err) == (0, "") and squeezed(out).startswith(read)
    assert "u[height] = " in out and "u[width] = " in out
    code, out, _ = call("margins", "plants.csv", "--drop", "0", "--positive", "bush", "--header", "--label", "-1")
    assert code == 0 and "column 'kind' (as asked); +1 is 'bush' (1 row)" in squeezed(out)
    (tmp_path / "a.tsv").write_text("1,5\t2\t0\n-3\t-4,5\t1\n")
    code, out, _ = call("margins", "a.tsv", "--decimal", ",", "--delimiter", "tab", "--no-header")
    assert code == 0 and "tabs between cells; no header; decimal commas" in squeezed(out)
    (tmp_path / "a.svm").write_text("1 0:1\n-1 1:2\n")
    assert "indices from 0" in call("margins", "a.svm", "--zero-based")[1]
    code, out, err = call("margins", "a.svm", "--one-based")
    assert (code, out) == (2, "") and "a.svm: line 1: index 0 is out of order; indices start at 1" in err


def test_a_study_says_what_it_read(call, tmp_path):
    (tmp_path / "plants.csv").write_text(INDEXED)
    (tmp_path / "a.toml").write_text(
        'title = "t"\n[data.mine]\nkind = "file"\npath = "plants.csv"\ndrop = [0]\n[data.gaussian]\nn = 3\nd = 4\n'
        "[optimizer.sgd]\nlr = 0.1\n[[grid]]\nsteps = 5\n"
    )
    read = (
        "data mine: plants.csv: 3 rows, 2 features ('height', 'width'); left out: column [0]; line 1 is the header; "
        "label: column 'kind' (the last, as none has the name of a label); +1 is 'tree' (2 rows), -1 is 'bush' (1 row)"
    )
    for command in (["show"], ["run", "--dry-run"], ["run", "--out", "out", "--jobs", "1"]):
        code, out, _ = call(command[0], "a.toml", *command[1:])
        assert code == 0 and squeezed(out).count(read) == 1, command
    runs = load_runs("out")
    assert tables.readings(runs) == [("mine", read.removeprefix("data mine: "))]
    assert json.loads(runs["data_params"][0])["drop"] == [0]
    page = read_page(Path("out/report.html")).text
    assert "Data files" in page and read.removeprefix("data mine: ") in page
    code, out, _ = call("reproduce", runs["run_id"][0], "--in", "out")
    assert code == 0 and "bit-identical" in out

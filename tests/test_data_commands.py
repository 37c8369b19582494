"""What the commands say of a data file: what was read, what was left out, which label is +1."""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from report.made_up import read as read_page

import implicitbias as ib
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
    assert out.split("a positive one speaks for 'tree'")[1].split()[:2] == ["feature", "limit"]
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


NAMES = [f"x{j}" for j in range(12)]


@pytest.fixture
def wide(tmp_path):
    """A file of 6 rows with 12 named features, and its problem."""
    problem = ib.geometry.gaussian(n=6, d=12, seed=0)
    rows = np.column_stack([problem.rows, np.ones(6)])
    rows[::2] *= -1
    lines = [",".join([*map(repr, row[:-1].tolist()), "spam" if row[-1] > 0 else "ham"]) for row in rows]
    (tmp_path / "wide.csv").write_text("\n".join([",".join([*NAMES, "kind"]), *lines]))
    return ib.geometry.from_file(tmp_path / "wide.csv")


def entries(out):
    """The table of entries of a direction, by feature."""
    lines = out.split("a positive one speaks for 'spam'")[1].splitlines()[2:]
    cells = [line.split() for line in lines if line.startswith("x")]
    return {name: [*map(float, values)] for name, *values in cells}


@pytest.mark.parametrize("command", ["margins", "predict"])
def test_directions_have_the_names_of_the_features(call, wide, command):
    norms = ("l1", "l2", "linf")
    found = np.array([ib.max_margin(wide, norm).direction for norm in norms])
    if command == "predict":
        found = ib.predict(wide, ib.Adam()).direction[None]
    code, out, err = call(command, "wide.csv")
    assert (code, err) == (0, "")
    assert "+1 is 'spam' (3 rows), -1 is 'ham' (3 rows)" in squeezed(out)
    assert "(4 of 12 features not shown; --all shows them)" in out
    shown = entries(out)
    assert len(shown) == 8
    for name, values in shown.items():
        assert values == pytest.approx(found[:, NAMES.index(name)].tolist(), abs=1e-6)
    relative = (abs(found) / abs(found).max(axis=1, keepdims=True)).max(axis=0)
    assert list(shown) == [NAMES[j] for j in np.argsort(-relative, kind="stable")[:8]]
    code, out, _ = call(command, "wide.csv", "--all")
    assert list(entries(out)) == [NAMES[j] for j in np.argsort(-relative, kind="stable")] and "not shown" not in out


def test_directions_are_saved_to_the_last_bit(call, wide):
    code, out, _ = call("margins", "wide.csv", "--save", "u.csv")
    assert code == 0 and "directions written to u.csv" in out
    with open("u.csv", newline="") as file:
        head, *rows = csv.reader(file)
    assert head == ["feature", "l1", "l2", "linf"] and [row[0] for row in rows] == NAMES
    for k, norm in enumerate(head[1:], 1):
        assert [float(row[k]) for row in rows] == ib.max_margin(wide, norm).direction.tolist()
    assert call("predict", "wide.csv", "--save", "u.npz", "--batch", "n")[0] == 0
    with np.load("u.npz") as stored:
        assert stored["feature"].tolist() == NAMES
        assert stored["limit"].tolist() == ib.predict(wide, ib.Adam(), batch=6).direction.tolist()


def test_everything_as_json(call, wide):
    code, out, err = call("margins", "wide.csv", "--json", "--save", "u.csv")
    found = json.loads(out)
    assert (code, err, found["n"], found["d"], found["features"]) == (0, "", 6, 12, NAMES)
    assert found["labels"] == {"+1": "spam", "-1": "ham", "rows": {"+1": 3, "-1": 3}}
    for norm, facts in found["norms"].items():
        sep = ib.max_margin(wide, norm)
        assert (facts["direction"], facts["dual"]) == (sep.direction.tolist(), sep.dual.tolist())
        assert (facts["margin"], facts["gap"], facts["unique"]) == (sep.margin, sep.gap, sep.unique)
    found = json.loads(call("predict", "wide.csv", "--json", "--hyper", "beta2=0.95", "--batch", "2")[1])
    limit = ib.predict(wide, ib.Adam(beta2=0.95), batch=2)
    assert (found["direction"], found["weights"]) == (limit.direction.tolist(), limit.weights.tolist())
    assert (found["optimizer"], found["rule"], found["others"]) == ("Adam(0.9, 0.95)", limit.rule, [])
    assert found["max_margin"]["l2"]["cosine"] == pytest.approx(
        float(limit.direction @ ib.max_margin(wide).direction), abs=1e-15
    )


def test_a_full_batch_is_n_in_every_place(call, wide):
    expected = call("predict", "wide.csv", "--batch", "6")
    assert call("predict", "wide.csv", "--batch", "n") == expected and expected[0] == 0
    code, _, err = call("predict", "wide.csv", "--batch", "m")
    assert (code, err) == (2, "error: batch must be an integer from 1 to n = 6, but is 'm'\n")
    assert call("predict", "wide.csv", "--batch", "7")[2].endswith("from 1 to n = 6, but is 7\n")


def test_a_rule_outside_of_what_it_assumes_is_noted(call, wide):
    slow = ("--hyper", "beta1=0", "--hyper", "beta2=0.5")
    note = "note: the rule assumes 1/(1 - beta2) well above the 6 steps of an epoch; here it is 2: --numerical measures"
    assert note in squeezed(call("predict", "wide.csv", *slow)[1])
    assert note in json.loads(call("predict", "wide.csv", *slow, "--json")[1])["notes"][0].join(["note: ", ""])
    assert "note" not in call("predict", "wide.csv", "--hyper", "beta2=0.999")[1]
    limit = ib.predict(wide, ib.Adam(beta1=0, beta2=0.5))
    assert limit.caution.endswith('method="numerical" measures the tail map at this beta2') and limit.caution in repr(
        limit
    )
    assert ib.predict(wide, ib.Adam(beta2=0.999)).caution == ""


def test_other_rest_points_and_large_gaps_are_shown(call, wide, monkeypatch):
    from dataclasses import replace

    from implicitbias.terminal import directions

    first = ib.predict(wide, ib.Adam())
    other = replace(first, direction=ib.max_margin(wide, "l2").direction, gap=0.5)
    found = replace(first, others=(other,), gap=0.11, gap_error=0.024, error=0.01)
    monkeypatch.setattr(directions, "predict", lambda *_, **__: found)
    out = call("predict", "wide.csv")[1]
    cosine = float(first.direction @ other.direction)
    assert f"other 1: another rest point, cosine {cosine:.6f} to the limit, gap 5.0e-01" in squeezed(out)
    assert "note: the gap is 4.6 of its standard errors, so this is not yet a rest point of the tail map" in squeezed(
        out
    )
    values = entries(out)
    assert values["x3"] == pytest.approx([first.direction[3], other.direction[3]], abs=1e-6)
    monkeypatch.setattr(directions, "predict", lambda *_, **__: replace(found, gap=0.05))
    assert "standard errors" not in call("predict", "wide.csv")[1]


def test_where_directions_cannot_be_saved(call, wide, tmp_path):
    (tmp_path / "folder.csv").mkdir()
    before = (tmp_path / "wide.csv").read_bytes()
    for command in ("margins", "predict"):
        for name, words in {
            "u.txt": "--save u.txt: the directions are written as .csv or .npz",
            "wide.csv": "--save wide.csv is the data file itself; choose another name",
            "none/u.csv": "--save none/u.csv is in a folder that does not exist",
            "folder.csv": "--save folder.csv is a folder",
        }.items():
            assert call(command, "wide.csv", "--save", name) == (2, "", f"error: {words}\n")
    assert (tmp_path / "wide.csv").read_bytes() == before


def test_files_of_many_classes(call, tmp_path):
    (tmp_path / "trees.csv").write_text("height,width,kind\n1,2,oak\n3,0.5,elm\n0.5,3,ash\n")
    code, _, err = call("margins", "trees.csv")
    assert code == 2 and squeezed(err).endswith("multiclass = true makes each of them a class")
    problem = ib.geometry.from_file("trees.csv", multiclass=True)
    code, out, _ = call("margins", "trees.csv", "--multiclass", "--json", "--save", "u.csv")
    found = json.loads(out)
    assert code == 0 and found["classes"] == {"ash": 1, "elm": 1, "oak": 1}
    for norm in ("frobenius", "max", "spectral"):
        best = ib.max_margin(problem, norm)
        assert found["norms"][norm]["margin"] == best.margin
        assert found["norms"][norm]["direction"] == best.direction.tolist()
    table = pd.read_csv("u.csv", dtype=str)
    assert table["class"].tolist() == ["ash", "ash", "elm", "elm", "oak", "oak"]
    assert table["feature"].tolist() == ["height", "width"] * 3
    np.testing.assert_array_equal(
        [*map(float, table["spectral"])], ib.max_margin(problem, "spectral").direction.reshape(-1)
    )
    code, out, _ = call("predict", "trees.csv", "--multiclass", "--optimizer", "muon", "--hyper", "polar=quintic",
                        "--batch", "n", "--json", "--save", "u.npz")  # fmt: skip
    limit = ib.predict(problem, ib.Muon(polar="quintic"), batch="n")
    assert code == 0 and json.loads(out)["direction"] == limit.direction.tolist()
    np.testing.assert_array_equal(np.load("u.npz")["limit"], limit.direction)
    code, out, _ = call("margins", "trees.csv", "--multiclass")
    assert code == 0 and "3 classes" in squeezed(out) and "oak" in out
    code, _, err = call("predict", "trees.csv", "--multiclass", "--optimizer", "muon", "--hyper", "polar=cubik")
    assert code == 2 and "unknown polar 'cubik'; did you mean 'cubic'?" in squeezed(err)
    code, out, _ = call("list", "digits_classes")
    assert code == 0 and out.startswith("digits_classes(classes: ") and "->" not in out.splitlines()[0]

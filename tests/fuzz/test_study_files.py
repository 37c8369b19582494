"""Random studies, good and bad: a plan with exactly the runs that the file names, or one sentence for each mistake."""

import sys
import tomllib

import pytest
from fuzz import reread
from fuzz.grammar import places, spoilt, spoilt_bytes, studies, to_toml
from fuzz.limits import cases, deadline, refused
from hypothesis import given

from implicitbias import cli
from implicitbias.errors import InputError
from implicitbias.store import Store
from implicitbias.study.expand import make_optimizer
from implicitbias.study.plan import plan
from implicitbias.study.rows import describe
from implicitbias.sweep.run import run_study


def written(folder, tree_or_bytes):
    path = folder.getbasetemp() / "fuzzed.toml"
    data = tree_or_bytes if isinstance(tree_or_bytes, bytes) else to_toml(tree_or_bytes).encode()
    path.write_bytes(data)
    return path


def test_the_writer_of_these_studies_is_right():
    @cases(50)
    @given(studies())
    def check(tree):
        assert tomllib.loads(to_toml(tree)) == tree

    check()


def planned(folder, tree_or_bytes):
    """A study is planned as the second reading has it, or refused in sentences."""
    found, error = refused(plan, written(folder, tree_or_bytes))
    if error is None:
        study, text, runs = found
        assert study.title == tomllib.loads(text)["title"]
        compare([describe(run) for run in runs], tomllib.loads(text))
    return error


def compare(rows: list[dict], tree: dict):
    wanted = reread.runs(tree)
    found = [reread.of_row({"time": None, "lr_eta": None} | row) for row in rows]
    assert len(found) == len(set(found)) and set(found) == set(wanted)
    for key, row in zip(found, rows):
        assert (row["data"], row["optimizer"]) in wanted[key]


def run_through(folder, tree, monkeypatch):
    """Everything the command line does with a study: codes 0 or 1 for a good one, 2 for a bad one."""
    path, out = written(folder, tree), folder.mktemp("out")
    good = refused(plan, path)[1] is None
    assert call(monkeypatch, "show", path)[0] == (0 if good else 2)
    code, error = call(monkeypatch, "run", path, "--out", out, "--jobs", "1")
    assert code == (0 if good else 2), error
    if not good:
        return
    rows = Store.open(out).table("runs").to_pylist()
    compare(rows, tree)
    for row in rows:
        assert row["status"] in ("ok", "diverged", "non_finite", "not_separable", "undecided"), row["message"]
        if row["status"] == "ok":
            assert row["log_loss"] is not None and row["log_loss"] == row["log_loss"]
    assert call(monkeypatch, "check", out)[0] in (0, 1)
    assert call(monkeypatch, "status", out)[0] == 0
    assert run_study(path, out, jobs=1).computed == 0


def call(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["implicitbias", *map(str, arguments)])
    try:
        with deadline(400):  # kernels may have to be compiled first
            cli.main()
    except SystemExit as end:
        return end.code or 0, ""
    return 0, ""


@cases(40)
@given(studies())
def test_studies_of_the_grammar(tmp_path_factory, tree):
    planned(tmp_path_factory, tree)


@cases(40)
@given(spoilt())
def test_spoilt_studies(tmp_path_factory, tree):
    planned(tmp_path_factory, tree)


@cases(30)
@given(spoilt_bytes())
def test_studies_after_an_accident(tmp_path_factory, data):
    planned(tmp_path_factory, data)


@cases(3)
@given(studies())
def test_studies_from_end_to_end(tmp_path_factory, tree):
    with pytest.MonkeyPatch.context() as patch:
        run_through(tmp_path_factory, tree, patch)


@pytest.mark.long
@cases(600, shrink=False)
@given(studies())
def test_many_studies_of_the_grammar(tmp_path_factory, tree):
    planned(tmp_path_factory, tree)


@pytest.mark.long
@cases(700, shrink=False)
@given(spoilt())
def test_many_spoilt_studies(tmp_path_factory, tree):
    planned(tmp_path_factory, tree)


@pytest.mark.long
@cases(300, shrink=False)
@given(spoilt_bytes())
def test_many_studies_after_an_accident(tmp_path_factory, data):
    planned(tmp_path_factory, data)


@pytest.mark.long
@cases(60, shrink=False)
@given(studies())
def test_many_studies_from_end_to_end(tmp_path_factory, tree):
    with pytest.MonkeyPatch.context() as patch:
        run_through(tmp_path_factory, tree, patch)


GOOD = 'title = "t"\n[data.gaussian]\nn = 4\nd = 6\n[optimizer.sgd]\nlr = 0.1\n[[grid]]\nsteps = 5\n'


@pytest.mark.parametrize(
    "old, new, sentence",
    [
        ("lr = 0.1", "lr = 1" + "0" * 400, "optimizer.sgd.lr must be an integer of 64 bits"),
        ("lr = 0.1", "lr = 1" + "0" * 5000, "is not valid TOML: Exceeds the limit"),
        ("n = 4", "n = 0x" + "f" * 9000, "data.gaussian.n must be an integer of 64 bits"),
        ("n = 4", "n = " + "[" * 5000 + "]" * 5000, "lists or tables more than 20 deep"),
        ("n = 4", "n = " + "[" * 90 + "]" * 90, "is more than 20 lists or tables deep"),
        ("title", ".".join("a" * 10**5) + " = 1\ntitle", "a key of more than 100 parts"),
        ("n = 4", "n = { from = 0, to = 1_000_000_000_000 }", "is a range from 0 to 1000000000000; the longest has"),
        ("n = 4", "n = 4\nseed = { from = 0, to = 999_000 }", "has 999001 combinations of its axes; the most are"),
        ("steps = 5", "steps = 5\nseed = { from = 0, to = 999_998 }\nper_octave = { from = 1, to = 900 }", "has 8999"),
        ("steps = 5", "steps = 5\nbatch = { from = 5, to = 999_999 }", "the search for mistakes ended here"),
        ("lr = 0.1", "advance = 1", "unknown hyper-parameter 'advance'"),
        ("gaussian]\nn = 4\nd = 6", f"shifted_diagonal]\ndiagonal = {[1] * 10**5}", "at most 16384 numbers"),
        ("title", "# " + "x" * 2**20 + "\ntitle", "has more than 1048576 bytes"),
        ("steps = 5", 'steps = 5\n"a\\nb\\u001b[31m" = 1', "grid.0.a\\nb\\x1b[31m: unknown key"),
    ],
)
def test_what_cannot_be_a_study_is_refused_at_once(tmp_path, old, new, sentence):
    assert GOOD.count(old) == 1
    path = tmp_path / "study.toml"
    path.write_text(GOOD.replace(old, new))
    with deadline(20), pytest.raises(InputError) as caught:
        plan(path)
    assert any(sentence in mistake for mistake in caught.value.mistakes), caught.value.mistakes[:3]


@pytest.mark.parametrize("value", ["0x" + "f" * 9000, "1" + "0" * 400, "1" * 9000, "[" * 5000, "nan", "'x'", ""])
def test_hyper_parameters_of_the_command_line(value):
    assert refused(make_optimizer, "adam", [f"eps={value}"])[1].mistakes


@pytest.mark.parametrize("name", ["nu\0ll.toml", "/dev/zero", "/"])
def test_what_is_no_file_is_refused_at_once(name):
    assert refused(plan, name)[1].mistakes


def test_a_byte_order_mark_and_line_ends_do_not_matter(tmp_path):
    path, other = tmp_path / "a.toml", tmp_path / "b.toml"
    path.write_text(GOOD)
    other.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert plan(path) == plan(other)


def test_the_grammar_reaches_every_key():
    seen = set()

    @cases(200)
    @given(studies())
    def collect(tree):
        seen.update(path[-1] for path in places(tree) if isinstance(path[-1], str))

    collect()
    assert {"batch", "order", "lr", "until_log_loss", "remainder", "per_octave", "time", "zip", "from", "against",
            "across", "octaves", "law", "where", "eta", "momentum", "diagonal"} - seen <= {"diagonal"}  # fmt: skip

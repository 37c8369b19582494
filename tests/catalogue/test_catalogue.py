"""`check --all`: every study is run or resumed, and every claim ends in the tables and on a page of its own."""

import csv
import html
import shlex
from pathlib import Path

import pytest
from commands import refused
from report.made_up import Page

import implicitbias as ib
from implicitbias.errors import InputError

STUDY = """
title = "Where does {name} go?"
question = "Where?"
sources = ["Someone 2025, arXiv:1710.10345"]
quick = ["grid.steps=64", "data.gaussian.seed=0"]
data.gaussian = {{ n = 4, d = 6, seed = {{ from = 0, to = 2 }} }}
optimizer.{name} = {{ lr = 0.1 }}
grid = [{{ steps = {steps}, batch = ["n", 1] }}]

[[claim]]
says = "It goes | to l2"
source = "arXiv:1710.10345, Theorem 3"
standing = "theorem"
measure = "cos_l2"
where = {{ optimizer = "{name}", batch = "n" }}
at_least = {bound}
limit = false
remark = "a remark"
control = {{ where = {{ batch = 1 }}, says = "one row" }}
"""


@pytest.fixture
def studies(tmp_path):
    (tmp_path / "studies").mkdir()
    for name, bound in (("sgd", 0.5), ("signum", 0.9999999)):
        text = STUDY.format(name=name, steps=256, bound=bound)
        (tmp_path / "studies" / f"{name}.toml").write_text(text)
    return tmp_path / "studies"


def rows_of(folder):
    with open(folder / "claims.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_all_studies_become_one_table_and_a_page_a_claim(call, studies):
    code, out, err = call("check", "--all", studies, "--out", "r", "--jobs", 1)
    assert code == 1  # one claim fails
    assert "2 claims: 1 holds, 1 fails, 0 undecided" in out and "sgd: 6 runs, 6 computed now" in err
    rows = rows_of(Path("r"))
    assert [(row["study"], row["claim"], row["verdict"]) for row in rows] == [
        ("sgd", "1", "holds"),
        ("signum", "1", "fails"),
    ]
    assert rows[0]["standing"] == "theorem" and rows[0]["remark"] == "a remark"
    assert rows[0]["measured"].startswith("worst cos_l2 0.") and rows[0]["measured"].endswith("of 3 runs")
    assert rows[0]["control"].startswith(("holds: worst cos_l2 0.", "fails: worst cos_l2 0."))
    page = Path("r/claims.md").read_text(encoding="utf-8")
    assert "| `sgd` | It goes / to l2 | arXiv:1710.10345, Theorem 3, theorem | holds |" in page
    index = Page(Path("r/index.html").read_text(encoding="utf-8"))
    for name in ("sgd", "signum"):
        assert f"{name}/claims/1.html" in index.links
        report = Page(Path(f"r/{name}/report.html").read_text(encoding="utf-8"))
        assert "claims/1.html" in report.links
        claim = Page(Path(f"r/{name}/claims/1.html").read_text(encoding="utf-8"))
        runs = ib.load_runs(f"r/{name}", where={"batch": 4})
        for words in ("It goes | to l2", "a theorem", "cos_l2 >=", "one row: the same", f"Where does {name} go?",
                      "a remark", "3 of the data", f"run {name}.toml --out r/{name}", *runs["run_id"]):  # fmt: skip
            assert words in claim.text, words
        assert "https://arxiv.org/abs/1710.10345" in claim.links
        for link in claim.links:
            target = (Path(f"r/{name}/claims") / link.partition("#")[0]).resolve()
            assert link.startswith("https://") or target.exists(), link
    # again: nothing is computed anew
    code, _, err = call("check", "--all", studies, "--out", "r", "--jobs", 1)
    assert code == 1 and "sgd: 6 runs, 0 computed now" in err


def test_a_quick_look_has_the_settings_of_the_studies_and_says_so(call, studies, tmp_path):
    found = ib.check_all(studies, tmp_path / "q", quick=True, jobs=1)
    assert found.mistakes == [] and len(found.rows) == 2
    runs = ib.load_runs(tmp_path / "q" / "sgd")
    assert set(runs["steps"]) == {64} and set(runs["data_seed"]) == {0}
    _, out, _ = call("check", "--all", studies, "--out", tmp_path / "q", "--quick", "--jobs", 1)
    assert "a quick look: the verdicts are about shorter runs" in out
    detail = ib.check(tmp_path / "q" / "sgd")[0].detail
    assert "at another horizon than the study's, grid.steps=64" in detail


def test_a_study_that_cannot_be_run_stops_no_other(call, studies):
    (studies / "bad.toml").write_text("title = 1")
    (studies / "odd.toml").write_text(STUDY.format(name="adam", steps=256, bound=0.5).replace("cos_l2", "cos_l9"))
    out = call("check", "--all", studies, "--out", "r", "--jobs", 1)
    assert out[0] == 2 and "2 claims" in out[1]
    assert "error: bad: bad.toml: title must be a valid string, not 1" in out[2]
    assert "error: odd: claim.0.measure: unknown measure 'cos_l9'" in out[2]


def test_a_folder_with_another_study_is_kept(studies, tmp_path):
    ib.check_all(studies, tmp_path / "r", jobs=1)
    (studies / "sgd.toml").write_text(STUDY.format(name="sgd", steps=128, bound=0.5))
    found = ib.check_all(studies, tmp_path / "r", jobs=1)
    assert [row["study"] for row in found.rows] == ["signum"]
    assert any("sgd" in mistake for mistake in found.mistakes)
    assert set(ib.load_runs(tmp_path / "r" / "sgd")["steps"]) == {256}


def test_mistakes_have_their_sentences(call, tmp_path):
    refused(call("check"), "check needs a study or a results folder, or --all for every study")
    refused(call("check", "r", "--quick"), "--quick and --jobs go with --all")
    refused(call("check", "--all", "nowhere"), "nowhere is no folder of study files")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty holds no study files"):
        ib.check_all(tmp_path / "empty")
    refused(call("check", "--all", "--jobs", 0), "jobs must be an integer >= 1, but is 0")
    for jobs in (0, -1, True, 1.5, "2"):
        with pytest.raises(InputError, match="jobs must be an integer >= 1, but is"):
            ib.check_all(tmp_path, jobs=jobs)


def test_the_commands_of_a_page_work_as_written(call, studies, tmp_path):
    """From where `check --all` ran; a quick look has its settings and its folder."""
    call("check", "--all", "--quick", "--jobs", 1)  # the studies of ./studies
    page = Path("results/quick/sgd/claims/1.html").read_text(encoding="utf-8")
    lines = html.unescape(page.split("<pre>")[1].split("</pre>")[0]).strip().splitlines()
    assert len(lines) == 3 and "--set" in lines[0] and "--out results/quick/sgd" in lines[0]
    run, check, again = (shlex.split(line)[1:] for line in lines)
    run[1] = run[1] if Path(run[1]).exists() else f"studies/{run[1]}"  # a study of one's own may be anywhere
    assert call(*run)[0] == 0 and call(*again)[0] == 0
    assert "It goes" in call(*check)[1]


def test_what_cannot_be_written_is_told(call, studies):
    call("check", "--all", studies, "--out", "r", "--jobs", 1)
    Path("r/index.html").unlink()
    Path("r/index.html").mkdir()
    code, _, err = call("check", "--all", studies, "--out", "r", "--jobs", 1)
    assert code == 2 and "r/index.html cannot be written" in err


def test_a_results_folder_with_claim_pages_can_be_repaired(call, studies):
    call("check", "--all", studies, "--out", "r", "--jobs", 1)
    Path("r/sgd/study.json").write_text("garbage")
    code, _, err = call("run", studies / "sgd.toml", "--out", "r/sgd", "--jobs", 1)
    assert code == 0 and "0 computed" not in err
    assert len(ib.load_runs("r/sgd")) == 6


def test_a_study_without_quick_settings_is_told_and_words_stay_apart(call, studies):
    path = studies / "sgd.toml"
    text = path.read_text().replace("quick =", "norms = ['l2']\n#")
    path.write_text(text.replace('"a remark"', '"first\\nsecond <b>"'))
    err = call("check", "--all", studies, "--out", "r", "--quick", "--jobs", 1)[2]
    assert "sgd: has no settings for a quick look, so it runs in full" in err
    assert rows_of(Path("r"))[0]["remark"] == "first\nsecond <b>"
    assert "first second &lt;b>" in Path("r/claims.md").read_text(encoding="utf-8")

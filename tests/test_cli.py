"""The command line as a user meets it: what it prints, how it exits, and what it leaves behind."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from commands import STUDY, refused, squeezed
from processes import start

from implicitbias.geometry import FAMILIES
from implicitbias.optimizers import OPTIMIZERS
from implicitbias.results import load_runs

FALSE = """
[[claim]]
says = "It is there already"
source = "nobody"
measure = "cos_l2"
at_least = 1
limit = false
"""


@pytest.fixture
def results(study, call, no_report):
    assert call("run", study, "--jobs", 1)[0] == 0
    return Path("results/tiny")


def test_the_whole_way_in_a_process_of_its_own(study, tmp_path):
    child = start("run", study, "--out", "out", "--jobs", "2", cwd=tmp_path)
    out, err = child.communicate(timeout=600)
    assert child.returncode == 0, err
    assert "Traceback" not in err and "Warning" not in err
    said = squeezed(out)
    assert "cos_l2, mean over seeds" in said
    assert "holds It goes [somewhere] (arXiv:0000.00000) cos_l2 >= 0.1; measured 0." in said
    assert "undecided It is a miracle (nobody) residual >= 0.1 (4 runs; none of the 4 runs has the measure)" in said
    assert "8 runs: 8 ok; 8 computed now, 0 kept" in said
    assert "on 2 worker(s)" in said and "million updates per kernel second" in said
    assert f"report: {Path('out', 'report.html')} (" in said
    assert "gaussian" in (tmp_path / "out" / "report.html").read_text()
    assert not list((tmp_path / "out").rglob(".*"))


def test_run_shows_means_over_seeds(results, call, study):
    code, out, _ = call("run", study)
    runs = load_runs(results)
    assert code == 0
    for name, group in runs.groupby("optimizer"):
        cells = [f"{b['cos_l2'].mean():.5g}" for _, b in group.groupby("batch")]
        assert " ".join([name, *cells]) in squeezed(out)
    assert "8 runs: 8 ok; 0 computed now, 8 kept" in squeezed(out)


def test_run_takes_settings_and_a_folder(study, call, no_report):
    answer = call("run", study, "--out", "here", "--jobs", 1, "--set", "grid.steps=7", "--set", "grid.batch=[1]")
    assert answer[0] == 0
    runs = load_runs("here")
    assert set(runs["steps"]) == {7} and len(runs) == 4
    assert not Path("results").exists()
    refused(
        call("run", study, "--out", "here"), "here holds the results of another version of this study ('tiny', 4 runs)"
    )
    assert len(load_runs("here")) == 4


def test_a_study_without_a_separable_data_set_runs_to_its_end(call, no_report, tmp_path):
    (tmp_path / "no.csv").write_text("1,1\n1,-1\n")
    (tmp_path / "no.toml").write_text(
        'title = "t"\ndata.a = { kind = "file", path = "no.csv" }\noptimizer.sgd.lr = 1\n[[grid]]\nsteps = 5\n'
    )
    code, out, err = call("run", "no.toml", "--jobs", 1)
    assert (code, err) == (1, "")
    assert "no run has a result" in out and "1 runs: 1 not_separable; 1 computed now, 0 kept" in out
    said = squeezed(call("status", "results/no")[1])
    assert "study no: 1 of 1 runs done, 0 missing not_separable 1" in said
    for told in (squeezed(out), said):
        assert "the convex combination 0.5 row 0 + 0.5 row 1 of the rows is zero" in told


def test_shards_are_collected(study, call, no_report):
    code, out, err = call("run", study, "--jobs", 1, "--shard", "1/2")
    assert (code, err) == (0, "")
    assert "shard 1/2: 4 runs computed now" in squeezed(out) and "`implicitbias collect results/tiny`" in squeezed(out)
    code, out, _ = call("collect", "results/tiny")
    assert code == 1
    assert "4 of 8 runs in results/tiny 4 runs are missing: run their shards, or the study itself" in squeezed(out)
    assert call("run", study, "--jobs", 1, "--shard", "2/2")[0] == 0
    code, out, _ = call("collect", "results/tiny")
    assert code == 0 and "8 of 8 runs in results/tiny report: results/tiny/report.html (" in squeezed(out)
    refused(call("run", study, "--shard", "3/2"), "a shard is i/n with i from 1 to n, such as 1/8, not '3/2'")


def test_status_counts_runs_and_failures(results, call):
    code, out, _ = call("status", results)
    assert code == 0
    assert squeezed(out).startswith("study tiny: 8 of 8 runs done, 0 missing ok 8 slowest")
    table = pd.read_parquet(results / "runs.parquet")
    table.iloc[:5].assign(status="error", message="ValueError: [bold]no[/]").to_parquet(results / "runs.parquet")
    out = squeezed(call("status", results)[1])
    assert out.startswith("study tiny: 5 of 8 runs done, 3 missing error 5 not ended well")
    assert out.count("ValueError: [bold]no[/]") < 5 and "2 settings" in out


def test_check_says_every_verdict(results, call, study):
    for place in (results, study):
        code, out, _ = call("check", place)
        assert code == 0
        assert "holds It goes [somewhere]" in squeezed(out) and "undecided It is a miracle" in squeezed(out)
    study.write_text(STUDY + FALSE)
    code, out, err = call("check", study)
    assert (code, err) == (1, "")
    assert "fails It is there already (nobody) cos_l2 >= 1; measured 0." in squeezed(out)
    assert "(8 runs; worst: gaussian seed " in squeezed(out)
    assert call("check", results)[0] == 0  # judged by the study as it was run
    assert call("check", study, "--out", results)[0] == 1
    study.write_text(STUDY.split("[[claim]]")[0])
    assert call("check", study)[:2] == (0, "the study makes no claims\n\n")


def test_report_is_written_again(results, call):
    code, out, _ = call("report", results)
    assert code == 0 and out.startswith(f"report: {results / 'report.html'} (")


def test_list_names_studies_families_and_optimizers(study, call, tmp_path):
    (tmp_path / "broken.toml").write_text("title = ")
    code, out, _ = call("list", tmp_path)
    assert code == 0
    assert "Tiny [study]" in out and "(not a readable study file)" in out
    for name in (*FAMILIES, *OPTIMIZERS):
        assert f"\n{name} " in out
    assert "tiny.toml" not in call("list", tmp_path / "none")[1]
    (tmp_path / "empty").mkdir()
    said = call("list", tmp_path / "empty")[1]
    assert said.startswith("no study files here; `implicitbias list FOLDER` shows those of a folder")
    assert "\ngaussian " in said


def test_show_plans_and_runs_nothing(study, call, tmp_path):
    code, out, _ = call("show", study, "--set", "grid.steps=[5, 10_000_000]")
    said = squeezed(out)
    assert code == 0
    assert said.startswith("Tiny [study] Which way? A. Author 2020 runs data optimizer orders batch sizes steps runs")
    assert "gaussian SGD, lr 0.1 reshuffle 1, 2 5, 10000000 8" in said
    assert "16 runs, about " in said
    assert said.endswith("claim: It goes [somewhere] (arXiv:0000.00000) claim: It is a miracle (nobody)")
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.toml"]


ROWS = np.array([[1.0, 2.0], [3.0, 0.5], [-1.0, -4.0]])
LABELS = np.array([1, 1, -1])


def write_data(path):
    if path.suffix == ".csv":
        path.write_text("".join(f"{a},{b},{y}\n" for (a, b), y in zip(ROWS, LABELS)))
    elif path.suffix == ".npz":
        np.savez(path, X=ROWS, y=LABELS)
    elif path.suffix == ".parquet":
        pd.DataFrame({"a": ROWS[:, 0], "b": ROWS[:, 1], "label": LABELS}).to_parquet(path)
    else:
        path.write_text("".join(f"{y} 1:{a} 2:{b}\n" for (a, b), y in zip(ROWS, LABELS)))
    return path


@pytest.mark.parametrize("name", ["plants.csv", "plants.npz", "plants.parquet", "plants.libsvm"])
def test_margins_of_a_file(call, tmp_path, name):
    code, out, err = call("margins", write_data(tmp_path / name))
    assert (code, err) == (0, "")
    assert "plants, 3 rows, 2 features: certified max-margin separators" in squeezed(out)
    table = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.startswith("l")}
    # by hand: rows (1, 2) and (3, 1/2) are tight. l_inf: w = (1, 1); l2: along (3, 4)/5; l1: 3/7, 4/7
    expected = {"l1": 11 / 7, "l2": 11 / 5, "linf": 3.0}
    for norm, margin in expected.items():
        assert float(table[norm][0]) == pytest.approx(margin, rel=1e-9)
        assert float(table[norm][1]) < 1e-9


def test_margins_of_data_without_a_separator_to_show(call, tmp_path):
    (tmp_path / "no.csv").write_text("1,1\n1,-1\n")
    code, _, err = call("margins", tmp_path / "no.csv")  # what was read is said before
    refused((code, "", err), "the data are not separable: the convex combination 0.5 row 0")
    (tmp_path / "hair.csv").write_text("1,-3,0,1\n-1,3,8.673617379884035e-19,1\n-1,0,1,-1\n")
    code, _, err = call("margins", tmp_path / "hair.csv")
    refused((code, "", err), "separability is undecided at this precision")


def test_margins_takes_the_options_of_the_reader(call, tmp_path):
    (tmp_path / "a.csv").write_text("kind,x,y\nbush,1,2\ntree,-3,-4\ntree,-1,-3\n")
    code, out, _ = call(
        "margins", "a.csv", "--label", "kind", "--positive", "bush", "--standardize", "--intercept"
    )  # fmt: skip
    assert code == 0 and "a, 3 rows, 3 features" in out


@pytest.mark.parametrize("label", ["2", "-1", "1"])
def test_a_label_column_may_be_an_index(call, tmp_path, label):
    """A first line of numbers is a row, not a header, whatever is asked for."""
    (tmp_path / "a.csv").write_text("1,2,2\n-1,-2,-2\n3,2,2\n-2,-2,-2\n")
    code, out, _ = call("margins", "a.csv", "--label", label)
    assert code == 0 and "a, 4 rows, 2 features" in out


def test_one_optimizer_is_predicted(call, tmp_path):
    write_data(tmp_path / "plants.csv")
    sentence = ": one optimizer with one value of each hyper-parameter is predicted"
    given = ["--hyper", "beta2=[0.9, 0.95]", "--hyper", "lr=0.1", "--hyper", "zip=1", "--hyper", "beta3=1"]
    refused(
        call("predict", "plants.csv", *given),
        *(f"--hyper {name}{sentence}" for name in ("beta2", "lr", "zip")), "unknown hyper-parameter 'beta3'",
    )  # fmt: skip


def test_runs_that_differ_in_more_than_seeds_are_not_averaged(study, call, no_report):
    code, out, _ = call("run", study, "--set", "optimizer.adam.lr=[0.1, 0.001]", "--set", "data.gaussian.d=[6, 8]")
    said = squeezed(out)
    assert code == 0
    assert "d optimizer lr_eta batch 1 batch 2" in said
    for row in ("6 sgd 0.1", "8 sgd 0.1", "6 adam 0.1", "6 adam 0.001", "8 adam 0.1", "8 adam 0.001"):
        assert f"{row} 0." in said


def test_the_rate_is_that_of_the_runs_computed_now(study, tmp_path, monkeypatch):
    from implicitbias.sweep.run import run_study

    monkeypatch.chdir(tmp_path)
    run_study(study, "out", jobs=1)
    again = run_study(study, "out", jobs=1, settings=["grid.steps=3000"], mode="extend")
    runs = load_runs("out")
    assert again.rate == pytest.approx(runs["step"].sum() / runs["kernel_seconds"].sum())
    assert run_study(study, "out", jobs=1, settings=["grid.steps=3000"]).rate == 0.0


def test_the_progress_bar(monkeypatch):
    from rich.console import Console

    from implicitbias.terminal import screen

    drawn = io.StringIO()
    monkeypatch.setattr(screen, "Console", lambda stderr: Console(file=drawn, force_terminal=True, width=100))
    with screen.progress() as update:
        update("compiling adam", 0, 2)
        update("running", 0, 4)
        update("running", 3, 4)
    assert all(words in drawn.getvalue() for words in ("running", "3/4"))

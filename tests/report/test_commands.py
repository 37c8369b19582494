"""`plot`, `report`, `export`, `compare` and `ib.plot` as a user meets them: what they write, and their sentences."""

import json

import pandas as pd
import pytest
from commands import refused, squeezed
from report.made_up import STUDY, folder, read, tables

import implicitbias as ib
from implicitbias.errors import InputError
from implicitbias.results import load_runs

CLAIM = """
[[claim]]
says = "It is so"
source = "s"
measure = "cos_l2"
at_least = %g
limit = false
"""


@pytest.fixture
def results(tmp_path):
    return folder(tmp_path, *tables(orders=("cyclic", "reshuffle")), text=STUDY + CLAIM % 0)


# -- plot -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["fig.pdf", "fig.svg", "fig.png"])
def test_plot_writes_what_its_name_says(call, results, name):
    code, out, err = call("plot", results, "x=batch", "y=cos_linf", "hue=label", "col=order", "--out", name)
    assert (code, out, err) == (0, f"figure: {name}\n", "")
    with open(name, "rb") as file:
        assert file.read(5) in (b"%PDF-", b"<?xml", b"\x89PNG\r")


def test_plot_has_a_speaking_name_and_says_what_it_does_not_tell_apart(call, results):
    code, out, err = call("plot", results, "x=batch", "y=cos_linf", "--where", "order=cyclic", "--width", "column")
    assert (code, squeezed(out)) == (0, f"figure: {results}/figures/cos_linf_against_batch.pdf")
    assert err == "" or "not told apart" in err
    code, out, err = call("plot", results, "x=batch", "y=cos_linf,cos_l2", "hue=label")
    assert code == 0 and "note: not told apart: order" in err


def test_every_mistake_of_a_plot_has_its_sentence(call, results):
    refused(
        call("plot", results, "x=bach", "y=inc_cos_lnf", "hu=label", "batch", "--out", "a.jpg", "--where", "oder=x"),
        "hu=label: unknown role 'hu'; did you mean 'hue'?", "plot takes role=column, such as x=batch y=inc_cos_linf",
        "a.jpg: unknown kind of picture 'jpg'; did you mean 'png'?", "y: unknown column 'inc_cos_lnf'; did you mean",
        "x: unknown column 'bach'; did you mean 'batch'?", "where: unknown column 'oder'; did you mean 'order'?",
    )  # fmt: skip
    refused(call("plot", results, "x=batch"), "plot needs a measure, such as y=inc_cos_linf")
    refused(call("plot", results, "y=cos_l2", "mark=bar"), "mark must be 'point', 'line', 'scatter', 'path' or 'heat'")
    refused(call("plot", results, "y=cos_l2", "--width", "wide"), "unknown width 'wide'; use one of 'column', 'page'")
    refused(call("plot", results, "y=cos_l2", "--where", "order=x"), "no run that ended ok matches the figure's where")
    refused(call("plot", results, "x=step", "y=distance_l2"), "'distance_l2' is known at the end of runs")
    refused(call("plot", results, "x=batch", "y=cos_l2 - cos_l1 - 1"), "y must be a column or the difference of two")
    refused(call("plot", "nowhere", "y=cos_l2"), "nowhere holds no results of a study")
    refused(call("plot", results, "y=cos_l2", "hue=data.alpha"), "these runs have no 'data.alpha'")


def test_plot_from_python(results, tmp_path):
    figure = ib.plot(results, x="batch", y=["cos_l2", "cos_linf"], hue="label", col="order")
    assert len(figure.axes) == 4
    assert [axes.get_title() for axes in figure.axes][:2] == ["cyclic", "reshuffle"]
    along = ib.plot(results, x="step", y="ratio_l2", hue="batch", col="label", row="order", where={"batch": [1, 2]})
    assert len(along.axes) == 4 and along.axes[0].get_xscale() == "log"
    runs = load_runs(results)
    points = ib.plot(runs, x="cos_l2", y="cos_linf", hue="label", out=tmp_path / "a.svg")
    assert sum(len(line.get_xdata()) for line in points.axes[0].lines if line.get_marker() != "None") == len(runs)
    expected = runs[(runs["label"] == "SGD") & (runs["order"] == "cyclic")].groupby("batch")["cos_l2"].median()
    one = ib.plot(runs, x="batch", y="cos_l2", where={"label": "SGD", "order": "cyclic"})
    assert one.axes[0].lines[-1].get_ydata().tolist() == pytest.approx(expected.tolist(), rel=1e-12)
    heat = ib.plot(results, x="batch", y="cos_l2", hue="data_seed", mark="heat", where={"label": "SGD"})
    assert len(heat.axes) == 2  # with its scale
    with pytest.raises(InputError, match="a table of runs has no snapshots"):
        ib.plot(runs, x="step", y="cos_l2")
    with pytest.raises(InputError, match="takes a results folder, a table of runs"):
        ib.plot(pd.DataFrame({"a": [1]}), y="cos_l2")


def test_runs_plot_themselves(tmp_path):
    problem = ib.geometry.gaussian(n=4, d=6, seed=0)
    sgd = ib.simulate(problem, ib.SGD(), lr=0.1, batch=1, steps=64)
    figure = sgd.plot(out=tmp_path / "run.pdf")
    lines = figure.axes[0].lines
    assert len(figure.axes) == 1 and len(lines) == 2 and (tmp_path / "run.pdf").is_file()
    assert lines[0].get_ydata().tolist() == pytest.approx(sgd.curve["cos_l2"].tolist())
    flow = ib.simulate(problem, ib.GradientFlow(), time=100.0)
    assert flow.plot("angle_l2").axes[0].get_xlabel().startswith("sum of the steps")
    both = ib.plot([sgd, flow], x="sum_lr", y="angle_l2", hue="method")
    assert len(both.axes[0].lines) == 2


def test_figures_of_a_study_file_are_checked_with_the_rest(call, study):
    study.write_text(
        study.read_text() + '[[figure]]\ny = "cos_l3"\nhu = "label"\n[[figure]]\nx = "oder"\ny = "cos_l2"\n'
    )
    refused(
        call("show", study), "figure.0.hu: unknown key 'hu'; did you mean 'hue'?",
        "figure.0.y: unknown column 'cos_l3'; did you mean", "figure.1.x: unknown column 'oder'; did you mean 'order'?",
    )  # fmt: skip


# -- report, export, compare ------------------------------------------------------------------------------------------


def test_a_report_is_made_again_only_if_something_changed(call, results):
    assert "s)" in call("report", results)[1]
    assert call("report", results)[1] == f"report: {results / 'report.html'} (nothing has changed)\n"
    assert "nothing" not in call("report", results, "--anew")[1]
    refused(call("report"), "report needs a results folder, or --all for every folder in results")


def test_the_front_page_has_every_study(call, tmp_path):
    for name, least in (("first", 0), ("second", 2)):
        (tmp_path / "all" / name).mkdir(parents=True)
        made = folder(
            tmp_path / "all" / name, *tables(), text=STUDY.replace("A study", f"Study {name}") + CLAIM % least
        )
        made.rename(tmp_path / "all" / f"{name}-results")
        (tmp_path / "all" / name).rmdir()
    code, out, _ = call("report", "all", "--all")
    assert code == 0 and "index: all/index.html (2 studies, " in out
    page = read(tmp_path / "all" / "index.html")
    assert "Study first" in page.text and "1 holds" in page.text and "1 fails" in page.text and "It is so" in page.text
    assert {"first-results/report.html", "second-results/report.html"} <= set(page.links)
    assert len(page.pictures) == 2 and not {"script", "link"} & set(page.tags)
    assert call("report", "all", "--all")[1].count("nothing has changed") == 2
    refused(call("report", "nowhere", "--all"), "nowhere holds no results folders")


def test_export_writes_csv_and_booktabs(call, results):
    code, out, _ = call("export", results, "--csv", "--latex", "--out", "there")
    assert code == 0 and "there/results.tex" in out.split()
    runs = pd.read_csv("there/runs.csv", dtype={"cos_l2": str})  # whose own reading of numbers is off by a bit at times
    assert list(map(float, runs["cos_l2"])) == load_runs(results)["cos_l2"].tolist()  # to the last bit
    assert len(pd.read_csv("there/curves.csv")) == 6 * len(runs)
    with open("there/results.tex") as file:
        lines = file.read().splitlines()
    assert lines[1] == r"\toprule" and lines[-2] == r"\bottomrule" and lines[2].startswith("geometry & order & method")
    assert len(lines) == 6 + 12
    refused(call("export", results), "export writes --csv, --latex or --pdf; choose at least one of them")


def test_compare_finds_flipped_claims_and_moved_cells(call, tmp_path):
    runs, curves = tables(labels=("SGD",), batches=(1, 2))
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first = folder(tmp_path / "a", runs, curves, text=STUDY + CLAIM % 0)
    code, out, _ = call("compare", first, first)
    assert code == 0 and "0 claims flipped; 0 cells moved" in out
    frame = runs.to_pandas()
    moved = frame["batch"] == 2
    frame.loc[moved, "cos_l2"] = -5.0 + 0.001 * frame.loc[moved, "data_seed"]
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    import pyarrow as pa

    second = folder(tmp_path / "b", pa.Table.from_pylist(rows, runs.schema), curves, text=STUDY + CLAIM % 0)
    code, out, _ = call("compare", first, second)
    assert code == 1
    assert "claim holds -> fails: It is so" in out and "1 claims flipped; 1 cells moved" in out
    assert "standard errors): gaussian, reshuffle, SGD, batch 2" in out
    refused(call("compare", first, "nowhere"), "nowhere holds no results of a study")


def test_run_without_a_report(call, study):
    code, out, _ = call("run", study, "--jobs", 1, "--no-report", "--set", "grid.steps=5")
    assert code == 0 and "report:" not in out
    with open("results/tiny/study.json") as file:
        assert json.load(file)["study"] == "tiny"
    import os

    assert not os.path.exists("results/tiny/report.html")

"""Predicted limits in the report: ticks, scatter, table; and a page without any."""

import re

import numpy as np
import pytest
from report.made_up import folder, frames, read, tables

from implicitbias.report import arrange, write_report
from implicitbias.report.arrange import against_prediction
from implicitbias.report.draw import TICK, Key
from implicitbias.report.figures import batch_lines
from implicitbias.report.palette import Palette
from implicitbias.report.predicted import LEAST_ANGLE, compare, plots
from implicitbias.report.scatter import MAX_SVG_POINTS, Cloud, Plot, draw_scatter
from implicitbias.report.tables import (
    LINE,
    RIVALS,
    predictions,
)
from implicitbias.study.naming import label_runs


def test_ticks_of_figure_1_are_the_mean_predicted_cosines():
    runs, _ = frames(methods=("theory",))
    runs.loc[(runs["label"] == "SGD") | (runs["batch"] == 2), ["limit_cos_l2", "limit_cos_linf"]] = np.nan
    lines = batch_lines(runs, "inc_", Palette(runs))
    ticks = [line for line in lines if line.marker == TICK]
    assert len(lines) == 4 + len(ticks) and len(ticks) == 2  # none for SGD, none at b = 2
    for line, name in zip(ticks, ["limit_cos_l2", "limit_cos_linf"], strict=True):
        own = runs[(runs["label"] != "SGD") & (runs["batch"] != 2)]
        assert line.mean.tolist() == pytest.approx(own.groupby("batch")[name].mean().tolist(), rel=1e-12)
        assert line.x == pytest.approx([1, 4], rel=0.03) and not line.style


def test_the_scatter_has_one_point_a_run_with_a_prediction():
    runs, _ = frames(methods=("theory",), orders=("cyclic", "reshuffle"))
    runs.loc[0, "status"] = "diverged"
    runs.loc[1, "limit_cos_l2"] = np.nan
    ok = runs[runs["status"] == "ok"]
    (sheet,) = against_prediction(ok)
    ((_, shown),) = sheet.columns
    assert sorted(shown["run_id"]) == sorted(runs["run_id"][2:])
    drawn = plots(shown, Palette(runs))
    for plot, x, y in zip(
        drawn, ["limit_cos_l2", "limit_cos_linf", "batch"], ["inc_cos_l2", "inc_cos_linf", "inc_angle_limit"]
    ):
        points = sorted((b, a) for cloud in plot.clouds for a, b in zip(cloud.x, cloud.y, strict=True))
        expected = sorted(zip(shown[y], shown[x]))
        assert [b for b, _ in points] == [b for b, _ in expected]
        # methods stand side by side around their batch size
        assert [a for _, a in points] == pytest.approx([a for _, a in expected], rel=0.1 if x == "batch" else 1e-12)
    looks = {(cloud.colour, cloud.marker) for cloud in drawn[0].clouds}
    assert len(looks) == 4 and [plot.identity for plot in drawn] == [True, True, False]


def test_the_scatter_is_thinned_and_split(monkeypatch):
    runs, _ = frames(methods=("theory",), labels=list("abcdefghi"))
    assert [sheet.title for sheet in against_prediction(runs)] == ["part 1", "part 2"]
    monkeypatch.setattr(arrange, "MAX_POINTS", 20)
    sheets = against_prediction(runs)
    assert sum(len(part) for sheet in sheets for _, part in sheet.columns) == 20
    assert "20 of 81 runs are drawn" in sheets[0].note
    again = against_prediction(runs)
    assert all(a.columns[0][1].equals(b.columns[0][1]) for a, b in zip(sheets, again, strict=True))


@pytest.mark.parametrize("names", [("gaussian",), ("a", "b"), tuple("abcdefghijk")])
def test_one_batch_size_is_compared_by_data_set(names):
    runs, _ = frames(methods=("theory",), data=names, batches=(1,), seeds=1)
    last = plots(runs, Palette(runs))[-1]
    assert "data set" in last.xlabel and last.floor == LEAST_ANGLE
    assert {round(x) for cloud in last.clouds for x in cloud.x} == set(range(1, len(names) + 1))
    ((_, picture),) = compare(runs, Palette(runs))
    assert picture.kind == "svg"


def test_limits_of_theory_and_measured_ones_are_not_mixed():
    assert set(frames(methods=("theory",))[0]["method"]) == {"Adam(0.9, 0.95)", "SGD"}
    runs, _ = frames(methods=("theory", "numerical"), labels=("SGD",))
    assert set(runs["method"]) == {"SGD, limit theory", "SGD, limit numerical"}
    for (_, _, method, _), part in runs.groupby(LINE):
        assert set(part["limit_method"]) == {method.split()[-1]} and len(part) == 3
    # a line over batch sizes would mix them too; but "none" is no prediction that could be mixed up
    runs, _ = frames(methods=("theory",), labels=("SGD",))
    for method, count in (("numerical", 2), ("none", 1)):
        some = runs.assign(limit_method=runs["limit_method"].where(runs["batch"] > 1, method))
        assert label_runs(some)["method"].nunique() == count


def test_the_table_of_predictions():
    runs, _ = frames(methods=("theory",), orders=("cyclic", "reshuffle"))
    runs.loc[runs["label"] == "SGD", "limit_cos_l2"] = np.nan
    found = predictions(runs).set_index(LINE)
    assert len(found) == 6
    for keys, row in found.iterrows():
        part = runs.set_index(LINE).sort_index().loc[keys]
        assert (row["count"], row["rule"], row["gap"]) == (3, "rule of theory", pytest.approx(1e-9))
        assert (
            row["mean"] == pytest.approx(part["inc_cos_limit"].mean()) and row["least"] == part["inc_cos_limit"].min()
        )
        for order in RIVALS:
            own = np.nan if order == keys[1] else part[f"inc_cos_if_{order}"].mean()
            assert row[order] == pytest.approx(own, nan_ok=True)


def test_the_page_shows_predictions_only_where_there_are_any(tmp_path):
    (tmp_path / "with").mkdir()
    path = write_report(folder(tmp_path / "with", *tables(methods=("theory", "numerical"))))
    page = read(path)
    for words in ("Figure 5. Measured against predicted.", "Short horizontal ticks", "rule of numerical",
                  "SGD, limit theory", "inc_cos_limit", "if replacement"):  # fmt: skip
        assert words in page.text, words
    assert not re.search(r"\bnan\b", page.text, re.I)
    runs, curves = tables()
    page = read(write_report(folder(tmp_path, runs, curves)))
    for words in ("Figure 5", "Short horizontal ticks", "Predictions", "the mean;"):
        assert words not in page.text, words
    assert page.tags.count("img") == 4


def test_many_points_become_a_png_and_points_may_coincide():
    for count, kind in ((MAX_SVG_POINTS, "svg"), (MAX_SVG_POINTS + 1, "png")):
        ones = np.ones(count)
        plot = Plot("x", "y", [Cloud(ones, ones, "#000000")], identity=True)
        first, second = (draw_scatter([plot], [Key("k")]) for _ in range(2))
        assert first.kind == kind and first.image == second.image

"""Figures that someone asks for: columns in roles."""

import numpy as np
import pandas as pd
import pytest
from report.made_up import frames

from implicitbias.errors import InputError
from implicitbias.figures.draw import draw
from implicitbias.figures.own import own
from implicitbias.figures.table import label_runs, with_parameters
from implicitbias.measure import Measures
from implicitbias.objectives.logistic import FORM
from implicitbias.study.figures import figure_mistakes
from implicitbias.study.spec import parse_figure


def differences(**more):
    """A heat map of a difference of both signs, by batch and seed, a panel for each order."""
    runs = frames(labels=("SGD",), orders=("cyclic", "reshuffle"), seeds=3)[0].assign(n=16, cos_l1=0.0)
    runs["cos_l2"] = np.where(runs["order"] == "cyclic", runs["batch"] / 8.0, -runs["batch"] / 16.0)
    keys = {"y": "cos_l2 - cos_l1", "x": "batch", "hue": "data_seed", "col": "order", "mark": "heat"}
    return own(parse_figure(keys | more), with_parameters(label_runs(runs)), None)


def test_tables_of_colours_side_by_side_have_one_scale_that_parts_at_zero():
    figure = differences()
    first, second = (panel.heat for panel in figure.panels)
    assert [panel.title for panel in figure.panels] == ["cyclic", "reshuffle"]
    assert first.ends == second.ends == (-first.values.max(), first.values.max()) and second.values.max() < 0
    assert first.columns == ["1", "2", "4"] and first.rows == ["0", "1", "2"]
    drawn = draw(figure)
    drawn.draw_without_rendering()
    maps = {mesh.get_cmap().name for ax in drawn.axes for mesh in ax.collections if mesh.get_array() is not None}
    assert "RdBu_r" in maps
    left, right = drawn.axes[:2]
    assert left.get_ylabel() and not right.get_ylabel()
    edges = [ax.get_tightbbox().x0 for ax in drawn.axes], [ax.get_tightbbox().x1 for ax in drawn.axes]
    assert min(edges[0]) >= 0 and max(edges[1]) <= drawn.bbox.x1


def test_measures_side_by_side_are_written_with_the_largest_of_each_row_framed():
    """A norm on each column: what is told apart is the part of the labels that differs."""
    runs = frames(labels=("SGD", "Adam(0.9, 0.95)"), orders=("cyclic",), seeds=3)[0]
    for norm, of_sgd, of_adam in (("l1", 0.2, 0.3), ("l2", 0.9, 0.4), ("linf", 0.5, 0.75)):
        runs[f"ratio_{norm}"] = np.where(runs["label"] == "SGD", of_sgd, of_adam)
    keys = {"x": "measure", "hue": "label", "y": [f"ratio_{norm}" for norm in ("l1", "l2", "linf")], "mark": "heat"}
    figure = own(parse_figure(keys | {"written": True}), with_parameters(label_runs(runs)), None)
    (panel,) = figure.panels
    assert panel.heat.columns == ["ℓ₁", "ℓ₂", "ℓ∞"] and panel.heat.label == "margin γ(w)/γ" and panel.xlabel == ""
    assert dict(zip(panel.heat.rows, panel.heat.values.tolist())) == {
        "SGD": [0.2, 0.9, 0.5], "Adam(0.9, 0.95)": [0.3, 0.4, 0.75],
    }  # fmt: skip
    drawn = draw(figure)
    drawn.draw_without_rendering()
    ax = drawn.axes[0]
    assert [text.get_text() for text in ax.texts if text.get_fontweight() == "bold"] == ["0.900", "0.750"]
    assert [(box.get_x() // 1, box.get_y() // 1) for box in ax.patches] == [(1, 0), (2, 1)]
    assert ax.yaxis_inverted() and "largest of each row" in figure.caption


def test_a_heat_map_of_several_measures_tells_them_apart():
    runs = with_parameters(label_runs(frames(labels=("SGD",), orders=("cyclic",), seeds=3)[0]))
    keys = {"x": "batch", "hue": "data_seed", "y": ["ratio_l1", "ratio_l2"], "mark": "heat"}
    with pytest.raises(InputError, match='"measure" as one of the roles'):
        own(parse_figure(keys), runs, None)
    figure = own(parse_figure(keys | {"col": "measure"}), runs, None)
    assert [panel.title for panel in figure.panels] == ["ℓ₁", "ℓ₂"]


def test_marks_stand_between_the_levels_on_the_panels_they_name():
    with pytest.raises(InputError, match="marks"):
        differences(marks=[{"batch": "one"}])
    runs = frames(labels=("SGD",), orders=("cyclic",), seeds=3)[0].assign(steps=1)
    runs["n"] = np.where(runs["data_seed"] < 1, 16, 32)
    keys = {"y": "cos_l2", "x": "batch", "hue": "data_seed", "col": "n", "mark": "heat"}
    marks = [
        {"batch": 2.0**1.5, "data_seed": 1, "n": 32},
        {"batch": 1, "data_seed": 0, "n": 16},
        {"batch": 2.0**2.25, "data_seed": 2},
    ]
    figure = own(parse_figure(keys | {"marks": marks}), with_parameters(label_runs(runs)), None)
    few, many = (panel.heat.marks for panel in figure.panels)
    assert few == [(0.0, 0.0), pytest.approx((2.25, 2.0))]
    assert many == [pytest.approx((1.5, 1.0)), pytest.approx((2.25, 2.0))]


def test_a_mark_at_the_full_batch_is_there_and_one_off_the_map_is_told():
    runs = frames(labels=("SGD",), orders=("cyclic",), seeds=3)[0].assign(n=4)  # so b = 4 is all rows
    keys = {"y": "cos_l2", "x": "batch", "hue": "data_seed", "mark": "heat"}
    marks = [{"batch": 4, "data_seed": 1}, {"batch": 100, "data_seed": 1}, {"batch": 1, "data_seed": 50}]
    figure = own(parse_figure(keys | {"marks": marks}), with_parameters(label_runs(runs)), None)
    assert figure.panels[0].heat.columns[-1] == "full" and figure.panels[0].heat.marks == [(2.0, 1.0)]
    assert figure.caption.endswith("2 of 3 marks lie outside.")


@pytest.mark.parametrize("marks, mark, sentence", [
    ([{"batch": 1}], "heat", "marks.0 lacks 'data_seed'"),
    ([{"batch": 1, "data_seed": 0, "d": 4}], "heat", "marks.0 has 'd', which is no role of the figure"),
    ([{"batch": 1, "data_seed": 0}], "point", 'marks: they are drawn on a heat map, which has mark = "heat"'),
])  # fmt: skip
def test_what_is_wrong_with_marks(marks, mark, sentence):
    figure = parse_figure({"y": "cos_l2", "x": "batch", "hue": "data_seed", "mark": mark, "marks": marks})
    assert figure_mistakes({"figure.0": figure}) == [f"figure.0.{sentence}"]


# -- points ------------------------------------------------------------------------------------------------------------


def test_a_path_has_a_point_of_each_snapshot_in_the_plane_of_two_measures():
    runs, curves = frames(orders=("cyclic",), batches=(1,), seeds=2)
    curves = curves.to_pandas()
    keys = {"x": "ratio_l1", "y": "cos_l2", "hue": "label", "mark": "path"}
    figure = own(parse_figure(keys), with_parameters(label_runs(runs)), curves)
    (panel,) = figure.panels
    assert panel.xscale == "linear" and "One point a snapshot." in figure.caption
    of_label = curves.merge(runs[["run_id", "label"]], on="run_id")
    for series, label in zip(panel.series, ("Adam(0.9, 0.95)", "SGD"), strict=True):
        mine = of_label[of_label["label"] == label]
        assert series.style == "" and series.low is None and series.hollow and series.dots == 0.0
        assert sorted(zip(series.x, series.y)) == sorted(zip(mine["ratio_l1"], mine["cos_l2"]))
    assert figure_mistakes({"figure.0": parse_figure(keys)}) == []
    log = own(parse_figure(keys | {"xscale": "log", "yscale": "log"}), with_parameters(label_runs(runs)), curves)
    assert (log.panels[0].xscale, log.panels[0].yscale) == ("log", "log")


def test_many_points_are_dots_and_a_picture_within_the_figure():
    runs, curves = frames(labels=("SGD",), orders=("cyclic",), batches=(1,), seeds=2, steps=[*range(1, 601)])
    keys = {"x": "ratio_l1", "y": "cos_l2", "mark": "path"}
    (few,) = own(parse_figure(keys | {"where": {"data_seed": 0}}), with_parameters(runs), curves.to_pandas()).panels
    assert few.series[0].dots == 0.0 and len(few.series[0].x) == 600
    figure = own(parse_figure(keys), with_parameters(runs), curves.to_pandas())
    (series,) = figure.panels[0].series
    assert len(series.x) == 1200 and 1.0 < series.dots < 3.0 and not series.hollow
    (line,) = [line for line in draw(figure).axes[0].lines if len(line.get_xdata()) == 1200]
    assert line.get_rasterized() and (line.get_marker(), line.get_linestyle()) == (".", "None")
    assert line.get_markersize() == series.dots


@pytest.mark.parametrize("keys, sentence", [
    ({"x": "gamma_l2", "y": "cos_l2"}, "x: 'gamma_l2' does not vary along a run, which a line needs"),
    ({"x": "cos_l1", "y": "gamma_l2"}, "y: 'gamma_l2' is known at the end of runs, and not along them, as x asks"),
])  # fmt: skip
def test_a_path_needs_what_is_known_along_runs(keys, sentence):
    assert figure_mistakes({"figure.0": parse_figure(keys | {"mark": "path"})}) == [f"figure.0.{sentence}"]


def orbits(counts, seeds=1):
    """Runs at three step sizes, with an orbit of so many points each, or none."""
    sizes = (1.0, 2.0, 3.0)
    runs = pd.concat([frames(labels=("SGD",), orders=("cyclic",), batches=(4,), seeds=seeds)[0].assign(lr_eta=lr)
                      for lr in sizes], ignore_index=True)  # fmt: skip
    runs["run_id"] = [f"{i:016x}" for i in range(len(runs))]
    per_size = np.repeat(counts, seeds)
    found = [None if not n else (lr + np.linspace(0, 1, n)).tolist() for n, lr in zip(per_size, runs["lr_eta"])]
    return with_parameters(label_runs(runs.assign(orbit=found)))


def test_an_orbit_is_a_cloud_of_all_its_points():
    """A run that ended before it had one has no points, and counts as a run."""
    figure = own(parse_figure({"x": "lr_eta", "y": "orbit", "mark": "scatter"}), orbits((4, 2, 0)), None)
    (series,) = figure.panels[0].series
    assert series.x.tolist() == [1.0] * 4 + [2.0] * 2
    np.testing.assert_allclose(series.y, [1, 4 / 3, 5 / 3, 2, 2, 3])
    assert series.dots > 0.0 and series.style == ""
    assert figure.caption.startswith("3 runs. 4 points a run.")
    (line,) = [line for line in draw(figure).axes[0].lines if len(line.get_xdata()) == 6]
    assert line.get_rasterized() and line.get_marker() == "."


def test_of_a_cloud_too_large_to_draw_a_fixed_part_is_drawn(monkeypatch):
    monkeypatch.setattr("implicitbias.figures.own.MOST_DOTS", 1000)
    keys = {"x": "lr_eta", "y": "orbit", "mark": "scatter"}
    first, again = (own(parse_figure(keys), orbits((64, 64, 64), seeds=10), None) for _ in range(2))
    assert first.caption.endswith("1000 are drawn, chosen by a fixed seed.")
    (one,), (other,) = first.panels[0].series, again.panels[0].series
    assert len(one.x) == 1000 and (one.x == other.x).all() and (one.y == other.y).all()
    assert own(parse_figure(keys), orbits((16, 16, 16)), None).panels[0].series[0].dots > one.dots


@pytest.mark.parametrize("keys, sentence", [
    ({"y": "orbit"}, "y: 'orbit' is many points of each run, and needs mark = \"scatter\""),
    ({"y": "orbit", "mark": "heat", "hue": "data"}, "y: 'orbit' is many points of each run, and needs mark ="),
    ({"y": ["period", "orbit"], "mark": "scatter"}, "y: 'orbit' is many points of each run, and stands alone"),
    ({"y": "orbits", "mark": "scatter"}, "y: unknown column 'orbits'"),
])  # fmt: skip
def test_what_is_wrong_with_clouds(keys, sentence):
    measures = Measures.of(["orbit"], None, False, FORM.name)
    (found,) = figure_mistakes({"figure.0": parse_figure({"x": "lr_eta"} | keys)}, measures)
    assert found.startswith(f"figure.0.{sentence}")
    good = parse_figure({"x": "lr_eta", "y": "orbit", "mark": "scatter"})
    assert figure_mistakes({"figure.0": good}, measures) == []


# -- names at the ends of lines ---------------------------------------------------------------------------------------


def test_the_step_size_over_the_best_one():
    """Curves whose least values are at other step sizes come to lie on each other."""
    labels, seeds, sizes = ("SGD", "Adam(0.9, 0.95)"), 2, (0.01, 0.1, 1.0, 10.0)
    runs = pd.concat([frames(labels=labels, orders=("cyclic",), batches=(4,), seeds=seeds)[0].assign(lr_eta=lr)
                      for lr in sizes], ignore_index=True)  # fmt: skip
    best = runs["label"].eq("SGD") * 0.9 + 0.1
    best = best.mask(runs["data_seed"].eq(1) & runs["label"].ne("SGD"), 10.0)  # 1 of SGD, else .1 or 10
    runs["log_loss"] = np.log10(runs["lr_eta"] / best) ** 2
    runs["run_id"] = [f"{i:016x}" for i in range(len(runs))]
    keys = {"x": "lr_eta / best", "hue": "label", "y": ["log_loss", "ratio_l2"], "xscale": "log"}
    figure = own(parse_figure(keys), with_parameters(label_runs(runs)), None)
    first, second = figure.panels
    assert first.xlabel == "step size η over the best one" and second.ylabel != first.ylabel
    sgd, adam = sorted(first.series, key=lambda line: len(line.x))
    np.testing.assert_allclose(sgd.x, [-2, -1, 0, 1], atol=0.1)  # side by side
    np.testing.assert_allclose(sgd.y, [4, 1, 0, 1], atol=1e-9)
    np.testing.assert_allclose(adam.x, [-3, -2, -1, 0, 1, 2], atol=0.1)  # of one seed from -1, of the other to 1
    np.testing.assert_allclose(adam.y, [9, 4, 1, 0, 1, 4], atol=1e-9)
    assert "lr_eta" not in figure.caption
    assert figure_mistakes({"figure.0": parse_figure(keys)}) == []


def test_every_method_of_a_heat_map_is_named_and_levels_of_a_number_are_thinned():
    runs = frames(labels=("SGD",), orders=("cyclic",), seeds=14)[0]
    keys = {"x": "batch", "y": "cos_l2", "mark": "heat"}
    many = runs.assign(label=[f"method {seed}" for seed in runs["data_seed"]])

    def named(frame, hue):
        figure = draw(own(parse_figure(keys | {"hue": hue}), with_parameters(label_runs(frame)), None))
        return [tick.get_text() for tick in figure.axes[0].get_yticklabels()], figure.get_size_inches()[1]

    (methods, tall), (levels, low) = named(many, "label"), named(runs, "data_seed")
    assert methods == [f"method {seed}" for seed in range(14)] and len(levels) == 7 and tall > low

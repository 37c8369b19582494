"""The mechanism of figures: what varies, its roles, the panels they make, and the files they become."""

import json

import numpy as np
import pandas as pd
import pytest
from report.made_up import frames

from implicitbias.errors import InputError
from implicitbias.figures import palette
from implicitbias.figures.assemble import assemble
from implicitbias.figures.axes import Axis, axis_of, full_batches, roles, varying
from implicitbias.figures.draw import KINDS, WIDTHS, draw, image, kind_of
from implicitbias.figures.ends import ends
from implicitbias.figures.facets import Facets, columns_of, hue_of, quartiles, spread_orders, view
from implicitbias.figures.parts import Bound, Figure, Guide, Heat, Key, Panel, Series
from implicitbias.figures.table import trajectories, values, with_parameters
from implicitbias.figures.words import decades, plain


def runs_of(**options):
    return with_parameters(frames(**options)[0])


# -- what varies ------------------------------------------------------------------------------------------------------


def names(axes):
    return [axis.name for axis in axes]


def test_axes_are_what_varies_and_not_what_follows():
    runs = runs_of(orders=("cyclic", "reshuffle"), batches=(1, 2, 4), labels=("SGD",), seeds=3)
    assert names(varying(runs)) == ["batch", "order"]  # seeds are a band
    # lists that advance together are one axis, and a horizon in epochs is none
    runs["n"] = runs["batch"].map({1: 10, 2: 40, 4: 100})
    runs["d"], runs["steps"] = 2 * runs["n"], 7 * runs["n"]
    assert names(varying(runs)) == ["n", "order"]
    runs["lr_eta"] = runs["n"].map({10: 0.1, 40: 0.2, 100: 0.3})
    assert names(varying(runs)) == ["n", "order"]


def test_a_full_batch_is_a_batch_size_of_its_own_and_no_order():
    runs = runs_of(orders=("cyclic", "replacement"), batches=(1, 4), labels=("SGD",), seeds=1)
    found = full_batches(runs)  # n is 4, and a batch of 4 rows with replacement is not all rows
    assert found.loc[found["order"] == "cyclic", "batch"].tolist() == [1.0, np.inf]
    assert found.loc[found["order"] == "replacement", "batch"].tolist() == [1.0, 4.0]
    full = runs_of(orders=("full",), batches=(4,), labels=("SGD",), seeds=1)
    both = full_batches(pd.concat([runs, full.assign(run_id="f")], ignore_index=True))
    axes = {axis.name: axis for axis in varying(both)}
    assert axes["batch"].levels == (1.0, 4.0, np.inf) and axes["order"].levels == ("cyclic", "replacement")
    assert axes["batch"].text(np.inf) == "full" and axes["batch"].words(np.inf) == "full batch"
    spread = spread_orders(both, [axes["order"]])
    assert spread.loc[spread["run_id"] == "f", "order"].tolist() == ["cyclic", "replacement"]


@pytest.mark.parametrize(
    ("options", "x", "hue", "col"),
    [
        ({}, "batch", ["label"], []),
        ({"labels": ("SGD",), "orders": ("cyclic", "reshuffle")}, "batch", [], ["order"]),
        ({"batches": (1,), "orders": ("cyclic", "reshuffle"), "labels": list("abc")}, "method", [], ["order"]),
        ({"labels": ("SGD",), "data": ("a", "b")}, "batch", [], ["data"]),
    ],
)
def test_what_varies_decides_the_roles(options, x, hue, col):
    runs = runs_of(**options)
    runs["optimizer"] = runs["label"]
    found = roles(runs)
    assert (found.x.name, names(found.col)) == (x, col)
    assert names(found.hue) == (["optimizer"] if hue else [])


def test_ordered_quantities_are_x_or_a_sequential_hue():
    runs = runs_of(labels=("SGD",), batches=(1, 2, 4), seeds=4)
    runs["lr_eta"] = runs["data_seed"].map({0: 0.1, 1: 0.2, 2: 0.4, 3: 0.8})
    found = roles(runs)
    assert found.x.name == "batch" and names(found.hue) == ["lr_eta"]
    hue = hue_of(runs, found.hue, palette.methods(runs))
    light = [sum(int(hue.colour[level][k : k + 2], 16) for k in (1, 3, 5)) for level in hue.levels]
    assert hue.levels == [0.1, 0.2, 0.4, 0.8] and light == sorted(light)


def test_a_hue_is_one_that_every_run_has():
    runs = runs_of(labels=("Adam(0.9, 0.95)", "SGD"), batches=(1, 2, 4), seeds=9)
    runs["optimizer"] = runs["label"]
    adam = runs["label"] != "SGD"
    runs["beta2"] = (runs["data_seed"] % 3).map({0: 0.9, 1: 0.99, 2: 0.999}).where(adam)
    runs["lr_eta"] = (runs["data_seed"] // 3).map({0: 0.1, 1: 0.2, 2: 0.4})
    found = roles(runs)
    assert (found.x.name, names(found.hue), names(found.col)) == ("batch", ["lr_eta"], ["optimizer", "beta2"])
    _, cols = columns_of(runs, found.col)
    assert cols == ["Adam(0.9, 0.95), β₂ = 0.9", "Adam(0.9, 0.95), β₂ = 0.99", "Adam(0.9, 0.95), β₂ = 0.999", "SGD"]


def test_an_optimizer_has_the_same_colour_in_every_study():
    one = palette.methods(frames(labels=("SGD",))[0]).colour["SGD"]
    two = palette.methods(frames(labels=("Adam(0.9, 0.95)", "SGD"))[0]).colour
    assert one == two["SGD"] == palette.family("sgd").lower()
    assert two["Adam(0.9, 0.95)"] == palette.family("adam").lower()
    shades = palette.methods(frames(labels=("Adam(0.9, 0.95)", "Adam(0.9, 0.999)"))[0]).colour
    assert len(set(shades.values())) == 2
    assert not {"#000000", "#ffffff"} & set(shades.values())  # black is what is claimed


def test_places_of_levels():
    batch = Axis("batch", (1.0, 10.0, 100.0, np.inf), True).places()
    assert list(batch.values()) == pytest.approx([0.0, 1.0, 2.0, 3.0])
    kappa = Axis("kappa", (0.0, 0.01, 0.1), True).places()
    assert kappa[0.0] == pytest.approx(-3.0)  # left of the least, on a logarithmic axis
    assert Axis("n", (10, 20, 30), True).places() == {10: 10.0, 20: 20.0, 30: 30.0}
    betas = Axis("beta2", (0.9, 0.99, 0.999), True).places()
    assert list(betas.values()) == pytest.approx([1.0, 2.0, 3.0])  # by the memory 1/(1 - beta)


def test_runs_that_differ_in_their_prediction_alone_are_one_trajectory():
    runs = runs_of(methods=("numerical", "theory"))
    assert len(trajectories(runs)) == len(runs) / 2
    assert set(trajectories(runs)["limit_method"]) == {"theory"}


# -- panels -----------------------------------------------------------------------------------------------------------


def test_quartiles_against_pandas():
    random = np.random.default_rng(0)
    x, y = random.integers(0, 5, 100).astype(float), random.normal(size=100)
    expected = pd.DataFrame({"x": x, "y": y}).groupby("x")["y"].quantile([0.25, 0.5, 0.75]).unstack()
    found = quartiles(x, y)
    np.testing.assert_array_equal(found[0], expected.index)
    np.testing.assert_array_equal(found[1], pd.Series(x).value_counts().sort_index())
    np.testing.assert_allclose(np.array(found[2:]).T, expected.to_numpy())


def test_what_is_nearly_1_is_shown_as_an_angle_or_a_gap():
    frame = pd.DataFrame({"inc_cos_l2": [1 - 1e-9, 1 - 1e-7], "inc_angle_l2": np.degrees(np.sqrt([2e-9, 2e-7]))})
    found = view("inc_cos_l2", frame)
    assert (found.measure, found.scale) == ("inc_angle_l2", "log")
    assert view("ratio_l2", pd.DataFrame({"ratio_l2": [0.999, 0.9999]})).measure == "1 - ratio_l2"
    assert view("cos_l2", pd.DataFrame({"cos_l2": [0.7, 0.9]})).scale == "linear"
    assert view("inc_cos_l2", frame, "linear").measure == "inc_cos_l2"
    np.testing.assert_allclose(values("1 - inc_cos_l2", frame), [1e-9, 1e-7], rtol=1e-6)


def facets(runs, measures=("cos_l2",), **options):
    found = roles(runs)
    texts, cols = columns_of(runs, found.col)
    return Facets(
        runs, list(measures), found.x, hue_of(runs, found.hue, palette.methods(runs)), texts, cols, **options
    )  # fmt: skip


def test_a_line_is_the_median_with_its_quartiles():
    runs = runs_of(labels=("SGD",), batches=(1, 2, 4), seeds=5)
    (figure,) = assemble(facets(runs), "name", "title", "caption")
    (series,) = figure.panels[0].series
    for k, batch in enumerate((1, 2, 4)):
        expected = runs.loc[runs["batch"] == batch, "cos_l2"].quantile([0.25, 0.5, 0.75])
        assert [series.low[k], series.y[k], series.high[k]] == pytest.approx(expected.tolist(), rel=1e-12)


def test_panels_that_say_nothing_are_left_out_and_the_caption_says_so():
    runs = runs_of(orders=("cyclic", "reshuffle", "replacement"), batches=(1, 2), labels=("SGD",), seeds=1)
    runs = runs[(runs["order"] != "replacement") | (runs["batch"] == 1)]
    runs["cos_l2"] = runs["batch"] / 4.0
    (figure,) = assemble(facets(runs), "name", "title", "caption")
    assert [panel.title for panel in figure.panels] == ["cyclic, reshuffle"]
    assert "cyclic, reshuffle look the same and are drawn once" in figure.caption
    assert "replacement" in figure.caption
    assert roles(runs[runs["batch"] == 1]).x.name == "order"
    assert roles(runs[(runs["batch"] == 1) & (runs["order"] == "cyclic")]).x is None


def test_what_does_not_fit_becomes_a_figure_for_each_measure():
    runs = runs_of(orders=("a", "b", "c", "d"), batches=(1, 2), labels=("SGD",), seeds=1)
    figures = assemble(facets(runs, ("cos_l2", "cos_linf")), "name", "title", "")
    assert [figure.name for figure in figures] == ["name-cos_l2", "name-cos_linf"]
    assert all(len(figure.panels) == 4 for figure in figures)
    runs = runs_of(orders=list("abcdefghi"), batches=(1, 2), labels=("SGD",), seeds=1)
    found = roles(runs)
    assert names(found.sheet) == ["order"] and not found.col


def test_predictions_are_marks():
    runs = runs_of(methods=("theory",), labels=("SGD",), seeds=3)
    of = facets(runs, predicted=lambda measure: "limit_cos_l2")
    (figure,) = assemble(of, "name", "title", "")
    line, ticks = figure.panels[0].series
    expected = runs.groupby("batch")["limit_cos_l2"].median()
    assert (line.style, ticks.style, ticks.marker) == ("-", "", "_")
    np.testing.assert_allclose(ticks.y, expected)
    assert [key.text for key in figure.keys] == ["SGD", "predicted"]


# -- drawing ----------------------------------------------------------------------------------------------------------


def sample(panels=1, **options):
    x = np.array([1.0, 10.0, 100.0])
    line = Series(x, x, "#0072B2", x / 2, x * 2)
    made = [Panel(f"panel {k} $x$", "updates t", "words", [line], "log", "log", **options) for k in range(panels)]
    return Figure("name", "title", "caption", made, [Key("a", "#0072B2"), Key("b", "#D55E00")])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", WIDTHS)
def test_files_are_what_their_names_say_and_have_the_printed_width(kind, width):
    figure = draw(sample(4), width)
    assert figure.get_figwidth() == WIDTHS[width]
    first, second = image(figure, kind), image(draw(sample(4), width), kind)
    assert first.startswith({"pdf": b"%PDF", "svg": b"<?xml", "png": b"\x89PNG"}[kind]) and first == second


def test_text_stays_text():
    svg = image(draw(sample()), "svg").decode()
    assert ">updates t<" in svg and "8px" in svg and "Verdana" in svg
    pdf = image(draw(sample()), "pdf")
    assert b"/Type3" not in pdf and b"/CIDFontType2" in pdf  # TrueType, as journals ask


def test_drawing_leaves_matplotlib_as_it_was():
    import matplotlib

    before = dict(matplotlib.rcParams)
    image(draw(sample(2, bounds=[Bound(low=2.0)], guides=[Guide(np.ones(3), np.ones(3), "slope")])), "svg")
    assert dict(matplotlib.rcParams) == before


def test_panels_with_the_same_words_have_the_same_limits():
    first, second = sample(2).panels
    more = Series(np.array([1e4, 1e5]), np.array([1e4, 1e5]), "#D55E00")
    from dataclasses import replace

    same = draw(replace(sample(2), panels=[first, replace(second, series=[more])]))
    assert same.axes[0].get_xlim() == same.axes[1].get_xlim() and same.axes[0].get_ylim() == same.axes[1].get_ylim()
    own = draw(replace(sample(2), panels=[replace(first, own=True), replace(second, series=[more], own=True)]))
    assert own.axes[0].get_xlim() != own.axes[1].get_xlim()


def test_a_bound_is_shaded_and_a_clip_is_marked():
    figure = draw(sample(bounds=[Bound(high=20.0)], floor=1.0))
    (axes,) = figure.axes
    assert len(axes.patches) == 1
    assert [text.get_text() for text in axes.get_yticklabels()][-1] == "≤10⁰"


def test_a_legend_of_one_entry_is_a_title():
    from dataclasses import replace

    figure = draw(replace(sample(), keys=[Key("SGD, lr 0.1")]))
    assert not figure.legends and [text.get_text() for text in figure.texts] == ["SGD, lr 0.1"]


def test_ticks_are_those_a_person_writes():
    assert list(decades(1e-8, 1.0).values()) == ["10⁻⁸", "10⁻⁶", "10⁻⁴", "10⁻²", "10⁰"]
    assert list(decades(0.01, 1000.0).values()) == ["0.01", "0.1", "1", "10", "100", "1000"][::2]
    assert list(decades(1.0, 1e100).values()) == ["10⁰", "10²⁵", "10⁵⁰", "10⁷⁵", "10¹⁰⁰"]
    for low in np.geomspace(1e-12, 1e12, 60):
        for span in (1.05, 1.5, 3.0, 20.0, 1e3, 1e9):
            found = decades(low, low * span)
            assert len(found) <= 6 and all(low * (1 - 1e-9) <= tick <= low * span * (1 + 1e-9) for tick in found)


def test_plain_text_is_no_mathematics_and_has_glyphs():
    assert plain("a$b$") == r"a\$b\$"
    assert plain("名\u0007") == "??"
    assert len(plain("x" * 100, 60)) == 60


def test_extensions():
    assert kind_of("a/b.PDF") == "pdf"
    with pytest.raises(InputError, match=r"a.jpg: unknown kind of picture 'jpg'; did you mean 'png'\?"):
        kind_of("a.jpg")
    with pytest.raises(InputError, match=r"written as .pdf, .svg or .png"):
        kind_of("a")


def test_an_axis_of_lists_has_short_words():
    runs = frames(labels=("SGD",), batches=(1,), seeds=2)[0]
    runs["data_params"] = [json.dumps({"diagonal": [1.0, x], "seed": 0}) for x in (1.0, 1.5)]
    runs = with_parameters(runs)
    axis = axis_of(runs, "data.diagonal")
    # the entries that differ; the levels are in their order, as places one beside the other
    assert [axis.text(level) for level in axis.levels] == ["1", "1.5"] and list(axis.places().values()) == [0.0, 1.0]


def test_the_names_of_a_table_of_colours_have_room():
    heat = Heat(np.ones((2, 2)), ["a", "a_name_of_thirty_letters_and_so"], ["1", "2"], "x")
    drawn = draw(Figure("f", "F", "", [Panel(heat=heat, ylabel="optimizer")]))
    drawn.draw_without_rendering()
    labels = [label.get_window_extent() for label in drawn.axes[0].get_yticklabels()]
    labels.append(drawn.axes[0].yaxis.label.get_window_extent())
    assert min(box.x0 for box in labels) >= 0


def _lines(*ends, keys=None, **panel):
    series = [Series(np.array([1.0, 2.0]), np.array([0.5, end]), f"#00000{k}") for k, end in enumerate(ends)]
    named = [Key(f"line {k}", item.colour, item.style) for k, item in enumerate(series)]
    return Figure("f", "F", "", [Panel(series=series, **panel)], named if keys is None else keys)


def test_lines_that_end_apart_are_named_there():
    figure = _lines(0.1, 0.9, 0.12)
    found = ends(figure, (0.0, 1.0), 4.0, 2.0)
    assert [end.text for end in found] == ["line 0", "line 2", "line 1"]
    assert [end.colour for end in found] == ["#000000", "#000002", "#000001"]
    assert np.diff([end.height for end in found]).min() > 0.06  # a line of words
    texts = {text.get_text() for ax in draw(figure).axes for text in ax.texts}
    assert texts == {"line 0", "line 1", "line 2"} and not draw(figure).legends
    log = ends(_lines(0.01, 1.0, yscale="log"), (1e-4, 1.0), 4.0, 2.0)
    assert [end.height for end in log] == pytest.approx([0.5, 1.0])


@pytest.mark.parametrize("figure", [
    _lines(0.5, 0.5, 0.5, 0.5),  # there is no room
    _lines(0.1),
    _lines(*np.linspace(0, 1, 6)),
    _lines(0.1, 0.9, keys=[Key("x" * 40, "#000000"), Key("b", "#000001")]),
    _lines(0.1, 0.9, keys=[Key("a", "#000000"), Key("predicted", "#000001", "", "_")]),
    _lines(0.1, 2.0),  # ends outside
], ids=["close", "one", "many", "long", "marks", "outside"])  # fmt: skip
def test_other_figures_have_a_legend(figure):
    assert ends(figure, (0.0, 1.0), 4.0, 1.0) == []


def test_a_hyper_parameter_named_rank_is_an_axis_of_figures():
    """Runs of ranks 1 and 2 are two trajectories, and neither takes the place of the other."""
    from implicitbias.figures.table import trajectories
    from implicitbias.study.groups import SPECIFICATION

    same = dict.fromkeys((*SPECIFICATION, "data", "optimizer"))
    rows = [same | {"rank": rank, "limit_method": how} for rank in (1.0, 2.0) for how in ("none", "theory")]
    kept = trajectories(pd.DataFrame(rows))
    assert kept[["rank", "limit_method"]].values.tolist() == [[1.0, "theory"], [2.0, "theory"]]

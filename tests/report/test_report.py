"""The report: one page that stands alone, says everything, trusts no text, and is the same for the same tables."""

import html
import json
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from report.made_up import STUDY, folder, frames, read, tables

from implicitbias.errors import InputError
from implicitbias.report import rates, write_report
from implicitbias.report.arrange import MAX_SHEETS, against_batch, against_steps
from implicitbias.report.draw import Key, Line, Panel, Sheet, draw, plain
from implicitbias.report.figures import figures
from implicitbias.report.page import MAX_ROWS, render
from implicitbias.report.palette import Palette
from implicitbias.report.tables import (
    FINAL,
    LINE,
    MAX_POINTS,
    by_batch,
    by_step,
    results,
    separators,
)
from implicitbias.store.schema import CURVES
from implicitbias.study.claims import Verdict
from implicitbias.study.fits import fit_runs
from implicitbias.study.naming import label_runs
from implicitbias.study.spec import Claim

CLAIM = """
[[claim]]
says = "%s"
source = "Theorem %d"
measure = "cos_l2"
where = { batch = %d }
at_least = %g
"""


# -- the page ---------------------------------------------------------------------------------------------------------


def test_the_page_stands_alone_and_says_everything(tmp_path):
    claims = "".join(CLAIM % item for item in [("Yes", 1, 1, 0), ("No", 2, 2, 2), ("Nobody knows", 3, 99, 0)])
    path = write_report(folder(tmp_path, *tables(orders=("cyclic", "reshuffle")), text=STUDY + claims))
    page = read(path)
    assert path.name == "report.html" and path.stat().st_size < 5e6
    assert page.loads and all(item.startswith("data:image/") for item in page.loads)
    assert not {"script", "link", "iframe"} & set(page.tags)
    assert "url(" not in path.read_text() and "@import" not in path.read_text()
    for words in ("A study", "Which direction?", "36 runs: 36 ok", "1,152 updates in 9.00 s", "128 updates per second",
                  "holds Yes Theorem 1", "fails No Theorem 2", "undecided Nobody knows Theorem 3", "cos_l2 >= 2",
                  "Verdicts: 1 holds, 1 fails, 1 undecided.", "abc", "arXiv:0000.00000", "read_parquet"):  # fmt: skip
        assert words in page.text, words
    files = {item.name.split(".")[0] for item in (path.parent / "figures").iterdir()}
    assert files == {"figure-1", "figure-2", "figure-3", "figure-4"}
    assert page.tags.count("img") == 4


RATE = """
[[claim]]
says = "Rate %d"
source = "s"
measure = "1 - ratio_l2"
against = "%s"
octaves = 5
equal = %g
within = 0.1
"""


def power_laws(p, **options):
    """Made-up tables in which the gaps fall like t^p."""
    runs, curves = tables(steps=[round(2 ** (k / 4)) for k in range(8, 41)], **options)
    frame = curves.to_pandas()
    frame["ratio_l2"] = 1.0 - 0.1 * frame["step"] ** p
    return runs, pa.Table.from_pandas(frame, CURVES, preserve_index=False)


def test_rates_are_a_table_and_a_figure(tmp_path):
    claims = "".join(RATE % item for item in [(1, "step", -0.5), (2, "step", -1), (3, "log step", -1), (4, "lr", 0)])
    path = write_report(folder(tmp_path, *power_laws(-0.5), text=STUDY + claims))
    page = read(path)
    for words in ("holds Rate 1", "fails Rate 2", "undecided Rate 4", "Fitted slopes", "Figure 6a. Rates.",
                  "1, 2 log(1 - ratio_l2) against log(step) gaussian SGD reshuffle 4 3 -0.500000 ± 0.000000",
                  "3 log(1 - ratio_l2) against log(log step) gaussian", "To be read as figure 6a."):  # fmt: skip
        assert words in page.text, words
    assert {f"figure-6{letter}" for letter in "ab"} <= {item.stem for item in (path.parent / "figures").iterdir()}
    assert write_report(path.parent).read_bytes() == path.read_bytes()


def test_the_lines_of_a_rate():
    runs, curves = power_laws(-0.5, labels=("SGD",), batches=(1,), seeds=1)
    runs, curves = label_runs(runs.to_pandas()), curves.to_pandas()
    claim = Claim(says="s", source="s", measure="1 - ratio_l2", against="step", octaves=5, at_most=-0.25)
    verdict = Verdict(claim, "holds", 1, -0.5, "", fit_runs(claim, runs, curves))
    (panel,) = rates._sheet([[(1, verdict)]], runs, curves, Palette(runs)).rows[0]
    curve, fitted, guide = panel.lines
    np.testing.assert_allclose(curve.mean, 0.1 * curve.x**-0.5)
    assert curve.x[-1] == 1024 and 4 <= curve.x[0] <= 8
    np.testing.assert_allclose(fitted.x, [32, 1024])
    np.testing.assert_allclose(fitted.mean, 0.1 * fitted.x**-0.5)
    assert np.log(guide.mean[1] / guide.mean[0]) / np.log(1024 / 32) == pytest.approx(-0.25)
    assert guide.mean[1] == pytest.approx(fitted.mean[1])


def test_a_rate_without_a_fit_is_in_no_figure(tmp_path):
    page = read(write_report(folder(tmp_path, *tables(), text=STUDY + RATE % (1, "step", -1))))
    assert "undecided Rate 1" in page.text and "Figure 6" not in page.text and "Fitted slopes" not in page.text


def test_no_text_of_the_user_becomes_html(tmp_path):
    evil = "<script>alert('x')</script>"
    text = STUDY.replace("A study", evil).replace("Which", evil).replace("Someone", evil) + CLAIM % (evil, 1, 1, 0)
    options = {"data": (evil, "$\\frac{", "名\u0007"), "labels": (evil + "$", "<img src=x>"), "orders": (evil,)}
    path = write_report(folder(tmp_path, *tables(**options), text=text))
    page = read(path)
    assert "script" not in page.tags and all(item.startswith("data:image/") for item in page.loads)
    assert page.text.count(evil) > 5  # it is there, as text


def test_same_tables_give_the_same_bytes(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    paths = [write_report(folder(tmp_path / name, *tables(batches=(1, 2)))) for name in "ab"]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert write_report(paths[0].parent).read_bytes() == paths[1].read_bytes()


def test_old_figures_go_and_nothing_half_written_stays(tmp_path):
    where = folder(tmp_path, *tables())
    (where / "figures").mkdir()
    (where / "figures" / "figure-9.svg").write_text("old")
    (where / "figures" / "mine.txt").write_text("kept")
    write_report(where)
    names = {item.name for item in (where / "figures").iterdir()}
    assert "figure-9.svg" not in names and "mine.txt" in names
    assert not [item for item in where.rglob(".*")]


def test_a_study_of_one_run(tmp_path):
    page = read(write_report(folder(tmp_path, *tables(labels=("SGD",), batches=(1,), seeds=1, steps=[1]))))
    assert "1 run: 1 ok" in page.text and not re.search(r"\bnan\b", page.text, re.I)
    assert page.tags.count("img") == 3 and "Figure 1" not in page.text
    assert "The study makes no claims." in page.text


@pytest.mark.parametrize("status", ["not_separable", "error", "diverged"])
def test_a_study_in_which_every_run_failed(tmp_path, status):
    page = read(write_report(folder(tmp_path, *tables(status=status), text=STUDY + CLAIM % ("Yes", 1, 1, 0))))
    assert f"18 runs: 0 ok, 18 {status}." in page.text
    assert "No run ended ok, so there is nothing to draw." in page.text and "img" not in page.tags
    assert f"{status} 18 gaussian 2 settings {status}: no <b>separator</b>" in page.text and "undecided" in page.text
    assert not re.search(r"\bnan\b", page.text, re.I)


def test_a_study_with_no_run_yet(tmp_path):
    runs, curves = tables()
    where = folder(tmp_path, runs.slice(0, 0), curves.slice(0, 0))
    identity = json.loads((where / "study.json").read_text())
    (where / "study.json").write_text(json.dumps(identity | {"runs": 18, "settings": ["grid.steps=32"]}))
    page = read(write_report(where))
    assert "0 of the study's 18 runs are there" in page.text and "grid.steps=32" in page.text


def test_a_folder_without_results(tmp_path):
    with pytest.raises(InputError, match="holds no results"):
        write_report(tmp_path)


def test_long_tables_are_cut_and_say_so():
    runs, _ = frames(data=[f"set {i}" for i in range(50)], seeds=1)
    study = SimpleNamespace(title="t", question="", sources=[])
    text = html.unescape(render(study, "", {}, runs, [], []))
    assert f"The first {MAX_ROWS} of 300 rows" in text and "set 19" in text
    assert text.count("<td>SGD</td>") == MAX_ROWS // 2


# -- tables -----------------------------------------------------------------------------------------------------------


def test_results_are_means_and_deviations_over_seeds():
    runs, _ = frames(methods=("theory",))
    runs.loc[0, "status"] = "diverged"
    found = results(runs).set_index(LINE)
    for keys, group in runs[runs["status"] == "ok"].groupby(LINE):
        for name in FINAL:
            mean, sd = found.loc[keys, [f"{name}_mean", f"{name}_std"]]
            assert mean == pytest.approx(group[name].mean(), rel=1e-12)
            assert sd == pytest.approx(group[name].std(), rel=1e-9, abs=1e-12)
    first = found.loc[tuple(runs.loc[0, LINE])]
    assert (first["ok"], first["all"]) == (2, 3)
    assert [*found.index.get_level_values("batch")] == [1, 2, 4, 1, 2, 4]


def test_separators_count_each_data_set_once():
    row = separators(frames(orders=("cyclic", "reshuffle"))[0]).iloc[0]
    assert (row["sets"], row["unique_l2"], row["unique_linf"]) == (3, 3, 0)
    assert (row["gamma_l2"], row["gap_l2"]) == (0.5, 2e-12)  # relative to the margin


def test_names_carry_what_tells_runs_apart_and_nothing_else():
    runs = tables(data=("gaussian", "other"), labels=("SGD",), batches=(1,), seeds=2)[0].to_pandas()
    runs["data_params"] = [json.dumps({"n": n, "d": 5, "seed": 0}) for n in (10, 20, 10, 10)]
    assert label_runs(runs)["geometry"].tolist() == ["gaussian n=10", "gaussian n=20", "other", "other"]
    runs["data_params"] = "{}"
    runs["lr_eta"], runs["lr_a"] = [0.1, 0.1, 0.1, 0.2], [0.0, 0.5, 0.0, 0.0]
    runs["loss"] = ["exponential", "logistic"] * 2
    methods = label_runs(runs)["method"].tolist()
    assert methods[:2] == ["SGD, lr 0.1, loss exponential", "SGD, lr 0.1 (t+2)^-0.5, loss logistic"]
    # epochs give each batch size its own number of steps: that is no axis of its own
    runs = tables(labels=("SGD",), batches=(1, 2), seeds=1)[0].to_pandas().assign(steps=[20, 10])
    assert set(label_runs(runs)["method"]) == {"SGD"}


# -- figures ----------------------------------------------------------------------------------------------------------


def test_figure_1_shows_the_mean_least_and_largest_over_seeds():
    runs, _ = frames(orders=("cyclic", "reshuffle"))
    (sheet,) = against_batch(runs, most=4)
    for order, part in sheet.columns:
        found = by_batch(part, ["cos_l2"])["cos_l2"]
        for (geometry, method, batch), row in found.iterrows():
            same = (runs["geometry"] == geometry) & (runs["method"] == method) & (runs["batch"] == batch)
            values = runs.loc[same & (runs["order"] == order), "cos_l2"]
            assert len(values) == 3
            assert row.tolist() == pytest.approx([values.mean(), values.min(), values.max()], rel=1e-12)


def test_full_batches_are_the_last_point_of_every_order():
    own = frames(orders=("cyclic", "reshuffle"), batches=(1, 2))[0]
    full = frames(orders=("full",), batches=(4,))[0]
    full["run_id"] = "full" + full["run_id"]
    ok = pd.concat([own, full], ignore_index=True)
    (sheet,) = against_batch(ok, most=4)
    assert [title for title, _ in sheet.columns] == ["cyclic", "reshuffle"]
    assert all(sorted(part["batch"].unique()) == [1, 2, 4] for _, part in sheet.columns)
    (sheet,) = against_steps(ok)
    assert {order for _, part in sheet.columns for order in part["order"]} == {"reshuffle", "full"}
    assert "Shown: order reshuffle, and full batches" in sheet.note


def test_curves_are_the_mean_over_seeds_at_each_step():
    runs, curves = frames()
    found = by_step(runs, curves, ["ratio_l2", "log_loss"])
    joined = curves.to_pandas().merge(runs[["run_id", *LINE]], on="run_id")
    direct = joined.groupby([*LINE, "step"])["ratio_l2"].agg(["mean", "min", "max"])
    pd.testing.assert_frame_equal(found["ratio_l2"], direct, check_dtype=False)


def test_lines_end_with_their_first_run_and_are_thinned():
    runs, curves = frames(labels=("SGD",), batches=(1,), steps=list(range(1, 501)))
    early = runs["run_id"].iloc[:1].tolist()
    frame = curves.to_pandas()
    frame = frame[(frame["step"] <= 400) | ~frame["run_id"].isin(early)]
    curves = pa.Table.from_pandas(frame, CURVES, preserve_index=False)
    steps = by_step(runs, curves, ["log_loss"]).index.get_level_values("step")
    assert (steps[0], steps[-1]) == (1, 400) and len(steps) == MAX_POINTS


@pytest.mark.parametrize(
    ("options", "colour", "columns"),
    [
        ({}, "batch", ["Adam(0.9, 0.95)", "SGD"]),
        ({"labels": ("SGD",), "orders": ("cyclic", "reshuffle")}, "batch", ["cyclic", "reshuffle"]),
        ({"batches": (1,), "orders": ("cyclic", "reshuffle")}, "method", ["cyclic", "reshuffle"]),
        ({"labels": ("SGD",), "data": ("a", "b")}, "batch", ["a", "b"]),
        ({"batches": (1,), "labels": ("SGD",)}, "method", ["gaussian"]),
    ],
)
def test_what_varies_becomes_colour_and_columns(options, colour, columns):
    (sheet,) = against_steps(frames(**options)[0])
    assert sheet.colour == colour and [title for title, _ in sheet.columns] == columns


def test_large_studies_are_shown_in_part():
    runs, curves = frames(data=[f"set {i}" for i in range(9)], labels=list("abcdefghi"), batches=range(1, 12), seeds=1)
    sheets = against_steps(runs)
    assert len(sheets) == MAX_SHEETS and all(len(sheet.columns) <= 6 for sheet in sheets)
    assert all(part.groupby("geometry")["batch"].nunique().max() <= 8 for sheet in sheets for _, part in sheet.columns)
    for part in ("4 of 9 data sets", "8 batch sizes", "The first 4 of 8 such figures"):
        assert part in sheets[0].note
    assert [sheet.title for sheet in against_batch(runs, most=4)] == [f"part {i}" for i in (1, 2, 3, 4)]
    drawn = figures(runs[runs["data"] == "set 0"], curves)
    assert [figure.number for figure in drawn] == ["1a", "1b", "1c", "2a", "2b", "3a", "3b", "4a", "4b"]
    assert drawn[1].caption == "To be read as figure 1a."


# -- drawing ----------------------------------------------------------------------------------------------------------


def test_many_lines_become_a_png():
    x = np.array([1.0, 10.0])
    for count, kind, magic in ((40, "svg", b"<?xml"), (41, "png", b"\x89PNG")):
        panel = Panel("t", [Line(x, x, x, x + 1, "#000000")] * count)
        picture = draw(Sheet([[panel]], ["y"], "x", [Key("k")]))
        assert picture.kind == kind and picture.image.startswith(magic)


def test_drawing_leaves_matplotlib_as_it_was():
    import matplotlib

    before = dict(matplotlib.rcParams)
    figures(*frames(seeds=1))
    assert dict(matplotlib.rcParams) == before


def test_plain_text_is_no_mathematics_and_has_glyphs():
    assert plain("a$b$") == r"a\$b\$"
    assert plain("名\n\u0007") == "???"
    assert len(plain("x" * 100)) == 60

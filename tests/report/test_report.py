"""The report: one page that stands alone, says everything, trusts no text, and is the same for the same tables."""

import json
import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from report.made_up import STUDY, folder, frames, read, tables

from implicitbias.errors import InputError
from implicitbias.figures.table import label_runs, with_parameters
from implicitbias.report import write_report
from implicitbias.report.chosen import chosen
from implicitbias.report.page import MAX_ROWS
from implicitbias.report.stamp import is_current
from implicitbias.report.tables import LINE, final, predictions, results, separators
from implicitbias.store.schema import CURVES, RIVALS, USUAL

FINAL = final(USUAL)
CLAIM = """
[[claim]]
says = "%s"
source = "Theorem %d"
measure = "cos_l2"
where = { batch = %d }
at_least = %g
limit = false
"""


# -- the page ---------------------------------------------------------------------------------------------------------


def test_the_page_stands_alone_and_says_everything(tmp_path):
    claims = "".join(CLAIM % item for item in [("Yes", 1, 1, 0), ("No", 2, 2, 2), ("Nobody knows", 3, 99, 0)])
    path = write_report(folder(tmp_path, *tables(orders=("cyclic", "reshuffle")), text=STUDY + claims))
    page = read(path)
    assert path.name == "report.html" and path.stat().st_size < 5e6
    assert page.pictures and all(item.startswith("data:image/svg+xml;base64,") for item in page.pictures)
    assert not {"script", "link", "iframe"} & set(page.tags)
    assert "url(" not in path.read_text() and "@import" not in path.read_text()
    for words in ("A study", "Which direction?", "36 runs: 36 ok", "1,152 updates in 9.00 s", "128 updates per second",
                  "1 holds Yes Theorem 1", "2 fails No Theorem 2", "3 undecided Nobody knows Theorem 3", "cos_l2 >= 2",
                  "Verdicts: 1 holds, 1 fails, 1 undecided.", "abc", "arXiv:0000.00000", "read_parquet"):  # fmt: skip
        assert words in page.text, words
    drawn = {item.name for item in (path.parent / "figures").iterdir()}
    assert drawn == {item.removeprefix("figures/") for item in page.links if item.startswith("figures/")}
    assert page.tags.count("img") == len(drawn) and any(name.startswith("claims_1_and_2-") for name in drawn)


def test_every_link_of_the_page_leads_somewhere(tmp_path):
    claims = "".join(CLAIM % item for item in [("Yes", 1, 1, 0), ("No", 2, 2, 2)])
    text = STUDY.replace("arXiv:0000.00000", "arXiv:1710.10345, Thm 4") + claims
    path = write_report(folder(tmp_path, *tables(methods=("theory",)), text=text))
    page = read(path)
    for link in page.links:
        if link.startswith("#"):
            assert link[1:] in page.ids, link
        elif not link.startswith("https://arxiv.org/abs/"):
            assert (path.parent / link).is_file(), link
    assert "https://arxiv.org/abs/1710.10345" in page.links
    assert {"#figure-1", "#runs-1", "#claim-1", "tables/claim_2.csv", "tables/results.csv"} <= set(page.links)
    # the runs of a claim, nearest to refuting it first
    found = pd.read_csv(path.parent / "tables" / "claim_2.csv")
    assert len(found) == 6 and set(found["batch"]) == {2} and found["cos_l2"].is_monotonic_increasing
    verdicts = pd.read_csv(path.parent / "tables" / "verdicts.csv")
    assert verdicts["outcome"].tolist() == ["holds", "fails"]


def test_a_page_is_current_until_something_changes(tmp_path):
    where = folder(tmp_path, *tables())
    assert not is_current(where)
    path = write_report(where)
    assert is_current(where) and read(path).text
    before = path.stat().st_mtime_ns
    assert write_report(where, anew=False) == path and path.stat().st_mtime_ns == before
    (where / "tables" / "results.csv").unlink()
    assert not is_current(where)
    write_report(where, anew=False)
    assert is_current(where)
    (where / "study.toml").write_text((where / "study.toml").read_text() + "# a word\n")
    assert not is_current(where)
    write_report(where)
    (where / "runs.parquet").write_bytes((where / "runs.parquet").read_bytes() + b" ")
    assert not is_current(where)


OWN = """
[[figure]]
title = "Mine, of %s"
y = ["cos_l2", "cos_linf"]
x = "batch"
hue = "method"
"""


def test_own_figures_of_a_study_come_with_those_of_its_claims(tmp_path):
    none = OWN % "none" + 'where = { order = "cyclic" }\n'
    text = STUDY + CLAIM % ("Yes", 1, 1, 0) + OWN % "all" + none
    path = write_report(folder(tmp_path, *tables(), text=text))
    page = read(path)
    assert "Figure 1. Claim 1" in page.text and "Figure 2. Mine, of all." in page.text
    assert (path.parent / "figures" / "mine_of_all.svg").is_file()
    assert "The figure 'Mine, of none' is not drawn: no run that ended ok matches" in page.text


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
    for words in ("holds Rate 1", "fails Rate 2", "undecided Rate 4", "Fitted slopes", "Figure 1. Claims 1",
                  "1, 2 log(1 - ratio_l2) against log(step) gaussian SGD reshuffle 4 3 -0.500000 ± 0.000000",
                  "3 log(1 - ratio_l2) against log(log step) gaussian"):  # fmt: skip
        assert words in page.text, words
    assert write_report(path.parent).read_bytes() == path.read_bytes()


def test_a_rate_without_a_fit_is_in_no_figure(tmp_path):
    page = read(write_report(folder(tmp_path, *tables(), text=STUDY + RATE % (1, "step", -1))))
    assert "undecided Rate 1" in page.text and "Claim 1." not in page.text and "Fitted slopes" not in page.text


def test_no_text_of_the_user_becomes_html(tmp_path):
    evil = "<script>alert('x')</script>"
    text = STUDY.replace("A study", evil).replace("Which", evil).replace("Someone", evil) + CLAIM % (evil, 1, 1, 0)
    options = {"data": (evil, "$\\frac{", "名\u0007"), "labels": (evil + "$", "<img src=x>"), "orders": (evil,)}
    path = write_report(folder(tmp_path, *tables(**options), text=text))
    page = read(path)
    assert "script" not in page.tags and all(item.startswith("data:image/") for item in page.pictures)
    known = (
        "#",
        "figures/",
        "tables/",
        "claims/",
        "runs.parquet",
        "curves.parquet",
        "https://arxiv.org/abs/0000.00000",
    )
    assert all(item.startswith(known) for item in page.links)
    assert page.text.count(evil) > 5  # it is there, as text
    claim = read(path.parent / "claims" / "1.html")
    assert "script" not in claim.tags and claim.text.count(evil) > 3


def test_a_claim_that_compares_runs_lists_them_by_group_the_nearest_to_refuting_it_first(tmp_path):
    claim = CLAIM.replace("where = { batch = %d }\n", 'across = "batch"\n').replace("at_least", "at_most")
    claim = claim.replace('"cos_l2"\n', '"cos_l2"\n') % ("Spread", 1, 0.1)
    path = write_report(folder(tmp_path, *tables(labels=("SGD",)), text=STUDY + claim))
    rows = pd.read_csv(path.parent / "tables" / "claim_1.csv", dtype={"run_id": str})
    runs = tables(labels=("SGD",))[0].to_pandas().set_index("run_id")
    spread = runs.groupby("data_seed")["cos_l2"].agg(lambda x: x.max() - x.min())
    column = "range of cos_l2 across batch"
    assert rows[column].tolist() == pytest.approx(sorted(spread.repeat(3), reverse=True))
    assert [spread[seed] for seed in rows["data_seed"]] == pytest.approx(rows[column].tolist())
    page = read(path.parent / "claims" / "1.html")
    assert f"reproduce {rows['run_id'][0]}" in page.text and column in page.text


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
    for name in ("mine.txt", "mine.svg"):
        (where / "figures" / name).write_text("kept")
    write_report(where)
    names = {item.name for item in (where / "figures").iterdir()}
    assert "figure-9.svg" not in names and {"mine.txt", "mine.svg"} <= names
    drawn = names - {"mine.txt", "mine.svg"}
    assert drawn
    # a report that links to other files takes away those that the one before it linked to
    (where / "runs.parquet").unlink()
    (where / "curves.parquet").unlink()
    write_report(where)
    assert {item.name for item in (where / "figures").iterdir()} == {"mine.txt", "mine.svg"}
    assert not [item for item in where.rglob(".*")]


def test_a_study_of_one_run(tmp_path):
    page = read(write_report(folder(tmp_path, *tables(labels=("SGD",), batches=(1,), seeds=1, steps=[1]))))
    assert "1 run: 1 ok" in page.text and not re.search(r"\bnan\b", page.text, re.I)
    assert page.tags.count("img") == 0 and "Nothing varies that a figure could show." in page.text
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


def test_long_tables_are_cut_and_say_so(tmp_path):
    runs, curves = tables(data=[f"set {i}" for i in range(50)], seeds=1)
    path = write_report(folder(tmp_path, runs, curves))
    page = read(path)
    assert f"The first {MAX_ROWS} of 300 rows" in page.text and "set 19" in page.text
    assert path.read_text().count("<td>SGD</td>") == MAX_ROWS // 2
    assert len(pd.read_csv(path.parent / "tables" / "results.csv")) == 300
    assert page.tags.count("img") <= 12


# -- tables -----------------------------------------------------------------------------------------------------------


def test_results_are_means_and_deviations_over_seeds():
    runs, _ = frames(methods=("theory",))
    runs.loc[0, "status"] = "diverged"
    found = results(runs, FINAL).set_index(LINE)
    for keys, group in runs[runs["status"] == "ok"].groupby(LINE):
        for name in FINAL:
            mean, sd = found.loc[keys, [f"{name}_mean", f"{name}_std"]]
            assert mean == pytest.approx(group[name].mean(), rel=1e-12)
            assert sd == pytest.approx(group[name].std(), rel=1e-9, abs=1e-12)
    first = found.loc[tuple(runs.loc[0, LINE])]
    assert (first["ok"], first["all"]) == (2, 3)
    assert [*found.index.get_level_values("batch")] == [1, 2, 4, 1, 2, 4]


def test_separators_count_each_data_set_once():
    row = separators(frames(orders=("cyclic", "reshuffle"))[0], USUAL.norms).iloc[0]
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
    assert methods == ["SGD, lr 0.1", "SGD, lr 0.1 (t+2)^-0.5", "SGD, lr 0.1", "SGD, lr 0.2"]
    # what does not tell apart is left out, and what does is there
    runs["lr_eta"], runs["lr_a"] = 0.1, 0.0
    assert label_runs(runs)["method"].tolist()[:2] == ["SGD, loss exponential", "SGD, loss logistic"]
    # epochs give each batch size its own number of steps: that is no axis of its own
    runs = tables(labels=("SGD",), batches=(1, 2), seeds=1)[0].to_pandas().assign(steps=[20, 10])
    assert set(label_runs(runs)["method"]) == {"SGD"}


def test_predictions_are_marks_and_no_methods():
    runs, _ = frames(methods=("theory", "numerical"), labels=("SGD",))
    assert set(runs["method"]) == {"SGD"}
    assert results(runs, FINAL)["all"].tolist() == [3, 3, 3]  # a trajectory is counted once
    found = predictions(runs)
    assert sorted(set(found["limit_method"])) == ["numerical", "theory"] and found["count"].tolist() == [3] * 6


def test_the_table_of_predictions():
    runs, _ = frames(methods=("theory",), orders=("cyclic", "reshuffle"))
    runs.loc[runs["label"] == "SGD", "limit_rule"] = None
    found = predictions(runs).set_index(LINE)
    assert len(found) == 6
    for keys, row in found.iterrows():
        part = runs.set_index(LINE).sort_index().loc[keys]
        assert (row["count"], row["rule"], row["gap"]) == (3, "rule of theory", pytest.approx(1e-9))
        assert row["mean"] == pytest.approx(part["inc_cos_limit"].mean())
        assert row["least"] == part["inc_cos_limit"].min()
        for order in RIVALS:
            own = np.nan if order == keys[1] else part[f"inc_cos_if_{order}"].mean()
            assert row[order] == pytest.approx(own, nan_ok=True)


def test_the_page_shows_predictions_only_where_there_are_any(tmp_path):
    (tmp_path / "with").mkdir()
    page = read(write_report(folder(tmp_path / "with", *tables(methods=("theory", "numerical")))))
    for words in ("Do runs end where theory says?", "Short horizontal lines", "rule of numerical", "inc_cos_limit",
                  "if replacement"):  # fmt: skip
        assert words in page.text, words
    assert not re.search(r"\bnan\b", page.text, re.I)
    page = read(write_report(folder(tmp_path, *tables())))
    for words in ("where theory says?", "Short horizontal lines", "Predictions"):
        assert words not in page.text, words


def test_runs_and_flows_share_one_axis_that_ends_with_the_runs():
    runs, curves = frames(labels=("SGD", "GradientFlow"), batches=(4,), steps=[1, 2, 4, 8, 16])
    flows = runs["label"] == "GradientFlow"
    runs["optimizer"] = runs["label"]
    runs.loc[flows, "optimizer_kind"] = "gradient_flow"
    runs.loc[flows, "time"] = 1e100
    frame = curves.to_pandas()
    of_flow = frame["run_id"].isin(runs.loc[flows, "run_id"])
    frame["sum_lr"] = frame["step"].astype(float).where(~of_flow, 10.0 ** frame["step"])
    curves = pa.Table.from_pandas(frame, CURVES, preserve_index=False)
    first = chosen(with_parameters(runs), curves, ["l2", "linf"])[0]
    assert first.name.startswith("angles_along_the_way") and "up to the time at which the runs end" in first.caption
    series = {(s.style, s.colour): s.x for panel in first.panels for s in panel.series}
    assert {style for style, _ in series} <= {"-", "--"} and max(x[-1] for x in series.values()) == 16.0

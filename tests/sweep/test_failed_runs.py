"""Runs that failed, or are not there, support no claim in silence."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stores import create
from verdict_tables import claim_on, judged, table

import implicitbias as ib
from implicitbias.store import Store
from implicitbias.store.schema import STATUSES
from implicitbias.study.stored import judge, stored_study
from implicitbias.sweep.run import run_study

FAILED = [status for status in STATUSES if status != "ok"]


def test_a_claim_on_runs_that_all_overflow_is_undecided():
    (end, chosen, slope), runs = judged(
        """
        title = "t"
        [data.gaussian]
        n = 4
        d = 6
        seed = { from = 0, to = 9 }
        [optimizer.ngd]
        lr = 1e307
        [[grid]]
        order = "full"
        steps = 100
        limit = "none"
        [[claim]]
        says = "a"
        source = "b"
        measure = "step"
        at_most = 100
        [[claim]]
        says = "a"
        source = "b"
        measure = "step"
        where = { status = "non_finite" }
        at_most = 100
        [[claim]]
        says = "a"
        source = "b"
        measure = "log_loss"
        against = "step"
        octaves = 1
        at_most = 1e9
        """
    )
    assert set(runs["status"]) == {"non_finite"}
    for verdict in (end, slope):
        assert (verdict.outcome, verdict.runs) == ("undecided", 10)
        assert verdict.detail == "none of the 10 runs ended ok: 10 non_finite"
    assert (chosen.outcome, chosen.runs) == ("holds", 10)  # on purpose


@pytest.mark.parametrize("status", FAILED)
def test_one_failed_run_leaves_open_what_would_hold(status):
    runs = table({"cos_l2": 0.9}, {"cos_l2": 0.95}, {"cos_l2": 0.99, "status": status})
    verdict = claim_on(runs, at_least=0.8)
    assert (verdict.outcome, verdict.runs, verdict.value) == ("undecided", 3, 0.9)
    assert verdict.detail.startswith(f"2 of 3 runs; 1 {status} left out; worst: gaussian seed 0, ")
    assert claim_on(runs, at_least=0.92).outcome == "fails"  # another refutes it
    assert claim_on(runs, at_least=0.97).value == 0.9
    for bound in (0.8, 0.92, 0.94, 0.99):
        assert claim_on(runs, at_least=bound, over="mean").outcome == "undecided"
    assert claim_on(runs, at_most=0.96).outcome == "undecided"  # the failed run refutes nothing either
    assert claim_on(runs, at_least=0.8, where={"status": "ok"}).outcome == "holds"
    assert claim_on(runs, at_most=0.96, where={"status": ["ok", status]}).outcome == "fails"
    assert claim_on(runs, at_least=0.98, where={"status": status}).outcome == "holds"


def test_failures_are_counted_by_their_status():
    runs = table({"cos_l2": 0.9}, *({"cos_l2": 0.9, "status": status} for status in ["diverged", "error", "diverged"]))
    assert claim_on(runs, at_least=0.8).detail.startswith("1 of 4 runs; 2 diverged, 1 error left out; ")


def test_a_group_with_a_failed_run_says_nothing():
    good = {"cos_l2": 0.5, "w": [1.0, 0.0]}
    pair = [good | {"batch": 1, "seed": 1}, good | {"batch": 2, "seed": 1}]
    runs = table(good | {"batch": 1}, good | {"batch": 2}, good | {"batch": 4, "status": "diverged"}, *pair)
    for claim in ({"at_most": 0.0}, {"measure": "direction", "at_least": 1.0}):
        verdict = claim_on(runs, across="batch", **claim)
        assert verdict.outcome == "undecided"
        assert verdict.detail.startswith("4 of 5 runs; 1 diverged left out; 1 of 2 lack the measure; worst of 2 groups")
        assert claim_on(runs, across="batch", where={"status": ["ok", "diverged"]}, **claim).outcome == "holds"
    assert claim_on(runs, across="batch", at_least=0.1).outcome == "fails"  # the other group


expectations = st.one_of(
    st.builds(lambda x: {"at_least": x}, st.floats(-1, 1)),
    st.builds(lambda x: {"at_most": x}, st.floats(-1, 1)),
    st.builds(lambda x, y: {"equal": x, "within": y}, st.floats(-1, 1), st.floats(0, 2)),
)
shapes = st.sampled_from([{}, {"over": "mean"}, {"across": "batch"}, {"across": "batch", "over": "mean"}])


@settings(max_examples=50)
@given(st.lists(st.floats(-1, 1), min_size=2, max_size=6), st.sampled_from(FAILED), expectations, shapes, st.data())
def test_a_failed_run_never_supports_and_never_refutes(numbers, status, expectation, shape, data):
    """Whatever it ended with: added to any runs it turns "holds" into "undecided", and makes no claim fail."""
    rows = [{"cos_l2": x, "batch": 1 + i % 2, "seed": i // 2} for i, x in enumerate(numbers)]
    failed = {
        "cos_l2": data.draw(st.floats(-2, 2) | st.none()), "status": status, "batch": 3,
        "seed": data.draw(st.integers(0, (len(rows) - 1) // 2)),
    }  # fmt: skip
    before = claim_on(table(*rows), **shape, **expectation)
    after = claim_on(table(*rows, failed), **shape, **expectation)
    assert after.outcome != "holds"
    assert f"1 {status} left out" in after.detail and after.runs == len(rows) + 1
    if shape == {}:
        assert after.outcome == {"holds": "undecided"}.get(before.outcome, before.outcome)
    if after.outcome == "fails":
        assert before.outcome == "fails"


# -- runs that are not there ------------------------------------------------------------------------------------------

STUDY = """
title = "t"
[data.gaussian]
n = 4
d = 6
seed = [0, 1]
[optimizer.sgd]
lr = 0.1
[[grid]]
batch = [1, 2]
steps = 50
limit = "none"
[[claim]]
says = "of all"
source = ""
measure = "step"
at_least = 50
[[claim]]
says = "of those that are there"
source = ""
measure = "step"
where = { batch = 1 }
at_least = 50
[[claim]]
says = "of those that are not"
source = ""
measure = "step"
where = { data_seed = 1, batch = 2 }
at_least = 50
"""


def test_runs_that_are_missing_are_counted(tmp_path):
    (tmp_path / "s.toml").write_text(STUDY)
    run_study(tmp_path / "s.toml", tmp_path / "out", jobs=1)
    study, store = stored_study(tmp_path / "out")
    runs = ib.load_runs(tmp_path / "out")
    assert [verdict.outcome for verdict in judge(study, store, runs)] == ["holds"] * 3
    there = runs[(runs["batch"] == 1) | (runs["data_seed"] == 0)]
    whole, part, none = judge(study, store, there)
    assert (whole.outcome, part.outcome, none.outcome) == ("undecided", "holds", "undecided")
    assert whole.detail.startswith("3 of 4 runs; 1 missing left out; worst: ")
    assert none.detail == "none of the 1 runs ended ok: 1 missing"


def test_missing_runs_that_cannot_be_planned_leave_everything_open(tmp_path):
    text = STUDY.replace("[data.gaussian]\nn = 4\nd = 6\nseed = [0, 1]", '[data.a]\nkind = "file"\npath = "gone.csv"')
    create(tmp_path / "out", {"study": "s", "settings": [], "runs": 3, "digest": "x"}, text).release()
    study, store = stored_study(tmp_path / "out")
    rows = table({"batch": 1, "data": "a", "step": 50})
    outcomes = {verdict.outcome for verdict in judge(study, Store.open(store.folder), rows)}
    assert outcomes == {"undecided"}
    assert all(verdict.detail.startswith("2 runs of the study are missing; ") for verdict in judge(study, store, rows))


def test_another_horizon_than_the_studys_is_told(tmp_path):
    (tmp_path / "s.toml").write_text(STUDY)
    settings = ["grid.steps=60", "data.gaussian.seed=0"]
    run_study(tmp_path / "s.toml", tmp_path / "out", jobs=1, settings=settings)
    study, store = stored_study(tmp_path / "out")
    verdicts = judge(study, store, ib.load_runs(tmp_path / "out"))
    assert [verdict.outcome for verdict in verdicts] == ["holds", "holds", "undecided"]
    assert all(verdict.detail.endswith("; at another horizon than the study's, grid.steps=60") for verdict in verdicts)


def test_an_empty_table_has_nothing_to_judge():
    verdict = claim_on(pd.DataFrame(table({}).iloc[:0]), at_least=0)
    assert (verdict.outcome, verdict.detail) == ("undecided", "no run matches the filter")

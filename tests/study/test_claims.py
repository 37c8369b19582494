"""Verdicts on hand-made tables, where the right one is plain to see."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from verdict_tables import claim_on, study_of, table, values

from implicitbias.errors import InputError
from implicitbias.store.schema import USUAL
from implicitbias.study.claims import verdicts
from implicitbias.study.stored import curve_columns


@pytest.mark.parametrize(
    "numbers, expectation, outcome, value",
    [
        ((0.9, 0.95), {"at_least": 0.9}, "holds", 0.9),
        ((0.9, 0.95), {"at_least": 0.92}, "fails", 0.9),
        ((0.9, 0.95), {"at_most": 0.95}, "holds", 0.95),
        ((0.9, 0.95), {"at_most": 0.92}, "fails", 0.95),
        ((0.5, 0.75), {"equal": 0.625, "within": 0.125}, "holds", 0.5),
        ((0.5, 0.8), {"equal": 0.625, "within": 0.125}, "fails", 0.8),
        ((0.4, 0.7), {"equal": 0.625, "within": 0.125}, "fails", 0.4),
        ((1,), {"equal": 1, "within": 0}, "holds", 1.0),
    ],
)
def test_every_run_decides(numbers, expectation, outcome, value):
    verdict = claim_on(values(*numbers), **expectation)
    assert (verdict.outcome, verdict.runs, verdict.value) == (outcome, len(numbers), value)
    worst = numbers.index(value)
    assert verdict.detail == f"worst: gaussian seed 0, SGD, cyclic, batch 1, run r{worst}"


@pytest.mark.parametrize(
    "expectation, outcome",
    [
        ({"at_least": 0.5}, "holds"),
        ({"at_least": 0.51}, "fails"),
        ({"at_most": 0.5}, "holds"),
        ({"at_most": 0.49}, "fails"),
        ({"equal": 0.6, "within": 0.11}, "holds"),
        ({"equal": 0.6, "within": 0.09}, "fails"),
    ],
)
def test_the_mean_decides(expectation, outcome):
    verdict = claim_on(values(0.25, 0.5, 0.75), over="mean", **expectation)
    assert (verdict.outcome, verdict.runs, verdict.value) == (outcome, 3, 0.5)
    assert verdict.detail == "mean over 3 runs, standard deviation 0.25"
    assert claim_on(values(0.5), over="mean", **expectation).detail == "mean over 1 runs"


def test_the_expectation_in_words():
    runs = values(0.5)
    assert claim_on(runs, at_least=0.5).expected == "cos_l2 >= 0.5"
    assert claim_on(runs, at_most=1, over="mean").expected == "mean of cos_l2 <= 1"
    assert claim_on(runs, equal=1, within=0.25).expected == "cos_l2 = 1 +- 0.25"
    assert claim_on(runs, across="batch", at_most=1).expected == "range of cos_l2 across batch <= 1"
    words = "least cosine of increment across order >= 0.9"
    assert claim_on(runs, measure="inc_direction", across="order", at_least=0.9).expected == words


def test_a_run_is_compared_with_its_partner():
    """Of two optimizers on two data sets: the difference on each, whatever the level."""
    levels = [("x", "sgd", 0.9), ("x", "adam", 0.5), ("y", "sgd", 0.375), ("y", "adam", 0.125)]
    rows = [{"data_digest": data, "optimizer": name, "cos_l2": value} for data, name, value in levels]
    claim = {"where": {"optimizer": "sgd"}, "than": {"optimizer": "adam"}}
    verdict = claim_on(table(*rows), at_least=0.15, **claim)
    assert (verdict.outcome, verdict.runs, verdict.value) == ("holds", 2, 0.25)
    assert verdict.expected == "cos_l2 less that of optimizer = adam >= 0.15"
    assert verdict.found == "worst cos_l2 less that of optimizer = adam 0.25 of 2 runs"
    assert claim_on(table(*rows), at_least=0.26, **claim).outcome == "fails"
    assert claim_on(table(*rows), equal=0.325, within=1e-9, over="mean", **claim).outcome == "holds"
    back = {"where": {"optimizer": "adam"}, "than": {"optimizer": "sgd"}}
    assert claim_on(table(*rows), at_most=-0.25, **back).outcome == "holds"


def test_a_run_without_one_partner_has_no_value():
    def rows(**other):
        return table({"cos_l2": 0.9}, {"cos_l2": 0.5, "optimizer": "adam"} | other)

    claim = {"where": {"optimizer": "sgd"}, "than": {"optimizer": "adam"}, "at_least": 0.1}
    assert claim_on(rows(), **claim).outcome == "holds"
    for other in ({"seed": 1}, {"batch": 2}, {"data_digest": "z"}, {"status": "diverged"}, {"steps": 5}):
        assert claim_on(rows(**other), **claim).outcome == "undecided", other
    several = table({"cos_l2": 0.9}, *({"cos_l2": 0.5, "optimizer": "adam", "lr_eta": eta} for eta in (0.1, 0.2)))
    assert claim_on(several, **claim).outcome == "undecided"
    assert claim_on(several, **claim | {"than": {"optimizer": "adam", "lr": 0.2}}).outcome == "holds"
    # what `than` names need not agree
    assert claim_on(rows(batch=2), **claim | {"than": {"optimizer": "adam", "batch": 2}}).outcome == "holds"


def test_a_claim_never_holds_on_nothing():
    nothing = [
        (values(), {}, "no run matches the filter"),
        (values(0.9), {"where": {"batch": 2}}, "no run matches the filter"),
        (values(math.nan, None), {}, "none of the 2 runs has the measure"),
        (values(math.nan), {"over": "mean"}, "none of the 1 runs has the measure"),
        (values(math.inf), {}, "none of the 1 runs has the measure"),
        (values(0.9, 0.9), {"across": "batch"}, "no two of the 2 runs differ in batch alone"),
        (values(0.9), {"measure": "direction", "across": "batch"}, "no two of the 1 runs differ in batch alone"),
    ]
    for runs, claim, detail in nothing:
        verdict = claim_on(runs, at_least=-1e9, **claim)
        assert (verdict.outcome, verdict.detail) == ("undecided", detail)
        assert math.isnan(verdict.value)


def test_a_run_without_the_measure_leaves_it_open_unless_another_decides():
    runs = values(0.9, math.nan)
    assert claim_on(runs, at_least=0.8).outcome == "undecided"
    assert claim_on(runs, at_least=0.95).outcome == "fails"
    assert claim_on(runs, at_least=0.8, over="mean").outcome == "undecided"
    assert claim_on(runs, at_least=0.95, over="mean").outcome == "undecided"  # the missing one may raise it
    assert claim_on(runs, at_least=0.8).detail.startswith("1 of 2 lack the measure; worst: ")
    assert claim_on(runs, at_least=0.8, where={"run_id": "r0"}).outcome == "holds"


def test_differences_of_two_measures():
    runs = table({"cos_l2": 0.9, "cos_linf": 0.7}, {"cos_l2": 0.8, "cos_linf": 0.7}, {"cos_l2": 0.8, "cos_linf": 1.0})
    assert claim_on(runs, measure="cos_l2 - cos_linf", at_least=0.05).value == pytest.approx(-0.2)
    where = {"run_id": ["r0", "r1"]}
    assert claim_on(runs, measure="cos_l2 - cos_linf", at_least=0.05, where=where).outcome == "holds"
    assert claim_on(runs, measure="cos_linf - cos_l2", at_most=-0.05, where=where).outcome == "holds"


def test_formulas_with_a_number_or_a_sign():
    runs = table({"ratio_l2": 0.9, "log_loss": -5.0}, {"ratio_l2": 0.75, "log_loss": -7.0})
    assert claim_on(runs, measure="1 - ratio_l2", at_most=0.2).value == pytest.approx(0.25)
    assert claim_on(runs, measure="ratio_l2 - 0.5", at_least=0.2).value == pytest.approx(0.25)
    assert claim_on(runs, measure="-log_loss", at_least=6).value == 5.0
    assert claim_on(runs, measure="1e-1 - log_loss", at_least=6, over="mean").value == pytest.approx(6.1)


def test_filters():
    runs = table(
        {"cos_l2": 0.0, "data": "a", "batch": 1, "data_params": '{"alpha": 1.0, "diagonal": [1, 2]}', "data_seed": 3},
        {
            "cos_l2": 0.1,
            "data": "a",
            "batch": 2,
            "data_params": '{"alpha": 2.0, "diagonal": [1, 3]}',
            "data_seed": None,
        },
        {"cos_l2": 0.2, "data": "b", "batch": 2, "data_params": '{"path": "x.csv"}', "data_seed": None, "beta1": 0.9},
        {"cos_l2": 0.3, "data": "c", "batch": 5, "data_params": "{}", "nesterov": True, "status": "diverged"},
    )

    def chosen(where):
        verdict = claim_on(runs, where=where, at_least=-1)
        found = [i for i in range(4) if claim_on(runs, where=where | {"run_id": f"r{i}"}, at_least=-1).runs]
        assert len(found) == verdict.runs
        return found

    assert chosen({}) == [0, 1, 2, 3]
    assert chosen({"data": "a"}) == [0, 1]
    assert chosen({"data": ["b", "c"], "batch": 2}) == [2]
    assert chosen({"batch": {"from": 1, "to": 2}}) == [0, 1, 2]
    assert chosen({"batch": [1, 2.0, "n"]}) == [0, 1, 2]
    assert chosen({"data_seed": 3}) == [0]
    assert chosen({"beta1": 0.9}) == [2]
    assert chosen({"nesterov": True}) == [3]
    assert chosen({"status": "diverged"}) == [3]
    assert chosen({"data.alpha": 1}) == [0]
    assert chosen({"data.alpha": [1.0, 2.0]}) == [0, 1]
    assert chosen({"data.diagonal": [1, 3]}) == [1]
    assert chosen({"data.diagonal": [[1, 3], [1, 2]]}) == [0, 1]
    assert chosen({"data.path": "x.csv"}) == [2]
    assert chosen({"data.beta": 1}) == []
    assert chosen({"order": 5}) == []


@pytest.mark.parametrize(
    "claim, expected",
    [
        ({}, ["step", "sum_lr", "cos_l2"]),
        ({"limit": False}, []),
        ({"measure": "gamma_l2"}, []),
        ({"limit": True}, ["step", "sum_lr", "cos_l2"]),
        ({"measure": "cos_l2 - cos_linf", "limit": True}, ["step", "sum_lr", "cos_l2", "cos_linf"]),
        ({"measure": "1 - ratio_l2", "against": "step"}, ["step", "sum_lr", "ratio_l2"]),
        ({"measure": "log_loss", "against": "log norm_l2"}, ["step", "sum_lr", "log_loss", "norm_l2"]),
    ],
)
def test_of_the_curves_only_what_claims_look_at_is_read(claim, expected):
    assert curve_columns(study_of(claim | {"at_least": 0}), USUAL) == ["run_id", *expected]


def test_wrong_claims_are_refused_all_at_once():
    claim = {"measure": "cos", "where": {"x": 1, "status": "OK"}, "across": "y", "at_least": 0}
    with pytest.raises(InputError) as caught:
        verdicts(study_of(claim, claim), values(1.0), None)
    assert [mistake.split(":")[0] for mistake in caught.value.mistakes] == [
        f"claim.{i}.{part}" for i in (0, 1) for part in ("measure", "where", "where.status", "across")
    ]


numbers = st.floats(-2, 2).map(lambda x: round(x, 2)) | st.just(math.nan)
rows = st.lists(
    st.fixed_dictionaries(
        {
            "cos_l2": numbers,
            "batch": st.sampled_from([1, 2, 5]),
            "order": st.sampled_from(["cyclic", "full"]),
            "data_params": st.sampled_from([{"alpha": 1}, {"alpha": 2}, {}]).map(json.dumps),
        }
    ),
    max_size=6,
)
expectations = st.one_of(
    st.builds(lambda x: {"at_least": x}, st.floats(-1, 1)),
    st.builds(lambda x: {"at_most": x}, st.floats(-1, 1)),
    st.builds(lambda x, y: {"equal": x, "within": y}, st.floats(-1, 1), st.floats(0, 1)),
)
filters = st.fixed_dictionaries(
    {},
    optional={
        "batch": st.sampled_from([1, [1, 2], [7]]),
        "order": st.sampled_from(["cyclic", ["cyclic", "full"]]),
        "data.alpha": st.sampled_from([1, [1, 2]]),
    },
)


@given(rows, expectations, filters)
def test_a_claim_holds_if_and_only_if_every_run_satisfies_it(rows, expectation, where):
    def is_in(value, wanted):
        return value in (wanted if isinstance(wanted, list) else [wanted])

    def satisfied(x):
        if "at_least" in expectation:
            return x >= expectation["at_least"]
        if "at_most" in expectation:
            return x <= expectation["at_most"]
        return abs(x - expectation["equal"]) <= expectation["within"]

    chosen = [
        row["cos_l2"]
        for row in rows
        if all(
            is_in(json.loads(row["data_params"]).get("alpha") if key == "data.alpha" else row[key], wanted)
            for key, wanted in where.items()
        )
    ]
    known = [x for x in chosen if not math.isnan(x)]
    verdict = claim_on(table(*rows), where=where, **expectation)
    assert verdict.runs == len(chosen)
    assert (verdict.outcome == "holds") == (bool(chosen) and all(map(satisfied, chosen)))
    assert (verdict.outcome == "fails") == (not all(map(satisfied, known)))

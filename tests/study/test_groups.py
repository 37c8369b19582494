"""Claims that compare runs which differ in one thing alone."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from verdict_tables import claim_on, judged, table

from implicitbias.study.expand import canonical, expand
from implicitbias.study.groups import SPECIFICATION
from implicitbias.study.rows import describe
from implicitbias.study.spec import parse_study


def test_across_compares_runs_that_differ_in_one_column():
    runs = table(
        {"cos_l2": 0.50, "batch": 1, "order": "cyclic"},
        {
            "cos_l2": 0.60,
            "batch": 2,
            "order": "cyclic",
            "label": "SGD'",
            "optimizer": "other",
        },  # names are no difference
        {"cos_l2": 0.90, "batch": 1, "order": "replacement"},
        {"cos_l2": 0.95, "batch": 2, "order": "replacement"},
        {"cos_l2": 9.00, "batch": 2, "order": "full"},  # alone
    )
    verdict = claim_on(runs, across="batch", at_most=0.1000001)
    assert (verdict.outcome, verdict.value) == ("holds", pytest.approx(0.1))
    assert verdict.detail.startswith("worst of 2 groups: ") and verdict.detail.endswith("; 1 runs are in no group")
    assert claim_on(runs, across="batch", at_most=0.099).outcome == "fails"
    assert claim_on(runs, across="batch", at_most=0.099, over="mean").value == pytest.approx(0.075)
    verdict = claim_on(runs, across="batch", at_most=0.099, where={"order": "replacement"})
    assert verdict.outcome == "holds" and "in no group" not in verdict.detail
    assert claim_on(runs, across="order", at_most=10, where={"batch": 1}).value == pytest.approx(0.4)


def test_across_and_against_is_the_power_of_a_law_in_each_group():
    runs = table(*({"cos_l2": scale * beta**-1.5, "batch": b, "seed": s} for s, scale in ((0, 0.5), (1, 0.25))
                   for b, beta in ((1, 1.0), (2, 2.0), (8, 8.0))))  # fmt: skip
    verdict = claim_on(runs, across="batch", against="batch", equal=-1.5, within=1e-9)
    assert (verdict.outcome, verdict.value) == ("holds", pytest.approx(-1.5))
    assert "worst of 2 groups" in verdict.detail
    assert verdict.expected == "slope of log(cos_l2) against log(batch) across batch = -1.5 +- 1e-09"
    assert verdict.found.startswith("worst slope of log(cos_l2) against log(batch) across batch -1.5 of 6 runs")
    assert claim_on(runs, across="batch", against="batch", at_least=-1.4).outcome == "fails"
    mean = claim_on(runs, across="batch", against="9 - batch", equal=0.0, within=9.0, over="mean")
    assert mean.outcome == "holds" and "mean over 2 groups" in mean.detail
    # two points are no law, and what is not positive has no logarithm
    assert claim_on(runs, across="batch", against="batch", at_least=-2, where={"batch": [1, 2]}).outcome == "undecided"
    assert claim_on(runs, across="batch", against="8 - batch", at_least=-2).outcome == "undecided"


def steps_of_size(*pairs, **more):
    return table(*({"lr_eta": lr, "cos_l2": value, "log_loss": value} | more for lr, value in pairs))


def test_width_is_how_far_the_axis_may_be_from_its_best_value():
    runs = steps_of_size((1.0, 2.0), (0.01, 3.0), (0.1, 1.0), (10.0, 9.0))
    # from 1 to 3 over a decade below, from 1 to 2 over one above: 1.5 is a quarter and a half of a decade away
    verdict = claim_on(runs, across="lr_eta", width=0.5, at_least=0.3)
    assert (verdict.outcome, verdict.value) == ("holds", pytest.approx(0.375))
    assert verdict.expected == "half-width of lr_eta in decades for cos_l2 within 0.5 of the least >= 0.3"
    assert claim_on(runs, across="lr_eta", width=1.5, at_most=1).value == pytest.approx((0.75 + 1 + 0.5 / 7) / 2)
    # a loss of 1.5 times the least is its logarithm and log 1.5
    verdict = claim_on(runs, measure="log_loss", across="lr_eta", width=0.5, at_least=0)
    assert verdict.value == pytest.approx(np.log(1.5) * (1 / 2 + 1) / 2)
    both = pd.concat([runs, steps_of_size((0.1, 4.0), (1.0, 1.0), (10.0, 4.0), seed=1)], ignore_index=True)
    both["run_id"] = [f"r{i}" for i in range(len(both))]
    verdict = claim_on(both, across="lr_eta", width=0.5, at_least=0, over="mean")
    assert verdict.value == pytest.approx((0.375 + 1 / 6) / 2) and "mean over 2 groups" in verdict.detail


@pytest.mark.parametrize("pairs", [
    ((0.1, 1.0), (1.0, 2.0), (10.0, 3.0)),  # the least is at an end
    ((0.1, 1.2), (1.0, 1.0), (10.0, 3.0)),  # the width goes on beyond it
    ((0.0, 2.0), (1.0, 1.0), (10.0, 3.0)),  # zero has no logarithm
])  # fmt: skip
def test_a_width_that_was_not_seen_whole_is_none(pairs):
    verdict = claim_on(steps_of_size(*pairs), across="lr_eta", width=0.5, at_least=0)
    assert verdict.outcome == "undecided" and "none of the 1 groups has the measure" in verdict.detail


def test_across_orders_the_rule_for_the_remainder_may_differ():
    runs = table(
        {"cos_l2": 0.5, "order": "cyclic", "remainder": "keep"},
        {"cos_l2": 0.9, "order": "reshuffle", "remainder": "drop"},
    )
    assert claim_on(runs, across="order", at_most=0.1).outcome == "fails"
    # but not where the study asks for one
    assert claim_on(runs, across="order", at_most=0.1, grid=[{"remainder": ["keep", "drop"]}]).outcome == "undecided"


def test_what_advances_together_with_the_axis_may_differ():
    runs = table({"cos_l2": 0.5, "batch": 1, "lr_eta": 0.1}, {"cos_l2": 0.9, "batch": 2, "lr_eta": 0.2},
                 {"cos_l2": 0.7, "batch": 4, "lr_eta": 0.4})  # fmt: skip
    assert claim_on(runs, across="batch", at_most=0.5).outcome == "undecided"
    grid = [{"batch": [1, 2, 4], "lr": [0.1, 0.2, 0.4], "zip": [["batch", "lr"]]}]
    verdict = claim_on(runs, across="batch", at_most=0.5, grid=grid)
    assert (verdict.outcome, verdict.value) == ("holds", pytest.approx(0.4)) and "worst of 1 groups" in verdict.detail
    assert claim_on(runs, across="lr_eta", at_most=0.5, grid=grid).value == pytest.approx(0.4)
    assert claim_on(runs, across="batch", at_most=0.5, grid=[{"zip": [["lr", "steps"]]}]).outcome == "undecided"


OTHERWISE = {
    "data_digest": "y", "optimizer_kind": "ngd", "seed": 1, "momentum": 0.9, "nesterov": True, "beta1": 0.5,
    "lr_eta": 1.0, "lr_a": 0.5, "lr_t0": 1.0, "order": "reshuffle", "remainder": "drop", "steps": 500, "time": 1.0,
    "until_log_loss": -9.0, "loss": "exponential", "per_octave": 4, "limit_method": "none",
}  # fmt: skip


@pytest.mark.parametrize("column", OTHERWISE)
def test_across_does_not_compare_what_differs_otherwise(column):
    runs = table({"cos_l2": 0.5, "batch": 1}, {"cos_l2": 0.9, "batch": 2, column: OTHERWISE[column]})
    for claim in ({"at_most": 1}, {"at_least": 1}):
        assert claim_on(runs, across="batch", **claim).outcome == "undecided"


@settings(max_examples=25)
@given(st.data())
def test_a_group_is_one_run_for_each_value_of_its_axis(data):
    """Over a product of axes, the groups are the lines along one of them, whatever the others."""
    axes = {name: [same, other] for name, other in OTHERWISE.items() for same in table({})[name].tolist()}
    names = data.draw(st.lists(st.sampled_from(sorted(axes)), min_size=1, max_size=3, unique=True))
    cells = [dict(zip(names, values)) for values in itertools.product(*(axes[name] for name in names))]
    numbers = data.draw(st.lists(st.floats(-1, 1), min_size=2 * len(cells), max_size=2 * len(cells)))
    pairs = list(zip(numbers[::2], numbers[1::2]))
    rows = [cell | {"batch": b + 1, "cos_l2": pair[b]} for cell, pair in zip(cells, pairs) for b in (0, 1)]
    order = data.draw(st.permutations(range(len(rows))))
    verdict = claim_on(table(*(rows[i] for i in order)), across="batch", at_most=0)
    assert verdict.value == pytest.approx(max(abs(x - y) for x, y in pairs))
    assert f"worst of {len(cells)} groups" in verdict.detail


def test_what_a_run_is_has_its_columns_in_the_table():
    """Runs with the same columns of SPECIFICATION are the same run: nothing that makes an id is left out."""
    study = parse_study(
        {
            "title": "t",
            "data": {"gaussian": {"n": 4, "d": 6, "seed": [0, 1]}},
            "optimizer": {
                "sgd": {"momentum": [0.0, 0.9], "nesterov": [False, True], "lr": [0.1, {"eta": 0.1, "a": 0.5}]},
                "adam": {"beta1": [0.0, 0.9], "eps": [0.0, 1.0], "bias_correction": [False, True], "lr": [0.1, 0.2]},
                "steepest_flow": {"p": [1.5, 3.0]},
            },
            "grid": [
                {"optimizer": ["sgd", "adam"], "batch": [1, 3], "order": ["full", "reshuffle"], "steps": [5, 6],
                 "until_log_loss": [-1.0, -2.0], "seed": [0, 1], "remainder": ["keep", "drop"], "per_octave": [4, 8],
                 "loss": ["logistic", "exponential"], "limit": ["none", "theory"]},
                {"optimizer": "steepest_flow", "time": [10.0, 20.0]},
            ],
        }
    )  # fmt: skip
    runs = expand(study)
    rows = pd.DataFrame([describe(run) for run in runs]).reindex(columns=SPECIFICATION)
    assert len(runs) > 1000 and not rows.astype(str).duplicated().any()
    assert set(canonical(*(getattr(runs[-1], name) for name in ("data", "optimizer", "lr", "setting", "limit")))) == {
        "data", "optimizer", "hyper", "lr", "limit", "batch", "order", "remainder", "steps", "until_log_loss", "seed",
        "loss", "per_octave", "time",
    }  # fmt: skip


def test_the_same_number_of_epochs_is_the_same_horizon():
    # n = 4, 10 and 20 epochs: 40 and 80 steps of one row, 20 and 40 of two; 50 steps are no number of epochs asked for
    horizons = {(1, 40): 0.0, (1, 80): 0.5, (2, 20): 0.1, (2, 40): 0.8, (1, 50): 0.4, (2, 50): 0.42}
    runs = table(*({"batch": b, "steps": steps, "cos_l2": value} for (b, steps), value in horizons.items()))
    verdict = claim_on(runs, across="batch", at_most=1, grid=[{"epochs": [10, 20]}])
    assert verdict.value == pytest.approx(0.3) and "worst of 3 groups" in verdict.detail
    verdict = claim_on(runs, across="batch", at_most=1, grid=[{"steps": [20, 40, 50, 80]}])
    assert verdict.value == pytest.approx(0.8) and "worst of 2 groups" in verdict.detail
    assert verdict.detail.endswith("; 2 runs are in no group")


def test_the_step_size_is_held_fixed_across_batch_sizes():
    (equal, moved, alone), runs = judged(
        """
        title = "t"
        [data.gaussian]
        n = 4
        d = 6
        [optimizer.sgd]
        lr = [0.1, 1.0]
        [[grid]]
        batch = [1, 2]
        steps = 2000
        [[claim]]
        says = "a"
        source = "b"
        measure = "norm_l2"
        across = "batch"
        at_least = 1
        [[claim]]
        says = "a"
        source = "b"
        measure = "norm_l2"
        across = "lr_eta"
        at_least = 1
        [[claim]]
        says = "a"
        source = "b"
        measure = "norm_l2"
        across = "seed"
        at_least = 0
        """
    )
    norms = runs.pivot(index="lr_eta", columns="batch", values="norm_l2")
    least = (norms[1] - norms[2]).abs().min()
    assert (equal.outcome, equal.value) == ("fails", pytest.approx(least)) and least < 0.1
    assert moved.outcome == "holds" and "worst of 2 groups" in moved.detail
    assert (alone.outcome, alone.detail) == ("undecided", "no two of the 4 runs differ in seed alone")


def test_across_needs_the_measure_of_every_run_of_a_group():
    runs = table({"cos_l2": 0.5, "batch": 1}, {"cos_l2": 0.5, "batch": 2}, {"batch": 5})
    assert claim_on(runs, across="batch", at_most=1).outcome == "undecided"
    runs = table({"w": [1.0, 0.0], "batch": 1}, {"w": [1.0, 0.0], "batch": 2}, {"batch": 5})
    assert claim_on(runs, measure="direction", across="batch", at_least=-1).outcome == "undecided"


def test_across_compares_directions_whatever_their_length():
    runs = table(
        {"w": [1.0, 0.0], "increment": [0.0, 1.0], "batch": 1},
        {"w": [9.0, 0.0], "increment": [0.0, -7.0], "batch": 2},
        {"w": [3.0, 4.0], "increment": [0.0, 1.0], "batch": 5},
    )
    assert claim_on(runs, measure="direction", across="batch", at_least=0.5).value == pytest.approx(0.6)
    assert claim_on(runs, measure="direction", across="batch", at_least=0.7, limit=False).outcome == "fails"
    assert claim_on(runs, measure="inc_direction", across="batch", at_least=0).value == pytest.approx(-1.0)
    pair = {"batch": [1, 2]}
    assert claim_on(runs, measure="direction", across="batch", at_least=1 - 1e-12, where=pair).outcome == "holds"


def test_a_vector_that_is_zero_has_no_direction():
    runs = table({"w": [0.0, 0.0], "batch": 1}, {"w": [1.0, 0.0], "batch": 2})
    verdict = claim_on(runs, measure="direction", across="batch", at_least=-1)
    assert (verdict.outcome, verdict.detail) == ("undecided", "none of the 1 groups has the measure")

"""Claims about t -> infinity: which measures are, means and groups that still move, horizons and controls."""

import pandas as pd
import pytest
from verdict_tables import claim_on, judged, study_of, table

STEPS = 1000


def curves(*pairs, measure="cos_l2"):
    """Two snapshots a run: the values at t/2 and at t."""
    rows = [
        {"run_id": f"r{i}", "step": step, "sum_lr": float(step), measure: value}
        for i, pair in enumerate(pairs)
        for step, value in zip((STEPS // 2, STEPS), pair)
    ]
    return pd.DataFrame(rows)


def ends(*pairs, measure="cos_l2", **others):
    return table(
        *(
            {measure: pair[1], "sum_lr": float(STEPS)} | {k: v[i] for k, v in others.items()}
            for i, pair in enumerate(pairs)
        )
    )


@pytest.mark.parametrize(
    ("keys", "about"),
    [
        ({"measure": "cos_l2"}, True),
        ({"measure": "1 - inc_ratio_linf"}, True),
        ({"measure": "-angle_limit"}, True),
        ({"measure": "cos_l2 - cos_linf"}, True),
        ({"measure": "direction", "across": "batch"}, True),
        ({"measure": "cos_l2", "limit": False}, False),
        ({"measure": "norm_l2"}, False),
        ({"measure": "norm_l2", "limit": True}, True),
        ({"measure": "inc_direction", "across": "batch"}, False),
        ({"measure": "inc_cos_limit - inc_cos_if_cyclic"}, False),
        ({"measure": "cos_l2", "against": "step"}, False),
    ],
)
def test_a_direction_or_a_ratio_is_about_the_limit_unless_it_says_otherwise(keys, about):
    assert study_of(keys | {"at_least": 0.5}).claim[0].about_limit is about


def test_a_run_that_is_on_its_way_refutes_nothing():
    moving = (0.90, 0.95)
    verdict = claim_on(ends(moving), curves(moving), at_least=0.99)
    assert verdict.outcome == "undecided"
    assert verdict.detail.startswith("1 of 1 runs not there, all still moving towards it; worst: ")
    assert claim_on(ends(moving), curves(moving), at_least=0.99, limit=False).outcome == "fails"
    assert claim_on(ends((0.95, 0.95)), curves((0.95, 0.95)), at_least=0.99).outcome == "fails"


def test_a_mean_moves_as_its_runs_do_together():
    """One goes up by 0.04, one down by 0.01: the mean goes up."""
    pairs = (0.90, 0.94), (0.96, 0.95)
    verdict = claim_on(ends(*pairs), curves(*pairs), at_least=0.97, over="mean")
    assert (verdict.outcome, verdict.value) == ("undecided", pytest.approx(0.945))
    assert verdict.detail.endswith("the mean not there, all still moving towards it: 0.93 at t/2")
    down = (0.94, 0.90), (0.96, 0.95)
    assert claim_on(ends(*down), curves(*down), at_least=0.97, over="mean").outcome == "fails"
    assert claim_on(ends(*down), curves(*down), at_least=0.92, over="mean").outcome == "undecided"  # it leaves


def test_the_spread_of_a_group_may_still_shrink():
    pairs, batch = ((0.80, 0.88), (0.90, 0.91)), [1, 2]
    keys = {"across": "batch", "at_most": 0.01}
    verdict = claim_on(ends(*pairs, batch=batch), curves(*pairs), **keys)
    assert (verdict.outcome, verdict.value) == ("undecided", pytest.approx(0.03))
    assert verdict.detail.startswith("1 of 1 groups not there, all still moving towards it; worst of 1 groups: ")
    still = (0.86, 0.88), (0.89, 0.91)
    assert claim_on(ends(*still, batch=batch), curves(*still), **keys).outcome == "fails"


def test_the_directions_of_a_group_are_known_at_half_time_too():
    """w(t/2) is w without the last increment."""
    runs = table(
        {"w": [1.0, 1.0], "increment": [0.0, 1.0], "batch": 1, "sum_lr": 1000.0},
        {"w": [0.0, 1.0], "increment": [0.0, 0.5], "batch": 2, "sum_lr": 1000.0},
    )
    keys = {"measure": "direction", "across": "batch"}
    verdict = claim_on(runs, at_least=0.9, **keys)
    assert (verdict.outcome, verdict.value) == ("undecided", pytest.approx(0.5**0.5))
    assert verdict.detail.endswith(": 0 at t/2")
    apart = runs.assign(increment=[[0.0, 0.0], [-1.0, 0.0]])  # they were the same then
    assert claim_on(apart, at_least=0.9, **keys).outcome == "fails"


def test_a_claim_may_say_at_which_horizon_it_is():
    runs = ends((0.99, 0.99))
    assert claim_on(runs, at_least=0.9, horizon=STEPS).outcome == "holds"
    verdict = claim_on(runs, at_least=0.9, horizon=1e8)
    assert verdict.outcome == "undecided"
    assert verdict.detail.startswith("the claim is about a horizon of 1e+08, and its runs have 1000; ")


def test_a_control_is_told_beside_its_claim():
    runs = ends((0.99, 0.99), (0.3, 0.3), optimizer=["sgd", "adam"])
    keys = {"at_least": 0.9, "where": {"optimizer": "sgd"}}
    control = {"says": "Adam", "where": {"optimizer": "adam"}}
    verdict = claim_on(runs, control=control, **keys)
    assert verdict.outcome == "holds"
    assert verdict.detail.endswith("; the control (Adam) fails, as it should: 0.3")
    verdict = claim_on(ends((0.99, 0.99), (0.95, 0.95), optimizer=["sgd", "adam"]), control=control, **keys)
    assert verdict.detail.endswith("; the control (Adam) holds too, which it should not: 0.95")


def test_step_sizes_are_told_apart_as_a_study_writes_them():
    text = """
        title = "t"
        data.gaussian = { n = 2, d = 3 }
        optimizer = { sgd = {} }
        grid = [{ lr = [0.1, { eta = 0.1, a = 0.5 }], steps = 4, order = "full", batch = "n" }]
        claim = [
            { says = "a", measure = "norm_l2", at_least = 0, where = { lr = 0.1 } },
            { says = "b", measure = "norm_l2", at_least = 0, where = { lr = { eta = 0.1, a = 0.5 } } },
            { says = "c", measure = "norm_l2", at_least = 0, where = { lr = [0.1, { eta = 0.1, a = 0.5 }] } },
        ]
    """
    assert [verdict.runs for verdict in judged(text)[0]] == [1, 1, 2]


def test_a_step_size_that_no_run_has_is_refused(mistakes):
    text = """
        title = "t"
        data.gaussian = { n = 2, d = 3 }
        optimizer = { sgd = {} }
        grid = [{ lr = [0.1, { eta = 0.1, a = 0.5 }], steps = 4, order = "full", batch = "n" }]
        claim = [{ says = "a", measure = "norm_l2", at_least = 0, where = { lr = 0.2 } }]
    """
    sentence = "claim.0.where.lr: no run of the study has 0.2; its runs have 0.1, { eta = 0.1, a = 0.5 }"
    assert mistakes(text) == [sentence]
    assert mistakes(text.replace("lr = 0.2", 'lr = "cosine"'))[0].startswith("claim.0.where.lr: ")
    control = 'where = { lr = 0.1 }, control = { where = { optimizer = "adam" } }'
    (found,) = mistakes(text.replace("where = { lr = 0.2 }", control))
    assert found == "claim.0.control.where.optimizer: no run of the study has 'adam'; its runs have 'sgd'"

"""Filters of claims: what they select, and the values that no run of a study has."""

import itertools
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st
from verdict_tables import claim_on, table

from implicitbias.errors import InputError
from implicitbias.study.filters import same, select
from implicitbias.study.plan import plan

STUDY = """
title = "t"
[data.gaussian]
n = 4
d = 6
seed = { from = 0, to = 2 }
[data.tie]
kind = "shifted_diagonal"
diagonal = [[1.0, 2.0, 4.0], [1.0, 1.0, 4.0]]
[optimizer.adam]
beta2 = [0.95, 0.999]
lr = { eta = 0.1, a = 0.5 }
[optimizer.sgd]
lr = 0.1
[optimizer.flow]
kind = "gradient_flow"
[[grid]]
data = "gaussian"
optimizer = ["adam", "sgd"]
batch = [1, 2, "n"]
order = ["reshuffle", "cyclic"]
steps = 50
[[grid]]
data = "tie"
optimizer = "adam"
steps = 50
[[grid]]
data = "gaussian"
optimizer = "flow"
time = 1e10
"""


@pytest.fixture
def mistakes(tmp_path):
    """What is said of a study with a claim whose filter is this."""

    def of(where, settings=()):
        path = tmp_path / "s.toml"
        claim = f'[[claim]]\nsays = "a"\nsource = "b"\nmeasure = "cos_l2"\nat_least = 0\nwhere = {{ {where} }}\n'
        path.write_text(textwrap.dedent(STUDY) + claim)
        try:
            plan(path, list(settings))
        except InputError as error:
            return error.mistakes
        return []

    return of


@pytest.mark.parametrize(
    "where, mistake",
    [
        ('optimizer = "Adam"', "optimizer: no run of the study has 'Adam'; did you mean 'adam'?"),
        ('order = "reshufle"', "order: no run of the study has 'reshufle'; did you mean 'reshuffle'?"),
        ('order = "replacement"', "order: no run of the study has 'replacement'; its runs have 'reshuffle', "),
        ('data = "gausian"', "data: no run of the study has 'gausian'; did you mean 'gaussian'?"),
        ('data = ["gaussian", "tye"]', "data: no run of the study has 'tye'; did you mean 'tie'?"),
        ("seed = 3", "seed: no run of the study has 3; the seed of the data is data_seed"),
        ("data_seed = 3", "data_seed: no run of the study has 3; its runs have 0, 1, 2"),
        ("data_seed = { from = 5, to = 9 }", "data_seed: no run of the study has {'from': 5, 'to': 9}; "),
        ("batch = [1, 3]", "batch: no run of the study has 3; its runs have 1, 2, 4"),
        ("batch = true", "batch: no run of the study has True; its runs have 1, 2, 4"),
        ('batch = "1"', "batch: no run of the study has '1'; "),
        ("beta2 = 0.9", "beta2: no run of the study has 0.9; its runs have 0.95, 0.999"),
        ("nesterov = 0", "nesterov: no run of the study has 0; its runs have False"),
        ("kappa = 1.0", "kappa: no run of the study has 1.0; its runs have 0.0"),
        ("time = 1e100", "time: no run of the study has 1e+100; its runs have 10000000000.0"),
        (
            '"data.diagonal" = [1.0, 3.0, 4.0]',
            "data.diagonal: no run of the study has [1.0, 3.0, 4.0]; its runs have [1.0",
        ),
        (
            '"data.diagonal" = [[1.0, 2.0, 4.0], [3.0]]',
            "data.diagonal: no run of the study has [3.0]; its runs have [1.0",
        ),
        ('"data.alpha" = 1.0', "data.alpha: no run of the study has 1.0; its runs have none at all"),
        ('data = "tie", optimizer = "sgd"', ": no run of the study has all of data = 'tie', optimizer = 'sgd'"),
        ('limit_method = "numerical"', "limit_method: no run of the study has 'numerical'; its runs have 'theory'"),
    ],
)
def test_a_value_that_no_run_has_is_refused_before_running(mistakes, where, mistake):
    found = mistakes(where)
    assert len(found) == 1 and mistake in found[0] and found[0].startswith("claim.0.where"), found


@pytest.mark.parametrize(
    "where",
    [
        'optimizer = ["adam", "sgd", "flow"]', 'batch = "n"', 'batch = [1, "n"]', "batch = { from = 1, to = 9 }",
        "batch = 4.0",
        "nesterov = false", 'status = "diverged"', "cos_l2 = 3.0", '"data.diagonal" = [1.0, 2.0, 4.0]',
        '"data.diagonal" = [[1.0, 2.0, 4.0], [1.0, 1.0, 4.0]]', "data_seed = { from = 2, to = 100 }", "n = [4, 3]",
        '"data.n" = 4', "lr_eta = 0.1, lr_a = 0.5", "time = 1e10", 'message = "x"', "steps = 50",
    ],
)  # fmt: skip
def test_values_that_runs_have_and_results_are_let_through(mistakes, where):
    assert mistakes(where) == []


def test_settings_may_leave_out_the_runs_of_a_claim(mistakes):
    assert mistakes("data_seed = 2", ["data.gaussian.seed=0"]) == []
    assert mistakes("data_sed = 2", ["data.gaussian.seed=0"])


def test_full_batches_by_name():
    runs = table({"batch": 4}, {"batch": 2}, {"batch": 1, "n": 1}, {"batch": 5, "n": 9})
    assert select(runs, {"batch": "n"})["run_id"].tolist() == ["r0", "r2"]
    assert select(runs, {"batch": [2, "n"]})["run_id"].tolist() == ["r0", "r1", "r2"]
    assert claim_on(runs.assign(cos_l2=0.5), where={"batch": "n"}, at_least=0.1).runs == 2


def test_types_count():
    runs = table({"nesterov": True, "batch": 1, "seed": 0}, {"nesterov": False, "batch": 2, "seed": 1})
    for where, found in [
        ({"batch": True}, []), ({"batch": 1}, ["r0"]), ({"batch": 1.0}, ["r0"]), ({"batch": "1"}, []),
        ({"nesterov": True}, ["r0"]), ({"nesterov": 1}, []), ({"nesterov": [0, 1]}, []), ({"seed": False}, []),
        ({"seed": 0}, ["r0"]), ({"label": 1}, []), ({"beta1": True}, []),
    ]:  # fmt: skip
        assert select(runs, where)["run_id"].tolist() == found, where


def test_what_came_later_is_at_its_default_where_the_table_has_none():
    kinds = ({"optimizer_kind": "adagrad"}, {"optimizer_kind": "adagrad", "eps_inside": True},
             {"optimizer_kind": "adam", "eps_inside": False}, {"optimizer_kind": "sgd"})  # fmt: skip
    runs = table(*kinds)
    assert select(runs, {"eps_inside": False})["run_id"].tolist() == ["r0", "r2"]
    assert select(runs, {"eps_inside": True})["run_id"].tolist() == ["r1"]
    assert select(runs, {"eps_inside": [False, True], "optimizer_kind": "adagrad"})["run_id"].tolist() == ["r0", "r1"]


scalars = st.one_of(st.booleans(), st.integers(-2, 2), st.sampled_from([-1.0, 0.0, 0.5, 1.0]), st.sampled_from("01a"))
values = st.one_of(scalars, st.lists(scalars, max_size=2))


@given(st.lists(values, min_size=3, max_size=3))
def test_equality_is_one_and_knows_types(items):
    for a, b in itertools.product(items, repeat=2):
        assert same(a, a) and same(a, b) == same(b, a)
        if not isinstance(a, list) and not isinstance(b, list):
            kinds = [bool if isinstance(x, bool) else str if isinstance(x, str) else float for x in (a, b)]
            assert same(a, b) == (kinds[0] is kinds[1] and a == b)
    a, b, c = items
    assert not (same(a, b) and same(b, c)) or same(a, c)

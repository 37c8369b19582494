"""Branches: a grid with `after` goes on from the end of another optimizer's run."""

import json

import numpy as np
import pytest

import implicitbias as ib
from implicitbias.study.expand import expand

STUDY = {
    "title": "branches", "question": "?", "measures": ["margins", "subspace"], "norms": ["l2"],
    "data": {"gaussian": {"n": 8, "d": 12}},
    "optimizer": {
        "base": {"kind": "sgd", "momentum": 0.9}, "dom": {"kind": "subspace_sgd", "momentum": 0.9, "rank": 2},
        "other": {"kind": "adam"},
    },
    "grid": [{"batch": 2, "steps": 100, "lr": 0.05, "after": {"optimizer": "base", "steps": 50}, "limit": "none"}],
}  # fmt: skip


def study(**after):
    return STUDY | {"grid": [STUDY["grid"][0] | {"after": {"optimizer": "base", "steps": 50} | after}]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("branches") / "out"
    ib.run_study(STUDY, out=place)
    return place


def test_each_branch_is_the_run_that_simulate_makes(folder):
    problem, base = ib.geometry.gaussian(n=8, d=12), ib.SGD(momentum=0.9)
    start = ib.simulate(problem, base, lr=0.05, batch=2, steps=50)
    runs = ib.load_runs(folder).set_index("optimizer")
    movers = {"base": base, "dom": ib.Subspace(base, 2), "other": ib.Adam()}
    for name, optimizer in movers.items():
        run = ib.simulate(problem, optimizer, lr=0.05, batch=2, steps=100, start=start)
        np.testing.assert_array_equal(np.array(runs.loc[name, "w"]), run.weights[-1])
    assert (runs["step"] == 150).all() and (runs["status"] == "ok").all() and runs["chi_update"].notna().all()
    whole = ib.simulate(problem, base, lr=0.05, batch=2, steps=150)
    np.testing.assert_array_equal(np.array(runs.loc["base", "w"]), whole.weights[-1])


def test_a_run_is_known_by_what_it_goes_on_from(folder):
    runs = ib.load_runs(folder)
    told = json.loads(runs["after"].iloc[0])
    assert (told["optimizer"], told["steps"], told["hyper"]["momentum"]) == ("sgd", 50, 0.9)
    others = [ib.load_study(study(steps=51)), ib.load_study(study(batch="n")), ib.load_study(study(lr=0.01))]
    ids = [run.run_id for other in [ib.load_study(STUDY), *others] for run in expand(other)]
    assert len(set(ids)) == len(ids) and set(runs["run_id"]) == set(ids[:3])


def test_it_is_reproduced(folder):
    for run_id in ib.load_runs(folder)["run_id"]:
        assert ib.reproduce(run_id, folder).equal
        assert ib.rerun(folder, run_id).steps[-1] == 150


def test_other_batches_before_the_branch(tmp_path):
    ib.run_study(study(batch="n", order="full"), out=tmp_path / "out")
    start = ib.simulate(ib.geometry.gaussian(n=8, d=12), ib.SGD(0.9), lr=0.05, order="full", steps=50)
    run = ib.simulate(start.problem, ib.SGD(0.9), batch=2, order="reshuffle", steps=100, start=start)
    found = ib.load_runs(tmp_path / "out").set_index("optimizer").loc["base", "w"]
    np.testing.assert_array_equal(np.array(found), run.weights[-1])


@pytest.mark.parametrize(
    "after, words",
    [
        (5, "must be a table such as"),
        ({"optimizer": "base"}, "must be a table such as"),
        ({"optimizer": "bass", "steps": 5}, "did you mean 'base'"),
        ({"optimizer": "base", "steps": 0}, "after.steps must be an integer >= 1"),
        ({"optimizer": "base", "steps": 5, "step": 5}, "unknown key 'step'"),
        ({"optimizer": "base", "steps": 5, "batch": 0}, 'must be an integer >= 1 or "n"'),
        ({"optimizer": "base", "steps": 5, "order": "shuffled"}, "unknown order 'shuffled'"),
    ],
)
def test_mistakes_are_sentences(after, words):
    with pytest.raises(ib.InputError, match=words):
        ib.load_study(STUDY | {"grid": [STUDY["grid"][0] | {"after": after}]})

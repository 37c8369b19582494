"""Flows in study files: the same tables as every other run, an axis of their own, and mistakes that say what to do."""

import json
import tomllib

import numpy as np
import pytest

import implicitbias as ib
from implicitbias.report import write_report
from implicitbias.store.schema import CURVES, RUNS, optional
from implicitbias.study.claims import verdicts
from implicitbias.study.expand import canonical, expand
from implicitbias.study.spec import override, parse_study
from implicitbias.study.stored import stored_study
from implicitbias.sweep.tasks import estimate

STUDY = """
title = "t"
[data.gaussian]
n = 3
d = 6
seed = [0, 1]
[optimizer.flow]
kind = "gradient_flow"
[optimizer.lp]
kind = "steepest_flow"
p = [1.5, 3]
[optimizer.adam_proxy_flow]
[optimizer.gd]
kind = "sgd"
lr = 0.1
[[grid]]
optimizer = ["flow", "lp"]
time = [1e10, 1e100]
[[grid]]
optimizer = "adam_proxy_flow"
time = 10_000
per_octave = 2
loss = "exponential"
[[grid]]
optimizer = "gd"
order = "full"
steps = 100
[[claim]]
says = "Where the support vectors span, w - w_hat log t converges"
source = "arXiv:1710.10345"
measure = "residual"
where = { optimizer = "flow", time = 1e100 }
at_most = 1e-6
[[claim]]
says = "Flows go to their limits"
source = "theory"
measure = "inc_cos_limit"
where = { optimizer_kind = ["gradient_flow", "steepest_flow", "adam_proxy_flow"], time = [10000.0, 1e100] }
at_least = 0.999999
"""


def runs_of(*settings, text=STUDY):
    return expand(parse_study(override(tomllib.loads(text), list(settings))))


def mistakes_of(text):
    with pytest.raises(ib.InputError) as caught:
        runs_of(text=text)
    return caught.value.mistakes


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("flows")
    (folder / "study.toml").write_text(STUDY)
    ib.run_study(folder / "study.toml", out=folder / "out", jobs=1)
    return folder / "out"


def test_a_study_of_flows_from_end_to_end(finished):
    runs, curves = ib.load_runs(finished), ib.load_curves(finished)
    assert len(runs) == 2 * (2 + 4 + 1 + 1)
    assert (runs["status"] == "ok").all()
    assert set(RUNS.names) - set(runs) <= optional() and list(curves.columns) == CURVES.names
    flows = runs[runs["time"].notna()]
    assert flows["sum_lr"].tolist() == flows["time"].tolist()
    assert flows[["lr_eta", "lr", "epoch", "steps"]].isna().all(axis=None)
    assert (flows["batch"] == 3).all() and (flows["order"] == "full").all()
    assert sorted(flows["p"].dropna().unique()) == [1.5, 3.0]
    assert (flows["limit_gap"] < 1e-6).all()
    discrete = runs[runs["time"].isna()]
    assert (discrete["steps"] == 100).all() and discrete["residual"].notna().all()
    assert curves.groupby("run_id")["sum_lr"].max().max() == 1e100
    study, _ = stored_study(finished)
    found = verdicts(study, runs, curves)
    assert [verdict.outcome for verdict in found] == ["holds", "holds"]


def test_the_table_holds_what_simulate_gives(finished):
    runs = ib.load_runs(finished)
    row = runs[(runs["label"] == "SteepestFlow(p=1.5)") & (runs["time"] == 1e100)].iloc[0]
    problem = ib.geometry.gaussian(**json.loads(row["data_params"]))
    run = ib.simulate(problem, ib.SteepestFlow(p=1.5), time=1e100)
    np.testing.assert_array_equal(run.weights[-1], row["w"])
    assert row["step"] == run.steps[-1]


def test_the_report_draws_flows_against_their_time(finished):
    text = write_report(finished).read_text(encoding="utf-8")
    assert "GradientFlow" in text and "along_the_way" in text


def test_flows_resume(finished, tmp_path):
    again = ib.run_study(finished / "study.toml", out=tmp_path / "out", jobs=1, settings=["data.gaussian.seed=0"])
    assert again.computed == again.total == 8
    assert ib.run_study(finished / "study.toml", out=tmp_path / "out", settings=["data.gaussian.seed=0"]).computed == 0


def test_time_is_part_of_the_identity_of_flows_alone():
    runs = runs_of()
    assert len({run.run_id for run in runs}) == len(runs)
    for run in runs:
        specification = canonical(run.data, run.optimizer, run.lr, run.setting, run.limit)
        assert ("time" in specification) == (run.lr is None)
    assert [run.setting.per_octave for run in runs if run.data.params[-1] == ("seed", 0)] == [1] * 6 + [2, 8]
    assert 0.0 < estimate(runs) < 60.0


TWO = STUDY.split("[[grid]]", 1)[0]
WRONG = {
    "[[grid]]\ntime = 1e5": "flow 'flow' runs to a time and 'gd' makes steps; put them in two grids",
    "[[grid]]\noptimizer = 'flow'": "grid.0.time is missing: the horizon of the flow 'flow'",
    "[[grid]]\noptimizer = 'flow'\ntime = 1e5\nbatch = 1\nseed = 3": "takes no batch, seed; its horizon is `time`",
    "[[grid]]\noptimizer = 'flow'\ntime = 1e5\nsteps = 100": "a flow takes no steps",
    "[[grid]]\noptimizer = 'flow'\ntime = 1e5\nlr = 0.1": "a flow takes no lr",
    "[[grid]]\noptimizer = 'flow'\ntime = 1e305": "time of GradientFlow must be > 0 and at most 1e+300",
    "[[grid]]\noptimizer = 'gd'\ntime = 1e5": "grid.0.time: the horizon of flows; gd take steps or epochs",
    "[[grid]]\noptimizer = 'flow'\ntime = []": "grid.0.time is an empty list",
    "[optimizer.a]\nkind = 'gradient_flow'\nlr = 1\n[[grid]]\noptimizer = 'a'\ntime = 9": "a flow has no step size",
    "[optimizer.a]\nkind = 'steepest_flow'\np = 1\n[[grid]]\noptimizer = 'a'\ntime = 9": "p of SteepestFlow must be",
}


@pytest.mark.parametrize("grid", WRONG)
def test_mistakes_say_what_would_be_right(grid):
    (mistake,) = mistakes_of(TWO + grid)
    assert WRONG[grid] in mistake

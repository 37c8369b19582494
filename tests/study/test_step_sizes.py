"""Step sizes of a study: what may be written, what the tables keep of it, and that a run comes out of them again."""

import json
import tomllib
import warnings

import pandas as pd
import pyarrow.parquet as pq
import pytest

import implicitbias as ib
from implicitbias.simulation.schedules import SCHEDULES
from implicitbias.study.expand import canonical, run_id
from implicitbias.study.naming import step_size
from implicitbias.study.plan import plan
from implicitbias.study.step_sizes import schedule, schedule_of, step_columns, written

STUDY = """
title = "t"
[data.gaussian]
n = 4
d = 6
[optimizer.sgd]
lr = {lr}
[[grid]]
steps = 100
batch = [1, "n"]
"""
LAWS = {
    "0.1": ib.Power(0.1),
    '{ schedule = "power", eta = 0.1, a = 0.5 }': ib.Power(0.1, 0.5),
    '{ schedule = "cosine", eta = 0.1, steps = 1e2, final = 0, warmup = 5 }': ib.Cosine(0.1, 100, warmup=5),
    '{ schedule = "linear", eta = 0.1, steps = 50, final = 0.123456789 }': ib.Linear(0.1, 50, 0.123456789),
    '{ schedule = "warmup_stable_decay", eta = 0.1, steps = 1234567, warmup = 5, decay = 20 }':
        ib.WarmupStableDecay(0.1, 1234567, 5, 20),
    '{ schedule = "increasing", eta = 0.01, a = 0.25 }': ib.Increasing(0.01, 0.25),
    '{ schedule = "loss_adaptive", eta = 0.1, t0 = 3 }': ib.LossAdaptive(0.1, t0=3.0),
    '{ schedule = "exponentiated", eta = 0.1, a = 0.5, seed = 7 }': ib.Exponentiated(0.1, 0.5, seed=7),
}  # fmt: skip


def of_text(write, *texts):
    return plan(write(STUDY.replace("{lr}", f"[{', '.join(texts)}]")))[2]


def test_what_may_be_written(write):
    assert {type(law) for law in LAWS.values()} == set(SCHEDULES.values())
    found = of_text(write, *LAWS)
    assert [run.lr for run in found] == [*LAWS.values()] * 2
    for run in found:
        parts = run.data, run.optimizer, run.lr, run.setting, run.limit
        assert run.run_id == run_id(canonical(*parts))
    assert len({run.run_id for run in found}) == len(found)


def test_a_power_is_what_it_was():
    """The canonical form, and so the id, of the runs there are."""
    assert ib.Power(0.1, 0.5).table() == {"eta": 0.1, "a": 0.5, "t0": 2.0}
    assert step_columns(ib.Power(0.1, 0.5)) == {"lr_eta": 0.1, "lr_a": 0.5, "lr_t0": 2.0}


@pytest.mark.parametrize("law", LAWS.values(), ids=lambda law: law.name)
def test_there_and_back(law):
    """By the columns of the table, also where what is missing is NaN, and by what is written."""
    columns = step_columns(law)
    assert schedule_of(columns) == law
    empty = dict.fromkeys(("lr_eta", "lr_a", "lr_t0", "lr_schedule"), float("nan"))
    assert schedule_of(pd.Series(empty | columns)) == law
    assert schedule_of(empty) is None
    assert schedule(tomllib.loads(f"x = {written(law)}")["x"], "lr", []) == law
    assert step_size(pd.Series(empty | columns)) == f"lr {law.label}"


def test_every_parameter_decides_what_a_run_is():
    texts = {json.dumps(step_columns(law)) for law in LAWS.values()}
    texts |= {json.dumps(step_columns(ib.Cosine(0.1, 100, warmup=w, final=f))) for w in (0, 6) for f in (0.0, 0.1)}
    assert len(texts) == len(LAWS) + 4


@pytest.mark.parametrize(
    ("lr", "sentences"),
    [
        ('{ schedule = "cosin", eta = 0.1 }', ["unknown schedule 'cosin'; did you mean 'cosine'?"]),
        ("{ schedule = 1, eta = 0.1 }",
         ["unknown schedule 1; use one of 'cosine', 'exponentiated', 'increasing', 'linear', 'loss_adaptive', 'power', "
          "'warmup_stable_decay'"]),
        ('{ schedule = "cosine" }', ['a step size table needs eta and steps for schedule = "cosine"']),
        ('{ schedule = "cosine", eta = 0.1, T_max = 100 }', ["unknown key 'T_max'; did you mean 'steps'?"]),
        ('{ schedule = "linear", eta = 0.1, steps = 100, decay = 10 }',
         ["the schedule 'linear' has no decay; schedule = \"warmup_stable_decay\" has it"]),
        ("{ eta = 0.1, warmup = 100 }",
         ['warmup goes with a schedule; schedule = "cosine" or "linear" or "warmup_stable_decay" has it']),
        ('{ kind = "increasing", eta = 0.1, a = 0.5 }', ["unknown key 'kind'; did you mean 'schedule'?"]),
        ('{ schedule = "cosine", eta = 0.0, steps = 1.5 }',
         ["eta of the step size must be finite and > 0, but is 0.0",
          "steps of the step size must be an integer, not 1.5"]),
        ('"linear"',
         ["the schedule 'linear' needs its numbers: { schedule = \"linear\", eta = 0.1, steps = 1000 } in a study, "
          "Linear(eta=0.1, steps=1000) in Python"]),
    ],
)  # fmt: skip
def test_the_right_word(mistakes, lr, sentences):
    assert mistakes(STUDY.replace("{lr}", lr)) == [f"optimizer.sgd.lr: {words}" for words in sentences]


def test_what_does_not_fit_the_horizon_or_the_optimizer(mistakes):
    """Once, whatever the number of runs."""
    text = STUDY.replace("lr = {lr}", "[optimizer.adam]") + "lr = [{}, {}]\n".format(
        '{ schedule = "cosine", eta = 0.1, steps = 99 }', '{ schedule = "loss_adaptive", eta = 0.1 }'
    )
    words = (
        "the step size 0.1 cosine(steps=99) is 0 at step 100 of 100, and must be finite and > 0 at each; give it steps "
        ">= the horizon, or final > 0"
    )
    assert sorted(mistakes(text)) == [
        "grid.0 with optimizer 'adam': LossAdaptive divides the step by the loss and is for plain SGD(), not for "
        "Adam(0.9, 0.999)",
        f"grid.0 with optimizer 'adam': {words}",
        f"grid.0 with optimizer 'sgd': {words}",
    ]


GIVEN = {
    "title": "t",
    "data": {"gaussian": {"n": 4, "d": 6}},
    "optimizer": {"sgd": ib.SGD()},
    "grid": [{"lr": [law for law in LAWS.values() if law.name != "linear"], "steps": 100, "batch": [1, "n"]}],
    "claim": [
        {"says": "so", "measure": "cos_l2", "at_least": 0.0, "where": {"lr": ib.Cosine(0.1, 100, warmup=5)}},
        {"says": "no", "measure": "norm_l2", "at_most": 0.0, "where": {"lr": [ib.LossAdaptive(0.1, t0=3.0)]}},
    ],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("implicitbias.report.write_report", lambda folder: folder / "report.html")
        return ib.run_study(GIVEN, tmp_path_factory.mktemp("schedules"), jobs=1).folder


def test_a_run_comes_out_again(folder):
    runs = ib.load_runs(folder)
    assert len(runs) == 14 and (runs["status"] == "ok").sum() >= 13
    assert runs.groupby("batch")["method"].nunique().tolist() == [7, 7]
    for row in runs.itertuples():
        assert ib.reproduce(row.run_id, folder).equal
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            run = ib.rerun(folder, row.run_id)
        assert step_columns(run.lr) == {
            name: value for name in ("lr_eta", "lr_a", "lr_t0", "lr_schedule") if pd.notna(value := getattr(row, name))
        }


def test_filters_know_schedules(folder):
    found = ib.load_runs(folder, where={"lr": {"schedule": "increasing", "eta": 0.01, "a": 0.25}})
    assert found["lr_schedule"].tolist() == ['{"schedule": "increasing"}'] * 2
    first, second = ib.check(folder)
    assert (first.runs, second.runs, first.outcome, second.outcome) == (2, 2, "holds", "fails")


def test_a_filter_that_no_run_has(mistakes):
    text = STUDY.replace("{lr}", '{ schedule = "cosine", eta = 0.1, steps = 1234567, warmup = 5 }')
    claim = (
        '[[claim]]\nsays = "so"\nmeasure = "cos_l2"\nat_least = 0.5\nwhere = { lr = { schedule = "linear", eta = 0.1, '
    )
    (sentence,) = mistakes(f"{text}{claim}steps = 100 }} }}")
    assert sentence.endswith('its runs have { schedule = "cosine", eta = 0.1, steps = 1234567, warmup = 5 }')


def test_figures_tell_schedules_apart(folder):
    run = [ib.simulate([[2.0, 1.0], [1.0, -1.0]], ib.SGD(), lr=law, steps=50) for law in (0.1, ib.Cosine(0.1, 50))]
    figure = ib.plot(run, y="cos_l2", x="step", hue="method")
    words = {text.get_text() for axes in figure.axes for text in axes.texts} | {
        text.get_text() for legend in figure.legends + [a.get_legend() for a in figure.axes if a.get_legend()]
        for text in legend.get_texts()
    }  # fmt: skip
    assert any("cosine" in word for word in words), words


def test_a_folder_without_the_column(folder, tmp_path):
    """From before there were schedules: it is read, and only columns that some row has are shown."""
    old = ib.run_study(
        {key: value for key, value in GIVEN.items() if key != "claim"} | {"grid": [{"lr": [0.1], "steps": 100}]},
        tmp_path / "old", jobs=1,
    ).folder  # fmt: skip
    for path in old.rglob("*.parquet"):
        table = pq.read_table(path)
        if "lr_schedule" in table.column_names:
            pq.write_table(table.drop_columns(["lr_schedule"]), path)
    (row,) = ib.load_runs(old).itertuples()
    assert not hasattr(row, "lr_schedule") and row.lr_eta == 0.1
    assert ib.reproduce(row.run_id, old).equal
    assert len(ib.load_runs(old, where={"lr": 0.1})) == 1
    both = ib.load_runs([old, folder])
    assert both["lr_schedule"].notna().sum() == 10

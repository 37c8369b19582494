"""The studies of the repository: well formed, with claims that look at runs there are, and true on a smaller scale."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import implicitbias as ib
from implicitbias.store.schema import schemas
from implicitbias.study.claims import select, verdicts
from implicitbias.study.keys import axis
from implicitbias.study.plan import plan
from implicitbias.study.rows import describe
from implicitbias.study.spec import study_files
from implicitbias.study.stored import stored_study
from implicitbias.sweep.run import run_study
from implicitbias.sweep.tasks import estimate

STUDIES = study_files(Path(__file__).parents[2] / "studies")
EXPECTED = {"batch_size", "per_sample_adam", "sgd_invariance"}

shipped = pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)


def table_of(runs):
    """The table of these runs as it would be if every one of them ended with the same measures."""
    names = schemas(runs[0].measures)["runs"].names
    measured = ("angle", "cos", "inc", "ratio", "norm", "residual", "limit_cos", "limit_ratio", "test_", "log")
    same = {name: 0.5 for name in names if name.startswith(measured)}
    same |= {column.name: 0.5 for column in runs[0].measures.columns() + runs[0].measures.end_columns()}
    same |= {"q_over_r": 1.5} if "q_over_r" in same else {}  # whose distance to 1 has a logarithm
    same |= {"log_loss": -0.5, "status": "ok", "w": [1.0, 0.0], "increment": [1.0, 0.0]}
    return pd.DataFrame([same | describe(run) for run in runs], columns=names)


def test_the_studies_are_there():
    assert {path.stem for path in STUDIES} >= EXPECTED


@shipped
def test_a_study_says_what_it_asks_and_who_claims_what(path):
    study, _, runs = plan(path)
    assert study.title and study.question.strip() and study.sources and study.claim and runs
    assert len({claim.says for claim in study.claim}) == len(study.claim)
    assert all(claim.says and claim.source and claim.standing for claim in study.claim)


@shipped
def test_a_claim_on_what_is_random_rests_on_five_draws(path):
    study, _, runs = plan(path)
    table = table_of(runs)
    for claim in study.claim:
        rows = select(table, claim.where)
        shuffled = rows["order"].isin(["reshuffle", "shuffle_once"]) & (rows["batch"] < rows["n"])
        drawn = (rows["order"] == "replacement") & (rows["n"] > 1)
        random = rows[rows["data_seed"].notna() | shuffled | drawn]
        draws = random[["data_digest", "seed", "order", "batch"]].drop_duplicates()
        assert random.empty or len(draws) >= 5, claim.says


@shipped
def test_a_quick_look_is_shorter(path):
    study, _, runs = plan(path)
    _, _, short = plan(path, study.quick)
    least = 1.0 if estimate(runs) < 1.0 else 0.5  # of a second, most is what no setting makes shorter
    assert study.quick and 0 < estimate(short) < least * estimate(runs)


@shipped
def test_every_claim_looks_at_runs_of_its_study(path):
    study, _, runs = plan(path)
    table = table_of(runs)
    for claim in study.claim:
        for name, wanted in claim.where.items():
            for value in axis(wanted) if name != "status" else ():
                assert len(select(table, claim.where | {name: value})), f"{claim.says}: {name} = {value!r}"
    # curves that stand still at 0.5, but for what a rate is taken against
    steps = 2.0 ** np.linspace(0.0, 400.0, 3201)
    moving = ("step", "sum_lr", "norm_l2", "norm_linf")
    curves = pd.DataFrame(
        {name: steps if name in moving else 0.5 for name in schemas(runs[0].measures)["curves"].names},
        index=range(len(steps)),
    )
    curves["log_loss"] = -0.5
    table["step"] = steps[-1]
    if any(claim.width is not None for claim in study.claim):  # what has a best value is a valley
        table["log_loss"] = np.log10(table["lr_eta"].astype(float) / 0.01) ** 2
    curves = pd.concat([curves.assign(run_id=name) for name in table["run_id"]])
    for verdict in verdicts(study, table, curves, runs[0].measures.objective):
        assert verdict.outcome in ("holds", "fails"), verdict.claim.says  # with all measures there, nothing is open


def test_the_main_study_has_every_cell():
    _, _, runs = plan(next(path for path in STUDIES if path.stem == "batch_size"))
    gaussian = [run for run in runs if run.data.kind == "gaussian"]
    assert {dict(run.data.params)["seed"] for run in gaussian} == set(range(10))
    assert {(run.data.n, run.data.d) for run in gaussian} == {(10, 50)}
    assert {run.setting.batch for run in gaussian} == {1, 2, 5, 10}
    assert {run.setting.order for run in gaussian} == {"full", "cyclic", "shuffle_once", "reshuffle", "replacement"}
    assert {run.optimizer.label for run in gaussian} == {"Adam(0.9, 0.95)", "Adam(0.9, 0.999)", "SGD", "Signum"}
    assert {run.data.kind for run in runs} == {
        "gaussian", "scaled_rademacher_reference", "shifted_diagonal", "digits",
    }  # fmt: skip
    # the first command of the README: under 4 minutes on 2 cores, with everything
    assert estimate(runs) < 2 * 150


# The main results within seconds: fewer cells, and half the steps.
SCIENCE = """
title = "The main results, small"
[data.reference]
kind = "scaled_rademacher_reference"
[data.shifted_diagonal]
[data.gaussian]
n = 10
d = 50
seed = { from = 0, to = 9 }
[optimizer.adam]
beta1 = 0.9
beta2 = 0.95
lr = { eta = 0.1, a = 0.5 }
[optimizer.sgd]
lr = 0.1
[optimizer.signum]
lr = { eta = 0.1, a = 0.5 }
[[grid]]
data = "reference"
batch = [1, 2, 4]
order = ["full", "cyclic", "shuffle_once", "reshuffle", "replacement"]
steps = 100_000
[[grid]]
data = "shifted_diagonal"
optimizer = "adam"
batch = [1, 2, 4]
steps = 100_000
[[grid]]
data = "gaussian"
optimizer = "adam"
batch = [1, 2, 5]
steps = 100_000
"""
WHERE = {
    "sr": '{ data = "reference", optimizer = "adam", batch = 1 }',
    "sr full": '{ data = "reference", optimizer = "adam", order = "full" }',
    "sr sgd": '{ data = "reference", optimizer = "sgd" }',
    "sr signum": '{ data = "reference", optimizer = "signum" }',
    "diagonal": '{ data = "shifted_diagonal" }',
    **{f"gaussian {b}": f'{{ data = "gaussian", batch = {b} }}' for b in (1, 2, 5)},
}
RESULTS = [
    ("per-sample Adam goes to l2, in every order", "cos_l2", "sr", "at_least = 0.999"),
    ("full-batch Adam reaches the l_inf margin", "ratio_linf", "sr full", "at_least = 0.99"),
    ("SGD goes to l2, whatever the batches", "inc_cos_l2", "sr sgd", "at_least = 0.999"),
    ("Signum reaches the l_inf margin, whatever the batches", "ratio_linf", "sr signum", "at_least = 0.98"),
    ("Adam of every batch size goes to l_inf on the shifted diagonal", "inc_cos_linf", "diagonal", "at_least = 0.999"),
    # the fixed points of the tail map, means over the seeds
    ("b = 1 on Gaussian data", "inc_cos_l2", "gaussian 1", 'over = "mean"\nequal = 0.9711\nwithin = 0.002'),
    ("b = 2 on Gaussian data", "inc_cos_l2", "gaussian 2", 'over = "mean"\nequal = 0.9718\nwithin = 0.002'),
    ("b = 5 on Gaussian data", "inc_cos_l2", "gaussian 5", 'over = "mean"\nequal = 0.9584\nwithin = 0.002'),
    ("l_inf margin at b = 1", "inc_ratio_linf", "gaussian 1", 'over = "mean"\nequal = 0.5475\nwithin = 0.005'),
    ("l_inf margin at b = 2", "inc_ratio_linf", "gaussian 2", 'over = "mean"\nequal = 0.6067\nwithin = 0.005'),
    ("l_inf margin at b = 5", "inc_ratio_linf", "gaussian 5", 'over = "mean"\nequal = 0.7427\nwithin = 0.005'),
]


@pytest.fixture(scope="module")
def science(tmp_path_factory):
    folder = tmp_path_factory.mktemp("science")
    claims = [
        f'[[claim]]\nsays = "{says}"\nsource = "theory"\nmeasure = "{measure}"\nwhere = {WHERE[where]}\n{expected}\n'
        for says, measure, where, expected in RESULTS
    ]
    (folder / "science.toml").write_text(SCIENCE + "".join(claims))
    run_study(folder / "science.toml", folder / "out", jobs=2)
    return folder / "out"


def test_every_run_of_the_small_study_ends_well(science):
    runs = ib.load_runs(science)
    assert set(runs["status"]) == {"ok"}
    assert (runs["log_loss"] < -7).all()
    assert (runs[[f"gap_{norm}" for norm in ("l1", "l2", "linf")]].to_numpy() < 1e-9).all()


@pytest.mark.parametrize("position", range(len(RESULTS)), ids=lambda position: RESULTS[position][0])
def test_the_main_results(science, position):
    study, store = stored_study(science)
    runs, curves = (store.table(name).to_pandas() for name in ("runs", "curves"))
    verdict = verdicts(study, runs, curves)[position]
    assert verdict.outcome == "holds", f"{verdict.expected}; measured {verdict.value}; {verdict.detail}"
    assert verdict.runs >= (10 if "gaussian" in RESULTS[position][2] else 1)


def test_the_separators_of_the_reference_sets(science):
    runs = ib.load_runs(science).drop_duplicates("data_digest").set_index("data")
    np.testing.assert_allclose(runs.loc["reference", ["gamma_l2", "gamma_linf"]].astype(float), [24 / 13, 3], rtol=1e-9)
    assert runs.loc["reference", "unique_l2"] and not runs.loc["reference", "unique_linf"]
    assert runs.loc["shifted_diagonal", "gamma_linf"] == pytest.approx(1.3)
    assert runs.loc["gaussian", "gamma_linf"].mean() == pytest.approx(10.728, abs=5e-4)

"""The groups curvature and subspace: every column against a slow twin, and that they are there by name alone."""

import mpmath
import naive_hessian as naive
import numpy as np
import pandas as pd
import pytest
from mpmath import mpf

import implicitbias as ib
from implicitbias.errors import InputError
from implicitbias.measure import Measures
from implicitbias.simulation.orders import batches
from implicitbias.store.schema import USUAL
from implicitbias.sweep.reproduce import reproduce

GROUPS = ["curvature", "subspace"]
RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(7, 5))
ROWS[:, 0] = np.abs(ROWS[:, 0]) + 0.2
BINARY = ib.Problem(ROWS)
CLASSES = ib.Multiclass(RNG.normal(size=(6, 4)), [0, 1, 2, 0, 1, 2])
PROBLEMS = {"two classes": BINARY, "three classes": CLASSES}


@pytest.fixture(autouse=True)
def many_digits():
    with mpmath.workdps(naive.DIGITS):
        yield


def numbers(x):
    return [mpf(float(value)) for value in np.ravel(x)]


def run_of(problem, optimizer, top=3, **options):
    options = {"lr": 0.1, "batch": 2, "steps": 40, "seed": 3, "order": "reshuffle"} | options
    return ib.simulate(problem, optimizer, measures=GROUPS, top=top, **options)


def compare(run, at, top=3, near=1e-10):
    """The columns of one snapshot with those on paper."""
    problem, loss, curve = run.problem, run.setting.loss, run.curve.iloc[at]
    w, step = run.weights[at], int(run.steps[at])
    H, g = naive.hessian(problem, w, loss), naive.gradient(problem, w, loss)
    logs, vectors = naive.top_of(H, top)
    assert np.abs(curve[[f"log_lambda_{i + 1}" for i in range(top)]].to_numpy(float) - logs).max() < near
    assert curve["lr_lambda_1"] == pytest.approx(float(run.last_lr[at] * mpmath.exp(logs[0])), rel=near)
    assert curve["chi_gradient"] == pytest.approx(naive.chi(vectors, g), abs=near)
    setting = run.setting
    batch = batches(problem.n, setting.batch, setting.order, step + 1, setting.seed, setting.remainder)[step]
    assert curve["chi_batch"] == pytest.approx(naive.chi(vectors, naive.gradient(problem, w, loss, batch)), abs=near)
    move = numbers(run.updates[at])
    assert curve["chi_update"] == pytest.approx(naive.chi(vectors, move), abs=near)
    before = np.array([mpf(float(a)) - b for a, b in zip(w.ravel(), move)]).reshape(w.shape)
    change = [a - b for a, b in zip(g, naive.gradient(problem, before, loss))]
    slope = float(mpmath.log(naive.length(change) / naive.length(move)))
    assert curve["log_directional_smoothness"] == pytest.approx(slope, abs=near)


@pytest.mark.parametrize("order", ["reshuffle", "replacement", "cyclic", "full"])
@pytest.mark.parametrize("loss", ["logistic", "exponential"])
@pytest.mark.parametrize("name", PROBLEMS)
def test_every_column_on_paper(name, loss, order):
    run = run_of(PROBLEMS[name], ib.SGD(momentum=0.5), lr=0.02, loss=loss, order=order)
    for at in (0, 5, -1):
        compare(run, at)


@pytest.mark.parametrize("loss", ["logistic", "exponential"])
@pytest.mark.parametrize("name", PROBLEMS)
def test_every_column_in_the_tail(name, loss):
    run = run_of(PROBLEMS[name], ib.Adam(0.5, 0.5), loss=loss, steps=10**6, until_log_loss=-1000.0, per_octave=16)
    assert run.curve["log_loss"].iloc[-1] < -1000.0
    compare(run, -1)


def test_small_moves_and_large_ones():
    """The difference of two gradients would have no digits left; and margins that jump by more than 1000."""
    for lr in (1e-12, 3000.0):
        for problem in PROBLEMS.values():
            start = np.random.default_rng(5).normal(size=problem.shape)
            run = run_of(problem, ib.NGD(), lr=lr, steps=1, initial=start, batch="n", order="full")
            with mpmath.workdps(1500):  # of eigenvalues that are as far apart
                compare(run, -1)


def test_updates_are_those_between_snapshots():
    run = run_of(CLASSES, ib.Adam(), per_octave=50, steps=8)
    assert (run.steps == np.arange(1, 9)).all()
    assert np.abs(run.updates - np.diff(run.weights, axis=0, prepend=np.zeros((1, 3, 4)))).max() < 1e-15
    assert np.allclose(np.linalg.norm(run.updates.reshape(8, -1), axis=1), run.last_move)


def adam(problem, run, beta1, beta2, eps, corrected, inside):
    """sqrt(v) + eps of textbook Adam after every step, in float64."""
    w, m, v, found = np.zeros(problem.d), 0.0, 0.0, []
    steps = int(run.steps[-1])
    for t, rows in enumerate(batches(problem.n, 2, "reshuffle", steps, 3), 1):
        a = problem.rows[rows]
        g = -(a / (1 + np.exp(a @ w))[:, None]).mean(axis=0)
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g
        c1, c2 = (1 - beta1**t, 1 - beta2**t) if corrected else (1.0, 1.0)
        found.append(np.sqrt(v / c2 + eps) if inside else np.sqrt(v / c2) + eps)
        w = w - 0.1 * m / c1 / found[-1]
    return np.array(found), w


@pytest.mark.parametrize("eps, corrected, inside", [
    (0.0, False, False), (0.0, True, False), (0.1, True, False), (0.1, False, True),
])  # fmt: skip
def test_the_preconditioned_hessian_of_adam(eps, corrected, inside):
    optimizer = ib.Adam(0.8, 0.9, eps, corrected, inside)
    run = run_of(BINARY, optimizer)
    divisors, w = adam(BINARY, run, 0.8, 0.9, eps, corrected, inside)
    assert np.allclose(run.weights[-1], w, rtol=1e-10)
    assert np.allclose(np.exp2(run.divisors), divisors[run.steps - 1], rtol=1e-10)
    for at in (0, 7, -1):
        z = BINARY.rows @ run.weights[at]
        H = (BINARY.rows.T * (1 / (1 + np.exp(z)) / (1 + np.exp(-z)) / 7)) @ BINARY.rows
        D = np.diag(divisors[run.steps[at] - 1] ** -0.5)
        expected = 0.1 * np.linalg.eigvalsh(D @ H @ D)[-1]
        assert run.curve["precond_lambda_1"].iloc[at] == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_preconditioned_hessian_in_the_tail(name):
    """Without memory P is the last gradient, whose coordinates may be exponentially apart."""
    problem = PROBLEMS[name]
    run = run_of(problem, ib.Adam(0.0, 0.0), lr=0.01, batch="n", order="full", steps=700_000)
    assert run.curve["log_loss"].iloc[-1] < -1000.0
    move = numbers(run.updates[-1])
    before = np.array([mpf(float(a)) - b for a, b in zip(run.weights[-1].ravel(), move)]).reshape(problem.shape)
    P = [abs(x) for x in naive.gradient(problem, before, "logistic")]
    H = naive.hessian(problem, run.weights[-1], "logistic")
    D = mpmath.diag([1 / mpmath.sqrt(p) for p in P])
    expected = 0.01 * np.exp(naive.top_of(D * H * D, 1)[0][0])
    # v is that of w before it was rounded, and a margin of 1000 moves a weight by 1e-12 then
    assert run.curve["precond_lambda_1"].iloc[-1] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("optimizer, state", [
    (ib.AdamW(0.5, 0.9, weight_decay=0.01), 1), (ib.AMSGrad(0.5, 0.9), 2), (ib.NAdam(0.5, 0.9), 1),
    (ib.RMSProp(0.9), 1), (ib.LaProp(0.5, 0.9), 1), (ib.AdaGrad(), 0), (ib.ScheduleFreeAdamW(0.5, 0.9), 3),
    (ib.EMA(ib.Adam(0.5, 0.9)), 2), (ib.MARS(ib.Adam(0.5, 0.9)), None), (ib.Decayed(ib.NAdam(0.5, 0.9)), 1),
    (ib.SGD(), None), (ib.Signum(), None), (ib.Adam(kappa=1.0), None),
])  # fmt: skip
def test_what_optimizers_divide_by(optimizer, state):
    run = run_of(BINARY, optimizer, lr=0.01)
    if state is not None or optimizer.root is not None:
        mine = run.state[optimizer.root]
        assert state in (None, optimizer.root) and np.allclose(np.exp2(2 * run.divisors[-1]), mine, rtol=1e-12)
        assert (run.curve["precond_lambda_1"] > 0.0).all()
    else:
        assert np.isnan(run.divisors).all() and run.curve["precond_lambda_1"].isna().all()


def test_the_step_of_a_schedule_over_the_loss():
    run = run_of(BINARY, ib.SGD(), lr=ib.LossAdaptive(0.1), batch="n", order="full")
    curve = run.curve
    assert np.allclose(curve["lr_lambda_1"], 0.1 * np.exp(curve["log_lambda_1"] - curve["log_loss"]), rtol=1e-12)


def test_nothing_is_kept_unless_it_is_asked_for():
    usual = ib.simulate(BINARY, ib.Adam(), steps=20)
    asked = run_of(BINARY, ib.Adam(), batch=1, seed=0, steps=20)
    assert usual.updates is None and usual.divisors is None
    assert (usual.weights == asked.weights).all() and (usual.state == asked.state).all()
    assert not {"log_lambda_1", "chi_batch"} & set(usual.curve)
    only = ib.simulate(BINARY, ib.Adam(), steps=20, measures=["subspace"])
    assert only.divisors is None and only.updates is not None and "log_lambda_1" not in only.curve
    bare = Measures.of(GROUPS).measure(seen_without(usual))
    for name in ("precond_lambda_1", "log_directional_smoothness", "chi_update"):
        assert np.isnan(bare[name]).all()
    assert (bare["log_lambda_1"] == asked.curve["log_lambda_1"]).all()


def seen_without(run):
    from implicitbias.measure import Snapshots

    return Snapshots(run, None, ("l2",), 2)


@pytest.mark.parametrize("name", PROBLEMS)
def test_runs_of_a_block_and_alone(name):
    several = [ib.Adam(beta2=1 - 0.01 * i) for i in range(1, 10)]
    options = {"measures": GROUPS, "top": 2, "steps": 60, "batch": 2}
    for item, run in zip(several, ib.simulate(PROBLEMS[name], several, **options)):
        pd.testing.assert_frame_equal(run.curve, ib.simulate(PROBLEMS[name], item, **options).curve, check_exact=True)


def test_a_run_that_goes_on():
    whole = run_of(BINARY, ib.Adam(), steps=64)
    first = run_of(BINARY, ib.Adam(), steps=32)
    both = ib.simulate(BINARY, ib.Adam(), steps=32, start=first)
    assert both.measures == first.measures
    shared = whole.curve.set_index("step")
    pd.testing.assert_frame_equal(both.curve.set_index("step").loc[shared.index], shared, check_exact=True)
    late = ib.simulate(BINARY, ib.Adam(), steps=32, start=ib.simulate(BINARY, ib.Adam(), steps=32), measures=GROUPS)
    known = late.curve["step"] > 32
    for column in ("precond_lambda_1", "log_directional_smoothness", "chi_update"):
        assert late.curve[column].isna().equals(~known)
    assert late.curve[["log_lambda_2", "chi_batch"]].notna().all(axis=None)
    other = ib.simulate(BINARY, ib.SGD(), steps=8, start=first)
    assert other.curve["precond_lambda_1"].notna().equals(other.curve["step"] <= 32)


def test_flows_have_no_updates():
    curve = ib.simulate(BINARY, ib.GradientFlow(), time=1e6, measures=GROUPS).curve
    assert curve[["lr_lambda_1", "chi_batch", "chi_update", "log_directional_smoothness"]].isna().all(axis=None)
    assert curve["log_lambda_1"].notna().all() and (curve["chi_gradient"] <= 1.0).all()


def test_how_many_eigenvalues():
    assert Measures.of(GROUPS).top == 2 and USUAL.top is None
    run = ib.simulate(CLASSES, ib.SGD(), steps=2, measures=["curvature"])
    assert run.measures.top == 3  # of several classes their number
    assert ib.simulate([[1.0], [2.0]], ib.SGD(), steps=2, measures=["curvature"]).measures.top == 1
    assert Measures.of(["subspace"], top=3).asked()["top"] == 3
    assert "top" not in Measures.of(["margins"]).asked()
    names = Measures.of(["curvature"], top=11).columns()
    assert next(c.says for c in names if c.name == "log_lambda_11").startswith("logarithm of the 11th largest")
    for top in (6, 0, 1.5, True):
        with pytest.raises(InputError, match="top must be an integer from 1 to 5, the largest rank of the Hessian"):
            ib.simulate(BINARY, ib.SGD(), steps=2, measures=["subspace"], top=top)
    with pytest.raises(InputError, match="measures must name 'curvature' or 'subspace'"):
        ib.simulate(BINARY, ib.SGD(), steps=2, top=2)


def test_figures_of_runs():
    run = run_of(BINARY, ib.Adam())
    assert len(run.plot(y=["log_lambda_3", "chi_gradient"]).axes) >= 1


STUDY = {
    "title": "t",
    "measures": GROUPS,
    "norms": ["l2"],
    "top": 3,
    "data": {"gaussian": {"n": 4, "d": 6, "seed": [0, 1]}},
    "optimizer": {"adam": {"lr": 0.1, "beta2": [0.9, 0.99]}, "sgd": {"lr": 0.1}},
    "grid": [{"batch": [1, "n"], "steps": 64}],
    "claim": [
        {"says": "a", "source": "b", "measure": "log_lambda_1 - log_lambda_3", "at_least": 0.0, "limit": False},
        {"says": "a", "source": "b", "measure": "chi_batch", "at_least": 0.0, "limit": False},
    ],
}


def test_a_study_end_to_end(tmp_path):
    ib.run_study(STUDY, out=tmp_path / "out")
    curves, runs = ib.load_curves(tmp_path / "out"), ib.load_runs(tmp_path / "out")
    assert (runs["status"] == "ok").all() and len(runs) == 12
    names = ["log_lambda_1", "log_lambda_2", "log_lambda_3", "lr_lambda_1", "precond_lambda_1",
             "log_directional_smoothness", "chi_gradient", "chi_batch", "chi_update"]  # fmt: skip
    assert set(names) <= set(curves) and set(names) <= set(runs) and "cos_l2" not in curves
    adam = runs[runs["optimizer"] == "adam"]
    assert adam["precond_lambda_1"].notna().all()
    assert runs.loc[runs["optimizer"] == "sgd", "precond_lambda_1"].isna().all()
    row = adam.iloc[0]
    problem = ib.geometry.gaussian(n=4, d=6, seed=int(row["data_seed"]))
    top = ib.curvature(problem, row["w"], k=3)
    assert np.allclose(row[names[:3]].to_numpy(float), top.log_eigenvalues, rtol=0.0, atol=1e-12)
    assert [verdict.outcome for verdict in ib.check(tmp_path / "out")] == ["holds", "holds"]
    for results in (tmp_path / "out", runs):
        assert ib.plot(results, x="batch", y=["log_lambda_3", "chi_update"], hue="optimizer").axes
    assert reproduce(row["run_id"], tmp_path / "out").equal
    again = ib.rerun(tmp_path / "out", row["run_id"]).curve[names]
    stored = curves[curves["run_id"] == row["run_id"]][names].reset_index(drop=True)
    pd.testing.assert_frame_equal(again, stored, check_exact=True)


def test_a_study_of_several_classes_has_as_many_eigenvalues(tmp_path):
    study = {key: value for key, value in STUDY.items() if key not in ("top", "norms", "claim")} | {
        "data": {"gaussian_labels": {"n": 9, "d": 5, "k": 3}},
        "claim": [{"says": "a", "source": "b", "measure": "log_lambda_3", "at_most": 9.0, "limit": False}],
    }
    ib.run_study(study, out=tmp_path / "out")
    assert {"log_lambda_3"} <= set(ib.load_curves(tmp_path / "out"))
    assert [verdict.outcome for verdict in ib.check(tmp_path / "out")] == ["holds"]


def test_a_study_with_too_many_is_refused(tmp_path):
    with pytest.raises(InputError, match="top must be an integer from 1 to 4, the largest rank of the Hessian"):
        ib.run_study(STUDY | {"top": 5}, out=tmp_path / "out")
    with pytest.raises(InputError, match="measures must name 'curvature' or 'subspace'"):
        ib.run_study(STUDY | {"measures": ["margins"], "claim": []}, out=tmp_path / "out")

"""The curvature of objectives, and the orbits that runs on them end in."""

import math

import numpy as np
import pytest

import implicitbias as ib
from implicitbias.measure.orbit import lyapunov, period


def test_curvature_is_that_of_the_hessian():
    problem = ib.geometry.gaussian(n=9, d=4, seed=1, ridge=0.05)
    run = ib.simulate(
        problem, ib.SGD(momentum=0.5), lr=0.5, batch=3, steps=64, measures=["curvature", "subspace"], top=2
    )
    curve = run.curve
    for place in (0, -1):
        w, move = run.weights[place], run.updates[place]
        values, vectors = np.linalg.eigh(problem.hessian(w))
        np.testing.assert_allclose(
            np.exp(curve[["log_lambda_1", "log_lambda_2"]].iloc[place]), values[:-3:-1], rtol=1e-10
        )
        assert math.isclose(curve["lr_lambda_1"].iloc[place], 0.5 * values[-1], rel_tol=1e-10)
        g, before = problem.gradient(w), problem.gradient(w - move)
        smooth = np.linalg.norm(g - before) / np.linalg.norm(move)
        assert math.isclose(curve["log_directional_smoothness"].iloc[place], math.log(smooth), rel_tol=1e-8)
        share = np.linalg.norm(vectors[:, -2:].T @ g) / np.linalg.norm(g)
        assert math.isclose(curve["chi_gradient"].iloc[place], share, rel_tol=1e-9)


def test_adam_ends_at_its_edge_of_stability():
    """arXiv 2207.14484: eta lambda_1 of the preconditioned Hessian swings about 2 (1 + beta1)/(1 - beta1)."""
    problem = ib.geometry.gaussian(n=20, d=8, seed=1, smoothing=0.1)
    for beta1 in (0.0, 0.5):
        run = ib.simulate(problem, ib.Adam(beta1, 0.99, bias_correction=True), lr=0.003, batch="n", steps=30_000,
                          measures=["curvature"], per_octave=32)  # fmt: skip
        late = run.curve.loc[run.curve["step"] > 15_000, "precond_lambda_1"]
        assert abs(late.mean() / (2 * (1 + beta1) / (1 - beta1)) - 1) < 0.1


def orbit_of(rho, times):
    eta = 2 * times / (rho * (1 - rho))
    return ib.simulate(ib.objectives.noisy_logistic(rho=rho, w=0.37), ib.SGD(), lr=eta, batch="n", steps=400_000,
                       measures=["orbit"])  # fmt: skip


@pytest.mark.parametrize(
    "rho, times, expected",
    [(0.5, 1.1, 2), (0.5, 4.0, 2), (0.4, 0.9, 1), (0.4, 1.6, 2), (0.4, 2.0, 4), (0.4, 2.5, 8), (0.4, 3.0, 0),
     (0.3, 1.6, 0), (0.3, 2.0, 3)],
)  # fmt: skip
def test_periods_of_gradient_descent_where_labels_disagree(rho, times, expected):
    run = orbit_of(rho, times)
    assert period(run.window) == expected and run.window.shape == (4096, 1)
    assert (lyapunov(run) > 0.1) == (expected == 0)


def test_the_lyapunov_exponent_is_the_rate_at_which_neighbours_part():
    problem, eta = ib.objectives.two_layer_scalar(u=3.2, v=0.3), 0.25
    run = ib.simulate(problem, ib.SGD(), lr=eta, batch="n", steps=400, measures=["orbit"])
    v, total = np.ones(2), 0.0
    for w in run.window[:-1]:
        v = v - eta * problem.hessian(w) @ v
        total += math.log(np.linalg.norm(v))
        v /= np.linalg.norm(v)
    assert math.isclose(lyapunov(run), total / (len(run.window) - 1), rel_tol=1e-9, abs_tol=1e-9)
    assert math.isnan(lyapunov(ib.simulate(problem, ib.SGD(0.5), lr=eta, steps=40, measures=["orbit"])))


def test_the_window_is_the_end_of_the_run_and_no_snapshots_are_added():
    problem = ib.objectives.river()
    run = ib.simulate(problem, ib.Adam(), lr=0.01, batch="n", steps=100, measures=["orbit"])
    plain = ib.simulate(problem, ib.Adam(), lr=0.01, batch="n", steps=100)
    np.testing.assert_array_equal(run.weights, plain.weights)
    assert plain.window is None and run.window.shape == (50, 2) and (run.window[-1] == run.weights[-1]).all()
    each = ib.simulate(problem, ib.Adam(), lr=0.01, batch="n", steps=100, per_octave=1000)
    np.testing.assert_array_equal(run.window, each.weights[each.steps > 50])


def test_a_projection_needs_rows():
    with pytest.raises(ib.InputError, match="Hessian of rows"):
        ib.simulate(ib.objectives.river(), ib.SubspaceSGD(1), lr=0.1, steps=3)


def test_a_study_keeps_orbits_and_medians(tmp_path):
    study = {
        "title": "orbits", "question": "?", "measures": ["orbit"], "data": {"river": {}}, "optimizer": {"sgd": {}},
        "grid": [{"batch": "n", "steps": 400, "lr": {"from": 0.01, "to": 0.05, "count": 3}}],
        "figure": [{"title": "f", "x": "lr_eta", "y": "orbit", "mark": "scatter"}],
    }  # fmt: skip
    ib.run_study(study, out=tmp_path / "out")
    runs = ib.load_runs(tmp_path / "out")
    assert sorted(runs["lr_eta"]) == [0.01, 0.03, 0.05] and runs["orbit"].map(len).eq(64).all()
    run = ib.rerun(tmp_path / "out", runs["run_id"].iloc[0])
    off = np.abs(run.window[:, 0] * run.window[:, 1] - 1)
    assert math.isclose(runs["median_off_river"].iloc[0], np.median(off), rel_tol=1e-12)
    ib.write_report(tmp_path / "out")

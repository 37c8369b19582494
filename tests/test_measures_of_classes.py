"""Measures of runs on several classes against NumPy, alone."""

import numpy as np
import pytest

import implicitbias as ib


def run_of(**more):
    problem = ib.geometry.class_means(k=5, d=12, per_class=4, noise=0.3, seed=1, **more)
    return problem, ib.simulate(problem, ib.SGD(), batch=3, steps=40, measures=["means", "accuracy"], seed=2)


def test_angles_to_the_class_means_are_means_over_the_rows():
    problem, run = run_of()
    means = [problem.X[problem.labels == c].mean(axis=0) for c in range(5)]
    half = {step: W for step, W in zip(run.steps, run.weights)}
    for prefix, vectors in (("", run.weights[-1]), ("inc_", run.weights[-1] - half[20])):
        cosines = [w @ m / np.linalg.norm(w) / np.linalg.norm(m) for w, m in zip(vectors, means)]
        assert run.curve[f"{prefix}cos_means"].iloc[-1] == pytest.approx(np.mean(cosines), rel=1e-12)
        angles = np.degrees(np.arccos(cosines))
        assert run.curve[f"{prefix}angle_means"].iloc[-1] == pytest.approx(np.mean(angles), rel=1e-9)
    assert np.isnan(run.curve["inc_angle_means"].iloc[0])


def test_normalized_rows_from_zero_are_parallel_to_centred_means():
    """One step on all rows is along mu_c less the mean of all, which is zero here."""
    X = np.array([[1.0, 0.0], [-0.5, 3**0.5 / 2], [-0.5, -(3**0.5) / 2]])
    run = ib.simulate(ib.Multiclass(X, [0, 1, 2]), ib.NormalizedSteepestDescent("rows"), steps=1, batch=3,
                      measures=["means"])  # fmt: skip
    assert run.curve["angle_means"].iloc[-1] == pytest.approx(0.0, abs=1e-6)


def test_the_error_on_test_rows_is_a_logarithm_and_missing_where_there_is_none():
    _, run = run_of(test=50, test_noise=1.0)
    last = run.curve.iloc[-1]
    assert 0 < last["test_accuracy"] < 1
    assert last["log_test_error"] == pytest.approx(np.log(1.0 - last["test_accuracy"]), rel=1e-12)
    assert run_of()[1].curve["log_test_error"].isna().all()
    assert run_of(test=2, test_noise=0.0)[1].curve["log_test_error"].isna().iloc[-1]

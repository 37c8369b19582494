"""What stays of gradient descent beside w_hat log t: its equations, and runs that end there."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import implicitbias as ib
from implicitbias.limits import gradient_residual
from implicitbias.measure import measure


def hard_margin(problem):
    best = ib.max_margin(problem)
    return best.direction / best.margin


@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(0, 5))
@settings(max_examples=40)
def test_it_balances_the_support_vectors(seed, n, more):
    problem = ib.geometry.gaussian(n=n, d=n + more, seed=seed)
    w_hat = hard_margin(problem)
    on = problem.rows @ w_hat < 1 + 1e-9
    if on.sum() < n:  # Gaussian rows are independent: then they span less
        with pytest.raises(ib.InputError, match=f"the {on.sum()} support vectors .* span"):
            gradient_residual(problem)
        return
    v = gradient_residual(problem)
    np.testing.assert_allclose(np.exp(-problem.rows @ v) / n @ problem.rows, w_hat, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(np.linalg.pinv(problem.rows) @ (problem.rows @ v), v, atol=1e-9 * np.abs(v).max())


@pytest.mark.parametrize("loss", ["logistic", "exponential"])
def test_the_flow_ends_there(loss):
    problem = ib.geometry.gaussian(n=10, d=50, seed=0)
    start = np.random.default_rng(1).normal(size=50)
    run = ib.simulate(problem, ib.GradientFlow(), time=1e100, initial=start, loss=loss)
    residual = run.curve["residual"].to_numpy()
    assert residual[-1] < 1e-6
    assert residual[5] > 1e-3  # it was not there from the start
    expected = run.weights[-1] - hard_margin(problem) * np.log(1e100)
    np.testing.assert_allclose(gradient_residual(problem, start), expected, atol=1e-6)


def test_dependent_support_vectors():
    """Four rows of margin one in the plane x_1 = 1, on which no single set of duals is given."""
    rows = np.array([[1.0, 1.0, 0.0], [1.0, -1.0, 0.0], [1.0, 0.0, 2.0], [1.0, 0.0, -1.0]])
    run = ib.simulate(rows, ib.GradientFlow(), time=1e100)
    v = gradient_residual(rows)
    np.testing.assert_allclose(np.exp(-rows @ v) / 4 @ rows, [1.0, 0.0, 0.0], atol=1e-12)
    assert run.curve["residual"].iloc[-1] < 1e-6


@pytest.mark.parametrize("seed", [1, 9, 12])
def test_the_flow_comes_as_fast_as_its_linearisation(seed):
    """Weak support vectors: alpha down to 1% of the largest, rates down to 0.02."""
    problem = ib.geometry.gaussian(n=10, d=50, seed=seed)
    best = ib.max_margin(problem)
    rates = np.linalg.eigvalsh((problem.rows.T * best.dual) @ problem.rows) / best.margin**2
    run = ib.simulate(problem, ib.GradientFlow(), time=1e100)
    far = run.curve.query("residual > 1e-8").iloc[[-40, -1]]
    slope = -np.diff(np.log(far["residual"])) / np.diff(np.log(far["sum_lr"]))
    np.testing.assert_allclose(slope, rates[rates > 1e-9].min(), rtol=0.05)


def test_small_steps_of_gradient_descent_go_there_too():
    problem = ib.geometry.gaussian(n=3, d=5, seed=1)
    runs = [ib.simulate(problem, ib.SGD(), lr=lr, order="full", steps=1_000_000) for lr in (0.1, ib.Power(0.2, 0.1))]
    for run in runs:
        assert run.curve["residual"].iloc[-1] < 0.05
        assert (np.diff(run.curve["residual"].iloc[-8:]) < 0).all()


@pytest.mark.parametrize(
    ("optimizer", "given"),
    [
        (ib.SGD(), {"order": "reshuffle"}),
        (ib.SGD(), {"order": "replacement", "batch": 3}),
        (ib.SGD(momentum=0.9), {"order": "full"}),
        (ib.Adam(), {"order": "full"}),
    ],
)
def test_no_theory_is_nan(optimizer, given):
    run = ib.simulate(ib.geometry.gaussian(n=3, d=5, seed=1), optimizer, steps=50, **given)
    assert measure(run, None)["residual"].isna().all()


def test_full_batches_of_any_fixed_order_have_it():
    run = ib.simulate(ib.geometry.gaussian(n=3, d=5, seed=1), ib.SGD(), steps=50, batch=3, order="cyclic")
    assert measure(run, None)["residual"].notna().all()


@pytest.mark.parametrize("scale", [1e-200, 1e-150, 1e-3, 1e5, 1e150])
def test_rows_of_any_size(scale):
    """b = scale a: exp(-b.v) / n = alpha_b = alpha_a / scale^2 on the margin."""
    for rows in (
        np.array([[2.0, 1.0], [1.0, -1.0]]),
        np.array([[1.0, 1.0, 0.0], [1.0, -1.0, 0.0], [1.0, 0.0, 2.0], [1.0, 0.0, -1.0]]),  # dependent
    ):
        expected = (gradient_residual(rows) + 2.0 * np.log(scale) * hard_margin(ib.Problem(rows))) / scale
        np.testing.assert_allclose(gradient_residual(rows * scale), expected, atol=1e-10 * np.abs(expected).max())


def test_rows_of_different_sizes():
    rows = np.array([[2e-3, 1e-3], [1e3, -2e3]])
    v, w_hat = gradient_residual(rows), hard_margin(ib.Problem(rows))
    np.testing.assert_allclose(rows @ w_hat, 1.0, rtol=1e-7)
    np.testing.assert_allclose(np.exp(-rows @ v) / 2, 1.0 / (rows**2).sum(axis=1), rtol=1e-6)  # they are orthogonal


def test_what_cannot_be_answered_says_so():
    wide = ib.Problem([[1.0, 0.0], [1.0, 0.0], [3.0, 1.0]])  # the third row is off the margin
    with pytest.raises(ib.InputError, match="2 support vectors of custom span 1 of the 2 dimensions"):
        gradient_residual(wide)
    # on the margin without weight: w_hat = (1, 0) needs the first row alone
    with pytest.raises(ib.InputError, match="dual 0"):
        gradient_residual([[1.0, 0.0], [1.0, 1.0]])
    assert np.isnan(ib.simulate(wide, ib.GradientFlow(), time=1e10).curve["residual"]).all()
    with pytest.raises(ib.NotSeparable):
        gradient_residual([[1.0], [-1.0]])
    with pytest.raises(ib.InputError, match=r"initial must be finite numbers of shape \(2,\)"):
        gradient_residual([[1.0, 0.0], [0.0, 1.0]], initial=[1.0])

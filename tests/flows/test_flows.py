"""Flows: against a slow twin, against gradient descent with small steps, and against their limits at t = 1e100."""

import math

import naive_flows
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

import implicitbias as ib
from implicitbias.flows import FLOWS
from implicitbias.flows.setting import snapshot_times
from implicitbias.limits import why_not

GAUSSIAN = ib.geometry.gaussian(n=10, d=50, seed=0)
SMALL = ib.geometry.gaussian(n=3, d=5, seed=1)


def relative(x, y):
    return np.linalg.norm(x - y) / np.linalg.norm(y)


def normalised_margin(run, norm):
    """min a.w / N(w) of the last iterate over its optimum."""
    best = ib.max_margin(run.problem, norm)
    w = run.weights[-1]
    size = np.linalg.norm(w, norm[1] if isinstance(norm, tuple) else {"l2": 2, "linf": np.inf}[norm])
    return (run.problem.rows @ w).min() / size / best.margin


@pytest.mark.parametrize("loss", ["logistic", "exponential"])
@pytest.mark.parametrize(
    ("flow", "kind", "time"),
    [
        (ib.GradientFlow(), "gradient", 1e3),
        (ib.SteepestFlow(p=1.5), "steepest", 1e3),
        (ib.SteepestFlow(p=3.0), "steepest", 1e3),
        (ib.AdamProxyFlow(), "adam_proxy", 30.0),
    ],
    ids=lambda x: getattr(x, "label", None),
)
def test_the_slow_twin_agrees(flow, kind, time, loss):
    rows = np.array([[2.0, 1.0, 0.5], [1.0, -1.0, 0.8]])
    start = np.array([0.3, -0.2, 0.1])
    run = ib.simulate(rows, flow, time=time, loss=loss, initial=start)
    slow = naive_flows.flow(kind, rows, time, loss, start, getattr(flow, "p", 2.0))
    # the twin is of fourth order, and of first where an entry of g crosses 0 in sqrt(|g|), p = 3
    assert relative(run.weights[-1], slow) < (1e-10 if kind != "steepest" or flow.p < 2 else 1e-6)


def test_scale_is_time():
    """Rows r times as long at t / r^2 are the same flow, w divided by r: so is data of any size."""
    rows = SMALL.rows
    for size in (1e-6, 1e6):
        here = ib.simulate(rows, ib.GradientFlow(), time=1e20).weights[-1]
        there = ib.simulate(rows * size, ib.GradientFlow(), time=1e20 / size**2).weights[-1]
        assert relative(there * size, here) < 1e-9


@pytest.mark.parametrize("flow", [ib.GradientFlow(), ib.SteepestFlow(p=1.5), ib.AdamProxyFlow()], ids=lambda x: x.label)
@pytest.mark.parametrize("k", [-480, -100, 100, 480, 900])
def test_scale_is_time_at_the_ends_of_float64(flow, k):
    rows, time = np.array([[1.0, 1.0], [1.0, -0.1], [1.0, 2.0]]), 100.0
    there = math.ldexp(time, -k * (1 + flow.degree)) if k < 500 or not flow.degree else 0.0
    if not 0.0 < there <= flow.longest:
        return
    here = ib.simulate(rows, flow, time=time)
    far = ib.simulate(np.ldexp(rows, k), flow, time=there)
    assert relative(np.ldexp(far.weights[-1], k), here.weights[-1]) < 1e-9


@pytest.mark.parametrize("k", [-1000, -560, -100])
def test_rows_so_small_that_nothing_happens_move_in_a_straight_line(k):
    """All weights stay 1/2, and w = t dw/dt."""
    rows = np.ldexp([[1.0, 1.0], [1.0, -0.1], [1.0, 2.0]], k)
    run = ib.simulate(rows, ib.GradientFlow(), time=1e5)
    np.testing.assert_allclose(run.weights, np.outer(run.sum_lr, rows.mean(axis=0) / 2), rtol=1e-8)
    run = ib.simulate(rows, ib.AdamProxyFlow(), time=1e5)
    step = rows.mean(axis=0) / np.ldexp(np.sqrt((np.ldexp(rows, -k) ** 2).sum(axis=0)), k)
    np.testing.assert_allclose(run.weights, np.outer(run.sum_lr, step), rtol=1e-12)


def test_rows_so_large_that_a_flow_cannot_be_followed_are_refused():
    with pytest.raises(ib.InputError, match=r"time of AdamProxyFlow must be at most 4\.47e-195 on rows of length"):
        ib.simulate([[1e200, 2e200]], ib.AdamProxyFlow(), time=1.0)
    with pytest.raises(ib.InputError, match="too long for float64"):
        ib.simulate([[1e200, 2e200]], ib.GradientFlow(), time=1.0, initial=[1e200, 0.0])


def test_gradient_descent_with_small_steps_comes_near():
    lr, steps = 0.1, 10_000_000
    run = ib.simulate(SMALL, ib.SGD(), lr=lr, order="full", steps=steps, per_octave=1)
    flow = ib.simulate(SMALL, ib.GradientFlow(), time=lr * steps)
    errors = np.array([relative(run.weights[-k], flow.weights[-k]) for k in (1, 5)])
    np.testing.assert_allclose(run.sum_lr[[-1, -5]], flow.sum_lr[[-1, -5]], rtol=1e-9)
    assert errors[0] < 1e-7
    assert 8.0 < errors[1] / errors[0] < 32.0  # the error of gradient descent falls like 1 / t: 16 from t / 16 to t


def test_steepest_flow_in_l2_is_the_gradient_flow():
    """One integrates all coordinates in logarithms, the other the row space."""
    one = ib.simulate(GAUSSIAN, ib.GradientFlow(), time=1e100)
    other = ib.simulate(GAUSSIAN, ib.SteepestFlow(), time=1e100)
    np.testing.assert_array_equal(one.sum_lr, other.sum_lr)
    assert max(relative(u, v) for u, v in zip(one.weights, other.weights, strict=True)) < 1e-9


@pytest.mark.parametrize("flow", [ib.GradientFlow(), ib.SteepestFlow(p=1.2), ib.SteepestFlow(p=3.0)])
def test_log_time_reaches_1e100_and_its_limit(flow):
    run = ib.simulate(GAUSSIAN, flow, time=1e100)
    last = run.curve.iloc[-1]
    assert (run.status, run.sum_lr[-1], len(run.steps)) == ("ok", 1e100, 333)
    assert last["inc_cos_limit"] > 1 - 1e-9
    assert normalised_margin(run, ("lp", getattr(flow, "p", 2.0))) > 0.98  # 1 - O(1 / log t)
    assert last["log_loss"] == pytest.approx(-math.log(1e100), abs=10.0)


def test_the_proxy_reaches_its_rest_point():
    run = ib.simulate(GAUSSIAN, ib.AdamProxyFlow(), time=1e6)
    assert run.curve["cos_limit"].iloc[-1] > 1 - 1e-10
    assert run.curve["inc_cos_limit"].iloc[-1] > 1 - 1e-12
    assert run.curve["norm_l2"].iloc[-1] > 1e5  # grows like t


def test_1e300():
    run = ib.simulate(GAUSSIAN, ib.GradientFlow(), time=1e300)
    assert np.isfinite(run.weights).all()
    assert run.curve["residual"].iloc[-1] < 1e-6


def test_sparse_rows_and_steep_exponents_do_not_underflow():
    """Coordinate 2 belongs to a row whose weight is far below 1e-308 at the end; |g|^(1/9) of it still moves."""
    rows = np.array([[1.0, 0.0], [5.0, 1.0]])
    run = ib.simulate(rows, ib.SteepestFlow(p=1.1), time=1e300)
    assert run.status == "ok"
    assert (run.weights[-1] > 0).all()
    field = ib.SteepestFlow(p=10.0)
    far = field.velocity(rows, np.array([0.0, -2000.0]))
    np.testing.assert_allclose(far[1], np.exp(-2000.0 / 9) * 2.0**-1.0, rtol=1e-9)


@pytest.mark.parametrize(
    "flow", [ib.GradientFlow(), ib.SteepestFlow(p=1.3), ib.SteepestFlow(p=4.0), ib.AdamProxyFlow()]
)
def test_the_slope_is_the_derivative_of_the_velocity(flow):
    rng = np.random.default_rng(3)
    rows, logs = rng.normal(size=(4, 6)), rng.normal(size=4)
    for i in range(4):
        step = 1e-6 * np.eye(4)[i]
        slope = (flow.velocity(rows, logs + step) - flow.velocity(rows, logs - step)) / 2e-6
        np.testing.assert_allclose(flow.slope(rows, logs)[i], slope, rtol=1e-6, atol=1e-8)


@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(0, 8))
@settings(max_examples=25)
def test_the_margin_of_gaussian_data_is_near_its_optimum_at_the_end(seed, n, more):
    problem = ib.geometry.gaussian(n=n, d=n + more, seed=seed)
    run = ib.simulate(problem, ib.GradientFlow(), time=1e200)
    last = run.curve.iloc[-1]
    assert last["inc_ratio_l2"] > 1 - 1e-4
    assert last["ratio_l2"] > 0.99  # 1 - O(1 / log t)
    assert (np.diff(run.curve["log_loss"]) < 0).all()


def test_what_a_run_holds():
    start = np.array([0.5, -1.0, 0.0, 2.0, 0.1])
    run = ib.simulate(SMALL, ib.GradientFlow(), time=1000.0, initial=start, per_octave=3, until_log_loss=-4.0)
    log_loss = run.curve["log_loss"].to_numpy()
    assert log_loss[-1] <= -4.0 < log_loss[-2]
    assert run.lr is None
    assert run.steps.dtype.kind == "i"
    assert (np.diff(run.steps) >= 0).all() and run.steps[0] >= 1
    assert np.isnan(run.last_lr).all() and np.isnan(run.curve[["lr", "epoch", "relative_move"]]).all(axis=None)
    np.testing.assert_array_equal(run.clock, run.sum_lr)
    np.testing.assert_allclose(np.diff(np.log2(run.sum_lr)), 1 / 3)
    assert (run.setting.batch, run.setting.order, run.setting.steps, run.setting.time) == (3, "full", None, 1000.0)
    # what is orthogonal to the rows stays as it was
    apart = np.eye(5) - np.linalg.pinv(SMALL.rows) @ SMALL.rows
    np.testing.assert_allclose(run.weights @ apart, np.tile(start @ apart, (len(run.weights), 1)), atol=1e-12)


def test_the_increment_is_over_half_the_time():
    run = ib.simulate(SMALL, ib.GradientFlow(), time=1e6, per_octave=2)
    increment = run.weights[-1] - run.weights[-3]
    assert run.sum_lr[-3] == 5e5
    direction = ib.max_margin(SMALL).direction
    cosine = increment @ direction / np.linalg.norm(increment)
    assert run.curve["inc_cos_l2"].iloc[-1] == pytest.approx(cosine, rel=1e-12)
    assert run.curve["inc_cos_l2"].isna().tolist() == [True, True] + [False] * (len(run.steps) - 2)


@pytest.mark.parametrize(("horizon", "per_octave"), [(1e100, 1), (1e300, 7), (1.0, 8), (0.3, 8), (5.0, 2)])
def test_snapshots_are_octaves_down_to_one(horizon, per_octave):
    times = snapshot_times(horizon, per_octave)
    assert times[-1] == horizon
    assert len(times) == max(1, math.floor(per_octave * math.log2(horizon)) + 1)
    assert horizon < 1 or times[0] >= 1 - 1e-12
    np.testing.assert_array_equal(times[per_octave:] / 2, times[:-per_octave])


def test_several_flows_in_one_call():
    runs = ib.simulate(SMALL, [ib.GradientFlow(), ib.SteepestFlow(p=1.5)], time=1e10, initial=np.ones((2, 5)))
    assert [run.optimizer.label for run in runs] == ["GradientFlow", "SteepestFlow(p=1.5)"]
    alone = ib.simulate(SMALL, ib.SteepestFlow(p=1.5), time=1e10, initial=np.ones(5))
    np.testing.assert_array_equal(runs[1].weights, alone.weights)


@pytest.mark.parametrize(
    ("flow", "given", "sentences"),
    [
        (ib.GradientFlow(), {}, ["GradientFlow needs its horizon `time`"]),
        (ib.GradientFlow(), {"time": -1.0}, ["time of GradientFlow must be > 0 and at most 1e+300"]),
        (ib.AdamProxyFlow(), {"time": 1e100}, ["time of AdamProxyFlow must be > 0 and at most 1e+06"]),
        (ib.GradientFlow(), {"time": math.nan}, ["must be > 0"]),
        (ib.GradientFlow(), {"time": "1e3"}, ["time must be a number"]),
        (ib.GradientFlow(), {"time": True}, ["time must be a number"]),
        (
            ib.GradientFlow(),
            {"time": 1.0, "lr": 0.1, "batch": 1, "order": "full", "steps": 5, "epochs": 1, "seed": 0},
            ["a flow takes no lr, batch, order, steps, epochs, seed"],
        ),
        (ib.GradientFlow(), {"steps": 10, "loss": "hinge"}, ["takes no steps", "needs its horizon", "unknown loss"]),
        ([ib.GradientFlow(), ib.SGD()], {"time": 1.0}, ["and SGD, which makes steps, need two calls"]),
        (ib.SGD(), {"time": 1.0}, ["time is the horizon of a flow", "give the horizon as either steps or epochs"]),
    ],
)
def test_mistakes_are_all_listed(flow, given, sentences):
    with pytest.raises(ib.InputError) as caught:
        ib.simulate(SMALL, flow, **given)
    assert len(caught.value.mistakes) == len(sentences)
    for sentence in sentences:
        assert any(sentence in mistake for mistake in caught.value.mistakes)


def test_a_flow_that_makes_no_headway_says_where(monkeypatch):
    monkeypatch.setattr("implicitbias.flows.integrate.MOST_STEPS", 50)
    with pytest.raises(RuntimeError, match=r"GradientFlow made no headway from log\(1 \+ t\) = .* after 51 steps"):
        ib.simulate(GAUSSIAN, ib.GradientFlow(), time=1e100)


def test_data_without_a_separator_are_refused():
    with pytest.raises(ib.NotSeparable):
        ib.simulate([[1.0], [-1.0]], ib.GradientFlow(), time=10.0)


@pytest.mark.parametrize("p", [1.0, math.inf, 0.5, math.nan])
def test_steepest_flow_needs_p_between(p):
    with pytest.raises(ib.InputError, match="p of SteepestFlow must be > 1 and at most 1000"):
        ib.SteepestFlow(p=p)


@pytest.mark.parametrize("kind", FLOWS.values())
def test_every_flow_is_described_and_predicted(kind):
    assert FLOWS[kind.name] is kind
    assert ">>>" in kind.__doc__ and "arXiv" in kind.__doc__
    limit = ib.predict(GAUSSIAN, kind())
    assert limit.gap < 1e-8
    assert ib.predict(GAUSSIAN, kind(), method="numerical") is None
    assert "no step kernel" in why_not(GAUSSIAN, kind(), method="numerical")
    assert why_not(GAUSSIAN, kind()) is None


def test_steep_flows_reach_the_margin_of_their_norm():
    wide = ib.geometry.gaussian(n=10, d=200, seed=1)
    for problem, p in ((GAUSSIAN, 4.0), (GAUSSIAN, 6.0), (GAUSSIAN, 10.0), (GAUSSIAN, 20.0), (wide, 10.0)):
        run = ib.simulate(problem, ib.SteepestFlow(p=p), time=1e100)
        assert run.status == "ok" and run.sum_lr[-1] == 1e100
        assert run.curve["inc_cos_limit"].iloc[-1] > 1 - 1e-9
        assert normalised_margin(run, ("lp", p)) > 0.98


@pytest.mark.parametrize(("p", "loss"), [(2.5, "logistic"), (3.0, "exponential"), (3.0, "logistic"), (4.0, "logistic")])
def test_the_two_integrators_agree_where_both_get_through(p, loss, monkeypatch):
    ends = []
    for steep in (1.0, 100.0):
        monkeypatch.setattr("implicitbias.flows.steepest.STEEP", steep)
        ends.append(ib.simulate(GAUSSIAN, ib.SteepestFlow(p=p), time=1e100, loss=loss).weights)
    errors = np.linalg.norm(ends[0] - ends[1], axis=1) / np.linalg.norm(ends[1], axis=1)
    assert errors.max() < 1e-5 and errors[-1] < 1e-7


@pytest.mark.parametrize("p", [4.0, 7.0])
def test_the_slow_twin_agrees_with_a_steep_flow(p):
    rows, start = np.array([[2.0, 1.0, 0.5], [1.0, -1.0, 0.8]]), np.array([0.3, -0.2, 0.1])
    run = ib.simulate(rows, ib.SteepestFlow(p=p), time=100.0, initial=start)
    slow = naive_flows.flow("steepest", rows, 100.0, "logistic", start, p, ratio=2e-4)
    assert relative(run.weights[-1], slow) < 1e-4  # the twin takes a step across the jump


@pytest.mark.parametrize("p", [4.0, 10.0, 100.0])
def test_the_inverse_undoes_the_velocity(p):
    rng = np.random.default_rng(0)
    rows, flow = rng.normal(size=(4, 6)), ib.SteepestFlow(p=p)
    u = flow.velocity(rows, logs := rng.normal(size=4))
    value, curve, bend, by = flow.inverse(u)
    np.testing.assert_allclose(value, np.exp(logs) @ rows / 4, rtol=1e-9)
    for j in range(6):
        step = 1e-6 * abs(u[j]) * np.eye(6)[j]
        slope = (flow.inverse(u + step)[0] - flow.inverse(u - step)[0]) / (2 * step[j])
        np.testing.assert_allclose((np.diag(curve) - by * np.outer(bend, bend))[j], slope, rtol=1e-5, atol=1e-7)


def test_light_samples_move_a_steep_flow():
    """At p = 10 a coordinate moves like |g|^(1/9), long after g has fallen far below the others."""
    rows = np.array([[1.0, 0.0], [5.0, 1.0]])
    run = ib.simulate(rows, ib.SteepestFlow(p=10.0), time=1e300, loss="exponential")
    assert run.weights[-1, 1] > 1.0
    # w_2 over log-time is the integral of its velocity, by the trapezoidal rule
    w, u = run.weights, ib.SteepestFlow(p=10.0)
    late = [u.velocity(rows, math.log1p(t) - rows @ x)[1] for t, x in zip(run.sum_lr, w, strict=True)]
    tau = np.log1p(run.sum_lr)
    rise = np.concatenate([[0.0], np.cumsum(np.diff(tau) * (np.array(late)[1:] + np.array(late)[:-1]) / 2)])
    np.testing.assert_allclose(w[20:, 1] - w[20, 1], rise[20:] - rise[20], atol=2e-3)


@pytest.mark.parametrize("loss", ["logistic", "exponential"])
def test_the_proxy_on_many_features_agrees_with_a_runge_kutta_method(loss):
    problem = ib.geometry.gaussian(n=20, d=200, seed=0)
    start = np.random.default_rng(0).normal(size=200)
    run = ib.simulate(problem, ib.AdamProxyFlow(), time=40.0, loss=loss, initial=start)

    def field(_, w):
        return naive_flows.flow_field("adam_proxy", problem.rows, w, loss)

    slow = solve_ivp(field, (0.0, 40.0), start, method="DOP853", rtol=1e-12, atol=1e-12).y[:, -1]
    assert relative(run.weights[-1], slow) < 1e-10


@pytest.mark.parametrize(("n", "d"), [(20, 200), (100, 500)])
def test_the_proxy_on_many_features_comes_to_rest_and_stays_there(n, d):
    """Where it took every step for rounding: 100 x 500 stopped with no headway."""
    run = ib.simulate(ib.geometry.gaussian(n=n, d=d, seed=0), ib.AdamProxyFlow(), time=1e6)
    assert run.steps[-1] < 3000
    assert (run.curve["inc_cos_limit"].iloc[-5:] > 1 - 1e-12).all()


def test_frames_that_move_are_of_no_consequence(monkeypatch):
    problem = ib.geometry.gaussian(n=30, d=60, seed=2)
    ends = []
    for stretch in (1.5, 4.0, 1000.0):
        monkeypatch.setattr("implicitbias.flows.comoving.STRETCH", stretch)
        ends.append(ib.simulate(problem, ib.AdamProxyFlow(), time=1e3).weights)
    assert max(relative(x, y) for other in ends[1:] for x, y in zip(other, ends[0], strict=True)) < 1e-10

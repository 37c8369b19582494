"""AdaGrad on a frozen preconditioner: its own updates, then the gradient flow of other rows, arXiv 1906.03559."""

import math
import tomllib

import numpy as np
import pytest

import implicitbias as ib
from implicitbias.limits import adagrad_direction
from implicitbias.limits.frozen import roots
from implicitbias.study.expand import expand
from implicitbias.study.spec import parse_study

ROWS = np.array([[np.cos(np.pi / 8), np.sin(np.pi / 8)], [np.cos(np.pi / 20), np.sin(np.pi / 20)]])
EPS = 2.5e-9  # 1e-8 for the sum of the two losses, whose gradients are twice those of their mean
SMALL = ib.geometry.gaussian(n=3, d=5, seed=1)

# eta: the distance of w / ||w|| to the l2 max-margin direction at t = 1e8 (as AdaGrad itself has it in the paper), and
# that of the theorem's limit
PUBLISHED = {0.5: (0.40968, 0.24707), 0.1: (0.42738, 0.25328)}
BEYOND = {1e20: 0.335, 1e100: 0.266, 1e300: 0.253}  # eta = 0.5


def to_l2(w):
    return np.linalg.norm(w / np.linalg.norm(w) - ib.max_margin(ROWS).direction)


def follow(time, eta, updates=1e6):
    flow = ib.AdaGradFlow(EPS, eps_inside=True, eta=eta, updates=updates)
    return ib.simulate(ROWS, flow, time=time, loss="exponential")


@pytest.mark.parametrize("eta", PUBLISHED)
def test_a_million_updates_and_the_flow_are_where_a_hundred_million_updates_are(eta):
    run = follow(1e8, eta)
    assert to_l2(run.weights[-1]) == pytest.approx(PUBLISHED[eta][0], abs=1.1e-5)
    assert to_l2(ib.predict(ROWS, run.optimizer, loss="exponential").direction) == pytest.approx(
        PUBLISHED[eta][1], abs=6e-6
    )


def test_the_flow_beyond_any_updates():
    run = follow(1e300, 0.5)
    by_time = dict(zip(run.sum_lr, run.weights, strict=True))
    for time, distance in BEYOND.items():
        w = by_time[time] if time in by_time else follow(time, 0.5).weights[-1]
        assert to_l2(w) == pytest.approx(distance, abs=5e-4)
    assert run.curve["inc_cos_limit"].iloc[-1] > 1 - 1e-12
    # like 1 / log t: still far from the limit of w / ||w||, which the increment has reached
    assert to_l2(run.weights[-1]) > PUBLISHED[0.5][1] + 5e-3


def test_more_updates_before_change_less_and_less():
    ends = [to_l2(follow(1e100, 0.1, updates).weights[-1]) for updates in (1e3, 1e4, 1e5, 1e6)]
    changes = -np.diff(ends[::-1])
    assert (changes > 0).all() and (changes[1:] > 5 * changes[:-1]).all()  # the missing part of V is of the order 1/t


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("loss", ["logistic", "exponential"])
def test_it_is_the_gradient_flow_in_the_coordinates_of_the_preconditioner(loss, inside):
    start = np.array([0.5, -1.0, 0.0, 2.0, 0.1])
    flow = ib.AdaGradFlow(0.01, eps_inside=inside, eta=0.3, updates=50)
    run = ib.simulate(SMALL, flow, time=1e30, loss=loss, initial=start)
    updates = ib.simulate(SMALL, flow.discrete, lr=0.3, order="full", steps=50, loss=loss, initial=start)
    np.testing.assert_array_equal(run.state, updates.state)
    V, w, t, eps = updates.state[0], updates.weights[-1], 50.0, 0.01
    h = 0.3 / np.sqrt(V + eps) if inside else 0.3 / (np.sqrt(V) + eps)

    def field(tau, w):
        z = SMALL.rows @ w
        s = np.exp(tau - z) if loss == "exponential" else np.exp(tau - np.logaddexp(0, z))
        return h * (s @ SMALL.rows) / 3

    tau, end = math.log1p(t), math.log1p(1e3)
    for _ in range(20_000):  # the classical Runge-Kutta method
        e = (end - math.log1p(t)) / 20_000
        a = field(tau, w)
        b = field(tau + e / 2, w + e / 2 * a)
        c = field(tau + e / 2, w + e / 2 * b)
        w = w + e / 6 * (a + 2 * b + 2 * c + field(tau + e, w + e * c))
        tau += e
    short = ib.simulate(SMALL, flow, time=1e3, loss=loss, initial=start)
    np.testing.assert_allclose(short.weights[-1], w, rtol=1e-9)
    assert (short.sum_lr >= 50).all() and short.sum_lr[-1] == 1e3
    assert run.curve["inc_cos_limit"].iloc[-1] > 1 - 1e-6
    limit = ib.predict(SMALL, flow, initial=start, loss=loss)
    np.testing.assert_array_equal(limit.direction, adagrad_direction(SMALL, updates).direction)


def test_the_limit_is_that_of_the_run_and_not_of_another():
    flow = ib.AdaGradFlow(updates=10)
    directions = [
        ib.predict(SMALL, flow, initial=start, loss=loss).direction
        for start in (np.zeros(5), np.ones(5))
        for loss in ("logistic", "exponential")
    ]
    cosines = np.array(directions) @ np.transpose(directions)
    assert (cosines[~np.eye(4, dtype=bool)] < 1 - 1e-5).all()
    for start, loss, direction in zip([0.0, 0.0, 1.0, 1.0], ["logistic", "exponential"] * 2, directions, strict=True):
        run = ib.simulate(SMALL, flow, time=1e100, initial=np.full(5, start), loss=loss)
        increment = run.weights[-1] - run.weights[-2]
        assert increment @ direction / np.linalg.norm(increment) > 1 - 1e-9


def test_features_without_data_stay_where_they_are():
    rows = np.array([[1.0, 0.0, 0.5], [0.3, 0.0, -0.2]])
    run = ib.simulate(rows, ib.AdaGradFlow(updates=20), time=1e50, initial=np.array([0.0, 7.0, 0.0]))
    assert (run.weights[:, 1] == 7.0).all() and np.isfinite(run.weights).all()
    assert roots(run.problem, ib.AdaGrad(), run.state)[1] > 0


STUDY = """
title = "t"
[data.gaussian]
n = 3
d = 6
[optimizer.adagrad_flow]
eta = [0.1, 0.5]
updates = 1000
[[grid]]
optimizer = "adagrad_flow"
time = 1e50
loss = ["logistic", "exponential"]
"""


def test_studies_have_the_limit_of_each_run(tmp_path):
    (tmp_path / "study.toml").write_text(STUDY)
    ib.run_study(tmp_path / "study.toml", out=tmp_path / "out", jobs=1)
    runs = ib.load_runs(tmp_path / "out")
    assert (runs["status"] == "ok").all() and len(runs) == 4
    assert (runs["inc_cos_limit"] > 1 - 1e-9).all()
    assert len({tuple(limit) for limit in runs["limit"]}) == 4
    assert sorted(runs["eta"].unique()) == [0.1, 0.5] and (runs["updates"] == 1000).all()


@pytest.mark.parametrize(
    ("hyper", "mistake"),
    [
        ({"updates": 0}, "updates of AdaGradFlow must be a whole number from 1 to 1e\\+09"),
        ({"updates": 10.5}, "updates of AdaGradFlow must be a whole number"),
        ({"eta": 0.0}, "eta of AdaGradFlow must be > 0 and finite"),
        ({"eta": math.nan}, "eta of AdaGradFlow must be > 0 and finite"),
        ({"eps_inside": 1}, "eps_inside of AdaGradFlow must be true or false"),
    ],
)
def test_hyper_parameters_out_of_range(hyper, mistake):
    with pytest.raises(ib.InputError, match=mistake):
        ib.AdaGradFlow(**hyper)


def test_the_horizon_lies_beyond_the_updates():
    with pytest.raises(ib.InputError, match="time of AdaGradFlow must be > 100000 and at most 1e\\+300, but is 1000"):
        ib.simulate(SMALL, ib.AdaGradFlow(), time=1000)
    with pytest.raises(ib.InputError, match=r"time of AdaGradFlow.* must be > 1000 "):
        expand(parse_study(tomllib.loads(STUDY.replace("1e50", "1e3"))))


def test_rows_whose_squares_leave_float64_are_refused():
    with pytest.raises(ib.InputError, match="the sum of squared gradients of feature 0 is 0: too far out for float64"):
        ib.simulate(SMALL.rows * 1e-200, ib.AdaGradFlow(updates=10), time=1e50)

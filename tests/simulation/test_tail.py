"""The compiled driver against 50-digit arithmetic, for 20000 steps and far past the end of float64."""

import naive
import numpy as np
import pytest

import implicitbias as ib
from implicitbias.simulation.orders import batches

STEPS = 20_000
RECORD = [50, 1_000, STEPS]


def _disjoint():
    """Each coordinate is seen by one row only; the rows' weights drift apart without bound."""
    rows = np.zeros((4, 8))
    for i in range(4):
        rows[i, 2 * i : 2 * i + 2] = 1 + 3 * i, -(0.5 + i)
    return rows


RNG = np.random.default_rng(0)
ROWS = {
    "dense": RNG.normal(size=(6, 8)),
    "disjoint": _disjoint(),
    "diagonal": np.diag([1.0, 30.0, 1000.0, 0.01]),
    "sparse": np.array([[1, 0, 0, 0, 2.0], [0, 3, 0, 0, -1], [0, 0, -4, 0, 1], [10, 0, 0, 5, 0]]),
    "badly scaled": RNG.normal(size=(6, 8)) * np.logspace(-3, 3, 6)[:, None] * RNG.permutation(np.logspace(-2, 2, 8)),
}

PAIRS = {
    "adam": (ib.Adam(0.9, 0.95), naive.Adam(0.9, 0.95), 1.0),
    "adam, bias-corrected": (
        ib.Adam(0.9, 0.99, bias_correction=True),
        naive.Adam(0.9, 0.99, bias_correction=True),
        1.0,
    ),
    "adam, eps": (ib.Adam(0.9, 0.99, eps=1e-8), naive.Adam(0.9, 0.99, eps=1e-8), 0.01),
    "sgd with momentum": (ib.SGD(0.9), naive.SGD(0.9), 0.1),
    "signum": (ib.Signum(0.9), naive.Signum(0.9), 1.0),
    "sign descent": (ib.Signum(0.0), naive.Signum(0.0), 1.0),
    "ngd": (ib.NGD(), naive.NGD(), 1.0),
    "adam, kappa": (ib.Adam(0.9, 0.95, kappa=0.5), naive.Adam(0.9, 0.95, kappa=0.5), 0.3),
    "adam, kappa and eps": (ib.Adam(0.9, 0.99, 1e-8, kappa=2.0), naive.Adam(0.9, 0.99, 1e-8, kappa=2.0), 0.01),
    "adamw": (ib.AdamW(0.9, 0.95, weight_decay=1e-4), naive.AdamW(0.9, 0.95, weight_decay=1e-4), 1.0),
    "adagrad": (ib.AdaGrad(), naive.AdaGrad(), 1.0),
    "adagrad, eps": (ib.AdaGrad(1e-8), naive.AdaGrad(1e-8), 1.0),
    "adagrad, eps inside": (ib.AdaGrad(1e-8, True), naive.AdaGrad(1e-8, True), 1.0),
    "adam proxy": (ib.AdamProxy(), naive.AdamProxy(), 1.0),
}


def _compare(rows, ours, twin, lr, batch, start=None, order="reshuffle", steps=STEPS, record=RECORD):
    visited = batches(len(rows), batch, order, steps, seed=1)
    expected, log_losses = naive.trajectory(rows, twin, visited, lambda t: lr, w0=start, record=record)
    for step, w, log_loss in zip(record, expected, log_losses, strict=True):
        run = ib.simulate(rows, ours, lr=lr, batch=batch, order=order, steps=step, seed=1, initial=start)
        np.testing.assert_allclose(run.weights[-1], w, rtol=1e-9, atol=1e-9 * np.abs(w).max() * 1e-3)
        assert run.curve["log_loss"].iloc[-1] == pytest.approx(log_loss, rel=1e-9)
    return log_losses[-1]


@pytest.mark.parametrize("shape", ROWS)
@pytest.mark.parametrize("name", PAIRS)
def test_trajectory_is_that_of_50_digits(name, shape):
    ours, twin, lr = PAIRS[name]
    if name == "sgd with momentum":
        lr = 0.5 / np.linalg.norm(ROWS[shape], 2) ** 2  # the stable range of gradient descent
    # Where the step is too large for the curvature the recursion is chaotic: a start moved by 1e-15 changes the third
    # digit of w, in any arithmetic. Smaller steps are not.
    lr = {("adam, eps", "badly scaled"): 1e-5, ("ngd", "disjoint"): 0.5}.get((name, shape), lr)
    batch = 2 if shape in ("disjoint", "sparse") else 1
    _compare(ROWS[shape], ours, twin, lr, batch)


@pytest.mark.parametrize(
    "name",
    [
        "adam", "adam, bias-corrected", "adam, eps", "adam, kappa", "adam, kappa and eps", "adamw", "adagrad",
        "adagrad, eps", "adagrad, eps inside", "adam proxy", "signum", "ngd",
    ],
)  # fmt: skip
@pytest.mark.parametrize("shape", ["dense", "disjoint"])
def test_trajectory_starting_beyond_underflow(name, shape):
    """From a point with log-loss below -10000, where every weight is 0 in float64."""
    ours, twin, _ = PAIRS[name]
    direction = ib.max_margin(ROWS[shape]).direction
    start = np.round(12_000 * direction / (ROWS[shape] @ direction).min())
    assert _compare(ROWS[shape], ours, twin, 0.5, batch=3, start=start, steps=1000, record=[1, 10, 1000]) < -10_000


@pytest.mark.parametrize(("name", "lr"), [("signum", 2.0), ("ngd", 3.0)])
def test_trajectory_to_log_loss_below_minus_10000(name, lr):
    ours, twin, _ = PAIRS[name]
    assert _compare(ROWS["dense"], ours, twin, lr, batch=6, order="full", record=[STEPS]) < -10_000


def test_adam_with_short_memory_to_log_loss_below_minus_10000():
    # The loss falls by at most log(1/beta2)/2 a step: longer memories do not get there in 20000 steps.
    rows = ROWS["disjoint"]
    last = _compare(rows, ib.Adam(0.1, 0.1), naive.Adam(0.1, 0.1), 1.0, batch=1, order="cyclic", record=[STEPS])
    assert last < -10_000


@pytest.mark.parametrize("loss", ["logistic", "exponential"])
@pytest.mark.parametrize("margin", [-800.0, -30.0, 0.0, 5.0, 700.0, 2_000.0])
def test_first_step_at_any_margin(loss, margin):
    """A gradient step at a given margin: exact when the weight is a float64, zero or overflow honest otherwise."""
    rows = np.array([[1.0, 0.5]])
    start = np.array([margin, 0.0])
    ours = ib.simulate(rows, ib.SGD(), lr=0.5, steps=1, loss=loss, initial=start)
    if loss == "exponential" and margin < -709:
        assert ours.status == "non_finite"  # e^800 overflows: gradient descent really leaves float64
        return
    [w], _ = naive.trajectory(rows, naive.SGD(), [[0]], lambda t: 0.5, loss=loss, w0=start)
    np.testing.assert_allclose(ours.weights[-1], w, rtol=1e-14, atol=1e-300)

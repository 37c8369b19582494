"""`simulate`: against the plain recursion on many small cases, blocks, horizons, snapshots, statuses, mistakes."""

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import implicitbias as ib
from implicitbias.optimizers import OPTIMIZERS
from implicitbias.optimizers.matrix.base import MatrixOptimizer
from implicitbias.simulation import block
from implicitbias.simulation import rows as of_rows
from implicitbias.simulation.orders import batches
from implicitbias.simulation.simulate import snapshot_steps

BINARY = {name: kind for name, kind in OPTIMIZERS.items() if not issubclass(kind, MatrixOptimizer)}
ROWS = np.random.default_rng(1).normal(size=(5, 7))

RULES = st.one_of(
    st.builds(
        lambda b1, b2, eps, bias, inside, kappa: (
            ib.Adam(b1, b2, eps, bias, inside, kappa),
            naive.Adam(b1, b2, eps, bias, inside, kappa),
        ),
        st.sampled_from([0.0, 0.5, 0.9]),
        st.sampled_from([0.9, 0.999]),
        st.sampled_from([0.0, 1e-8, 0.1]),
        st.booleans(),
        st.booleans(),
        st.sampled_from([0.0, 0.0, 0.3, 10.0]),
    ),
    st.builds(
        lambda b1, b2, eps, bias, decay: (
            ib.AdamW(b1, b2, eps, bias, decay),
            naive.AdamW(b1, b2, eps, bias, decay),
        ),
        st.sampled_from([0.0, 0.9]),
        st.sampled_from([0.9, 0.999]),
        st.sampled_from([0.0, 0.1]),
        st.booleans(),
        st.sampled_from([0.0, 0.3]),
    ),
    st.builds(
        lambda eps, inside: (ib.AdaGrad(eps, inside), naive.AdaGrad(eps, inside)),
        st.sampled_from([0.0, 0.1]),
        st.booleans(),
    ),
    st.just((ib.AdamProxy(), naive.AdamProxy())),
    st.builds(
        lambda mu, nesterov: (ib.SGD(mu, nesterov), naive.SGD(mu, nesterov)),
        st.sampled_from([0.0, 0.5, 0.9]),
        st.booleans(),
    ),
    st.builds(lambda beta: (ib.Signum(beta), naive.Signum(beta)), st.sampled_from([0.0, 0.37, 0.9])),
    st.just((ib.NGD(), naive.NGD())),
)


@settings(max_examples=150)
@given(
    rules=RULES,
    shape=st.tuples(st.integers(1, 6), st.integers(1, 9)),
    data=st.data(),
    order=st.sampled_from(["full", "cyclic", "shuffle_once", "reshuffle", "replacement"]),
    loss=st.sampled_from(["logistic", "exponential"]),
    seed=st.integers(0, 2**32),
    a=st.sampled_from([0.0, 0.5]),
    zeros=st.booleans(),
)
def test_agrees_with_the_plain_recursion(rules, shape, data, order, loss, seed, a, zeros):
    ours, twin = rules
    n, d = shape
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, d))
    if zeros:
        rows *= rng.random((n, d)) < 0.6
    rows[:, rng.integers(d)] += 0.1  # no zero row
    batch = n if order == "full" else data.draw(st.integers(1, n))
    schedule = ib.Power(0.05, a)
    start = rng.normal(size=d) * 0.1
    steps = 60
    visited = batches(n, batch, order, steps, seed=seed)
    [expected] = naive.float_trajectory(
        rows, twin, visited, lambda t: 0.05 * (t + 2.0) ** -a if a else 0.05, loss=loss, w0=start
    )[0]
    run = ib.simulate(
        rows, ours, lr=schedule, batch=batch, order=order, steps=steps, seed=seed, loss=loss, initial=start
    )
    # 60 steps of 0.05 amplify rounding little, but a gradient that cancels to its last digits may turn in sign
    np.testing.assert_allclose(run.weights[-1], expected, rtol=1e-7, atol=1e-9)


def test_a_block_gives_the_bits_of_single_runs():
    optimizers = [ib.Adam(0.9, 0.95), ib.Signum(0.5), ib.Adam(0.5, 0.9), ib.SGD(), ib.Adam(0.9, 0.95, eps=1e-8)]
    rates = [0.1, ib.Power(0.1, 0.5), ib.Power(1.0, 0.5), 0.2, ib.Power(0.3, 1.0, 5.0)]
    block = ib.simulate(ROWS, optimizers, lr=rates, batch=2, steps=3000, seed=4)
    for optimizer, lr, run in zip(optimizers, rates, block, strict=True):
        alone = ib.simulate(ROWS, optimizer, lr=lr, batch=2, steps=3000, seed=4)
        assert (run.weights == alone.weights).all()
        assert (run.sum_lr == alone.sum_lr).all()
        assert run.optimizer is optimizer


def test_a_run_without_memory_is_the_same_beside_runs_with_one():
    """Past underflow: sign descent sees every sample's sign, however light; a state with memory need not."""
    alone = ib.simulate(ROWS, ib.Signum(0.0), lr=10.0, steps=2000, order="cyclic")
    beside = ib.simulate(ROWS, [ib.Signum(0.9), ib.Signum(0.0)], lr=10.0, steps=2000, order="cyclic")[1]
    assert np.ptp(ROWS @ alone.weights[-1]) > 1e4
    assert (alone.weights == beside.weights).all()


def test_the_final_state_is_in_true_units():
    """Against the state of the twin, m and v at 50 digits."""
    start = np.full(7, 300.0) * np.sign(ROWS[0])
    for ours, twin, names in [
        (ib.Adam(0.5, 0.9), naive.Adam(0.5, 0.9), ["m", "v"]),
        (ib.AdaGrad(), naive.AdaGrad(), ["total"]),
        (ib.Signum(), naive.Signum(0.9), ["m"]),
        (ib.SGD(0.5), naive.SGD(0.5), ["m"]),
    ]:
        run = ib.simulate(ROWS, ours, lr=0.1, batch=2, steps=40, seed=1, initial=start)
        naive.trajectory(ROWS, twin, batches(5, 2, "reshuffle", 40, seed=1), lambda t: 0.1, w0=start)
        expected = [[float(x) for x in getattr(twin, name)] for name in names]
        np.testing.assert_allclose(run.state, expected, rtol=1e-9, atol=1e-305)
    assert ib.simulate(ROWS, ib.NGD(), steps=3).state.shape == (0, 7)


def test_segments_do_not_matter(monkeypatch):
    whole = ib.simulate(ROWS, ib.Adam(), lr=ib.Power(0.5, 0.3), steps=2000, order="replacement", batch=3)
    monkeypatch.setattr(block, "MOST_STEPS", 7)
    parts = ib.simulate(ROWS, ib.Adam(), lr=ib.Power(0.5, 0.3), steps=2000, order="replacement", batch=3)
    assert (whole.weights == parts.weights).all()


@pytest.mark.parametrize("order", ["reshuffle", "replacement", "cyclic"])
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("batch", [1, 11])  # 11 = 8 + 3: the rows taken eight and four at a time, and the rest
@pytest.mark.parametrize("kind", BINARY)
def test_a_run_has_the_same_bits_alone_and_in_a_block(kind, batch, sparse, order):
    """Eight side by side, left over, or alone: other loops, the same numbers added in the same order."""
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(13, 21))
    if sparse:
        rows *= rng.random(rows.shape) < 0.2
        rows[:, 0] = 1.0
    item = BINARY[kind]()
    lrs = [ib.Power(0.1 * (k + 1), 0.5 * (k % 2)) for k in range(11)]
    shared = {"batch": batch, "order": order, "steps": 1000, "seed": 2}
    together = ib.simulate(rows, [item] * len(lrs), lr=lrs, **shared)
    for k in (0, 5, 10):
        alone = ib.simulate(rows, item, lr=lrs[k], **shared)
        for name in ("weights", "sum_lr", "last_lr", "last_move", "state"):
            np.testing.assert_array_equal(getattr(together[k], name), getattr(alone, name))


@pytest.mark.parametrize("item", [ib.SGD(), ib.SGD(0.9), ib.SGD(0.9, nesterov=True), ib.NGD()])
@pytest.mark.parametrize("batch", [1, 4, 11])  # 11: all rows, in order
def test_the_space_of_margins_gives_the_same_trajectory(item, batch, monkeypatch):
    rows = np.random.default_rng(2).normal(size=(11, 17))
    shared = {"lr": 0.1, "batch": batch, "steps": 1000, "seed": 1}
    there = ib.simulate(rows, item, **shared)
    monkeypatch.setattr(of_rows, "margin_space", lambda *arguments: None)
    here = ib.simulate(rows, item, **shared)
    np.testing.assert_allclose(there.weights, here.weights, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(there.last_move, here.last_move, rtol=1e-9)
    np.testing.assert_allclose(there.state, here.state, rtol=1e-9, atol=1e-12)


def test_a_shorter_run_is_the_beginning_of_a_longer_one():
    long = ib.simulate(ROWS, ib.Signum(), lr=0.1, steps=4096, per_octave=1)
    short = ib.simulate(ROWS, ib.Signum(), lr=0.1, steps=1024, per_octave=1)
    assert (long.weights[: len(short.steps)] == short.weights).all()


@given(st.integers(1, 10**9), st.integers(1, 20))
def test_snapshots_are_log_spaced_and_contain_their_halves(horizon, per_octave):
    steps = snapshot_steps(horizon, per_octave)
    assert steps[0] <= 2
    assert steps[-1] == horizon
    assert (np.diff(steps) > 0).all()
    late = steps[steps > 40 * per_octave]
    assert (np.diff(np.log2(late)) < 1.1 / per_octave).all()
    for step in steps[steps >= 2]:
        assert np.abs(steps - step / 2).min() <= 1.0


def test_sum_of_steps_last_step_and_last_move():
    run = ib.simulate(ROWS, ib.SGD(), lr=ib.Power(0.1, 0.5), steps=100, order="full")
    eta = 0.1 * (np.arange(100) + 2.0) ** -0.5
    np.testing.assert_allclose(run.sum_lr, np.cumsum(eta)[run.steps - 1], rtol=1e-14)
    np.testing.assert_allclose(run.last_lr, eta[run.steps - 1], rtol=1e-14)
    before = ib.simulate(ROWS, ib.SGD(), lr=ib.Power(0.1, 0.5), steps=99, order="full").weights[-1]
    assert run.last_move[-1] == pytest.approx(np.linalg.norm(run.weights[-1] - before), rel=1e-12)


def test_horizon_in_epochs():
    for order, batch, remainder, steps in [
        ("reshuffle", 2, None, 20),  # 5 rows, dropped remainder: 2 steps an epoch
        ("reshuffle", 2, "keep", 30),
        ("cyclic", 2, None, 30),
        ("replacement", 2, None, 25),
        ("full", 1, None, 10),
    ]:
        run = ib.simulate(ROWS, ib.NGD(), lr=0.1, batch=batch, order=order, remainder=remainder, epochs=10)
        assert run.steps[-1] == steps
        assert run.curve["epoch"].iloc[-1] == 10.0


def test_horizon_down_to_a_log_loss():
    runs = ib.simulate(
        ROWS, [ib.Signum(), ib.Signum(0.0)], lr=[0.1, 0.01], order="full", steps=100_000, until_log_loss=-200.0
    )
    for run in runs:
        losses = run.curve["log_loss"].to_numpy()
        assert losses[-1] <= -200.0 < losses[-2]
    assert runs[0].steps[-1] < runs[1].steps[-1] < 100_000
    alone = ib.simulate(ROWS, ib.Signum(), lr=0.1, order="full", steps=100_000, until_log_loss=-200.0)
    assert (alone.weights == runs[0].weights).all()


@pytest.mark.parametrize("optimizer", [kind(rank=1) if kind.sees_hessian else kind() for kind in BINARY.values()])
def test_one_row_one_feature(optimizer):
    run = ib.simulate([[2.0]], optimizer, lr=0.1, steps=50)
    assert run.status == "ok"
    assert run.weights[-1, 0] > 0
    assert run.curve["cos_linf"].iloc[-1] == pytest.approx(1.0)


@pytest.mark.parametrize("optimizer",
    [
        ib.Adam(), ib.Adam(eps=1e-8), ib.Adam(kappa=1.0), ib.AdamW(weight_decay=0.0), ib.AdamProxy(), ib.AdaGrad(),
        ib.AdaGrad(eps=1e-8), ib.AdaGrad(eps=1e-8, eps_inside=True), ib.Signum(), ib.NGD(),
    ],
)  # fmt: skip
def test_a_coordinate_without_data_stays_put(optimizer):
    run = ib.simulate([[1.0, 0.0], [2.0, 0.0]], optimizer, lr=0.1, steps=2000, initial=[0.0, 0.25])
    assert run.weights[-1, 1] == 0.25


def test_a_diverged_run_and_a_run_that_leaves_float64_are_results():
    rows = np.array([[1.0, 0.2], [-2.0, 0.2]])
    diverged = ib.simulate(rows, ib.SGD(), lr=1000.0, order="cyclic", steps=3)
    assert diverged.status == "diverged"
    blown = ib.simulate(rows, ib.SGD(), lr=1e6, order="full", steps=500, loss="exponential")
    assert blown.status == "non_finite"
    assert np.isfinite(blown.weights).all()
    assert len(blown.curve) == len(blown.steps)
    block = ib.simulate(rows, [ib.SGD(), ib.SGD()], lr=[1e6, 0.01], order="full", steps=500, loss="exponential")
    assert [run.status for run in block] == ["non_finite", "ok"]
    assert block[1].steps[-1] == 500


def test_every_mistake_is_listed():
    with pytest.raises(ib.InputError) as caught:
        ib.simulate(
            ROWS,
            [ib.Adam(), "adam"],
            lr=[-0.1, 0.1, 0.1],
            batch=6,
            order="reshufle",
            steps=0,
            seed=-1,
            loss="hinge",
            remainder="skip",
            initial=[1.0],
            until_log_loss=float("nan"),
        )
    text = "\n".join(caught.value.mistakes)
    for words in (
        "optimizer must be",
        "lr must be one step size",
        "eta of the step size must be finite and > 0, but is -0.1",
        "batch must be an integer from 1 to n = 5, but is 6",
        "did you mean 'reshuffle'",
        "steps must be an integer",
        "seed must be",
        "unknown loss 'hinge'",
        "unknown remainder 'skip'",
        "initial must be",
        "until_log_loss must be",
    ):
        assert words in text
    assert len(caught.value.mistakes) == 11


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "either steps or epochs"),
        ({"steps": 5, "epochs": 5}, "either steps or epochs"),
        ({"steps": True}, "steps must be an integer"),
        ({"epochs": -1}, "epochs must be a positive number"),
        ({"steps": 5, "batch": 2, "order": "cyclic", "remainder": "drop"}, "would never show 1 of the 5 rows"),
        ({"steps": 5, "batch": 1.5}, "batch must be an integer"),
        ({"steps": 5, "lr": "fast"}, "must be a number"),
    ],
)
def test_single_mistakes(arguments, words):
    with pytest.raises(ib.InputError, match=words):
        ib.simulate(ROWS, ib.Adam(), **arguments)

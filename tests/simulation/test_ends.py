"""At the ends of float64: margins, rows, step sizes and states of any size, against arithmetic without ends."""

import math

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import implicitbias as ib
from implicitbias.losses import log_loss
from implicitbias.simulation.orders import batches
from implicitbias.simulation.scales import ORDINARY, UNEVEN, level
from implicitbias.simulation.simulate import snapshot_steps

PAIRS = {
    "adam": (ib.Adam(0.9, 0.95), naive.Adam(0.9, 0.95)),
    "adam, bias-corrected": (
        ib.Adam(0.9, 0.99, bias_correction=True),
        naive.Adam(0.9, 0.99, bias_correction=True),
    ),
    "adam, m outlives v": (ib.Adam(0.9, 0.1), naive.Adam(0.9, 0.1)),
    "adam, v forgets": (ib.Adam(0.5, 0.0), naive.Adam(0.5, 0.0)),
    "rmsprop": (ib.Adam(0.0, 0.9), naive.Adam(0.0, 0.9)),
    "adam, eps": (ib.Adam(0.9, 0.95, 1e-8), naive.Adam(0.9, 0.95, 1e-8)),
    "adam, eps inside": (ib.Adam(0.9, 0.95, 1e-8, eps_inside=True), naive.Adam(0.9, 0.95, 1e-8, eps_inside=True)),
    "adam, kappa": (ib.Adam(0.9, 0.95, kappa=0.5), naive.Adam(0.9, 0.95, kappa=0.5)),
    "adamw": (ib.AdamW(0.9, 0.95, weight_decay=1e-4), naive.AdamW(0.9, 0.95, weight_decay=1e-4)),
    "adagrad": (ib.AdaGrad(), naive.AdaGrad()),
    "adagrad, eps": (ib.AdaGrad(1e-8), naive.AdaGrad(1e-8)),
    "adagrad, eps inside": (ib.AdaGrad(1e-8, True), naive.AdaGrad(1e-8, True)),
    "adam proxy": (ib.AdamProxy(), naive.AdamProxy()),
    "signum": (ib.Signum(0.9), naive.Signum(0.9)),
    "sign descent": (ib.Signum(0.0), naive.Signum(0.0)),
    "ngd": (ib.NGD(), naive.NGD()),
    "sgd": (ib.SGD(), naive.SGD()),
    "momentum": (ib.SGD(0.9), naive.SGD(0.9)),
}
HOMOGENEOUS = [name for name in PAIRS if name not in ("sgd", "momentum")]


@pytest.fixture
def rounded_margins(monkeypatch):
    """The twin's margins as float64, once it is told."""
    exact = naive.margin
    monkeypatch.setattr(naive, "margin", lambda row, w, zero: type(zero)(float(exact(row, w, zero))))


def against_the_twin(rows, name, lr, *, batch=1, order="full", steps=24, start=None, loss="logistic", rtol=1e-9):
    """Every snapshot, at 40 digits with exponents of any size; returns the status."""
    ours, twin = PAIRS[name]
    run = ib.simulate(rows, ours, lr=lr, batch=batch, order=order, steps=steps, seed=1, initial=start, loss=loss)
    visited = batches(len(rows), batch, order, steps, seed=1)
    record = run.steps.tolist()
    more = run.status == "non_finite" and name != "adam, v forgets"
    if more:  # of the snapshots this one is missing
        record.append(next(step for step in snapshot_steps(steps, 8).tolist() if step not in record))
    if not record:
        return run.status
    expected, _ = naive.trajectory(
        rows, twin, visited, lambda t: lr, loss=loss, w0=start, record=record, dps=40, backend="mpmath"
    )
    if more:
        with np.errstate(over="ignore", invalid="ignore"):
            assert not np.abs(rows * expected.pop()).max() < 1e307, (rows, run.weights)
    if not expected:
        return run.status
    # A coordinate that comes back to 0 is known to the rounding of where it was; of subnormal steps beside an eps
    # nothing may be left.
    reached = np.maximum.accumulate(np.abs(expected), axis=0)
    known = 1e-308 if "eps" in name or "kappa" in name else 5e-322
    if start is not None:
        known = known + 1e-15 * steps * np.abs(start)
    assert (np.abs(run.weights - expected) <= rtol * reached + known).all(), (run.weights, expected)
    return run.status


@pytest.mark.parametrize(
    ("row", "optimizer", "expected"),
    [
        ([1e20, 0.0], ib.AdamProxy(), 100.0),
        ([1e18, 0.0], ib.Signum(0.0), 100.0),
        ([1e18, 0.0], ib.Signum(0.9), 100.0),
        ([1e300, 0.0], ib.NGD(), 100.0),
        ([1e300, 0.0], ib.AdamProxy(), 100.0),
    ],
)
@pytest.mark.parametrize("loss", ["logistic", "exponential"])
def test_one_row_moves_at_any_margin(row, optimizer, expected, loss):
    run = ib.simulate([row], optimizer, lr=0.1, order="full", steps=1000, loss=loss)
    assert run.status == "ok"
    np.testing.assert_allclose(run.weights[-1], [expected, 0.0], rtol=1e-12)
    assert np.isfinite(log_loss(run.weights @ run.problem.rows.T, loss)).all()


@pytest.mark.parametrize("start", [1e18, 1e20, 1e150, 1e300])
@pytest.mark.parametrize("name", HOMOGENEOUS)
def test_a_start_at_any_margin(name, start, rounded_margins):
    """The second coordinate moves beside a first one so large that no step changes it, nor the margins."""
    rows = np.array([[1.0, 1.0], [2.0, -1.0]])
    for sign in (1.0, -1.0):
        against_the_twin(rows, name, 0.1, start=np.array([sign * start, 0.0]), steps=40, loss="exponential")


@pytest.mark.parametrize(
    ("betas", "steps"), [((0.9, 0.1), 400), ((0.9, 0.5), 1000), ((0.99, 0.9), 2300), ((0.9, 0.0), 45)]
)
def test_a_first_moment_that_outlives_the_second_is_followed_to_overflow(betas, steps):
    """beta1 > sqrt(beta2): m / sqrt(v) grows geometrically once the gradients fall faster than v forgets."""
    problem = ib.geometry.gaussian(n=3, d=2, seed=1)
    run = ib.simulate(problem, ib.Adam(*betas), lr=0.1, order="full", steps=steps, per_octave=2)
    expected, _ = naive.trajectory(
        problem.rows, naive.Adam(*betas), batches(3, 3, "full", steps), lambda t: 0.1, record=run.steps, dps=60,
        backend="mpmath",
    )  # fmt: skip
    assert run.status == "ok"
    np.testing.assert_allclose(run.weights, expected, rtol=1e-9)
    end = ib.simulate(problem, ib.Adam(*betas), lr=0.1, order="full", steps=20 * steps)
    assert end.status == ("non_finite" if betas[1] else "diverged")  # without memory, v soon sees wrong margins
    assert np.isfinite(end.weights).all()
    beside = ib.simulate(problem, [ib.Adam(*betas)] * 8, lr=0.1, order="full", steps=steps, per_octave=2)
    assert all((one.weights == run.weights).all() for one in beside)


def test_the_explosion_has_the_known_size():
    run = ib.simulate(ib.geometry.gaussian(n=3, d=2, seed=1), ib.Adam(0.9, 0.1), lr=0.1, order="full", steps=400)
    assert np.linalg.norm(run.weights[-1]) == pytest.approx(1.16e138, rel=5e-3)


SMALL, LARGE = 1e-170, 1e170
SIZES = {
    "tiny": [[2 * SMALL, SMALL]],
    "tiny rows": [[2 * SMALL, SMALL, -SMALL], [SMALL, 3 * SMALL, 1.7 * SMALL]],
    "subnormal": [[3e-318, 2e-320], [1e-319, 4e-318]],
    "huge rows": [[2 * LARGE, LARGE, -LARGE], [LARGE, 3 * LARGE, 1.7 * LARGE]],
    "the largest": [[1.7e308], [1.1e308]],
    "rows apart": [[1e200, 2e200], [3e-200, 1e-200], [1.0, 1.0]],
    "columns apart": [[1e-160, 1e160], [3e-160, 2e160]],
    "sparse": [[1e-200, 0.0, 2e-200], [0.0, 3e200, 0.0], [0.0, 1.0, 1e-3]],
    "crossed": [[1e-250, 1e250], [1e250, 1e-250]],
}


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("name", HOMOGENEOUS)
def test_rows_of_any_size(name, shape):
    rows = np.array(SIZES[shape])
    status = against_the_twin(rows, name, 1e-3, batch=len(rows), steps=40)
    assert status == "ok" or name in ("adam, m outlives v", "adam, v forgets")  # whose steps outgrow float64
    against_the_twin(rows, name, 0.1, order="reshuffle", steps=20)
    # steps at which the margins are of order one, if float64 has them
    if 1e-300 < np.abs(rows).max() < 1e300:
        against_the_twin(rows, name, 0.1 / np.abs(rows).max(), order="cyclic", steps=20)


@pytest.mark.parametrize("name", ["sgd", "momentum"])
@pytest.mark.parametrize("size", [1e-200, 1e-150, 1e-10, 1e10, 1e150])
def test_gradient_descent_on_rows_of_any_size(name, size):
    """At lr |a|^2 of order one, or of no size at all: w then moves in a straight line."""
    rows = size * np.array([[2.0, 1.0, 0.3], [1.0, -0.7, 0.2]])
    against_the_twin(rows, name, min(0.1 * (1.0 / size) ** 2, 1e300) if size > 1e-160 else 0.1, steps=40)


def test_gradient_descent_that_leaves_float64_says_so():
    run = ib.simulate([[1e170, 2e170]], ib.SGD(), lr=0.1, order="full", steps=10)
    assert run.status == "non_finite"
    assert len(run.curve) == len(run.steps) == 0  # its first step has no finite margin


@pytest.mark.parametrize("lr", [1e-300, 1e-200, 1e200, 1e300])
@pytest.mark.parametrize("name", HOMOGENEOUS)
def test_step_sizes_of_any_size(name, lr):
    rows = np.array([[2.0, 1.0, 0.5], [1.0, -0.7, 2.0]])
    if name == "adamw" and lr > 1.0:
        return  # its decay is larger than the weights
    for size in (1.0, 1e-3, 0.1 / lr):
        if np.isfinite(size * rows).all():
            against_the_twin(size * rows, name, lr, steps=40, batch=2)


def test_margins_that_overflow_end_the_run():
    """w is finite, A w is not; and where only terms of it are not, the sum is no number."""
    run = ib.simulate([[1e300, 1e300]], ib.Signum(0.0), lr=1e7, order="full", steps=1000)
    assert run.status == "non_finite"
    assert run.steps[-1] < 10
    assert np.isfinite(run.problem.rows @ run.weights[-1]).all()
    for optimizer in (ours for ours, _ in PAIRS.values()):
        start = np.array([1e300, 1e300])
        lost = ib.simulate([[1e300, -1e300]], optimizer, lr=0.1, order="full", steps=10, initial=start)
        assert (lost.status, len(lost.steps)) == ("non_finite", 0)


def test_lengths_and_sums_of_steps_at_the_ends():
    run = ib.simulate([[1.0, 1.0]], ib.Signum(0.0), lr=1e300, order="full", steps=100)
    assert run.last_move[-1] == pytest.approx(math.sqrt(2) * 1e300)
    assert run.curve["norm_l2"].iloc[-1] == pytest.approx(math.sqrt(2) * 1e302)
    assert run.curve["relative_move"].iloc[-1] == pytest.approx(0.01)
    assert run.curve["cos_l2"].iloc[-1] == pytest.approx(1.0)
    tiny = ib.simulate([[1.0, 1.0]], ib.Signum(0.0), lr=1e-300, order="full", steps=100)
    assert tiny.curve["norm_l2"].iloc[-1] == pytest.approx(math.sqrt(2) * 1e-298)
    assert tiny.curve["cos_l2"].iloc[-1] == pytest.approx(1.0)
    # up and down: the weights stay, the sum of the steps does not
    back = ib.simulate([[1.0], [-1.0]], ib.Signum(0.0), lr=1e308, batch=1, order="cyclic", steps=10)
    assert (back.status, back.weights[-1, 0], back.sum_lr[-1]) == ("ok", 0.0, math.inf)


def test_two_light_rows_of_different_weight_pull_one_coordinate_apart():
    """Coordinate 1 sees two rows of opposite signs, e^-400 and e^-402 beside the heaviest."""
    rows = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 400.0], [0.0, -2.0, 402.0]])
    for name in HOMOGENEOUS:
        against_the_twin(rows, name, 1e-4, batch=3, start=np.array([0.0, 0.0, 1.0]), steps=60)


@pytest.mark.parametrize("item", [ib.SGD(), ib.NGD()])
def test_a_feature_of_zeros_gets_no_weight_in_the_space_of_margins(item):
    rows = np.random.default_rng(0).normal(size=(3, 8))
    rows[:, 5] = 0.0
    run = ib.simulate(rows, item, lr=0.1, steps=50)
    assert (run.weights[:, 5] == 0.0).all()
    assert (run.weights[:, :5] != 0.0).all()


def test_what_the_heaviest_rows_cancel_is_left_to_the_others():
    """Two opposite rows: the direction of the gradient is that of the third, however light it is."""
    rows = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]])
    run = ib.simulate(rows, ib.NGD(), lr=1.0, order="full", steps=5000)
    np.testing.assert_array_equal(run.weights[-1], [0.0, 5000.0])


def test_shift_of_the_rows():
    assert level(np.array([[1.0, 0.0], [2.0**-ORDINARY, 2.0 ** (ORDINARY - 1)]])) == (0, False)
    assert level(np.array([[2.0**500, 0.0]])) == (501, False)
    assert level(np.array([[2.0**-800, 2.0 ** (-800 - UNEVEN + 1)]])) == (-799, False)
    assert level(np.array([[2.0**-800, 2.0 ** (-800 - UNEVEN)]])) == (0, True)
    assert level(np.array([[5e-324, 1e308]])) == (0, True)


SCALED = [  # and what scales the other way: lr, and with it w
    lambda size: ib.Adam(0.9, 0.95),
    lambda size: ib.Adam(0.9, 0.1),
    lambda size: ib.Adam(0.0, 0.9, bias_correction=True),
    lambda size: ib.Adam(0.9, 0.95, eps=1e-3 * size),
    lambda size: ib.Adam(0.9, 0.95, kappa=0.5 * size),
    lambda size: ib.AdaGrad(),
    lambda size: ib.AdaGrad(1e-3 * size),
    lambda size: ib.AdaGrad(1e-6 * size * size, eps_inside=True),
    lambda size: ib.AdamProxy(),
    lambda size: ib.Signum(0.9),
    lambda size: ib.Signum(0.0),
    lambda size: ib.NGD(),
]


@settings(max_examples=120)
@given(
    kind=st.sampled_from(SCALED), k=st.integers(-900, 900), seed=st.integers(0, 2**20), n=st.integers(1, 5),
    d=st.integers(1, 5), batch=st.integers(1, 5), order=st.sampled_from(["full", "reshuffle", "replacement"]),
    loss=st.sampled_from(["logistic", "exponential"]), far=st.booleans(),
)  # fmt: skip
def test_rows_over_a_power_of_two_have_the_same_path(kind, k, seed, n, d, batch, order, loss, far):
    """Rows 2^k A and steps 2^-k lr: the iterates are 2^-k w and the margins are the same, to the last bit."""
    rng = np.random.default_rng(seed)
    rows, start = rng.normal(size=(n, d)), 600.0 * far * rng.normal(size=d)
    shared = {"batch": min(batch, n), "order": order, "steps": 64, "loss": loss, "seed": seed}
    here = ib.simulate(rows, kind(1.0), lr=0.1, initial=start, **shared)
    there = ib.simulate(np.ldexp(rows, k), kind(2.0**k), lr=0.1 * 2.0**-k, initial=np.ldexp(start, -k), **shared)
    assert here.status == there.status
    np.testing.assert_array_equal(np.ldexp(there.weights, k), here.weights)
    np.testing.assert_array_equal(np.ldexp(there.last_move, k), here.last_move)


@settings(max_examples=40)
@given(k=st.integers(-450, 450), seed=st.integers(0, 2**20), momentum=st.sampled_from([0.0, 0.9]), d=st.integers(1, 4))
def test_gradient_descent_has_the_same_path_at_lr_over_the_square(k, seed, momentum, d):
    rows = np.random.default_rng(seed).normal(size=(5, d))  # more rows than features: not in the space of margins
    shared = {"batch": 2, "steps": 64, "seed": seed}
    here = ib.simulate(rows, ib.SGD(momentum), lr=0.1, **shared)
    there = ib.simulate(np.ldexp(rows, k), ib.SGD(momentum), lr=0.1 * 2.0 ** (-2 * k), **shared)
    np.testing.assert_array_equal(np.ldexp(there.weights, k), here.weights)
    np.testing.assert_allclose(np.ldexp(there.state, -k), here.state, rtol=1e-15)


def at_the_ends(seed):
    """A case of rows, step size and start from anywhere in float64. Rows in the positive orthant: where a coordinate
    turns back to 0 and rows are huge, the sign of the next margin is that of a rounding error."""
    rng = np.random.default_rng(seed)
    n, d = rng.integers(1, 5), rng.integers(1, 5)
    end = rng.choice([60, 160, 250, 300])
    exponents = [
        rng.uniform(-end, end),
        rng.uniform(-end, end, (n, 1)),
        rng.uniform(-end, end, (1, d)),
        rng.uniform(-end, end, (n, d)),
        rng.uniform(-end, end, (n, 1)) / 2 + rng.uniform(-end, end, (1, d)) / 2,
    ][rng.integers(5)]
    rows = np.abs(rng.normal(size=(n, d))) * (rng.random((n, d)) < rng.choice([0.6, 1.0]))
    rows[:, rng.integers(d)] += 0.1
    rows = rows * 10.0**exponents
    size = rows.max()
    lr = rng.choice([0.1, float(np.clip(1.0 / size, 1e-300, 1e300)), 10.0 ** rng.uniform(-200, 200)])
    start = None
    if rng.random() < 0.3:
        start = rng.normal(size=d) * rng.choice([1.0, 10.0 ** rng.uniform(-100, 100), min(100.0 / size, 1e300)])
    order = str(rng.choice(["full", "cyclic", "reshuffle", "replacement"]))
    loss = str(rng.choice(["logistic", "exponential"]))
    return rows, float(lr), int(rng.integers(1, n + 1)), order, start, loss


def check_at_the_ends(seed, name):
    rows, lr, batch, order, start, loss = at_the_ends(seed)
    return against_the_twin(rows, name, lr, batch=batch, order=order, start=start, loss=loss, steps=30)


@pytest.mark.parametrize("name", HOMOGENEOUS)
def test_anywhere_in_float64(name, rounded_margins):
    statuses = [check_at_the_ends(seed, name) for seed in range(12)]
    assert "ok" in statuses


@pytest.mark.long
@pytest.mark.parametrize("name", HOMOGENEOUS)
def test_anywhere_in_float64_at_length(name, rounded_margins):
    for seed in range(100, 300):
        check_at_the_ends(seed, name)


def test_a_run_beside_runs_at_huge_margins_has_the_bits_it_has_alone():
    """Weights near and far are computed in other ways, and together."""
    rows = np.random.default_rng(3).normal(size=(5, 3)) * [[1.0], [1.0], [1e6], [1e13], [1.0]]
    for order, batch in (("full", 5), ("reshuffle", 2)):
        rates = [0.1, 1e13, 1e-13, 1e20, 3e5, 1e-3, 1e10, 1.0]
        for item in (ib.Adam(0.9, 0.95), ib.SGD(), ib.AdamProxy(), ib.Signum(0.0)):
            block = ib.simulate(rows, [item] * 8, lr=rates, batch=batch, order=order, steps=300)
            for lr, run in zip(rates, block, strict=True):
                alone = ib.simulate(rows, item, lr=lr, batch=batch, order=order, steps=300)
                assert alone.status == run.status
                np.testing.assert_array_equal(alone.weights, run.weights)

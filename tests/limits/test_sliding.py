"""Rest points where tail maps jump: certificates from their definition, and what runs do there."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import implicitbias as ib
from implicitbias.limits import tail_maps
from implicitbias.limits.rules import blocks
from implicitbias.limits.sliding import sliding_point
from implicitbias.measure import angle
from implicitbias.simulation.setting import resolve

SR = ib.geometry.scaled_rademacher_reference()
PROBLEMS = {
    "reference": SR,
    "clusters": ib.geometry.clusters(seed=0),
    "sparse": ib.geometry.sparse(seed=0),
    "gaussian": ib.geometry.gaussian(n=10, d=50, seed=1),
    "wide": ib.geometry.gaussian(n=6, d=12, seed=0),
    "repeated": ib.Problem(np.repeat(ib.geometry.gaussian(n=5, d=8, seed=0).rows, 2, axis=0)),
}
# Two rows that cancel in two coordinates alike, and a third that will be exponentially lighter and tells them apart.
SHARED = np.array([[2.0, 1.0, 1.0], [1.0, -1.0, -1.0], [10.0, 1.0, -1.0]])


def fixed(problem, batch, order="cyclic", seed=0):
    return blocks(problem.n, resolve(problem.n, batch=batch, order=order, steps=1, seed=seed))


def distance_to_filippov_set(rows, c, u, parts):
    """How far u is, up to scale, from the values of sum of sign-like parts at c where some of them jump.

    parts(j) yields (vanishes, value, height) for each part of coordinate j."""
    low, high = np.empty(len(u)), np.empty(len(u))
    for j in range(len(u)):
        held = [(0.0, height) if vanishes else (value, 0.0) for vanishes, value, height in parts(j)]
        middle, reach = sum(x for x, _ in held), sum(x for _, x in held)
        low[j], high[j] = middle - reach, middle + reach
    sure = (high - low == 0.0) & (high != 0.0)
    scale = (u[sure] @ high[sure]) / (u[sure] @ u[sure])
    return np.maximum(np.maximum(low - scale * u, scale * u - high), 0.0).max() / scale


def adam_parts(rows, c, groups, beta1, beta2):
    g = np.array([[np.mean([c[i] * rows[i, j] for i in group]) for j in range(rows.shape[1])] for group in groups])
    size = np.array(
        [[np.mean([abs(c[i] * rows[i, j]) for i in group]) for j in range(rows.shape[1])] for group in groups]
    )
    m = len(groups)

    def value(x):
        first = [sum(beta1 ** ((p - q) % m) * x[q] for q in range(m)) for p in range(m)]
        second = [sum(beta2 ** ((p - q) % m) * x[q] ** 2 for q in range(m)) for p in range(m)]
        return sum(a / b**0.5 for a, b in zip(first, second))

    def parts(j):
        heavy = np.flatnonzero(size[:, j] > 0.0)
        if len(heavy) == 0:  # left to samples that do not count beside the others
            return [(True, 0.0, 2.0 * m)]
        vanishes = bool((np.abs(g[:, j]) <= 1e-9 * size[:, j].sum()).all())
        height = value((size[:, j] > 0.0) * 1.0) if len(heavy) > 1 else value(np.eye(m)[heavy[0]])
        return [(vanishes, 0.0 if vanishes else value(g[:, j]), height)]

    return parts


def signum_parts(rows, c, groups, beta):
    m = len(groups)

    def parts(j):
        for p in range(m):
            terms = [beta ** ((p - q) % m) * c[i] * rows[i, j] / len(groups[q]) for q in range(m) for i in groups[q]]
            # a part that no sample of weight takes part in is left to the light ones
            yield abs(sum(terms)) <= 1e-9 * sum(map(abs, terms)), float(np.sign(sum(terms))), 1.0

    return parts


def assert_certified(problem, limit, parts):
    """`limit` is a sliding point; `parts` as above."""
    size = np.linalg.norm(problem.rows, axis=1).max()
    z = problem.rows @ limit.direction
    assert limit.gap <= 1e-8 * size
    assert limit.weights @ z - z.min() <= 1e-8 * size
    assert limit.weights.sum() == pytest.approx(1.0, abs=1e-12)
    assert distance_to_filippov_set(problem.rows, limit.weights, limit.direction, parts) <= 1e-8


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize(("order", "seed"), [("cyclic", 0), ("shuffle_once", 1)])
@pytest.mark.parametrize("batch", [2, 3, 5])
def test_adam_on_fixed_blocks_is_certified(name, order, seed, batch):
    problem = PROBLEMS[name]
    if batch >= problem.n:
        return
    groups = fixed(problem, batch, order, seed)
    point = sliding_point(problem.rows, tail_maps.Epoch(groups, 0.9, 0.95))
    # A sample of weight below this is lighter than any other by an exponential.
    c = np.where(point.weights > 1e-30, point.weights, 0.0)
    assert_certified(problem, point, adam_parts(problem.rows, c, groups, 0.9, 0.95))


@pytest.mark.parametrize("name", ["reference", "gaussian", "wide"])
@pytest.mark.parametrize("beta", [0.0, 0.9])
@pytest.mark.parametrize("batch", [1, 2, 5])
def test_signum_in_order_is_certified(name, beta, batch):
    problem = PROBLEMS[name]
    if batch >= problem.n:
        return
    groups = fixed(problem, batch)
    point = sliding_point(problem.rows, tail_maps.SignEpoch(groups, beta))
    c = np.empty(problem.n)
    # Without momentum a block sees its own weights alone, up to a factor.
    for group in groups if beta == 0.0 else [np.arange(problem.n)]:
        c[group] = np.exp(point.logs[group] - point.logs[group].max())
    assert_certified(problem, point, signum_parts(problem.rows, np.where(c > 1e-30, c, 0.0), groups, beta))
    assert ib.predict(problem, ib.Signum(beta), order="cyclic", batch=batch).gap <= 1e-8


@pytest.mark.parametrize("order", ["cyclic", "shuffle_once"])
def test_repeated_rows_have_equal_weights(order):
    problem = PROBLEMS["repeated"]
    weights = sliding_point(problem.rows, tail_maps.Epoch(fixed(problem, 3, order, 1), 0.9, 0.95)).weights
    np.testing.assert_allclose(weights[::2], weights[1::2], rtol=1e-10)


@pytest.mark.parametrize("beta", [0.9, 0.99])
def test_on_the_reference_data_a_support_row_fades_with_the_cancellation(beta):
    # Rows 0 and 2 cancel in the last two coordinates; row 3 keeps the margin but no weight.
    limit = ib.predict(SR, ib.Signum(beta), order="cyclic", batch=1)
    z = SR.rows @ limit.direction
    assert np.sort(z)[2] - z.min() <= 1e-12
    assert np.sort(limit.weights)[1] < 1e-30
    for order in ("cyclic", "shuffle_once"):
        direction = ib.predict(
            SR, ib.Adam(0.9, 0.95), order=order, seed=1, batch=2 if order != "cyclic" else 3
        ).direction
        np.testing.assert_allclose(direction / direction[0], [1.0, 1.0, 0.875, 0.125], atol=1e-12)


def _increment(problem, optimizer, lr, steps, **options):
    run = ib.simulate(problem, optimizer, lr=lr, steps=steps, **options)
    half = run.weights[np.abs(run.steps - run.steps[-1] / 2).argmin()]
    return (run.weights[-1] - half) / np.linalg.norm(run.weights[-1] - half)


def test_coordinates_that_jump_together_share():
    # The light row alone would part them, to (1, .72, -1.22); the steps of a run pass over it.
    limit = ib.predict(SHARED, ib.Adam(0.9, 0.95), order="cyclic", batch=2)
    np.testing.assert_allclose(limit.direction / limit.direction[0], [1.0, -0.25, -0.25], atol=1e-12)
    found = _increment(SHARED, ib.Adam(0.9, 0.95), ib.Power(0.1, 0.5), 300_000, order="cyclic", batch=2)
    assert np.linalg.norm(found - limit.direction) < 1e-5


@pytest.mark.parametrize(
    ("problem", "beta", "batch", "order", "seed"),
    [
        (ib.geometry.gaussian(n=11, d=50, seed=1), 0.9, 1, "cyclic", 0),
        (ib.geometry.gaussian(n=12, d=50, seed=2), 0.0, 5, "shuffle_once", 1),
        (SR, 0.9, 1, "cyclic", 0),
    ],
)
def test_runs_of_signum_go_there(problem, beta, batch, order, seed):
    options = {"order": order, "batch": batch, "seed": seed}
    limit = ib.predict(problem, ib.Signum(beta), **options)
    found = _increment(problem, ib.Signum(beta), 1e-4, 500_000, **options)
    # Weights go to and fro by a step: over the second half of the run a part in 1e4 of the way.
    assert np.linalg.norm(found - limit.direction) < 2e-4


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_small_integers_cancel_often(data):
    n, d = data.draw(st.integers(3, 6)), data.draw(st.integers(2, 5))
    rows = np.array(data.draw(st.lists(st.lists(st.integers(-2, 2), min_size=d, max_size=d), min_size=n, max_size=n)))
    rows[:, 0] = np.abs(rows[:, 0]) + 1  # separable
    rows = rows.astype(float)
    batch, beta = data.draw(st.integers(2, n - 1)), data.draw(st.sampled_from([0.0, 0.9]))
    groups = fixed(ib.Problem(rows), batch)
    for tail_map in (tail_maps.Epoch(groups, 0.9, 0.95), tail_maps.SignEpoch(groups, beta)):
        assert sliding_point(rows, tail_map).gap <= 1e-8 * np.linalg.norm(rows, axis=1).max()


@pytest.mark.parametrize("tail_map", [tail_maps.Epoch, tail_maps.SignEpoch])
def test_smoothed_slopes_are_derivatives(tail_map):
    rng = np.random.default_rng(0)
    rows, c = rng.normal(size=(10, 6)), rng.dirichlet(np.ones(10))
    smooth = tail_map([np.arange(0, 4), np.arange(4, 8), np.arange(8, 10)], 0.7).smoothed(0.3)
    slope = smooth.slope(c[:, None] * rows)
    for i in range(10):
        factor = np.ones(10)
        factor[i] = np.exp(1e-6)
        up, down = (smooth.value((c * f)[:, None] * rows) for f in (factor, 1.0 / factor))
        np.testing.assert_allclose((up - down) / 2e-6, slope[i], atol=1e-8)


@pytest.mark.parametrize("beta", [0.0, 0.9])
def test_sign_map_is_the_mean_update_of_signum_on_frozen_gradients(beta):
    rng = np.random.default_rng(2)
    rows, c = rng.normal(size=(7, 4)), rng.dirichlet(np.ones(7))
    groups = [np.array([0, 1, 2]), np.array([3, 4, 5]), np.array([6])]
    momentum, total = np.zeros(4), np.zeros(4)
    for epoch in range(400):
        for group in groups:
            momentum = beta * momentum + (1.0 - beta) * (c[group, None] * rows[group]).mean(axis=0)
            total += np.sign(momentum) if epoch == 399 else 0.0
    np.testing.assert_array_equal(tail_maps.SignEpoch(groups, beta).value(c[:, None] * rows), total)


@pytest.mark.filterwarnings("ignore:2 rest points found")  # seed 0, reshuffled: another order of the light samples
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("order", "batch"), [("cyclic", 2), ("reshuffle", 2)])
def test_measured_maps_are_as_good_on_sparse_rows(seed, order, batch):
    problem, optimizer = ib.geometry.sparse(n=30, d=60, seed=seed), ib.Adam(0.9, 0.999)
    closed = ib.predict(problem, optimizer, order=order, batch=batch)
    measured = ib.predict(problem, optimizer, order=order, batch=batch, method="numerical")
    distance = np.linalg.norm(closed.direction - measured.direction)
    assert distance < 2e-3
    assert distance <= 3.0 * measured.error + 1e-9


@pytest.mark.parametrize(("n", "d", "seed"), [(9, 14, 6), (11, 12, 8)])
def test_measured_maps_follow_a_run_where_no_closed_map_is_close(n, d, seed):
    problem, optimizer = ib.geometry.sparse(n=n, d=d, seed=seed), ib.Adam(0.5, 0.6)
    limit = ib.predict(problem, optimizer, method="numerical")
    w = np.zeros(d)
    for lr, steps in ((0.01, 3000), (0.001, 300_000), (0.003, 500_000)):
        before = w
        run = ib.simulate(problem, optimizer, lr=ib.Power(lr, 0.0), batch=1, order="reshuffle", steps=steps, initial=w)
        w = run.weights[-1]
    far = ib.predict(problem, optimizer).direction
    assert np.linalg.norm(limit.direction - (w - before) / np.linalg.norm(w - before)) < 3.0 * limit.error + 5e-3
    assert limit.error < 5e-3 and np.linalg.norm(limit.direction - far) > 0.1  # to the limit of beta2 -> 1


@pytest.mark.parametrize("order", ["cyclic", "replacement"])
def test_measured_maps_give_repeated_rows_equal_weights(order):
    rows = [[1.0, 1.0, 3.0], [-1.0, 3.0, 1.0], [-1.0, 3.0, 1.0]]
    limit = ib.predict(rows, ib.Adam(0.9, 0.999), order=order, method="numerical")
    assert limit.weights[1] == pytest.approx(limit.weights[2], rel=1e-9)
    expected = np.array([0.2624, 0.8008, 0.5384])
    if order == "replacement":
        assert np.linalg.norm(limit.direction - expected / np.linalg.norm(expected)) < 3.0 * limit.error + 1e-4


def test_no_ratio_is_measured_beyond_the_root_of_beta2():
    for optimizer in (ib.Adam(0.9, 0.5), ib.AdamW(0.95, 0.9, weight_decay=0.0)):
        assert ib.predict(SR, optimizer, order="full", method="numerical") is None
        assert "sqrt(beta2)" in ib.limits.why_not(SR, optimizer, order="full", method="numerical")
    assert ib.limits.why_not(SR, ib.Adam(0.9, 0.95), order="full", method="numerical") is None


def test_runs_of_signum_get_there_once_their_steps_are_small():
    """At larger steps they stay degrees away, however long: the signs of several coordinates change in step."""
    problem, options = PROBLEMS["gaussian"], {"order": "cyclic", "batch": 5}
    limit = ib.predict(problem, ib.Signum(0.9), **options)
    enough = 1e-3 * (1.0 - 0.9) / np.abs(problem.rows).sum(axis=1).max()
    assert f"for steps down to {enough:.1g} (derived)" in limit.rule

    def degrees(lr, steps):
        return angle(_increment(problem, ib.Signum(0.9), lr, steps, **options), limit.direction)

    assert degrees(1e-3, 200_000) > 7.0 and degrees(1e-3, 1_000_000) > 7.0
    assert degrees(ib.Power(0.1, 0.75), 2_000_000) < 0.1  # ends with steps of 2e-6


@pytest.mark.parametrize(
    ("rows", "beta", "batch"),
    [
        ([[-3, -2], [1, 1]], 0.5, 1),
        ([[0, 1], [0, 1], [-1, -1], [2, 3], [-4, 0], [-2, -2]], 0.0, 3),
        ([[0, 1], [0, 1], [-1, -1], [2, 3], [-4, 0], [-2, -2]], 0.5, 3),
    ],
)
def test_where_the_steps_of_an_epoch_cancel_there_is_no_limit(rows, beta, batch):
    options = {"batch": batch, "order": "cyclic"}
    for method in ("theory", "numerical"):
        with pytest.warns(RuntimeWarning, match="w stays where it is; another batch size"):
            assert ib.predict(rows, ib.Signum(beta), method=method, **options) is None
    run = ib.simulate(rows, ib.Signum(beta), lr=ib.Power(0.01, 0.0), steps=40_000, **options)
    late = run.weights[run.steps >= 10_000]
    assert np.abs(late - late[-1]).max() < 0.1 and run.weights[-1] @ run.weights[-1] > 0.0

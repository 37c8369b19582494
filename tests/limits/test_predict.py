"""Predicted limits: certificates, reference values, an independent twin, and agreement with simulation."""

import warnings

import naive_flows
import numpy as np
import pytest

import implicitbias as ib
from implicitbias.limits import tail_maps, why_not
from implicitbias.limits.fixed_point import evaluate, is_stable
from implicitbias.measure import cosine

SR = ib.geometry.scaled_rademacher_reference()
GAUSSIANS = [ib.geometry.gaussian(n=10, d=50, seed=seed) for seed in range(10)]
ADAM = ib.Adam(0.9, 0.95)

SHIPPED = {
    "gaussian": GAUSSIANS[0],
    "scaled_rademacher": ib.geometry.scaled_rademacher(n=8, d=40, seed=0),
    "reference": SR,
    "shifted_diagonal": ib.geometry.shifted_diagonal(),
    "clusters": ib.geometry.clusters(seed=0),
    "imbalanced": ib.geometry.imbalanced(seed=0),
    "power_law": ib.geometry.power_law(seed=0, rotate=True),
    "correlated": ib.geometry.correlated(seed=0),
    "sparse": ib.geometry.sparse(seed=0),
    "disjoint": ib.geometry.sparse(n=10, d=50, nonzeros=5, disjoint=True, seed=0),
    "heavy_tailed": ib.geometry.heavy_tailed(seed=0),
    "one row": ib.geometry.gaussian(n=1, d=5, seed=0),
    "iris": ib.geometry.iris(standardize=True),
}


def _predict(*arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # several rest points are looked at on their own below
        return ib.predict(*arguments, **options)


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize(
    ("order", "batch"),
    [("full", 1), ("reshuffle", 1), ("reshuffle", 3), ("replacement", 1), ("replacement", 3), ("cyclic", 1)],
)
def test_closed_maps_have_certified_rest_points(name, order, batch):
    problem = SHIPPED[name]
    limit = _predict(problem, ADAM, order=order, batch=min(batch, problem.n))
    size = np.linalg.norm(problem.rows, axis=1).max()
    assert 0.0 <= limit.gap <= 1e-8 * size
    assert limit.weights.min() >= 0.0
    assert limit.weights.sum() == pytest.approx(1.0, abs=1e-12)
    assert np.linalg.norm(limit.direction) == pytest.approx(1.0, abs=1e-12)
    # the certificate from its definition
    z = problem.rows @ limit.direction
    assert limit.weights @ z - z.min() <= 1e-8 * size


def test_reference_values_on_scaled_rademacher_data():
    l2 = ib.max_margin(SR).direction
    for batch, expected in ((1, 1.0), (2, 0.9972441), (3, 0.9874099)):
        assert cosine(_predict(SR, ADAM, batch=batch).direction, l2) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("batch", "to_l2", "to_linf", "ratio"),
    [
        (1, 0.9711, 0.8119, 0.5475),
        (2, 0.9718, 0.8344, 0.6067),
        (5, 0.9584, 0.8820, 0.7427),
        (9, 0.9001, 0.9462, 0.9178),
    ],
)
def test_reference_means_on_gaussian_data(batch, to_l2, to_linf, ratio):
    found = []
    for problem in GAUSSIANS:
        u = _predict(problem, ADAM, batch=batch).direction
        l2, linf = ib.max_margin(problem), ib.max_margin(problem, "linf")
        margin = (problem.rows @ u).min() / np.abs(u).max() / linf.margin
        found.append((cosine(u, l2.direction), cosine(u, linf.direction), margin))
    np.testing.assert_allclose(np.mean(found, axis=0), (to_l2, to_linf, ratio), atol=5.1e-5)


def test_shifted_diagonal_goes_to_ones_for_every_batch_size():
    problem = ib.geometry.shifted_diagonal()
    for batch in (1, 2, 3, 4):
        limit = _predict(problem, ADAM, batch=batch)
        np.testing.assert_allclose(limit.direction, 0.5, atol=1e-12)
        np.testing.assert_allclose(limit.weights, [1.0, 0.0, 0.0, 0.0], atol=1e-9)


@pytest.mark.parametrize("order", ["reshuffle", "replacement", "cyclic"])
def test_twin_simulating_the_weight_dynamics_agrees(order):
    problem = ib.geometry.gaussian(n=5, d=8, seed=3)
    rows, n, batch = problem.rows, 5, 2 if order != "cyclic" else 1
    singles = {"reshuffle": n - batch, "replacement": n}.get(order)
    blocks = [[i] for i in range(n)]
    if order == "cyclic":
        c = naive_flows.weight_dynamics(
            rows, lambda c: naive_flows.epoch_map(rows, c, blocks, 0.5, 0.6, epochs=12), np.full(n, 0.2), 0.1, 3000
        )
        u = naive_flows.epoch_map(rows, c, blocks, 0.5, 0.6)
        limit = _predict(problem, ib.Adam(0.5, 0.6), order=order)
    else:
        c = naive_flows.weight_dynamics(
            rows, lambda c: naive_flows.sampled_map(rows, c, batch - 1, singles), np.full(n, 0.2), 0.1, 6000
        )
        u = naive_flows.sampled_map(rows, c, batch - 1, singles)
        limit = _predict(problem, ADAM, order=order, batch=batch)
    assert cosine(limit.direction, u) == pytest.approx(1.0, abs=1e-7)
    np.testing.assert_allclose(limit.weights, c, atol=2e-3)


@pytest.mark.parametrize("betas", [(0.0, 0.9), (0.5, 0.5), (0.9, 0.95)])
def test_epoch_map_is_the_mean_update_of_adam_on_frozen_gradients(betas):
    rng = np.random.default_rng(1)
    rows, c = rng.normal(size=(7, 4)), rng.dirichlet(np.ones(7))
    blocks = [np.array([0, 1, 2]), np.array([3, 4, 5]), np.array([6])]
    ours = tail_maps.Epoch(blocks, *betas).value(c[:, None] * rows)
    twin = naive_flows.epoch_map(rows, c, blocks, *betas)
    assert cosine(ours, twin) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize(
    "tail_map",
    [
        tail_maps.proxy(),
        tail_maps.reshuffle(10, 3),
        tail_maps.replacement(10, 4),
        tail_maps.Epoch([np.arange(0, 4), np.arange(4, 8), np.arange(8, 10)], 0.9, 0.95),
        tail_maps.Epoch([np.array([i]) for i in range(10)]),
    ],
)
def test_slopes_are_derivatives(tail_map):
    rng = np.random.default_rng(0)
    rows, c = rng.normal(size=(10, 6)), rng.dirichlet(np.ones(10))
    slope = tail_map.slope(c[:, None] * rows)
    for i in range(10):
        factor = np.ones(10)
        factor[i] = np.exp(1e-6)
        up, down = (tail_map.value((c * f)[:, None] * rows) for f in (factor, 1.0 / factor))
        np.testing.assert_allclose((up - down) / 2e-6, slope[i], atol=1e-8)


def test_contributions_give_each_coordinate_its_own_unit():
    rows = np.array([[1.0, 0.0], [0.0, 2.0]])
    g = tail_maps.contributions(rows, np.array([0.0, -5000.0]))
    assert g.tolist() == [[1.0, 0.0], [0.0, 2.0]]


@pytest.mark.parametrize("beta2", [0.95, 0.999])
@pytest.mark.parametrize("order", ["reshuffle", "cyclic"])
@pytest.mark.parametrize("batch", [1, 2, 5])
def test_simulation_goes_where_predicted_and_not_elsewhere(order, batch, beta2):
    optimizer = ib.Adam(0.9, beta2)
    lr = ib.Power(0.1, 0.5) if beta2 == 0.95 else ib.Power(0.02, 0.5)
    rivals = {"reshuffle": "cyclic", "cyclic": "reshuffle"}
    for problem in GAUSSIANS[:3]:
        run = ib.simulate(problem, optimizer, lr=lr, batch=batch, order=order, steps=200_000)
        measured = run.curve["inc_cos_limit"].iloc[-1]
        assert measured >= 0.999
        if batch > 1:
            rival = _predict(problem, optimizer, batch=batch, order=rivals[order]).direction
            w, half = run.weights[-1], run.weights[np.abs(run.steps - 100_000).argmin()]
            assert cosine(w - half, rival) < measured - 0.005


def test_measured_tail_map_improves_on_the_slow_limit_at_small_beta2():
    problem, optimizer = GAUSSIANS[0], ib.Adam(0.5, 0.5)
    run = ib.simulate(problem, optimizer, lr=ib.Power(0.02, 0.5), steps=300_000)
    increment = run.weights[-1] - run.weights[np.abs(run.steps - 150_000).argmin()]
    slow, measured = _predict(problem, optimizer), _predict(problem, optimizer, method="numerical")
    assert cosine(increment, measured.direction) > 0.9995 > cosine(increment, slow.direction)
    assert measured.error < 0.01
    assert measured.gap < 0.02 * np.linalg.norm(problem.rows, axis=1).max()


@pytest.mark.parametrize(("order", "batch"), [("reshuffle", 2), ("cyclic", 1)])
def test_numerical_and_closed_maps_agree_where_both_are_exact(order, batch):
    optimizer = ib.Adam(0.9, 0.999)
    closed = _predict(GAUSSIANS[1], optimizer, order=order, batch=batch)
    measured = _predict(GAUSSIANS[1], optimizer, order=order, batch=batch, method="numerical")
    assert cosine(closed.direction, measured.direction) > 0.9999


@pytest.mark.parametrize("optimizer", [ib.Signum(0.0), ib.NGD()])
def test_without_memory_the_limit_is_the_mean_step(optimizer):
    problem = GAUSSIANS[0]
    limit = _predict(problem, optimizer, order="cyclic")
    run = ib.simulate(problem, optimizer, lr=ib.Power(0.1, 0.5), order="cyclic", steps=20_000)
    assert cosine(run.weights[-1], limit.direction) > 0.9999


def test_a_tie_has_an_unstable_rest_point_and_prediction_takes_the_stable_one():
    problem = ib.geometry.shifted_diagonal(diagonal=(1.0, 1.001, 4.0, 8.0))
    with pytest.warns(RuntimeWarning, match="2 rest points found"):
        limit = ib.predict(problem, ADAM)
    np.testing.assert_allclose(limit.direction, 0.5, atol=1e-9)
    [other] = limit.others
    assert other.weights[:2].min() > 0.4
    with np.errstate(divide="ignore"):
        point = evaluate(problem.rows, tail_maps.reshuffle(4, 1), np.maximum(np.log(other.weights), -1e9))
    assert not is_stable(problem.rows, tail_maps.reshuffle(4, 1), point)


def test_full_batch_goes_to_the_certified_separators():
    for optimizer, norm in ((ADAM, "linf"), (ib.Signum(), "linf"), (ib.SGD(), "l2"), (ib.NGD(), "l2")):
        limit = _predict(GAUSSIANS[2], optimizer, order="full")
        assert cosine(limit.direction, ib.max_margin(GAUSSIANS[2], norm).direction) == pytest.approx(1.0)
    assert _predict(SR, ADAM, order="reshuffle", batch=4).rule.startswith("l_inf")


def test_no_theory_is_none_with_a_sentence():
    for optimizer, options in (
        (ib.Signum(0.9), {"batch": 2}),
        (ib.NGD(), {"batch": 3}),
        (ib.Adam(), {"batch": 3, "remainder": "keep"}),
        (ib.AdaGrad(), {}),
    ):
        assert ib.predict(GAUSSIANS[0], optimizer, **options) is None
        assert "limit" in why_not(GAUSSIANS[0], optimizer, **options)
    assert ib.predict(GAUSSIANS[0], ib.Adam(eps=1e-8), method="numerical") is None
    assert "size of the gradients" in why_not(GAUSSIANS[0], ib.Adam(eps=1e-8), method="numerical")
    assert why_not(GAUSSIANS[0], ib.Adam()) is None


def test_bad_arguments():
    with pytest.raises(ib.NotSeparable):
        ib.predict([[1.0, 0.0], [-1.0, 0.0]], ib.Adam())
    with pytest.raises(ib.InputError, match="optimizer must be"):
        ib.predict(SR, "adam")
    with pytest.raises(ib.InputError, match="method must be"):
        ib.predict(SR, ib.Adam(), method="guess")
    with pytest.raises(ib.InputError, match="batch must be"):
        ib.predict(SR, ib.Adam(), batch=5)

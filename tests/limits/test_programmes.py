"""The limits with a programme of their own: certificates, a second solver, and what simulations do."""

import warnings

import numpy as np
import pytest

import implicitbias as ib
from implicitbias.limits import (
    adagrad_direction,
    adamw_batch_point,
    adamw_point,
    kappa_direction,
    predict,
    signum_bound,
    why_not,
)
from implicitbias.losses import log_loss

ROWS = np.random.default_rng(0).normal(size=(10, 50))
SPARSE = np.array([[1, 0, 0, 0, 2.0], [0, 3, 0, 0, -1], [0, 0, -4, 0, 1], [10, 0, 0, 5, 0]])
SMALL = np.random.default_rng(5).normal(size=(6, 8))
KAPPAS = [0.01, 0.1, 1.0, 10.0, 100.0]


def cosine(u, v):
    return float(u @ v / np.linalg.norm(u) / np.linalg.norm(v))


def increment(run):
    half = np.abs(run.steps - run.steps[-1] / 2).argmin()
    return run.weights[-1] - run.weights[half]


# --- eps proportional to the loss -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kappa", [1e-4, *KAPPAS, 1e4])
@pytest.mark.parametrize("rows", [ROWS, SPARSE, SMALL, ROWS * 1e-3], ids=["gaussian", "sparse", "small", "tiny"])
def test_kappa_certificate(rows, kappa):
    lim = kappa_direction(rows, kappa)
    assert lim.gap <= 1e-8 * np.linalg.norm(rows, axis=1).max()
    z = rows @ lim.direction
    assert lim.weights @ z - z.min() == pytest.approx(lim.gap, abs=1e-12 * np.abs(z).max())
    total = lim.weights @ rows
    assert cosine(total / (np.abs(total) + kappa), lim.direction) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("kappa", [0.1, 1.0, 10.0])
def test_kappa_against_a_conic_solver(kappa):
    cvxpy = pytest.importorskip("cvxpy")
    u = cvxpy.Variable(SMALL.shape[1])
    a = cvxpy.Variable(SMALL.shape[1])  # |u_j|; -a - log(1 - a) grows with a
    value = cvxpy.min(SMALL @ u) + kappa * cvxpy.sum(a + cvxpy.log(1 - a))
    problem = cvxpy.Problem(cvxpy.Maximize(value), [u <= a, -u <= a])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        problem.solve(solver="CLARABEL")
    lim = kappa_direction(SMALL, kappa)
    assert cosine(u.value, lim.direction) == pytest.approx(1.0, abs=1e-6)
    size = np.abs(lim.weights @ SMALL)
    assert (size - kappa * np.log1p(size / kappa)).sum() == pytest.approx(problem.value, rel=1e-5)


def test_kappa_connects_the_two_geometries():
    assert cosine(kappa_direction(ROWS, 1e5).direction, ib.max_margin(ROWS, "l2").direction) > 1 - 1e-8
    sharp = kappa_direction(ROWS, 1e-5).direction
    gamma = ib.max_margin(ROWS, "linf").margin
    assert (ROWS @ sharp).min() / np.abs(sharp).max() > (1 - 1e-3) * gamma


@pytest.mark.parametrize("kappa", KAPPAS)
def test_kappa_against_simulation(kappa):
    optimizer = ib.Adam(0.9, 0.95, kappa=kappa)
    run = ib.simulate(ROWS, optimizer, lr=1e-3 * max(1.0, kappa), order="full", steps=40_000)
    lim = predict(ROWS, optimizer, order="full")
    assert (lim.direction == kappa_direction(ROWS, kappa).direction).all()
    assert cosine(increment(run), lim.direction) > 0.9995


def test_kappa_with_eps_or_on_batches():
    assert predict(SMALL, ib.Adam(eps=1e-8, kappa=1.0), order="full").rule.startswith("l2 max-margin")
    assert predict(SMALL, ib.Adam(kappa=1.0), batch=2) is None
    assert "numerical tail map" in why_not(SMALL, ib.Adam(kappa=1.0), batch=2)
    for kappa in (0.0, -1.0, float("nan"), "1", True):
        with pytest.raises(ib.InputError, match="kappa must be"):
            kappa_direction(SMALL, kappa)
    with pytest.raises(ib.NotSeparable):
        kappa_direction([[1.0], [-1.0]], 1.0)


# --- AdamProxy --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [SMALL, ROWS, SPARSE], ids=["small", "gaussian", "sparse"])
def test_adam_proxy_against_simulation(rows):
    run = ib.simulate(rows, ib.AdamProxy(), lr=0.05, order="full", steps=20_000)
    lim = predict(rows, ib.AdamProxy(), order="full")
    assert lim.gap < 1e-8
    assert cosine(increment(run), lim.direction) > 0.999
    one = ib.simulate(rows, ib.AdamProxy(), lr=0.05, batch=1, steps=20_000)
    assert cosine(increment(one), predict(rows, ib.AdamProxy(), batch=1).direction) > 0.999
    assert "1 < b < n" in why_not(rows, ib.AdamProxy(), batch=2)


# --- AdaGrad ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lr", [0.03, 0.1])
@pytest.mark.parametrize(("rows", "least"), [(SMALL, 0.999), (ROWS, 0.99999)], ids=["small", "gaussian"])
def test_adagrad_against_simulation(rows, least, lr):
    # Gradient descent in the frozen geometry crawls: small data are at 0.9992 after 300000 steps.
    run = ib.simulate(rows, ib.AdaGrad(), lr=lr, order="full", steps=300_000)
    lim = adagrad_direction(rows, run)
    assert lim.gap < 1e-8
    assert cosine(increment(run), lim.direction) > least
    assert cosine(increment(run), ib.max_margin(rows).direction) < 0.95
    assert (lim.direction == adagrad_direction(ib.Problem(rows), run).direction).all()


@pytest.mark.parametrize(
    ("eps", "inside", "order"),
    [(1.0, False, "full"), (0.1, False, "full"), (1.0, False, "reshuffle"), (0.3, True, "full"), (0.3, True, "cyclic")],
)
def test_adagrad_with_eps_against_simulation(eps, inside, order):
    """The geometry is that of sqrt(V) + eps or sqrt(V + eps), and far from that of sqrt(V) and from l2."""
    problem = ib.geometry.gaussian(n=5, d=8, seed=3)
    run = ib.simulate(problem, ib.AdaGrad(eps, inside), lr=1.0, order=order, steps=300_000)
    lim = adagrad_direction(problem, run)
    assert lim.gap < 1e-8
    assert ("theorem" if inside and order == "full" else "derived") in lim.rule
    assert cosine(increment(run), lim.direction) > 1 - 1e-7
    root = np.sqrt(run.state[0])
    assert cosine(increment(run), ib.max_margin(problem, ("mahalanobis", root)).direction) < 0.99
    assert cosine(increment(run), ib.max_margin(problem).direction) < 0.9999


@pytest.mark.parametrize("inside", [False, True])
def test_adagrad_far_out(inside):
    """V of the first gradients: tiny beside eps it does not matter, below float64 it is not known."""
    problem = ib.geometry.gaussian(n=5, d=8, seed=3)
    start = 400.0 / ib.max_margin(problem).margin * ib.max_margin(problem).direction
    covered = ib.simulate(problem, ib.AdaGrad(1.0, inside), order="full", steps=10, initial=start)
    assert covered.state.max() < 1e-300
    np.testing.assert_allclose(
        adagrad_direction(problem, covered).direction, ib.max_margin(problem).direction, atol=1e-12
    )
    unknown = ib.simulate(problem, ib.AdaGrad(), order="full", steps=10, initial=start)
    with pytest.raises(ib.InputError, match=r"squared gradients of feature 0 is .* too far out for float64"):
        adagrad_direction(problem, unknown)


def test_adagrad_ignores_features_without_data_and_refuses_other_runs():
    rows = np.array([[1.0, 0.0, 1.0], [0.5, 0.0, -2.0]])
    run = ib.simulate(rows, ib.AdaGrad(), order="full", steps=100)
    assert adagrad_direction(rows, run).direction[1] == 0.0
    assert predict(rows, ib.AdaGrad(), order="full") is None
    assert "adagrad_direction" in why_not(rows, ib.AdaGrad())
    with pytest.raises(ib.InputError, match=r"not of Adam\("):
        adagrad_direction(rows, ib.simulate(rows, ib.Adam(), steps=1))
    with pytest.raises(ib.InputError, match="run has 3 features"):
        adagrad_direction(SMALL, run)
    with pytest.raises(ib.InputError, match="on these rows"):
        adagrad_direction(2 * rows, run)
    ended = ib.simulate(rows, ib.AdaGrad(), order="full", steps=10**12, timeout=1e-9)
    with pytest.raises(ib.InputError, match="without its state, with the status 'timeout'"):
        adagrad_direction(rows, ended)


# --- AdamW ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["logistic", "exponential"])
@pytest.mark.parametrize("decay", [1.0, 0.1, 0.01, 0.001, 1e-4])
@pytest.mark.parametrize("rows", [SMALL, ROWS, SPARSE], ids=["small", "gaussian", "sparse"])
def test_box_certificate(rows, decay, loss):
    found = adamw_point(rows, decay, loss)
    assert found.gap <= 1e-9  # of the loss
    assert np.abs(found.point).max() <= 1.0 / decay * (1 + 1e-15)
    assert found.log_loss == pytest.approx(log_loss(rows @ found.point, loss), rel=1e-12)
    # No point of the box has less: neither its neighbours nor random ones.
    rng = np.random.default_rng(0)
    near = np.clip(found.point + 1e-3 / decay * rng.normal(size=(200, rows.shape[1])), -1 / decay, 1 / decay)
    assert (log_loss(near @ rows.T, loss) >= found.log_loss - 1e-7).all()


@pytest.mark.parametrize("decay", [1.0, 0.3])
def test_adamw_converges_to_the_box_minimum(decay):
    optimizer = ib.AdamW(0.9, 0.95, weight_decay=decay)
    run = ib.simulate(SMALL, optimizer, lr=ib.Power(0.5, 0.75), order="full", steps=200_000)
    found = adamw_point(SMALL, decay)
    assert np.linalg.norm(run.weights[-1] - found.point) < 1e-4 * np.linalg.norm(found.point)
    assert log_loss(SMALL @ run.weights[-1], "logistic") - found.log_loss < 1e-3
    assert "adamw_point" in why_not(SMALL, optimizer, order="full")
    assert predict(SMALL, optimizer, order="full") is None


def test_box_against_a_conic_solver():
    cvxpy = pytest.importorskip("cvxpy")
    w = cvxpy.Variable(SMALL.shape[1])
    mean = cvxpy.sum(cvxpy.logistic(-(SMALL @ w))) / len(SMALL)
    problem = cvxpy.Problem(cvxpy.Minimize(mean), [cvxpy.norm_inf(w) <= 2.0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        problem.solve(solver="CLARABEL")
    assert adamw_point(SMALL, 0.5).log_loss == pytest.approx(np.log(problem.value), abs=1e-5)


def test_adamw_without_decay_is_adam():
    lim = predict(SMALL, ib.AdamW(0.9, 0.95, weight_decay=0.0), batch=1)
    assert (lim.direction == predict(SMALL, ib.Adam(0.9, 0.95), batch=1).direction).all()
    with pytest.raises(ib.InputError) as caught:
        adamw_point(SMALL, 0.0, "hinge")
    assert len(caught.value.mistakes) == 2


# --- Signum -----------------------------------------------------------------------------------------------------------


def test_signum_margin_is_above_its_bound():
    gamma = ib.max_margin(SMALL, "linf").margin
    assert signum_bound(SMALL, 0.9, batch=6) == pytest.approx(gamma, rel=1e-12)
    assert signum_bound(SMALL, 0.5, batch=1) < 0.0
    beta = 0.9999
    bound = signum_bound(SMALL, beta, batch=3)
    assert 0.9 * gamma < bound < gamma
    # The loss must not fall faster than the momentum forgets: gamma lr < 1 - beta.
    run = ib.simulate(SMALL, ib.Signum(beta), lr=2e-5, batch=3, steps=4_000_000)
    moved = increment(run)
    assert (SMALL @ moved).min() / np.abs(moved).max() >= bound
    with pytest.raises(ib.InputError) as caught:
        signum_bound(SMALL, 1.0, batch=7)
    assert len(caught.value.mistakes) == 2


@pytest.mark.parametrize(("order", "batch"), [("reshuffle", 1), ("reshuffle", 3), ("replacement", 2)])
def test_mini_batch_adamw_settles_where_its_decay_balances_the_mean_update(order, batch):
    problem = ib.geometry.gaussian(n=8, d=20, seed=1)
    w, residual = adamw_batch_point(problem, weight_decay=0.1, batch=batch, order=order)
    assert residual < 1e-6
    assert np.abs(w).max() <= 10.0
    run = ib.simulate(
        problem,
        ib.AdamW(0.9, 0.999, weight_decay=0.1),
        lr=ib.Power(0.05, 0.5),
        batch=batch,
        order=order,
        steps=1_000_000,
        initial=w,
    )
    assert np.linalg.norm(run.weights[-1] - w) < 0.02 * np.linalg.norm(w)
    # far from the box of the full batch
    assert np.linalg.norm(run.weights[-1] - adamw_point(problem, 0.1).point) > 0.2 * np.linalg.norm(w)


def test_mini_batch_adamw_refuses_wrong_arguments():
    with pytest.raises(ib.InputError) as caught:
        adamw_batch_point(SR_ROWS, weight_decay=0.0, batch=4, order="cyclic")
    assert len(caught.value.mistakes) == 3


SR_ROWS = [[1.0, 1.0], [2.0, -1.0], [3.0, 1.0], [1.0, 0.5]]

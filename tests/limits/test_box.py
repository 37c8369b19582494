"""The box minimum of AdamW: its certificate against exact arithmetic, its value against other solvers."""

import warnings
from fractions import Fraction

import mpmath as mp
import numpy as np
import pytest

import implicitbias as ib
from implicitbias.limits import adamw_batch_point, adamw_point
from implicitbias.limits.box import certify, minimise

DECAYS = [1e-2, 1e-3, 1e-4]


def random_rows(seed):
    """Gaussian rows of random size: as they are, with zeros, with repeats, of different lengths."""
    rng = np.random.default_rng([seed, 7])
    rows = rng.normal(size=rng.integers(1, 30, size=2))
    kind = seed % 4
    if kind == 1:
        rows = rows * (rng.random(rows.shape) < 0.4)
        rows[~rows.any(axis=1), 0] = 1.0
    if kind == 2:
        rows = np.vstack([rows, rows[: len(rows) // 2], rows[:1], rows[:1]])
    if kind == 3:
        rows = rows * np.exp(rng.normal(size=(len(rows), 1)))
    return rows


def exact_log_loss(rows, w, loss):
    """log L(w) in 60 digits."""
    with mp.workdps(60):
        w = [mp.mpf(float(x)) for x in w]
        z = [mp.fsum(mp.mpf(float(a)) * x for a, x in zip(row, w)) for row in rows]
        lowest = min(z)
        if loss == "exponential":
            parts = [mp.exp(lowest - t) for t in z]
        else:
            parts = [mp.log1p(mp.exp(-t)) * mp.exp(lowest) for t in z]
        return mp.log(mp.fsum(parts) / len(z)) - lowest


def exact_gap(rows, w, width, loss):
    """(max over the box of grad L(w).(w - y)) / L(w) in 60 digits: by convexity a bound on (L(w) - min L) / L(w)."""
    with mp.workdps(60):
        a = [[mp.mpf(float(x)) for x in row] for row in rows]
        z = [mp.fsum(x * mp.mpf(float(y)) for x, y in zip(row, w)) for row in a]
        high = mp.exp(min(z))
        weights = [high * (mp.exp(-t) if loss == "exponential" else 1 / (1 + mp.exp(t))) for t in z]
        losses = [high * (mp.exp(-t) if loss == "exponential" else mp.log1p(mp.exp(-t))) for t in z]
        pull = [mp.fsum(c * row[j] for c, row in zip(weights, a)) for j in range(len(w))]
        return mp.fsum(abs(g) * mp.mpf(width) - g * mp.mpf(float(x)) for g, x in zip(pull, w)) / mp.fsum(losses)


def by_cone_solver(rows, decay, loss):
    """log L at a point of the box that Clarabel finds, in units of a unit box; None where it fails."""
    cvxpy = pytest.importorskip("cvxpy")
    x = cvxpy.Variable(rows.shape[1])
    z = (rows / decay) @ x
    mean = cvxpy.log_sum_exp(-z) if loss == "exponential" else cvxpy.sum(cvxpy.logistic(-z))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            cvxpy.Problem(cvxpy.Minimize(mean), [cvxpy.norm_inf(x) <= 1.0]).solve(solver="CLARABEL")
        except cvxpy.error.SolverError:
            return None
    return float(exact_log_loss(rows, np.clip(x.value, -1.0, 1.0) / decay, loss))


def half_width(decay):
    return 1.0 / decay if Fraction(1.0 / decay) * Fraction(decay) <= 1 else np.nextafter(1.0 / decay, 0.0)


# --- the certificate --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["logistic", "exponential"])
@pytest.mark.parametrize("seed", range(16))
def test_the_gap_is_a_bound_at_the_minimum_and_away_from_it(seed, loss):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=rng.integers(1, 9, size=2)) * 10.0 ** rng.integers(-3, 3)
    if seed % 3 == 0:
        rows = np.vstack([rows, rows * np.exp(rng.normal(size=(len(rows), 1))), rows])
    decay = 10.0 ** -rng.integers(-1, 5)
    width = half_width(decay)
    best = minimise(rows / decay, loss)
    least = exact_log_loss(rows, width * best, loss)
    size = np.abs(rows / decay).sum(axis=1).max()
    for distance in (0.0, 1e-16, 1e-12, 1e-9, 1e-6, 1e-3, 0.1):
        w = width * np.clip(best + distance / max(1.0, size) ** 0.5 * rng.normal(size=len(best)), -1.0, 1.0)
        log_loss, gap = certify(rows, width, w, loss)
        exact = exact_log_loss(rows, w, loss)
        assert abs(log_loss - exact) <= 1e-15 * max(1.0, abs(exact))
        excess = -mp.expm1(least - exact)  # (L(w) - L(best)) / L(w), and best is not below the minimum
        assert excess <= gap
        # second order in the distance: no bound for its own sake
        if 1e-13 < excess < 1e-3:
            assert gap <= 1e-9 + 100 * excess


def test_the_gap_where_margins_are_negative():
    """One row against many: its weight may be near 1, and weights of the logistic loss end there."""
    rng = np.random.default_rng(0)
    rows = np.vstack([[100.0, 1.0], *([[-100.0 * (1 + x), 1.0] for x in 0.1 * rng.random(60)])])
    for decay in (1.0, 10.0, 100.0):
        width = half_width(decay)
        best = minimise(rows / decay, "logistic")
        least = exact_log_loss(rows, width * best, "logistic")
        for x in (best, 0.999 * best, -best, np.array([-1.0, 0.5]), np.array([0.0, 1.0])):
            _, gap = certify(rows, width, width * x, "logistic")
            assert -mp.expm1(least - exact_log_loss(rows, width * x, "logistic")) <= gap
        assert adamw_point(rows, decay).gap < 1e-12
    assert (rows @ adamw_point(rows, 1.0).point).min() < -2.0


def test_the_gap_of_points_with_margins_of_1e5():
    """At such margins products in float64 are off by 1e-11, which moves the weights, and a gap of 2e-10 was 4e-8."""
    rows = ib.geometry.gaussian(n=10, d=20, seed=20).rows
    found = adamw_point(rows, 1e-4)
    least = exact_log_loss(rows, found.point, "logistic")
    rng = np.random.default_rng(0)
    for distance in (0.0, 1e-13, 1e-10, 1e-8):
        w = 1e4 * np.clip(found.point / 1e4 + distance * rng.normal(size=20), -1.0, 1.0)
        _, gap = certify(rows, 1e4, w, "logistic")
        assert -mp.expm1(least - exact_log_loss(rows, w, "logistic")) <= gap


# --- the minimum ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("decay", "expected"), [(0.01, -313.01272016), (1e-3, -3127.468255067), (1e-4, -31272.0236041)]
)
def test_a_box_that_was_missed(decay, expected):
    found = adamw_point(ib.geometry.gaussian(n=10, d=20, seed=20), decay)
    assert found.log_loss == pytest.approx(expected, rel=1e-11)
    assert found.gap <= 1e-9


def check(rows, decay, loss):
    found = adamw_point(rows, decay, loss)
    assert found.gap <= 1e-9
    assert max(abs(Fraction(float(x))) for x in found.point) * Fraction(decay) <= 1
    exact = exact_log_loss(rows, found.point, loss)
    assert abs(found.log_loss - exact) <= 1e-15 * max(1.0, abs(exact))
    # Of first order: rounding w moves the margins by 1e-16 of their size, the slope by that times the size again.
    size = np.abs(rows).sum(axis=1).max() / decay
    assert exact_gap(rows, found.point, half_width(decay), loss) <= 1e-9 + 1e-16 * size**2
    return found


@pytest.mark.parametrize("decay", DECAYS)
@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_against_a_cone_solver(seed, decay):
    rows = random_rows(seed)
    found = check(rows, decay, "exponential")
    other = by_cone_solver(rows, decay, "exponential")
    # Clarabel knows its own optimum to about 1e-8 of the value.
    assert found.log_loss - 1e-9 <= other
    assert other == pytest.approx(found.log_loss, abs=1e-5 * max(1.0, abs(found.log_loss)))


@pytest.mark.long
@pytest.mark.parametrize("decay", DECAYS)
def test_many_sets_against_a_cone_solver(decay):
    compared = 0
    for seed in range(40):
        rows = random_rows(seed)
        check(rows, decay, "logistic")
        found = check(rows, decay, "exponential")
        other = by_cone_solver(rows, decay, "exponential")
        compared += other is not None
        assert other is None or found.log_loss - 1e-9 <= other
    assert compared >= 25  # it fails on some


@pytest.mark.parametrize("width", [700.0, 709.0, 720.0, 740.0, 745.0, 760.0])
def test_where_the_largest_weight_leaves_float64(width):
    for loss in ("logistic", "exponential"):
        check(np.array([[1.0, 0.1], [1.001, -0.1]]), 1.0 / width, loss)


@pytest.mark.parametrize("loss", ["logistic", "exponential"])
@pytest.mark.parametrize("decay", [10.0, 0.3, 0.01, 1e-4])
@pytest.mark.parametrize("seed", [5, 6, 10, 11])
def test_many_kinds_of_rows(seed, decay, loss):
    check(random_rows(seed), decay, loss)


def test_logistic_loss_of_small_boxes_against_a_cone_solver():
    rows = random_rows(7)
    for decay in (3.0, 0.5):
        assert check(rows, decay, "logistic").log_loss == pytest.approx(
            by_cone_solver(rows, decay, "logistic"), abs=1e-5
        )


def test_data_without_a_separator():
    rows = np.random.default_rng(3).normal(size=(40, 3))
    for decay in (1.0, 1e-2, 1e-4):
        found = check(rows, decay, "logistic")
    assert np.abs(found.point).max() < 10.0  # the minimum of the loss, far from the faces
    weights = 1.0 / (1.0 + np.exp(rows @ found.point))
    np.testing.assert_allclose(weights @ rows, 0.0, atol=1e-10)


@pytest.mark.long
@pytest.mark.parametrize("shape", [(300, 200), (40, 400), (400, 30)])
def test_larger_data(shape):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=shape) + 0.5 * rng.choice([-1.0, 1.0], size=shape[1])
    for decay in DECAYS:
        assert adamw_point(rows, decay).gap <= 1e-8


def test_rows_of_any_size():
    rows = ib.geometry.gaussian(n=5, d=8, seed=3).rows
    for scale in (1e-150, 1e-6, 1e3):
        found = adamw_point(rows * scale, 0.01 * scale)
        assert found.gap <= 1e-10
        assert found.log_loss == pytest.approx(adamw_point(rows, 0.01).log_loss, rel=1e-12)
    # one row out of reach of float64 beside the others, satisfied with room
    mixed = rows * np.array([[1e-100], [1.0], [1e30], [1.0], [1.0]])
    found = adamw_point(mixed, 0.1)
    assert found.gap <= 1e-10
    with pytest.warns(RuntimeWarning, match="only certified to a relative"):
        adamw_point(rows * 1e13, 0.1)
    with pytest.raises(ib.InputError, match="do not fit float64"):
        adamw_point(rows * 1e300, 1e-10)


def test_features_without_data_stay_at_zero_and_repeats_change_nothing():
    rows = random_rows(0)
    padded = np.insert(rows, 1, 0.0, axis=1)
    found, other = adamw_point(rows, 0.1), adamw_point(padded, 0.1)
    assert other.point[1] == 0.0
    assert other.log_loss == pytest.approx(found.log_loss, rel=1e-14)
    twice = adamw_point(np.vstack([rows, rows]), 0.1)
    assert twice.log_loss == pytest.approx(found.log_loss, rel=1e-13)


# --- mini-batches -----------------------------------------------------------------------------------------------------


def exact_residual(rows, w, decay, batch, order):
    """max_j |decay w_j - Psi_j| in 60 digits."""
    n, d = rows.shape
    with mp.workdps(60):
        a = [[mp.mpf(float(x)) for x in row] for row in rows]
        z = [mp.fsum(x * mp.mpf(float(y)) for x, y in zip(row, w)) for row in a]
        s = [mp.exp(min(z)) / (1 + mp.exp(t)) for t in z]
        size = mp.sqrt(mp.mpf(batch) * (n - 1) / n) if order == "reshuffle" else mp.sqrt(batch)
        worst = mp.mpf(0)
        for j in range(d):
            total = mp.fsum(s[i] * a[i][j] for i in range(n))
            squares = mp.fsum((s[i] * a[i][j]) ** 2 for i in range(n))
            under = (batch - 1) * total**2 + (n - batch if order == "reshuffle" else n) * squares
            worst = max(worst, abs(mp.mpf(decay) * mp.mpf(float(w[j])) - size * total / mp.sqrt(under)))
        return float(worst)


@pytest.mark.parametrize("decay", [0.05, 1e-2, 1e-4])
@pytest.mark.parametrize(("n", "d", "seed"), [(4, 9, 0), (10, 50, 3), (30, 20, 2)])
@pytest.mark.parametrize(("batch", "order"), [(1, "reshuffle"), (2, "replacement")])
def test_the_residual_of_mini_batches_is_that_of_the_exact_margins(n, d, seed, batch, order, decay):
    rows = ib.geometry.gaussian(n=n, d=d, seed=seed).rows
    w, residual = adamw_batch_point(rows, decay, batch, order)
    assert residual == pytest.approx(exact_residual(rows, w, decay, batch, order), rel=1e-6, abs=1e-14)
    assert residual < 1e-6
    # tiny rows: the same map at margins near zero
    w, residual = adamw_batch_point(rows * 1e-150, decay, batch, order)
    assert residual < 1e-14

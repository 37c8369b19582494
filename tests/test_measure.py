"""Measures against their definitions, computed another way."""

from dataclasses import replace

import mpmath
import numpy as np
import pytest

import implicitbias as ib
from implicitbias.lengths import length, unit
from implicitbias.losses import log_loss
from implicitbias.measure import Measures, angle, half_way
from implicitbias.measure.margins import support_size
from implicitbias.measure.residual import residual

ROWS = np.random.default_rng(5).normal(size=(6, 9))


@pytest.fixture(scope="module")
def run():
    return ib.simulate(ROWS, ib.Adam(0.9, 0.95), lr=ib.Power(0.1, 0.5), steps=5000, batch=2)


def test_columns_follow_their_definitions(run):
    curve = run.curve
    assert list(curve.columns) == Measures.of().names()
    w, row = run.weights[-1], curve.iloc[-1]
    half = run.weights[list(run.steps).index(2500)]
    norms = {"l1": np.abs(w).sum(), "l2": np.sqrt((w**2).sum()), "linf": np.abs(w).max()}
    least = min(float(a @ w) for a in ROWS)
    assert row["min_margin"] == pytest.approx(least)
    for norm, size in norms.items():
        best = ib.max_margin(ROWS, norm)
        assert row[f"norm_{norm}"] == pytest.approx(size)
        assert row[f"margin_{norm}"] == pytest.approx(least / size)
        assert row[f"ratio_{norm}"] == pytest.approx(least / size / best.margin)
        assert row[f"ratio_{norm}"] <= 1.0
        u = best.direction / np.linalg.norm(best.direction)
        for prefix, vector in (("", w), ("inc_", w - half)):
            cosine = vector @ u / np.linalg.norm(vector)
            assert row[f"{prefix}cos_{norm}"] == pytest.approx(cosine)
            assert row[f"{prefix}angle_{norm}"] == pytest.approx(np.degrees(np.arccos(cosine)))
        moved = min(float(a @ (w - half)) for a in ROWS) / np.linalg.norm(
            w - half, {"l1": 1, "l2": 2}.get(norm, np.inf)
        )
        assert row[f"inc_ratio_{norm}"] == pytest.approx(moved / best.margin)
    assert row["step"] == 5000
    assert row["epoch"] == pytest.approx(5000 / 3)
    assert row["relative_move"] == pytest.approx(run.last_move[-1] / norms["l2"])


def test_increment_is_missing_only_where_there_is_no_half(run):
    missing = run.curve["inc_cos_l2"].isna()
    assert missing.iloc[0]
    assert not missing.iloc[2:].any()


@pytest.mark.parametrize("loss", ["logistic", "exponential"])
def test_log_loss_at_any_depth(loss):
    for z in ([0.0, 1.0], [-800.0, 3.0], [29.9, 30.1], [31.0, 40.0], [800.0, 750.0], [12345.6, 23456.7]):
        with mpmath.workdps(50):
            terms = [mpmath.exp(-mpmath.mpf(x)) for x in z]
            terms = [mpmath.log1p(x) for x in terms] if loss == "logistic" else terms
            exact = float(mpmath.log(sum(terms) / len(terms)))
        assert log_loss(np.array(z), loss) == pytest.approx(exact, rel=1e-13, abs=1e-13)


def test_half_way_needs_a_snapshot_there():
    """On a clock of one's own: t/2 to 1e-9 of it, however short or long t is."""
    flow = ib.simulate(ROWS, ib.GradientFlow(), time=8.0)
    times, w = np.array([1e-6, 3e-6, 1.0, 3.0, 6.0 * (1 + 1e-10)]), np.arange(45.0).reshape(5, 9)
    half = half_way(replace(flow, sum_lr=times, steps=np.arange(5), weights=w))
    assert np.isnan(half[:4]).all()
    np.testing.assert_array_equal(half[4], w[3])


def test_lengths_of_vectors_of_any_size():
    x = np.array([3.0, 4.0, 0.0])
    for k in (-1070, -600, 0, 600, 1020):
        assert length(np.ldexp(x, k)) == np.ldexp(5.0, k)
        if k > -1000:
            np.testing.assert_array_equal(unit(np.ldexp(x, k)), x / 5.0)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 7)) * 10.0 ** rng.uniform(-100, 100, (50, 1))
    np.testing.assert_array_equal(length(x), np.linalg.norm(x, axis=1))
    assert length(np.zeros(3)) == 0.0
    with np.errstate(invalid="ignore"):
        assert np.isnan(unit(np.zeros(3))).all()
        assert np.isinf(length(np.array([np.inf, 1.0])))


@pytest.mark.parametrize("k", [-490, -150, 150, 450])
def test_the_residual_does_not_depend_on_the_size_of_the_rows(k):
    """w of rows over 2^k at t 2^2k is 2^k w at t; and the residual is a length."""
    rows = np.array([[1.0, 1.0], [1.0, -0.1], [1.0, 2.0]])
    for item, arguments in ((ib.SGD(), {"order": "full", "steps": 64}), (ib.GradientFlow(), {})):
        here, there = {"lr": 0.1}, {"lr": 0.1 * 2.0 ** (-2 * k)}
        if not arguments:
            here, there = {"time": 8.0}, {"time": 8.0 * 2.0 ** (-2 * k)}
        expected = residual(ib.simulate(rows, item, **here, **arguments))[-1]
        found = residual(ib.simulate(np.ldexp(rows, k), item, **there, **arguments))[-1]
        assert np.ldexp(found, k) == pytest.approx(expected, rel=1e-9)


def test_angle_is_accurate_when_small():
    u = np.array([[1.0, 1e-9]])
    assert angle(u, np.array([1.0, 0.0]))[0] == pytest.approx(np.degrees(1e-9), rel=1e-9)


def test_support_size():
    z = np.array([[0.0, 0.0, 0.0], [10.0, 0.0, 20.0], [5000.0, 5000.0, 6000.0], [1.0, 2.0, 3.0]])
    assert support_size(z, "exponential").tolist() == [3, 1, 2, 3]
    assert support_size(z, "logistic").tolist() == [3, 1, 2, 3]
    assert support_size(np.array([[7.0]]), "logistic").tolist() == [1]

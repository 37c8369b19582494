"""Verdicts, margins and gaps on data of every scale, against rational arithmetic."""

from collections import Counter
from fractions import Fraction

import exact_margins as oracle
import mpmath
import numpy as np
import pytest

import implicitbias as ib


def data(seed):
    """Rows (n, d), small, with all that makes float64 hard; about half of them are separable."""
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(1, 8)), int(rng.integers(1, 6))
    kind = rng.choice(["gaussian", "whole", "plane", "cancels", "offset"])
    if kind == "gaussian":
        rows = rng.normal(size=(n, d))
        if rng.random() < 0.5:
            rows *= np.where(rows @ rng.normal(size=d) > 0, 1, -1)[:, None]
    elif kind == "whole":
        rows = rng.integers(-3, 4, size=(n, d)).astype(float)
    elif kind == "plane":  # lifted out of a plane by a hair, or not at all
        v = rng.integers(-3, 4, size=d).astype(float)
        rows = rng.integers(-9, 10, size=(n, d)).astype(float)
        rows = rows * (v @ v) - np.outer(rows @ v, v)
        rows += 10.0 ** rng.uniform(-16, 0) * np.outer(rng.random(n), v) * rng.choice([-1, 1, 1, 1], size=(n, 1))
    elif kind == "cancels":  # exactly, up to an ulp of one entry
        rows = rng.integers(-9, 10, size=(n, d)).astype(float)
        rows = np.vstack([rows, -rng.integers(1, 5, size=n).astype(float) @ rows])
        if rng.random() < 0.5:
            i, j = rng.integers(len(rows)), rng.integers(d)
            rows[i, j] = np.nextafter(rows[i, j], rng.choice([-1, 1]) * np.inf)
    else:  # a time stamp or coordinates beside small features
        x = rng.normal(size=(n, d)) + np.where(rng.random(d) < 0.5, 10.0 ** rng.uniform(0, 12, size=d), 0)
        rows = x * np.where(rng.normal(size=n) > 0, 1, -1)[:, None]
    rows = np.vstack([rows, rows[rng.random(len(rows)) < 0.2]])
    if rng.random() < 0.3:
        rows = rows[:, rng.permutation(np.r_[np.arange(rows.shape[1]), rng.integers(rows.shape[1], size=1)])]
    if rng.random() < 0.7:
        rows = np.ldexp(rows, rng.integers(-27, 28, size=(len(rows), 1)))  # 16 decades
    if rng.random() < 0.7:
        rows = np.ldexp(rows, rng.integers(-27, 28, size=rows.shape[1]))
    if rng.random() < 0.1:
        rows = np.ldexp(rows, int(rng.choice([-900, 900])))
    rows = rows[rows.any(axis=1)]
    if rng.random() < 0.3:
        rows = np.insert(rows, int(rng.integers(rows.shape[1] + 1)), 0.0, axis=1)
    rows = rows if len(rows) else np.ones((1, d))
    return rows, np.ldexp(rng.random(rows.shape[1]) + 0.1, rng.integers(-20, 20, size=rows.shape[1]))


def norms(diag):
    return "l1", "l2", "linf", ("mahalanobis", diag), ("lp", 3.0), ("lp", 1.5)


def rational(x):
    return [Fraction(value) for value in x.tolist()]


def assert_right(rows, diag, norm) -> str:
    """The verdict, and for a separator its margin and gap. Returns what was found."""
    try:
        sep = ib.max_margin(rows, norm)
    except ib.NotSeparable as error:
        assert oracle.margin(rows, "l1") is None
        c = error.weights
        assert (c >= 0).all() and c.sum() == pytest.approx(1) and error.residual < 1e-13
        return "not separable"
    except ib.Undecided as error:
        assert error.scale < 1e-15
        return "undecided"
    best = oracle.margin(rows, "l1")
    assert best is not None
    assert sep.margin > 0 and sep.gap >= 0 and (sep.dual >= 0).all()
    above, margin, gap = Fraction(sep.margin) + Fraction(sep.gap), Fraction(sep.margin), Fraction(sep.gap)
    w = rational(sep.direction)
    reached = min(sum(x * y for x, y in zip(rational(row), w)) for row in rows)
    assert reached > 0
    if norm in ("l1", "linf"):
        reached /= sum(map(abs, w)) if norm == "l1" else max(map(abs, w))
        best = oracle.margin(rows, norm)
        assert margin <= reached <= best <= above and best - reached <= gap
    elif norm == "l2" or norm[0] == "mahalanobis":
        weights = rational(np.ones(len(w)) if norm == "l2" else diag)
        squared = oracle.squared_margin(rows, None if norm == "l2" else diag)
        reached = reached**2 / sum(x * y * y for x, y in zip(weights, w))
        assert margin**2 <= reached <= squared <= above**2
    else:  # weak duality, with 60 digits
        with mpmath.workdps(60):
            p = mpmath.mpf(norm[1])
            c = rational(sep.dual)
            y = [sum(x * z for x, z in zip(c, rational(column))) for column in rows.T]
            assert real(margin) <= real(reached) / power_norm(w, p)
            assert power_norm(y, p / (p - 1)) / real(sum(c)) <= real(above)
    return "separable"


def real(x):
    return mpmath.mpf(x.numerator) / x.denominator


def power_norm(x, p):
    return mpmath.fsum(abs(real(value)) ** p for value in x) ** (1 / p)


def look(seeds) -> Counter:
    found = Counter()
    for seed in seeds:
        rows, diag = data(seed)
        found.update(assert_right(rows, diag, norm) for norm in norms(diag))
    return found


@pytest.mark.filterwarnings("ignore:the .* margin is only certified")
def test_data_of_every_scale():
    found = look(range(60))
    assert found["separable"] > 150 and found["not separable"] > 100
    assert found["undecided"] <= 12  # separable by less than an ulp of the direction


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:the .* margin is only certified")
def test_two_thousand_data_sets_of_every_scale():
    found = look(range(60, 2060))
    assert found["undecided"] < 0.05 * found.total()


def test_the_oracle_on_data_solved_by_hand():
    assert oracle.margin([[1, 2], [3, 0.5]], "l1") == Fraction(11, 7)
    assert oracle.margin([[1, 2], [3, 0.5]], "linf") == 3
    assert oracle.squared_margin([[1, 2], [3, 0.5]]) == Fraction(121, 25)
    assert oracle.squared_margin([[2, 0], [0, 1]], diag=[4, 1]) == Fraction(1, 2)
    for norm in ("l1", "linf"):
        assert oracle.margin([[1, 0], [-1, 0]], norm) is None


STAMPS = np.c_[
    [1.7e12, 1.7000864e12, 1.7002592e12, -1.700432e12, -1.7001728e12, -1.7003456e12], [1.5, 2, 0.7, 1, 0.4, 2.2]
]
COORDINATES = np.array([[-483933.14, -4986467.05, -1], [-479989.93, -4991159.46, -1], [483479.54, 4987601.70, 1]])


@pytest.mark.filterwarnings("ignore:the .* margin is only certified")
def test_a_time_stamp_beside_a_feature():
    sep = ib.max_margin(STAMPS)
    assert sep.margin == pytest.approx(0.54999618872, abs=1e-11) and sep.relative_gap < 1e-9
    assert ib.max_margin(np.ldexp(STAMPS, [-40, 0])).margin > 0
    for norm in ("l1", "linf"):
        sep = ib.max_margin(STAMPS, norm)
        assert sep.margin == pytest.approx(float(oracle.margin(STAMPS, norm)), rel=1e-8) and sep.relative_gap < 1e-3


@pytest.mark.filterwarnings("ignore:the .* margin is only certified")
@pytest.mark.parametrize("norm", ["l1", "l2", "linf", ("lp", 3.0), ("lp", 1.2)])
def test_coordinates_with_an_intercept(norm):
    sep = ib.max_margin(COORDINATES, norm)
    assert sep.margin == pytest.approx(5.34698e-5, rel=1e-5) and sep.relative_gap < 1e-3


def test_a_diag_that_scales_the_columns():
    sep = ib.max_margin([[1, 1], [1, -1]], ("mahalanobis", [1e12, 1e-12]))
    assert sep.margin == pytest.approx(1e-6, rel=1e-14) and sep.relative_gap < 1e-12


@pytest.mark.parametrize("norm", ["l1", "l2", "linf", ("lp", 3.0), ("mahalanobis", (1.0, 4.0))])
def test_rows_of_1e200_beside_rows_of_1e_minus_200(norm):
    for rows in ([[1e200, 0], [0, 1e-200]], [[1e200, -1e200], [1e-200, 1e-200]], [[1e200, 1e-200], [-1e200, 1e-200]]):
        sep = ib.max_margin(rows, norm)
        assert 1e-201 < sep.margin < 1e-199 and sep.relative_gap < 1e-9


@pytest.mark.filterwarnings("ignore:the .* margin is only certified")
@pytest.mark.parametrize("unit", [1e-8, 1e-10, 1e-12])
def test_certificates_of_tiny_margins_are_of_one_quality(unit):
    rng = np.random.default_rng(0)
    rows, v = rng.normal(size=(10, 4)), np.array([1.0, -2.0, 0.5, 1.0])
    rows -= np.outer(rows @ v, v) / (v @ v)
    rows = np.vstack([rows, -rows.sum(axis=0)]) + unit * v
    for norm in ("l1", "l2", "linf", ("lp", 3.0), ("lp", 1.5)):
        assert ib.max_margin(rows, norm).relative_gap < 2e-15 / unit


@pytest.mark.parametrize("norm", ["l1", "l2", "linf", ("lp", 3.0), "mahalanobis"])
def test_empty_columns_cost_nothing(norm):
    rng = np.random.default_rng(0)
    rows = np.zeros((40, 50_000))
    used = rng.choice(50_000, 150, replace=False)
    rows[:, used] = rng.poisson(0.3, size=(40, 150)) + 0.1 * rng.normal(size=(40, 150))
    diag = rng.random(50_000) + 0.1
    wide = ib.max_margin(rows, norm if norm != "mahalanobis" else (norm, diag))
    narrow = ib.max_margin(rows[:, used], norm if norm != "mahalanobis" else (norm, diag[used]))
    assert wide.margin == pytest.approx(narrow.margin, rel=1e-9)
    assert wide.direction[used] == pytest.approx(narrow.direction, abs=1e-6)
    assert not np.delete(wide.direction, used).any()
    assert wide.unique is (narrow.unique and norm != "linf")
    u = wide.direction.copy()
    u[np.setdiff1d(np.arange(50_000), used)[0]] = 0.5
    expected = narrow.distance(u[used] / wide._norm.value(u)) if norm == "linf" else None
    assert wide.distance(u) == pytest.approx(expected, abs=1e-9) if norm == "linf" else wide.distance(u) > 0.05

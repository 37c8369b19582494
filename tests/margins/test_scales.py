"""Verdicts, margins and gaps on data of every scale, against rational arithmetic."""

from collections import Counter
from fractions import Fraction

import mpmath
import numpy as np
import oracle
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


def exact_margin(rows, sep, diag):
    """The margin of a norm and that of the direction returned, with their squares where the norm is Euclidean."""


def assert_right(rows, diag, norm):
    """Returns what was found."""
    try:
        sep = ib.max_margin(rows, norm)
    except ib.NotSeparable as error:
        assert not oracle.separable(rows)
        c = error.weights
        assert (c >= 0).all() and c.sum() == pytest.approx(1) and error.residual < 1e-13
        return "not separable"
    except ib.Undecided as error:
        return f"undecided {error.scale:.0e}"
    assert oracle.separable(rows)
    assert sep.margin > 0 and sep.gap >= 0
    exact = [[Fraction(x) for x in row] for row in rows.tolist()]
    w, c = [Fraction(x) for x in sep.direction.tolist()], [Fraction(x) for x in sep.dual.tolist()]
    reached = min(sum(x * y for x, y in zip(row, w)) for row in exact)
    assert reached > 0 and min(c) >= 0
    limit = Fraction(sep.margin) + Fraction(sep.gap)
    if norm in ("l1", "linf"):
        size = sum(map(abs, w)) if norm == "l1" else max(map(abs, w))
        assert oracle.margin(rows, norm) <= limit
        assert oracle.margin(rows, norm) - reached / size <= Fraction(sep.gap)
        assert Fraction(sep.margin) <= reached / size
    elif norm == "l2" or norm[0] == "mahalanobis":
        weights = [Fraction(1)] * len(w) if norm == "l2" else [Fraction(x) for x in diag.tolist()]
        squared = oracle.squared_margin(rows[:, rows.any(axis=0)], None if norm == "l2" else diag[rows.any(axis=0)])
        size = sum(x * y * y for x, y in zip(weights, w))
        assert squared <= limit**2
        assert Fraction(sep.margin) ** 2 <= reached**2 / size
    else:
        with mpmath.workdps(60):
            p = mpmath.mpf(norm[1])
            q = p / (p - 1)
            y = [abs(sum(x * z for x, z in zip(c, column))) for column in zip(*exact)]
            above = mpmath.fsum(mpmath.mpf(x.numerator) / x.denominator ** 1 for x in [Fraction(0)])
            top = max(y)
            above = top.numerator / mpmath.mpf(top.denominator) * mpmath.fsum((mpmath.mpf((x / top).numerator) / (x / top).denominator) ** q for x in y) ** (1 / q)
            above /= mpmath.mpf(sum(c).numerator) / sum(c).denominator
            assert above <= mpmath.mpf(limit.numerator) / limit.denominator
            size = mpmath.fsum(mpmath.mpf(abs(float(x))) ** p for x in w) ** (1 / p)
            assert sep.margin <= mpmath.mpf(reached.numerator) / reached.denominator / size
    return "loose" if sep.relative_gap > 1e-6 else "separable"


@pytest.mark.filterwarnings("ignore:the .* margin is only certified")
@pytest.mark.parametrize("seed", range(60))
def test_data_of_every_scale(seed):
    rows, diag = data(seed)
    for norm in norms(diag):
        assert_right(rows, diag, norm)

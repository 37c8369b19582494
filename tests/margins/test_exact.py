"""Products without round-off against fractions, whatever the sizes of the entries."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from implicitbias.margins.exact import ExactMatrix, remainders, rounded, unit_scale
from implicitbias.margins.unit_rows import FEW, UnitRows


def numbers(rng, shape, spread):
    return rng.normal(size=shape) * 10.0 ** rng.integers(-spread, spread + 1, size=shape)


def fractions(matrix, x):
    return [sum(Fraction(u) * Fraction(v) for u, v in zip(row, x)) for row in matrix.tolist()]


@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(1, 6), st.sampled_from([0, 3, 20, 100]))
def test_products_are_rounded_once(seed, n, d, spread):
    rng = np.random.default_rng(seed)
    matrix, x, c = (numbers(rng, shape, spread) for shape in ((n, d), d, n))
    matrix, x = matrix * 10.0 ** rng.integers(-50, 50), x * 10.0 ** rng.integers(-50, 50)
    some = np.flatnonzero(rng.random(n) < 0.7) if rng.random() < 0.5 else np.arange(n)
    exact = ExactMatrix(matrix)
    assert exact.dot(x).tolist() == [float(value) for value in fractions(matrix, x.tolist())]
    if len(some):
        expected = fractions(matrix[some].T, c[some].tolist())
        assert exact.dot_rows(c[some], some).tolist() == [float(value) for value in expected]
    for a, b, value in zip(*exact.pair(x), fractions(matrix, x.tolist())):
        assert a == float(value) and b == float(value - Fraction(a))


@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 4), st.sampled_from([200, 307]))
def test_beyond_the_range_of_float64_products_are_rounded_outwards(seed, n, d, spread):
    rng = np.random.default_rng(seed)
    matrix, x = numbers(rng, (n, d), spread) * (rng.random((n, d)) < 0.7), numbers(rng, d, spread)
    terms, exponent = ExactMatrix(matrix).terms(x)
    unit = Fraction(2) ** exponent
    values = rounded(terms)
    for value, left, exact in zip(values.tolist(), remainders(terms, values), fractions(matrix, x.tolist())):
        off = exact / unit - Fraction(value)
        assert abs(off) <= max(abs(Fraction(value)) / 2**53, Fraction(2) ** -1074)
        if abs(value) < 2.0**-1022:
            assert off * Fraction(value) <= 0 and (value != 0 or exact == 0)
        else:
            assert np.sign(left) == (off > 0) - (off < 0)


@pytest.mark.parametrize("tiny", [2.0**-100, 2.0**-600, -(2.0**-1074)])
def test_what_is_left_keeps_its_sign(tiny):
    matrix = ExactMatrix(np.array([[1.0, tiny], [1.0, 0.0], [0.0, tiny]]))
    terms, _ = matrix.terms(np.array([1.0, 2.0**-1000]))
    left = remainders(terms, rounded(terms))
    assert np.sign(left[0]) == np.sign(rounded(terms)[2]) == np.sign(tiny) and left[1] == 0.0


@pytest.mark.parametrize("scale", [1e-300, 1e-150, 1.0, 1e150, 1e300])
def test_unit_scale_is_exact(scale):
    rows = scale * np.array([[1.0, -3.0], [0.1, 0.0]])
    unit, k = unit_scale(rows)
    assert 0.5 <= np.abs(unit).max() < 1.0
    assert (np.ldexp(unit, k) == rows).all()


@given(seed=st.integers(0, 10_000), spread=st.sampled_from([0, 5, 100]), tie=st.booleans())
def test_the_smallest_of_many_products_is_never_left_out(seed, spread, tie):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(FEW + 50, 4)) * 10.0 ** rng.integers(-spread, spread + 1, size=(FEW + 50, 1))
    w = rng.normal(size=4)
    if tie:  # products that differ by their round-off only
        rows -= np.outer(rows @ w, w) / (w @ w)
    unit = UnitRows(rows)
    products = fractions(rows, w.tolist())
    kept = unit.smallest(w)
    assert int(np.argmin(products)) in kept
    assert len(kept) < 20 or tie

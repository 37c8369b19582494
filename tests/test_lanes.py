"""The arithmetic of eight lanes against numpy and 50 digits."""

import mpmath
import numpy as np
import pytest

from implicitbias.jit import kernel
from implicitbias.lanes import LANES, aligned, load, pow2_lanes, rsqrt, store, sum_across, sum_each, total
from implicitbias.lanes import load_each as eight_from
from implicitbias.simulation.tail import EXPONENTIAL, LOGISTIC, sample_weights


@kernel
def _rsqrt(x, out):
    for c in range(x.shape[0]):
        store(out, c, rsqrt(load(x, c)))


@kernel
def _pow2(x, out):
    for c in range(x.shape[0]):
        store(out, c, pow2_lanes(load(x, c)))


@kernel
def _sums(x, one, each, across):
    for c in range(LANES):
        store(one, c, total(load(x, c)))
    store(each, 0, sum_each(eight_from(x, 0)))
    store(across, 0, sum_across(eight_from(x, 0)))


@kernel
def _weights(z, loss, f, q):
    sample_weights(z, f, q, z.shape[0], loss)


def lanes_of(values):
    out = aligned((-(-len(values) // LANES), LANES))
    out.reshape(-1)[: len(values)] = values
    return out


def test_rsqrt_is_right_to_the_last_bits():
    rng = np.random.default_rng(0)
    x = lanes_of(rng.uniform(1.0, 2.0, 4000) * 2.0 ** rng.integers(-1020, 1020, 4000))
    out = np.empty_like(x)
    _rsqrt(x, out)
    np.testing.assert_allclose(out, 1.0 / np.sqrt(x), rtol=5e-16)


def test_powers_of_two_are_exact_and_end_in_zero_and_inf():
    k = np.concatenate([np.arange(-1022.0, 1024.0), [-1023.0, -1e6, 1024.0, 1e6]])
    x = lanes_of(k)
    out = np.empty_like(x)
    _pow2(x, out)
    found = out.reshape(-1)[: len(k)]
    np.testing.assert_array_equal(found[:-4], np.ldexp(1.0, k[:-4].astype(int)))
    np.testing.assert_array_equal(found[-4:], [0.0, 0.0, np.inf, np.inf])


def test_sums_have_the_same_bits_whichever_way_the_numbers_lie():
    x = np.random.default_rng(1).normal(size=(LANES, LANES)) * 10.0 ** np.arange(LANES)
    one, each, across, flipped = np.empty((LANES, LANES)), *np.empty((3, 1, LANES))
    _sums(x, one, each, flipped)
    _sums(np.ascontiguousarray(x.T), np.empty((LANES, LANES)), np.empty((1, LANES)), across)
    np.testing.assert_allclose(each[0], x.sum(axis=1), rtol=1e-14)
    np.testing.assert_array_equal(each[0], across[0])
    np.testing.assert_array_equal(one, np.repeat(each[0][:, None], LANES, axis=1))


@pytest.mark.parametrize("loss", [LOGISTIC, EXPONENTIAL])
def test_sample_weights_at_any_margin(loss):
    z = np.concatenate([np.random.default_rng(2).uniform(-50.0, 50.0, 100), [0.0, -0.0, 700.0, 1e4, 3e5]])
    x = lanes_of(z)
    f, q = np.empty_like(x), np.empty_like(x)
    _weights(x, loss, f, q)
    with mpmath.workdps(50):
        for margin, part, power in zip(z, f.reshape(-1), q.reshape(-1)):
            e = mpmath.exp(-mpmath.mpf(float(margin)))
            expected = e if loss == EXPONENTIAL else e / (1 + e)
            found = mpmath.mpf(float(part)) * mpmath.mpf(2) ** int(power)
            assert abs(found / expected - 1) < 1e-15


@pytest.mark.parametrize("loss", [LOGISTIC, EXPONENTIAL])
def test_sample_weights_at_margins_that_float64_knows_to_one_part_in_2_53(loss):
    """Right to the last digit of log s up to 2^52; beyond, numbers near 1 times powers that fall with the margin."""
    z = np.concatenate([10.0**k * np.linspace(1.0, 9.9, 50) for k in [*range(12, 20), 40, 100, 200, 299, 307]])
    z = np.sort(np.concatenate([z, np.nextafter(z, np.inf)]))
    x = lanes_of(z)
    f, q = np.empty_like(x), np.empty_like(x)
    _weights(x, loss, f, q)
    f, q = f.reshape(-1)[: len(z)], q.reshape(-1)[: len(z)]
    assert ((f > 0.7) & (f < 1.42)).all()
    assert np.isfinite(q).all() and (np.diff(q) <= 0).all()
    same = np.diff(q) == 0
    assert (np.diff(f)[same] <= 0).all()
    np.testing.assert_allclose(q * np.log(2.0), np.maximum(-z, -(2.0**1023) * np.log(2.0)), rtol=1e-12)
    with mpmath.workdps(50):
        for margin, part, power in zip(z[z < 4e15], f, q):
            exact = mpmath.exp(-mpmath.mpf(float(margin)))
            assert abs(mpmath.mpf(float(part)) * mpmath.mpf(2) ** int(power) / exact - 1) < 2e-26 * margin


def test_a_margin_that_is_not_finite_has_no_weight():
    x = lanes_of([np.inf, -np.inf, np.nan, 1.0])
    for loss in (LOGISTIC, EXPONENTIAL):
        f, q = np.empty_like(x), np.empty_like(x)
        _weights(x, loss, f, q)
        assert np.isnan(f[0, :3]).all()
        assert np.isfinite(f[0, 3])

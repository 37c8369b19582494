"""Data without a separator are refused with a proof, bad norms with a sentence."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import implicitbias as ib
from implicitbias.margins.norms.l2 import L2

NORMS = ["l1", "l2", "linf", ("lp", 1.5), ("lp", 4.0), "diag", "diag with zeros"]


def norm_of(norm, d):
    if norm in ("diag", "diag with zeros"):
        diag = np.ones(d)
        diag[-1] = norm == "diag"
        return "mahalanobis", diag
    return norm


def assert_refused(rows, norm="l2"):
    rows = np.asarray(rows, dtype=float)
    with pytest.raises(ib.NotSeparable) as caught:
        ib.max_margin(rows, norm)
    c = caught.value.weights
    assert c.shape == (len(rows),) and (c >= 0).all() and c.sum() == pytest.approx(1, abs=1e-14)
    terms = c[:, None] * rows
    assert np.linalg.norm(terms.sum(axis=0)) <= 1e-13 * np.linalg.norm(terms, axis=1).sum()
    assert caught.value.residual <= 1e-14


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(
    "rows",
    [
        [[1.0, 0.0], [-1.0, 0.0]],
        [[1.0, 0.0], [-1e-6, 0.0], [0.0, 5.0]],
        [[1.0, 1.0], [1.0, -1.0], [-3.0, 0.0]],
        [[2.0], [-3.0]],
    ],
)
def test_margin_zero_is_not_separable_in_any_norm(rows, norm):
    assert_refused(rows, norm_of(norm, len(rows[0])))


@pytest.mark.parametrize("n, d", [(100, 30), (500, 50), (400, 180)])
def test_too_many_gaussian_rows(n, d):
    assert_refused(np.random.default_rng(0).normal(size=(n, d)))


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 12), d=st.integers(1, 12), spread=st.sampled_from([0, 10, 20]))
def test_rows_and_the_negative_of_their_combination(seed, n, d, spread):
    rng = np.random.default_rng(seed)
    rows = rng.integers(-99, 100, size=(n, d)).astype(float)
    rows = rows[rows.any(axis=1)]
    rows = np.vstack([rows, -rng.integers(1, 100, len(rows)) @ rows])  # exact: whole numbers
    rows = np.ldexp(rows, rng.integers(-spread, spread + 1, size=(len(rows), 1)))  # exact: powers of two
    if rows.any(axis=1).all():
        assert_refused(rows)


HOT = np.eye(9)[np.random.default_rng(0).integers(0, 9, 120)]
NUMBERS = np.random.default_rng(1).normal(size=(120, 12))


@pytest.mark.parametrize(
    "rows",
    [
        np.c_[HOT, NUMBERS, np.ones(120)],  # the indicators add up to the constant
        np.c_[NUMBERS, NUMBERS[:, :3], np.ones(120)],
        np.c_[HOT, 2.0**40 * NUMBERS, np.full(120, 2.0**-20)],
        np.c_[NUMBERS, 1.7e12 + np.arange(120.0), np.ones(120)],  # a time stamp
    ],
)
def test_columns_that_depend_on_each_other_or_nearly(rows):
    assert_refused(rows * np.random.default_rng(3).choice([-1, 1], 120)[:, None])


HAIR = [[1.0, -3.0, 0.0], [-1.0, 3.0, 2.0**-60], [1.0, 0.0, -1.0]]


@pytest.mark.parametrize("norm", NORMS)
def test_a_separator_that_float64_cannot_hold_is_undecided(norm):
    # 3 w_1 < w_0 < 3 w_1 + 2^-60 w_2 with w_2 < w_0: there are such numbers, but not of 53 bits
    with pytest.raises(ib.Undecided, match="undecided at this precision") as caught:
        ib.max_margin(HAIR, norm_of(norm, 3))
    assert 0 < caught.value.scale < 1e-15
    assert pickle.loads(pickle.dumps(caught.value)).scale == caught.value.scale


def test_no_threshold_decides():
    for size in (1e-13, 1e-15, 1e-100, 1e-300):
        sep = ib.max_margin([[1.0, size], [-1.0, size]], "linf")
        assert sep.margin == pytest.approx(size, rel=1e-10) and sep.relative_gap < 1e-10
        assert_refused([[1.0, size], [-1.0, -size]])
        assert_refused([[1.0, size], [-1.0, size], [0.0, -size]])


def test_a_margin_beyond_float64_is_refused():
    with pytest.raises(ib.InputError, match="beyond the range of float64"):
        ib.max_margin(np.full((1, 4), 1e308), "l2")


@pytest.mark.parametrize(
    "norm, sentence",
    [
        ("l_inf", "did you mean 'linf'"),
        ("infinity", "unknown norm"),
        ("lp", "needs its parameter"),
        (("mahalanobi", [1, 1]), "did you mean 'mahalanobis'"),
        (("l2", 3), "takes no parameter"),
        (("lp", 0.5), "number >= 1, but is 0.5"),
        (("lp", np.nan), "number >= 1"),
        (("lp", "3"), "number >= 1"),
        (("lp", True), "number >= 1"),
        (3, "name or a pair"),
        (("lp", 3, 4), "name or a pair"),
        (("mahalanobis", ["a", 1]), "must be 2 numbers"),
        (("mahalanobis", [1.0]), r"shape \(2,\), but has shape \(1,\)"),
    ],
)
def test_bad_norms(norm, sentence):
    with pytest.raises(ib.InputError, match=sentence):
        ib.max_margin([[1.0, 2.0]], norm)


def test_every_mistake_of_a_diag_is_named_at_once():
    with pytest.raises(ib.InputError) as caught:
        ib.max_margin([[1.0, 2.0]], ("mahalanobis", [-1.0, np.nan, 2.0]))
    assert len(caught.value.mistakes) == 3


@pytest.mark.parametrize("diag", [[0.0, 1.0], [0.0, 0.0]])
def test_free_coordinates_that_separate_by_themselves(diag):
    with pytest.raises(ib.InputError, match="the mahalanobis margin is infinite"):
        ib.max_margin([[1.0, 2.0], [3.0, -1.0]], ("mahalanobis", diag))


def test_one_and_two_and_infinity_are_the_named_norms():
    for p, name in ((1, "l1"), (2.0, "l2"), (np.inf, "linf"), (np.int64(2), "l2")):
        assert ib.max_margin([[1.0, 2.0]], ["lp", p]).norm == ib.max_margin([[1.0, 2.0]], p).norm == name


@pytest.mark.parametrize("u, sentence", [([1.0], "shape"), ([np.nan, 1.0], "finite"), ([0.0, 0.0], "norm 0")])
def test_bad_directions(u, sentence):
    with pytest.raises(ib.InputError, match=sentence):
        ib.max_margin([[1.0, 2.0]], "linf").distance(u)


def test_a_loose_certificate_warns():
    rows = ib.margins.UnitRows(np.eye(2))
    loose = [(np.array([1.0, 0.5]), np.array([0.5, 0.5]))]
    with pytest.warns(RuntimeWarning, match="relative gap"):
        sep = ib.margins.certified(rows, L2(), loose)
    assert sep.relative_gap > 0.1


def test_a_least_norm_solution_that_overflows_is_refused_quietly():
    assert_refused(ib.geometry.scaled_rademacher(n=5, d=10, seed=56).rows)

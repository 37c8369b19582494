"""Every direction is proved by its own pair: feasible primal, feasible dual, no gap. Then the values."""

import pickle

import cvxpy as cp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import implicitbias as ib

SR = np.array([[1, 1, 1, 1], [2, 2, 2, -2], [3, 3, -3, -3], [4, -4, 4, -4]], dtype=float)
SHIFTED = 0.1 + np.diag([0.9, 1.9, 3.9, 7.9])
POWERS = (1.1, 1.5, 3.0, 4.0, 10.0)
KINDS = ["l1", "l2", "linf", *(("lp", p) for p in POWERS), "mahalanobis", "mahalanobis with zeros"]
KIND_IDS = [k if isinstance(k, str) else f"l{k[1]}" for k in KINDS]


def gaussian(n, d, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d))


def norm_of(kind, d):
    if kind == "mahalanobis":
        return kind, np.linspace(0.1, 3.0, d)
    if kind == "mahalanobis with zeros":
        return "mahalanobis", np.r_[np.linspace(0.1, 3.0, d - 1), 0.0]
    return kind


def cvxpy_norm(norm, w):
    if isinstance(norm, str):
        return cp.norm(w, {"l1": 1, "l2": 2, "linf": "inf"}[norm])
    if norm[0] == "lp":
        return cp.pnorm(w, norm[1])
    return cp.norm(cp.multiply(np.sqrt(norm[1]), w), 2)


def values(norm, w, y):
    """(N(w), N*(y)), written a second time."""
    if isinstance(norm, tuple) and norm[0] == "mahalanobis":
        diag = np.array(norm[1])
        costly = diag > 0
        return np.sqrt(diag @ w**2), np.sqrt((y[costly] ** 2 / diag[costly]).sum())
    p = norm[1] if isinstance(norm, tuple) else {"l1": 1, "l2": 2, "linf": np.inf}[norm]
    q = {1: np.inf, np.inf: 1}.get(p) or p / (p - 1)
    largest = np.abs(y).max()  # q = 1001 needs the scaling
    return np.linalg.norm(w, p), largest * np.linalg.norm(y / largest, q)


def assert_certified(rows, sep, gap=1e-9, digits=1e-12):
    """Both sides recomputed in float64, to ``digits`` of the margin."""
    size, bound = values(sep.norm, sep.direction, rows.T @ sep.dual)
    margin = (rows @ sep.direction).min()
    assert size == pytest.approx(1, abs=1e-14)
    assert margin == pytest.approx(sep.margin, rel=digits)
    assert (sep.dual >= 0).all() and sep.dual.sum() == pytest.approx(1, abs=1e-14)
    assert sep.margin > 0 and sep.gap >= 0
    assert sep.relative_gap == sep.gap / sep.margin <= gap
    assert bound - margin == pytest.approx(sep.gap, abs=digits * margin)


@pytest.mark.parametrize("kind", KINDS, ids=KIND_IDS)
@pytest.mark.parametrize("n, d", [(10, 50), (40, 50), (1, 7), (6, 1), (1, 1), (120, 100)])
def test_gaussian_data_are_certified(kind, n, d):
    rows = gaussian(n, d)
    rows *= np.where(rows @ np.linspace(1, 3, d) > 0, 1, -1)[:, None]
    if kind == "mahalanobis with zeros" and 1 in (n, d):
        with pytest.raises(ib.InputError, match="infinite"):
            ib.max_margin(rows, norm_of(kind, d))
        return
    sep = ib.max_margin(rows, norm_of(kind, d))
    assert_certified(rows, sep)
    assert sep.distance(3.0 * sep.direction) < 1e-9


@pytest.mark.parametrize("norm", ["l2", "linf", ("lp", 4.0)])
def test_five_hundred_rows_in_five_hundred_dimensions(norm):
    rows = gaussian(500, 500)
    assert_certified(rows, ib.max_margin(rows, norm))


@pytest.mark.parametrize("kind", KINDS, ids=KIND_IDS)
@pytest.mark.parametrize("seed", [0, 1])
def test_agrees_with_cvxpy(kind, seed):
    rows = gaussian(8, 15, seed)
    norm = norm_of(kind, 15)
    sep = ib.max_margin(rows, norm)
    w = cp.Variable(15)
    program = cp.Problem(cp.Maximize(cp.min(rows @ w)), [cvxpy_norm(norm, w) <= 1])
    program.solve(solver=cp.HIGHS if norm in ("l1", "linf") else cp.CLARABEL)
    assert_certified(rows, sep)
    assert sep.margin == pytest.approx(program.value, rel=1e-6)
    assert sep.distance(w.value) < 1e-3  # the square root of the conic solver's gap


def test_scaled_rademacher_reference():
    l2, linf = ib.max_margin(SR, "l2"), ib.max_margin(SR, "linf")
    assert l2.direction == pytest.approx([0.730769, 0.5, 0.423077, 0.192308], abs=5e-7)
    assert l2.margin == pytest.approx(24 / 13, rel=1e-13)
    assert linf.margin == pytest.approx(3, rel=1e-13)
    assert (SR @ l2.direction).min() / np.abs(l2.direction).max() == pytest.approx(2.526316, abs=5e-7)
    assert linf.direction == pytest.approx([1, 1, 0.875, 0.125], abs=1e-12)  # the shortest point of the face


def test_shifted_diagonal_reference():
    l2, linf = ib.max_margin(SHIFTED, "l2"), ib.max_margin(SHIFTED, "linf")
    assert l2.direction == pytest.approx([0.879811, 0.416753, 0.203033, 0.105010], abs=5e-7)
    assert linf.direction == pytest.approx(np.ones(4), abs=1e-13)
    assert linf.margin == pytest.approx(1.3, rel=1e-13)
    assert linf.dual == pytest.approx([1, 0, 0, 0], abs=1e-13)
    assert l2.direction @ linf.direction / 2 == pytest.approx(0.802304, abs=5e-7)


def test_gaussian_reference():
    pairs = []
    for seed in range(10):
        problem = ib.Problem(gaussian(10, 50, seed))
        l2, linf = ib.max_margin(problem, "l2"), ib.max_margin(problem, "linf")
        pairs.append((l2.direction @ linf.direction / np.linalg.norm(linf.direction), linf.margin))
    assert np.mean(pairs, axis=0) == pytest.approx([0.8014, 10.728], abs=5e-4)


def test_lp_approaches_its_neighbours():
    rows = gaussian(10, 20)
    for norm, p in (("l1", 1.001), ("l2", 2.0001), ("linf", 1000.0)):
        near = ib.max_margin(rows, ("lp", p))
        assert_certified(rows, near)
        assert near.margin == pytest.approx(ib.max_margin(rows, norm).margin, rel=1e-2)


@pytest.mark.parametrize("kind", KINDS, ids=KIND_IDS)
@pytest.mark.parametrize("seed", range(3))
def test_rows_of_wildly_different_length(kind, seed):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(12, 20)) * 10.0 ** rng.uniform(-6, 6, size=(12, 1))
    # A float64 product with a row of length 1e6 errs by 1e-10, beside a margin of 1e-6.
    assert_certified(rows, ib.max_margin(rows, norm_of(kind, 20)), digits=1e-3)


def test_a_refinement_that_once_circled():
    rows = [[1e6, -1e6, -1e6, 1e6, 1e6, 1e6, -1e6], [-1, 1, 1, 1, 0, 1, 1], [1, -1, 1, 1, -1, 0, 1]]
    rows = np.array([*rows, [0, 0, 100, 0, 0, 0, 0]]) / 100
    # A float64 product with a row of length 1e4 errs by 1e-12, beside a margin of 0.01.
    assert_certified(rows, ib.max_margin(rows, "l1"), digits=1e-9)


def barely_separable(relative, seed=0):
    """Rows around 0 in the plane orthogonal to v, lifted along v by ``relative``; no coordinate separates them."""
    rng = np.random.default_rng(seed)
    rows, v = rng.normal(size=(20, 5)), rng.normal(size=5)
    v /= np.linalg.norm(v)
    rows -= np.outer(rows @ v, v)
    rows = np.vstack([rows, -rows.sum(axis=0)])
    return rows + relative * v


@pytest.mark.parametrize("relative, gap", [(1e-6, 5e-9), (1e-8, 5e-7)])
@pytest.mark.parametrize("norm", ["l1", "l2", "linf", ("lp", 1.1), ("lp", 10.0)])
def test_a_tiny_margin_is_still_a_margin(norm, relative, gap):
    rows = barely_separable(relative)
    # Entries of size 1 are known to 1e-16, a margin of ``relative`` to 1e-16/relative of itself.
    assert_certified(rows, ib.max_margin(rows, norm), gap=gap, digits=1e-6)


@pytest.mark.filterwarnings("ignore:the l2 margin is only certified")
@pytest.mark.parametrize("relative", [1e-10, 1e-11])
def test_separability_reaches_further_than_the_digits(relative):
    assert ib.max_margin(barely_separable(relative)).margin == pytest.approx(relative, rel=1e-2)


@pytest.mark.parametrize("kind", KINDS, ids=KIND_IDS)
@given(seed=st.integers(0, 2**32 - 1), factor=st.floats(1e-8, 1e8))
def test_scaling_all_rows_scales_the_margin(kind, seed, factor):
    rows = gaussian(5, 6, seed)
    rows[:2, -1] = np.abs(rows[:2, -1]) * [1, -1]  # so that no single coordinate separates
    norm = norm_of(kind, 6)
    sep, scaled = ib.max_margin(rows, norm), ib.max_margin(factor * rows, norm)
    assert scaled.margin == pytest.approx(factor * sep.margin, rel=1e-9)
    # margins within a gap allow directions apart by its root
    assert scaled.distance(sep.direction) < 1e-7 + np.sqrt(sep.relative_gap + scaled.relative_gap)


@pytest.mark.parametrize("kind", KINDS, ids=KIND_IDS)
@given(data=st.data())
def test_the_order_of_rows_does_not_matter(kind, data):
    order = np.array(data.draw(st.permutations(range(7))))
    rows = gaussian(7, 9, 3)
    norm = norm_of(kind, 9)
    sep, permuted = ib.max_margin(rows, norm), ib.max_margin(rows[order], norm)
    assert permuted.margin == pytest.approx(sep.margin, rel=1e-9)
    assert permuted.direction == pytest.approx(sep.direction, abs=1e-7)
    assert permuted.dual == pytest.approx(sep.dual[order], abs=1e-6)


@pytest.mark.parametrize("kind", KINDS, ids=KIND_IDS)
def test_repeated_rows_change_nothing(kind):
    rows = gaussian(6, 9)
    norm = norm_of(kind, 9)
    sep, doubled = ib.max_margin(rows, norm), ib.max_margin(np.vstack([rows, rows]), norm)
    assert_certified(np.vstack([rows, rows]), doubled)
    assert doubled.direction == pytest.approx(sep.direction, abs=1e-9)


def test_a_problem_is_solved_once_and_results_travel():
    problem = ib.Problem(SR)
    sep = ib.max_margin(problem, "linf")
    assert ib.max_margin(problem, ("lp", np.inf)) is sep
    copy = pickle.loads(pickle.dumps(sep))
    assert (copy.direction == sep.direction).all() and copy.unique == sep.unique is False
    for array in (sep.direction, sep.dual, copy.direction, copy.dual):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0.0
    with pytest.raises(AttributeError):
        sep.margin = 1.0

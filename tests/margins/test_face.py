"""The optimal face: is it a point, and how far is a direction from it."""

import cvxpy as cp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import implicitbias as ib

SR = np.array([[1, 1, 1, 1], [2, 2, 2, -2], [3, 3, -3, -3], [4, -4, 4, -4]], dtype=float)
ENDS = np.array([[1, 1, 0.875, 0.125], [1, 1, 1, 0]])


@pytest.mark.parametrize(
    "rows, norm, unique",
    [
        (SR, "linf", False),
        (SR, "l1", False),
        (SR, "l2", True),
        (SR, ("lp", 10.0), True),
        (0.1 + np.diag([0.9, 1.9, 3.9, 7.9]), "linf", True),
        ([[1.0, 0.0, -2.0]], "linf", False),  # the second coordinate is free
        ([[1.0, 0.0, -2.0]], "l1", True),
        ([[1.0, 1.0]], "l1", False),
        ([[2.0, 1.0], [2.0, -1.0]], "linf", True),
        ([[2.0, 0.0], [3.0, 1.0]], "linf", False),
        ([[1.0, 1.0], [1.0, 1.0]], "linf", True),
        ([[1.0, 1.0], [1.0, -1.0]], ("mahalanobis", [1.0, 0.0]), True),
        ([[2.0, 0.0], [3.0, 1.0], [3.0, -1.0]], ("mahalanobis", [1.0, 0.0]), False),
        ([[1.0, 0.0]], ("mahalanobis", [1.0, 0.0]), False),  # the face is a whole line
        ([[3.0]], "l1", True),
    ],
)
def test_uniqueness(rows, norm, unique):
    assert ib.max_margin(rows, norm).unique is unique


@pytest.mark.parametrize("norm", ["l1", "linf"])
def test_generic_data_have_a_unique_maximiser(norm):
    for n, d in ((10, 50), (40, 50)):
        assert ib.max_margin(np.random.default_rng(1).normal(size=(n, d)), norm).unique


def test_features_of_very_different_size_leave_a_point_a_point():
    # Five rows on the margin and five coordinates in use: solved in fractions, the weights of both are positive.
    rows = [[-64, -32, 48, 64, -48], [-32, 16, -32, -32, -48], [0, 16, -48, 96, 16], [32, 0, 48, -64, 48]]
    rows = np.ldexp(np.array([*rows, [64, -32, 16, 32, -32.0]]), [16, -15, -21, 22, -14])
    assert ib.max_margin(rows, "l1").unique


@given(place=st.floats(0, 1), factor=st.floats(1e-3, 1e3))
def test_the_whole_segment_is_optimal(place, factor):
    sep = ib.max_margin(SR, "linf")
    assert sep.distance(factor * (place * ENDS[0] + (1 - place) * ENDS[1])) < 1e-12


@given(u=st.lists(st.floats(-1, 1), min_size=4, max_size=4).filter(lambda u: max(map(abs, u)) > 1e-3))
def test_distance_to_the_segment(u):
    u = np.array(u) / np.abs(u).max()
    edge = ENDS[1] - ENDS[0]
    place = np.clip((u - ENDS[0]) @ edge / (edge @ edge), 0, 1)
    expected = np.linalg.norm(u - ENDS[0] - place * edge)
    assert ib.max_margin(SR, "linf").distance(u) == pytest.approx(expected, abs=1e-10)


@given(u=st.tuples(st.floats(-1, 1), st.floats(-1, 1)).filter(lambda u: abs(u[0]) + abs(u[1]) > 1e-3))
def test_distance_to_an_edge_of_the_l1_ball(u):
    sep = ib.max_margin([[1.0, 1.0]], "l1")  # every point between (1, 0) and (0, 1) is optimal
    u = np.array(u) / np.abs(u).sum()
    place = np.clip((1 + u[0] - u[1]) / 2, 0, 1)
    assert sep.direction == pytest.approx([0.5, 0.5], abs=1e-13)
    assert sep.distance(u) == pytest.approx(np.hypot(u[0] - place, u[1] - 1 + place), abs=1e-12)


def nearest_by_conic_solver(rows, sep, u):
    """The definition, handed to a second solver; the margin is relaxed by what it can resolve."""
    w = cp.Variable(len(u))
    if isinstance(sep.norm, str):
        inside = cp.norm(w, {"l1": 1, "linf": "inf"}[sep.norm]) <= 1
    else:  # the costly coordinates of the optimum are unique
        costly = np.array(sep.norm[1]) > 0
        inside = w[costly] == sep.direction[costly]
    program = cp.Problem(cp.Minimize(cp.sum_squares(w - u)), [inside, rows @ w >= sep.margin * (1 - 1e-9)])
    program.solve(solver=cp.CLARABEL)
    return w.value


@pytest.mark.parametrize("kind", ["l1", "linf", "mahalanobis"])
@pytest.mark.parametrize("seed", range(6))
def test_distance_agrees_with_a_conic_solver(kind, seed):
    rng = np.random.default_rng(seed)
    rows = rng.choice([-1.0, 1.0], size=(4, 6))  # ties everywhere: most faces are not points
    rows *= np.sign(rows @ [32, 16, 8, 4, 2, 1])[:, None]
    rows[:2, -1] = 1, -1  # the last coordinate decides no sign; so it cannot separate by itself, where it is free
    norm = (kind, [1.0, 0.5, 2.0, 1.0, 1.0, 0.0]) if kind == "mahalanobis" else kind
    sep = ib.max_margin(rows, norm)
    for u in (rng.normal(size=6), sep.direction + 0.1 * rng.normal(size=6)):
        u = u / sep._norm.value(u)
        expected = np.linalg.norm(u - nearest_by_conic_solver(rows, sep, u))
        assert sep.distance(u) == pytest.approx(expected, abs=1e-5)
    shortest = nearest_by_conic_solver(rows, sep, np.zeros(6))
    assert sep.direction == pytest.approx(shortest, abs=1e-3)  # the canonical point; the solver's gap allows no more


def test_strictly_convex_norms_measure_to_the_direction():
    for norm in ("l2", ("lp", 3.0), ("mahalanobis", [1.0, 2.0, 3.0, 4.0])):
        sep = ib.max_margin(SR, norm)
        assert sep.distance(5 * sep.direction) < 1e-14
        assert sep.distance(-sep.direction) == pytest.approx(2 * np.linalg.norm(sep.direction), rel=1e-14)


def test_a_blind_seminorm_takes_the_shortest_free_part():
    rows = np.array([[2.0, 0.0], [3.0, 1.0], [3.0, -1.0]])
    sep = ib.max_margin(rows, ("mahalanobis", [1.0, 0.0]))
    assert sep.relative_gap < 1e-12 and sep.margin == pytest.approx(2)
    assert sep.direction == pytest.approx([1, 0], abs=1e-12)
    assert sep.distance([1.0, 1.0]) < 1e-12 and sep.distance([1.0, 3.0]) == pytest.approx(2)

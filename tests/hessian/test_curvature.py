"""The top of the Hessian against many digits, at ordinary losses and far past the end of float64."""

import mpmath
import naive_hessian as naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import implicitbias as ib
from implicitbias.errors import InputError
from implicitbias.hessian import eigen, most_of, spectrum
from implicitbias.hessian.terms import terms, vectors
from implicitbias.lengths import unit
from implicitbias.losses import log_loss

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(7, 5))
ROWS[:, 0] = np.abs(ROWS[:, 0]) + 0.2
BINARY = ib.Problem(ROWS)
CLASSES = ib.Multiclass(RNG.normal(size=(6, 4)), [0, 1, 2, 0, 1, 2])
PROBLEMS = {"two classes": BINARY, "three classes": CLASSES}
LOSSES = ("logistic", "exponential")


@pytest.fixture(autouse=True)
def many_digits():
    with mpmath.workdps(naive.DIGITS):
        yield


def deep(problem, loss, level=-1000.0):
    """Where a real run is at this log-loss."""
    run = ib.simulate(
        problem, ib.Adam(0.5, 0.5), lr=0.1, batch="n", steps=10**6, until_log_loss=level, loss=loss, per_octave=16
    )
    w = run.weights[-1]
    assert log_loss(problem.soft_margins(problem.margins(w)), loss) <= level
    return w


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("where", ["zero", "ordinary", "deep"])
def test_many_digits(name, loss, where):
    problem, k = PROBLEMS[name], 3
    w = {
        "zero": lambda: np.zeros(problem.shape),
        "ordinary": lambda: np.random.default_rng(1).normal(size=problem.shape),
        "deep": lambda: deep(problem, loss),
    }[where]()
    top = ib.curvature(problem, w, k=k, loss=loss)
    logs, directions = naive.top_of(naive.hessian(problem, w, loss), k)
    # a margin of 1000 is known to 1e-13, and so is the logarithm of a weight
    assert np.abs(top.log_eigenvalues - logs).max() < (1e-10 if where == "deep" else 1e-13)
    assert top.directions.shape == (k, *problem.shape)
    mine = top.directions.reshape(k, -1)
    assert np.abs(mine @ mine.T - np.eye(k)).max() < 1e-13
    if where != "deep":
        assert np.allclose(top.eigenvalues, np.exp(logs), rtol=1e-13, atol=0.0)
    else:
        assert (top.log_eigenvalues < -900.0).all() and not top.eigenvalues.any()
    ties = np.diff(logs, append=-np.inf)[:-1] > -1e-3
    if not ties.any():
        assert np.abs(np.abs(np.sum(mine * np.array(directions, float), axis=1)) - 1.0).max() < 1e-10


@given(st.integers(1, 30), st.integers(1, 24), st.integers(0, 2**30), st.sampled_from(LOSSES), st.floats(0.0, 3.0))
def test_a_dense_solver(n, d, seed, loss, size):
    """By rotations and by LAPACK, which takes over for matrices that are not small."""
    rng = np.random.default_rng(seed)
    problem = ib.Problem(rng.normal(size=(n, d)))
    w = size * rng.normal(size=d) / np.sqrt(d)
    logs, _ = terms(problem, w[None], loss)
    values, found = np.linalg.eigh((problem.rows.T * np.exp(logs[0])) @ problem.rows)
    k = int(rng.integers(1, most_of(problem) + 1))
    top = ib.curvature(problem, w, k=k, loss=loss)
    assert np.abs(top.eigenvalues - values[::-1][:k]).max() <= 1e-13 * values[-1]
    gap = values[-k] - (values[-k - 1] if k < d else 0.0)
    if k == d or gap > 1e-3 * values[-1]:
        mine, theirs = top.directions.T @ top.directions, found[:, -k:] @ found[:, -k:].T
        assert np.abs(mine - theirs).max() < 1e-10


@given(st.integers(0, 2**30), st.integers(2, 4), st.sampled_from(LOSSES))
def test_rotations_and_the_dense_solver_agree(seed, k, loss):
    """Where the eigenvalues are near each other, both are exact."""
    rng = np.random.default_rng(seed)
    problem = ib.Multiclass(rng.normal(size=(20, 7)), rng.permutation(np.arange(20) % (k + 1)))
    w = 0.3 * rng.normal(size=(1, *problem.shape))
    h, c = terms(problem, w, loss)
    u = vectors(problem, c)
    good, values, found = eigen._within(h, u, 2, False)
    again, turned = eigen._apart(h, u, 2, most_of(problem))
    assert good.all() and np.abs(values - again).max() < 1e-12
    if values[0, 0] - values[0, 1] > 1e-3:
        assert np.abs(np.abs(np.sum(found * turned, axis=-1)) - 1.0).max() < 1e-10


def test_terms_add_up_to_the_hessian_of_softmax():
    """Whatever the probabilities, down to those that underflow beside the others."""
    W = np.random.default_rng(3).normal(size=CLASSES.shape)
    for scale in (1.0, 30.0, -30.0, 1e3):
        logs, c = terms(CLASSES, scale * W[None], "logistic")
        u = vectors(CLASSES, c)[0]
        exact = naive.hessian(CLASSES, scale * W, "logistic")
        size = max(abs(x) for x in exact)
        top = logs[0].max()
        H = (u.T * np.exp(logs[0] - top)) @ u
        ratio = np.array([[float(x / size) for x in exact[i, :]] for i in range(exact.rows)])
        assert np.abs(H / np.abs(H).max() - ratio).max() < 1e-12


def test_far_apart_weights_keep_every_direction():
    """Weights of e^-1000 and e^-3000: the second direction is that of the second row without the first."""
    top = ib.curvature([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]], [1000.0, 2000.0, 0.0], k=2)
    assert np.allclose(top.directions, [[1, 0, 0], [0, 1, 0]], atol=1e-15)
    assert np.allclose(top.log_eigenvalues, [-1000.0 - np.log(2.0), -3000.0 - np.log(2.0)], rtol=1e-15)


def test_the_rank_and_what_lies_beyond():
    top = ib.curvature([[1.0, 2.0, 0.0], [2.0, 4.0, 0.0], [-1.0, -2.0, 0.0]], np.zeros(3), k=2)
    assert np.isfinite(top.log_eigenvalues[0]) and top.log_eigenvalues[1] == -np.inf
    assert top.eigenvalues[1] == 0.0 and not top.directions[1].any()


@pytest.mark.parametrize("size", [1e-170, 1e170, 1e300])
def test_rows_of_any_size(size):
    """Squares that leave float64."""
    at = ib.curvature(BINARY, np.zeros(5))
    far = ib.curvature(size * BINARY.rows, np.zeros(5))
    assert np.abs(far.log_eigenvalues - at.log_eigenvalues - 2.0 * np.log(size)).max() < 1e-12
    assert np.abs(far.directions - at.directions).max() < 1e-12


def test_many_iterates_are_those_of_each():
    problem = ib.geometry.gaussian(n=30, d=20, seed=0)
    weights = np.random.default_rng(0).normal(size=(5, 20)) * np.array([0.0, 1.0, 10.0, 100.0, 1e4])[:, None]
    values, found = spectrum(problem, weights, 3, "logistic")
    for w, logs, directions in zip(weights, values, found):
        top = ib.curvature(problem, w, k=3)
        assert np.allclose(
            top.log_eigenvalues, logs, rtol=1e-13, atol=1e-13
        )  # products of other shapes have other bits
        assert np.allclose(top.directions, directions, rtol=0.0, atol=1e-9)


def test_chi_is_the_share_in_the_span():
    problem, k = CLASSES, 4
    W = np.random.default_rng(2).normal(size=problem.shape)
    top = ib.curvature(problem, W, k=k)
    assert np.allclose(top.chi(top.directions), 1.0, rtol=1e-15)
    basis = top.directions.reshape(k, -1)
    v = np.random.default_rng(3).normal(size=(2, 3, *problem.shape))
    expected = np.linalg.norm(v.reshape(2, 3, -1) @ basis.T, axis=-1) / np.linalg.norm(v.reshape(2, 3, -1), axis=-1)
    assert np.allclose(top.chi(v), expected, rtol=1e-14)
    assert np.allclose(top.chi(v * 1e-300), expected, rtol=1e-12)
    other = v[0, 0].ravel() - basis.T @ (basis @ v[0, 0].ravel())
    assert top.chi(other.reshape(problem.shape)) < 1e-15
    assert np.isnan(top.chi(np.zeros(problem.shape)))
    assert unit(v).shape == v.shape


def test_every_mistake_is_told():
    with pytest.raises(InputError) as caught:
        ib.curvature(BINARY, np.zeros(4), k=6, loss="hinge")
    assert caught.value.mistakes == [
        "w must be numbers of shape (5,), that of the weights",
        "k must be an integer from 1 to 5, the largest rank of the Hessian, but is 6",
        "unknown loss 'hinge'; use one of 'exponential', 'logistic'",
    ]
    bad = np.full(CLASSES.shape, np.nan)
    for k in (0, 9, 1.5, True, "two"):
        with pytest.raises(InputError) as caught:
            ib.curvature(CLASSES, bad, k=k)
        assert caught.value.mistakes == [
            "w must be finite", f"k must be an integer from 1 to 8, the largest rank of the Hessian, but is {k!r}",
        ]  # fmt: skip
    with pytest.raises(InputError, match=r"w must be numbers of shape \(3, 4\)"):
        ib.curvature(CLASSES, "w")
    with pytest.raises(InputError, match=r"unknown argument 'top'"):
        ib.curvature(CLASSES, bad, top=2)
    with pytest.raises(InputError, match=r"v must have the shape \(5,\)"):
        ib.curvature(BINARY, np.zeros(5)).chi(np.zeros(4))

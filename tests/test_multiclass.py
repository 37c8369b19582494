"""`Multiclass`: margins, losses, and the mistakes that are told."""

import numpy as np
import pytest

import implicitbias as ib

X = [[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0], [2.0, 1.0]]
LABELS = [0, 1, 2, 0]


def test_margins_are_those_of_all_pairs():
    rng = np.random.default_rng(0)
    problem = ib.Multiclass(rng.normal(size=(7, 3)), [2, 0, 1, 3, 3, 0, 2])
    W = rng.normal(size=(2, *problem.shape))
    expected = [[(w[y] - w[c]) @ x for x, y in zip(problem.X, problem.labels) for c in range(4) if c != y] for w in W]
    np.testing.assert_allclose(problem.margins(W), expected, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(W.reshape(2, -1) @ problem.pairs().T, expected, rtol=1e-13, atol=1e-13)
    soft = [[-np.log(sum(np.exp(-z) for z in row)) for row in np.reshape(one, (7, 3))] for one in expected]
    np.testing.assert_allclose(problem.soft_margins(problem.margins(W)), soft, rtol=1e-12, atol=1e-13)


def test_two_classes_have_the_margins_of_the_difference():
    problem = ib.Multiclass(X, [0, 1, 1, 0])
    W = np.random.default_rng(1).normal(size=(2, 2))
    np.testing.assert_allclose(problem.margins(W), ib.Problem(X, [-1, 1, 1, -1]).margins(W[1] - W[0]), atol=1e-15)
    np.testing.assert_array_equal(problem.soft_margins(problem.margins(W)), problem.margins(W))


@pytest.mark.parametrize("X, labels, words", [
    (X, [0, 0, 0, 0], "needs two labels or more, but labels holds 1: 0"),
    (X, [0, 1, 2], r"labels must have shape \(4,\) to match X, but has shape \(3,\)"),
    ([[1.0, np.nan], *X[1:]], LABELS, "finite|nan|NaN|missing"),
    ([[0.0, 0.0], *X[1:]], LABELS, "zero"),
    ([["a", "b"], *X[1:]], LABELS, "number|text"),
    ([1.0, 2.0], [0, 1], "table|matrix|two|shape"),
    (X, [0, 1, np.nan, 2], "missing|NaN|nan|finite"),
])  # fmt: skip
def test_a_mistake_is_one_sentence(X, labels, words):
    with pytest.raises(ib.InputError, match=words) as caught:
        ib.Multiclass(X, labels)
    assert len(caught.value.mistakes) == 1


def test_all_mistakes_are_told():
    with pytest.raises(ib.InputError) as caught:
        ib.Multiclass([[0.0, 0.0], [1.0, np.inf]], [1, 1])
    assert len(caught.value.mistakes) > 1


@pytest.mark.parametrize("test, words", [
    ([1.0, 2.0, 3.0], r"test must be a pair \(X, labels\)"),
    (([[1.0]], [0]), "test: X has 1 features, but the rows to train on have 2"),
    (([[1.0, np.inf]], [0]), "test: X must be finite"),
    (([[1.0, 2.0]], [7]), "test: "),
])  # fmt: skip
def test_rows_to_test_on(test, words):
    with pytest.raises(ib.InputError, match=words):
        ib.Multiclass(X, LABELS, test=test)


def test_simulate_tells_what_does_not_fit():
    problem = ib.Multiclass(X, LABELS)
    for wrong, words in (
        ({"initial": np.zeros(6)}, r"initial must be numbers of shape \(3, 2\) or \(1, 3, 2\)"),
        ({"initial": [[np.inf, 0]] * 3}, "initial must be finite"),
        ({"batch": 5}, "batch must be .*4"),
        ({"start": ib.simulate(np.eye(2), ib.SGD(), steps=1)}, "is a run on other data"),
    ):
        with pytest.raises(ib.InputError, match=words) as caught:
            ib.simulate(problem, ib.SGD(), **({"steps": 1} | wrong))
        assert len(caught.value.mistakes) == 1

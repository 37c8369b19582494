"""The problem class and its refusals."""

import numpy as np
import pytest

import implicitbias as ib


def test_labels_are_absorbed_and_rows_are_frozen():
    X = np.array([[1.0, 2.0], [3.0, 4.0]])
    problem = ib.Problem(X, [1, -1], name="two", params={"a": 1})
    assert problem.rows.tolist() == [[1.0, 2.0], [-3.0, -4.0]]
    assert (problem.n, problem.d, problem.name, problem.params) == (2, 2, "two", {"a": 1})
    with pytest.raises(ValueError, match="read-only"):
        problem.rows[0, 0] = 5.0
    X[0, 0] = 9.0
    assert problem.rows[0, 0] == 1.0


def test_digest_is_that_of_the_data_alone():
    a = ib.Problem([[1.0, 2.0], [3.0, 4.0]], name="a")
    b = ib.Problem([[1.0, 2.0], [-3.0, -4.0]], [1, -1], name="b")
    assert a.digest == b.digest
    assert a.digest != ib.Problem([[1.0, 2.0, 3.0, 4.0]]).digest


@pytest.mark.parametrize(
    ("X", "y", "words"),
    [
        ([[1.0, float("nan")], [0.0, 0.0]], None, ["NaN or infinite entries in row 0", "zero in row 1"]),
        ([[float("inf")]], [2], ["infinite", "needs exactly two labels, but y holds 1: 2 (1 row)"]),
        ([1.0, 2.0], None, ["shape"]),
        (np.zeros((0, 3)), None, ["n, d >= 1"]),
        ([[1.0], [1.0, 2.0]], None, ["rectangular"]),
        ([["a"]], None, ["must hold real numbers, but holds text"]),
        ([[1.0], [2.0]], [1], ["y must have shape"]),
    ],
)
def test_refusals_list_every_mistake(X, y, words):
    with pytest.raises(ib.InputError) as caught:
        ib.Problem(X, y)
    assert len(caught.value.mistakes) == len(words)
    for mistake, word in zip(caught.value.mistakes, words, strict=True):
        assert word.replace("\\", "") in mistake

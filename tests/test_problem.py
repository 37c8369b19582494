"""The problem class and its refusals."""

import warnings
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.sparse

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


X = [[1.0, 2.0], [3.0, 4.5], [1.0, 1.0]]
EXPECTED = [[-1.0, -2.0], [3.0, 4.5], [1.0, 1.0]]


@pytest.mark.parametrize(
    "y",
    [
        [-1, 1, 1], [0, 1, 1], [1.0, 2.0, 2.0], [False, True, True], ["no", "yes", "yes"], ["-", "+", "+"],
        ["9", "10", "10.0"], np.array([0, 255, 255], np.uint8), np.array([b"a", b"b", b"b"]),
        np.array(["u", "v", "v"], object), np.array([False, True, True], object), [Decimal(0), Fraction(1, 2), 0.5],
        pd.Series([0, 1, 1], index=[5, 6, 7]), pd.Series(["a", "b", "b"], dtype="category"),
        pd.array([0, 1, 1], dtype="Int64"), pd.array([False, True, True], dtype="boolean"), (-1, 1, 1),
    ],
)  # fmt: skip
def test_any_two_labels(y):
    problem = ib.Problem(X, y)
    assert problem.rows.tolist() == EXPECTED
    assert problem.classes.counts == (1, 2) and ib.Problem(X).classes is None
    assert str(problem.classes).startswith("+1 is ") and "(2 rows), -1 is " in str(problem.classes)


@pytest.mark.parametrize(
    ("y", "sentence"),
    [
        ([1, 1, 1], "needs exactly two labels, but y holds 1: 1 (3 rows)"),
        ([0, 1, 2], "needs exactly two labels, but y holds 3: 0 (1 row), 1 (1 row), 2 (1 row)"),
        (["a", "b", "c"], "needs exactly two labels, but y holds 3: 'a' (1 row), 'b' (1 row), 'c' (1 row)"),
        ([0, 1, np.nan], "row 2 has no label: 'nan' stands for a missing value"),
        ([0, 1, np.inf], "row 2 has no label: 'inf' is no text and no finite number"),
        ([0, 1, None], "row 2 has no label"),
        (["a", "b", ""], "row 2 has no label"),
        (np.array([0, 1, pd.NA], object), "row 2 has no label: '<NA>' stands for a missing value"),
        (np.ma.array([0, 1, 1], mask=[0, 0, 1]), "y must be complete, but is masked in row 2"),
        ([0, 1, 1j], "y must hold numbers or text, but its dtype is complex128"),
        (np.array([1, 2, 2], "M8[D]"), "y must hold numbers or text, but its dtype is datetime64[D]"),
        ([[0], [1], [1]], "y must have shape (3,) to match X, but has shape (3, 1)"),
        ([0, 1], "y must have shape (3,) to match X, but has shape (2,)"),
        ([[0], [1, 2], [1]], "y must have shape (3,) to match X, and hold numbers or text"),
    ],
)
def test_unfit_labels(y, sentence):
    with pytest.raises(ib.InputError) as caught:
        ib.Problem(X, y)
    assert caught.value.mistakes == [sentence]


with warnings.catch_warnings(action="ignore"):
    MATRIX = np.matrix(X)  # which warns that it is going out of use


@pytest.mark.parametrize(
    "table",
    [
        np.asfortranarray(X), np.array(X, np.float32), pd.DataFrame(X), np.ma.array(X), MATRIX,
        [[Decimal("1"), 2], [Fraction(3), 4.5], [True, 1]], [np.array(row) for row in X], tuple(map(tuple, X)),
        *(scipy.sparse.csr_matrix(X).asformat(kind) for kind in ("csr", "csc", "coo", "lil", "dok", "bsr")),
        scipy.sparse.coo_array(X), pd.DataFrame(X).astype("Float64"), np.array(X, object),
    ],
)  # fmt: skip
def test_tables_of_numbers(table):
    problem = ib.Problem(table, [0, 1, 1])
    assert problem.rows.tolist() == EXPECTED and problem.digest == ib.Problem(EXPECTED).digest
    assert problem.rows.flags.c_contiguous and type(problem.rows) is np.ndarray
    assert (np.asarray(X) == [[1.0, 2.0], [3.0, 4.5], [1.0, 1.0]]).all()


class Tall:
    """A sparse matrix that would be too large."""

    shape, nnz = (2**20, 2**20), 3

    def toarray(self):
        raise AssertionError("made dense")


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (np.array(X) * 1j, "X must hold real numbers, but holds complex numbers (complex128)"),
        (np.array([[1, 2]], "M8[D]"), "X must hold real numbers, but holds dates (datetime64[D])"),
        (np.array([[1, 2]], "m8[s]"), "X must hold real numbers, but holds spans of time (timedelta64[s])"),
        ([["1", "2"]], "X must hold real numbers, but holds text (<U1)"),
        (np.array([(1, 2.0)], "i4,f8"), "X must hold real numbers, but holds records ([('f0', '<i4'), ('f1', '<f8')])"),
        (np.array([["1", 2]], object), "X[0, 0] is the text '1', not a number"),
        (np.array([[None, 2]], object), "X[0, 0] is missing"),
        (np.array([[1, 2j]], object), "X[0, 1] is a complex, not a real number"),
        (pd.DataFrame({"a": [1, 2], "t": pd.to_datetime([1, 2])}), "X[0, 1] is a Timestamp, not a real number"),
        (pd.DataFrame({"a": [1, pd.NA]}, dtype=object), "X[1, 0] is missing"),
        (pd.DataFrame({"a": [1, 2], "b": ["u", "v"]}), "X[0, 1] is the text 'u', not a number"),
        (np.ma.array(X, mask=[[0, 0], [0, 1], [0, 0]]), "X must be complete, but has masked entries in row 1"),
        ([np.ma.array([1.0, 2.0], mask=[0, 1])], "X must be complete, but has masked entries in row 0"),
        (scipy.sparse.csr_matrix(np.array(X) * 1j), "X must hold real numbers, but holds complex numbers (complex128)"),
        (Tall(), f"X is a sparse matrix of shape {(2**20, 2**20)}, and as a dense table, which it becomes, would have "
                 "more than 268435456 entries (2 GiB); leave out rows, or the columns that are empty"),
        ([[10**400]], "X must be a rectangular array of numbers of shape (n, d)"),
        ({"a": 1}, "X must have shape (n, d) with n, d >= 1, but has shape ()"),
    ],
)  # fmt: skip
def test_tables_of_something_else(table, sentence):
    with pytest.raises(ib.InputError) as caught:
        ib.Problem(table)
    assert caught.value.mistakes[0] == sentence


def test_a_series_in_another_order_than_its_frame_is_refused():
    frame, series = pd.DataFrame(X), pd.Series([0, 1, 1])
    assert ib.Problem(frame, series).rows.tolist() == EXPECTED
    with pytest.raises(ib.InputError, match="X and y have different indices; bring y into the order of X"):
        ib.Problem(frame, series[::-1])
    assert ib.Problem(frame, series.to_numpy()).rows.tolist() == EXPECTED


def test_names_of_features():
    assert ib.Problem(pd.DataFrame(X, columns=["height", 7]), [0, 1, 1]).feature_names == ("height", "7")
    table = pa.table({"height": [row[0] for row in X], "width": [row[1] for row in X]})
    made = ib.Problem(table, pa.array([0, 1, 1]))
    assert made.feature_names == ("height", "width") and made.digest == ib.Problem(X, [0, 1, 1]).digest
    assert ib.Problem(X).feature_names is None
    assert ib.Problem(X, feature_names=["a", "b"]).feature_names == ("a", "b")
    with pytest.raises(ib.InputError, match="X has 2 features, but there are 1 feature_names"):
        ib.Problem(X, feature_names=["a"])

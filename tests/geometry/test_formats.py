"""What is said of LIBSVM, Parquet, NPZ and packed files, and what is refused in them."""

import gzip
import io
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.sparse

EXPECTED = [[-1.0, -2.0], [3.0, 4.5]]
MISSING = "a missing value: fill it in, or leave out its row, or its column with drop ="


def test_libsvm_indices(read, said):
    zero, one = "1 0:1.5 2:3\n-1 0:-2 1:0.5\n", "1 1:1.5 3:3\n-1 1:-2 2:0.5\n"
    rows = [[1.5, 0, 3], [2, -0.5, 0]]
    for name in ("a.svm", "a.libsvm", "a.svmlight", "a.txt", "a.data"):
        for text, first in ((zero, 0), (one, 1)):
            problem = read(text, name)
            assert problem.rows.tolist() == rows and f"LIBSVM, indices from {first}" in problem.reading[0]
            assert problem.feature_names == tuple(str(first + k) for k in range(3))
            assert read(text, name, zero_based=not first).rows.tolist() == rows
    assert read(one, "a.svm", zero_based=True).rows.tolist() == [[0, *row] for row in rows]
    assert said(zero, "a.svm", zero_based=False) == [
        "line 1: index 0 is out of order; indices start at 1, unless zero_based = true",
        "line 2: index 0 is out of order; indices start at 1, unless zero_based = true",
    ]
    assert read(one, "a.svm", drop=1).rows.tolist() == [[0, 3], [-0.5, 0]]  # the number in the file
    assert read(zero, "a.svm", drop=[0]).rows.tolist() == [[0, 3], [-0.5, 0]]


def parquet(table):
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def test_parquet_columns(read, said):
    x = pa.array([Decimal("1.10"), Decimal("0.1"), Decimal("-3")], pa.decimal128(10, 2))
    label = pa.array(["b", "b", "a"])
    assert read(parquet(pa.table({"x": x, "label": label})), "a.parquet").rows.tolist() == [[1.1], [0.1], [3.0]]
    times = pa.array([1, 2, 3], pa.timestamp("ms"))
    more = {"t": times, "s": pa.array(["u", "v", "w"]), "l": pa.array([[1], [2], [3]]), "n": pa.nulls(3)}
    table = parquet(pa.table({"x": x, **more, "label": label}))
    assert said(table, "a.parquet") == [
        "column 't' holds datetime values and no number; drop = 't' leaves it out",
        "column 's' holds 'u', 'v' and no number; drop = 's' leaves it out",
        "column 'l' holds list values and no number; drop = 'l' leaves it out",
        *(f"row {i}, column 'n' holds nan, {MISSING} 'n'" for i in range(3)),
    ]  # fmt: skip
    problem = read(table, "a.parquet", drop=list(more))
    assert problem.d == 1 and "left out: column 't', column 's', column 'l', column 'n'" in problem.reading[0]
    flags = parquet(pa.table({"x": [1, 2], "on": [True, False], "class": [True, False]}))
    assert read(flags, "a.parquet").rows.tolist() == [[1, 1], [-2, 0]]
    holes = parquet(pa.table({"x": [1, 2, 3], "i": [1, None, 3], "label": [0, 1, None]}))
    assert said(holes, "a.parquet")[:2] == [
        "row 2 has no label: 'nan' stands for a missing value", f"row 1, column 'i' holds nan, {MISSING} 'i'",
    ]  # fmt: skip


def test_the_index_of_pandas_is_mentioned(read):
    buffer = io.BytesIO()
    pd.DataFrame({"x": [1, 2], "label": [0, 1]}, index=pd.Index([7, 9], name="patient")).to_parquet(buffer)
    problem = read(buffer.getvalue(), "a.parquet")
    assert problem.d == 1 and "without the pandas index ('patient')" in problem.reading[0]


@pytest.mark.parametrize("kind", ["csr", "csc", "coo", "bsr", "dia"])
def test_sparse_archives(read, said, kind):
    matrix = scipy.sparse.csr_matrix(np.array([[0, 2, 0], [3, 0, 4.5]])).asformat(kind)
    plain = io.BytesIO()
    scipy.sparse.save_npz(plain, matrix)
    assert said(plain.getvalue(), "a.npz") == [
        "holds a sparse matrix and no labels; add an array y to the archive, or use LIBSVM"
    ]
    with np.load(io.BytesIO(plain.getvalue())) as parts:
        labelled = io.BytesIO()
        np.savez(labelled, **parts, y=["no", "yes"])
    problem = read(labelled.getvalue(), "a.npz")
    assert problem.rows.tolist() == [[0, -2, 0], [3, 0, 4.5]]
    assert problem.reading == (
        "a.npz: 2 rows, 3 features; sparse",
        "label: the array y (of the format); +1 is 'yes' (1 row), -1 is 'no' (1 row)",
    )


def test_a_sparse_archive_with_indices_outside_is_refused(said):
    for indices in ([5], [-1], [2**40]):
        data = io.BytesIO()
        np.savez(data, format=b"csr", shape=[1, 3], data=[1.0], indices=indices, indptr=[0, 1], y=[1])
        assert said(data.getvalue(), "a.npz")[0].startswith("is not a readable NPZ file")
    data = io.BytesIO()
    np.savez(data, format=b"coo", shape=[2**20, 2**20], data=[1.0], row=[0], col=[0], y=[1])
    assert "more than 268435456 entries (2 GiB)" in said(data.getvalue(), "a.npz")[0]


def test_npz_arrays(read, said):
    def npz(**arrays):
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        return buffer.getvalue()

    X = [[1, 2], [3, 4.5]]
    problem = read(npz(X=X, marks=[0, 1], names=["a", "b"]), "a.npz", label="marks")
    assert problem.rows.tolist() == EXPECTED and "without the arrays 'names'" in problem.reading[0]
    assert said(npz(X=X, y=[0, 1], label=[0, 1]), "a.npz") == [
        "may have its labels in 'y' or 'label'; say which with label"
    ]
    assert said(npz(X=X, y=[0, 1]), "a.npz", label="marks") == ["unknown array of labels 'marks'; use one of 'y'"]
    assert read(npz(X=X, y=[0, 1]), "a.npz", drop=0).rows.tolist() == [[-2.0], [4.5]]
    assert said(npz(X=X, y=[0, 1]), "a.npz", header=True) == ["header does not apply to a file of this kind"]


def test_gzip(said, monkeypatch):
    assert said(b"x", "a.csv.gz")[0].startswith("is not a readable gzip file")
    assert said(gzip.compress(b"1,2,0\n" * 99)[:-9], "a.csv.gz")[0].startswith("is not a readable gzip file")
    monkeypatch.setattr("implicitbias.geometry.files.MOST_BYTES", 1000)
    assert said(gzip.compress(b"1" * 1001), "a.csv.gz") == ["unpacks to more than 1000 bytes (2 GiB)"]

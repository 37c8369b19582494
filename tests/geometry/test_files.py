"""The user's own files: every format, every mistake with its place, and no other error than InputError."""

import contextlib
import io
import pathlib
import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import implicitbias as ib
from implicitbias.errors import one_line
from implicitbias.geometry import from_file
from implicitbias.geometry.files import READERS


@pytest.fixture
def write(tmp_path):
    def to(name, content):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return to


def mistakes(path, **options):
    with pytest.raises(ib.InputError) as caught:
        from_file(path, **options)
    path = one_line(str(path))
    assert all(mistake.startswith(f"{path}: ") for mistake in caught.value.mistakes)
    return [mistake.removeprefix(f"{path}: ") for mistake in caught.value.mistakes]


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def parquet(columns):
    buffer = io.BytesIO()
    pd.DataFrame(columns).to_parquet(buffer)
    return buffer.getvalue()


MISSING = "a missing value: fill it in, or leave out its row, or its column with drop ="
EXPECTED = [[1.0, 2.0], [-3.0, -4.5]]


@pytest.mark.parametrize(
    "text, options",
    [
        ("1,2,1\n3,4.5,-1\n", {}),
        ("1,2,1\n3,4.5,0", {}),
        ("x,y,label\n1,2,1\n3,4.5,-1\n", {}),
        ("\ufeffx,y,label\r\n\r\n1,2,b\r\n3,4.5,a\r\n", {}),
        ("0,1,2\n1,2,b\n3,4.5,a\n", {"label": "2"}),
        ("0,1,label\n1,2,1.0\n3,4.5,0\n", {}),
        ("x;y;label\n1;2;yes\n3;4.5;no\n", {}),
        ("x\ty\tlabel\n1\t 2 \tyes\n3\t4.5\tno\n", {"label": -1}),
        ("kind,x,y\ncat,1,2\ndog,3,4.5\n", {"label": "kind", "positive": "cat"}),
        ("7,1,2\n3,3,4.5\n", {"label": 0}),
        ("3,1,2\n7,3,4.5\n", {"label": 0, "positive": 3}),
        ("3,1,2\n7,3,4.5\n", {"label": 0, "positive": "3.0"}),
        ('1,"2","a, b"\n3,4.5,A\n', {}),
        ("1,2,True\n3,4.5,False\n", {"positive": True}),
    ],
)
def test_csv(write, text, options):
    path = write("my data.CSV", text)
    problem = from_file(path, **options)
    assert problem.rows.tolist() == EXPECTED
    assert problem.name == "my data"
    defaults = {"label": None, "positive": None, "standardize": False, "intercept": False}
    assert problem.params == {"path": str(path), **defaults, **options}


@pytest.mark.parametrize("labels", [[1, -1], [1, 0], [2.0, 1.0], [True, False], ["b", "a"]])
def test_npz_and_parquet(write, labels):
    X = np.array([[1, 2], [3, 4.5]])
    kinds = [np.array(labels)] + ([np.array(labels, dtype="S")] if isinstance(labels[0], str) else [])
    for y in kinds:
        assert from_file(write("a.npz", npz(X=X, y=y))).rows.tolist() == EXPECTED
    # The column called label wins over the last one; an index column of pandas is no feature.
    frame = pd.DataFrame({"x": X[:, 0], "label": labels, "z": X[:, 1]}, index=[5, 9])
    for table in (frame, frame.rename(columns={"label": "c"})[["x", "z", "c"]], frame.astype({"label": "category"})):
        path = write("a.parquet", b"")
        table.to_parquet(path)
        assert from_file(path).rows.tolist() == EXPECTED
    assert from_file(path, label="label", positive=labels[1]).rows.tolist() == [[-1, -2], [3, 4.5]]


def test_options(write):
    path = write("a.csv", "1,5,0,a\n2,5,0,b\n3,5,1,b\n")
    rows = from_file(path, standardize=True, intercept=True).rows
    y = np.array([-1, 1, 1])
    X = np.array([[1, 0], [2, 0], [3, 1]])
    assert rows[:, [0, 2]] * y[:, None] == pytest.approx((X - X.mean(axis=0)) / X.std(axis=0), abs=1e-15)
    assert (rows[:, 1] == 0).all()
    assert (rows[:, 3] == y).all()


@given(
    n=st.integers(2, 8),
    d=st.integers(1, 6),
    seed=st.integers(0, 99),
    comment=st.sampled_from(["", "from scikit-learn"]),
)
def test_libsvm_written_by_scikit_learn(tmp_path_factory, n, d, seed, comment):
    datasets = pytest.importorskip("sklearn.datasets", reason="scikit-learn is an optional extra")
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) * rng.integers(0, 2, size=(n, d))
    X[:, -1] = 1.0  # so that no row is zero and the last feature shows
    y = np.where(np.arange(n) % 2, 1, -1)
    for extension in ("libsvm", "svm", "svmlight", "txt"):
        path = tmp_path_factory.getbasetemp() / f"round.{extension}"
        datasets.dump_svmlight_file(X, y, str(path), zero_based=False, comment=comment)
        # scikit-learn writes 16 digits, one short of a round trip.
        assert from_file(path).rows == pytest.approx(X * y[:, None], rel=1e-15, abs=0)


@pytest.mark.parametrize(
    "name, content, expected",
    [
        ("a.csv", "", ["is empty"]),
        ("a.csv", " \n\n", ["is empty"]),
        ("a.csv", "x,y,label\n", ["has a header, but no data"]),
        ("a.csv", "1\n2\n", ["needs a label and at least one feature, but has 1 column"]),
        ("a.csv", b"1,2,3\xff\n", ["is not UTF-8 text: byte 5 is 0xff; save it as UTF-8"]),
        (
            "a.csv",
            "x,y,label\n1,2,a\n1,2\n1,2,3,b\n1,,b\n1,one,b\nnan,2,a\n2,-inf,c\n",
            [
                "needs exactly two labels, but column 'label' holds 3: 'a' (2 rows), 'b' (2 rows), 'c' (1 row); "
                "label chooses another column; multiclass = true makes each of them a class",
                "line 3 has 2 columns, expected 3",
                "line 4 has 4 columns, expected 3",
                f"line 5, column 'y' holds '', {MISSING} 'y'",
                "line 6, column 'y' holds 'one', which is no number",
                f"line 7, column 'x' holds 'nan', {MISSING} 'x'",
                "line 8, column 'y' is -inf, not finite",
            ],
        ),
        ("a.csv", "1,x,0\n1,2,1\n", ["line 1 (1, x, 0) may be a header or a row; say header = true or header = false"]),
        ("a.csv", "1,2,0\n1,x,1\n", ["line 2, column [1] holds 'x', which is no number"]),
        ("a.csv", "1.5,1_0,0\n1,2,1\n", ["line 1, column [1] holds '1_0', which is no number"]),
        ("a.csv", "1,2,0\n0,0,1\n", ["line 2 is zero, and a zero row cannot be separated"]),
        (
            "a.csv",
            "1,2,0\n3,4,0\n",
            ["needs exactly two labels, but column [2] holds 1: 0 (2 rows); label chooses another column"],
        ),
        ("a.csv", "1,2,0\n3,4,\n", ["line 2 has no label"]),
        ("a.csv", "1,2,0\n3,4\n", ["line 2 has 2 columns, expected 3"]),
        ("a.svm", "", ["is empty"]),
        ("a.svm", "# nothing\n", ["is empty"]),
        ("a.svm", "1\n-1\n", ["has no features"]),
        (
            "a.svm",
            "1 2:3 1:2 # c\n\n-1 1:2 x\n1 1:1 1:1\n-1 1:nan\n1 2=3",
            [
                "line 1: index 1 is out of order; it follows index 2, and indices must increase",
                "line 3: 'x' is not index:value",
                "line 4: index 1 is out of order; it follows index 1, and indices must increase",
                "line 6: '2=3' is not index:value",
                f"line 5, column [1] holds nan, {MISSING} 1",
            ],
        ),
        ("a.svm", "1 -1:3\n", ["line 1: '-1:3' is not index:value"]),
        (
            "a.svm",
            "1 1:3\n2 1:2\n3 1:1",
            [
                "needs exactly two labels, but the start of the lines holds 3: 1 (1 row), 2 (1 row), 3 (1 row); "
                "multiclass = true makes each of them a class"
            ],
        ),
        ("a.svm", "1 1:3\n-1 2:0", ["line 2 is zero, and a zero row cannot be separated"]),
        (
            "a.svm",
            "1 1:3\n-1 999999999:1",
            ["has 2 rows and indices up to 999999999: more than 268435456 entries (2 GiB)"],
        ),
        ("a.npz", "", ["is empty"]),
        ("a.npz", "1,2,3", ["is not an NPZ file (the archive that numpy.savez writes)"]),
        ("a.npz", pickle.dumps([1]), ["is not an NPZ file (the archive that numpy.savez writes)"]),
        ("a.npz", npz(X=np.eye(2), marks=[0, 1]), ["must hold the arrays X and y, but holds 'X', 'marks'"]),
        (
            "a.npz",
            npz(X=np.eye(2) * 1j, y=np.array([[0, 1]]) * 1j),
            [
                "X must hold real numbers, but its dtype is complex128",
                "y must have shape (2,) to match X, but has shape (1, 2)",
                "y must hold numbers or text, but its dtype is complex128",
            ],
        ),
        ("a.npz", npz(X=np.ones(3), y=[0, 1, 0]), ["X must have shape (n, d) with n, d >= 1, but has shape (3,)"]),
        ("a.npz", npz(X=np.ones((0, 3)), y=[]), ["X must have shape (n, d) with n, d >= 1, but has shape (0, 3)"]),
        ("a.npz", npz(X=[[1, np.inf], [1, 2]], y=[0, 1]), ["row 0, column [1] is inf, not finite"]),
        ("a.npz", npz(X=[[0, 0], [1, 2]], y=[0, 1]), ["row 0 is zero, and a zero row cannot be separated"]),
        ("a.npz", npz(X=np.eye(2), y=[0, np.nan]), ["row 1 has no label: 'nan' stands for a missing value"]),
        (
            "a.parquet",
            parquet({"x": [1.0, None], "label": [0, 1]}),
            [f"row 1, column 'x' holds nan, {MISSING} 'x'"],
        ),
        ("a.parquet", parquet({"x": [], "label": []}), ["has columns, but no rows"]),
        ("a.parquet", parquet({"x": [1]}), ["needs a label and at least one feature, but has 1 column"]),
        (
            "a.parquet",
            parquet({"x": ["a", "b"], "z": [1, 2], "t": [[1], [2]]}),
            [
                "row 0 has no label: '[1]' is no text and no finite number",
                "row 1 has no label: '[2]' is no text and no finite number",
                "column 'x' holds 'a', 'b' and no number; drop = 'x' leaves it out",
            ],
        ),
    ],
)
def test_bad_content(write, name, content, expected):
    assert mistakes(write(name, content)) == expected


def test_long_lists_are_cut(write):
    found = mistakes(write("a.csv", "1,2,0\n3,4,1\n" + "5\n" * 9))
    assert found[4:] == ["line 7 has 1 column, expected 3", "... and 4 more such lines"]
    found = mistakes(write("a.svm", "".join(f"{k} 1:1\n" for k in range(9))))
    assert found == [
        "needs exactly two labels, but the start of the lines holds 9: 0 (1 row), 1 (1 row), 2 (1 row), 3 (1 row), "
        "4 (1 row), and 4 more; multiclass = true makes each of them a class"
    ]


def test_text_that_is_no_text(write):
    data = parquet({"x": [1, 2], "label": ["first", "second"]})
    [mistake] = mistakes(write("a.parquet", data.replace(b"first", b"f\xffrst")))
    assert mistake.startswith("is not a readable Parquet file")


def test_objects_are_never_unpickled(write):
    [mistake] = mistakes(write("a.npz", npz(X=np.eye(2), y=np.array([0, None]))))
    assert mistake.startswith("is not a readable NPZ file: Object arrays cannot be loaded")


@pytest.mark.parametrize(
    "name, content, options, expected",
    [
        ("a.csv", "x,kind\n1,a\n2,b\n", {"label": "kinds"}, "unknown column 'kinds'; did you mean 'kind'?"),
        ("a.csv", "x,kind\n1,a\n2,b\n", {"label": 2}, "has 2 columns, so label must be from -2 to 1, but is 2"),
        ("a.csv", "x,x,y\n1,1,a\n2,2,b\n", {"label": "x"}, "has 2 columns called 'x'; give the index of one (from 0)"),
        ("a.csv", "1,a\n2,b\n", {"positive": "c"}, "positive must be one of the labels 'a', 'b', but is 'c'"),
        ("a.csv", "1,0\n2,1\n", {"positive": "c"}, "positive must be one of the labels 0, 1, but is 'c'"),
        ("a.svm", "1 1:1\n", {"label": 0}, "label does not apply to a LIBSVM file, whose lines start with the label"),
        ("a.xlsx", "x", {}, f"unknown extension '.xlsx'; use one of {', '.join(READERS)}, perhaps with .gz"),
        ("a", "x", {}, f"unknown extension ''; use one of {', '.join(READERS)}, perhaps with .gz"),
        # Standardized, the row in the middle is zero.
        ("a.csv", "1,a\n2,b\n3,b\n", {"standardize": True}, "a zero row cannot be separated, but X is zero in row 1"),
    ],
)
def test_bad_options(write, name, content, options, expected):
    assert mistakes(write(name, content), **options) == [expected]


def test_unreadable_files(tmp_path, monkeypatch):
    assert mistakes(tmp_path / "none.csv") == ["no such file"]
    (tmp_path / "folder.csv").mkdir()
    assert mistakes(tmp_path / "folder.csv") == ["cannot be read: Is a directory"]
    assert mistakes("nu\0ll.csv") == ["cannot be read: embedded null byte"]

    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(pathlib.Path, "read_bytes", refuse)  # root may read everything, so chmod proves nothing
    (tmp_path / "secret.csv").touch()
    assert mistakes(tmp_path / "secret.csv") == ["no permission to read it"]


def only_input_errors(folder, name, content):
    path = folder / name
    path.write_bytes(content)
    for options in ({}, {"standardize": True, "intercept": True}):
        with contextlib.suppress(ib.InputError):
            assert np.isfinite(from_file(path, **options).rows).all()


WORDS = ["nan", "inf", "1e308", "-1e-320", "é", "\u2028"]
CELLS = st.sampled_from([*"0123456789,,,,;\n\n\n\n::: .-e#\t\r\"'_x\0", *WORDS])


@given(text=st.lists(CELLS, max_size=60).map("".join))
def test_almost_text_never_raises_another_error(tmp_path_factory, text):
    for name in ("almost.csv", "almost.txt"):
        only_input_errors(tmp_path_factory.getbasetemp(), name, text.encode())


@given(data=st.binary(max_size=200))
def test_random_bytes_never_raise_another_error(tmp_path_factory, data):
    for name in ("random.csv", "random.svm", "random.npz", "random.parquet"):
        only_input_errors(tmp_path_factory.getbasetemp(), name, data)


@given(place=st.floats(0, 1, exclude_max=True), bits=st.integers(1, 255), cut=st.booleans())
def test_damaged_archives_never_raise_another_error(tmp_path_factory, place, bits, cut):
    y = np.array([0, 1, 1])
    X = np.arange(1.0, 7.0).reshape(3, 2)
    for name, data in (("a.npz", npz(X=X, y=y)), ("a.parquet", parquet({"x": X[:, 0], "y": X[:, 1], "label": y}))):
        k = int(place * len(data))
        damaged = data[:k] if cut else data[:k] + bytes([data[k] ^ bits]) + data[k + 1 :]
        only_input_errors(tmp_path_factory.getbasetemp(), "damaged" + name, damaged)

"""Random data files, good and bad: exactly the rows and labels that another reader finds, or sentences; no bombs."""

import gzip
import io
import pickle
import resource

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fuzz import other_readers
from fuzz.limits import cases, deadline, refused
from fuzz.tables import KINDS, archive, damaged, npy, npz
from hypothesis import given
from hypothesis import strategies as st

from implicitbias.geometry import from_file

ANY = st.sampled_from(sorted(KINDS)).flatmap(lambda kind: st.tuples(st.just(kind), KINDS[kind]))


def read(folder, kind, data):
    """The file is refused in sentences, or read as another program reads it."""
    path = folder.getbasetemp() / f"fuzzed.{kind}"
    path.write_bytes(data)
    problem, error = refused(from_file, path)
    if error is None:
        check(kind, data, problem)
    prepared, _ = refused(from_file, path, standardize=True, intercept=True)
    assert prepared is None or np.isfinite(prepared.rows).all()
    return problem


def check(kind, data, problem):
    if kind == "csv.gz":
        kind, data = "csv", gzip.decompress(data)
    if kind == "data" and "LIBSVM" in problem.reading[0]:
        kind = "svm"
    if kind in ("csv", "tsv", "data"):
        words = {"semicolons between": ";", "tabs between": "\t", "bars between": "|", "spaces between": " "}
        delimiter = next((mark for word, mark in words.items() if word in problem.reading[0]), ",")
        X, y = other_readers.read_csv(data, delimiter)
    elif kind == "svm":
        pytest.importorskip("sklearn", reason="scikit-learn is an optional extra")
        try:
            X, y = other_readers.read_libsvm(data)
        except ValueError:  # scikit-learn takes no labels of text
            lines = data.decode().splitlines()
            assert any(not other_readers.number(line.split()[0]) for line in lines if line.partition("#")[0].strip())
            return
    else:
        X, y = {"npz": other_readers.read_npz, "parquet": other_readers.read_parquet}[kind](data)
    assert np.isfinite(X).all()
    np.testing.assert_array_equal(problem.rows, X * other_readers.signs(y)[:, None])


@cases(60)
@given(ANY)
def test_data_files(tmp_path_factory, case):
    read(tmp_path_factory, *case)


@cases(60)
@given(damaged())
def test_damaged_data_files(tmp_path_factory, case):
    read(tmp_path_factory, *case)


COLUMN = st.integers(-3, 5) | st.sampled_from(["label", "y", "x0", "x1", "0", "1", "kind", "z"])
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "label": COLUMN, "drop": COLUMN | st.lists(COLUMN, max_size=2), "columns": st.lists(COLUMN, max_size=3),
        "header": st.booleans(), "delimiter": st.sampled_from([",", ";", "tab", "space", "|"]),
        "zero_based": st.booleans(), "decimal": st.sampled_from([".", ","]),
        "positive": st.sampled_from([0, 1, "a", "1", True]),
    },
)  # fmt: skip


def decide(folder, case, options):
    """Whatever the options, a file is refused in sentences, or its columns are those that were asked for."""
    kind, data = case
    path = folder.getbasetemp() / f"fuzzed.{kind}"
    path.write_bytes(data)
    problem, _ = refused(from_file, path, **options)
    if problem is not None:
        assert np.isfinite(problem.rows).all() and len(problem.feature_names) == problem.d
        assert sum(problem.classes.counts) == problem.n and len(problem.reading) == 2
        named = {name for name in options.get("columns", ()) if isinstance(name, str) and not name.isdecimal()}
        assert named <= {*problem.feature_names, options.get("label", "label")}
        dropped = options.get("drop", ())
        dropped = [dropped] if isinstance(dropped, (int, str)) else dropped
        names = {name for name in dropped if isinstance(name, str) and not name.isdecimal()}
        assert not names & {*problem.feature_names}


@cases(60)
@given(ANY, OPTIONS)
def test_options(tmp_path_factory, case, options):
    decide(tmp_path_factory, case, options)


@pytest.mark.long
@cases(1500, shrink=False)
@given(ANY | damaged(), OPTIONS)
def test_many_options(tmp_path_factory, case, options):
    decide(tmp_path_factory, case, options)


@pytest.mark.long
@cases(800, shrink=False)
@given(ANY)
def test_many_data_files(tmp_path_factory, case):
    read(tmp_path_factory, *case)


@pytest.mark.long
@cases(1200, shrink=False)
@given(damaged())
def test_many_damaged_data_files(tmp_path_factory, case):
    read(tmp_path_factory, *case)


class Trap:
    """Unpickling it says so."""

    def __reduce__(self):
        return pytest.fail, ("something was unpickled",)


TRAP = pickle.dumps(Trap())
BODY = npy((2, 2), body=np.eye(2).tobytes())
LABELS = npy((2,), body=np.arange(2.0).tobytes())


def claiming(rows: int) -> bytes:
    """A small Parquet file of many equal rows."""
    buffer = io.BytesIO()
    piece = pa.table({"x": pa.nulls(2**20, pa.int8()), "label": pa.nulls(2**20, pa.int8())})
    with pq.ParquetWriter(buffer, piece.schema) as writer:
        for _ in range(rows >> 20):
            writer.write_table(piece)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "name, data, words",
    [
        ("a.npz", npz(X=np.eye(2), y=np.array([0, Trap()], object)), "Object arrays cannot be loaded"),
        ("a.npz", npz(X=np.array([[Trap()]], object), y=[0]), "Object arrays cannot be loaded"),
        ("a.npz", archive(X=TRAP, y=LABELS), "is not a readable NPZ file"),
        ("a.npz", archive(X=BODY, y=npy((2,), "|O", body=TRAP)), "Object arrays cannot be loaded"),
        ("a.npz", TRAP, "is not an NPZ file"),
        ("a.parquet", TRAP, "is not a readable Parquet file"),
        ("a.npz", archive(X=npy((2**40, 2**20)), y=LABELS), "X claims shape (1099511627776, 1048576) of float64"),
        ("a.npz", archive(X=npy((2**33, 1), version=(2, 0)), y=LABELS), "X claims shape (8589934592, 1) of float64"),
        ("a.npz", archive(X=npy((2**33, 1), version=(3, 0)), y=LABELS), "X has NPY version 3.0"),
        ("a.npz", archive(X=BODY, y=npy((2,), "<U2000000000")), "is not a readable NPZ file"),
        ("a.npz", archive(X=npy((-1, 2)), y=LABELS), "negative dimensions are not allowed"),
        ("a.npz", archive(X=BODY, y=b"\x93NUMPY\x02\x00\xff\xff\xff\xff{"), "is not a readable NPZ file"),
        ("a.npz", archive(X=npy("__import__('os').system('true')"), y=LABELS), "is not a readable NPZ file"),
        ("a.csv", "1,2," + "x" * 10**7 + "\n3,4,b\n", "field larger than field limit"),
        ("a.csv", "1," * 10**6 + "\n", "needs exactly two labels"),
        ("a.csv", "(" * 10**5 + ",1\n" + "[" * 10**5 + ",2\n", "and no number"),
        ("a.csv", '1,2,b\n3,4,"a\n5,6,b\n', "unexpected end of data"),
        ("a.csv", ",,0\n1,2,0\n3,4,1\n", "column [0] holds '', a missing value"),
        ("a.csv", "1.5,2,NA\n1,2,0\n3,4,1\n", "line 1 has no label: 'NA' stands for a missing value"),
        ("a.csv", "１,a\n2,b\n", "needs exactly two labels"),
        ("a.svm", "1 1:1\n-1 999999999999999999:1\n", "more than 268435456 entries (2 GiB)"),
        ("a.svm", "1 1:1\n-1 " + "9" * 10**6 + ":1\n", "is not index:value"),
        ("a.svm", "1 -5:1\n-1 1:1\n", "'-5:1' is not index:value"),
    ],
    ids=range(23),
)
def test_bombs_and_traps(tmp_path, name, data, words):
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    problem, error = refused(from_file, path)
    assert problem is None and any(words in mistake for mistake in error.mistakes), error.mistakes[:3]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**19  # KiB: half a GiB


def test_a_small_parquet_file_of_many_rows_is_refused_by_its_footer(tmp_path):
    path = tmp_path / "a.parquet"
    path.write_bytes(claiming(2**27 + 2**20))
    assert path.stat().st_size < 2**20
    with deadline(5):
        problem, error = refused(from_file, path)
    assert problem is None and "more than 268435456 entries" in error.mistakes[0]


def test_a_zero_archive_is_refused_by_what_it_unpacks_to(tmp_path, monkeypatch):
    monkeypatch.setattr("implicitbias.geometry.binary_files.MOST_BYTES", 10**6)
    path = tmp_path / "a.npz"
    path.write_bytes(npz(X=np.zeros((1000, 1000)), y=np.arange(1000)))
    assert path.stat().st_size < 10**5
    assert "X unpacks to 8000128 bytes" in refused(from_file, path)[1].mistakes[0]


def test_what_has_no_end_is_not_read(tmp_path):
    link = tmp_path / "a.csv"
    link.symlink_to("/dev/zero")
    assert "is a pipe or a device" in refused(from_file, link)[1].mistakes[0]


def test_most_of_these_files_are_good(tmp_path_factory):
    good = []

    @cases(80)
    @given(ANY)
    def count(case):
        good.append(read(tmp_path_factory, *case) is not None)

    count()
    assert sum(good) > 0.25 * len(good)


def test_pandas_reads_the_same_numbers(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(50, 3)) * 10.0 ** rng.integers(-300, 300, size=(50, 3)))
    frame["label"] = np.arange(50) % 2
    frame.to_csv(tmp_path / "a.csv", index=False)
    again = pd.read_csv(tmp_path / "a.csv", dtype=str).astype(float)
    rows = from_file(tmp_path / "a.csv").rows
    assert (rows == again.iloc[:, :3].to_numpy() * np.where(again["label"] == 1, 1.0, -1.0)[:, None]).all()

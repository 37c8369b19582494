"""Random tables as files of every kind, and what may happen to them."""

import contextlib
import decimal
import gzip
import io
import struct
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import scipy.sparse
from hypothesis import strategies as st

LABELS = st.sampled_from([(0, 1), (-1, 1), (1, 2), ("a", "b"), ("no", "yes"), (0.5, 1e9), (True, False), ("1", "b")])
GOOD = st.one_of(
    st.integers(-3, 3), st.sampled_from([1e-300, 1e300, -1e-5, 0.1, 2**53, -1, 5e-324]),
    st.floats(allow_nan=False, allow_infinity=False),
)  # fmt: skip
BAD = GOOD | st.sampled_from([np.nan, np.inf, 0])


@st.composite
def tables(draw) -> tuple[list[list], list]:
    """Features and labels: mostly two classes, some columns twice, some rows zero."""
    n, d = draw(st.sampled_from([2, 3, 4, 5, 6, 1])), draw(st.integers(1, 4))
    numbers = draw(st.sampled_from([GOOD, GOOD, GOOD, BAD]))
    X = [[draw(numbers) for _ in range(d)] for _ in range(n)]
    if draw(st.integers(0, 4)) == 0:
        X = [row + row[:1] for row in X]
    both = draw(LABELS)
    return X, [both[draw(st.integers(0, 1))] if k > 1 else both[k] for k in range(n)]


@st.composite
def csv_files(draw) -> bytes:
    X, y = draw(tables())
    delimiter, end = draw(st.sampled_from([",", ",", "\t", ";", "|", " "])), draw(st.sampled_from(["\n", "\r\n"]))
    head = {0: [f"x{k}" for k in range(len(X[0]))], 1: [str(k) for k in range(len(X[0]))]}.get(draw(st.integers(0, 3)))
    at = draw(st.sampled_from([0, len(X[0]), len(X[0])]))  # of the labels
    lines = [[*map(str, row[:at]), str(label), *map(str, row[at:])] for row, label in zip(X, y, strict=True)]
    if head:
        name = draw(st.sampled_from(["label", "Class", "y", "kind"]))
        lines = [[*head[:at], name, *head[at:]], *lines]
    if draw(st.integers(0, 9)) == 0:
        lines = [[*line, ""] for line in lines]
    for line in lines if draw(st.integers(0, 2)) == 0 else ():
        at = draw(st.integers(0, 12))
        odd = draw(st.sampled_from(['"1"', " 2 ", "", "nan", "NA", "1_0", "１", '"', '"a', "0x1", "1e400", "x", "-"]))
        if at < len(line):
            line[at] = odd if draw(st.booleans()) else line[at]
    lines = [delimiter.join(line) for line in lines]
    if draw(st.integers(0, 9)) == 0:
        lines.insert(draw(st.integers(0, len(lines))), draw(st.sampled_from(["# made by hand", "#", "#x0,label"])))
    text = end.join(lines) + draw(st.sampled_from(["", end, end * 2]))
    return draw(st.sampled_from([text.encode(), text.encode(), text.encode("utf-8-sig"), text.encode("utf-16")]))


@st.composite
def libsvm_files(draw) -> bytes:
    X, y = draw(tables())
    lines, first = [], draw(st.sampled_from([1, 1, 0]))
    for row, label in zip(X, y, strict=True):
        pairs = [f"{k}:{value}" for k, value in enumerate(row, start=first) if value != 0]
        odd = draw(
            st.sampled_from([*[""] * 60, "0:1", "-1:2", "99999999999:1", "9" * 30 + ":1", "1:1", "qid:3", "2:", ":"])
        )
        lines.append(" ".join([str(label), *pairs, odd]).rstrip() + draw(st.sampled_from(["", "", " # 1:2", " "])))
    return draw(st.sampled_from(["\n", "\r\n"])).join(lines).encode()


@st.composite
def npz_files(draw) -> bytes:
    X, y = draw(tables())
    kind = draw(st.sampled_from([*[float] * 9, np.float32, np.longdouble, object, complex, "U"]))
    with np.errstate(over="ignore"):
        X = np.array(X).astype(kind)
    labels = np.array(y, dtype=draw(st.sampled_from([*[None] * 9, object])))
    names = draw(st.sampled_from([("X", "y")] * 9 + [("X", "z"), ("x", "y")]))
    order = draw(st.sampled_from([*[X] * 9, np.asfortranarray(X), X.T, X[:, :0], X[:0], X[0]]))
    if draw(st.integers(0, 3)) == 0 and np.ndim(order) == 2 and order.size and order.dtype in (float, complex):
        kind = draw(st.sampled_from(["csr", "csc", "coo", "bsr", "dia"]))
        file = io.BytesIO()
        scipy.sparse.save_npz(file, scipy.sparse.coo_matrix(order).asformat(kind))
        return npz(**np.load(io.BytesIO(file.getvalue())), **{names[1]: labels})
    return npz(**{names[0]: order, names[1]: labels})


@st.composite
def parquet_files(draw) -> bytes:
    X, y = draw(tables())
    frame = pd.DataFrame({f"x{k}": [row[k] for row in X] for k in range(len(X[0]))})
    frame.insert(draw(st.integers(0, len(X[0]))), "label", y)
    if draw(st.booleans()):
        frame = frame.rename(columns={"label": "y"})[[*(c for c in frame if c != "label"), "y"]]
    if draw(st.integers(0, 3)) == 0:
        with contextlib.suppress(decimal.InvalidOperation, TypeError, ValueError, pa.ArrowInvalid):
            exact = [decimal.Decimal(str(value)) for value in frame["x0"]]
            frame["x0"] = pd.Series(exact, dtype=pd.ArrowDtype(pa.array(exact).type))
    buffer = io.BytesIO()
    compression = draw(st.sampled_from(["snappy", "zstd", None]))
    frame.to_parquet(buffer, compression=compression, index=draw(st.sampled_from([None, False])))
    return buffer.getvalue()


KINDS = {
    "csv": csv_files(), "tsv": csv_files(), "svm": libsvm_files(), "npz": npz_files(), "parquet": parquet_files(),
    "data": csv_files() | libsvm_files(), "csv.gz": csv_files().map(gzip.compress),
}  # fmt: skip


@st.composite
def damaged(draw) -> tuple[str, bytes]:
    """A file of some kind after an accident, or the bytes of one under the name of another."""
    kind = draw(st.sampled_from(sorted(KINDS)))
    data = bytearray(draw(KINDS[kind]))
    for _ in range(draw(st.integers(1, 3))):
        # a share of the length: what is drawn must not depend on the length, which pickled objects vary
        at = draw(st.integers(0, 9999)) * len(data) // 10000
        how = draw(st.sampled_from(["cut", "byte", "insert", "repeat"]))
        if how == "cut":
            del data[at:]
        elif how == "byte":
            data[at : at + 1] = [draw(st.integers(0, 255))]
        elif how == "insert":
            data[at:at] = draw(st.binary(min_size=1, max_size=8))
        else:
            data[at:at] = data[at : at + 40] * 3
    return draw(st.sampled_from([kind, kind, kind, *KINDS])), bytes(data)


def npz(**arrays) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def npy(shape: tuple, dtype: str = "<f8", version: tuple = (1, 0), body: bytes = b"") -> bytes:
    """An array whose header claims a shape, whatever follows."""
    header = repr({"descr": dtype, "fortran_order": False, "shape": shape}).encode() + b"\n"
    return b"\x93NUMPY" + bytes(version) + struct.pack("<H" if version == (1, 0) else "<I", len(header)) + header + body


def archive(**members) -> bytes:
    """A compressed archive of members given as bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(f"{name}.npy", data)
    return buffer.getvalue()

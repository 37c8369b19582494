"""Readers of NPZ and Parquet: bytes in, a table of features and labels out. Nothing is ever unpickled."""

import contextlib
import io
import math
import warnings
import zipfile

import numpy as np

from implicitbias.errors import InputError
from implicitbias.geometry.parameters import MOST_ENTRIES
from implicitbias.geometry.tables import Table, few, label_column

MOST_BYTES = 8 * MOST_ENTRIES + 2**16  # of an array with its header


def read_npz(data: bytes, label: str | int | None) -> Table:
    """A NumPy archive with the arrays X (n, d) and y (n,)."""
    if label is not None:
        raise InputError("label does not apply to an NPZ file, whose labels are the array y")
    if not zipfile.is_zipfile(io.BytesIO(data)):
        raise InputError("is not an NPZ file (the archive that numpy.savez writes)")
    with _reading("NPZ"):
        _check_arrays(data)
    with _reading("NPZ"), np.load(io.BytesIO(data), allow_pickle=False) as archive:
        held = list(archive.files)
        arrays = [archive[name] for name in ("X", "y") if name in held]
    if len(arrays) < 2:
        raise InputError(f"must hold the arrays X and y, but holds {', '.join(map(repr, held)) or 'nothing'}")
    X, y = map(np.asarray, arrays)
    mistakes = []
    if X.dtype.kind not in "biuf":
        mistakes.append(f"X must hold real numbers, but its dtype is {X.dtype}")
    if X.ndim != 2 or 0 in X.shape:
        mistakes.append(f"X must have shape (n, d) with n, d >= 1, but has shape {X.shape}")
    elif y.shape != X.shape[:1]:
        mistakes.append(f"y must have shape {X.shape[:1]} to match X, but has shape {y.shape}")
    if y.dtype.kind not in "biufUS":
        mistakes.append(f"y must hold numbers or text, but its dtype is {y.dtype}")
    if mistakes:
        raise InputError(mistakes)
    if y.dtype.kind == "S":
        y = np.char.decode(y, "latin-1")
    with np.errstate(over="ignore"):  # a long double beyond float64 becomes infinite and is reported as that
        X = X.astype(np.float64)
    return Table(X, y.tolist(), "y", lambda i, j: f"row {i}" if j is None else f"X[{i}, {j}]")


def read_parquet(data: bytes, label: str | int | None) -> Table:
    """A Parquet table; the labels are the column ``label``, or else the last one."""
    import pandas as pd

    with _reading("Parquet"):
        _check_columns(data)
        frame = pd.read_parquet(io.BytesIO(data), engine="pyarrow")
    names = [str(name) for name in frame.columns]
    column = label_column(label, names, names.index("label") if "label" in names else len(names) - 1)
    features = [k for k in range(len(names)) if k != column]
    if not len(frame):
        raise InputError("has columns, but no rows")
    X, wrong = np.zeros((len(frame), len(features))), []
    for j, k in enumerate(features):
        values = frame.iloc[:, k]
        if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_complex_dtype(values):
            X[:, j] = values.to_numpy(dtype=np.float64, na_value=np.nan)
        else:
            wrong.append(f"column {names[k]!r} must hold numbers, but its type is {values.dtype}")

    with _reading("Parquet"):  # text is decoded only here
        labels = frame.iloc[:, column].tolist()

    def at(i, j):
        return f"row {i}" + ("" if j is None else f", column {names[features[j]]!r}")

    return Table(X, labels, f"column {names[column]!r}", at, few(wrong, "columns"))


def _check_arrays(data: bytes) -> None:
    """Refuse X and y by what their headers claim: numpy allocates that much before it sees that it is not there."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            name = info.filename.removesuffix(".npy")
            if name not in ("X", "y"):
                continue
            if info.file_size > MOST_BYTES:
                raise InputError(f"{name} unpacks to {info.file_size} bytes; the most are {MOST_BYTES} (2 GiB)")
            with archive.open(info) as file:
                version = np.lib.format.read_magic(file)
                header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
                if version not in header:
                    raise InputError(f"{name} has NPY version {version[0]}.{version[1]}, that of records, not numbers")
                shape, _, dtype = header[version](file)
            if not dtype.hasobject and math.prod(shape) * dtype.itemsize > info.file_size:
                raise InputError(f"{name} claims shape {shape} of {dtype}, more than the {info.file_size} bytes there")


def _check_columns(data: bytes) -> None:
    """Refuse a table by the number of entries that its footer claims, before they are unpacked."""
    import pyarrow.parquet as pq

    found = pq.ParquetFile(io.BytesIO(data)).metadata
    if found.num_rows * found.num_columns > MOST_ENTRIES:
        words = f"{found.num_rows} rows and {found.num_columns} columns"
        raise InputError(f"claims {words}: more than {MOST_ENTRIES} entries (2 GiB)")
    for group in range(found.num_row_groups):
        size = found.row_group(group).total_byte_size
        if size > MOST_BYTES:
            raise InputError(f"unpacks to {size} bytes; the most are {MOST_BYTES} (2 GiB)")


@contextlib.contextmanager
def _reading(kind: str):
    """Damaged files fail in zipfile, zlib, tokenize, pyarrow, ... with dozens of types: here they become one."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # old headers and the like; what matters shows in the arrays
            yield
    except InputError:
        raise
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"is not a readable {kind} file: {reason}") from None

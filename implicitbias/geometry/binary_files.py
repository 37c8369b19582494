"""Readers of NPZ and Parquet: bytes in, a table of features and labels out. Nothing is ever unpickled."""

import contextlib
import io
import warnings
import zipfile

import numpy as np

from implicitbias.errors import InputError
from implicitbias.geometry.tables import Table, few, label_column


def read_npz(data: bytes, label: str | int | None) -> Table:
    """A NumPy archive with the arrays X (n, d) and y (n,)."""
    if label is not None:
        raise InputError("label does not apply to an NPZ file, whose labels are the array y")
    if not zipfile.is_zipfile(io.BytesIO(data)):
        raise InputError("is not an NPZ file (the archive that numpy.savez writes)")
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


@contextlib.contextmanager
def _reading(kind: str):
    """Damaged files fail in zipfile, zlib, tokenize, pyarrow, ... with dozens of types: here they become one."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # old headers and the like; what matters shows in the arrays
            yield
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"is not a readable {kind} file: {reason}") from None

"""Readers of NPZ and Parquet: bytes in, a table out. Nothing is ever unpickled."""

import contextlib
import io
import json
import math
import warnings
import zipfile

import numpy as np

from implicitbias.errors import InputError, one_of
from implicitbias.geometry.tables import LABELS, Options, Table, check_size
from implicitbias.problems.arrays import MOST_ENTRIES

MOST_BYTES = 8 * MOST_ENTRIES + 2**16  # of an array with its header
_SPARSE = {"format", "shape", "data"}  # what scipy.sparse.save_npz writes of every matrix, and of some:
_PARTS = {*_SPARSE, "indices", "indptr", "row", "col", "coords", "offsets", "_is_array"}


def read_npz(data: bytes, options: Options) -> Table:
    """A NumPy archive: features X (n, d), or a sparse matrix as scipy.sparse.save_npz writes it, and labels y (n,).

    The labels may have another of the usual names, or the one that `label` gives.
    """
    if not zipfile.is_zipfile(io.BytesIO(data)):
        raise InputError("is not an NPZ file (the archive that numpy.savez writes)")
    with _reading("NPZ"):
        _check_arrays(data)
    with _reading("NPZ"), np.load(io.BytesIO(data), allow_pickle=False) as archive:
        held = list(archive.files)
        sparse = held if set(held) >= _SPARSE and "X" not in held else []
        if not sparse and "X" not in held:
            raise InputError(f"must hold the arrays X and y, but holds {', '.join(map(repr, held)) or 'nothing'}")
        label = _label_of(
            options.label, [name for name in held if name not in {"X", *(_PARTS if sparse else ())}], bool(sparse)
        )
        X = _sparse(data, archive) if sparse else np.asarray(archive["X"])
        y = np.asarray(archive[label])
    mistakes = []
    if X.dtype.kind not in "biuf":
        mistakes.append(f"X must hold real numbers, but its dtype is {X.dtype}")
    if X.ndim != 2 or 0 in X.shape:
        mistakes.append(f"X must have shape (n, d) with n, d >= 1, but has shape {X.shape}")
    elif y.shape != X.shape[:1]:
        mistakes.append(f"{label} must have shape {X.shape[:1]} to match X, but has shape {y.shape}")
    if y.dtype.kind not in "biufUS":
        mistakes.append(f"{label} must hold numbers or text, but its dtype is {y.dtype}")
    if mistakes:
        raise InputError(mistakes)
    if y.dtype.kind == "S":
        y = np.char.decode(y, "latin-1")
    with np.errstate(over="ignore"):  # a long double beyond float64 becomes infinite and is reported as that
        X = X.astype(np.float64)
    other = [name for name in held if name not in {"X", label, *(_PARTS if sparse else ())}]
    notes = ["sparse"] * bool(sparse) + [f"without the arrays {', '.join(map(repr, other))}"] * bool(other)
    return Table(X, labels=y.tolist(), where=f"the array {label}", notes=notes)


def _label_of(asked, names: list[str], sparse: bool) -> str:
    """The array that holds the labels. Errors: ``InputError`` if none or several may."""
    if asked is not None:
        if asked not in names:
            raise InputError(one_of(asked, "array of labels", names))
        return asked
    found = [name for name in names if name.lower() in LABELS]
    if len(found) > 1:
        raise InputError(f"may have its labels in {' or '.join(map(repr, found))}; say which with label")
    if found:
        return found[0]
    if sparse:
        raise InputError("holds a sparse matrix and no labels; add an array y to the archive, or use LIBSVM")
    raise InputError(f"must hold the arrays X and y, but holds {', '.join(map(repr, ['X', *names]))}")


def _sparse(data: bytes, archive) -> np.ndarray:
    """The sparse matrix of an archive, dense."""
    import scipy.sparse

    shape = archive["shape"].tolist()
    if len(shape) != 2 or min(shape) < 1:
        raise InputError(f"X must have shape (n, d) with n, d >= 1, but has shape {tuple(shape)}")
    check_size(*shape, MOST_ENTRIES)
    matrix = scipy.sparse.load_npz(io.BytesIO(data))
    if hasattr(matrix, "check_format"):
        matrix.check_format(full_check=True)  # indices outside the shape would be written outside the array
    return matrix.toarray()


def read_parquet(data: bytes, options: Options) -> Table:
    """A Parquet table: numbers, decimals and truth values can be features; those and text, labels."""
    import pyarrow.parquet as pq

    with _reading("Parquet"):
        _check_columns(data)
        table = pq.read_table(io.BytesIO(data))
        indices = [name for name in _pandas_index(table.schema) if name in table.column_names]
        notes = [f"without the pandas index ({', '.join(map(repr, indices))})"] * bool(indices)
        names = [name for name in table.column_names if name not in indices]
        places = [k for k, name in enumerate(table.column_names) if name not in indices]
        columns = [_cells(table.column(k)) for k in places]
    if names and not len(table):
        raise InputError("has columns, but no rows")
    return Table(columns, names, notes=notes)


def _pandas_index(schema) -> list[str]:
    """The columns that pandas wrote as the index of a frame."""
    found = json.loads((schema.metadata or {}).get(b"pandas", b"{}")).get("index_columns", [])
    return [name for name in found if isinstance(name, str)]


def _cells(column) -> np.ndarray | list:
    """The numbers of a column, NaN where one is missing; or its cells, if they are no numbers."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        kind, column = kind.value_type, column.cast(kind.value_type)
    if pa.types.is_decimal(kind):
        # Python rounds a decimal to the nearest float64, Arrow does not always
        return np.array([math.nan if value is None else float(value) for value in column.to_pylist()])
    if pa.types.is_boolean(kind) and not column.null_count:
        return column.to_numpy()
    if pa.types.is_boolean(kind) or pa.types.is_null(kind):
        return np.array([math.nan if value is None else float(value) for value in column.to_pylist()])
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return column.to_numpy().astype(np.float64)
    return column.to_pylist()


def _check_arrays(data: bytes) -> None:
    """Refuse arrays by what their headers claim: numpy allocates that much before it sees that it is not there."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            name = info.filename.removesuffix(".npy")
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

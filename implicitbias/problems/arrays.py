"""What users give as features and labels, as arrays; with a sentence for each thing that is neither."""

from __future__ import annotations

import math

import numpy as np

from implicitbias.errors import InputError
from implicitbias.labels import few

# A dense table above 2 GiB is a slip of the keyboard in this field (n, d up to thousands), not a wish.
MOST_ENTRIES = 2**28

_KINDS = {
    "c": "complex numbers", "M": "dates", "m": "spans of time", "U": "text", "S": "text", "T": "text", "V": "records",
}  # fmt: skip


def unfit_features(X: np.ndarray) -> list[str]:
    """What a table of numbers must not have."""
    mistakes = []
    bad = np.flatnonzero(~np.isfinite(X).all(axis=1))
    if bad.size:
        mistakes.append(f"X must be finite, but has NaN or infinite entries in {list_rows(bad)}")
    zero = np.flatnonzero(~X.any(axis=1))
    if zero.size:
        mistakes.append(f"a zero row cannot be separated, but X is zero in {list_rows(zero)}")
    return mistakes


def out_of_order(X, y) -> str | None:
    """The sentence for labels that are not in the order of their features."""
    if hasattr(X, "iloc") and hasattr(y, "iloc") and not X.index.equals(y.index):
        return "X and y have different indices; bring y into the order of X, or give y.to_numpy()"
    return None


def names_of(X, given, d: int, mistakes: list[str]) -> tuple[str, ...] | None:
    """The names of d features: the given ones, or those of a data frame. What is wrong goes to `mistakes`."""
    if given is None:  # those of pandas and polars, or of Arrow, whose columns are arrays
        given = getattr(X, "column_names", getattr(X, "columns", None))
    names = None if given is None else tuple(map(str, given))
    if names is not None and len(names) != d:
        mistakes.append(f"X has {d} features, but there are {len(names)} feature_names")
    return names


def features_of(X) -> np.ndarray:
    """X as a float64 array of its own, C-contiguous. Errors: ``InputError`` for what is no table of real numbers."""
    if hasattr(X, "toarray") and hasattr(X, "nnz"):  # sparse, of whatever library
        if math.prod(X.shape) > MOST_ENTRIES:
            raise InputError(
                f"X is a sparse matrix of shape {tuple(X.shape)}, and as a dense table, which it becomes, would have "
                f"more than {MOST_ENTRIES} entries (2 GiB); leave out rows, or the columns that are empty"
            )
        X = X.toarray()
    try:
        found = X if isinstance(X, np.ndarray) else _array(X)
    except (TypeError, ValueError, OverflowError):
        raise InputError("X must be a rectangular array of numbers of shape (n, d)") from None
    if found.dtype.kind in _KINDS:
        raise InputError(f"X must hold real numbers, but holds {_KINDS[found.dtype.kind]} ({found.dtype})")
    if found.ndim != 2 or 0 in found.shape:
        raise InputError(f"X must have shape (n, d) with n, d >= 1, but has shape {found.shape}")
    if np.ma.is_masked(found):
        masked = np.flatnonzero(np.ma.getmaskarray(found).any(axis=1))
        raise InputError(f"X must be complete, but has masked entries in {list_rows(masked)}")
    if found.dtype.kind == "O":
        _check_objects(found)
    try:
        with np.errstate(over="ignore"):  # a long double beyond float64 becomes infinite, and is refused as that
            return np.array(found, dtype=np.float64, order="C", subok=False)
    except (TypeError, ValueError, OverflowError):
        raise InputError("X must be a rectangular array of numbers of shape (n, d)") from None


def _array(X) -> np.ndarray:
    # numpy forgets the masks of arrays in a list
    masked = isinstance(X, (list, tuple)) and any(isinstance(row, np.ma.MaskedArray) for row in X)
    return np.ma.array(X) if masked else np.asarray(X)


def _check_objects(found: np.ndarray) -> None:
    """Refuse what float() would take although it is no number, or would refuse without a place."""
    mistakes = []
    for i, j in np.ndindex(found.shape):
        value = found[i, j]
        if isinstance(value, (float, int, np.number)) and not isinstance(value, np.complexfloating):
            continue
        if value is None or type(value).__name__ in ("NAType", "NaTType"):
            mistakes.append(f"X[{i}, {j}] is missing")
        elif isinstance(value, (str, bytes)):
            mistakes.append(f"X[{i}, {j}] is the text {value[:40]!r}, not a number")
        elif isinstance(value, np.complexfloating) or not hasattr(value, "__float__"):
            mistakes.append(f"X[{i}, {j}] is a {type(value).__name__}, not a real number")
    if mistakes:
        raise InputError(few(mistakes, "entries"))


def labels_of(y, n: int, name: str = "y") -> list:
    """y as n values. Errors: ``InputError`` for another shape, and for what no label can be."""
    try:
        found = y if isinstance(y, np.ndarray) else np.asarray(y)
    except (TypeError, ValueError):
        raise InputError(f"{name} must have shape ({n},) to match X, and hold numbers or text") from None
    if found.shape != (n,):
        raise InputError(f"{name} must have shape ({n},) to match X, but has shape {found.shape}")
    if np.ma.is_masked(found):
        raise InputError(f"{name} must be complete, but is masked in {list_rows(np.flatnonzero(found.mask))}")
    if found.dtype.kind not in "biufOUST":
        raise InputError(f"{name} must hold numbers or text, but its dtype is {found.dtype}")
    return (np.char.decode(found, "latin-1") if found.dtype.kind == "S" else found).tolist()


def list_rows(indices: np.ndarray, shown: int = 5) -> str:
    words = ", ".join(map(str, indices[:shown]))
    more = f", ... ({len(indices) - shown} more)" if len(indices) > shown else ""
    return f"row{'s' if len(indices) > 1 else ''} {words}{more}"

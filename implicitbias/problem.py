"""A separable classification problem: the rows a_i = y_i x_i."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from implicitbias.errors import InputError
from implicitbias.labels import Classes, few, two_classes
from implicitbias.shown import as_html

# A dense table above 2 GiB is a slip of the keyboard in this field (n, d up to thousands), not a wish.
MOST_ENTRIES = 2**28

FEW = 12  # names of features that are shown
_KINDS = {
    "c": "complex numbers", "M": "dates", "m": "spans of time", "U": "text", "S": "text", "T": "text", "V": "records",
}  # fmt: skip


class Problem:
    """Binary classification data with the labels absorbed into the rows, a_i = y_i x_i.

    The margins of a direction w are ``rows @ w``; w separates the data when all of them are positive.

    Arguments
        X              (n, d) finite real features, no zero row; n = 1 and d = 1 are fine. Arrays, nested lists, data
                       frames, and sparse matrices of scipy, which become dense (n * d entries, at most 2 GiB)
        y              (n,) two different labels: numbers, truth values or text. The larger number or the
                       alphabetically last text is +1. Left out when X already holds the rows a_i
        name           what tables and plots call the data
        params         the parameters it was made from; they appear in the tables
        feature_names  d names; by default those of the columns of a data frame

    Attributes
        rows           (n, d) float64, read-only, C-contiguous
        n, d           its shape
        classes        the labels that are +1 and -1, and how many rows they have (None without y)
        feature_names  a tuple of d names, or None
        reading        what was read of a file and how it was understood, in sentences; empty for other data

    Errors: ``InputError`` listing every mistake (shape, missing, infinite, complex, masked or textual entries, dates,
    zero rows, labels).

    >>> problem = Problem([[1.0, 2.0], [3.0, 1.0]], ["tree", "bush"])
    >>> print(problem.rows, problem.classes)
    [[ 1.  2.]
     [-3. -1.]] +1 is 'tree' (1 row), -1 is 'bush' (1 row)
    """

    def __init__(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        name: str = "custom",
        params: Mapping[str, Any] | None = None,
        feature_names: Iterable[str] | None = None,
    ):
        rows = _features(X)
        mistakes = []
        bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
        if bad.size:
            mistakes.append(f"X must be finite, but has NaN or infinite entries in {_list_rows(bad)}")
        zero = np.flatnonzero(~rows.any(axis=1))
        if zero.size:
            mistakes.append(f"a zero row cannot be separated, but X is zero in {_list_rows(zero)}")
        self.classes: Classes | None = None
        if hasattr(X, "iloc") and hasattr(y, "iloc") and not X.index.equals(y.index):
            mistakes.append("X and y have different indices; bring y into the order of X, or give y.to_numpy()")
        elif y is not None:
            try:
                self.classes = two_classes(_labels(y, len(rows)))
            except InputError as error:
                mistakes += error.mistakes
        if feature_names is None:  # those of pandas and polars, or of Arrow, whose columns are arrays
            feature_names = getattr(X, "column_names", getattr(X, "columns", None))
        self.feature_names: tuple[str, ...] | None = None if feature_names is None else tuple(map(str, feature_names))
        if self.feature_names is not None and len(self.feature_names) != rows.shape[1]:
            mistakes.append(f"X has {rows.shape[1]} features, but there are {len(self.feature_names)} feature_names")
        if mistakes:
            raise InputError(mistakes)
        if self.classes:
            rows *= self.classes.signs[:, None]
        rows.flags.writeable = False
        self.rows: np.ndarray = rows
        self.name = name
        self.params: dict[str, Any] = dict(params or {})
        self.reading: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        return self.rows.shape[0]

    @property
    def d(self) -> int:
        return self.rows.shape[1]

    @cached_property
    def digest(self) -> str:
        """Hash of the rows, bit for bit: two problems with the same digest are the same data."""
        return hashlib.sha256(repr(self.rows.shape).encode() + self.rows.astype("<f8").tobytes()).hexdigest()[:16]

    def __repr__(self) -> str:
        return f"Problem({', '.join([repr(self.name), f'n={self.n}', f'd={self.d}', *self._named()])})"

    def _named(self) -> list[str]:
        """Which label is +1, where its name does not say so."""
        classes = self.classes
        return [] if classes is None or (classes.negative, classes.positive) == (-1, 1) else [str(classes)]

    def _repr_html_(self) -> str:
        params = {name: value for name, value in self.params.items() if name not in ("n", "d")}
        return as_html("Problem", {
            "name": self.name, "n": self.n, "d": self.d, **params, "classes": "; ".join(self._named()),
            "features": ", ".join((self.feature_names or ())[:FEW]) + ", ..." * (len(self.feature_names or ()) > FEW),
            "read": "; ".join(self.reading),
        })  # fmt: skip


def _features(X) -> np.ndarray:
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
        raise InputError(f"X must be complete, but has masked entries in {_list_rows(masked)}")
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


def _labels(y, n: int) -> list:
    """y as n values. Errors: ``InputError`` for another shape, and for what no label can be."""
    try:
        found = y if isinstance(y, np.ndarray) else np.asarray(y)
    except (TypeError, ValueError):
        raise InputError(f"y must have shape ({n},) to match X, and hold numbers or text") from None
    if found.shape != (n,):
        raise InputError(f"y must have shape ({n},) to match X, but has shape {found.shape}")
    if np.ma.is_masked(found):
        raise InputError(f"y must be complete, but is masked in {_list_rows(np.flatnonzero(found.mask))}")
    if found.dtype.kind not in "biufOUST":
        raise InputError(f"y must hold numbers or text, but its dtype is {found.dtype}")
    return (np.char.decode(found, "latin-1") if found.dtype.kind == "S" else found).tolist()


def _list_rows(indices: np.ndarray, shown: int = 5) -> str:
    words = ", ".join(map(str, indices[:shown]))
    more = f", ... ({len(indices) - shown} more)" if len(indices) > shown else ""
    return f"row{'s' if len(indices) > 1 else ''} {words}{more}"

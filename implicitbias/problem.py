"""A separable classification problem: the rows a_i = y_i x_i."""

import hashlib
from functools import cached_property

import numpy as np

from implicitbias.errors import InputError


class Problem:
    """Binary classification data with the labels absorbed into the rows, a_i = y_i x_i.

    The margins of a direction w are ``rows @ w``; w separates the data when all of them are positive.

    Arguments
        X       (n, d) finite features, no zero row; n = 1 and d = 1 are fine
        y       (n,) labels in {-1, +1}; left out when X already holds the rows a_i
        name    what tables and plots call the data
        params  the parameters it was made from; they appear in the tables

    Attributes
        rows    (n, d) float64, read-only, C-contiguous
        n, d    its shape

    Errors: ``InputError`` listing every mistake (shape, NaN or infinite entries, zero rows, labels).

    >>> Problem([[1.0, 2.0], [3.0, 1.0]], [1, -1]).rows
    array([[ 1.,  2.],
           [-3., -1.]])
    """

    def __init__(self, X, y=None, *, name: str = "custom", params: dict | None = None):
        mistakes = []
        try:
            rows = np.array(X, dtype=np.float64, order="C")
        except (TypeError, ValueError):
            raise InputError("X must be a rectangular array of numbers of shape (n, d)") from None
        if rows.ndim != 2 or 0 in rows.shape:
            raise InputError(f"X must have shape (n, d) with n, d >= 1, but has shape {rows.shape}")
        bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
        if bad.size:
            mistakes.append(f"X must be finite, but has NaN or infinite entries in {_list_rows(bad)}")
        zero = np.flatnonzero(~rows.any(axis=1))
        if zero.size:
            mistakes.append(f"a zero row cannot be separated, but X is zero in {_list_rows(zero)}")
        if y is not None:
            labels = np.asarray(y)
            if labels.shape != (len(rows),):
                mistakes.append(f"y must have shape ({len(rows)},) to match X, but has shape {labels.shape}")
            elif not np.isin(labels, (-1, 1)).all():
                values = ", ".join(map(str, np.unique(labels)[:5].tolist()))
                mistakes.append(f"labels must be -1 or +1, but y holds {values}")
            elif not mistakes:
                rows *= labels.astype(np.float64)[:, None]
        if mistakes:
            raise InputError(mistakes)
        rows.flags.writeable = False
        self.rows = rows
        self.name = name
        self.params = dict(params or {})

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
        return f"Problem({self.name!r}, n={self.n}, d={self.d})"


def _list_rows(indices: np.ndarray, shown: int = 5) -> str:
    words = ", ".join(map(str, indices[:shown]))
    more = f", ... ({len(indices) - shown} more)" if len(indices) > shown else ""
    return f"row{'s' if len(indices) > 1 else ''} {words}{more}"

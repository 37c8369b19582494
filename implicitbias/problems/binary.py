"""A separable classification problem: the rows a_i = y_i x_i."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from implicitbias.errors import InputError
from implicitbias.labels import Classes, two_classes
from implicitbias.losses import log_loss
from implicitbias.problems.arrays import features_of, labels_of, names_of, out_of_order, unfit_features
from implicitbias.problems.multiclass import Multiclass
from implicitbias.problems.objective import Objective
from implicitbias.shown import as_html

FEW = 12  # names of features that are shown


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
        if isinstance(X, Multiclass):
            raise InputError("this is for data of two classes, and got a Multiclass; make a Problem of two of them")
        if isinstance(X, Objective):
            raise InputError(f"this is for data, which have margins and limits, and {X.name} is an objective")
        rows = features_of(X)
        mistakes = unfit_features(rows)
        self.classes: Classes | None = None
        if wrong := out_of_order(X, y):
            mistakes.append(wrong)
        elif y is not None:
            try:
                self.classes = two_classes(labels_of(y, len(rows)))
            except InputError as error:
                mistakes += error.mistakes
        self.feature_names: tuple[str, ...] | None = names_of(X, feature_names, rows.shape[1], mistakes)
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

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the weights."""
        return (self.d,)

    def margins(self, weights: np.ndarray) -> np.ndarray:
        """(..., n) the margins of weights (..., d)."""
        return weights @ self.rows.T

    @property
    def start(self) -> np.ndarray:
        """Where runs begin unless told otherwise."""
        return np.zeros(self.shape)

    def finite(self, weights: np.ndarray) -> np.ndarray:
        """(...) whether all margins of weights (..., *shape) are finite."""
        return np.isfinite(self.margins(weights)).all(axis=-1)

    def log_loss(self, weights: np.ndarray, loss: str) -> np.ndarray:
        """(...) the logarithm of the mean loss at weights (..., *shape)."""
        return log_loss(self.soft_margins(self.margins(weights)), loss)

    def soft_margins(self, margins: np.ndarray) -> np.ndarray:
        """(..., n) for each sample the margin that its loss is a function of."""
        return margins

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

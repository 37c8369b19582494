"""A separable problem of k classes: features x_i with labels y_i, and the weights of each class."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logsumexp

from implicitbias.errors import InputError
from implicitbias.labels import many_classes, show
from implicitbias.losses import log_loss
from implicitbias.problems.arrays import MOST_ENTRIES, features_of, labels_of, names_of, out_of_order, unfit_features
from implicitbias.shown import as_html

FEW = 12  # classes and features that are shown


class Multiclass:
    """Classification data with k classes; the weights are a matrix W (k, d), its scores W x_i.

    The margins of W are  z_ic = (w_{y_i} - w_c).x_i  for every c != y_i, and W separates the data when all n (k - 1) of
    them are positive. Its losses tie the margins of a sample together:

        logistic      log(1 + sum_c e^(-z_ic)),  the cross-entropy of softmax
        exponential   sum_c e^(-z_ic)

    With two classes it is the binary problem with w = w_1 - w_0.

    Arguments
        X              (n, d) finite real features, no zero row; arrays, nested lists, data frames, sparse matrices
        labels         (n,) two different labels or more: numbers, truth values or text; sorted, they are the classes
        test           (X, labels) of rows that are not trained on, for the measures of accuracy
        name, params, feature_names
                       as of ``Problem``

    Attributes
        X              (n, d) float64, read-only, C-contiguous
        labels         (n,) int64, the class of each row, from 0 to k - 1
        n, d, k        numbers of rows, features and classes
        classes        (k,) the labels, in the order of the rows of W
        counts         (k,) how many rows each class has
        test           (X, labels), labels from 0 to k - 1; or None
        shape          (k, d), that of W
        feature_names  a tuple of d names, or None
        reading        what was read of a file and how it was understood, in sentences; empty for other data

    Errors: ``InputError`` listing every mistake (shape, missing, infinite or textual entries, zero rows, one class).

    >>> problem = Multiclass([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]], ["a", "b", "c"])
    >>> problem, problem.labels, problem.margins(np.eye(3, 2))
    (Multiclass('custom', n=3, d=2, k=3), array([0, 1, 2]), array([1., 1., 1., 1., 1., 1.]))

    Source: Crammer and Singer, JMLR 2 (2001) 265-292 (these margins); arXiv 2502.04664 (their norms).
    """

    def __init__(
        self,
        X: ArrayLike,
        labels: ArrayLike,
        *,
        test: tuple[ArrayLike, ArrayLike] | None = None,
        name: str = "custom",
        params: Mapping[str, Any] | None = None,
        feature_names: Iterable[str] | None = None,
    ):
        self.X: np.ndarray = features_of(X)
        mistakes = unfit_features(self.X)
        if wrong := out_of_order(X, labels):
            mistakes.append(wrong)
        else:
            try:
                found = many_classes(labels_of(labels, self.n, "labels"))
            except InputError as error:
                mistakes += error.mistakes
        self.feature_names: tuple[str, ...] | None = names_of(X, feature_names, self.d, mistakes)
        if mistakes:
            raise InputError(mistakes)
        self.classes, self.counts, self.labels = found.names, found.counts, found.index
        if self.n * (self.k - 1) > MOST_ENTRIES // 8:
            raise InputError(f"{self.n} rows of {self.k} classes have more than {MOST_ENTRIES // 8} margins")
        self.test = None if test is None else self._test(test)
        for array in (self.X, self.labels, *(self.test or ())):
            array.flags.writeable = False
        self.name = name
        self.params: dict[str, Any] = dict(params or {})
        self.reading: tuple[str, ...] = ()

    def _test(self, test) -> tuple[np.ndarray, np.ndarray]:
        if not isinstance(test, (tuple, list)) or len(test) != 2:
            raise InputError("test must be a pair (X, labels)")
        try:
            X = features_of(test[0])
            labels = many_classes(labels_of(test[1], len(X), "labels"), self.classes).index
            mistakes = [] if np.isfinite(X).all() else ["X must be finite"]
            if X.shape[1] != self.d:
                mistakes.append(f"X has {X.shape[1]} features, but the rows to train on have {self.d}")
        except InputError as error:
            mistakes = list(error.mistakes)
        if mistakes:
            raise InputError(f"test: {mistake}" for mistake in mistakes)
        return X, labels

    @property
    def n(self) -> int:
        return self.X.shape[0]

    @property
    def d(self) -> int:
        return self.X.shape[1]

    @property
    def k(self) -> int:
        return len(self.classes)

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the weights."""
        return (self.k, self.d)

    @cached_property
    def others(self) -> np.ndarray:
        """(n, k - 1) the classes c != y_i of each row, in their order: the pairs (i, c) that margins are of."""
        classes = np.arange(self.k - 1)
        return classes + (classes >= self.labels[:, None])

    def margins(self, weights: np.ndarray) -> np.ndarray:
        """(..., n (k - 1)) the margins of weights (..., k, d), those of the first row first, by class."""
        scores = np.swapaxes(np.matmul(weights, self.X.T), -1, -2)  # (..., n, k)
        own = np.take_along_axis(scores, np.broadcast_to(self.labels[:, None], (*scores.shape[:-1], 1)), axis=-1)
        other = np.take_along_axis(scores, np.broadcast_to(self.others, (*scores.shape[:-1], self.k - 1)), axis=-1)
        return (own - other).reshape(*scores.shape[:-2], -1)

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
        """(..., n) the -log sum_c e^(-z_ic) of each row: its losses are log(1 + e^-z) and e^-z of that."""
        return -logsumexp(-margins.reshape(*margins.shape[:-1], self.n, self.k - 1), axis=-1)

    def pairs(self, which: np.ndarray | None = None) -> np.ndarray:
        """(N, k d) the rows (e_{y_i} - e_c) (x) x_i, whose products with vec(W) are the margins.

        Arguments
            which  numbers of margins; default all n (k - 1)
        """
        which = np.arange(self.n * (self.k - 1)) if which is None else which
        i, other = which // (self.k - 1), self.others.reshape(-1)[which]
        rows = np.zeros((len(which), self.k, self.d))
        rows[np.arange(len(which)), self.labels[i]] = self.X[i]
        rows[np.arange(len(which)), other] = -self.X[i]
        return rows.reshape(len(which), -1)

    @cached_property
    def digest(self) -> str:
        """Hash of the rows and labels, bit for bit: two problems with the same digest are the same data."""
        parts = [repr((*self.X.shape, self.k)).encode()]
        for X, labels in ((self.X, self.labels), *([self.test] if self.test else [])):
            parts += [X.astype("<f8").tobytes(), labels.astype("<i8").tobytes()]
        return hashlib.sha256(b"".join(parts)).hexdigest()[:16]

    def __repr__(self) -> str:
        return f"Multiclass({self.name!r}, n={self.n}, d={self.d}, k={self.k})"

    def _repr_html_(self) -> str:
        params = {name: value for name, value in self.params.items() if name not in ("n", "d", "k")}
        counts = ", ".join(f"{show(name)} ({count})" for name, count in zip(self.classes, self.counts[:FEW]))
        return as_html("Multiclass", {
            "name": self.name, "n": self.n, "d": self.d, "k": self.k, **params,
            "classes": counts + ", ..." * (self.k > FEW),
            "features": ", ".join((self.feature_names or ())[:FEW]) + ", ..." * (len(self.feature_names or ()) > FEW),
            "test rows": None if self.test is None else len(self.test[0]), "read": "; ".join(self.reading),
        })  # fmt: skip

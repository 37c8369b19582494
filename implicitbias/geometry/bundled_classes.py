"""Real data that come with scikit-learn, with all their classes or some of them: digits_classes, iris_classes, ..."""

import math
from collections.abc import Sequence
from typing import Annotated

import numpy as np

from implicitbias.errors import InputError
from implicitbias.geometry.bundled import load
from implicitbias.geometry.features import prepared
from implicitbias.parameters import Flag, MaybeCount, Rule, Seed, Share, either, family, one, several, whole
from implicitbias.problems import Multiclass

_IRIS = ("setosa", "versicolor", "virginica")

Digits = Annotated[Sequence[int] | None, several(whole(0, 9))]
Cultivars = Annotated[Sequence[int] | None, several(whole(0, 2))]
SpeciesOf = Annotated[
    Sequence[str | int] | None,
    several(either(one(*_IRIS), Rule(whole(0, 2).words, lambda value: _IRIS[whole(0, 2).convert(value)]))),
]


@family
def digits_classes(
    classes: Digits = None,
    n: MaybeCount = None,
    standardize: Flag = False,
    intercept: Flag = False,
    test: Share = 0.0,
    seed: Seed = 0,
) -> Multiclass:
    """Handwritten digits of 8 x 8 pixels with values 0..16: all ten, or some of them.

    Rows in the order of the set. All ten are separable.

    Arguments
        classes      different digits, 0..9; None for all
        n            only the first n of the rows to train on; None for all (1797 of ten digits)
        standardize  each feature to mean 0 and variance 1 over all rows of these classes; constant features become 0
        intercept    append a column of ones
        test         share of the rows of each class that are not trained on but tested on, drawn at random
        seed         integer >= 0, of this draw

    Returns a ``Multiclass`` with X (n, 64), or (n, 65) with the intercept.

    Errors: ``InputError`` for unfit arguments, n beyond the set or without a row of some class, a test without rows,
    or scikit-learn missing.

    >>> digits_classes(classes=[1, 7, 9], test=0.25)
    Multiclass('digits_classes', n=405, d=64, k=3)

    Source: Alpaydin and Kaynak 1998, UCI Optical Recognition of Handwritten Digits, doi 10.24432/C50P49.
    """
    return _classes("digits", classes, n, standardize, intercept, test, seed)


@family
def iris_classes(
    classes: SpeciesOf = None,
    n: MaybeCount = None,
    standardize: Flag = False,
    intercept: Flag = False,
    test: Share = 0.0,
    seed: Seed = 0,
) -> Multiclass:
    """Iris flowers, four lengths in cm: all three species, which are not separable, or two of them.

    Rows in the order of the set, which is sorted by species. versicolor and virginica are not separable from each
    other, with an intercept neither, so all three are not.

    Arguments
        classes      different species, by name or by number: setosa 0, versicolor 1, virginica 2; None for all
        n            only the first n of the rows to train on; None for all (150 of three species)
        standardize  each feature to mean 0 and variance 1 over all rows of these classes
        intercept    append a column of ones
        test         share of the rows of each class that are not trained on but tested on, drawn at random
        seed         integer >= 0, of this draw

    Returns a ``Multiclass`` with X (n, 4), or (n, 5) with the intercept.

    Errors: ``InputError`` for unfit arguments, n beyond the set or without a row of some class, a test without rows,
    or scikit-learn missing.

    >>> iris_classes().classes
    ('setosa', 'versicolor', 'virginica')

    Source: Fisher 1936, UCI Iris, doi 10.24432/C56C76.
    """
    numbers = None if classes is None else tuple(_IRIS.index(str(name)) for name in classes)
    return _classes("iris", numbers, n, standardize, intercept, test, seed, np.array(_IRIS))


@family
def wine_classes(
    classes: Cultivars = None,
    n: MaybeCount = None,
    standardize: Flag = False,
    intercept: Flag = False,
    test: Share = 0.0,
    seed: Seed = 0,
) -> Multiclass:
    """Italian wines, 13 chemical measurements in mixed units: all three cultivars, or two of them.

    Rows in the order of the set, which is sorted by cultivar. All three are separable.

    Arguments
        classes      different cultivars, 0..2; None for all
        n            only the first n of the rows to train on; None for all (178 of three cultivars)
        standardize  each feature to mean 0 and variance 1 over all rows of these classes
        intercept    append a column of ones
        test         share of the rows of each class that are not trained on but tested on, drawn at random
        seed         integer >= 0, of this draw

    Returns a ``Multiclass`` with X (n, 13), or (n, 14) with the intercept.

    Errors: ``InputError`` for unfit arguments, n beyond the set or without a row of some class, a test without rows,
    or scikit-learn missing.

    >>> wine_classes(standardize=True)
    Multiclass('wine_classes', n=178, d=13, k=3)

    Source: Aeberhard and Forina 1992, UCI Wine, doi 10.24432/C5PC7J.
    """
    return _classes("wine", classes, n, standardize, intercept, test, seed)


def _classes(
    of: str,
    classes: Sequence[int] | None,
    n: int | None,
    standardize: bool,
    intercept: bool,
    test: float,
    seed: int,
    names: np.ndarray | None = None,
) -> Multiclass:
    name = f"{of}_classes"
    X, labels = load(of, name)
    if classes is not None:
        chosen = np.isin(labels, classes)
        X, labels = X[chosen], labels[chosen]
    # Statistics of all these rows, so that n and test only decide which of them are taken.
    X = prepared(X, standardize, intercept)
    labels = labels if names is None else names[labels]
    held = _held_out(labels, test, seed)
    if test and not held.any():
        raise InputError(f"{name}: test = {test} leaves no row to test on; give a larger share")
    tested = (X[held], labels[held]) if test else None
    X, labels = X[~held], labels[~held]
    least = 1 + max(int(np.argmax(labels == c)) for c in np.unique(labels))
    if n is not None and not least <= n <= len(labels):
        words = f"from {least} (the first rows lack a class) to {len(labels)}"
        raise InputError(f"{name}: n must be {words}, but is {n}")
    return Multiclass(X[:n], labels[:n], test=tested, name=name)


def _held_out(labels: np.ndarray, share: float, seed: int) -> np.ndarray:
    """(n,) which rows are tested on: of each class about this share, and never all."""
    rng, held = np.random.default_rng(seed), np.zeros(len(labels), bool)
    for c in np.unique(labels):
        rows = np.flatnonzero(labels == c)
        held[rng.permutation(rows)[: min(math.floor(share * len(rows) + 0.5), len(rows) - 1)]] = True
    return held

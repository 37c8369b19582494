"""Real data that come with scikit-learn: two classes of each set, nothing is downloaded."""

from typing import Annotated

import numpy as np

from implicitbias.errors import InputError
from implicitbias.geometry.features import prepared
from implicitbias.parameters import Flag, MaybeCount, either, family, one, whole
from implicitbias.problems import Problem

_IRIS = ("setosa", "versicolor", "virginica")

Digit = Annotated[int, whole(0, 9)]
Species = Annotated[str | int, either(one(*_IRIS), whole(0, 2))]
Cultivar = Annotated[int, whole(0, 2)]


@family
def digits(
    a: Digit = 0, b: Digit = 1, n: MaybeCount = None, standardize: Flag = False, intercept: Flag = False
) -> Problem:
    """Handwritten digits of 8 x 8 pixels with values 0..16: digit a (label +1) against digit b (label -1).

    a_i = y_i x_i, rows in the order of the set.

    Arguments
        a, b         two different digits, 0..9
        n            only the first n rows of the pair; None for all (about 360)
        standardize  each feature to mean 0 and variance 1 over the whole pair; constant features become 0
        intercept    append a column of ones to x

    Returns a ``Problem`` with rows (n, 64), or (n, 65) with the intercept.

    Errors: ``InputError`` for unfit arguments, n beyond the pair or inside one class, or scikit-learn missing.

    >>> digits(3, 8)
    Problem('digits', n=357, d=64)

    Source: Alpaydin and Kaynak 1998, UCI Optical Recognition of Handwritten Digits, doi 10.24432/C50P49.
    """
    return _pair("digits", a, b, n, standardize, intercept)


@family
def iris(
    a: Species = "setosa",
    b: Species = "versicolor",
    n: MaybeCount = None,
    standardize: Flag = False,
    intercept: Flag = False,
) -> Problem:
    """Iris flowers, four lengths in cm: species a (label +1) against species b (label -1).

    a_i = y_i x_i, rows in the order of the set, which is sorted by species. setosa is separable from the others;
    versicolor and virginica are not separable.

    Arguments
        a, b         two different species, by name or by number: setosa 0, versicolor 1, virginica 2
        n            only the first n rows of the pair; None for all 100
        standardize  each feature to mean 0 and variance 1 over the whole pair
        intercept    append a column of ones to x

    Returns a ``Problem`` with rows (n, 4), or (n, 5) with the intercept.

    Errors: ``InputError`` for unfit arguments, n beyond the pair or inside one class, or scikit-learn missing.

    >>> iris("setosa", "virginica")
    Problem('iris', n=100, d=4)

    Source: Fisher 1936, UCI Iris, doi 10.24432/C56C76.
    """
    a, b = (_IRIS.index(c) if c in _IRIS else c for c in (a, b))
    return _pair("iris", a, b, n, standardize, intercept)


@family
def breast_cancer(n: MaybeCount = None, standardize: Flag = False, intercept: Flag = False) -> Problem:
    """Tumours, 30 features of cell nuclei: malignant (label +1) against benign (label -1).

    a_i = y_i x_i, rows in the order of the set.

    Arguments
        n            only the first n rows; None for all 569
        standardize  each feature to mean 0 and variance 1 over the whole set
        intercept    append a column of ones to x

    Returns a ``Problem`` with rows (n, 30), or (n, 31) with the intercept.

    Errors: ``InputError`` for unfit arguments, n beyond the set or inside one class, or scikit-learn missing.

    >>> breast_cancer(standardize=True, intercept=True)
    Problem('breast_cancer', n=569, d=31)

    Source: Wolberg et al. 1993, UCI Breast Cancer Wisconsin (Diagnostic), doi 10.24432/C5DW2B.
    """
    return _pair("breast_cancer", 0, 1, n, standardize, intercept)


@family
def wine(
    a: Cultivar = 0, b: Cultivar = 1, n: MaybeCount = None, standardize: Flag = False, intercept: Flag = False
) -> Problem:
    """Italian wines, 13 chemical measurements in mixed units: cultivar a (label +1) against cultivar b (label -1).

    a_i = y_i x_i, rows in the order of the set, which is sorted by cultivar.

    Arguments
        a, b         two different cultivars, 0..2
        n            only the first n rows of the pair; None for all
        standardize  each feature to mean 0 and variance 1 over the whole pair
        intercept    append a column of ones to x

    Returns a ``Problem`` with rows (n, 13), or (n, 14) with the intercept.

    Errors: ``InputError`` for unfit arguments, n beyond the pair or inside one class, or scikit-learn missing.

    >>> wine(0, 2)
    Problem('wine', n=107, d=13)

    Source: Aeberhard and Forina 1992, UCI Wine, doi 10.24432/C5PC7J.
    """
    return _pair("wine", a, b, n, standardize, intercept)


def _pair(name: str, a: int, b: int, n: int | None, standardize: bool, intercept: bool) -> Problem:
    if a == b:
        raise InputError(f"{name}: a and b must be two different classes, but both are {a}")
    X, target = load(name, name)
    pair = (target == a) | (target == b)
    X, y = X[pair], np.where(target[pair] == a, 1, -1)
    # Statistics of the whole pair, so that n only decides how many of the rows are taken.
    X = prepared(X, standardize, intercept)
    least = 1 + int(np.argmax(y != y[0]))
    if n is not None and not least <= n <= len(y):
        raise InputError(f"{name}: n must be from {least} (the first rows are one class) to {len(y)}, but is {n}")
    return Problem(X[:n], y[:n], name=name)


def load(name: str, caller: str) -> tuple[np.ndarray, np.ndarray]:
    """The features (n, d) and the numbers of the classes (n,) of a set. Errors: ``InputError`` without scikit-learn."""
    try:
        from sklearn import datasets
    except ImportError:
        raise InputError(f"{caller}: this set comes with scikit-learn: pip install 'implicitbias[data]'") from None
    X, target = getattr(datasets, f"load_{name}")(return_X_y=True)
    return np.asarray(X, dtype=np.float64), target

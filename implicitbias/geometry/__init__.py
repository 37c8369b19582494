"""Data sets by shape: each family is a function (parameters, seed) -> Problem, or Multiclass for k classes.

One seed gives one data set on every machine, and raising n, or the rows of each class, keeps the first rows. What real
sets have of k classes is in a family of its own, called NAME_classes.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from implicitbias.errors import InputError, one_of
from implicitbias.geometry.bundled import breast_cancer, digits, iris, wine
from implicitbias.geometry.bundled_classes import digits_classes, iris_classes, wine_classes
from implicitbias.geometry.class_means import class_means, zipf
from implicitbias.geometry.clusters import clusters, imbalanced
from implicitbias.geometry.correlated import correlated
from implicitbias.geometry.files import from_file
from implicitbias.geometry.gaussian import gaussian
from implicitbias.geometry.gaussian_labels import gaussian_labels
from implicitbias.geometry.heavy_tailed import heavy_tailed
from implicitbias.geometry.opposed_pair import opposed_pair
from implicitbias.geometry.power_law import power_law
from implicitbias.geometry.rotation import rotate_by
from implicitbias.geometry.scaled_rademacher import scaled_rademacher, scaled_rademacher_reference
from implicitbias.geometry.shifted_diagonal import shifted_diagonal
from implicitbias.geometry.sparse import sparse
from implicitbias.geometry.weak_features import weak_features
from implicitbias.objectives.logistic import noisy_logistic
from implicitbias.objectives.river import river
from implicitbias.objectives.single_neuron import single_neuron
from implicitbias.objectives.two_layer_scalar import two_layer_scalar
from implicitbias.objectives.valley import valley
from implicitbias.parameters import COUNT, SEED, converted
from implicitbias.problems import AnyProblem

# The families under the names that study files use.
FAMILIES: dict[str, Callable[..., AnyProblem]] = {
    "gaussian": gaussian,
    "scaled_rademacher": scaled_rademacher,
    "scaled_rademacher_reference": scaled_rademacher_reference,
    "shifted_diagonal": shifted_diagonal,
    "opposed_pair": opposed_pair,
    "clusters": clusters,
    "imbalanced": imbalanced,
    "power_law": power_law,
    "correlated": correlated,
    "sparse": sparse,
    "heavy_tailed": heavy_tailed,
    "weak_features": weak_features,
    "digits": digits,
    "iris": iris,
    "breast_cancer": breast_cancer,
    "wine": wine,
    "class_means": class_means,
    "zipf": zipf,
    "gaussian_labels": gaussian_labels,
    "digits_classes": digits_classes,
    "iris_classes": iris_classes,
    "wine_classes": wine_classes,
    "file": from_file,
    "two_layer_scalar": two_layer_scalar,
    "single_neuron": single_neuron,
    "noisy_logistic": noisy_logistic,
    "river": river,
    "valley": valley,
}

__all__ = [
    "FAMILIES", "breast_cancer", "class_means", "clusters", "correlated", "digits", "digits_classes",
    "from_file", "gaussian", "gaussian_labels", "heavy_tailed", "imbalanced", "iris", "iris_classes", "make",
    "opposed_pair", "power_law", "rotation", "scaled_rademacher", "scaled_rademacher_reference",
    "shifted_diagonal", "sparse", "weak_features", "wine", "wine_classes", "zipf",
]  # fmt: skip


def __dir__() -> list[str]:
    return __all__


def make(kind: str, /, **params: Any) -> AnyProblem:
    """The data of a family by its name.

    Arguments
        kind    a name in ``FAMILIES``
        params  the arguments of that family

    Returns what ``FAMILIES[kind](**params)`` returns.

    Errors: ``InputError`` for an unknown kind, with the nearest right one, or with every unknown, missing or unfit
    parameter.

    >>> make("gaussian", n=3, d=2, seed=1)
    Problem('gaussian', n=3, d=2)
    """
    if not isinstance(kind, str) or kind not in FAMILIES:
        raise InputError(one_of(kind, "data family", FAMILIES))
    return FAMILIES[kind](**params)


def rotation(d: int, seed: int) -> np.ndarray:
    """The orthogonal matrix that `rotate = seed` multiplies the rows of a data family by.

    The rows become a_i Q, so that the margins of Q^T w on them are those of w before.

    Arguments
        d     number of features, an integer >= 1
        seed  integer >= 0

    Returns Q (d, d), uniform on the orthogonal group.

    Errors: ``InputError`` listing every unfit argument.

    >>> plain, rotated = gaussian(n=2, d=3), gaussian(n=2, d=3, rotate=5)
    >>> bool(np.allclose(rotated.rows, plain.rows @ rotation(3, seed=5)))
    True

    Source: uniform rotation by Householder reflections, Stewart 1980, doi 10.1137/0717034.
    """
    params = converted("rotation", {"d": COUNT, "seed": SEED}, {"d": d, "seed": seed})
    return rotate_by(np.eye(params["d"]), params["seed"])

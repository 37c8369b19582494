"""Data sets by shape: each family is a function (parameters, seed) -> Problem.

One seed gives one data set on every machine, and raising n keeps the first rows.
"""

from collections.abc import Callable
from typing import Any

from implicitbias.errors import InputError, one_of
from implicitbias.geometry.bundled import breast_cancer, digits, iris, wine
from implicitbias.geometry.clusters import clusters, imbalanced
from implicitbias.geometry.correlated import correlated
from implicitbias.geometry.files import from_file
from implicitbias.geometry.gaussian import gaussian
from implicitbias.geometry.heavy_tailed import heavy_tailed
from implicitbias.geometry.power_law import power_law
from implicitbias.geometry.scaled_rademacher import scaled_rademacher, scaled_rademacher_reference
from implicitbias.geometry.shifted_diagonal import shifted_diagonal
from implicitbias.geometry.sparse import sparse
from implicitbias.problem import Problem

# The families under the names that study files use.
FAMILIES: dict[str, Callable[..., Problem]] = {
    "gaussian": gaussian,
    "scaled_rademacher": scaled_rademacher,
    "scaled_rademacher_reference": scaled_rademacher_reference,
    "shifted_diagonal": shifted_diagonal,
    "clusters": clusters,
    "imbalanced": imbalanced,
    "power_law": power_law,
    "correlated": correlated,
    "sparse": sparse,
    "heavy_tailed": heavy_tailed,
    "digits": digits,
    "iris": iris,
    "breast_cancer": breast_cancer,
    "wine": wine,
    "file": from_file,
}

__all__ = [
    "FAMILIES", "breast_cancer", "clusters", "correlated", "digits", "from_file", "gaussian", "heavy_tailed",
    "imbalanced", "iris", "make", "power_law", "scaled_rademacher", "scaled_rademacher_reference", "shifted_diagonal",
    "sparse", "wine",
]  # fmt: skip


def __dir__() -> list[str]:
    return __all__


def make(kind: str, /, **params: Any) -> Problem:
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

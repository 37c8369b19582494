"""The norms a margin can be measured in, one file each (`base.Norm` says what such a file has)."""

from collections.abc import Sequence
from functools import cache
from numbers import Real
from typing import Any, TypeAlias

import numpy as np

from implicitbias.errors import InputError, one_of
from implicitbias.margins.norms.base import Norm
from implicitbias.registry import entries

NormLike: TypeAlias = str | float | Sequence[Any]  # what `norm_of` takes


@cache
def norms() -> dict[str, type[Norm]]:
    """Every norm, under its name."""
    return entries(__name__, __path__, "NORM")


def norm_of(given: NormLike, d: int) -> Norm:
    """The norm on R^d that is asked for.

    Arguments
        given  a name, or a pair (name, parameter) as a tuple or list; 1, 2 and inf are names too
        d      number of coordinates

    Errors: ``InputError`` with every mistake of the parameter.

    >>> norm_of(["lp", 3], d=2).key, norm_of(("lp", 2), d=2).key, norm_of(("mahalanobis", [1, 4]), d=2).key
    (('lp', 3.0), 'l2', ('mahalanobis', (1.0, 4.0)))
    """
    if isinstance(given, Real) and given in (1, 2, np.inf) and not isinstance(given, bool):
        return norms()["lp"].of(given, d)
    if isinstance(given, str):
        kind = _kind(given)
        if kind.takes():
            needed = " or ".join(f'("{name}", {kind.takes()})' for name, kind in norms().items() if kind.takes())
            raise InputError(f"norm {given!r} needs its parameter: write {needed}")
        return kind()
    if not isinstance(given, Sequence) or len(given) != 2 or not isinstance(given[0], str):
        raise InputError(f'a norm is a name or a pair such as ("lp", 3), but got {given!r}')
    name, parameter = given
    return _kind(name).of(parameter, d)


def _kind(name: str) -> type[Norm]:
    if name not in norms():
        raise InputError(one_of(name, "norm", norms()))
    return norms()[name]


def named() -> dict[str, Norm]:
    """The norms without a parameter: those that tables may have columns of."""
    return {name: kind() for name, kind in norms().items() if not kind.takes()}


def usual() -> tuple[str, ...]:
    """The norms of a table that asks for none."""
    return tuple(name for name, norm in named().items() if norm.usual)


def measurable(name: str) -> str:
    """The name of a norm that tables may have columns of. Errors: ``InputError``."""
    if name not in named():
        raise InputError(one_of(name, "norm", named()))
    return name


def followed(among: Sequence[str]) -> list[str]:
    """Which norms of a table its report follows: those that were asked for, or those that theorems lead to."""
    return list(among) if set(among) != set(usual()) else [name for name in among if norms()[name].followed]

"""The norms a margin can be measured in, one file each (`base.Norm` says what such a file has)."""

import re
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
        given  a name, or a pair (name, parameter) as a tuple or list; 1, 2 and inf are names too, and so are "l3",
               "l1.5" and the like for ("lp", 3), ("lp", 1.5)
        d      number of coordinates

    Errors: ``InputError`` with every mistake of the parameter.

    >>> norm_of(["lp", 3], d=2).key, norm_of(("lp", 2), d=2).key, norm_of(("mahalanobis", [1, 4]), d=2).key
    (('lp', 3.0), 'l2', ('mahalanobis', (1.0, 4.0)))
    >>> norm_of("l1.5", d=2).key
    ('lp', 1.5)
    """
    if isinstance(given, Real) and given in (1, 2, np.inf) and not isinstance(given, bool):
        return norms()["lp"].of(given, d)
    if isinstance(given, str):
        if given not in norms() and _exponent(given):
            return norms()["lp"].of(_exponent(given), d)
        kind = _kind(given)
        if kind.takes():
            needed = " or ".join(f'("{name}", {kind.takes()})' for name, kind in norms().items() if kind.takes())
            raise InputError(f"norm {given!r} needs its parameter: write {needed}")
        return kind()
    if not isinstance(given, Sequence) or len(given) != 2 or not isinstance(given[0], str):
        raise InputError(f'a norm is a name or a pair such as ("lp", 3), but got {given!r}')
    name, parameter = given
    return _kind(name).of(parameter, d)


def _exponent(name: str) -> float:
    """The p > 1 of a name such as "l3" or "l1.5"; 0 if it is none, or not written in the shortest way."""
    found = float(name[1:]) if re.fullmatch(r"l\d+(\.\d+)?", name) else 0.0
    return found if found > 1.0 and name == _shortest(found) else 0.0


def _shortest(p: float) -> str:
    return f"l{np.format_float_positional(p, trim='-')}"


def _unknown(name: str) -> str:
    """The sentence for a norm that is none, with the way to write one of l_p."""
    try:
        p = float(name.removeprefix("l").removeprefix("_"))
    except ValueError:
        return one_of(name, "norm", norms())
    if name.startswith("l") and 1.0 < p < np.inf:
        return f"unknown norm {name!r}; that of l_p with p = {p:g} is {_shortest(p)!r}"
    return f"{one_of(name, 'norm', norms())}, or such as 'l3' for p > 1"


def _kind(name: str) -> type[Norm]:
    if name not in norms():
        raise InputError(_unknown(name))
    return norms()[name]


def named() -> dict[str, Norm]:
    """The norms without a parameter: those that tables may have columns of."""
    return {name: kind() for name, kind in norms().items() if not kind.takes()}


def usual() -> tuple[str, ...]:
    """The norms of a table that asks for none."""
    return tuple(name for name, norm in named().items() if norm.usual)


def measurable(name: str) -> str:
    """The name of a norm that tables may have columns of: one without a parameter, or one such as "l1.5". Errors:
    ``InputError``."""
    if name not in named() and not _exponent(name):
        raise InputError(_unknown(name) if name not in norms() else one_of(name, "norm", named()))
    return name


def followed(among: Sequence[str]) -> list[str]:
    """Which norms of a table its report follows: those that were asked for, or those that theorems lead to."""
    return list(among) if set(among) != set(usual()) else [name for name in among if norms()[name].followed]

"""The norms a margin can be measured in, one file each (`base.Norm` says what such a file has)."""

import re
from collections.abc import Sequence
from functools import cache
from numbers import Real
from typing import Any, TypeAlias

import numpy as np

from implicitbias.errors import InputError, one_of
from implicitbias.margins.norms.base import Norm
from implicitbias.margins.norms.blocks import NAME, Blocks
from implicitbias.registry import entries

# Names with a parameter in them, as part of the name of a column.
WITH_PARAMETER = rf"ky_fan\d+|{NAME}|l\d+(?:\.\d+)?"
NormLike: TypeAlias = str | float | Sequence[Any]  # what `norm_of` takes


@cache
def norms() -> dict[str, type[Norm]]:
    """Every norm, under its name."""
    return entries(__name__, __path__, "NORM")


def fitting(matrices: bool = False) -> dict[str, type[Norm]]:
    """The norms of vectors, which fit a ``Problem``; or those of matrices, which fit a ``Multiclass``."""
    return {name: kind for name, kind in norms().items() if (kind.matrices if matrices else kind.vectors)}


def norm_of(given: NormLike, shape: int | tuple[int, ...]) -> Norm:
    """The norm that is asked for, of weights of a shape.

    Arguments
        given  a name, or a pair (name, parameter) as a tuple or list; 1, 2 and inf are names too, and so are "l3",
               "l1.5" and the like for ("lp", 3), ("lp", 1.5), "ky_fan2" for ("ky_fan", 2), and "spectral8_max" for
               ("blocks", ("spectral", 8, "max"))
        shape  (d,) or d, the weights of a ``Problem``; or (k, d), those of a ``Multiclass``

    Errors: ``InputError`` with every mistake of the parameter, or for a norm that does not fit the shape.

    >>> norm_of(["lp", 3], 2).key, norm_of(("lp", 2), 2).key, norm_of(("mahalanobis", [1, 4]), 2).key
    (('lp', 3.0), 'l2', ('mahalanobis', (1.0, 4.0)))
    >>> norm_of("l1.5", 2).key, norm_of(2, (3, 5)).key, norm_of("ky_fan2", (3, 5)).key
    (('lp', 1.5), 'frobenius', ('ky_fan', 2))
    """
    shape = shape if isinstance(shape, tuple) else (shape,)
    matrices = len(shape) == 2
    if isinstance(given, Real) and given in (1, 2, np.inf) and not isinstance(given, bool):
        return norms()["lp"].of(given, shape)
    if isinstance(given, str):
        if given not in norms() and (pair := _pair(given)):
            return _kind(pair[0], matrices).of(pair[1], shape)
        kind = _kind(given, matrices)
        if kind.takes():
            known = fitting(matrices).items()
            needed = " or ".join(f'("{name}", {kind.takes()})' for name, kind in known if kind.takes())
            raise InputError(f"norm {given!r} needs its parameter: write {needed}")
        return kind()
    if not isinstance(given, Sequence) or len(given) != 2 or not isinstance(given[0], str):
        raise InputError(f'a norm is a name or a pair such as ("lp", 3), but got {given!r}')
    name, parameter = given
    return _kind(name, matrices).of(parameter, shape)


def _pair(name: str) -> tuple[str, Any] | None:
    """(name, parameter) of a norm whose parameter is part of a name, such as "l1.5", "ky_fan2" or "spectral8_max"."""
    if found := re.fullmatch(r"ky_fan([1-9]\d*)", name):
        return "ky_fan", int(found[1])
    if parts := Blocks.pair(name):
        return "blocks", parts
    return ("lp", _exponent(name)) if _exponent(name) else None


def _exponent(name: str) -> float:
    """The p > 1 of a name such as "l3" or "l1.5"; 0 if it is none, or not written in the shortest way."""
    found = float(name[1:]) if re.fullmatch(r"l\d+(\.\d+)?", name) else 0.0
    return found if found > 1.0 and name == _shortest(found) else 0.0


def _shortest(p: float) -> str:
    return f"l{np.format_float_positional(p, trim='-')}"


def _unknown(name: str, matrices: bool) -> str:
    """The sentence for a norm that is none, with the way to write one of l_p."""
    known = fitting(matrices)
    try:
        p = float(name.removeprefix("l").removeprefix("_"))
    except ValueError:
        return one_of(name, "norm", known)
    if name.startswith("l") and 1.0 < p < np.inf:
        return f"unknown norm {name!r}; that of l_p with p = {p:g} is {_shortest(p)!r}"
    return f"{one_of(name, 'norm', known)}, or such as 'l3' for p > 1"


def _kind(name: str, matrices: bool) -> type[Norm]:
    """The norm of a name. Errors: ``InputError`` if there is none, or if it is of the other kind."""
    kind = norms().get(name)
    if kind is None:
        raise InputError(_unknown(name, matrices))
    if name not in fitting(matrices):
        of, asked = ("vectors", "a Multiclass") if matrices else ("matrices", "a binary Problem")
        raise InputError(f"{name!r} is a norm of {of}; of {asked} ask for {kind.instead!r}")
    return kind


def named(matrices: bool = False) -> dict[str, Norm]:
    """The norms without a parameter: those that tables may have columns of."""
    return {name: kind() for name, kind in fitting(matrices).items() if not kind.takes()}


def usual(matrices: bool = False) -> tuple[str, ...]:
    """The norms of a table that asks for none."""
    return tuple(name for name, norm in named(matrices).items() if norm.usual and norm.vectors != matrices)


def measurable(name: str, matrices: bool = False) -> str:
    """The name of a norm that tables may have columns of: one without a parameter, or one such as "l1.5" or "ky_fan2".
    Errors: ``InputError``."""
    kind = _kind((_pair(name) or (name,))[0] if name not in norms() else name, matrices)
    if name == kind.name and kind.takes():
        raise InputError(one_of(name, "norm", named(matrices)))
    return name


def followed(among: Sequence[str], matrices: bool = False) -> list[str]:
    """Which norms of a table its report follows: those that were asked for, or those that theorems lead to."""
    everything = set(among) == set(usual(matrices))
    return [name for name in among if norms()[name].followed] if everything else list(among)

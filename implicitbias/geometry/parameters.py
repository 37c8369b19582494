"""What the parameters of a data family may be: annotations that are checked at every call, all mistakes at once."""

import functools
import inspect
import math
import operator
import os
import reprlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Annotated, Any, ParamSpec, get_type_hints

import numpy as np

from implicitbias.errors import InputError, one_of
from implicitbias.problem import MOST_ENTRIES, Problem

P = ParamSpec("P")


@dataclass(frozen=True)
class Rule:
    """``words`` completes the sentence "n must be ..."; ``convert`` raises for a value that is not that.

    A list that a study gives is an axis, but one value of a parameter with ``many``. One with ``brief`` is noted only
    where it is given, so that data sets keep the parameters they had before it came.
    """

    words: str
    convert: Callable[[Any], Any]
    many: bool = False
    brief: bool = False


def whole(low: int, high: float = math.inf) -> Rule:
    """Integers from low to high, numpy's included; True and 5.0 are none."""

    def convert(value):
        if isinstance(value, (bool, np.bool_)):
            raise TypeError
        value = operator.index(value)
        if not low <= value <= high:
            raise ValueError
        return value

    return Rule(f"an integer >= {low}" if high == math.inf else f"an integer from {low} to {high}", convert)


def real(words: str, fits: Callable[[float], bool]) -> Rule:
    """Finite numbers for which ``fits`` is true."""

    def convert(value):
        if isinstance(value, bool) or not isinstance(value, Real):
            raise TypeError
        value = float(value)
        if not (math.isfinite(value) and fits(value)):
            raise ValueError
        return value

    return Rule(words, convert)


def either(*rules: Rule, none: bool = False) -> Rule:
    """What fits the first rule that takes it; or None."""

    def convert(value):
        if none and value is None:
            return None
        for rule in rules:
            try:
                return rule.convert(value)
            except (TypeError, ValueError, OverflowError):
                continue
        raise ValueError

    return Rule(" or ".join([rule.words for rule in rules] + ["None"] * none), convert)


def one(*choices: str) -> Rule:
    """One of a few words."""
    return Rule("one of " + ", ".join(map(repr, choices)), lambda value: choices[choices.index(value)])


def _flag(value):
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError
    return bool(value)


def _text(value):
    if not isinstance(value, str):
        raise TypeError
    return str(value)


def _path(value):
    return _text(os.fspath(value))


def _numbers(value):
    if isinstance(value, (str, bytes)):
        raise TypeError
    value = tuple(map(_NUMBER.convert, value))
    if not value:
        raise ValueError
    return value


def _columns(value):
    return tuple(_COLUMN.convert(x) for x in ([value] if isinstance(value, (str, int)) else value)) or None


_NUMBER = real("a finite number", lambda value: True)
_FLAG = Rule("True or False", _flag)
_INDEX = Rule("an index", whole(-(2**63)).convert)
_COLUMN = either(Rule("a column name", _text), _INDEX)

Count = Annotated[int, whole(1)]
MaybeCount = Annotated[int | None, either(whole(1), none=True)]
Seed = Annotated[int, whole(0, 2**63 - 1)]  # the tables keep it as int64
Number = Annotated[float, _NUMBER]
Positive = Annotated[float, real("a finite number > 0", lambda value: value > 0)]
NotNegative = Annotated[float, real("a finite number >= 0", lambda value: value >= 0)]
Correlation = Annotated[float, real("a number between -1 and 1, both excluded", lambda value: -1 < value < 1)]
Minority = Annotated[float, real("a number > 0 and <= 0.5", lambda value: 0 < value <= 0.5)]
Numbers = Annotated[Sequence[float], Rule("a list of one or more finite numbers", _numbers, many=True)]
Flag = Annotated[bool, _FLAG]
FilePath = Annotated[str | os.PathLike[str], Rule("the path of a file", _path)]
Columns = Annotated[
    str | int | Sequence[str | int] | None,
    Rule("a column name or an index, a list of them, or None",
         either(Rule("", _columns), none=True).convert, many=True, brief=True),
]  # fmt: skip
MaybeFlag = Annotated[bool | None, Rule("True, False or None", either(_FLAG, none=True).convert, brief=True)]
Delimiter = Annotated[
    str | None,
    Rule("',', ';', '|', 'tab', 'space' or None",
         either(one(",", ";", "|", "\t", " ", "tab", "space"), none=True).convert, brief=True),
]  # fmt: skip
Decimal = Annotated[str | None, Rule("'.', ',' or None", either(one(".", ","), none=True).convert, brief=True)]
Column = Annotated[str | int | None, either(Rule("a column name", _text), _INDEX, none=True)]
Label = Annotated[
    str | float | None,
    Rule(
        "a label (text or a finite number) or None", either(Rule("", _text), _FLAG, _INDEX, _NUMBER, none=True).convert
    ),
]


def family(function: Callable[P, Problem]) -> Callable[P, Problem]:
    """Checks the arguments of a data family by its annotations, and notes them in the problem's params. Its signature
    has the plain types.

    Errors: ``InputError`` with every unknown, missing or unfit argument.
    """
    signature = inspect.signature(function)
    hints = get_type_hints(function, include_extras=True)
    rules = {name: hints[name].__metadata__[0] for name in signature.parameters}

    plain = get_type_hints(function)

    @functools.wraps(function)
    def checked(*args, **kwargs):
        known = {name: value for name, value in kwargs.items() if name in rules}
        given = signature.bind_partial(*args, **known)
        given.apply_defaults()
        params, mistakes = {}, []
        for name in [name for name in kwargs if rules and name not in rules]:
            mistakes.append(one_of(name, "parameter", rules))
        if kwargs and not rules:
            mistakes.append(f"takes no parameters, but got {', '.join(map(repr, kwargs))}")
        for name, rule in rules.items():
            if name not in given.arguments:
                mistakes.append(f"parameter {name!r} is missing; it must be {rule.words}")
                continue
            value = given.arguments[name]
            try:
                params[name] = rule.convert(value)
            except (TypeError, ValueError, OverflowError):
                mistakes.append(f"{name} must be {rule.words}, but is {reprlib.repr(value)}")
        if not mistakes and (params.get("n") or 1) * params.get("d", 1) > MOST_ENTRIES:
            mistakes.append(f"n * d must be at most {MOST_ENTRIES} (2 GiB), but is {params['n'] * params['d']}")
        if mistakes:
            raise InputError(f"{function.__name__}: {mistake}" for mistake in mistakes)
        # Overflow shows as infinite rows, which Problem refuses in a sentence; a warning on top would say less.
        with np.errstate(over="ignore", invalid="ignore"):
            problem = function(**params)
        problem.params = {name: value for name, value in params.items() if value is not None or not rules[name].brief}
        return problem

    checked.many = frozenset(name for name, rule in rules.items() if rule.many)  # type: ignore[attr-defined]
    checked.__annotations__ = plain
    parameters = [item.replace(annotation=plain[name]) for name, item in signature.parameters.items()]
    returns = plain.get("return", Problem)
    checked.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=parameters, return_annotation=returns
    )
    return checked

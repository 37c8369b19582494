"""What the parameters of a data family may be: annotations that are checked at every call, all mistakes at once."""

import functools
import inspect
import math
import operator
import os
import reprlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from numbers import Real
from typing import Annotated, Any, Literal, ParamSpec, Protocol, TypeVar, get_type_hints, overload

import numpy as np

from implicitbias.errors import InputError, one_of
from implicitbias.problems import AnyProblem, Multiclass, Problem
from implicitbias.problems.arrays import MOST_ENTRIES

P = ParamSpec("P")
R = TypeVar("R", bound=AnyProblem, covariant=True)


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


def several(rule: Rule) -> Rule:
    """Lists of two or more different values that fit a rule; or None."""

    def convert(value):
        if value is None:
            return None
        if isinstance(value, (str, bytes)):
            raise TypeError
        found = tuple(map(rule.convert, value))
        if len(found) < 2 or len(set(found)) < len(found):
            raise ValueError
        return found

    return Rule(f"a list of two or more different classes (each {rule.words}) or None", convert, many=True)


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
POSITIVE = real("a finite number > 0", lambda value: value > 0)
_NOT_NEGATIVE = real("a finite number >= 0", lambda value: value >= 0)
_MINORITY = real("a number > 0 and <= 0.5", lambda value: 0 < value <= 0.5)
_FLAG = Rule("True or False", _flag)
_INDEX = Rule("an index", whole(-(2**63)).convert)
_COLUMN = either(Rule("a column name", _text), _INDEX)
COUNT = whole(1)
SEED = whole(0, 2**63 - 1)  # the tables keep it as int64

Count = Annotated[int, COUNT]
CountFromZero = Annotated[int, whole(0)]
ClassCount = Annotated[int, whole(2)]
MaybeCount = Annotated[int | None, either(whole(1), none=True)]
Seed = Annotated[int, SEED]
MaybeSeed = Annotated[int | None, Rule(f"{SEED.words} or None", either(SEED, none=True).convert, brief=True)]
Number = Annotated[float, _NUMBER]
Positive = Annotated[float, POSITIVE]
PositiveOrUnit = Annotated[float | str, either(POSITIVE, one("unit"))]
NotNegative = Annotated[float, _NOT_NEGATIVE]
MaybeNotNegative = Annotated[float | None, either(_NOT_NEGATIVE, none=True)]
Correlation = Annotated[float, real("a number between -1 and 1, both excluded", lambda value: -1 < value < 1)]
Minority = Annotated[float, _MINORITY]
Share = Annotated[float, real("a number >= 0 and < 1", lambda value: 0 <= value < 1)]
Numbers = Annotated[Sequence[float], Rule("a list of one or more finite numbers", _numbers, many=True)]
Flag = Annotated[bool, _FLAG]
FlagOrSeed = Annotated[bool | int, either(_FLAG, SEED)]
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


def converted(where: str, rules: dict[str, Rule], given: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a function as their rules make them. Errors: ``InputError`` with every unknown, missing or unfit
    one."""
    params, mistakes = {}, [one_of(name, "parameter", rules) for name in given if name not in rules]
    for name, rule in rules.items():
        if name not in given:
            mistakes.append(f"parameter {name!r} is missing; it must be {rule.words}")
            continue
        try:
            params[name] = rule.convert(given[name])
        except (TypeError, ValueError, OverflowError):
            mistakes.append(f"{name} must be {rule.words}, but is {reprlib.repr(given[name])}")
    if mistakes:
        raise InputError(f"{where}: {mistake}" for mistake in mistakes)
    return params


class Family(Protocol[P, R]):
    """A data family: its own parameters, and rotate; and files, which hold two classes or more."""

    __name__: str
    many: frozenset[str]

    @overload
    def __call__(self, *args: Any, multiclass: Literal[True], **kwargs: Any) -> Multiclass: ...
    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R: ...
    @overload
    def __call__(self, *args: Any, rotate: int | None, **kwargs: Any) -> R: ...


_ROTATE = inspect.Parameter("rotate", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=int | None)
_SHARED = {
    _ROTATE: MaybeSeed.__metadata__[0],
    inspect.Parameter("model", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=str | None):
        Rule("'diagonal', 'two_layer' or None", either(one("diagonal", "two_layer"), none=True).convert, brief=True),
    **{
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind | None): replace(
            either(rule, none=True), brief=True
        )
        for name, kind, rule in (
            ("depth", int, COUNT), ("layout", str, one("signed", "product")), ("width", int, COUNT),
            ("init", int, SEED), ("start", float, POSITIVE),
        )
    },
    inspect.Parameter("smoothing", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=float | None):
        replace(either(_MINORITY, none=True), brief=True),
    inspect.Parameter("ridge", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=float | None):
        replace(either(POSITIVE, none=True), brief=True),
}  # fmt: skip
_ABOUT_SHARED = """
    With rotate = SEED, an integer >= 0, the rows are multiplied by the random orthogonal matrix ``rotation(d, SEED)``.
    Of two classes, smoothing = a in (0, 1/2] and ridge = r > 0 make it an ``Objective`` that has a minimum, the mean of
    (1 - a) l(z) + a l(-z), plus r ||w||^2/2, with the logistic loss l. With model = "diagonal" (depth, start, layout)
    or "two_layer" (width, start, init) the predictor is that of a network, `implicitbias.models`.

    Returns"""


def objective(function: Callable[P, R]) -> Family[P, R]:
    """The same for an objective, which has no rows to rotate."""
    return family(function, False)


def family(function: Callable[P, R], of_rows: bool = True) -> Family[P, R]:
    """Checks the arguments of a data family by its annotations, and notes them in the problem's params. Its signature
    has the plain types. A family of rows without parameters of its own of these names has those that all others share.

    Errors: ``InputError`` with every unknown, missing or unfit argument.
    """
    signature = inspect.signature(function)
    hints, plain = get_type_hints(function, include_extras=True), get_type_hints(function)
    rules = {name: hints[name].__metadata__[0] for name in signature.parameters}
    parameters = [item.replace(annotation=plain[name]) for name, item in signature.parameters.items()]
    shared = {item.name: rule for item, rule in _SHARED.items() if of_rows and item.name not in rules}
    if shared:
        rules |= shared
        parameters += [item for item in _SHARED if item.name in shared]
        plain = {**{item.name: item.annotation for item in parameters}, "return": plain["return"]}
    signature = signature.replace(parameters=parameters, return_annotation=plain["return"])

    @functools.wraps(function)
    def checked(*args, **kwargs):
        known = {name: value for name, value in kwargs.items() if name in rules}
        given = signature.bind_partial(*args, **known)
        given.apply_defaults()
        params = converted(function.__name__, rules, {**given.arguments, **kwargs})
        if (params.get("n") or 1) * params.get("d", 1) > MOST_ENTRIES:
            size = params["n"] * params["d"]
            raise InputError(f"{function.__name__}: n * d must be at most {MOST_ENTRIES} (2 GiB), but is {size}")
        # Overflow shows as infinite rows, which Problem refuses in a sentence; a warning on top would say less.
        with np.errstate(over="ignore", invalid="ignore"):
            problem = function(**{name: value for name, value in params.items() if name not in shared})
            if "rotate" in shared and params["rotate"] is not None:
                problem = _rotated(problem, params["rotate"])
        if shared:
            problem = _otherwise(function.__name__, problem, params)
        problem.params = {name: value for name, value in params.items() if value is not None or not rules[name].brief}
        return problem

    checked.many = frozenset(name for name, rule in rules.items() if rule.many)  # type: ignore[attr-defined]
    checked.__annotations__ = plain
    checked.__signature__ = signature  # type: ignore[attr-defined]
    if shared and checked.__doc__:  # Python may run without docstrings
        checked.__doc__ = checked.__doc__.replace("\n    Returns", _ABOUT_SHARED, 1)
    return checked  # type: ignore[return-value]


def _otherwise(name: str, problem: AnyProblem, params: dict[str, Any]) -> AnyProblem:
    """The objective, or the data under a model of depth, that shared parameters ask for."""
    own = {key: params[key] for key in ("depth", "layout", "width", "init", "start") if params.get(key) is not None}
    smoothing, ridge, model = (params.get(key) for key in ("smoothing", "ridge", "model"))
    if own and model is None:
        raise InputError(f"{name}: {' and '.join(own)} is of a model of depth; say which with model")
    if (smoothing, ridge, model) == (None, None, None):
        return problem
    if not isinstance(problem, Problem):
        raise InputError(f"{name}: smoothing, ridge and model are for data of two classes")
    if model is None:
        from implicitbias.objectives.logistic import with_minimum  # which is made of families itself

        return with_minimum(problem, smoothing or 0.0, ridge or 0.0)
    if (smoothing, ridge) != (None, None):
        raise InputError(
            f"{name}: smoothing and ridge are of the linear predictor, and do not go with a model of depth"
        )
    from implicitbias.models import MODELS, Deep

    known = {item.name for item in fields(MODELS[model])}
    if unknown := [key for key in own if key not in known]:
        raise InputError(f"{name}: the model {model!r} has no {' and no '.join(unknown)}")
    return Deep(problem, MODELS[model](**own))


def _rotated(problem: AnyProblem, seed: int) -> AnyProblem:
    """The problem in other coordinates; its features are mixtures, and lose their names."""
    from implicitbias.geometry.rotation import rotate_by  # of a folder whose families have all this

    if isinstance(problem, Multiclass):
        test = problem.test and (rotate_by(problem.test[0], seed), problem.test[1])
        found: AnyProblem = Multiclass(rotate_by(problem.X, seed), problem.labels, test=test, name=problem.name)
    else:
        found = Problem(rotate_by(problem.rows, seed), name=problem.name)
    found.classes, found.reading = problem.classes, problem.reading
    return found

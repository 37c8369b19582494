"""A study given as a dict, as the text of a study file."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from numbers import Integral, Real

from implicitbias.errors import InputError
from implicitbias.optimizers import Optimizer
from implicitbias.simulation.schedule import Schedule


def study_text(study: Mapping) -> str:
    """The TOML text of a study that is given as a dict of the keys of a study file.

    Values are what TOML has, numpy's numbers and arrays, tuples and ranges; a schedule such as Power for a step size;
    and an optimizer such as Adam(beta2=0.95) in the place of its table.

    Errors: ``InputError`` for every value that no study file can hold.

    >>> print(study_text({"title": "t", "data": {"gaussian": {"n": 4}}, "grid": [{"batch": [1, "n"]}]}))
    title = "t"
    <BLANKLINE>
    [data.gaussian]
    n = 4
    <BLANKLINE>
    [[grid]]
    batch = [1, "n"]
    <BLANKLINE>
    """
    mistakes: list[str] = []
    lines: list[str] = []
    tables: list[str] = []
    for key, value in study.items():
        name = _key(key)
        if isinstance(value, Mapping) and value and all(map(_is_table, value.values())):
            for inner, table in value.items():
                tables += ["", f"[{name}.{_key(inner)}]", *_lines(table, f"{key}.{inner}", mistakes)]
        elif isinstance(value, (list, tuple)) and value and all(isinstance(item, Mapping) for item in value):
            for position, table in enumerate(value):
                tables += ["", f"[[{name}]]", *_lines(table, f"{key}.{position}", mistakes)]
        else:
            lines += _lines({key: value}, "", mistakes)
    if mistakes:
        raise InputError(mistakes)
    return "\n".join([*lines, *tables, ""])


def setting_texts(settings) -> list[str]:
    """Overrides as the command line has them: {"grid.steps": 1000} as ["grid.steps=1000"]; a list passes through.

    >>> setting_texts({"grid.steps": 1000, "data.gaussian.n": [10, 20]})
    ['grid.steps=1000', 'data.gaussian.n=[10, 20]']
    """
    if isinstance(settings, str):
        raise InputError(f"settings must be a dict or a list, such as [{settings!r}]")
    if not isinstance(settings, Mapping):
        return list(settings or ())
    mistakes: list[str] = []
    found = [f"{key}={_value(value, str(key), mistakes)}" for key, value in settings.items()]
    if mistakes:
        raise InputError(mistakes)
    return found


def _is_table(value) -> bool:
    return isinstance(value, (Mapping, Optimizer))


def _lines(table, where: str, mistakes: list[str]) -> list[str]:
    if isinstance(table, Optimizer):
        table = {"kind": table.name, **asdict(table)}
    prefix = f"{where}." if where else ""
    return [f"{_key(key)} = {_value(value, f'{prefix}{key}', mistakes)}" for key, value in table.items()]


def _key(key) -> str:
    text = str(key)
    bare = text.isascii() and text.replace("_", "").replace("-", "").isalnum()
    return text if bare else _quoted(text)


def _quoted(text: str) -> str:
    # JSON's strings are TOML's, but for the one control character that JSON leaves as it is
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value, where: str, mistakes: list[str]) -> str:
    if hasattr(value, "tolist"):  # numpy's numbers and arrays
        value = value.tolist()
    if isinstance(value, Schedule):
        value = value.table()
    if isinstance(value, Optimizer):
        value = asdict(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Integral):
        return str(int(value))
    if isinstance(value, Real):
        return repr(float(value))
    if isinstance(value, Mapping):
        return "{ " + ", ".join(_lines(value, where, mistakes)) + " }"
    if isinstance(value, (list, tuple, range)):
        return "[" + ", ".join(_value(item, f"{where}.{k}", mistakes) for k, item in enumerate(value)) + "]"
    if isinstance(value, str) or hasattr(value, "__fspath__"):
        return _quoted(str(value))
    mistakes.append(f"{where} must be a number, a text, true or false, a list or a dict, not {value!r}")
    return '""'

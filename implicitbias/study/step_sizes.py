"""Step sizes: as a study file has them, and as columns of the table of runs."""

import json
import math
from collections.abc import Mapping
from dataclasses import fields

from implicitbias.errors import InputError, one_of
from implicitbias.optimizers import Optimizer
from implicitbias.simulation.schedules import SCHEDULES, Power, Schedule, as_schedule, required

# The columns: numbers that have one of their own, and the JSON of what a schedule has beside them, with its name. They
# are null where a schedule has none, and the last for that of a table without a name.
STEP_SIZE = ("lr_eta", "lr_a", "lr_t0", "lr_schedule")
_NUMBERS = ("eta", "a", "t0")


def schedule(value, where: str, mistakes: list[str]) -> Schedule | None:
    """A step size of a study file: a number, or a table of a schedule and its numbers."""
    try:
        return _of_table(value) if isinstance(value, dict) else as_schedule(value)
    except InputError as error:
        mistakes.extend(f"{where}: {mistake}" for mistake in error.mistakes)
        return None


def _of_table(table: dict) -> Schedule:
    name = table.get("schedule", Power.name)
    if not isinstance(name, str) or name not in SCHEDULES:
        raise InputError(one_of(name, "schedule", SCHEDULES))
    kind = SCHEDULES[name]
    numbers = {key: value for key, value in table.items() if key != "schedule"}
    known = _keys(kind)
    if unknown := [key for key in numbers if key not in known]:
        raise InputError(_unknown(key, name, [*known, "schedule"], "schedule" in table) for key in unknown)
    if missing := [key for key in required(kind) if key not in numbers]:
        of = f' for schedule = "{name}"' * ("schedule" in table)
        raise InputError(f"a step size table needs {' and '.join(missing)}{of}")
    return kind(**numbers)


def _unknown(key: str, name: str, known: list[str], named: bool) -> str:
    """The sentence for a key that a schedule does not have."""
    owners = [f'"{other}"' for other, kind in SCHEDULES.items() if key in _keys(kind)]
    if not owners:
        return one_of(key, "key", known)
    here = f"the schedule {name!r} has no {key}" if named else f"{key} goes with a schedule"
    return f"{here}; schedule = {' or '.join(owners)} has it"


def _keys(kind: type[Schedule]) -> list[str]:
    return [item.name for item in fields(kind)]


def misfits(optimizer: Optimizer, lr: Schedule | None, steps: int | None) -> list[str]:
    """What is wrong with a step size for an optimizer and a horizon; a flow has neither."""
    if lr is None or steps is None:
        return []
    try:
        optimizer.under(lr)
    except InputError as error:
        return error.mistakes
    return [word for word in [lr.mistake(steps)] if word]


def written(law: Schedule) -> str:
    """A step size as a study writes it.

    >>> written(Power(0.1)), written(Power(0.1, 0.5))
    ('0.1', '{ eta = 0.1, a = 0.5 }')
    """
    default = {item.name: item.default for item in fields(law)}
    told = {key: value for key, value in law.table().items() if value != default.get(key)}
    if set(told) == {"eta"}:
        return _number(law.eta)
    texts = {key: f'"{value}"' if isinstance(value, str) else _number(value) for key, value in told.items()}
    return f"{{ {', '.join(f'{key} = {text}' for key, text in texts.items())} }}"


def _number(value: float) -> str:
    short = f"{value:g}"
    return short if isinstance(value, float) and float(short) == value else repr(value)


def step_columns(law: Schedule | None) -> dict:
    """A step size as columns of the table of runs; a flow has none.

    >>> step_columns(Power(0.1, 0.5))
    {'lr_eta': 0.1, 'lr_a': 0.5, 'lr_t0': 2.0}
    """
    if law is None:
        return {}
    table = law.table()
    own = {f"lr_{key}": table.pop(key) for key in _NUMBERS if key in table}
    return own | ({"lr_schedule": json.dumps(table)} if table else {})


def schedule_of(row: Mapping) -> Schedule | None:
    """The step size of a row of the table of runs. Errors: ``InputError`` or ValueError where it is none.

    >>> schedule_of({"lr_eta": 0.1, "lr_a": None, "lr_schedule": '{"schedule": "cosine", "steps": 10}'}).label
    '0.1 cosine(steps=10)'
    """
    if _missing(row["lr_eta"]):
        return None
    text = row.get("lr_schedule")
    own = {key: row[f"lr_{key}"] for key in _NUMBERS if not _missing(row.get(f"lr_{key}"))}
    return _of_table(own if _missing(text) else {**json.loads(text), **own})


def shape_words(text: str) -> str:
    """An entry of lr_schedule in words.

    >>> shape_words('{"schedule": "cosine", "steps": 10, "final": 0.0}')
    'cosine, steps 10, final 0'
    """
    name, *numbers = json.loads(text).items()
    return ", ".join([name[1].replace("_", " "), *(f"{key} {_number(value)}" for key, value in numbers)])


def _missing(value) -> bool:
    """None, NaN, or pandas' own word for them."""
    return not isinstance(value, str) and (value is None or value != value or not math.isfinite(value))

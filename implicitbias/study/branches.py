"""Branches: runs that begin where one of another optimizer ends, with its iterate, its state and its batches.

A grid says so with  after = { optimizer = "NAME", steps = 2000 },  a run has it as a text, which is part of its id.
"""

import json
from typing import Any, NamedTuple

from implicitbias.errors import InputError, one_of
from implicitbias.flows import KINDS, Flow
from implicitbias.optimizers import Optimizer
from implicitbias.simulation.orders import ORDERS
from implicitbias.simulation.schedules import Schedule
from implicitbias.study.step_sizes import schedule

KEYS = ("optimizer", "steps", "lr", "batch", "order")


class Before(NamedTuple):
    """The part of a run before the branch: the arguments of `simulate` that differ from those of the rest."""

    optimizer: Optimizer
    options: dict[str, Any]


def written(given: Any, where: str, optimizers: dict, lr: Schedule | None, mistakes: list[str]) -> str | None:
    """What a grid goes on from, as a text. Mistakes are added to the list.

    Arguments: given, the table in the file; optimizers, those of the study by name, as (name, optimizer, its own step
    size); lr, the step size of the grid, for an optimizer without
    """
    if not isinstance(given, dict) or not {"optimizer", "steps"} <= set(given):
        mistakes.append(f'{where}.after must be a table such as {{ optimizer = "sgd", steps = 2000 }}, not {given!r}')
        return None
    found = len(mistakes)
    mistakes.extend(f"{where}.after: {one_of(key, 'key', KEYS)}" for key in given if key not in KEYS)
    known = optimizers.get(given["optimizer"]) if isinstance(given["optimizer"], str) else None
    if not known:
        mistakes.append(f"{where}.after.optimizer: {one_of(given['optimizer'], 'optimizer', optimizers)}")
        return None
    _, optimizer, own = known[0]
    if len(known) > 1 or isinstance(optimizer, Flow):
        what = "a flow" if isinstance(optimizer, Flow) else f"{len(known)} optimizers"
        mistakes.append(f"{where}.after.optimizer: {given['optimizer']!r} is {what}; runs go on from one optimizer")
    law = schedule(given["lr"], f"{where}.after.lr", mistakes) if "lr" in given else own or lr
    if law is None:
        mistakes.append(f"{where}.after has no step size; give lr there, in the grid or with the optimizer")
    steps, batch, order = given["steps"], given.get("batch"), given.get("order")
    if type(steps) is not int or steps < 1:
        mistakes.append(f"{where}.after.steps must be an integer >= 1, not {steps!r}")
    if not (batch is None or batch == "n" or (type(batch) is int and batch >= 1)):
        mistakes.append(f'{where}.after.batch must be an integer >= 1 or "n", not {batch!r}')
    if order is not None and order not in ORDERS:
        mistakes.append(f"{where}.after.order: {one_of(order, 'order', ORDERS)}")
    if len(mistakes) > found:
        return None
    told = {"optimizer": optimizer.name, "hyper": optimizer.canonical(), "lr": law.table(), "steps": steps}
    told |= {} if batch is None else {"batch": batch}
    return json.dumps(told if order is None else told | {"order": order}, sort_keys=True)


def before(text: str) -> Before:
    """What the text of a run says. Errors: ``InputError`` if it says nothing that there is."""
    told = json.loads(text)
    try:
        kind = KINDS[told["optimizer"]]
        mistakes: list[str] = []
        law = schedule(told["lr"], "after.lr", mistakes)
    except KeyError as error:
        raise InputError(f"after: there is no {error}") from None
    if mistakes:
        raise InputError(mistakes)
    options = {key: told[key] for key in ("steps", "batch", "order") if key in told}
    return Before(kind.of(told["hyper"]), {**options, "lr": law})


def phase_words(text: str) -> str:
    """The text of a run in words.

    >>> phase_words('{"optimizer": "sgd", "hyper": {"momentum": 0.9, "nesterov": false}, "lr": {"eta": 0.1, "a": 0.0, '
    ...             '"t0": 2.0}, "steps": 2000, "batch": 1}')
    '2000 steps of SGD(momentum=0.9), lr 0.1, batch 1'
    """
    optimizer, options = before(text)
    steps, law = options.pop("steps"), options.pop("lr")
    rest = "".join(f", {key} {value}" for key, value in options.items())
    return f"{steps} steps of {optimizer.label}, lr {law.label}{rest}"

"""Going on from the end of a run: `simulate(start=...)`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from implicitbias.errors import InputError
from implicitbias.optimizers import Optimizer
from implicitbias.problems import AnyProblem
from implicitbias.simulation.end import End, fresh
from implicitbias.simulation.run import Run
from implicitbias.simulation.schedule import Schedule
from implicitbias.simulation.setting import Setting, resolve

DEFAULTS = {"batch": 1, "order": "reshuffle", "seed": 0, "loss": "logistic", "remainder": None, "per_octave": 8}
PATH = ("steps", "weights", "sum_lr", "last_lr", "last_move")
KEPT = ("updates", "divisors")  # where measures need them


def runs_to_go_on_from(start, runs: int, problem: AnyProblem, mistakes: list[str]) -> list[Run | None]:
    """The run that each of so many runs goes on from; None for one that begins. What is wrong goes to `mistakes`."""
    nothing: list[Run | None] = [None] * runs
    if start is None:
        return nothing
    many = not isinstance(start, str) and isinstance(start, Iterable) and not hasattr(start, "__array__")
    given = list(start) if many else [start]
    wrong = [
        mistake for i, item in enumerate(given) for mistake in _unfit(f"start[{i}]" if many else "start", item, problem)
    ]
    if many and len(given) != runs:
        wrong.append(f"start must be one Run, or one for each of the {runs} optimizers, not {len(given)}")
    mistakes += wrong
    return nothing if wrong else given if many else given * runs


def _unfit(where: str, start, problem: AnyProblem) -> list[str]:
    """Why nothing can go on from there."""
    if not isinstance(start, Run):
        return [f"{where} must be a Run that simulate has returned, not {type(start).__name__}"]
    mistakes = []
    if start.problem is not problem and start.problem.digest != problem.digest:
        mistakes.append(f"{where} is a run on other data, {start.problem!r}; a run goes on with its own")
    if start.lr is None:
        mistakes.append(
            f"{where} is a run of {start.optimizer.label}, and a flow has no steps to go on from; use its end as "
            "initial=run.weights[-1]"
        )
    elif start.status != "ok":
        mistakes.append(f"{where} ended with the status {start.status!r}; a run goes on from one that ended ok")
    elif start._end is None:
        mistakes.append(f"{where} was stored by a version that kept no end to go on from; simulate it again")
    return mistakes


def settings_of(n: int, starts: list[Run | None], given: dict[str, Any], mistakes: list[str]) -> list[Setting]:
    """The Setting of each run, from the arguments that were given, those of its start, and the defaults, for n rows."""
    known = {name: value for name, value in given.items() if value is not None}
    found: dict[Run | None, Setting] = {}
    for start in dict.fromkeys(starts):
        try:
            found[start] = _setting(n, start, known)
        except InputError as error:
            mistakes += [mistake for mistake in error.mistakes if mistake not in mistakes]
    return [found.get(start) for start in starts]


def _setting(n: int, start: Run | None, known: dict[str, Any]) -> Setting:
    if start is None:
        return resolve(n, **DEFAULTS | known)
    before = {name: getattr(start.setting, name) for name in DEFAULTS}
    if known.get("order", before["order"]) != before["order"]:
        before["remainder"] = None  # each order has its own
    mistakes = []
    if before["order"] == "full" and "order" not in known and known.get("batch") not in (None, "n", n):
        mistakes.append(f"start took all rows (order 'full'), so batch = {known['batch']!r} needs an order too")
    try:
        setting = resolve(n, **before | known)
    except InputError as error:
        mistakes += error.mistakes
    if mistakes:
        raise InputError(mistakes)
    return replace(setting, steps=start._end.steps + setting.steps)


def begin(start: Run | None, optimizer: Optimizer, lr: Schedule, initial: np.ndarray) -> End:
    """Where a run begins: at initial (d,), or where its start was, with the state if the optimizer keeps one of the
    same kind."""
    if start is None:
        return fresh(initial)
    end = start._end if lr == start.lr else start._end.rescheduled(start.lr.eta)
    mover, before = optimizer.under(lr), start.optimizer.under(start.lr)
    if mover.keeper is not before.keeper:
        return end.taken_over(start.weights[-1])
    return end.in_weights(start.weights[-1], start.state) if end.in_margins and not mover.linear else end


def joined(start: Run | None, run: Run) -> Run:
    """A run with the path of its start before it."""
    if start is None:
        return run
    path = {name: np.concatenate([getattr(start, name), getattr(run, name)]) for name in PATH}
    path |= {name: _both(start, run, name) for name in KEPT}
    same = type(run.optimizer) is type(start.optimizer)
    origin = start._origin if same else start.weights[-1]
    return replace(
        run, initial=start.initial, seconds=start.seconds + run.seconds, measures=start.measures, _origin=origin, **path
    )


def _both(start: Run, run: Run, name: str) -> np.ndarray | None:
    """What one of the two has kept at all snapshots: NaN at those of the other."""
    parts = [getattr(item, name) for item in (start, run)]
    if all(part is None for part in parts):
        return None
    return np.concatenate([
        np.full(item.weights.shape, np.nan) if part is None else part for item, part in zip((start, run), parts)
    ])  # fmt: skip

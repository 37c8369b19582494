"""A second reading of a study, straight from the tree it was written from: which runs it names, with which values.

It shares no code with implicitbias.study: loops instead of products, defaults from the README.
"""

import numpy as np

from implicitbias.flows import KINDS
from implicitbias.geometry import make

REMAINDERS = {"reshuffle": "drop"}  # the other orders keep
WIDE = ("data", "optimizer")


def values(value) -> list:
    """A parameter as its values."""
    if isinstance(value, dict) and set(value) == {"from", "to"}:
        return list(range(value["from"], value["to"] + 1))
    if isinstance(value, dict) and "count" in value:
        between = np.geomspace if value.get("log") else np.linspace
        inner = between(value["from"], value["to"], value["count"])[1:-1]
        return [float(value["from"]), *(float(f"{x:.12g}") for x in inner), float(value["to"])]
    return value if isinstance(value, list) else [value]


def combinations(table: dict) -> list[dict]:
    """Every combination of a table, by putting in one axis, or one group of tied axes, after the other."""
    groups = table.get("zip", [])
    tied = {name for group in groups for name in group}
    groups = [[name] for name in table if name not in tied and name != "zip"] + groups
    found = [{}]
    for group in groups:
        columns = [values(table[name]) for name in group]
        found = [old | {name: x[k] for name, x in zip(group, columns)} for old in found for k in range(len(columns[0]))]
    return found


def step_size(value) -> tuple | None:
    if value is None:
        return None
    table = value if isinstance(value, dict) else {"eta": value}
    return float(table["eta"]), float(table.get("a", 0)), float(table.get("t0", 2))


def runs(tree: dict) -> dict[tuple, set]:
    """The distinct runs: what decides each, and the (data, optimizer) names under which the study has it."""
    found: dict[tuple, set] = {}
    sets = {}
    for name, table in tree["data"].items():
        kind, rest = table.get("kind", name), {key: value for key, value in table.items() if key != "kind"}
        sets[name] = [make(kind, **params) for params in combinations(rest)]
    for grid in tree["grid"]:
        for cell in combinations({"data": list(tree["data"]), "optimizer": list(tree["optimizer"])} | grid):
            table = tree["optimizer"][cell["optimizer"]]
            kind = KINDS[table.get("kind", cell["optimizer"])]
            for params in combinations({key: value for key, value in table.items() if key != "kind"}):
                step = step_size(params.pop("lr", None)) or step_size(cell.get("lr"))
                hyper = {name: field.default for name, field in _hyper(kind).items()} | params
                for problem in sets[cell["data"]]:
                    key = (problem.digest, kind.name, tuple(sorted(hyper.items())), step, *_setting(cell, problem.n))
                    found.setdefault(key, set()).add((cell["data"], cell["optimizer"]))
    return found


def _hyper(kind) -> dict:
    from dataclasses import fields

    return {field.name: field for field in fields(kind)}


def _setting(cell: dict, n: int) -> tuple:
    """order, batch, remainder, steps, time, until_log_loss, seed, loss, per_octave, limit."""
    flow = "time" in cell
    order = "full" if flow else cell.get("order", "reshuffle")
    batch = n if order == "full" or cell.get("batch", 1) == "n" else cell.get("batch", 1)
    remainder = "keep" if order == "full" else cell.get("remainder", REMAINDERS.get(order, "keep"))
    return (
        order, batch, remainder, None if flow else cell["steps"], cell.get("time"), cell.get("until_log_loss"),
        cell.get("seed", 0), cell.get("loss", "logistic"), cell.get("per_octave", 1 if flow else 8),
        cell.get("limit", "theory"),
    )  # fmt: skip


def of_row(row: dict) -> tuple:
    """The same, from a row of the table of runs."""
    kind = KINDS[row["optimizer_kind"]]
    given = {name: field.default for name, field in _hyper(kind).items() if "later" in field.metadata}
    given |= {name: row[name] for name in _hyper(kind) if name not in given or row.get(name) is not None}
    hyper = tuple(sorted(given.items()))
    step = None if row["lr_eta"] is None else (row["lr_eta"], row["lr_a"], row["lr_t0"])
    names = ("order", "batch", "remainder", "steps", "time", "until_log_loss", "seed", "loss", "per_octave")
    return (row["data_digest"], kind.name, hyper, step, *(row[name] for name in names), row["limit_method"])

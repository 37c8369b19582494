"""The keys of a study file, each with its type, default, unit, meaning and example: what is read, and what help,
the page about study files, the JSON schema for editors and the template are made from.

Any parameter of a grid, of data or of an optimizer may be a list, {from = 0, to = 9} for a range of integers with both
ends, or {from = 0.1, to = 10, count = 5, log = true} for real numbers at even distances, or ratios: an axis.
`zip = [["n", "d"]]` in a table advances the lists n and d together instead of taking their product.
"""

import math
import re
import sys
from dataclasses import fields
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from implicitbias.errors import one_of
from implicitbias.integers import whole
from implicitbias.simulation.schedules import SCHEDULES, Power, required

DISCRETE = ("batch", "order", "lr", "steps", "epochs", "seed", "remainder")  # keys of a grid that a flow does not take
LONGEST_RANGE = 10**6  # a longer axis is a slip of the keyboard
_SPACED = ("from", "to", "count", "log")  # keys of an axis of real numbers
# Columns of the curves that converge with the direction, and not with the horizon.
_OF_DIRECTION = re.compile(r"(inc_)?(cos|angle|ratio)_(?!if_)|direction$")


def key(default, says: str, example: str, unit: str = "", **rules):
    """A key: its default (... for none), what it means, an example as TOML, and the unit of a number."""
    return Field(default, description=says, examples=[example], json_schema_extra={"unit": unit}, **rules)


def _schedules() -> str:
    """The schedules of a step size with their keys, those that may be left out in brackets."""
    texts = []
    for name, kind in SCHEDULES.items():
        needed = required(kind)
        words = [item.name if item.name in needed else f"[{item.name}]" for item in fields(kind)]
        texts += [f'{{ schedule = "{name}", {", ".join(words)} }}'] * (kind is not Power)
    return ", ".join(texts)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Grid(_Strict):
    """One product of axes: a run for each combination. A grid of flows has `time` in the place of batch, order, lr,
    steps, epochs, seed and remainder."""

    data: list[str] | None = key(None, "names of [data.NAME] tables; default all", '["gaussian"]')
    optimizer: list[str] | None = key(None, "names of [optimizer.NAME] tables; default all", '["adam", "sgd"]')
    batch: list[int | str] = key([1], 'batch size; "n" is all rows', '[1, 2, 5, "n"]', "samples")
    order: list[str] = key(
        ["reshuffle"], "order of the batches: full, cyclic, shuffle_once, reshuffle or replacement",
        '["reshuffle", "replacement"]',
    )  # fmt: skip
    lr: list[Any] | None = key(
        None, "step size: a number, or { eta, a, t0 } for eta (t + t0)^-a, or another schedule with its numbers: "
        f"{_schedules()}; that of an optimizer goes before it", "{ eta = 0.1, a = 0.5 }",
    )  # fmt: skip
    steps: list[int] | None = key(None, "horizon; give steps or epochs", "100_000", "updates")
    epochs: list[int | float] | None = key(None, "horizon as passes over the data", "1000", "epochs")
    time: list[int | float] | None = key(None, "horizon of flows", "1e6", "time")
    until_log_loss: list[int | float] | None = key(
        None, "stop at the first snapshot whose log_loss is at or below this", "-100"
    )
    seed: list[int] = key([0], "seed of the batch order; that of data stands in their table", "{ from = 0, to = 4 }")
    loss: list[str] = key(["logistic"], "logistic or exponential", '"exponential"')
    remainder: list[str] | None = key(
        None, 'the last n mod batch rows of an epoch: "drop" (default of reshuffle) or "keep" (default elsewhere)',
        '"keep"',
    )  # fmt: skip
    per_octave: list[int] | None = key(None, "snapshots per doubling of the clock; default 8, of flows 1", "16")
    limit: list[str] = key(["theory"], "how limits are predicted: theory, numerical or none", '"none"')
    after: list[Any] | None = key(
        None, "branches: every run goes on from the end of one of another optimizer, with its iterate, its state if "
        "they share it, its seed and its batches; lr, batch and order are those of the grid unless given",
        '{ optimizer = "sgd", steps = 2000 }',
    )  # fmt: skip
    zip: list[list[str]] = key([], "axes that advance together", '[["batch", "lr"]]')

    @field_validator("after", "data", "optimizer", "batch", "order", "lr", "steps", "epochs", "time", "until_log_loss",
                     "seed", "loss", "remainder", "per_octave", "limit", mode="before")  # fmt: skip
    @classmethod
    def _axis(cls, value, info):
        found = axis(value)
        return list(map(whole, found)) if info.field_name in ("batch", "steps", "seed", "per_octave") else found


class Control(_Strict):
    """The claim with one assumption broken: the same measure of other runs, expected to come out the other way."""

    where: dict[str, Any] = key(..., "what differs from the filter of the claim", '{ optimizer = "sgd" }')
    says: str = key("", "which assumption is broken", '"no momentum"')


class Claim(_Strict):
    """A sentence, and what the tables must show for it to hold. Exactly one of at_least, at_most, equal is given."""

    says: str = key(..., "the sentence", '"Full-batch Adam goes to the l_inf direction"')
    source: str = key("", "where it comes from", '"arXiv:2402.10898"')
    standing: Literal["", "theorem", "derived", "measured", "open"] = key(
        "", "what speaks for it elsewhere: a theorem, a derivation, a measurement, or nothing yet (open)", '"theorem"'
    )
    measure: str = key(
        ..., 'a column, its negative "-a", the difference "a - b" of two, or "1 - a"; see `implicitbias columns`',
        '"inc_cos_linf"',
    )  # fmt: skip
    where: dict[str, Any] = key(
        {}, 'which runs it is about: columns with a value or a list of values; "data.NAME" is a parameter of the data, '
        "lr the step size as in a grid", '{ optimizer = "adam", batch = "n", lr = 0.1 }',
    )  # fmt: skip
    at_least: float | int | None = key(None, "the least value that meets it", "0.99")
    at_most: float | int | None = key(None, "the largest value that meets it", "0.5")
    equal: float | int | None = key(None, "the value, with `within`", "-0.5")
    within: float | int | None = key(None, "how far from `equal` a value may be", "0.05")
    over: Literal["each", "mean"] = key("each", "whether every run must meet it, or their mean", '"mean"')
    across: str | None = key(
        None, "compare runs that differ in this column alone: the spread of the measure in each group, or the least "
        "cosine with measure = \"direction\" or \"inc_direction\"; with `against` the slope in each group", '"batch"',
    )  # fmt: skip
    width: float | int | None = key(
        None, "with across: how far the axis may be from its best value, half the decades of it on which the measure "
        "is above the least of the group by this part at most (a logarithm: by its logarithm); a group has none where "
        "the least or an end of the width is at an end of the axis", "0.1", gt=0,
    )  # fmt: skip
    than: dict[str, Any] | None = key(
        None, "compare each run with its partner: the run on the same data in the same setting that `where`, with this "
        "in its place, selects; the measure is that of the run less that of its partner", '{ optimizer = "sgd" }',
    )  # fmt: skip
    limit: bool | None = key(
        None, "whether it is about t -> infinity: undecided while runs that miss it approach it, or runs that meet it "
        "leave it; default true for directions and ratios (cos_, angle_, ratio_, inc_...), false otherwise and "
        "with than", "false",
    )  # fmt: skip
    horizon: float | int | None = key(
        None, "the horizon it is about; undecided on runs with another", "1e6", "updates, or time of a flow", gt=0
    )
    control: Control | None = key(
        None, "the same of runs for which an assumption is broken", '{ where = { optimizer = "sgd" } }'
    )
    against: str | None = key(
        None, 'a rate: it is about the slope of the measure against this column of the curves, or "log COLUMN", on '
        "logarithmic axes", '"step"',
    )  # fmt: skip
    law: Literal["power", "exponential"] | None = key(
        None, "of a rate: log measure against log x (power, the default) or against x", '"exponential"'
    )
    remark: str = key("", "what is to be said of its outcome", '"the bound is loose"')
    octaves: float | int | None = key(None, "of a rate: length of the fitted window, default 6", "8", "doublings")
    above: float | int | None = key(None, "of a rate: values up to here are rounding, default 1e-12", "1e-9")

    @property
    def along_runs(self) -> bool:
        """Whether it is about the slope of each run, along its curve."""
        return self.against is not None and self.across is None

    @property
    def about_limit(self) -> bool:
        """Whether it is about t -> infinity: what has a direction for its subject is, unless it says otherwise."""
        if self.limit is not None or any(x is not None for x in (self.against, self.than, self.width)):
            return bool(self.limit)
        terms = [term for term in self.measure.removeprefix("-").split(" - ") if not term[:1].isdigit()]
        return all(map(_OF_DIRECTION.match, terms))

    @model_validator(mode="after")
    def _one_expectation(self):
        given = [name for name in ("at_least", "at_most", "equal") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("a claim needs exactly one of at_least, at_most, equal")
        others = [name for name in ("across", "against", "limit") if getattr(self, name)]
        if self.width is not None and (self.across is None or self.against is not None or self.limit):
            raise ValueError(
                "width is one of the axis that across names, at the end of runs, without against and limit"
            )
        if self.than is not None and others:
            raise ValueError(f"than compares the ends of runs: leave out {' and '.join(others)}")
        if (self.equal is None) != (self.within is None):
            raise ValueError("equal and within go together")
        if self.within is not None and self.within < 0:
            raise ValueError(f"within must be >= 0, but is {self.within!r}")
        return self


class Figure(_Strict):
    """A figure of one's own: columns in roles. Without x, what varies decides."""

    title: str = key("", "what it shows, as a sentence", '"Adam leaves l2 as the batch grows"')
    x: str | None = key(
        None,
        'the column on the horizontal axis; step or sum_lr draw curves, and "lr_eta / best" shifts '
        "those of the step size so that the least values of the first y lie above each other",
        '"batch"',
    )
    y: list[str] = key(..., "a measure, or several", '["inc_cos_l2", "inc_cos_linf"]', min_length=1)
    hue: str | None = key(None, "the column told by colours", '"beta2"')
    col: str | None = key(None, "the column told by panels side by side", '"data"')
    row: str | None = key(None, "the column told by panels above each other", '"order"')
    where: dict[str, Any] = key({}, "which runs it shows, as in a claim", '{ order = "reshuffle" }')
    mark: Literal["point", "line", "scatter", "path", "heat"] | None = key(
        None, "how values are drawn: a scatter has a point a run, a path one for each snapshot", '"line"'
    )
    marks: list[dict[str, float | int]] = key(
        [], "points drawn on a heat map, such as a prediction: numbers for x and hue, and for col and row",
        "[{ steps = 2000, eps = 1e-4, batch = 1 }]",
    )  # fmt: skip
    written: bool = key(
        False, "whether a heat map has its values written on it, with a frame around the largest of each row", "true"
    )
    xscale: Literal["linear", "log"] | None = key(None, "scale of x", '"log"')
    yscale: Literal["linear", "log"] | None = key(None, "scale of y", '"log"')

    @field_validator("y", mode="before")
    @classmethod
    def _one_or_more(cls, value):
        return [value] if isinstance(value, str) else value


class Study(_Strict):
    """A validated study file."""

    title: str = key(..., "what the study is called", '"Which direction does Adam take?"')
    question: str = key("", "what it asks", '"Does the batch size matter?"')
    sources: list[str] = key([], "bibliography of the question", '["arXiv:2510.26303"]')
    timeout: float | int | None = key(
        None,
        'time a run may be simulated; it then ends with the status "timeout"; default no limit',
        "60",
        "seconds",
        gt=0,
    )
    quick: list[str] = key(
        [], "settings of a quick look, as --set has them: those of `check --all --quick`", '["grid.steps=2000"]'
    )
    measures: list[str] | None = key(
        None, "groups of measures that the tables have columns of: directions, limit, margins, residual, of several "
        "classes accuracy, means; default all of these, without curvature and subspace, which are there where they are "
        "named", '["directions", "curvature"]',
    )  # fmt: skip
    norms: list[str] | None = key(None, "norms of the measures; default l1, l2, linf", '["l2", "linf"]')
    top: int | None = key(
        None, "how many of the largest eigenvalues of the Hessian curvature and subspace are about; default 2, of "
        "several classes their number", "3",
    )  # fmt: skip
    data: dict[str, dict[str, Any]] = key(
        ..., "[data.NAME]: kind (a data family, default NAME) and its parameters, each an axis; `implicitbias list "
        "FAMILY` shows them. rotate = SEED, of every family, multiplies the rows by a random orthogonal matrix. "
        "kind = \"file\" reads a table at `path`, relative to the study file",
        '{ gaussian = { n = 10, d = 50, seed = { from = 0, to = 4 } } }', min_length=1,
    )  # fmt: skip
    optimizer: dict[str, dict[str, Any]] = key(
        ..., "[optimizer.NAME]: kind (an optimizer or a flow, default NAME), its hyper-parameters, and optionally its "
        "own lr, each an axis; `implicitbias list OPTIMIZER` shows them",
        '{ adam = { beta2 = [0.95, 0.999] } }', min_length=1,
    )  # fmt: skip
    grid: list[Grid] = key(
        ..., "[[grid]]: products of axes, one table each", "[{ steps = 1000, lr = 0.1 }]", min_length=1
    )
    claim: list[Claim] = key([], "[[claim]]: what is judged", '[{ says = "so", measure = "cos_l2", at_least = 0.9 }]')
    figure: list[Figure] = key([], "[[figure]]: figures of one's own", '[{ y = "cos_l2", x = "batch" }]')

    @field_validator("grid", "claim", "figure", mode="before")
    @classmethod
    def _tables(cls, value):
        return [value] if isinstance(value, dict) else value  # [grid] alone is meant as [[grid]]


def axis(value) -> list | Any:
    """A parameter as the list of its values; anything that cannot be read as one passes through to be complained of."""
    if isinstance(value, list):
        return value
    if isinstance(value, dict) and set(value) == {"from", "to"}:
        low, high = value["from"], value["to"]
        if type(low) is type(high) is int and high - low < LONGEST_RANGE:
            return list(range(low, high + 1))
    if isinstance(value, dict) and _is_spaced(value) and not spaced_mistakes(value):
        return _spaced(value["from"], value["to"], whole(value["count"]), value.get("log", False))
    return [value]


def _is_spaced(table: dict) -> bool:
    """Whether a table is meant as an axis of real numbers, rightly or not."""
    ends = {"from", "to"} & set(table)
    if ends == set(table) and len(ends) == 2:
        return all(map(_is_number, table.values())) and any(isinstance(x, float) for x in table.values())
    return bool(ends) and bool({"count", "log"} & set(table))


def _is_number(value) -> bool:
    return type(value) in (int, float) and -sys.float_info.max <= value <= sys.float_info.max


def spaced_mistakes(table: dict) -> list[str]:
    """What is wrong with an axis of real numbers, as the ends of sentences that begin with its place; nothing is wrong
    with another table."""
    if not _is_spaced(table):
        return []
    mistakes = [f": {one_of(name, 'key', _SPACED)}" for name in table if name not in _SPACED]
    mistakes += [f".{name} is missing" for name in ("from", "to") if name not in table]
    if "count" not in table:
        mistakes.append(".count is missing: how many numbers from `from` to `to`; of integers alone it may be left out")
    else:
        count = whole(table["count"])
        if type(count) is not int or not 2 <= count <= LONGEST_RANGE:
            mistakes.append(f".count must be an integer from 2 to {LONGEST_RANGE}, not {table['count']!r}")
    log = table.get("log", False)
    if type(log) is not bool:
        mistakes.append(f".log must be true or false, not {log!r}")
    ends = {name: table[name] for name in ("from", "to") if name in table}
    wrong = [name for name, value in ends.items() if not _is_number(value)]
    mistakes += [f".{name} must be a finite number, not {ends[name]!r}" for name in wrong]
    if len(ends) == 2 and not wrong:
        if not ends["from"] < ends["to"]:
            mistakes.append(f".from must be below to, which {ends['from']!r} is not of {ends['to']!r}")
        elif log is True and ends["from"] <= 0:
            mistakes.append(f".from must be > 0 where log = true, but is {ends['from']!r}")
    return mistakes


def _spaced(start: float, to: float, count: int, log: bool) -> list[float]:
    """`count` numbers at even distances, or ratios. The ends are exact, and between them are twelve digits, so that
    every machine has the same."""
    ends = (math.log(start), math.log(to)) if log else (start, to)
    inner = [ends[0] + (ends[1] - ends[0]) * i / (count - 1) for i in range(1, count - 1)]
    inner = [math.exp(x) for x in inner] if log else inner
    return [float(start), *(float(f"{x:.12g}") for x in inner), float(to)]

"""The study file: TOML in, a typed `Study` out, or one InputError with every mistake and where it is.

    title, question          what the study asks
    sources                  bibliography of the question
    timeout                  seconds a run may be simulated; it then ends with the status "timeout" (default: no limit)
    measures, norms          groups of measures and norms that the tables have columns of (implicitbias.measure; default
                             all groups, and l1, l2, linf)
    [data.NAME]              kind (a family of implicitbias.geometry; default NAME) and its parameters
    [optimizer.NAME]         kind (default NAME), hyper-parameters, optionally its own lr
    [[grid]]                 data, optimizer (names; default all), batch, order, lr, steps or epochs, until_log_loss,
                             seed, loss, remainder, per_octave, limit (theory, numerical or none: how the limit of
                             a run is predicted): the product of these axes, each a value or a list. A grid of flows
                             has time in the place of batch, order, lr, steps, epochs, seed and remainder
    [[claim]]                says, source, measure, where, and at_least / at_most / equal + within; `over`, `across`
                             and `limit` as in study.claims; against, law, octaves, above for a rate, as in study.fits
                             and study.rates

Any parameter may be a list, or {from = 0, to = 9} for a range of integers with both ends. `zip = [["n", "d"]]` in a
table advances the lists n and d together instead of taking their product. A batch may be "n", the number of rows.
"""

import copy
import re
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from implicitbias.errors import InputError, one_of

LONGEST_RANGE = 10**6  # a longer {from, to} is a slip of the keyboard
MOST_BYTES = 2**20  # of a study file; those of this package have a few thousand
DEEPEST = 20  # tables and lists inside each other; the deepest a study can mean is 5
# tomllib takes the square of the number of parts of a dotted key: a megabyte of "a.a.a" would take hours.
_ENDLESS_KEY = re.compile(r"""(?<![\w"'-])(?:[\w"'-]++[ \t]*+\.[ \t]*+){100}""")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Grid(_Strict):
    """One product of axes; lists are axes."""

    data: list[str] | None = None
    optimizer: list[str] | None = None
    batch: list[int | str] = [1]
    order: list[str] = ["reshuffle"]
    lr: list[Any] | None = None
    steps: list[int] | None = None
    epochs: list[int | float] | None = None
    time: list[int | float] | None = None
    until_log_loss: list[int | float] | None = None
    seed: list[int] = [0]
    loss: list[str] = ["logistic"]
    remainder: list[str] | None = None
    per_octave: list[int] | None = None
    limit: list[str] = ["theory"]
    zip: list[list[str]] = []

    @field_validator("data", "optimizer", "batch", "order", "lr", "steps", "epochs", "time", "until_log_loss", "seed",
                     "loss", "remainder", "per_octave", "limit", mode="before")  # fmt: skip
    @classmethod
    def _axis(cls, value):
        return axis(value)


class Claim(_Strict):
    """A sentence with its source, and what the tables must show for it to hold."""

    says: str
    source: str
    measure: str
    where: dict[str, Any] = {}
    over: Literal["each", "mean"] = "each"
    across: str | None = None
    limit: bool = False
    against: str | None = None
    law: Literal["power", "exponential"] | None = None
    octaves: float | int | None = None
    above: float | int | None = None
    at_least: float | int | None = None
    at_most: float | int | None = None
    equal: float | int | None = None
    within: float | int | None = None

    @model_validator(mode="after")
    def _one_expectation(self):
        given = [name for name in ("at_least", "at_most", "equal") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("a claim needs exactly one of at_least, at_most, equal")
        if (self.equal is None) != (self.within is None):
            raise ValueError("equal and within go together")
        if self.within is not None and self.within < 0:
            raise ValueError(f"within must be >= 0, but is {self.within!r}")
        return self


class Study(_Strict):
    """A validated study file."""

    title: str
    question: str = ""
    sources: list[str] = []
    timeout: float | int | None = Field(None, gt=0)
    measures: list[str] | None = None
    norms: list[str] | None = None
    data: dict[str, dict[str, Any]] = Field(min_length=1)
    optimizer: dict[str, dict[str, Any]] = Field(min_length=1)
    grid: list[Grid] = Field(min_length=1)
    claim: list[Claim] = []


def axis(value) -> list | Any:
    """A parameter as the list of its values; anything that cannot be read as one passes through to be complained of."""
    if isinstance(value, list):
        return value
    if isinstance(value, dict) and set(value) == {"from", "to"}:
        low, high = value["from"], value["to"]
        if type(low) is type(high) is int and high - low < LONGEST_RANGE:
            return list(range(low, high + 1))
    return [value]


def read_study(path: str | Path, settings: list[str] = ()) -> tuple[Study, str]:
    """Read and validate a study file; `settings` are "key=value" overrides. Returns the study and its TOML text.

    Errors: ``InputError`` with every mistake: no such file, not TOML, unknown keys, wrong types.
    """
    content, text = read_content(path, settings)
    return parse_study(content, Path(path).name), text


def read_content(path: str | Path, settings: list[str] = ()) -> tuple[dict, str]:
    """A study file as plain TOML tables with the settings applied, not yet validated, and its text."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        text = data.decode("utf-8-sig").replace("\r\n", "\n")  # an editor's byte order mark is no part of the text
    except FileNotFoundError:
        raise InputError(f"there is no study file {path}") from None
    except (OSError, ValueError) as error:  # not UTF-8, or a null byte in the name
        words = "not UTF-8 text" if isinstance(error, UnicodeDecodeError) else getattr(error, "strerror", None) or error
        raise InputError(f"the study file {path} cannot be read: {words}") from None
    if len(data) > MOST_BYTES:
        raise InputError(f"{path} has more than {MOST_BYTES} bytes, so it is no study file")
    if _ENDLESS_KEY.search(text):
        raise InputError(f"{path} is not valid TOML: a key of more than 100 parts")
    try:
        content = tomllib.loads(text)
    except RecursionError:
        raise InputError(f"{path} is not a study: lists or tables more than {DEEPEST} deep") from None
    except ValueError as error:  # not TOML, or an integer of more digits than Python reads
        raise InputError(f"{path} is not valid TOML: {error}") from None
    check_values(content, path.name)
    content = override(content, settings)
    check_values(content, "--set")
    return content, text


def check_values(content: dict, where: str) -> None:
    """Refuse what tomllib reads and no study can mean, before anything is copied, expanded or printed.

    TOML has integers of 64 bits, and those of Python, which have no end, overflow in every place that makes a float.
    """
    mistakes, stack = [], [((), content)]
    while stack:
        place, value = stack.pop()
        name = ".".join(map(str, place))
        if len(place) > DEEPEST:
            raise InputError(f"{where}: {name} is more than {DEEPEST} lists or tables deep")
        if isinstance(value, dict):
            stack += [((*place, key), item) for key, item in value.items()]
            low, high = value.get("from"), value.get("to")
            if type(low) is type(high) is int and len(value) == 2 and high - low >= LONGEST_RANGE and _fits(low, high):
                mistakes.append(f"{where}: {name} is a range from {low} to {high}; the longest has {LONGEST_RANGE}")
        elif isinstance(value, list):
            stack += [((*place, k), item) for k, item in enumerate(value) if isinstance(item, (dict, list, int))]
        elif isinstance(value, int) and not _fits(value):
            mistakes.append(f"{where}: {name} must be an integer of 64 bits, between -2^63 and 2^63 - 1")
    if mistakes:
        raise InputError(mistakes[::-1])  # the stack gave the last first


def _fits(*values: int) -> bool:
    return all(-(2**63) <= value < 2**63 for value in values)


def override(content: dict, settings: list[str]) -> dict:
    """Apply "key=value" settings such as "grid.steps=1000" or "data.gaussian.n=20"; in a list of tables, to each."""
    content = copy.deepcopy(content)
    mistakes = []
    for setting in settings:
        if any("\ud800" <= letter <= "\udfff" for letter in setting):  # bytes of the command line that are no text
            mistakes.append(f"--set {setting} is not UTF-8")
            continue
        key, equals, value = setting.partition("=")
        try:
            parsed = tomllib.loads(f"value = {value}")["value"]
        except (ValueError, RecursionError):
            parsed = value.strip()  # an unquoted word is a string
        *tables, last = (part.strip() for part in key.split("."))
        if not equals or not last:
            mistakes.append(f"--set takes key=value, such as grid.steps=1000, not {setting!r}")
            continue
        places = [content]
        for depth, table in enumerate(tables):
            places = [place.get(table) for place in places]
            places = [item for place in places for item in (place if isinstance(place, list) else [place])]
            if not places or not all(isinstance(place, dict) for place in places):
                mistakes.append(f"--set {setting}: the study has no table {'.'.join(tables[: depth + 1])!r}")
                break
        else:
            for place in places:
                place[last] = parsed
    if mistakes:
        raise InputError(mistakes)
    return content


def parse_study(content: dict, where: str = "study") -> Study:
    """A Study from parsed TOML. Errors: ``InputError`` with every mistake and its place."""
    try:
        return Study.model_validate(content)
    except ValidationError as error:
        places: dict[tuple, list] = {}  # pydantic complains once for every member of a union
        for item in error.errors():
            # and adds that member to the place ("grid.0.batch.1.int"); the file has no such key
            place = tuple(str(part) for part in item["loc"] if part not in ("int", "str", "float"))
            places.setdefault(place, []).append(item)
        raise InputError(f"{where}: {_sentence(*pair)}" for pair in places.items()) from None


_TABLES = {"grid": Grid, "claim": Claim}


def _sentence(place: tuple[str, ...], items: list[dict]) -> str:
    """What pydantic says about a place as a sentence that names the place and the right thing."""
    path, item = ".".join(place), items[0]
    if item["type"] == "extra_forbidden":
        model = _TABLES.get(place[0], Study) if len(place) > 1 else Study
        return f"{path}: {one_of(place[-1], 'key', model.model_fields)}"
    if item["type"] == "missing":
        return f"{path} is missing"
    if item["type"] == "too_short":
        return f"{path} is empty; a study needs at least one {place[-1]}"
    expected = [found["msg"].removeprefix("Input should be ") for found in items if "Input should be" in found["msg"]]
    if expected:
        return f"{path} must be {' or '.join(dict.fromkeys(expected))}, not {item['input']!r}"
    return f"{path}: {item['msg'].removeprefix('Value error, ')}"

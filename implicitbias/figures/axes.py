"""What varies in a table of runs, and where each axis goes in a figure.

Ordered quantities are x or a sequential hue; families, orders and data are columns; seeds are a band. An axis that
follows from others (lists advanced together, a horizon in epochs) is none.
"""

import functools
import math
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pandas as pd

from implicitbias.figures.table import FULL
from implicitbias.figures.words import label, number, power
from implicitbias.study.naming import short
from implicitbias.study.step_sizes import shape_words

MAX_HUES, MAX_PANELS = 7, 6
DATA = ("data", "n", "d", "k")
_HYPER = ("kappa", "eps", "momentum", "beta", "beta1", "beta2", "weight_decay")
_LR = ("lr_schedule", "lr_a", "lr_eta")
_SETTING = ("loss", "remainder", "steps", "time", "until_log_loss")
REPLACEMENT = "replacement"  # the order whose batches of n rows are not all rows
_NAMES = ("optimizer", "label", "method", "geometry", "measure")


@dataclass(frozen=True)
class Axis:
    """A column that varies, with its levels in order."""

    name: str
    levels: tuple
    ordered: bool

    def __len__(self):
        return len(self.levels)

    def text(self, level) -> str:
        """A level by itself, as a tick or in a legend whose title is the axis."""
        if isinstance(level, (int, float)) and not isinstance(level, bool):
            return power(round(math.log10(level))) if level > 0 and self._powers else number(level)
        if isinstance(level, tuple) and self.ordered:  # the entries that differ
            return short([x for x, *column in zip(level, *self.levels) if len(set(column)) > 1]).strip("[]")
        if self.name == "lr_schedule" and level is not None:
            return shape_words(level)
        return "–" if level is None else short(level)

    @functools.cached_property
    def _powers(self) -> bool:
        """Whether the levels are powers of ten of which some are written so: then all are."""
        logs = [math.log10(x) for x in self.levels if self.ordered and x > 0 and math.isfinite(x)]
        return any(not -3 <= x < 4 for x in logs) and all(abs(x - round(x)) < 1e-9 for x in logs)

    def words(self, level) -> str:
        """A level with its axis, as in the title of a panel."""
        if self.name in (*_NAMES, "data"):
            return str(level)
        if self.name == "batch":
            return "full batch" if level == math.inf else f"b = {level:g}"
        text = self.text(level)
        return text if self.name == "order" else f"{label(self.name)} = {text}"

    def places(self) -> dict:
        """Where the levels are on an axis: on a logarithmic one where they are so spread; "full" and 0 at its ends."""
        if not self.ordered or self.name in ("seed", "data_seed") or isinstance(self.levels[0], tuple):
            return {level: float(i) for i, level in enumerate(self.levels)}
        finite = [float(level) for level in self.levels if math.isfinite(level)]
        positive = [level for level in finite if level > 0]
        near_one = self.name.startswith("beta") and finite and max(finite) < 1.0 and max(finite) > 0.6
        if near_one:  # the memory 1 / (1 - beta) is what counts
            return {level: -math.log10(1.0 - level) for level in self.levels}
        if not (positive and len(finite) > 1 and max(positive) >= 4.0 * min(positive) and min(finite) >= 0):
            places = {level: float(level) for level in self.levels if math.isfinite(level)}
        else:
            places = {level: math.log10(level) for level in self.levels if math.isfinite(level) and level > 0}
            if 0 in self.levels:
                ends = list(places.values())
                places = {0: ends[0] - _step(ends)} | places
        if math.inf in self.levels:
            ends = list(places.values())
            places[math.inf] = ends[-1] + max(_step(ends), 0.15 * (ends[-1] - ends[0]))
        return places


def _step(places: list[float]) -> float:
    return float(np.median([b - a for a, b in pairwise(places)])) if len(places) > 1 else 1.0


def axis_of(frame: pd.DataFrame, name: str) -> Axis:
    """A column as an axis: numbers ascending and ordered, anything else in the order of the study."""
    column = frame[name]
    if name == "order" and (column != FULL).any():
        column = column[column != FULL]
    levels = list(dict.fromkeys(column.dropna().tolist()))
    ordered = bool(levels) and all(_is_number(x) for x in levels)
    if levels and all(isinstance(x, tuple) and all(map(_is_number, x)) for x in levels):
        ordered = len({len(x) for x in levels}) == 1  # vectors of one length, by their first entry that differs
    return Axis(name, tuple(sorted(levels)) if ordered else tuple(levels), ordered)


def _is_number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def full_batches(frame: pd.DataFrame) -> pd.DataFrame:
    """The runs whose batches are all rows, in whatever order, at the batch size "full" (inf)."""
    full = (frame["order"] == FULL) | ((frame["batch"] == frame["n"]) & (frame["order"] != REPLACEMENT))
    if not full.any() or (frame["order"] == FULL).all():
        return frame
    return frame.assign(batch=frame["batch"].astype(float).mask(full, math.inf))


def slim(frame: pd.DataFrame, *more: str) -> pd.DataFrame:
    """The columns that may be axes, and some more."""
    known = {*DATA, "optimizer", *_hyper_names(), *_LR, *_SETTING, "batch", "order", *_NAMES, "optimizer_kind",
             "run_id", "limit_method", "seed", "data_seed", "status", *more}  # fmt: skip
    return frame[[name for name in frame if name in known or name.startswith("data.")]]


def varying(frame: pd.DataFrame) -> list[Axis]:
    """The axes of a table of runs, each of which varies while those before it do not: data first, order last."""
    parameters = [name for name in frame if name.startswith("data.")]
    hyper = [name for name in dict.fromkeys([*_HYPER, *_hyper_names()]) if name in frame]
    data, lr = ([name for name in names if name in frame] for names in (DATA, _LR))
    names = [*data, *parameters, "optimizer", *hyper, *lr, "batch", "order", *_SETTING]
    codes, found = np.zeros(len(frame), int), []
    for name in names:
        # a full batch has no order, and nothing remains of it
        keep = np.ones(len(frame), bool) if name not in ("order", "remainder") else _parted(frame)
        own = pd.factorize(frame[name].to_numpy()[keep], use_na_sentinel=False)[0]
        if not len(own) or own.max() == 0:
            continue
        joint = codes[keep] * (own.max() + 1) + own
        if len(np.unique(joint)) > len(np.unique(codes[keep])):
            axis = axis_of(frame, name)
            if len(axis) > 1 or name not in ("batch", "order"):
                found.append(axis)
                whole = np.zeros(len(frame), int)
                whole[keep] = own + 1
                codes = np.unique(codes * (whole.max() + 1) + whole, return_inverse=True)[1]
    return found


def _parted(frame: pd.DataFrame) -> np.ndarray:
    """Which runs have batches of some of the rows."""
    return ((frame["order"] != FULL) & np.isfinite(frame["batch"].astype(float))).to_numpy(bool)


@functools.cache
def _hyper_names() -> list[str]:
    from dataclasses import fields

    from implicitbias.flows import KINDS

    return sorted({item.name for kind in KINDS.values() for item in fields(kind)})


def combined(frame: pd.DataFrame, axes: list[Axis], name: str) -> tuple[pd.Series, Axis]:
    """Several axes as one of words: "cyclic, b = 1"; a level that a run does not have is left out."""
    if not axes:
        return pd.Series("", frame.index), Axis(name, ("",), False)
    if [axis.name for axis in axes] == [axes[0].name] and axes[0].name in (*_NAMES, "data"):
        return frame[axes[0].name].astype(str), Axis(name, axes[0].levels, False)
    parts = [frame[axis.name].map(lambda x, axis=axis: "" if _missing(x) else axis.words(x)) for axis in axes]
    texts = pd.Series([", ".join(filter(None, row)) for row in zip(*parts)], frame.index)
    keys = pd.DataFrame({i: frame[axis.name].map(_rank(axis)) for i, axis in enumerate(axes)})
    order = keys.sort_values(list(keys), kind="stable").index
    return texts, Axis(name, tuple(dict.fromkeys(texts.loc[order])), False)


def _missing(value) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _rank(axis: Axis):
    places = {level: i for i, level in enumerate(axis.levels)}
    return lambda value: -1 if _missing(value) else places.get(value, len(places))


@dataclass(frozen=True)
class Roles:
    """Which axis is x, which the hue, and which are left for columns and for sheets."""

    x: Axis | None
    hue: list[Axis] = field(default_factory=list)
    col: list[Axis] = field(default_factory=list)
    sheet: list[Axis] = field(default_factory=list)


def roles(frame: pd.DataFrame, panels: int = MAX_PANELS) -> Roles:
    """The roles of the axes that vary in a table of runs, for figures of at most so many columns."""
    axes = {axis.name: axis for axis in varying(frame)}
    own = [name for name in axes if name in _LR or name in _hyper_names()]
    x = _horizontal(frame, axes, own)
    if x is None:
        x = next((_names(frame, axes, name) for name in ("method", "geometry") if frame[name].nunique() > 1), None)
        used = set(own) | {"optimizer"} if x and x.name == "method" else {n for n in axes if _is_data(n)}
        x = x or axes.get("order")
        used |= {x.name} if x else set()
    else:
        used = {x.name}
    rest = [axis for name, axis in axes.items() if name not in used]
    methods = [axis for axis in rest if axis.name in own or axis.name == "optimizer"]
    others = [axis for axis in rest if axis not in methods]
    hue, col = _hue(frame, methods, x)
    if not hue:
        hue = next(([a] for a in others if a.name != "data" and a.ordered and 1 < len(a) <= MAX_HUES), [])
    col += [axis for axis in others if axis not in hue]
    col.sort(key=lambda axis: _is_data(axis.name))  # data last: they are the first to get a sheet of their own
    sheet: list[Axis] = []
    while col and _combinations(frame, col) > panels:
        sheet.append(col.pop())
    return Roles(x, hue, col, sheet[::-1])


def _is_data(name: str) -> bool:
    return name in DATA or name.startswith("data.")


def _names(frame: pd.DataFrame, axes: dict, name: str) -> Axis:
    return axis_of(frame, name)


def _horizontal(frame: pd.DataFrame, axes: dict[str, Axis], own: list[str]) -> Axis | None:
    """The ordered axis that is x: the batch size, or what has more levels; of hyper-parameters only those that every
    optimizer varies, and only where their values are combined freely."""
    free = len(own) < 2 or 2 * _combinations(frame, [axes[n] for n in own]) >= math.prod(len(axes[n]) for n in own)
    found = []
    for name, axis in axes.items():
        if not axis.ordered or len(axis) < 2 or name in ("loss", "remainder"):
            continue
        if name in own and not (free and _shared(frame, name)):
            continue
        found.append(axis)
    batch = axes.get("batch")
    most = max(found, key=len, default=None)
    if batch is not None and (len(batch) > 2 or most is None or len(most) < 3):
        return batch
    return most if most is not None and len(most) > 2 else None if _several(frame) else most


def _several(frame: pd.DataFrame) -> bool:
    return frame["method"].nunique() > 2


def _shared(frame: pd.DataFrame, name: str) -> bool:
    return bool((frame.groupby("optimizer")[name].nunique() > 1).all())


def _combinations(frame: pd.DataFrame, axes: list[Axis]) -> int:
    names = [axis.name for axis in axes]
    rows = frame if "order" not in names else frame[frame["order"] != FULL]
    return max(1, len(rows[names].drop_duplicates())) if names else 1


def _hue(frame: pd.DataFrame, methods: list[Axis], x: Axis | None) -> tuple[list[Axis], list[Axis]]:
    """Axes of the optimizer as hue, and those that do not fit."""
    if not methods:
        return [], []
    if _combinations(frame, methods) <= MAX_HUES:
        return methods, []
    ordered = [axis for axis in methods if axis.ordered]
    # an optimizer without the hyper-parameter would have no colour
    ordered = [axis for axis in ordered if frame[axis.name].notna().all()] or ordered
    chosen = max(ordered or methods, key=lambda axis: (len(axis) <= MAX_HUES, len(axis)))
    return [chosen], [axis for axis in methods if axis is not chosen]

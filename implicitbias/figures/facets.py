"""From a table and roles to a figure: the one mechanism behind the report's figures and everyone's own.

    x      a level of an axis at the end of runs, a clock along them, or another measure
    y      measures, a row of panels each
    hue    ordered levels in a sequential hue; optimizers in their own colours
    col    what else varies
    band   all that is left, which is seeds: the median and the quartiles

Panels with one x, empty ones, and those that repeat another are not drawn, and the caption says so.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from implicitbias.figures import palette
from implicitbias.figures.axes import MAX_HUES, Axis, combined
from implicitbias.figures.parts import TICK, Figure, Heat, Key, Panel, Series
from implicitbias.figures.table import FULL, values
from implicitbias.figures.words import label, method

MOST_POINTS = 60  # of a line a few inches long
MOST_SCATTERED = 2000
MOST_DOTS = 60_000  # of clouds, which have many points of each run
CATEGORIES = ("order", "data", "geometry", "limit_method", "measure", "loss", "remainder", "status")
NOTHING = 1e-5  # degrees
NEAR = 0.02  # 1 - cosine or ratio, by which most runs are so near to 1 that the gap says more
LEAST_GAP = 1e-12  # below is rounding
LEAST_ANGLE = 1e-6  # degrees: the cosine is 1 to its last digit


@dataclass(frozen=True)
class Hue:
    """The levels of the hue: their colours, markers and words, and the title of the legend."""

    keys: pd.Series  # the level of each row
    levels: list
    colour: dict
    marker: dict
    text: dict
    title: str = ""
    style: dict = field(default_factory=dict)  # of lines that are not solid


def hue_of(frame: pd.DataFrame, axes: list[Axis], looks: palette.Looks) -> Hue:
    """The hue of every row: one ordered axis sequentially, methods in the colours of the page, else categories."""
    if not axes:
        names = frame["method"]
        levels = list(dict.fromkeys(names))
        if len(levels) == 1:
            return _of_methods(names, levels, looks)
        own = (
            palette.family(str(frame["optimizer_kind"].iloc[0]))
            if frame["optimizer_kind"].nunique() == 1
            else "#555555"
        )
        return Hue(pd.Series("", frame.index), [""], {"": own}, {"": "o"}, {"": ""})
    if len(axes) == 1 and axes[0].ordered:
        axis = axes[0]
        levels = [level for level in axis.levels if (frame[axis.name] == level).any()]
        hues = dict(zip(levels, palette.sequential(len(levels))))
        texts = {level: axis.text(level) for level in levels}
        return Hue(frame[axis.name], levels, hues, palette.markers(levels), texts, label(axis.name))
    if {axis.name for axis in axes} <= {*CATEGORIES}:
        keys, axis = combined(frame, axes, "hue")
        levels = list(axis.levels)
        return Hue(keys, levels, palette.categories(levels), palette.markers(levels), {x: str(x) for x in levels})
    if frame["method"].nunique() <= len(frame[[a.name for a in axes]].drop_duplicates()):
        return _of_methods(frame["method"], list(dict.fromkeys(frame["method"])), looks)
    # x is one of the hyper-parameters that the name of the method has
    keys, axis = combined(frame, axes, "hue")
    return _of_methods(keys, list(axis.levels), palette.methods(frame.assign(method=keys)))


def by_method(frame: pd.DataFrame, looks: palette.Looks) -> Hue:
    """Methods in their own colours, where the axis names them already: no legend."""
    levels = list(dict.fromkeys(frame["method"]))
    return Hue(frame["method"], levels, looks.colour, looks.marker, dict.fromkeys(levels, ""))


def _of_methods(keys: pd.Series, levels: list, looks: palette.Looks) -> Hue:
    texts = {level: method(str(level)) for level in levels}
    return Hue(keys, levels, looks.colour, looks.marker, texts, style=looks.style)


@dataclass(frozen=True)
class View:
    """How a measure is shown: the formula, the scale, and the words of the axis."""

    measure: str
    scale: str
    words: str
    floor: float = 0.0


def view(measure: str, frame: pd.DataFrame, scale: str | None = None) -> View:
    """Cosines and margins near their optimum as the gap, on a logarithmic axis; powers on a logarithmic axis."""
    found = values(measure, frame).to_numpy(float)
    found = found[np.isfinite(found)]
    kind = measure.removeprefix("inc_").partition("_")[0]
    if scale is None and kind in ("cos", "ratio") and len(found) and np.median(1.0 - found) < NEAR:
        measure = measure.replace("cos_", "angle_", 1) if kind == "cos" else f"1 - {measure}"
        kind = "angle" if kind == "cos" else kind
        scale = "log"
    if kind == "angle" or measure.startswith("1 - "):
        return View(measure, scale or "log", label(measure), LEAST_ANGLE if kind == "angle" else LEAST_GAP)
    if measure == "-log_loss":  # the loss at the start may be above 1
        return View(measure, scale or "log", label(measure))
    wide = len(found) and found.min() > 0 and found.max() > 30.0 * found.min()
    return View(measure, scale or ("log" if wide else "linear"), label(measure))


def quartiles(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, ...]:
    """Each distinct x, ascending, with the number of its y, and their lower quartile, median and upper quartile.

    >>> [found.tolist() for found in quartiles(np.array([2.0, 1.0, 2.0]), np.array([5.0, 7.0, 3.0]))]
    [[1.0, 2.0], [1, 2], [7.0, 3.5], [7.0, 4.0], [7.0, 4.5]]
    """
    order = np.lexsort((y, x))
    x, y = x[order], y[order]
    first = np.flatnonzero(np.r_[True, x[1:] != x[:-1]]) if len(x) else np.empty(0, int)
    sizes = np.diff(np.r_[first, len(x)])
    found = []
    for share in (0.25, 0.5, 0.75):
        place = first + share * (sizes - 1)
        low = np.floor(place).astype(int)
        high = np.minimum(low + 1, first + sizes - 1)
        found.append(y[low] + (place - low) * (y[high] - y[low]))
    return x[first], sizes, *found


@dataclass(frozen=True)
class Facets:
    """A table with everything that decides how it is drawn.

    Attributes
        frame       the rows: runs at their end, or snapshots
        measures    of the y axes
        x           the axis, or the name of a column of numbers
        hue, col    what tells rows apart; `col` the words of each row's column
        along       whether rows are snapshots: lines, and no marker a point
        predicted   for a measure the column with its predicted value, or None
        dots        the size of the points of a scatter, where they are many
    """

    frame: pd.DataFrame
    measures: list[str]
    x: Axis | str
    hue: Hue
    col: pd.Series
    cols: list[str]
    along: bool = False
    scatter: bool = False
    predicted: Callable[[str], str | None] = lambda measure: None
    yscale: str | None = None
    xscale: str | None = None
    notes: list[str] = field(default_factory=list)
    dots: float = 0.0


def spread_orders(frame: pd.DataFrame, axes: list[Axis]) -> pd.DataFrame:
    """Full batches, which have no order, copied to every order if orders are told apart."""
    if not any(axis.name == "order" for axis in axes):
        return frame
    full = frame["order"] == FULL
    orders = list(dict.fromkeys(frame.loc[~full, "order"]))
    if not full.any() or not orders:
        return frame
    copies = [frame[full].assign(order=order) for order in orders]
    return pd.concat([frame[~full], *copies], ignore_index=True)


def panels(of: Facets) -> list[list[Panel | None]]:
    """A row of panels for each measure, columns in the order of `cols`; None where a column has no rows."""
    places = of.x.places() if isinstance(of.x, Axis) else {}
    if isinstance(of.x, Axis):
        x = of.frame[of.x.name].map(places)
    else:
        x = of.frame[of.x] if of.x in of.frame else values(of.x, of.frame)
    x = x.to_numpy(float)
    hue = pd.Categorical(of.hue.keys, categories=of.hue.levels).codes
    col = pd.Categorical(of.col, categories=of.cols).codes
    rows = []
    for measure in of.measures:
        seen = view(measure, of.frame, of.yscale)
        limit = of.predicted(measure)
        y = values(seen.measure, of.frame).to_numpy(float)
        foretold = of.frame[limit].to_numpy(float) if limit else np.full(len(y), np.nan)
        known = np.isfinite(x) & np.isfinite(y) & (hue >= 0)
        if seen.scale == "log":
            known &= (y > 0.0) | (seen.floor > 0.0)
            y = np.maximum(y, seen.floor)
        row = []
        for place, title in enumerate(of.cols):
            rows_of = np.flatnonzero(known & (col == place))
            points = _Points(x[rows_of], y[rows_of], hue[rows_of], foretold[rows_of])
            row.append(_panel(of, points, title, seen, measure, places) if len(rows_of) else None)
        rows.append(row)
    return rows


@dataclass(frozen=True)
class _Points:
    """The rows of a panel: (R,) each; `hue` the place of the level."""

    x: np.ndarray
    y: np.ndarray
    hue: np.ndarray
    foretold: np.ndarray

    def of(self, level: int) -> "_Points":
        mine = self.hue == level
        return _Points(self.x[mine], self.y[mine], self.hue[mine], self.foretold[mine])


def _panel(of: Facets, points: _Points, title: str, seen: View, measure: str, places: dict) -> Panel:
    series, ticks = [], []
    logx = of.xscale or ("log" if of.along else "linear")
    spread = list(places.values())
    step = 0.018 * (max(spread) - min(spread)) if len(spread) > 1 else 0.0
    shown = np.unique(points.hue)
    for position, place in enumerate(shown):
        level, rows = of.hue.levels[place], points.of(place)
        look = {"colour": of.hue.colour[level], "marker": of.hue.marker[level]}
        if of.scatter:
            series.append(Series(rows.x, rows.y, style="", hollow=not of.dots, dots=of.dots, **look))
            continue
        x, sizes, low, middle, high = quartiles(rows.x, rows.y)
        if of.along:
            # a line ends where its first run does: over a changing set of runs a median jumps
            kept = _thinned(np.flatnonzero(sizes >= 0.99 * sizes.max()))
            if len(kept) > 1:
                style = of.hue.style.get(level, "-")
                series.append(Series(x[kept], middle[kept], look["colour"], low[kept], high[kept], style))
            continue
        # side by side, so that the bars of one do not hide those of another
        aside = step * (position - (len(shown) - 1) / 2)
        joined = "-" if isinstance(of.x, Axis) and of.x.ordered else ""
        series.append(Series(x + aside, middle, low=low, high=high, band="bars", style=joined, **look))
        known = np.isfinite(rows.foretold)
        if known.any():
            x, _, _, middle, _ = quartiles(rows.x[known], rows.foretold[known])
            if seen.measure.removeprefix("inc_").startswith("angle_"):
                middle = np.degrees(np.arccos(middle.clip(-1.0, 1.0)))
                x, middle = x[middle > NOTHING], middle[middle > NOTHING]  # arccos has no digits of smaller angles
            if len(x):
                dark = palette.shade(look["colour"], -0.35)
                ticks.append(Series(x + aside, middle, dark, style="", marker=TICK, over=True))
    xticks = {places[x]: of.x.text(x) for x in of.x.levels} if places else {}
    xlabel = label(of.x.name) if isinstance(of.x, Axis) else label(of.x)
    return Panel(
        title, xlabel, seen.words, series + ticks, logx if not places else "linear", seen.scale, xticks,
        mark=1.0 if measure.removeprefix("inc_").startswith(("cos_", "ratio_")) and seen.scale == "linear" else None,
        floor=seen.floor if any((s.y <= seen.floor).any() for s in series) else 0.0,
    )  # fmt: skip


def _thinned(places: np.ndarray) -> np.ndarray:
    if len(places) <= MOST_POINTS:
        return places
    return places[np.unique(np.linspace(0, len(places) - 1, MOST_POINTS).round().astype(int))]


def keys_of(of: Facets, rows: list[list[Panel]]) -> tuple[list[Key], str]:
    drawn = {series.colour for row in rows for panel in row for series in panel.series}
    marks = "" if of.along else "o"
    levels = [level for level in of.hue.levels if of.hue.colour[level] in drawn and of.hue.text[level]]

    def line(level):
        return "" if of.scatter else of.hue.style.get(level, "-") if of.along else "-"

    keys = [
        Key(of.hue.text[level], of.hue.colour[level], line(level), of.hue.marker[level] if marks else "",
            of.scatter)
        for level in levels
    ]  # fmt: skip
    title = of.hue.title
    if len(keys) == 1:
        keys = [replace(keys[0], text=f"{title} = {keys[0].text}" if title else keys[0].text)]
    if any(series.marker == TICK for row in rows for panel in row for series in panel.series):
        keys.append(Key("predicted", style="", marker=TICK))
    return keys, title if len(levels) > 1 else ""


def heats_of(
    parts: list[tuple[str, pd.DataFrame]],
    measure: str,
    x: Axis,
    y: Axis,
    name: str,
    title: str,
    caption: str,
    marks: list[dict[str, float]] = (),
    written: bool = False,
    words: str = "",
) -> Figure:
    """Two ordered axes of many levels: the median as a colour, the same in each of the panels (title, runs). Where the
    measure is a difference of both signs, the colours part at zero. Marks are points (column -> value) on the panels
    whose runs have their values; `written` values are those of the measure itself. The words of the colours are those
    of the measure if there are no others."""
    seen = view(measure, pd.concat([frame for _, frame in parts]))
    if written or words:
        seen = View(measure, "linear" if written else seen.scale, words or label(measure))
    tables = []
    for _, frame in parts:
        rows = frame.assign(_y=values(seen.measure, frame))
        table = rows.groupby([y.name, x.name])["_y"].median().unstack().reindex(index=y.levels, columns=x.levels)
        tables.append(np.log10(table.to_numpy(float)) if seen.scale == "log" else table.to_numpy(float))
    told = f"log₁₀ of {seen.words}" if seen.scale == "log" else seen.words
    known = np.concatenate([table[np.isfinite(table)] for table in tables])
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    if " - " in seen.measure and low < 0.0 < high:
        low, high = -max(-low, high), max(-low, high)
    names = [y.text(level) for level in y.levels], [x.text(level) for level in x.levels]
    panels = [
        Panel(
            head,
            *("" if axis.name == "measure" else label(axis.name) for axis in (x, y)),
            heat=Heat(table, *names, told, (low, high), _marked(frame, x, y, marks), written),
        )
        for (head, frame), table in zip(parts, tables)
    ]
    lost = len(marks) - sum(len(panel.heat.marks) for panel in panels)
    caption += f" {lost} of {len(marks)} marks lie outside." if marks and lost > 0 else ""
    return Figure(name, title, caption, panels, columns=min(2, len(panels)))


def _marked(frame: pd.DataFrame, x: Axis, y: Axis, marks: list[dict[str, float]]) -> list[tuple[float, float]]:
    """The marks of a panel, between the levels as on a logarithmic axis where these are positive."""
    drawn = (x.name, y.name)
    full = set(frame["n"].dropna()) if "n" in frame else set()
    marks = [{k: math.inf if k == "batch" and {v} == full else v for k, v in mark.items()} for mark in marks]
    here = [mark for mark in marks if all((frame[name] == mark[name]).any() for name in mark if name not in drawn)]
    places = [(_place(x, mark[x.name]), _place(y, mark[y.name])) for mark in here]
    return [place for place in places if not any(map(math.isnan, place))]


def _place(axis: Axis, value: float) -> float:
    """Where a value is among the levels, counted from the first; NaN if that cannot be said."""
    if value in axis.levels:
        return float(axis.levels.index(value))
    numbers = [(level, k) for k, level in enumerate(axis.levels) if isinstance(level, (int, float))]
    known = [(np.log(level), k) for level, k in numbers if 0 < level < math.inf]
    if not 0 < value < math.inf or len(known) < 2:
        return math.nan
    logs, places = np.array(sorted(known)).T
    k = int(np.clip(np.searchsorted(logs, np.log(value)), 1, len(logs) - 1))  # beyond an end, on as before it
    part = (np.log(value) - logs[k - 1]) / (logs[k] - logs[k - 1])
    place = float(places[k - 1] + part * (places[k] - places[k - 1]))
    return place if min(places) - 0.5 <= place <= max(places) + 0.5 else math.nan  # as far as the map goes


def columns_of(frame: pd.DataFrame, axes: list[Axis]) -> tuple[pd.Series, list[str]]:
    """The words of each row's column, and all columns in order."""
    texts, axis = combined(frame, axes, "col")
    return texts, list(axis.levels)


def few(levels: list, most: int = MAX_HUES) -> list:
    """At most so many of the levels, evenly spaced, with the first and the last."""
    if len(levels) <= most:
        return levels
    return [levels[i] for i in np.linspace(0, len(levels) - 1, most).round().astype(int)]

"""A figure that someone asked for: columns in roles, and one mark.

point     median and quartiles at the end of runs, against levels of x
line      the same along the runs, against a clock
scatter   one point a run
path      one point a snapshot, in the plane of two measures
heat      the median as a colour, against x and hue
"""

import math
from dataclasses import replace

import numpy as np
import pandas as pd

from implicitbias.errors import InputError
from implicitbias.figures import palette
from implicitbias.figures.axes import DATA, Axis, axis_of, full_batches, roles, varying
from implicitbias.figures.facets import (
    MOST_DOTS,
    MOST_SCATTERED,
    Facets,
    few,
    heats_of,
    hue_of,
    keys_of,
    panels,
    spread_orders,
)
from implicitbias.figures.parts import Figure as Drawn
from implicitbias.figures.parts import Panel
from implicitbias.figures.table import shifted, trajectories, values
from implicitbias.figures.words import label, norms, slug
from implicitbias.study.figures import MADE, SHIFTED, along
from implicitbias.study.filters import select
from implicitbias.study.keys import Figure

MANY = 600  # points that are drawn as dots
MAX_OWN = 30  # panels: more are too small to read on one page
VALUE = "_value"
_ROLES = ("x", "hue", "col", "row")


def own(figure: Figure, runs: pd.DataFrame, curves: pd.DataFrame | None) -> Drawn:
    """The figure of a request.

    Arguments
        figure  the request, as in a study file
        runs    the runs that ended ok, as from `table.with_parameters(label_runs(...))`
        curves  their snapshots, where it looks along the runs

    Errors: ``InputError`` if no run matches, a role names a column that these runs do not have, or x does not vary.
    """
    chosen = select(runs, figure.where) if figure.where else runs
    if chosen.empty:
        raise InputError("no run that ended ok matches the figure's where")
    if not any("limit" in str(getattr(figure, role)) for role in (*_ROLES, "y")) and "limit_method" in chosen:
        chosen = trajectories(chosen)
    chosen = full_batches(chosen)
    count, of_each = len(chosen), "One point a run."
    cloud = figure.y[0] in chosen and chosen[figure.y[0]].map(np.size).max() > 1
    if cloud:
        of_each = f"{chosen[figure.y[0]].map(np.size).max()} points a run."
        chosen = chosen.explode(figure.y[0], ignore_index=True).dropna(subset=figure.y[0])
        chosen = chosen.astype({figure.y[0]: float})
    if SHIFTED in [getattr(figure, role) for role in _ROLES]:
        chosen = chosen.assign(**{SHIFTED: shifted(chosen, figure.y[0])})
    figure = _complete(figure, chosen)
    missing = [getattr(figure, role) for role in _ROLES]
    missing = [name for name in missing if name not in (None, "measure") and not _known(name, chosen, curves)]
    if missing:
        raise InputError([f"these runs have no {name!r}" for name in missing])
    if figure.x and not along(figure) and figure.x not in (*chosen, *MADE):  # a formula
        chosen = chosen.assign(**{figure.x: values(figure.x, chosen)})
    frame = _joined(chosen, curves) if along(figure) else chosen
    if "measure" in (figure.x, figure.hue, figure.col, figure.row):
        frame, measures, words = _melted(figure, frame)
    else:
        measures, words = list(figure.y), ""
    title = norms(figure.title) or _title(figure)
    name = slug(figure.title or _title(figure))
    left = _not_told(figure, chosen)
    caption = f"{count} runs. " + (
        f"Median, and band or bars from the lower to the upper quartile, over {left or 'seeds'}."
        if figure.mark not in ("scatter", "path")
        else of_each
        if figure.mark == "scatter"
        else "One point a snapshot."
    )
    if figure.mark == "heat":
        parts = []
        for words_of_row, part in _split(frame, figure.row):
            texts, cols = _columns(part, figure.col)
            parts += [(", ".join(filter(None, [words_of_row, col])), part[texts == col]) for col in cols]
        parts = [(head, part) for head, part in parts if len(part)]
        if len(parts) > MAX_OWN:
            raise InputError(_crowded(len(parts)))
        axes = axis_of(frame, figure.x), axis_of(frame, figure.hue)
        if figure.written:
            caption += " A frame is around the largest of each row."
        return heats_of(parts, measures[0], *axes, name, title, caption, figure.marks, figure.written, words)
    looks = palette.methods(runs)
    axes = [axis_of(frame, name) for name in (figure.hue, figure.col, figure.row) if name is not None]
    frame = spread_orders(frame, axes)
    dots = max(1.0, 3.0 * math.sqrt(MANY / len(frame))) if cloud or len(frame) > MANY else 0.0
    most = MOST_DOTS if dots else MOST_SCATTERED
    points = figure.mark in ("scatter", "path")
    if points and len(frame) > most:
        frame = frame.sample(most, random_state=0).sort_index()
        caption += f" {most} are drawn, chosen by a fixed seed."
    hue = hue_of(frame, [axis_of(frame, figure.hue)] if figure.hue else [], looks)
    if len(hue.levels) > 7:
        caption += f" 7 of {len(hue.levels)} levels of {hue.title or label(figure.hue)} are drawn."
        hue = replace(hue, levels=few(hue.levels))
    x = figure.x if along(figure) or points else axis_of(frame, figure.x)
    drawn, columns, of = [], 1, None
    for words_of_row, part in _split(frame, figure.row):
        texts, cols = _columns(part, figure.col)
        keys = replace(hue, keys=hue.keys.loc[part.index])
        of = Facets(part, measures, x, keys, texts, cols, along(figure) and not points, points,
                    lambda measure: _limit_of(measure, frame), figure.yscale, figure.xscale, dots=dots)  # fmt: skip
        for row in panels(of):
            row = [panel for panel in row if panel is not None and panel.series]
            columns = max(columns, len(row))
            drawn += [_named(panel, words_of_row, words) for panel in row]
    if not drawn:
        raise InputError(f"there is nothing to draw: no run has {' or '.join(figure.y)} and {figure.x}")
    if len(drawn) > MAX_OWN:
        raise InputError(_crowded(len(drawn)))
    keys, keys_title = keys_of(of, [drawn])
    columns = columns if 1 < columns <= 3 else min(3, len(drawn)) if columns == 1 else 2 if columns == 4 else 3
    return Drawn(name, title, caption, drawn, keys, keys_title, columns)


def _crowded(count: int) -> str:
    return f"the figure would have {count} panels, and {MAX_OWN} can be read: use where or hue"


def untold(figure: Figure, runs: pd.DataFrame) -> str:
    """The axes that vary and have no role, as a sentence; empty if there are none."""
    chosen = full_batches(select(runs, figure.where) if figure.where else runs)
    if not len(chosen):
        return ""
    left = _not_told(_complete(figure, chosen), chosen)
    return f"not told apart: {left} (give them a role with hue=, col= or row=, or choose with where)" if left else ""


def _complete(figure: Figure, runs: pd.DataFrame) -> Figure:
    """The figure with what it leaves open: x by what varies, the mark by x, several measures in rows."""
    changes: dict = {}
    x = figure.x
    if x is None:
        found = roles(runs).x
        x = "step" if figure.mark == "line" or found is None else found.name
        if x == "step" and "time" in runs and runs["time"].notna().any():
            x = "sum_lr"
        changes["x"] = x
    figure = figure.model_copy(update=changes)
    if figure.mark is None:
        mark = "line" if along(figure) else "scatter" if _measured(x, runs) else "point"
        figure = figure.model_copy(update={"mark": mark})
    told = "measure" in (figure.x, figure.hue, figure.col, figure.row)
    if figure.mark == "heat" and (figure.hue is None or (len(figure.y) > 1 and not told)):
        raise InputError(
            'a heat map has x and hue on its axes: give hue, and one y, or several with "measure" as one of the roles'
        )
    return figure


def _measured(x: str, runs: pd.DataFrame) -> bool:
    """Whether x is a number that runs measure, and no level that a study gives."""
    if x == SHIFTED or (x in runs and runs[x].dtype.kind not in "fiub"):
        return False
    return x not in {axis.name for axis in varying(runs)} and x not in ("data_seed", "seed") and (
        x not in runs or runs[x].nunique() > 12
    )  # fmt: skip


def _known(name: str, runs: pd.DataFrame, curves: pd.DataFrame | None) -> bool:
    from implicitbias.study.formula import columns

    names = {*runs.columns, *(() if curves is None else curves.columns)}
    return name in names or set(columns(name) or [name]) <= names


def _joined(runs: pd.DataFrame, curves: pd.DataFrame | None) -> pd.DataFrame:
    if curves is None:
        raise InputError("a table of runs has no snapshots: give the results folder, or runs")
    of = runs[[name for name in runs if name not in curves or name == "run_id"]]
    return curves.merge(of, on="run_id").sort_values("step", kind="stable", ignore_index=True)


def _melted(figure: Figure, frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str], str]:
    """A row for each measure, which then is a level like any other; and what they have in common."""
    names, words = _told_apart([label(name) for name in figure.y])
    parts = [frame.assign(measure=name, **{VALUE: values(y, frame)}) for name, y in zip(names, figure.y)]
    return pd.concat(parts, ignore_index=True), [VALUE], words or "value"


def _told_apart(labels: list[str]) -> tuple[list[str], str]:
    """The words in which labels differ, and those that they share.

    >>> _told_apart(["cosine to ℓ₁ (increment)", "cosine to ℓ₂ (increment)"])
    (['ℓ₁', 'ℓ₂'], 'cosine to … (increment)')
    """
    rows = [text.split() for text in labels]
    if len(rows) < 2:
        return labels, labels[0]
    shortest = min(map(len, rows)) - 1
    first = next((i for i in range(shortest) if len({row[i] for row in rows}) > 1), shortest)
    last = next((i for i in range(shortest - first) if len({row[-1 - i] for row in rows}) > 1), shortest - first)
    names = [" ".join(row[first : len(row) - last]).strip(",") for row in rows]
    listed = " ".join(rows[0][:first]).endswith(",")
    shared = [*rows[0][:first], *["…"] * (last > 0 and not listed), *rows[0][len(rows[0]) - last :]]
    return names, " ".join(shared).removesuffix(" to").strip(",")


def _split(frame: pd.DataFrame, row: str | None):
    if row is None:
        return [("", frame)]
    axis = axis_of(frame, row)
    return [(axis.words(level), frame[frame[row] == level]) for level in axis.levels]


def _columns(frame: pd.DataFrame, col: str | None) -> tuple[pd.Series, list[str]]:
    if col is None:
        return pd.Series("", frame.index), [""]
    axis = axis_of(frame, col)
    return frame[col].map(lambda level: "" if _missing(level) else axis.words(level)), [*map(axis.words, axis.levels)]


def _missing(level) -> bool:
    return level is None or (isinstance(level, float) and math.isnan(level))


def _named(panel: Panel, row: str, words: str) -> Panel:
    title = ", ".join(filter(None, [row, panel.title]))
    return replace(panel, title=title, ylabel=words or panel.ylabel)


def _limit_of(measure: str, frame: pd.DataFrame) -> str | None:
    kind, _, norm = measure.removeprefix("inc_").partition("_")
    name = f"limit_{kind}_{norm}"
    return name if kind in ("cos", "ratio") and name in frame else None


def _not_told(figure: Figure, runs: pd.DataFrame) -> str:
    """The axes that vary and have no role: the quartiles are over them."""
    told = {getattr(figure, role) for role in _ROLES}
    told |= {"lr_eta"} if SHIFTED in told else set()
    rows = runs
    for name in told - {None, "measure"}:
        if name in rows and name not in ("method", "geometry"):
            rows = rows.assign(**{name: rows[name].astype(object)})
    left = [axis for axis in varying(runs) if axis.name not in told]
    if "method" in told:
        left = [axis for axis in left if axis.name in ("batch", "order", *DATA) or axis.name[:5] == "data."]
    if "geometry" in told:
        left = [axis for axis in left if axis.name not in DATA and axis.name[:5] != "data."]
    left = [axis for axis in left if _within(runs, axis, told - {None, "measure"})]
    return ", ".join(axis.name for axis in left)


def _within(runs: pd.DataFrame, axis: Axis, told: set) -> bool:
    """Whether an axis varies among runs that are alike in all that is told apart."""
    names = [name for name in told if name in runs]
    if not names:
        return True
    return bool((runs.groupby(names, dropna=False)[axis.name].nunique() > 1).any())


def _title(figure: Figure) -> str:
    by = "".join(f", {role} {getattr(figure, role)}" for role in ("hue", "col", "row") if getattr(figure, role))
    return f"{', '.join(figure.y)} against {figure.x}{by}"

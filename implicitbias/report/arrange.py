"""What the figures show: which runs, on which sheets, in which columns, told apart by which colour.

A study with more levels than a figure holds is shown in part, by a fixed rule that the caption states.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from implicitbias.report.tables import FULL, of_order, predicted

MAIN_ORDER = "reshuffle"
MAX_SHEETS = 4  # images of one kind; the page stays below 5 MB
MAX_COLUMNS = 6
MAX_LINES = 8
MAX_POINTS = 2000  # of a scatter


@dataclass(frozen=True)
class Facets:
    """One sheet: the runs on it, its columns as (title, runs), and what it is of."""

    title: str
    columns: list[tuple[str, pd.DataFrame]]
    colour: str  # the axis that colours tell apart: "batch" or "method"
    note: str  # what the reader must know of the choice

    def shown(self) -> set:
        """The levels of the colour axis on the sheet."""
        return {level for _, part in self.columns for level in part[self.colour]}


def against_batch(ok: pd.DataFrame, most: int) -> list[Facets]:
    """The sheets of the figure against batch size: columns are orders, or geometries in a study of one order.

    Arguments
        ok    the runs that ended ok
        most  methods on a sheet
    """
    column = "order" if len(_orders(ok)) > 1 else "geometry"
    parts = [of_order(ok, order) for order in _orders(ok)]
    note = " Full batches, which have no order, are in every panel." if _has_full(ok) else ""
    return _sheets(ok if column == "order" else pd.concat(parts), column, "method", note, most)


def against_steps(ok: pd.DataFrame) -> list[Facets]:
    """Which runs the figures against updates show, and on which sheets.

    Colour is the batch size, or the method in a study of one batch size. Columns are the first of method, order and
    geometry that is left and varies; sheets are the geometries. What then still varies stays at one level: of the
    orders, "reshuffle" if a geometry has it, otherwise its first.
    """
    colour = "batch" if ok["batch"].nunique() > 1 else "method"
    counts = {"method": ok["method"].nunique(), "order": len(_orders(ok)), "geometry": ok["geometry"].nunique()}
    column = next((axis for axis, count in counts.items() if count > 1 and axis != colour), "geometry")
    note = ""
    parts = [part for _, part in ok.groupby("geometry", sort=False)]
    if column != "order":
        kept = [MAIN_ORDER if MAIN_ORDER in _orders(part) else _orders(part)[0] for part in parts]
        parts = [of_order(part, order) for part, order in zip(parts, kept)]
        if counts["order"] > 1:
            full = ", and full batches" if _has_full(ok) else ""
            note += f" Shown: order {' or '.join(dict.fromkeys(kept))}{full}; other orders are in the tables."
    if colour == "batch":
        shown = [spread(levels(part, "batch"), MAX_LINES) for part in parts]
        if any(len(few) < part["batch"].nunique() for few, part in zip(shown, parts)):
            note += f" At most {MAX_LINES} batch sizes of a data set are shown, evenly spaced."
        parts = [part[part["batch"].isin(few)] for few, part in zip(shown, parts)]
    return _sheets(pd.concat(parts), column, colour, note, MAX_LINES)


def against_prediction(ok: pd.DataFrame) -> list[Facets]:
    """The runs of the scatter, those with a predicted limit: one column, on a sheet for each few methods.

    More than MAX_POINTS runs are thinned at random, by a fixed seed: an even choice could miss every second seed.
    """
    runs, note = predicted(ok), ""
    if len(runs) > MAX_POINTS:
        kept = np.random.default_rng(0).choice(len(runs), MAX_POINTS, replace=False)
        note = f" {MAX_POINTS} of {len(runs)} runs are drawn, chosen by a fixed seed."
        runs = runs.iloc[np.sort(kept)]
    if runs.empty:
        return []
    pieces = _chunks(levels(runs, "method"), MAX_LINES)
    if len(pieces) > MAX_SHEETS:
        note += f" The first {MAX_SHEETS} of {len(pieces)} such figures are shown."
    return [
        Facets(f"part {i + 1}" if len(pieces) > 1 else "", [("", runs[runs["method"].isin(piece)])], "method", note)
        for i, piece in enumerate(pieces[:MAX_SHEETS])
    ]


def levels(runs: pd.DataFrame, axis: str) -> list:
    """The values on an axis: batch sizes ascending, names in the order of the study."""
    found = runs[axis].unique().tolist()
    return sorted(found) if axis == "batch" else found


def _orders(runs: pd.DataFrame) -> list[str]:
    """The orders of batches; full batches have none, so they count as one only where they are alone."""
    found = levels(runs, "order")
    return [order for order in found if order != FULL] or found


def spread(items: list, most: int) -> list:
    """At most `most` of the items, evenly spaced, with the first and the last."""
    if len(items) <= most:
        return items
    return [items[i] for i in np.linspace(0, len(items) - 1, most).round().astype(int)]


def _chunks(items: list, most: int) -> list[list]:
    """Consecutive pieces of nearly equal length, none longer than `most`."""
    return [piece.tolist() for piece in np.array_split(np.array(items, object), -(-len(items) // most))]


def _has_full(runs: pd.DataFrame) -> bool:
    return runs["order"].nunique() > 1 and bool((runs["order"] == FULL).any())


def _partly(shown: int, total: int, what: str) -> str:
    return f" {shown} of {total} {what} are shown, evenly spaced in the order of the study." if shown < total else ""


def _sheets(runs: pd.DataFrame, column: str, colour: str, note: str, most: int) -> list[Facets]:
    """Sheets with one axis as columns: a sheet a geometry, unless the geometries are the columns.

    What does not fit, more than MAX_COLUMNS columns or more methods than `most` colours, goes to further sheets, the
    first part of every geometry before the second of any.
    """
    geometries = [None] if column == "geometry" else spread(levels(runs, "geometry"), MAX_SHEETS)
    if column != "geometry":
        note += _partly(len(geometries), runs["geometry"].nunique(), "data sets")
    found = []
    for geometry in geometries:
        part = runs if geometry is None else runs[runs["geometry"] == geometry]
        lines = _chunks(levels(part, "method"), most) if colour == "method" else [levels(part, "method")]
        names = _orders(part) if column == "order" else levels(part, column)
        pieces = [(shown, piece) for shown in lines for piece in _chunks(names, MAX_COLUMNS)]
        for number, (shown, piece) in enumerate(pieces):
            title = ", ".join(filter(None, [geometry, f"part {number + 1}" if len(pieces) > 1 else ""]))
            those = part[part["method"].isin(shown)]
            columns = [
                (level, of_order(those, level) if column == "order" else those[those[column] == level])
                for level in piece
            ]
            found.append((number, Facets(title, columns, colour, note)))
    found.sort(key=lambda item: item[0])
    if len(found) > MAX_SHEETS:
        text = f"{note} The first {MAX_SHEETS} of {len(found)} such figures are shown."
        found = [(0, replace(sheet, note=text)) for _, sheet in found[:MAX_SHEETS]]
    return [sheet for _, sheet in found]

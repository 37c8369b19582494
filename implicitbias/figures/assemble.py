"""Panels to figures: panels with one x, empty ones, and those that repeat another are not drawn, and the caption says
so; what does not fit on one figure becomes one for each measure."""

from dataclasses import replace

import numpy as np

from implicitbias.figures.axes import MAX_PANELS
from implicitbias.figures.facets import Facets, keys_of, panels
from implicitbias.figures.parts import TICK, Figure, Panel
from implicitbias.figures.words import number

SAME = 0.012  # of the height of a panel: lines nearer than that cannot be told apart
STILL = 1e-3  # of a cosine or margin: less than that is no movement


def assemble(of: Facets, name: str, title: str, caption: str) -> list[Figure]:
    """The figure, or one for each measure where all panels do not fit on one; none where there is nothing to see."""
    rows = panels(of)
    keep = [any(row[i] is not None and _says(row[i]) for row in rows) for i in range(len(of.cols))]
    notes = list(of.notes)
    alone = [name for name, kept in zip(of.cols, keep) if not kept and name]
    rows = [[panel for panel, kept in zip(row, keep) if kept] for row in rows]
    if alone and rows[0]:
        notes.append(f"Not drawn, as one value on the axis says nothing: {_listed(alone)}.")
    if not rows[0]:
        return []
    rows, merged = _merged(rows)
    rows, still = _moving(rows)
    notes += [*merged, *still]
    if not rows:
        return []
    if len(rows[0]) > MAX_PANELS:
        chosen = np.unique(np.linspace(0, len(rows[0]) - 1, MAX_PANELS).round().astype(int))
        notes.append(f"{MAX_PANELS} of {len(rows[0])} panels are drawn, evenly spaced.")
        rows = [[row[i] for i in chosen] for row in rows]
    rows = [row for row in rows if all(panel is not None for panel in row)]
    if not rows:
        return []
    keys, keys_title = keys_of(of, rows)
    text = " ".join([caption, *notes]).strip()
    wide = len(rows[0])
    if wide * len(rows) <= MAX_PANELS and wide <= 3:
        below = [replace(panel, title="") if wide > 1 else panel for row in rows[1:] for panel in row]
        shown = [*rows[0], *below]
        columns = wide if wide > 1 else min(3, len(rows))
        return [Figure(name, title, text, shown, keys, keys_title, columns)]
    columns = 2 if wide in (2, 4) else 3
    several = len(rows) > 1
    return [
        Figure(f"{name}-{measure}" if several else name, f"{title}, {row[0].ylabel}" if several else title, text,
               row, keys, keys_title, columns)
        for measure, row in zip(of.measures, rows)
    ]  # fmt: skip


def _listed(names: list[str]) -> str:
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")


def _says(panel: Panel) -> bool:
    """Whether a panel has more than one value on its axis."""
    x = {round(float(value), 1) for series in panel.series for value in series.x} if panel.xticks else None
    if panel.xticks:
        nearest = {min(panel.xticks, key=lambda tick, v=v: abs(tick - v)) for v in x}
        return len(nearest) > 1
    return any(len(series.x) > 1 for series in panel.series) or len(panel.series) > 1


def _merged(rows: list[list[Panel]]) -> tuple[list[list[Panel]], list[str]]:
    """Columns that show the same are drawn once, and named together."""
    count, groups = len(rows[0]), []
    for i in range(count):
        for group in groups:
            if all(_alike(row[group[0]], row[i], row) for row in rows):
                group.append(i)
                break
        else:
            groups.append([i])
    notes = [
        f"{_listed([rows[0][i].title for i in group])} look the same and are drawn once."
        for group in groups
        if len(group) > 1
    ]
    titles = [", ".join(filter(None, [rows[0][i].title for i in group][:3])) + ", …" * (len(group) > 3)
              for group in groups]  # fmt: skip
    found = [
        [row[group[0]] and replace(row[group[0]], title=text) for group, text in zip(groups, titles)] for row in rows
    ]
    return found, notes


def _moving(rows: list[list[Panel]]) -> tuple[list[list[Panel]], list[str]]:
    """Without the measures that are the same everywhere, which a sentence says as well."""
    kept, notes = [], []
    for row in rows:
        y = np.concatenate([s.y for panel in row if panel for s in panel.series if s.marker != TICK] or [np.zeros(1)])
        log = row[0] is not None and row[0].yscale == "log"
        same = y.max() <= 1.05 * y.min() if log else np.ptp(y) < STILL
        if same and not any(panel and panel.series and panel.series[0].low is None for panel in row):
            words = row[0].ylabel if row[0] else ""
            below = log and row[0].floor and y.max() <= row[0].floor
            notes.append(
                f"Not drawn: {words} is {'at most ' * bool(below)}{number(float(f'{y.mean():.3g}'))} throughout."
            )
        else:
            kept.append(row)
    return kept, notes


def _alike(a: Panel | None, b: Panel | None, row: list[Panel]) -> bool:
    if a is None or b is None:
        return a is b
    if a.xticks != b.xticks or len(a.series) != len(b.series) or not a.xticks:
        return False
    everything = np.concatenate([s.y for panel in row if panel for s in panel.series])
    log = a.yscale == "log"
    if log:
        everything = np.log10(everything[everything > 0])
    height = max(float(np.ptp(everything)), 0.3 if log else 0.01) if len(everything) else 1.0
    for one, other in zip(a.series, b.series):
        same = one.colour == other.colour and one.marker == other.marker and len(one.x) == len(other.x)
        if not same or not np.allclose(one.x, other.x):
            return False
        y, z = (np.log10(s.y) if log else s.y for s in (one, other))
        if np.abs(y - z).max(initial=0.0) > SAME * height:
            return False
    return True

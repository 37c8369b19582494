"""Names at the ends of lines, in the place of a legend, where a figure is one panel of a few lines that end apart."""

from dataclasses import dataclass

import numpy as np

from implicitbias.figures.parts import TICK, Figure, Key, Panel
from implicitbias.figures.words import plain

MOST = 5  # lines
LINE, CHARACTER = 0.13, 0.058  # inches of a line of words, and of a letter
FARTHEST = 1.5  # lines by which words may be beside the end of theirs
PART = 0.3  # of the width that words may take


@dataclass(frozen=True)
class End:
    """Words in the colour of a line, at a height of the panel from 0 to 1."""

    height: float
    text: str
    colour: str


def ends(figure: Figure, limits: tuple[float, float], width: float, height: float) -> list[End]:
    """The words at the right of the panel; none where a legend says it better.

    Arguments
        limits         of the y axis
        width, height  of the panel, in inches
    """
    keys = [key for key in figure.keys if key.marker != TICK]
    if len(figure.panels) != 1 or len(keys) != len(figure.keys) or not 2 <= len(keys) <= MOST:
        return []
    panel = figure.panels[0]
    found = [_end(panel, key, limits) for key in keys]
    room = max(len(key.text) for key in keys) * CHARACTER
    if None in found or panel.heat or room > PART * width or len({key.colour for key in keys}) < len(keys):
        return []
    order = np.argsort(found)
    places = _apart(np.array(found)[order], LINE / height)
    if np.abs(places - np.array(found)[order]).max() > FARTHEST * LINE / height:
        return []
    return [End(float(place), plain(keys[i].text), keys[i].colour) for place, i in zip(places, order)]


def _end(panel: Panel, key: Key, limits: tuple[float, float]) -> float | None:
    """Where the one line of a key ends, as a part of the y axis; it ends where the panel does."""
    lines = [series for series in panel.series if (series.colour, series.style) == (key.colour, key.style)]
    last = max((series.x[-1] for series in panel.series if len(series.x)), default=np.nan)
    if len(lines) != 1 or key.style in ("", "none") or not len(lines[0].x) or lines[0].x[-1] != last:
        return None
    low, high, y = *limits, lines[0].y[-1]
    if panel.yscale == "log":
        if not y > 0:
            return None
        low, high, y = np.log10([low, high, y])
    place = (y - low) / (high - low)
    return float(place) if 0 <= place <= 1 else None


def _apart(places: np.ndarray, least: float) -> np.ndarray:
    """Ascending places, moved as little as needed for all to be so far from each other and inside of 0 to 1.

    >>> _apart(np.array([0.5, 0.52, 0.9]), 0.1).round(2)
    array([0.46, 0.56, 0.9 ])
    """
    groups: list[list[float]] = []
    for place in places:
        groups.append([place])
        while len(groups) > 1 and _middle(groups[-1]) - _middle(groups[-2]) < least * sum(map(len, groups[-2:])) / 2:
            last = groups.pop()
            groups[-1] += last
    found = [
        np.clip(_middle(group), least * (len(group) - 1) / 2, 1 - least * (len(group) - 1) / 2)
        + least * (np.arange(len(group)) - (len(group) - 1) / 2)
        for group in groups
    ]
    return np.concatenate(found)


def _middle(group: list[float]) -> float:
    return float(np.mean(group))

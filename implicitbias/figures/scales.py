"""Limits and ticks of the axes of a figure, and the room that they take; inches of the printed page."""

import textwrap

import numpy as np

from implicitbias.figures.parts import Panel, Series
from implicitbias.figures.words import decades, number, plain, power


def compared(panel: Panel, axis: str) -> tuple:
    """What panels with the same limits on an axis have in common."""
    own = panel.title if panel.own else ""
    return (axis, *((panel.xlabel, panel.xscale) if axis == "x" else (panel.ylabel, panel.yscale)), own)


def limits_of(panels: list[Panel]) -> dict:
    """The limits of every axis: panels with the same words on an axis are compared, and share them."""
    found: dict = {}
    for panel in panels:
        for axis in "xy":
            parts = found.setdefault(compared(panel, axis), [])
            parts += [_extent(series, axis) for series in panel.series]
        edges = [edge for bound in panel.bounds for edge in (bound.low, bound.high)]
        parts.append(np.array([edge for edge in edges if np.isfinite(edge)], float))
        parts += [guide.y[-1:] for guide in panel.guides]
    return {key: _room(np.concatenate([np.empty(0), *parts]), key[2]) for key, parts in found.items()}


def _extent(series: Series, axis: str) -> np.ndarray:
    if axis == "x":
        return np.asarray(series.x, float)
    whole = [series.y] + ([] if series.low is None else [series.low, series.high])
    return np.concatenate([np.asarray(part, float) for part in whole])


def _room(values: np.ndarray, scale: str) -> tuple[float, float]:
    values = values[np.isfinite(values)]
    if scale == "log":
        values = np.log10(values[values > 0])
    if not len(values):
        return (1.0, 10.0) if scale == "log" else (0.0, 1.0)
    low, high = float(values.min()), float(values.max())
    least = 0.1 if scale == "log" else 1e-3 * max(abs(low), abs(high), 1e-9)
    margin = 0.05 * (high - low) + (0.5 * least if high - low < least else 0.0)
    low, high = low - margin, high + margin
    with np.errstate(over="ignore", under="ignore"):
        return (10.0**low, 10.0**high) if scale == "log" else (low, high)


def set_ticks(ax, panel: Panel, ticks: dict, width: float) -> None:
    from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, MaxNLocator, NullLocator

    def fixed(axis, found: dict):
        axis.set_major_locator(FixedLocator(list(found)))
        axis.set_major_formatter(FixedFormatter([plain(text) for text in found.values()]))
        axis.set_minor_locator(NullLocator())

    if panel.xticks:
        fixed(ax.xaxis, ticks)
        if _tilted(ticks, width):
            for text in ax.get_xticklabels():
                text.set(rotation=30, ha="right", rotation_mode="anchor")
    elif panel.logs:
        low, high = ax.get_xlim()
        fixed(
            ax.xaxis, {float(k * np.log(10.0)): power(k) for k in _exponents(low / np.log(10.0), high / np.log(10.0))}
        )
    elif panel.xscale == "log":
        fixed(ax.xaxis, decades(*ax.get_xlim(), max(2, int(width / 0.42))))
    else:
        ax.xaxis.set_major_locator(MaxNLocator(max(2, min(5, int(width / 0.45)))))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(float(f"{value:.8g}"))))
    if panel.yscale == "log":
        found = decades(*ax.get_ylim())
        if panel.floor:  # in place of ticks that it would touch
            low, high = np.log10(ax.get_ylim())
            near = 0.1 * (high - low)
            found = {tick: text for tick, text in found.items() if np.log10(tick / panel.floor) > near}
            found[panel.floor] = f"≤{power(round(np.log10(panel.floor)))}"
        fixed(ax.yaxis, found)
    else:
        ax.yaxis.set_major_locator(MaxNLocator(5))
        low, high = ax.get_ylim()
        if max(abs(low), abs(high)) >= 1e4:
            ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(float(f"{value:.8g}"))))


def _exponents(low: float, high: float) -> list[int]:
    """Powers of ten for an axis on which their logarithms are spread: evenly, or by factors where they are many."""
    if high < 4.0 * low:
        whole = range(int(np.ceil(low)), int(high) + 1)
        return list(whole)[:: max(1, -(-len(whole) // 4))]
    found = [k for k in (1, 3, 10, 30, 100, 300) if low <= k <= high]
    return found if len(found) > 1 else [k for k in (1, 2, 3, 5, 7, 10, 20, 30, 50, 70, 100, 200) if low <= k <= high]


def tick_words(panel: Panel, width: float) -> dict[float, str]:
    """The ticks of levels: words in lines where they fit, numbers left out where they would touch."""
    if not panel.xticks:
        return {}
    places, span = sorted(panel.xticks), max(panel.xticks) - min(panel.xticks)
    if span == 0:
        return dict(panel.xticks)
    scale = 0.89 * width / span
    if any(len(panel.xticks[place]) > 7 for place in places):
        room = int(0.92 * width / len(places) / 0.058)
        if len(places) <= 12:
            longest = max(len(word) for place in places for word in panel.xticks[place].split())
            fits = longest <= room
            return {place: textwrap.fill(text, room) if fits else _cut(text)
                    for place, text in sorted(panel.xticks.items())}  # fmt: skip
    kept = [places[-1]]
    for place in places[:-1]:
        widths = 0.029 * (len(panel.xticks[place]) + len(panel.xticks[kept[-2 if len(kept) > 1 else -1]])) + 0.05
        end = 0.029 * (len(panel.xticks[place]) + len(panel.xticks[places[-1]])) + 0.05
        if (len(kept) == 1 or scale * (place - kept[-2]) >= widths) and scale * (places[-1] - place) >= end:
            kept.insert(len(kept) - 1, place)
    return {place: panel.xticks[place] for place in kept}


def _cut(text: str, most: int = 26) -> str:
    """A word is cut where it is too long; `textwrap.shorten` would leave nothing of it."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _tilted(ticks: dict[float, str], width: float) -> bool:
    if len(ticks) < 2:
        return False
    longest = max(len(line) for text in ticks.values() for line in text.split("\n"))
    return longest > 7 and longest * 0.058 > 0.95 * width / len(ticks)


def tick_room(ticks: dict[float, str], width: float) -> float:
    lines = max((text.count("\n") for text in ticks.values()), default=0)
    longest = max((len(text) for text in ticks.values()), default=0)
    return 0.03 * longest if _tilted(ticks, width) else 0.11 * lines

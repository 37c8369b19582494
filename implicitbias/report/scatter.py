"""Drawing scatters: a row of plots, each with its own axes, to SVG or PNG bytes. Nothing here knows what a run is."""

from dataclasses import dataclass, field

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from implicitbias.report import draw
from implicitbias.report.draw import Key, Picture

# More points than this make an SVG heavier than a PNG.
MAX_SVG_POINTS = 600
_HEIGHT, _GAP = 3.5, 0.75  # inches
_LEAST_SPAN = 0.01  # of axes on which all points coincide


@dataclass(frozen=True)
class Cloud:
    """Points that look alike."""

    x: np.ndarray
    y: np.ndarray
    colour: str
    marker: str = "o"


@dataclass(frozen=True)
class Plot:
    """One plot; with `identity` its axes are equal and the line y = x is drawn."""

    xlabel: str
    ylabel: str
    clouds: list[Cloud] = field(default_factory=list)
    identity: bool = False
    xscale: str = "linear"
    yscale: str = "linear"
    xticks: dict[float, str] = field(default_factory=dict)
    floor: float | None = None  # what is less is drawn here


def draw_scatter(plots: list[Plot], keys: list[Key]) -> Picture:
    """The plots side by side, as an image."""
    points = sum(len(cloud.x) for plot in plots for cloud in plot.clouds)
    with matplotlib.rc_context(draw.STYLE):
        return draw.save(_figure(plots, keys), "svg" if points <= MAX_SVG_POINTS else "png")


def _figure(plots: list[Plot], keys: list[Key]) -> Figure:
    width = draw.WIDTH
    bottom = draw.BOTTOM + draw.legend_height(keys, width)
    height = 0.15 + _HEIGHT + bottom
    figure = Figure(figsize=(width, height))
    panel = (width - draw.LEFT - draw.RIGHT - (len(plots) - 1) * _GAP) / len(plots)
    axes = figure.subplots(1, len(plots), squeeze=False)[0]
    figure.subplots_adjust(
        draw.LEFT / width, bottom / height, 1 - draw.RIGHT / width, 1 - 0.15 / height, wspace=_GAP / panel
    )
    for ax, plot in zip(axes, plots, strict=True):
        _plot(ax, plot)
    draw.legend(figure, keys)
    return figure


def _plot(ax, plot: Plot) -> None:
    ax.set_xscale(plot.xscale)
    ax.set_yscale(plot.yscale)
    ax.set_xlabel(plot.xlabel)
    ax.set_ylabel(plot.ylabel)
    if plot.identity:
        values = np.concatenate([part for cloud in plot.clouds for part in (cloud.x, cloud.y)])
        low, high = values.min(), values.max()
        margin = max(0.05 * (high - low), _LEAST_SPAN / 2)
        ends = (low - margin, high + margin)
        ax.plot(ends, ends, color="#888888", linewidth=0.8, zorder=1)
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(MaxNLocator(5))
        ax.set(xlim=ends, ylim=ends)
    for cloud in plot.clouds:
        y = cloud.y if plot.floor is None else np.maximum(cloud.y, plot.floor)
        ax.plot(
            cloud.x, y, linestyle="", marker=cloud.marker, markersize=4.6, color=cloud.colour,
            markerfacecolor="none", markeredgewidth=0.9, alpha=0.75,
        )  # fmt: skip
    for axis, scale in ((ax.xaxis, plot.xscale), (ax.yaxis, plot.yscale)):
        if scale == "log":
            draw.decades(axis)
    if plot.xticks:
        ax.set_xticks(list(plot.xticks), [draw.plain(text, 18) for text in plot.xticks.values()])

"""Drawing: panels of lines with bands, to SVG or PNG bytes. Nothing here knows what a run is.

Only Figure objects, no pyplot: no display, no state left behind. The same input gives the same bytes.
"""

import functools
import io
import re
import textwrap
from dataclasses import dataclass, field

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont
from matplotlib.ft2font import FT2Font
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

# Okabe and Ito's palette without its yellow (too pale for a line): told apart by the colour-blind.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C8C8C")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
TICK = "_"  # a short horizontal line, wider than every other marker
# More lines than this make an SVG heavier and slower to show than a PNG.
MAX_SVG_LINES = 40
MAX_TEXT = 60  # characters of a title or an entry of the legend

_FONT = "DejaVu Sans"
# Inches. Margins are fixed, not fitted: fitting them draws every figure twice more.
WIDTH, LEFT, RIGHT, BOTTOM, TEXT_LINE = 12.6, 0.68, 0.12, 0.5, 0.19
_PANEL_WIDTH, _PANEL_HEIGHT, _GAP, _TEXT_WIDTH = 4.2, 2.3, 0.2, 0.07
STYLE = {
    "font.family": _FONT,
    "font.size": 8.5,
    "axes.titlesize": 8.5,
    "axes.labelsize": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#666666",
    "axes.linewidth": 0.7,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "legend.frameon": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "implicitbias",
}


@dataclass(frozen=True)
class Line:
    """One line with its band; x ascending."""

    x: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    colour: str
    style: str = "-"
    marker: str = ""
    hollow: bool = False
    band: str = "fill"  # or "bars", for a few separate x; or "" for none


@dataclass(frozen=True)
class Panel:
    title: str = ""
    lines: list[Line] = field(default_factory=list)


@dataclass(frozen=True)
class Key:
    """One entry of the legend."""

    text: str
    colour: str = "#333333"
    style: str = "-"
    marker: str = ""
    hollow: bool = False


@dataclass(frozen=True)
class Sheet:
    """A grid of panels that share both axes: rows of equal length, one label a row."""

    rows: list[list[Panel]]
    ylabels: list[str]
    xlabel: str
    keys: list[Key]
    xscale: str = "log"
    yscale: str = "linear"
    xticks: tuple = ()
    bottom: float | None = None
    floor: float | None = None  # what is less is drawn here
    top: float | None = None
    guide: float | None = None  # a horizontal line to compare with


@dataclass(frozen=True)
class Picture:
    """An image, "svg" or "png", and the width at which it is to be shown, in pixels of a page."""

    image: bytes
    kind: str
    width: int


def draw(sheet: Sheet) -> Picture:
    """The sheet as an image."""
    lines = sum(bool(line.style) for row in sheet.rows for panel in row for line in panel.lines)
    with matplotlib.rc_context(STYLE):
        return save(_figure(sheet), "svg" if lines <= MAX_SVG_LINES else "png")


def save(figure: Figure, kind: str) -> Picture:
    """The figure as an "svg" or a "png"; inside the context of STYLE."""
    width = round(96 * figure.get_figwidth())
    stream = io.BytesIO()
    if kind == "svg":
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
        return Picture(_rounded(stream.getvalue()), kind, width)
    figure.savefig(stream, format="png", dpi=125, metadata={"Software": None})
    return Picture(_indexed(stream), kind, width)


def _indexed(png: io.BytesIO) -> bytes:
    """The image in 256 colours: a third of the bytes, nothing to see."""
    from PIL import Image

    stream = io.BytesIO()
    with Image.open(png) as image:
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(stream, format="png", optimize=True)
    return stream.getvalue()


def _rounded(svg: bytes) -> bytes:
    """Coordinates of paths to a hundredth of a point: a third fewer bytes, nothing to see."""
    return re.sub(rb' d="[^"]*"', lambda path: re.sub(rb"(\.\d\d)\d+", rb"\1", path[0]), svg)


def _figure(sheet: Sheet) -> Figure:
    rows, columns = len(sheet.rows), len(sheet.rows[0])
    width = min(WIDTH, max(5.5, _PANEL_WIDTH * columns + 0.5))
    titles = [textwrap.fill(plain(panel.title), int(width / columns * 12)) for panel in sheet.rows[0]]
    top = 0.1 + TEXT_LINE * max(title.count("\n") + 1 for title in titles)
    bottom = BOTTOM + legend_height(sheet.keys, width)
    height = top + bottom + rows * _PANEL_HEIGHT + (rows - 1) * _GAP
    figure = Figure(figsize=(width, height))
    panel_width = (width - LEFT - RIGHT - (columns - 1) * _GAP) / columns
    spaces = {"wspace": _GAP / panel_width, "hspace": _GAP / _PANEL_HEIGHT}
    edges = {"left": LEFT / width, "right": 1 - RIGHT / width, "bottom": bottom / height, "top": 1 - top / height}
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False, gridspec_kw=edges | spaces)
    for row, label, panels in zip(axes, sheet.ylabels, sheet.rows, strict=True):
        for ax, panel in zip(row, panels, strict=True):
            _panel(ax, panel, sheet)
        row[0].set_ylabel(label)
        row[0].yaxis.set_label_coords(-0.5 / panel_width, 0.5)
    first = axes[0, 0]
    first.set_ylim(sheet.bottom, sheet.top)
    if sheet.yscale == "log":
        low, high = first.get_ylim()
        first.yaxis.set_major_locator(LogLocator(subs=(1.0,) if high / low > 50.0 else (1.0, 2.0, 5.0), numticks=7))
    for ax in axes[-1]:
        ax.set_xlabel(sheet.xlabel)
    for ax, title in zip(axes[0], titles, strict=True):
        ax.set_title(title)
    legend(figure, sheet.keys)
    return figure


def legend(figure: Figure, keys: list[Key]) -> None:
    """The legend below the panels, as high as `legend_height` says."""
    handles = [Line2D([], [], **_look(key), linewidth=1.6) for key in keys]
    columns = _legend_columns(keys, figure.get_figwidth())
    labels = [plain(key.text) for key in keys]
    figure.legend(handles, labels, loc="lower center", ncols=columns, handlelength=2.6, borderaxespad=0.2)


def legend_height(keys: list[Key], width: float) -> float:
    """Inches that the legend takes in a figure of a width."""
    return TEXT_LINE * -(-len(keys) // _legend_columns(keys, width))


def _legend_columns(keys: list[Key], width: float) -> int:
    """As many columns as fit: all entries in a row, or rows of columns as wide as the longest."""
    widths = [0.6 + _TEXT_WIDTH * min(len(key.text), MAX_TEXT) for key in keys]
    return len(keys) if sum(widths) <= width else max(1, int(width // max(widths)))


def _panel(ax, panel: Panel, sheet: Sheet) -> None:
    ax.set_xscale(sheet.xscale)
    ax.set_yscale(sheet.yscale)
    if sheet.guide is not None:
        ax.axhline(sheet.guide, color="#888888", linewidth=0.8, linestyle=(0, (1, 2)))
    if sheet.xticks and panel.lines:
        x = np.concatenate([line.x for line in panel.lines])
        if x.max() < 1.001 * x.min():  # one batch size alone gives an axis no width
            ax.set_xlim(min(sheet.xticks) / 1.2, max(sheet.xticks) * 1.2)
    for line in panel.lines:
        mean, low, high = (_visible(values, sheet) for values in (line.mean, line.low, line.high))
        if line.band and np.any(high > low):
            if line.band == "bars":
                ax.vlines(line.x, low, high, color=line.colour, linewidth=1.0, alpha=0.55)
            else:
                ax.fill_between(line.x, low, high, color=line.colour, alpha=0.15, linewidth=0)
        ax.plot(line.x, mean, **_look(line), linewidth=1.4)
    for axis, scale in ((ax.xaxis, sheet.xscale), (ax.yaxis, sheet.yscale)):
        if scale == "log":
            decades(axis)
    if sheet.xticks:
        ax.set_xticks(sheet.xticks, [f"{tick:g}" for tick in sheet.xticks])


def decades(axis) -> None:
    """Ticks of a logarithmic axis: at most seven powers of ten."""
    axis.set_major_locator(LogLocator(numticks=7))
    axis.set_major_formatter(FuncFormatter(_number))
    axis.set_minor_locator(NullLocator())


def _number(value: float, position: int) -> str:
    """A tick in plain text; matplotlib's own are mathematics, which takes longer than the lines."""
    exponent = np.log10(value) if value > 0 else 0.0
    if abs(exponent) < 2.5 or abs(exponent - round(exponent)) > 1e-9:
        return f"{value:g}"
    return "10" + str(round(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _look(item: Line | Key) -> dict:
    look = {"color": item.colour, "linestyle": item.style, "marker": item.marker, "markersize": 4.2}
    if item.marker == TICK:
        return look | {"markersize": 13.0, "markeredgewidth": 1.3}
    return look | {"markerfacecolor": "white"} if item.hollow else look


def _visible(values: np.ndarray, sheet: Sheet) -> np.ndarray:
    values = np.asarray(values, float)
    if sheet.floor is not None:
        values = np.maximum(values, sheet.floor)
    return np.where(values > 0, values, np.nan) if sheet.yscale == "log" else values


def plain(text: str, width: int = MAX_TEXT) -> str:
    """A user's text as matplotlib can draw it: no mathematics, no glyph the font lacks, not too long."""
    text = "".join(c if c.isprintable() and _has_glyph(c) else "?" for c in str(text))
    text = text if len(text) <= width else text[: width - 1] + "…"
    return text.replace("$", r"\$")


@functools.cache
def _font() -> FT2Font:
    return FT2Font(findfont(_FONT))


def _has_glyph(character: str) -> bool:
    return _font().get_char_index(ord(character)) != 0

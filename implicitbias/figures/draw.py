"""Drawing: a `Figure` to PDF, SVG or PNG. Nothing here knows what a run is.

Only matplotlib's Figure objects, no pyplot: no display, no state left behind. The same input gives the same bytes.
Sizes are inches of the printed page, type is 8 points there, and text stays text in SVG and PDF.
"""

import io
import re
import textwrap
from pathlib import Path

import numpy as np

from implicitbias.errors import InputError, one_of
from implicitbias.figures.ends import CHARACTER, ends
from implicitbias.figures.parts import DOTTED, TICK, Figure, Guide, Key, Panel, Series
from implicitbias.figures.scales import compared, limits_of, set_ticks, tick_room, tick_words
from implicitbias.figures.words import FONT, plain

WIDTHS = {"column": 3.4, "page": 7.0}  # inches: one and two columns of a paper
ALONE = 4.8  # of one panel, which would be too flat on a whole page
KINDS = ("pdf", "svg", "png")
DPI = 200
_BAR = 0.55  # inches of a panel for the bar of its colours, without its label
_LEFT, _GAP, _LABELLED, _TOP, _BOTTOM, _LINE, _CHARACTER = 0.52, 0.14, 0.68, 0.06, 0.4, 0.145, 0.0635
_HEIGHTS = {1: 2.7, 2: 2.1}  # of a panel, by panels in a row; otherwise
_HEIGHT = 1.75
_CELL = 0.2  # of a row of a heat map whose rows are all named
_THINNED = 12  # rows from which on only some are named, but for methods and written values
_LEGEND = 0.33  # inches of an entry besides its words
STYLE = {
    "font.family": FONT,
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7.5,
    "legend.title_fontsize": 7.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#666666",
    "axes.linewidth": 0.6,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#ebebeb",
    "grid.linewidth": 0.5,
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "implicitbias",
    "pdf.fonttype": 42,
}


def kind_of(path) -> str:
    """The format that a file name asks for. Errors: ``InputError`` for an extension that is none."""
    kind = Path(path).suffix.removeprefix(".").lower()
    if not kind:
        raise InputError(f"{path}: a figure is written as .pdf, .svg or .png, so its name needs one of these endings")
    if kind not in KINDS:
        raise InputError(f"{path}: {one_of(kind, 'kind of picture', KINDS)}")
    return kind


def image(figure, kind: str) -> bytes:
    """A drawn figure as the bytes of a "pdf", "svg" or "png"."""
    import matplotlib

    stream = io.BytesIO()
    nothing = {"pdf": {"CreationDate": None, "Creator": None, "Producer": None}, "png": {"Software": None}}
    with matplotlib.rc_context(STYLE):
        metadata = nothing.get(kind, {"Date": None, "Creator": None})
        figure.savefig(stream, format=kind, metadata=metadata, **({"dpi": DPI} if kind == "png" else {}))
    return _lighter(stream.getvalue()) if kind == "svg" else stream.getvalue()


def _lighter(svg: bytes) -> bytes:
    """Coordinates to a hundredth of a point, and a font of the same widths where DejaVu is not installed."""
    svg = re.sub(rb' d="[^"]*"', lambda path: re.sub(rb"(\.\d\d)\d+", rb"\1", path[0]), svg)
    return svg.replace(b"'DejaVu Sans'", b"'DejaVu Sans', Verdana, sans-serif")


def draw(figure: Figure, width: str = "page"):
    """The figure as matplotlib draws it. Arguments: width, "column" or "page"."""
    import matplotlib
    from matplotlib.figure import Figure as Drawn

    if width not in WIDTHS:
        raise InputError(one_of(width, "width", WIDTHS))
    count = len(figure.panels)
    wide = min(WIDTHS[width], ALONE) if count == 1 and figure.panels[0].heat is None else WIDTHS[width]
    columns = min(figure.columns, count)
    if width == "column":
        columns = min(columns, 1 if count < 4 or figure.panels[0].heat else 2)
    rows = -(-count // columns)
    grid = [figure.panels[k * columns : (k + 1) * columns] for k in range(rows)]
    shared = all(compared(p, "y") == compared(row[0], "y") and _rows(p) == _rows(row[0]) for row in grid for p in row)
    room = int(_HEIGHTS.get(columns, _HEIGHT) / 0.06)
    lines = max(len(textwrap.wrap(panel.ylabel, room)) for panel in figure.panels)
    names = [len(row) for panel in figure.panels if panel.heat for row in panel.heat.rows]
    left = max(0.95, 0.36 + CHARACTER * max(names)) if names else _LEFT + 0.13 * lines
    gap = _GAP if shared else _LABELLED + 0.13 * (lines - 1)
    panel_width = (wide - left - 0.08 - (columns - 1) * gap) / columns
    height = _HEIGHTS.get(columns, _HEIGHT) * (0.85 if width == "column" else 1.0)
    if heights := [_CELL * len(panel.heat.rows) for panel in figure.panels if panel.heat and _all_named(panel.heat)]:
        height = max(0.3, *heights)
    titles = [[_wrapped(panel.title, panel_width) for panel in row] for row in grid]
    limits = limits_of(figure.panels)
    named = ends(figure, limits[compared(figure.panels[0], "y")], panel_width, height)
    panel_width -= max((len(end.text) for end in named), default=0) * CHARACTER
    one = figure.keys[0].text if len(figure.keys) == 1 and figure.keys[0].marker != TICK else ""
    heads = [_TOP + _LINE * max((t.count("\n") + 1 if t else 0) for t in row) for row in titles]
    ticks = [[tick_words(panel, panel_width) for panel in row] for row in grid]
    last = [[k == rows - 1 or (k + 1) * columns + i >= count or not _same_x(grid, k, i) for i in range(len(row))]
            for k, row in enumerate(grid)]  # fmt: skip
    feet = [
        max(0.2 + tick_room(t, panel_width) + label * (0.16 + 0.13 * _wrapped(panel.xlabel, panel_width).count("\n"))
            for panel, t, label in zip(*items))
        for items in zip(grid, ticks, last)
    ]  # fmt: skip
    legend = 0.0 if one or named or not figure.keys else _legend_height(figure, wide)
    head = _LINE if one else 0.0
    tall = head + sum(heads) + sum(feet) + rows * height + legend
    with matplotlib.rc_context(STYLE):
        drawn = Drawn(figsize=(wide, tall))
        top = tall - head
        for k, row in enumerate(grid):
            top -= heads[k] + height
            for i, panel in enumerate(row):
                place = (left + i * (panel_width + gap)) / wide, top / tall, panel_width / wide, height / tall
                ax = drawn.add_axes(place)
                _panel(ax, panel, limits, ticks[k][i], panel_width, i == len(row) - 1)
                for end in named:
                    ax.annotate(end.text, (1, end.height), (4, 0), xycoords="axes fraction", textcoords="offset points",
                                va="center", color=end.colour, annotation_clip=False)  # fmt: skip
                ax.set_title(titles[k][i], pad=3)
                if last[k][i]:
                    ax.set_xlabel(_wrapped(panel.xlabel, panel_width), labelpad=2)
                if i == 0 or not shared:
                    ax.set_ylabel(textwrap.fill(plain(panel.ylabel), room), labelpad=3)
                else:
                    ax.tick_params(labelleft=False)
            top -= feet[k]
        if one:
            drawn.text(0.5, 1 - 0.02 / tall, plain(one), ha="center", va="top", fontsize=8)
        elif figure.keys and not named:
            _legend(drawn, figure, wide)
    return drawn


def _same_x(grid: list[list[Panel]], k: int, i: int) -> bool:
    below, here = grid[k + 1][i], grid[k][i]
    return below.xlabel == here.xlabel


def _wrapped(title: str, width: float) -> str:
    return "\n".join(textwrap.wrap(plain(title), max(12, int(width / _CHARACTER)), max_lines=5, placeholder=" …"))


# -- a panel ----------------------------------------------------------------------------------------------------------


def _panel(ax, panel: Panel, limits: dict, ticks: dict, width: float, last: bool) -> None:
    if panel.heat is not None:
        _heat(ax, panel, width, last)
        return
    ax.set_xscale(panel.xscale)
    ax.set_yscale(panel.yscale)
    xlim, ylim = (limits[compared(panel, axis)] for axis in "xy")
    if panel.xticks:
        ends = np.concatenate([list(panel.xticks), *(series.x for series in panel.series)])
        room = 0.05 * (max(panel.xticks) - min(panel.xticks)) or 0.5
        if any(len(text) > 7 for text in panel.xticks.values()):  # words need room at both ends
            room = 0.45 * min(np.diff(sorted(panel.xticks)), default=1.0)
        xlim = ends.min() - room, ends.max() + room
    ax.set_xlim(xlim)
    ax.set_ylim(ylim)
    for bound in panel.bounds:
        _bound(ax, bound)
    if panel.mark is not None:
        ax.axhline(panel.mark, color="#888888", linewidth=0.7, linestyle=(0, (1, 2)))
    if panel.identity:
        ends = (min(xlim[0], ylim[0]), max(xlim[1], ylim[1]))
        ax.plot(ends, ends, color="#999999", linewidth=0.7, zorder=1)
        ax.set(xlim=xlim, ylim=ylim)
    for series in panel.series:
        _series(ax, series)
    for number_, guide in enumerate(panel.guides):
        _guide(ax, guide, number_ / 3)
    set_ticks(ax, panel, ticks, width)


def _series(ax, series: Series) -> None:
    look = _look(series)
    if series.low is not None and np.any(series.high > series.low):
        if series.band == "bars":
            ax.vlines(series.x, series.low, series.high, color=series.colour, linewidth=0.9, alpha=0.5)
        else:
            ax.fill_between(series.x, series.low, series.high, color=series.colour, alpha=0.16, linewidth=0)
    ax.plot(
        series.x,
        series.y,
        **look,
        linewidth=0.8 if series.over else 1.2,
        zorder=3.5 if series.over else 3,
        alpha=0.55 if series.faint else 1.0,
        rasterized=series.dots > 0.0,
    )


def _guide(ax, guide: Guide, share: float) -> None:
    """A line of the theory, with its words after a share of what is seen of it."""
    ax.plot(guide.x, guide.y, color="black", linewidth=1.1, linestyle=DOTTED, zorder=4)
    low, high = ax.get_ylim()
    inside = np.flatnonzero((guide.y > low) & (guide.y < high))
    if guide.text and len(inside):
        place = inside[min(len(inside) - 1, int(share * len(inside)))]
        ax.annotate(
            plain(guide.text), (guide.x[place], guide.y[place]), (1, -2), textcoords="offset points", fontsize=7,
            va="top", ha="left", zorder=5, bbox={"facecolor": "white", "alpha": 0.7, "pad": 0.4, "linewidth": 0},
        )  # fmt: skip


def _look(item: Series | Key) -> dict:
    look = {"color": item.colour, "linestyle": item.style, "marker": item.marker, "markersize": 3.6}
    if isinstance(item, Series) and item.dots:
        return look | {"marker": ".", "markersize": item.dots, "markeredgewidth": 0.0}
    if item.marker == TICK:
        return look | {"markersize": 9.0, "markeredgewidth": 1.1}
    return look | {"markerfacecolor": "white"} if item.hollow else look


def _bound(ax, bound) -> None:
    """The edge of what a claim allows, and the shaded half-planes that refute it."""
    low, high = ax.get_ylim()
    for edge, other in ((bound.low, low), (bound.high, high)):
        if np.isfinite(edge):
            edge = min(max(edge, low), high)
            ax.axhspan(min(edge, other), max(edge, other), color="#dddddd", alpha=0.7, zorder=0.5, linewidth=0)
            ax.axhline(edge, color="black", linewidth=0.9, zorder=1)


def _rows(panel: Panel) -> list[str] | None:
    return None if panel.heat is None else panel.heat.rows


def _all_named(heat) -> bool:
    """Whether every row has its name: not where they are the many levels of a number."""
    return heat.written or (len(heat.rows) > _THINNED and any(row[:1].isalpha() for row in heat.rows))


def _heat(ax, panel: Panel, width: float, last: bool) -> None:
    heat = panel.heat
    low, high = heat.ends or (None, None)
    mesh = ax.pcolormesh(
        heat.values, cmap="RdBu_r" if heat.ends and low == -high else "viridis", vmin=low, vmax=high, rasterized=False
    )
    beside = _BAR + 0.2 * last
    columns = [name.replace(" ", "\n", 1) for name in heat.columns] if heat.written else heat.columns
    longest = max(len(line) for name in columns for line in name.split("\n"))
    step = max(1, -(-len(columns) // max(2, int((width - beside) / (CHARACTER * (longest + 1))))))
    ax.set_xticks(np.arange(len(columns))[::step] + 0.5, columns[::step])
    step = 1 if _all_named(heat) else max(1, -(-len(heat.rows) // _THINNED))
    ax.set_yticks(np.arange(len(heat.rows))[::step] + 0.5, heat.rows[::step])
    if heat.marks:
        across, up = np.array(heat.marks).T + 0.5
        ax.plot(across, up, "ko", markersize=4, markeredgecolor="white", markeredgewidth=0.6)
    if heat.written:
        _written(ax, heat, mesh)
    ax.grid(False)
    bar = ax.figure.colorbar(mesh, ax=ax, fraction=beside / width, pad=0.1 / width, aspect=20 * 0.6 / beside)
    if last:
        bar.set_label(plain(heat.label))
    bar.outline.set_visible(False)


def _written(ax, heat, mesh) -> None:
    """The numbers of a heat map in black or white, and a frame around the largest of each row."""
    from matplotlib.patches import Rectangle

    ax.invert_yaxis()
    ax.tick_params(length=0)
    form = ".3f" if np.nanmax(np.abs(heat.values), initial=0.0) < 10.0 else ".3g"
    for i, row in enumerate(heat.values):
        largest = np.nanargmax(row) if np.isfinite(row).any() else -1
        for j in np.flatnonzero(np.isfinite(row)):
            red, green, blue, _ = mesh.cmap(mesh.norm(row[j]))
            dark = 0.3 * red + 0.59 * green + 0.11 * blue < 0.55
            weight = "bold" if j == largest else "normal"
            ax.text(
                j + 0.5, i + 0.5, f"{row[j]:{form}}", ha="center", va="center", fontsize=7, fontweight=weight,
                color="white" if dark else "black",
            )  # fmt: skip
            if j == largest:
                ax.add_patch(Rectangle((j + 0.03, i + 0.06), 0.94, 0.88, fill=False, edgecolor="black", linewidth=1.3))


# -- the legend -------------------------------------------------------------------------------------------------------


def _columns(figure: Figure, wide: float) -> int:
    """As many columns as fit: all entries in a row, or rows of columns as wide as the longest."""
    widths = [_LEGEND + 0.06 * len(key.text) for key in figure.keys]
    return len(figure.keys) if sum(widths) <= wide - 0.2 else max(1, int((wide - 0.2) // max(widths)))


def _legend_height(figure: Figure, wide: float) -> float:
    return 0.15 * (-(-len(figure.keys) // _columns(figure, wide)) + bool(figure.keys_title)) + 0.04


def _legend(drawn, figure: Figure, wide: float) -> None:
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], **_look(key), linewidth=1.4) for key in figure.keys]
    labels = [plain(key.text, 70) for key in figure.keys]
    drawn.legend(
        handles, labels, loc="lower center", ncols=_columns(figure, wide), handlelength=1.8, borderaxespad=0.1,
        columnspacing=1.2, labelspacing=0.25, handletextpad=0.5, title=plain(figure.keys_title) or None,
    )  # fmt: skip

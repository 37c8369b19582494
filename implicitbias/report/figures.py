"""The figures of the report: which runs are shown, how they are arranged, and what the reader is told.

    1  cosine to the max-margin directions at the end, against batch size
    2  angle to them, 3 normalised margins, 4 log-loss, against updates
    5  the last increment against the predicted limit (in `predicted`)
    6  the curves of claims about rates, with the fitted slopes (in `rates`)

Lines are means over seeds, bands reach from the least to the largest. A study with more levels than a figure holds is
shown in part, by a fixed rule that the caption states.
"""

from dataclasses import dataclass
from string import ascii_lowercase

import pandas as pd
import pyarrow as pa

from implicitbias.report.arrange import MAX_LINES, Facets, against_batch, against_steps, spread
from implicitbias.report.draw import TICK, Key, Line, Panel, Picture, Sheet, draw
from implicitbias.report.palette import Palette
from implicitbias.report.predicted import CAPTION, compare
from implicitbias.report.rates import CAPTION as RATES_CAPTION
from implicitbias.report.rates import rates
from implicitbias.report.tables import LINE, by_batch, by_step, predicted

REFERENCES = {"l2": "-", "linf": "--"}
DASHES = (0, (3, 1.5))
# Degrees. A cosine within 2e-8 of 1: whatever is below has arrived, and rounding is not worth twelve decades of axis.
LEAST_ANGLE = 0.01

_CURVES = ["angle_l2", "angle_linf", "inc_angle_l2", "inc_angle_linf", "ratio_l2", "ratio_linf", "log_loss"]
COLUMNS = ["run_id", "step", "sum_lr", *_CURVES]  # of the snapshots: what figures need, but for those of rates
_BATCH_CAPTION = (
    "Cosine between where a run ends and the l2 (solid, filled) and linf (dashed, hollow) max-margin directions: of "
    "the iterate w(t) above, of its last increment w(t) - w(t/2) below, which forgets the transient and so converges "
    "sooner. Lines are means over the seeds, bars reach from the least to the largest value. In theory gradient "
    "descent goes to l2 (solid line at 1) at every batch size, and full-batch Adam to linf (dashed line at 1); at "
    "small batches Adam may go elsewhere, depending on the data and the order."
)
_PREDICTED_CAPTION = (
    " Short horizontal ticks are the cosines of the predicted limits, means over the seeds, where there is a theory; a "
    "tick through its marker says that the run ends where predicted."
)
_ANGLE_CAPTION = (
    "Angle to the l2 (above) and the linf (below) max-margin direction, both axes logarithmic. A line that keeps "
    "falling converges to that direction, one that levels off goes elsewhere; angles below 0.01 degrees are drawn at "
    "0.01. Lines are means over the seeds, bands of the iterates reach from the least to the largest value. In theory "
    "gradient descent falls above and full-batch Adam below; an iterate falls as slowly as its norm grows (like 1 / "
    "log t for gradient descent), its increment shows the limit sooner."
)
_MARGIN_CAPTION = (
    "Normalised margin min a.w / ||w|| over its certified optimum, for the l2 (above) and the linf norm (below). It "
    "is 1 at a max-margin direction of that norm and nowhere else; a line with its plateau below 1 goes elsewhere. "
    "Below 0, not drawn, the data are not yet separated. Lines are means over the seeds, bands reach from the least "
    "to the largest value."
)
_LOSS_CAPTION = (
    "Minus the logarithm of the mean loss, both axes logarithmic: about the smallest margin, once the data are "
    "separated. In theory it grows like the sum of the step sizes when updates are normalised (Adam, sign and "
    "normalised descent: a straight line of slope 1 - a for step sizes t^-a), and only like log t for gradient "
    "descent. Points with a loss above 1 are not drawn. Lines are means over the seeds, bands reach from the least to "
    "the largest value."
)


@dataclass(frozen=True)
class Drawn:
    """A figure of the page."""

    number: str
    title: str
    caption: str
    picture: Picture

    @property
    def file(self) -> str:
        return f"figure-{self.number}.{self.picture.kind}"


def shown_runs(runs: pd.DataFrame, outcomes: list = ()) -> list[str]:
    """The ids of the runs whose snapshots the figures show. Arguments as those of `figures`."""
    ok = runs[runs["status"] == "ok"]
    along = [part["run_id"] for sheet in against_steps(ok) for _, part in sheet.columns] if len(ok) else []
    return sorted({run for ids in (*along, *(outcome.fits for outcome in outcomes)) for run in ids})


def figures(runs: pd.DataFrame, curves: pa.Table, outcomes: list = ()) -> list[Drawn]:
    """Every figure the tables give: none if no run ended ok, no figure 1 for a single batch size.

    Arguments
        runs    the table of runs, as from `tables.label_runs`
        curves  their snapshots, at least those of `shown_runs`: an Arrow table with COLUMNS and what the claims about
                rates look at
        outcomes  the verdicts on the study's claims; those about rates are drawn
    """
    ok = runs[runs["status"] == "ok"]
    if ok.empty:
        return []
    palette = Palette(runs)
    found = []
    if ok["batch"].nunique() > 1:
        caption = _BATCH_CAPTION + ("" if predicted(ok).empty else _PREDICTED_CAPTION)
        found += _numbered("1", "Where runs end, by batch size", caption, _against_batch(ok, palette))
    sheets = against_steps(ok)
    shown = pd.concat([part for sheet in sheets for _, part in sheet.columns])
    frame = by_step(shown, curves, _CURVES)
    kinds = (
        ("2", "Angles along the way", _ANGLE_CAPTION, _angles),
        ("3", "Margins along the way", _MARGIN_CAPTION, _margins),
        ("4", "Loss along the way", _LOSS_CAPTION, _loss),
    )
    for number, title, caption, plot in kinds:
        pictures = [(sheet, draw(plot(sheet, frame, palette))) for sheet in sheets]
        found += _numbered(number, title, caption, pictures)
    found += _numbered("5", "Measured against predicted", CAPTION, compare(ok, palette))
    if any(outcome.fits for outcome in outcomes):
        found += _numbered("6", "Rates", RATES_CAPTION, rates(runs, curves.to_pandas(), outcomes, palette))
    return found


def _numbered(number: str, title: str, caption: str, sheets: list[tuple[Facets, Picture]]) -> list[Drawn]:
    """The sheets of one kind, lettered; how to read them stands below the first."""
    letters = [""] if len(sheets) == 1 else ascii_lowercase
    found = []
    for letter, (of, picture) in zip(letters, sheets):
        text = caption + of.note if letter in ("", "a") else f"To be read as figure {number}a."
        found.append(Drawn(number + letter, f"{title}: {of.title}" if of.title else title, text, picture))
    return found


# -- figure 1 ---------------------------------------------------------------------------------------------------------


def _against_batch(ok: pd.DataFrame, palette: Palette) -> list[tuple[Facets, Picture]]:
    found = []
    for sheet in against_batch(ok, most=MAX_LINES // len(REFERENCES)):
        batches = sorted({size for _, part in sheet.columns for size in part["batch"]})
        prefixes = ("", "inc_")
        rows = [
            [Panel(title, batch_lines(part, prefix, palette)) for title, part in sheet.columns] for prefix in prefixes
        ]
        shown, hues = sheet.shown(), palette.colour["method"]
        keys = [Key(name, hue, "-", palette.marker[name]) for name, hue in hues.items() if name in shown]
        keys += [
            Key(f"to {name} max-margin", style=style, marker="o", hollow=style != "-")
            for name, style in REFERENCES.items()
        ]
        if any(line.marker == TICK for row in rows for panel in row for line in panel.lines):
            keys.append(Key("predicted", style="", marker=TICK))
        plot = Sheet(
            rows, ["cosine of the iterate", "cosine of the increment"], "batch size b", keys,
            xticks=tuple(spread(batches, MAX_LINES)), guide=1.0,
        )  # fmt: skip
        found.append((sheet, draw(plot)))
    return found


def batch_lines(part: pd.DataFrame, prefix: str, palette: Palette) -> list[Line]:
    """The lines of a panel, two a method, then the ticks of what is predicted for them."""
    measures = {name: f"{prefix}cos_{name}" for name in REFERENCES}
    limits = {name: f"limit_cos_{name}" for name in REFERENCES}
    frame = by_batch(part, [*measures.values(), *limits.values()])
    lines, ticks = [], []
    groups = list(part.groupby(["geometry", "method"], sort=False).groups)
    for position, (geometry, method) in enumerate(groups):
        points = frame.loc[(geometry, method)]
        # side by side, so that the bars of one method do not hide those of another
        points.index = points.index * 1.03 ** (position - (len(groups) - 1) / 2)
        colour, marker = palette.colour["method"][method], palette.marker[method]
        for name, style in REFERENCES.items():
            look = {"style": style, "marker": marker, "hollow": style != "-", "band": "bars"}
            lines.append(_line(points, measures[name], colour, **look))
            known = points[points[limits[name]]["mean"].notna()]
            if len(known):
                ticks.append(_line(known, limits[name], palette.dark[method], style="", marker=TICK, band=""))
    return lines + ticks


def _line(points: pd.DataFrame, measure: str, colour: str, sign: float = 1.0, **look) -> Line:
    values = sign * points[measure]
    ends = values[["min", "max"]].to_numpy()
    x, mean = points.index.to_numpy(float), values["mean"].to_numpy()
    return Line(x, mean, ends.min(axis=1), ends.max(axis=1), colour, **look)


# -- figures 2 to 4 ---------------------------------------------------------------------------------------------------


def _step_rows(sheet: Facets, frame, palette, measures: list[str], second="", sign=1.0) -> list[list[Panel]]:
    """A row of panels for each measure; `second` is the prefix of the measures drawn dashed behind them."""
    rows = []
    for measure in measures:
        row = []
        for title, part in sheet.columns:
            lines = []
            for keys, _ in part.groupby(LINE, sort=True):
                colour = palette.colour[sheet.colour][keys[LINE.index(sheet.colour)]]
                points = frame.loc[keys]
                if second:
                    lines.append(_line(points, second + measure, colour, style=DASHES, band=""))
                lines.append(_line(points, measure, colour, sign=sign, marker="o" if len(points) == 1 else ""))
            row.append(Panel(title, lines))
        rows.append(row)
    return rows


def _step_keys(sheet: Facets, palette: Palette) -> list[Key]:
    name = "batch {}" if sheet.colour == "batch" else "{}"
    shown = sheet.shown()
    return [Key(name.format(level), hue) for level, hue in palette.colour[sheet.colour].items() if level in shown]


def _clock(sheet: Facets) -> str:
    """What the horizontal axis shows."""
    flows = {flow for _, part in sheet.columns for flow in part["time"].notna()}
    return {(True,): "time t", (False, True): "updates t, or time t of a flow"}.get(tuple(sorted(flows)), "updates t")


def _angles(sheet: Facets, frame: pd.DataFrame, palette: Palette) -> Sheet:
    rows = _step_rows(sheet, frame, palette, ["angle_l2", "angle_linf"], second="inc_")
    keys = [*_step_keys(sheet, palette), Key("iterate w(t)"), Key("increment w(t) - w(t/2)", style=DASHES)]
    labels = ["degrees to l2 max-margin", "degrees to linf max-margin"]
    return Sheet(rows, labels, _clock(sheet), keys, yscale="log", floor=LEAST_ANGLE)


def _margins(sheet: Facets, frame: pd.DataFrame, palette: Palette) -> Sheet:
    rows = _step_rows(sheet, frame, palette, ["ratio_l2", "ratio_linf"])
    return Sheet(
        rows, ["l2 margin / optimum", "linf margin / optimum"], _clock(sheet), _step_keys(sheet, palette),
        bottom=0.0, top=1.04, guide=1.0,
    )  # fmt: skip


def _loss(sheet: Facets, frame: pd.DataFrame, palette: Palette) -> Sheet:
    rows = _step_rows(sheet, frame, palette, ["log_loss"], sign=-1.0)
    return Sheet(rows, ["-log(loss)"], _clock(sheet), _step_keys(sheet, palette), yscale="log")

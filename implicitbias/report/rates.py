"""Figure 6 and the table of fitted slopes: what the claims about rates rest on."""

import numpy as np
import pandas as pd

from implicitbias.report.arrange import MAX_LINES, Facets, spread
from implicitbias.report.draw import Key, Line, Panel, Picture, Sheet, draw
from implicitbias.report.palette import Palette
from implicitbias.report.tables import LINE
from implicitbias.study.claims import Verdict
from implicitbias.study.fits import ALREADY_LOG, LOG, Fit, axis_names, coordinates, decimals

MAX_RATE_SHEETS = 12
MAX_PANELS = 4  # side by side: a slope is read off a panel that is not too narrow
FITTED, GUIDE = (0, (5, 1.5)), (0, (1, 1.5))
BEFORE = 0.5  # of the length of a window, shown before it

CAPTION = (
    "The curves behind the claims about rates, a panel for those on the same runs, on axes on which the law is a "
    "straight line: runs (solid, coloured by optimizer), the line fitted to the last octaves of each (dashed, grey), "
    "and the slope that a claim names (dotted, black), through the last point of a run. A fitted line that leaves its "
    "curve at one end says that the local slope still drifts, and a fan of curves that the runs differ in a constant, "
    "not in the law."
)


def rates(
    runs: pd.DataFrame, curves: pd.DataFrame, outcomes: list[Verdict], palette: Palette
) -> list[tuple[Facets, Picture]]:
    """The sheets of the figure: a panel for the claims that rest on the same fits, side by side with those that share
    its axes; none without a fitted claim.

    Arguments
        runs      the table of runs, as from `tables.label_runs`
        curves    their snapshots
        outcomes  the verdicts of the study, in its order
    """
    groups: dict = {}
    for number, verdict in enumerate(outcomes, start=1):
        if verdict.fits:
            panels = groups.setdefault(axis_names(verdict.claim), {})
            panels.setdefault(tuple(verdict.fits.items()), []).append((number, verdict))
    sheets = [list(panels.values()) for panels in groups.values()]
    pieces = [sheet[k : k + MAX_PANELS] for sheet in sheets for k in range(0, len(sheet), MAX_PANELS)]
    note = f" The first {MAX_RATE_SHEETS} of {len(pieces)} such figures are shown." * (len(pieces) > MAX_RATE_SHEETS)
    of = Facets("", [], "method", f" At most {MAX_LINES} runs of a claim are drawn.{note}")
    return [(of, draw(_sheet(piece, runs, curves, palette))) for piece in pieces[:MAX_RATE_SHEETS]]


def _sheet(piece: list[list[tuple[int, Verdict]]], runs: pd.DataFrame, curves: pd.DataFrame, palette: Palette) -> Sheet:
    claim = piece[0][0][1].claim
    methods = runs.set_index("run_id")["method"]
    panels, shown = [], set()
    for claims in piece:
        number, verdict = claims[0]
        names = spread(list(verdict.fits), MAX_LINES)
        parts = dict(list(curves[curves["run_id"].isin(names)].sort_values("step").groupby("run_id")))
        shown |= set(methods[names])
        lines = [_curve(verdict, parts[name], palette.colour["method"][methods[name]]) for name in names]
        lines += [_fitted(verdict, name) for name in names]
        lines += [_guide(other, names[0]) for _, other in claims]
        others = "".join(f", {other}" for other, _ in claims[1:])
        panels.append(Panel(f"claim{'s' * bool(others)} {number}{others}: {verdict.claim.says}", lines))
    keys = [Key(name, hue) for name, hue in palette.colour["method"].items() if name in shown]
    keys += [Key("fitted", "#777777", FITTED), Key("slope of the claim", "#000000", GUIDE)]
    return Sheet(
        [panels], [claim.measure], _label(claim.against), keys,
        xscale="linear" if claim.law == "exponential" else "log",
        yscale="linear" if claim.measure == ALREADY_LOG else "log",
    )  # fmt: skip


def _label(against: str) -> str:
    name = against.removeprefix(LOG)
    name = {"step": "updates t", "sum_lr": "sum of the step sizes, or time"}.get(name, name)
    return f"log({name})" if against.startswith(LOG) else name


def _line(verdict: Verdict, x: np.ndarray, y: np.ndarray, colour: str, style) -> Line:
    """A line in the coordinates of a fit as one on the axes, whose scales take the logarithms."""
    with np.errstate(over="ignore", under="ignore"):
        x = x if verdict.claim.law == "exponential" else np.exp(x)
        y = y if verdict.claim.measure == ALREADY_LOG else np.exp(y)
    return Line(x, y, y, y, colour, style, band="")


def _curve(verdict: Verdict, curve: pd.DataFrame, colour: str) -> Line:
    x, y = coordinates(verdict.claim, curve)
    fit = verdict.fits[curve["run_id"].iloc[0]]
    begin = np.nanargmin(np.abs(x - fit.start[0])) - BEFORE * fit.points
    kept = np.isfinite(x) & np.isfinite(y) & (np.arange(len(x)) >= begin)
    return _line(verdict, x[kept], y[kept], colour, "-")


def _fitted(verdict: Verdict, name: str) -> Line:
    (x0, y0), (x1, y1) = verdict.fits[name].start, verdict.fits[name].end
    return _line(verdict, np.array([x0, x1]), np.array([y0, y1]), "#777777", FITTED)


def _guide(verdict: Verdict, name: str) -> Line:
    claim = verdict.claim
    slope = next(value for value in (claim.equal, claim.at_least, claim.at_most) if value is not None)
    (x0, _), (x1, y1) = verdict.fits[name].start, verdict.fits[name].end
    return _line(verdict, np.array([x0, x1]), np.array([y1 - slope * (x1 - x0), y1]), "#000000", GUIDE)


def table(runs: pd.DataFrame, outcomes: list[Verdict]) -> list[dict]:
    """A row for each line of runs and law fitted to it: the claims that rest on it, the axes, the names of the line,
    how many fits, and in words the mean slope with the deviation over seeds, the largest error and the largest drift.
    """
    found: dict = {}
    for number, verdict in enumerate(outcomes, start=1):
        part = runs[runs["run_id"].isin(verdict.fits)]
        for keys, group in part.groupby(LINE, sort=False):
            fits = tuple(verdict.fits[name] for name in group["run_id"])
            claims, _ = found.setdefault((axis_names(verdict.claim), keys, fits), ([], fits))
            claims.append(str(number))
    return [
        {"claims": ", ".join(claims), "axes": " against ".join(axes), **dict(zip(LINE, keys)), **_words(fits)}
        for (axes, keys, _), (claims, fits) in found.items()
    ]


def _words(fits: tuple[Fit, ...]) -> dict:
    slopes = np.array([fit.slope for fit in fits])
    error = max(fit.error for fit in fits)
    digits = decimals(error)
    deviation = f" ± {slopes.std(ddof=1):.{digits}f}" if len(fits) > 1 else ""
    drift = max((fit.drift for fit in fits), key=abs)
    slope = f"{slopes.mean():.{digits}f}{deviation}"
    return {"count": len(fits), "slope": slope, "error": f"{error:.1g}", "drift": f"{drift:+.1g}"}

"""The figures of the claims: the runs that each speaks of, with its bound or the slope that it names.

A claim about values is a panel of every run it speaks of against what varies among them; what lies in the shade
refutes it. Claims about rates are a panel for those that rest on the same fits, on axes on which the law is a straight
line. Black belongs to what is claimed and fitted.
"""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd

from implicitbias.figures import palette
from implicitbias.figures.axes import MAX_HUES, MAX_PANELS, Axis, axis_of, full_batches, varying
from implicitbias.figures.facets import LEAST_ANGLE, LEAST_GAP, Hue, few, hue_of
from implicitbias.figures.parts import DOTTED, Bound, Figure, Guide, Key, Panel, Series
from implicitbias.figures.table import values
from implicitbias.figures.words import label, method, norms, number, slug
from implicitbias.study.claims import Verdict
from implicitbias.study.filters import select
from implicitbias.study.fits import ALREADY_LOG, LOG, axis_names, coordinates
from implicitbias.study.formula import columns
from implicitbias.study.groups import VECTORS, across
from implicitbias.study.keys import Claim, Study
from implicitbias.study.pairs import less, measured

MAX_RUNS = 8  # of the curves of a claim about a rate
MAX_POINTS = 600
FITTED = (0, (5, 1.5))
BEFORE = 0.5  # of the length of a window, shown before it
NEAR_ONE = 0.9  # a cosine or ratio that is claimed to be more than this is shown as the angle or gap

_VALUES = (
    "Every run that a claim speaks of, against what varies among them; what lies in the shade refutes the claim, and "
    "of a claim about a mean only the mean decides."
)
_RATES = (
    "The curves behind claims about rates, on axes on which the law is a straight line: runs in colour, the line "
    "fitted to the last octaves of each dashed, and the slope that a claim names dotted, through the last point of a "
    "run. A fitted line that leaves its curve at one end says that the slope still drifts."
)


def claimed(study: Study, runs: pd.DataFrame, curves: pd.DataFrame, outcomes: list[Verdict]) -> list[Figure]:
    """The figures of the claims, in the order of the study; none of claims without two runs to compare.

    Arguments
        study     the study
        runs      the table of runs, as from `table.with_parameters(label_runs(...))`
        curves    the snapshots of the runs that claims about rates fit
        outcomes  the verdicts
    """
    looks = palette.methods(runs)
    shown = full_batches(runs)
    found: list[tuple[tuple, int, Panel, list[Key]]] = []
    rates: dict = {}
    for number_, verdict in enumerate(outcomes, start=1):
        if verdict.fits:
            key = axis_names(verdict.claim), tuple(verdict.fits.items())
            rates.setdefault(key, []).append((number_, verdict))
        elif not verdict.claim.along_runs:
            panel = _of_values(study, runs, shown, number_, verdict, looks)
            if panel is not None:
                found.append((("values", verdict.claim.measure), number_, *panel))
    for (axes, _), claims in rates.items():
        panel, keys = _of_rate(claims, runs, curves, looks)
        found.append((("rates", *axes), claims[0][0], panel, keys))
    together = {number: [n for n, _ in claims] for claims in rates.values() for number, _ in claims[:1]}
    return _packed(found, together, outcomes)


def _packed(found: list, together: dict[int, list[int]], outcomes: list[Verdict]) -> list[Figure]:
    """Panels to figures: those about one measure side by side."""
    figures = []
    for kind, caption in (("values", _VALUES), ("rates", _RATES)):
        groups: dict = {}
        for item in found:
            if item[0][0] == kind:
                groups.setdefault(item[0], []).append(item)
        sheets: list[list] = []
        for item in (item for group in groups.values() for item in group):
            if sheets and _fits([*sheets[-1], item]):
                sheets[-1].append(item)
            else:
                sheets.append([item])
        for sheet in sheets:
            numbers = sorted(n for _, first, *_ in sheet for n in together.get(first, [first]))
            keys = {key: None for *_, part in sheet for key in part}
            if kind == "rates":
                keys |= {Key("fitted", "black", FITTED): None, Key("slope of the claim", "black", DOTTED): None}
            count = len(sheet)
            figures.append(
                Figure(
                    _file(numbers, outcomes), f"Claim{'s' * (len(numbers) > 1)} {_listed(numbers)}",
                    caption, [panel for _, _, panel, _ in sheet], list(keys),
                    columns={1: 1, 2: 2, 4: 2}.get(count, 3), claims=tuple(numbers),
                )
            )  # fmt: skip
    return figures


def _file(numbers: list[int], outcomes: list[Verdict]) -> str:
    """A name that says what is in the file: the claim, or what several are about."""
    about = [outcomes[number - 1].claim for number in numbers]
    words = about[0].says if len(about) == 1 else "-".join(dict.fromkeys(_short(claim.measure) for claim in about))
    which = f"claim{'s' * (len(numbers) > 1)} {_listed(numbers)}"
    return f"{slug(which)}-{slug(words)}"[:60].strip("-_.")


def _short(measure: str) -> str:
    """A measure or a formula as a part of a file name."""
    return measure.replace("1 - ratio_", "gap_").replace("1 - ", "").replace(" - ", "_minus_")


def _fits(sheet: list) -> bool:
    return len(sheet) <= MAX_PANELS and len({key for *_, keys in sheet for key in keys}) <= MAX_HUES


def _listed(numbers: list[int]) -> str:
    if len(numbers) > 2 and numbers == list(range(numbers[0], numbers[-1] + 1)):
        return f"{numbers[0]} to {numbers[-1]}"
    return " and ".join(filter(None, [", ".join(map(str, numbers[:-1])), str(numbers[-1])]))


def _head(number_: int, outcome: str, says: str) -> str:
    return f"{number_} {outcome}: {norms(says)}"


# -- values -----------------------------------------------------------------------------------------------------------


def _of_values(study, runs, shown, number_, verdict, looks) -> tuple[Panel, list[Key]] | None:
    claim = verdict.claim
    chosen = select(runs, claim.where)
    counts = (chosen["status"] == "ok") | ("status" in claim.where)
    if not counts.any():
        return None
    ended = chosen[counts]
    if claim.across:
        found, _ = across(claim, chosen, counts, study)
        rows = shown.loc[found.index].assign(_y=found)
        seen, bound, scale, measure = _words_of_groups(claim), _bound(claim), "linear", claim.measure
    else:
        rows = shown.loc[ended.index]
        measure, bound, scale = _view(claim, rows) if claim.than is None else (claim.measure, _bound(claim), "linear")
        found = values(measure, rows) if claim.than is None else measured(claim, ended, runs)
        rows, seen = rows.assign(_y=found), label(measure) if claim.than is None else less(claim)
    rows = rows[np.isfinite(rows["_y"].astype(float))]
    if len(rows) < 2:
        return None
    x = _varied(rows)
    if x is None:
        return None
    rows = rows[rows[x.name].notna()]
    floor = 0.0
    if scale == "log":
        floor = LEAST_ANGLE if "degrees" in seen else LEAST_GAP
        floor = floor if (rows["_y"] <= floor).any() else 0.0
        rows = rows.assign(_y=rows["_y"].clip(lower=floor or None))
    hue = _hue(rows, x, looks)
    if len(rows) > MAX_POINTS:  # the extremes decide
        order = rows["_y"].rank(method="first").to_numpy()
        rows = rows[(order <= MAX_POINTS / 2) | (order > len(rows) - MAX_POINTS / 2)]
    places = x.places()
    series = _strips(rows, places, x, hue)
    ticks = {place: x.text(level) for level, place in places.items()}
    guides = []
    if claim.over == "mean" and (scale == "linear" or measure == claim.measure):
        ends = [min(places.values()), max(places.values())]
        guides = [Guide(np.array(ends), np.full(2, verdict.value), f"mean {verdict.value:.4g}")]
    keys = [Key(hue.text[level], hue.colour[level], "", hue.marker[level]) for level in hue.levels if hue.text[level]]
    name = label(x.name)
    return Panel(
        _head(number_, verdict.outcome, claim.says), name, seen, series, "linear", scale, ticks, [bound], guides,
        own=True, floor=floor,
    ), keys  # fmt: skip


def _words_of_groups(claim: Claim) -> str:
    if claim.measure in VECTORS:
        return f"least cosine across {claim.across}"
    if claim.width is not None:
        return f"decades of {label(claim.across)} around the best"
    if claim.against is not None:
        return f"slope of log({claim.measure}) against log({claim.against})"
    return f"range across {claim.across} of {label(claim.measure)}"


def _bound(claim: Claim) -> Bound:
    if claim.at_least is not None:
        return Bound(low=claim.at_least)
    if claim.at_most is not None:
        return Bound(high=claim.at_most)
    return Bound(claim.equal - claim.within, claim.equal + claim.within)


def _view(claim: Claim, rows: pd.DataFrame) -> tuple[str, Bound, str]:
    """The formula, its bound, and the scale: what is claimed to be near 1 as an angle or a gap, on a log axis."""
    measure, bound = claim.measure, _bound(claim)
    kind = measure.removeprefix("inc_").partition("_")[0]
    if claim.at_least is not None and NEAR_ONE < claim.at_least < 1.0 and kind in ("cos", "ratio"):
        if " - " not in measure and kind == "cos" and measure.replace("cos_", "angle_") in rows:
            return measure.replace("cos_", "angle_"), Bound(high=math.degrees(math.acos(claim.at_least))), "log"
        if columns(measure) == [measure]:
            return f"1 - {measure}", Bound(high=1.0 - claim.at_least), "log"
    found = values(measure, rows)
    found = found[np.isfinite(found)]
    if len(found) and found.min() > 0:
        if claim.equal == 0.0:
            return measure, Bound(high=claim.within), "log"
        if kind == "angle" or found.max() > 30.0 * found.min():
            return measure, Bound(*(max(edge, 1e-300) if math.isfinite(edge) else edge
                                    for edge in (bound.low, bound.high))), "log"  # fmt: skip
    return measure, bound, "linear"


def _varied(rows: pd.DataFrame) -> Axis | None:
    """What is on the x axis: the batch size, an ordered quantity, the data, the order; what optimizers differ in has a
    hue; seeds where nothing else varies."""
    axes = {axis.name: axis for axis in varying(rows)}
    names = ("batch", "n", "d", "k", "steps")
    setting = [axis for name, axis in axes.items() if name in names or name.startswith("data.")]
    hyper = [axis for name, axis in axes.items() if axis.ordered and len(axis) > 2 and axis not in setting]
    ordered = [axis for axis in setting if axis.ordered]
    if ordered or hyper:  # the batch size, unless something has more levels than its two
        return max([*ordered, *hyper], key=lambda axis: (len(axis) > 2, axis.name == "batch", len(axis)))
    for name in ("geometry", "order", "data_seed", "seed", "method"):
        if rows[name].nunique() > 1:
            return axis_of(rows, name)
    return None


def _hue(rows: pd.DataFrame, x: Axis, looks: palette.Looks) -> Hue:
    """Methods in their own colours; without a legend where x says the same."""
    names = tuple(dict.fromkeys(rows["method"]))
    if x.name != "method" and len(names) > 1 and (rows.groupby(x.name)["method"].nunique() == 1).all():
        return hue_of(rows, [], looks)  # x is what the methods differ in
    if len(names) > MAX_HUES:
        kinds = dict.fromkeys(rows["optimizer_kind"])
        plain = palette.family(str(next(iter(kinds)))) if len(kinds) == 1 else "#555555"
        return Hue(pd.Series("", rows.index), [""], {"": plain}, {"": "o"}, {"": ""})
    found = hue_of(rows, [Axis("method", names, False)] if len(names) > 1 else [], looks)
    return replace(found, text=dict.fromkeys(found.text, "")) if x.name == "method" else found


def _strips(rows: pd.DataFrame, places: dict, x: Axis, hue: Hue) -> list[Series]:
    """Every run a point; those of one level beside each other."""
    spots = sorted(places.values())
    span = spots[-1] - spots[0] or 1.0
    slot = min(max(0.6 * min(b - a for a, b in pairwise(spots)), 0.4 * span / len(spots)), 0.2 * span)
    slot /= max(1, len(hue.levels))
    series = []
    for position, level in enumerate(hue.levels):
        part = rows[hue.keys.reindex(rows.index) == level]
        if part.empty:
            continue
        rank = part.groupby(x.name)["_y"].rank(method="first")
        size = part.groupby(x.name)["_y"].transform("size")
        inside = ((rank - 0.5) / size - 0.5) * 0.8
        at = part[x.name].map(places) + slot * (position - (len(hue.levels) - 1) / 2 + inside)
        series.append(
            Series(at.to_numpy(float), part["_y"].to_numpy(float), hue.colour[level], style="",
                   marker=hue.marker[level], faint=len(part) > 30)
        )  # fmt: skip
    return series


# -- rates ------------------------------------------------------------------------------------------------------------


def _of_rate(claims: list[tuple[int, Verdict]], runs, curves, looks) -> tuple[Panel, list[Key]]:
    number_, verdict = claims[0]
    claim = verdict.claim
    methods = runs.set_index("run_id")["method"]
    names = few(list(verdict.fits), MAX_RUNS)
    parts = dict(list(curves[curves["run_id"].isin(names)].sort_values("step").groupby("run_id")))
    series = [_curve(verdict, parts[name], looks.colour[methods[name]]) for name in names]
    series += [_fitted(verdict, name) for name in names]
    lowest = min(names, key=lambda name: verdict.fits[name].end[1])
    down = 0.08 * np.ptp(np.concatenate([_coordinates(verdict, name)[1] for name in names]))
    guides = {_slope(other.claim): _guide(other, lowest, down) for _, other in claims}
    others = "".join(f"; {n} {other.outcome}" for n, other in claims[1:])
    keys = [Key(method(name), looks.colour[name]) for name in dict.fromkeys(methods[names])]
    return Panel(
        _head(number_, verdict.outcome, claim.says) + others, _clock(claim), label(claim.measure), series,
        "linear" if claim.law == "exponential" else "log", "linear" if claim.measure == ALREADY_LOG else "log",
        guides=list(guides.values()), logs=claim.against.startswith(LOG), own=True,
    ), keys  # fmt: skip


def _coordinates(verdict: Verdict, name: str) -> np.ndarray:
    return np.array([verdict.fits[name].start, verdict.fits[name].end]).T


def _clock(claim: Claim) -> str:
    return label(claim.against.removeprefix(LOG))


def _on_axes(claim: Claim, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates of a fit as those of the axes, whose scales take the logarithms."""
    with np.errstate(over="ignore", under="ignore"):
        return (
            x if claim.law == "exponential" else np.exp(x), y if claim.measure == ALREADY_LOG else np.exp(y)
        )  # fmt: skip


def _curve(verdict: Verdict, curve: pd.DataFrame, colour: str) -> Series:
    x, y = coordinates(verdict.claim, curve)
    fit = verdict.fits[curve["run_id"].iloc[0]]
    begin = np.nanargmin(np.abs(x - fit.start[0])) - BEFORE * fit.points
    kept = np.isfinite(x) & np.isfinite(y) & (np.arange(len(x)) >= begin)
    return Series(*_on_axes(verdict.claim, x[kept], y[kept]), colour)


def _fitted(verdict: Verdict, name: str) -> Series:
    (x0, y0), (x1, y1) = verdict.fits[name].start, verdict.fits[name].end
    x, y = _on_axes(verdict.claim, np.array([x0, x1]), np.array([y0, y1]))
    return Series(x, y, "black", style=FITTED, over=True, faint=True)


def _slope(claim: Claim) -> float:
    return next(value for value in (claim.equal, claim.at_least, claim.at_most) if value is not None)


def _guide(verdict: Verdict, name: str, down: float) -> Guide:
    """A line of the slope that a claim names, below the end of a run."""
    claim, slope = verdict.claim, _slope(verdict.claim)
    sign = "≥ " if claim.at_least is not None else "≤ " if claim.at_most is not None else ""
    (x0, _), (x1, y1) = verdict.fits[name].start, verdict.fits[name].end
    x = np.linspace(x0, x1, 41)
    return Guide(*_on_axes(claim, x, y1 - down - slope * (x1 - x)), f"slope {sign}{number(slope)}")

"""The figures of a report by what its study varies: where runs end, how near their predictions, and the way there.

Which question a figure answers follows from the axes (figures.axes), not from the study. What a claim's figure shows
already is not drawn again.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa

from implicitbias.figures import palette
from implicitbias.figures.assemble import assemble
from implicitbias.figures.axes import DATA, Axis, Roles, axis_of, combined, full_batches, roles, slim
from implicitbias.figures.facets import (
    MOST_SCATTERED,
    Facets,
    by_method,
    columns_of,
    few,
    hue_of,
    panels,
    spread_orders,
)
from implicitbias.figures.parts import Figure, Key, Panel
from implicitbias.figures.table import FULL, trajectories
from implicitbias.figures.words import label, slug, symbol

MAX_FIGURES = 12
MAX_SHEETS = 4  # figures of one kind
MAX_ENDS, MAX_WAYS = 6, 2
FEWEST = 4  # different predictions to compare with
ENOUGH = 0.25  # of the trajectories have a prediction, or it is not what the study is about
_KINDS = ("inc_cos", "cos", "inc_ratio", "ratio")  # of what is at the end, the most telling first
_BAND = "Median over seeds, bars from the lower to the upper quartile."
_LINES = "Lines are medians over seeds, bands reach from the lower to the upper quartile."
_PREDICTED = "Short horizontal lines are the limits that theory predicts; on its marker, a run ends where predicted."


def columns_of_curves(norms: Sequence[str]) -> list[str]:
    """The columns of the snapshots that `chosen` draws."""
    return ["run_id", "step", "sum_lr", *_ways_of(norms)]


def _ways_of(norms: Sequence[str]) -> list[str]:
    return [*(f"angle_{norm}" for norm in norms), "log_loss"]


def _ends_of(norms: Sequence[str], *kinds: str) -> list[str]:
    return [f"{kind}_{norm}" for kind in kinds for norm in norms]


def chosen(runs: pd.DataFrame, curves: pa.Table, norms: Sequence[str], room: int = MAX_FIGURES) -> list[Figure]:
    """Every figure that what varies asks for, the first the most telling.

    Arguments
        runs    the runs that ended ok, as from `table.with_parameters(label_runs(...))`
        curves  their snapshots, what there is of `columns_of_curves`
        norms   those whose directions are followed
        room    how many figures are wanted; there may be more
    """
    several = ("inc_angle", "angle", "limit_cos")
    ends = [*_ends_of(norms, *_KINDS, *several), "inc_angle_limit", "limit_rule"]
    if runs.empty:
        return []
    looks = palette.methods(runs)
    single = full_batches(slim(trajectories(runs), *ends))
    flows = single["time"].notna()
    if flows.any() and not flows.all():  # the way of a run beside that of the flow is what such a study is about
        ways = along_the_way(single, curves, norms, looks)
        rest = predictions(full_batches(slim(runs, *ends)), single, norms, looks)
        return [*ways[:1], *where_runs_end(single, norms, looks)[:MAX_ENDS], *ways[1:], *rest]
    found = where_runs_end(single, norms, looks)[:MAX_ENDS]
    found += predictions(full_batches(slim(runs, *ends)), single, norms, looks)
    return found + (along_the_way(single, curves, norms, looks) if len(found) < room else [])


# -- where runs end ---------------------------------------------------------------------------------------------------


def where_runs_end(runs: pd.DataFrame, norms: Sequence[str], looks: palette.Looks) -> list[Figure]:
    """Cosines of the last increment to the max-margin directions, or the margins, against what varies."""
    kind = next((kind for kind in _KINDS if runs[_there(runs, kind, norms)].notna().any(axis=None)), None)
    if kind is None:
        return []
    measures = _there(runs, kind, norms)
    caption = {
        "inc_cos": "Where the last increment w(t) - w(t/2) of a run points: its cosine to the max-margin directions, 1 "
        "at the direction itself. It forgets the transient that stays in w.",
        "cos": "Cosine of w to the max-margin directions.",
        "inc_ratio": "Normalised margin of the last increment w(t) - w(t/2) over its certified optimum, 1 at a "
        "max-margin direction. It forgets the transient that stays in w.",
        "ratio": "Normalised margin of w over its certified optimum, 1 at a max-margin direction.",
    }[kind]
    of = {} if kind.endswith("ratio") else {f"{kind}_{norm}": f"limit_cos_{norm}" for norm in norms}
    of = {measure: name for measure, name in of.items() if name in runs}
    known = runs[list(of.values())].notna().any(axis=None)
    caption = " ".join([caption, _BAND, _PREDICTED * bool(known)]).strip()
    predicted = of.get

    return _sheets(runs, measures, looks, "where_runs_end", "Where runs end", caption, predicted)


def _there(runs: pd.DataFrame, kind: str, norms: Sequence[str]) -> list[str]:
    return [f"{kind}_{norm}" for norm in norms if f"{kind}_{norm}" in runs]


def _sheets(runs, measures, looks, name, title, caption, predicted=lambda measure: None) -> list[Figure]:
    """A figure for each level of the axes that are left for sheets; optimizers with axes of their own get their own."""
    parts = _own(runs)
    found = []
    for of, part in parts:
        role = roles(part)
        if role.x is None:
            continue
        spread = spread_orders(part, [*role.hue, *role.col, *role.sheet])
        texts, axis = combined(spread, role.sheet, "sheet")
        for level in few(list(axis.levels), MAX_SHEETS):
            rows = spread[texts == level]
            again = roles(rows) if role.sheet else role  # a sheet of its own may vary less
            again = again if again.x is not None and not again.sheet else replace(role, sheet=[])
            again = replace(again, x=axis_of(rows, again.x.name))
            words = ", ".join(filter(None, [of, level]))
            notes = _left_out(axis, role)
            about = f"{title}, by {_what(again.x)}" + (f": {words}" if words else "")
            stem = f"{name}-{slug(words)}" if words else name
            found += assemble(_facets(rows, measures, again, looks, predicted, notes), stem, about, caption)
    return found


def _left_out(axis: Axis, role: Roles) -> list[str]:
    if len(axis) <= MAX_SHEETS:
        return []
    return [f"{MAX_SHEETS} of {len(axis)} such figures are drawn, evenly spaced; all of it is in the tables."]


def _what(axis: Axis) -> str:
    return "batch size" if axis.name == "batch" else label(axis.name)


def _own(runs: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """All runs, or those of each optimizer where optimizers vary different things and share no axis."""
    if runs["optimizer"].nunique() < 2:
        return [("", runs)]
    shared = roles(runs)
    if shared.x is not None and shared.x.ordered:
        return [("", runs)]
    parts = [(str(name), part) for name, part in runs.groupby("optimizer", sort=False)]
    ordered = [roles(part).x for _, part in parts]
    if not any(x is not None and x.ordered and len(x) > 2 for x in ordered):
        return [("", runs)]
    return [pair for pair, x in zip(parts, ordered) if x is not None and len(x) > 2]


def _facets(rows, measures, role: Roles, looks, predicted, notes) -> Facets:
    named = role.x is not None and role.x.name == "method" and not role.hue
    hue = by_method(rows, looks) if named else hue_of(rows, role.hue, looks)
    rest, cols = columns_of(rows, role.col)
    without = int(hue.keys.isna().sum())
    if without and not rows["run_id"].duplicated().any():
        notes = [*notes, f"{without} runs have no {hue.title} and are in the tables alone."]
    if len(hue.levels) > 7:
        kept = _one_of_each(rows, hue.levels) if hue.levels[0] in set(rows["method"]) else few(hue.levels)
        notes = [*notes, f"{len(kept)} of {len(hue.levels)} levels of {hue.title or 'the colour'} are drawn."]
        keep = hue.keys.isin(kept)
        rows, rest = rows[keep], rest[keep]
        hue = replace(hue, keys=hue.keys[keep], levels=kept)
    return Facets(rows, measures, role.x, hue, rest, cols, predicted=predicted, notes=list(notes))


def _one_of_each(rows: pd.DataFrame, methods: list, most: int = 7) -> list:
    """At most so many methods, with as many optimizers as possible, in their order."""
    kinds = rows.drop_duplicates("method").set_index("method")["optimizer"]
    turn = kinds.groupby(kinds, sort=False).cumcount()  # the first of each optimizer, then the second, ...
    chosen = set(turn.sort_values(kind="stable").index[:most])
    return [method for method in methods if method in chosen]


# -- against predictions ----------------------------------------------------------------------------------------------


def predictions(runs: pd.DataFrame, single: pd.DataFrame, norms: Sequence[str], looks: palette.Looks) -> list[Figure]:
    """Measured against predicted cosines, and the angle left, against what varies."""
    if "inc_angle_limit" not in runs:
        return []
    runs = runs[runs["limit_rule"].notna() & runs["inc_angle_limit"].notna()]
    if len(runs) < 3 or runs["run_id"].isin(single["run_id"]).sum() < ENOUGH * len(single):
        return []
    found = []
    hue_axes = [Axis("method", tuple(dict.fromkeys(runs["method"])), False)]
    if runs["method"].nunique() > 7:
        hue_axes = [axis_of(runs, "optimizer")]
    notes, rows = [], runs
    if len(rows) > MOST_SCATTERED:
        kept = np.sort(np.random.default_rng(0).choice(len(rows), MOST_SCATTERED, replace=False))
        notes = [f"{MOST_SCATTERED} of {len(rows)} runs are drawn, chosen by a fixed seed."]
        rows = rows.iloc[kept]
    hue = hue_of(rows, hue_axes, looks)
    blank = pd.Series("", rows.index)
    both = []
    for norm in norms:
        if f"limit_cos_{norm}" not in rows or f"inc_cos_{norm}" not in rows:
            continue
        if rows[f"limit_cos_{norm}"].round(3).nunique() < FEWEST:
            continue
        of = Facets(rows, [f"inc_cos_{norm}"], f"limit_cos_{norm}", hue, blank, [""], scatter=True, yscale="linear")
        panel = panels(of)[0][0]
        words = f"predicted cosine to {symbol(norm)}"
        both.append(replace(panel, identity=True, mark=None, xlabel=words, ylabel=f"measured, {words.split()[-1]}"))
    if both:
        keys = [Key(hue.text[x], hue.colour[x], "", hue.marker[x], True) for x in hue.levels if hue.text[x]]
        caption = (
            "One point a run: the cosine of its last increment against that of its predicted limit. On the line they "
            "agree; a point off it refutes the prediction, or the run is still on its way."
        )
        found.append(
            Figure("measured_against_predicted", "Do runs end where theory says?", " ".join([caption, *notes]), both,
                   keys, "", 2)
        )  # fmt: skip
    caption = (
        "The angle between the last increment and the predicted limit. An angle that stays large says that the run is "
        "still on its way, that its steps are too large for a limit of small ones, as those of Signum in a fixed order "
        "may be, or that the theory does not hold here, such as one for beta2 -> 1 at a small beta2: the column "
        f"limit_rule says what each prediction assumes. {_BAND}"
    )
    several = [
        name for name, part in runs.groupby("limit_method", sort=False) if len(part) and name in ("theory", "numerical")
    ]
    for method in several:
        part = runs[runs["limit_method"] == method]
        words = {"theory": "limits of theory", "numerical": "limits of the measured tail map"}[method]
        name = "angle_to_the_prediction" + (f"-{method}" if len(several) > 1 else "")
        title = "How far from the prediction" + (f", {words}" if len(several) > 1 else "")
        drawn = _sheets(part, ["inc_angle_limit"], looks, name, title, caption)
        found += drawn[:1]
    return found


# -- the way there ----------------------------------------------------------------------------------------------------


def along_the_way(runs: pd.DataFrame, curves: pa.Table, norms: Sequence[str], looks: palette.Looks) -> list[Figure]:
    """Angles to the max-margin directions, and the loss, against updates; runs and flows on one axis of time."""
    drawn = [name for name in _ways_of(norms) if name in curves.column_names]
    clock, rows = _joined(runs, curves, drawn)
    if rows.empty:
        return []
    found = []
    flows = runs["time"].notna()
    end = "" if not flows.any() or flows.all() else " Flows are shown up to the time at which the runs end."
    parts = _own(runs)
    parts = parts if len(parts) == runs["optimizer"].nunique() else [("", runs)]
    for name, title, measures, caption in (
        ("angles_along_the_way", "Angles along the way", drawn[:-1],
         "Angle of w(t) to the max-margin directions, both axes logarithmic: a line that keeps falling converges to "
         f"that direction, one that levels off goes elsewhere.{end} {_LINES}"),
        ("loss_along_the_way", "The loss along the way", ["-log_loss"],
         "Minus the logarithm of the mean loss: about the smallest margin once the data are separated. It grows like "
         f"the sum of the step sizes when updates are normalised, and like log t for gradient descent.{end} {_LINES}"),
    ):  # fmt: skip
        if not measures or not norms:  # objectives are not separated
            continue
        kind: list[Figure] = []
        for of, part in parts:
            snapshots = rows.loc[rows["run_id"].isin(part["run_id"]), [*slim(rows), "_clock", *drawn]]
            stem, words = (f"{name}-{slug(of)}", f"{title}: {of}") if of else (name, title)
            kind += _ways(snapshots, measures, clock, looks, stem, words, caption)
        found += kind[:MAX_WAYS]
    return found


def _joined(runs: pd.DataFrame, curves: pa.Table, measures: list[str]) -> tuple[str, pd.DataFrame]:
    """The clock of the figures, and the snapshots with the columns of their runs."""
    flows = runs["time"].notna()
    clock = "sum_lr" if flows.any() else "step"
    names = curves.column("run_id").combine_chunks().dictionary_encode()
    place = pd.Series(np.arange(len(runs)), runs["run_id"]).reindex(names.dictionary.to_pylist()).to_numpy()
    rows = place[names.indices.to_numpy()]
    drawn = ~np.isnan(rows)
    frame = curves.select(["step", "sum_lr", *measures]).filter(pa.array(drawn)).to_pandas()
    keep = [name for name in runs if name not in frame and name not in ("w", "increment", "limit")]
    of = runs[keep].iloc[rows[drawn].astype(int)].reset_index(drop=True)
    frame = pd.concat([frame, of], axis=1)
    if flows.any():  # of flows, the times of all runs agree but for rounding
        frame["sum_lr"] = frame["sum_lr"].map(lambda value: float(f"{value:.10g}"))
    if flows.any() and not flows.all():
        end = frame.loc[frame["time"].isna(), "sum_lr"].max()
        frame = frame[frame["sum_lr"] <= end * (1 + 1e-9)]
    return clock, frame.assign(_clock=frame[clock].astype(float))


def _ways(rows, measures, clock, looks, name, title, caption) -> list[Figure]:
    """Along the way: the axis that is x at the end is the hue here, if it is ordered; methods are columns."""
    ends = rows.drop_duplicates("run_id")
    role = roles(ends)
    methods = ends["method"].nunique()
    by = [role.x] if role.x is not None and role.x.ordered and len(role.x) > 1 else []
    method = [Axis("method", tuple(dict.fromkeys(ends["method"])), False)] if methods > 1 else []
    if by and _in_method(ends, by[0]):
        method = role.hue
    if not by:
        by, method = method, []
    left = [axis for axis in (*role.col, *role.sheet) if axis not in by and axis.name != "optimizer"]
    left = [axis for axis in left if not _in_method(ends, axis)]
    cols = [*method]
    order = [axis for axis in left if axis.name == "order"]
    if order:
        main = "reshuffle" if "reshuffle" in order[0].levels else order[0].levels[0]
        if cols or any(axis.name != "order" for axis in left):
            rows = rows[rows["order"].isin([main, FULL])]
            caption += f" Order {main}, and full batches." if (ends["order"] == FULL).any() else f" Order {main}."
        else:
            cols = order
        left = [axis for axis in left if axis.name != "order"]
    free = [axis for axis in left if axis not in cols]
    if not cols:
        cols, free = free, []
    sheets = free
    found = []
    texts, axis = combined(rows, sheets, "sheet")
    for level in few(list(axis.levels), 2):
        part = rows[texts == level]
        if part.empty:
            continue
        of = _facets(part, measures, Roles(role.x, by, cols), looks, lambda measure: None, [])
        of = replace(of, x="_clock", along=True)
        stem = f"{name}-{slug(level)}" if level else name
        drawn = assemble(of, stem, f"{title}: {level}" if level else title, caption)
        if len(axis) > 2 and drawn:
            drawn = [replace(f, caption=f"{f.caption} Two of {len(axis)} data sets are drawn.") for f in drawn]
        found += [replace(f, panels=[replace(p, xlabel=_clock_words(clock, rows)) for p in f.panels]) for f in drawn]
    return found


def _in_method(ends: pd.DataFrame, axis: Axis) -> bool:
    return axis.name in ends and axis.name not in ("batch", "order", *DATA) and not axis.name.startswith("data.")


def _clock_words(clock: str, rows: pd.DataFrame) -> str:
    if clock == "step":
        return "updates t"
    return "time t" if rows["time"].notna().all() else "sum of the steps, or time t"


def distinct(figures: list[Figure], drawn: set) -> list[Figure]:
    """Without those that repeat another."""
    found = []
    for figure in figures:
        key = tuple(_content(panel) for panel in figure.panels)
        if key in drawn:
            continue
        drawn.add(key)
        found.append(figure)
    return found


def _content(panel: Panel) -> tuple:
    return panel.ylabel, panel.xlabel, tuple((s.colour, s.x.tobytes(), s.y.tobytes()) for s in panel.series)

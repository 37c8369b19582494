"""What a study has measured: the measures of its claims by the axes that vary."""

import math
from dataclasses import dataclass

import pandas as pd

from implicitbias.figures.axes import full_batches, roles, varying
from implicitbias.figures.table import FULL, label_runs, needed, trajectories, values, with_parameters
from implicitbias.figures.words import spread
from implicitbias.margins.norms import followed
from implicitbias.measure import Measures
from implicitbias.study.keys import Study
from implicitbias.study.naming import short
from implicitbias.terminal.runs import print_failures
from implicitbias.terminal.screen import ROWS, VALUES, console, literal, table_of

MOST = 3  # measures, those that most claims are about
LEAST = 20  # rows of a table
MAIN = "reshuffle"  # the order that is shown where there is no room for all


def print_results(study: Study, runs: pd.DataFrame, measures: Measures) -> None:
    """The measures of the claims: a row for each setting, told by what varies; where an ordered axis has the x of
    figures, a table for each measure with a column for each level of it."""
    runs = label_runs(runs)
    ok = runs[runs["status"] == "ok"]
    if ok.empty:
        console.print("no run has a result")
        print_failures(runs)
        return
    frame = full_batches(with_parameters(trajectories(runs)))
    drawn = frame[frame["status"] == "ok"]
    x = roles(drawn).x
    x = x if x is not None and x.ordered else None
    names = [axis.name for axis in varying(frame) if x is None or axis.name != x.name]
    found = asked(study, measures, drawn)
    if x is None:
        every = pd.Series(True, frame.index)
        columns = [_Column(name, name, every) for name in found]
        cut = _print(f"{', '.join(found)}, mean over seeds", frame, names, columns, ROWS)
    else:
        levels = list(x.levels)
        if len(levels) > VALUES:  # evenly spaced, with both ends
            levels = [levels[round(k * (len(levels) - 1) / (VALUES - 1))] for k in range(VALUES)]
        heads = [f"{x.name} {x.text(level) if isinstance(level, tuple) else _word(level)}" for level in levels]
        cut = 0
        for name in found:
            columns = [_Column(head, name, frame[x.name] == level) for head, level in zip(heads, levels)]
            if drawn[x.name].isna().any():  # such as data without that parameter
                columns.insert(0, _Column(f"no {x.name}", name, frame[x.name].isna()))
            cut = max(cut, _print(f"{name}, mean over seeds", frame, names, columns, max(ROWS // len(found), LEAST)))
        if len(x) > len(levels):
            console.print(f"({len(x) - len(levels)} of {len(x)} values of {x.name} not shown)")
    if cut:
        console.print(f"({cut} rows not shown; the report has them, and `implicitbias export DIR` writes them)")
    if len(ok) < len(runs):
        console.print(f"({len(runs) - len(ok)} of {len(runs)} runs are in no mean: they did not end ok)")
    console.print()


def asked(study: Study, measures: Measures, runs: pd.DataFrame) -> list[str]:
    """The measures that most claims are about, in their order; of a study without claims the cosines."""
    counts: dict[str, int] = {}
    for claim in study.claim:
        counts[claim.measure] = counts.get(claim.measure, 0) + 1
    known = {name: count for name, count in counts.items() if _has(runs, name)}
    most = sorted(known, key=known.__getitem__, reverse=True)[:MOST]
    if most:
        return [name for name in known if name in most]
    for kind in ("inc_cos", "cos", "ratio"):
        names = [f"{kind}_{norm}" for norm in followed(measures.norms, measures.matrices)]
        if found := [name for name in names if _has(runs, name)]:
            return found
    return ["log_loss"]


def _has(runs: pd.DataFrame, measure: str) -> bool:
    return all(name in runs for name in needed(measure)[:1]) and values(measure, runs).notna().any()


@dataclass(frozen=True)
class _Column:
    """A column of a table: its head, the measure, and which runs it is about."""

    head: str
    measure: str
    runs: pd.Series


def _print(title: str, frame: pd.DataFrame, names: list[str], columns: list[_Column], most: int) -> int:
    """Print a table with a row for each setting of the columns `names`; how many of its rows are left out."""
    row = frame.groupby(names, sort=False, dropna=False).ngroup() if names else pd.Series(0, frame.index)
    settings = frame.loc[~row.duplicated(), names].assign(_row=row).sort_values("_row")
    measured = {name: values(name, frame).where(frame["status"] == "ok") for name in {of.measure for of in columns}}
    cells = [_cells(measured[of.measure][of.runs], row[of.runs], of.measure) for of in columns]
    lines = [
        [*map(_word, setting[:-1]), *(column.get(setting[-1], "") for column in cells)]
        for setting in settings.itertuples(index=False, name=None)
    ]
    lines = [line for line in lines if any(line[len(names) :])]
    total = len(lines)
    if total > most and "order" in names and any(line[names.index("order")] == MAIN for line in lines):
        lines = [line for line in lines if line[names.index("order")] in (MAIN, FULL)]
    console.print(literal(title), style="bold")  # a table would fold it
    table = table_of("", *map(literal, names), *(literal(of.head) for of in columns), left=len(names))
    for line in lines[:most]:
        table.add_row(*map(literal, line))
    console.print(table)
    return total - len(lines[:most])


def _cells(measured: pd.Series, row: pd.Series, measure: str) -> dict[int, str]:
    """The mean of each row of a table; where some of its runs have none, of how many."""
    found = measured.groupby(row).agg(["mean", "count", "size"])
    return {
        place: spread(mean, math.nan, measure) + (f" ({count} of {size})" if count < size else "") if count else ""
        for place, mean, count, size in found.itertuples(name=None)
    }


def _word(level) -> str:
    """A level of an axis in letters that every terminal has."""
    if isinstance(level, float):
        return "" if math.isnan(level) else f"{level:.6g}" if math.isfinite(level) else FULL
    return "" if level is None else short(level) if isinstance(level, tuple) else str(level)

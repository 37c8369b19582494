"""What a study has measured: the measures of its claims by the axes that vary."""

import math

import pandas as pd

from implicitbias.figures.axes import Axis, axis_of, full_batches, roles, varying
from implicitbias.figures.table import FULL, label_runs, needed, trajectories, values, with_parameters
from implicitbias.margins.norms import followed
from implicitbias.measure import Measures
from implicitbias.report.page import spread
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
    rows = [axis_of(frame, axis.name) for axis in varying(frame) if x is None or axis.name != x.name]
    found = asked(study, measures, drawn)
    if x is None:
        cut = _print(f"{', '.join(found)}, mean over seeds", frame, rows, [(name, name, None) for name in found], ROWS)
    else:
        levels = list(x.levels)
        if len(levels) > VALUES:  # evenly spaced, with both ends
            levels = [levels[round(k * (len(levels) - 1) / (VALUES - 1))] for k in range(VALUES)]
        cut = 0
        for name in found:
            columns = [
                (
                    f"{x.name} {x.text(level) if isinstance(level, tuple) else _word(level)}",
                    name,
                    frame[x.name] == level,
                )
                for level in levels
            ]
            cut = max(cut, _print(f"{name}, mean over seeds", frame, rows, columns, max(ROWS // len(found), LEAST)))
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
        names = [f"{kind}_{norm}" for norm in followed(measures.norms)]
        if found := [name for name in names if _has(runs, name)]:
            return found
    return ["log_loss"]


def _has(runs: pd.DataFrame, measure: str) -> bool:
    return all(name in runs for name in needed(measure)[:1]) and values(measure, runs).notna().any()


def _print(title: str, frame: pd.DataFrame, rows: list[Axis], columns: list[tuple], most: int) -> int:
    """Print a table whose columns are (head, measure, which runs); how many of its rows are left out."""
    console.print(literal(title), style="bold")  # a table would fold it
    table = table_of("", *(literal(axis.name) for axis in rows), *(literal(head) for head, _, _ in columns),
                     left=len(rows))  # fmt: skip
    measured = {name: values(name, frame).where(frame["status"] == "ok") for _, name, _ in columns}
    names = [axis.name for axis in rows]
    groups = [((), frame)] if not rows else list(frame.groupby(names, sort=False, dropna=False))
    lines = []
    for keys, part in groups:
        index = part.index
        cells = [_cell(measured[name][index if own is None else index[own[index]]], name) for _, name, own in columns]
        if any(cells):
            lines.append([*map(_word, keys), *cells])
    total = len(lines)
    if total > most and "order" in names and any(line[names.index("order")] == MAIN for line in lines):
        lines = [line for line in lines if line[names.index("order")] in (MAIN, FULL)]
    for line in lines[:most]:
        table.add_row(*map(literal, line))
    console.print(table)
    return total - len(lines[:most])


def _head(x: Axis, level) -> str:
    return f"{x.name} {x.text(level) if isinstance(level, tuple) else _word(level)}"


def _word(level) -> str:
    """A level of an axis in letters that every terminal has."""
    if isinstance(level, float) and not isinstance(level, bool):
        return "" if math.isnan(level) else f"{level:.6g}" if math.isfinite(level) else FULL
    return "" if level is None else short(level) if isinstance(level, tuple) else str(level)


def _cell(found: pd.Series, measure: str) -> str:
    """The mean; where some of the runs have none, of how many."""
    done = int(found.notna().sum())
    if not done:
        return ""
    words = spread(found.mean(), math.nan, measure)
    return words if done == len(found) else f"{words} ({done} of {len(found)})"

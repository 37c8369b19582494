"""What a study has found: its means, its verdicts, where the time went, whether a run comes out the same."""

import pandas as pd

from implicitbias.terminal.runs import print_failures
from implicitbias.terminal.screen import ROWS, VALUES, console, literal, table_of

COLOURS = {"holds": "green", "fails": "red", "undecided": "yellow"}


def print_results(runs: pd.DataFrame) -> None:
    """Mean cosines to the l2 and l_inf directions by data, optimizer and order, a column for each batch size."""
    from implicitbias.report.tables import label_runs

    runs = label_runs(runs)
    done = runs[(runs["status"] == "ok") & runs["cos_l2"].notna()]
    if done.empty:
        console.print("no run has a result")
        print_failures(runs)
        return
    keys = ["geometry", "method", "order"]
    groups = done.groupby([*keys, "batch"], sort=False)[["cos_l2", "cos_linf"]].mean()
    batches = sorted(done["batch"].unique())
    several = len(batches)
    if several > VALUES:  # evenly spaced, with both ends
        batches = [batches[round(k * (several - 1) / (VALUES - 1))] for k in range(VALUES)]
    rows = list(dict.fromkeys(tuple(row) for row in done[keys].itertuples(index=False)))
    title = "cosine of w to the l2 / l_inf max-margin direction, by batch size (mean over seeds)"
    table = table_of(title, "data", "optimizer", "order", *(f"b = {b}" for b in batches), left=3)
    shown = rows
    if len(rows) > ROWS and (done["order"] == "reshuffle").any():
        shown = [row for row in rows if row[2] == "reshuffle"]
    for row in shown[:ROWS]:
        cells = []
        for batch in batches:
            found = (*row, batch) in groups.index
            cells.append("{:.4f} / {:.4f}".format(*groups.loc[(*row, batch)]) if found else "")
        table.add_row(*map(literal, row), *cells)
    console.print(table)
    if len(shown[:ROWS]) < len(rows):
        console.print(f"({len(rows) - len(shown[:ROWS])} of {len(rows)} rows not shown; runs.parquet has all of them)")
    if several > VALUES:
        console.print(f"({several - VALUES} of {several} batch sizes not shown; runs.parquet has all of them)")
    if len(done) < len(runs):
        console.print(f"({len(runs) - len(done)} of {len(runs)} runs are in no mean: they did not end ok)")
    console.print()


def print_verdicts(verdicts: list) -> None:
    """One line a claim: outcome, sentence, expected, measured, runs, worst."""
    if not verdicts:
        console.print("the study makes no claims\n")
        return
    console.print("claims", style="bold")
    for verdict in verdicts:
        colour = COLOURS[verdict.outcome]
        console.print(
            f"  [{colour}]{verdict.outcome:<9}[/] {literal(verdict.claim.says)} "
            f"[dim]({literal(verdict.claim.source)})[/]"
        )
        value = "" if pd.isna(verdict.value) else f"; measured {verdict.value:.6g}"
        console.print(
            f"            {literal(verdict.expected)}{value} ({verdict.runs} runs; {literal(verdict.detail)})",
            style="dim",
        )
    empty = sum(not verdict.runs for verdict in verdicts)
    if empty:
        console.print(f"{empty} of {len(verdicts)} claims judged no run at all: their filters match none", style="bold")
    console.print()


def print_summary(summary, runs: pd.DataFrame) -> None:
    """How many runs ended how, and where the time went."""
    counts = ", ".join(f"{count} {status}" for status, count in runs["status"].value_counts().items())
    console.print(
        f"{summary.total} runs: {counts}; {summary.computed} computed now, {summary.total - summary.computed} kept"
    )
    if summary.computed and summary.kernel > 0.0:
        rate = f"; {summary.rate / 1e6:.1f} million updates per kernel second" if summary.rate else ""
        console.print(
            f"{summary.wall:.1f} s in all on {summary.jobs} worker(s): {summary.compile:.1f} s compiling or loading "
            f"kernels; over the workers {summary.kernel:.1f} s in kernels, {summary.measure:.1f} s in separators and "
            f"measures{rate}"
        )


def print_reproduction(found) -> None:
    """Whether a run came out the same, in which columns it did not, and what code and libraries have to do with it."""
    row = found.row
    seed = "" if row["data_seed"] is None else f" seed {row['data_seed']}"
    horizon = f"{row['steps']} steps" if row["time"] is None else f"t = {row['time']:g}"
    console.print(
        f"run {row['run_id']} of {literal(found.folder)}: {literal(row['data'])}{seed}, {literal(row['label'])}, "
        f"{row['order']}, batch {row['batch']}, {horizon}"
    )
    for name, (then, now) in found.stale.items():
        console.print(f"stale: {name} was {literal(then)}, is {literal(now)}")
    if found.equal:
        console.print(f"bit-identical: its end and all {found.snapshots} snapshots")
        return
    table = table_of(f"differs in {len(found.differences)} columns", "table", "column", "places", "stored", "now",
                   "difference", left=2)  # fmt: skip
    for item in found.differences[:ROWS]:
        size = "" if pd.isna(item.size) else f"{item.size:.3g}"
        table.add_row(item.table, item.column, str(item.places), _value(item.stored), _value(item.now), size)
    console.print(table)
    if len(found.differences) > ROWS:
        console.print(f"({len(found.differences) - ROWS} more columns)")


def _value(value) -> str:
    if isinstance(value, list):
        return f"{len(value)} values"
    return f"{value:.17g}" if isinstance(value, float) else literal(str(value))[:60]

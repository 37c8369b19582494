"""What a study has found: its verdicts, where the time went, whether a run comes out the same."""

import pandas as pd

from implicitbias.terminal.screen import ROWS, console, literal, table_of

COLOURS = {"holds": "green", "fails": "red", "undecided": "yellow"}


def print_verdicts(verdicts: list) -> None:
    """One line a claim: outcome, sentence, expected, measured, runs, worst."""
    if not verdicts:
        console.print("the study makes no claims\n")
        return
    console.print("claims", style="bold")
    for verdict in verdicts:
        colour = COLOURS[verdict.outcome]
        source = f" [dim]({literal(verdict.claim.source)})[/]" if verdict.claim.source else ""
        console.print(f"  [{colour}]{verdict.outcome:<9}[/] {literal(verdict.claim.says)}{source}")
        value = "" if pd.isna(verdict.value) else f"; measured {verdict.value:.6g}"
        console.print(
            f"            {literal(verdict.expected)}{value} ({verdict.runs} runs; {literal(verdict.detail)})",
            style="dim",
        )
    empty = sum(not verdict.runs for verdict in verdicts)
    if empty:
        console.print(f"{empty} of {len(verdicts)} claims judged no run at all: their filters match none", style="bold")
    console.print()


def print_catalogue(rows: list[dict]) -> None:
    """A line a claim: study, outcome, sentence, what was measured."""
    last = None
    for row in rows:
        if row["study"] != last:
            console.print(literal(row["study"]), style="bold")
        last, outcome = row["study"], row["verdict"]
        console.print(
            f"  [{COLOURS[outcome]}]{outcome:<9}[/] {literal(row['says'])} [dim]{literal(row['measured'])}[/]"
        )


def counted(runs: pd.DataFrame) -> str:
    """How many runs ended how."""
    counts = ", ".join(f"{count} {status}" for status, count in runs["status"].value_counts().items())
    return f"{len(runs)} runs: {counts}"


def print_summary(summary, runs: pd.DataFrame) -> None:
    """How many runs ended how, and where the time went."""
    console.print(f"{counted(runs)}; {summary.computed} computed now, {summary.total - summary.computed} kept")
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

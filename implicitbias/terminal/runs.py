"""Which runs there are, which are missing or stale, and how they ended."""

import pandas as pd

from implicitbias.terminal.screen import ROWS, console, literal, table_of, words_of

STATUS_COLUMNS = [
    "run_id", "data", "data_params", "label", "lr_eta", "lr_a", "lr_t0", "lr_schedule", "batch", "order", "remainder",
    "steps", "time", "until_log_loss", "loss", "limit_method", "status", "message", "kernel_seconds", "measure_seconds",
    "version", "source", "libraries",
]  # fmt: skip
REASONS = 20


def print_status(identity: dict, runs: pd.DataFrame) -> None:
    """Counts by status, missing and stale runs, reasons of failures, the slowest runs; needs STATUS_COLUMNS."""
    from implicitbias.figures.table import label_runs

    missing = max(identity["runs"] - len(runs), 0)
    console.print(f"study {literal(identity['study'])}: {len(runs)} of {identity['runs']} runs done, {missing} missing")
    for name, count in runs["status"].value_counts().items():
        console.print(f"  {name:<14} {count}")
    print_stale(runs)
    if (runs["status"] != "ok").any():
        print_failures(label_runs(runs))
    seconds = runs[["kernel_seconds", "measure_seconds"]].sum(axis=1)
    slow = runs.loc[seconds[seconds > 0].nlargest(3).index]
    if len(slow):
        table = table_of("slowest", "run", "data", "optimizer", "batch", "steps", "s in kernel", "s to measure", left=3)
        for row in slow.itertuples():
            table.add_row(
                row.run_id,
                literal(row.data),
                literal(row.label),
                str(row.batch),
                f"{row.steps:.0f}" if pd.isna(row.time) else f"t = {row.time:g}",
                f"{row.kernel_seconds:.3g}",
                f"{row.measure_seconds:.3g}",
            )
        console.print(table)


def print_pace(done: int, seconds: float, missing: int) -> None:
    """How fast runs come in, of `done` in so many seconds."""
    if done > 0:
        console.print(f"{done} runs in {words_of(seconds)}; the others take about {words_of(missing * seconds / done)}")


def print_failures(runs: pd.DataFrame) -> None:
    """The reasons of the runs that did not end ok, of a table as from `label_runs`."""
    from implicitbias.report.tables import failures

    failed = failures(runs).sort_values("count", ascending=False, kind="stable")
    table = table_of("not ended well", "status", "data", "optimizer", "reason", "a run of them", "runs", left=5)
    for row in failed.head(REASONS).itertuples():
        words = (row.geometry, row.methods, row.message)
        table.add_row(row.status, *map(literal, words), row.example, str(row.count))
    console.print(table)
    if len(failed) > REASONS:
        rest = failed["count"][REASONS:].sum()
        console.print(f"({len(failed) - REASONS} more reasons, of {rest} runs; runs.parquet has all of them)")


def print_stale(runs: pd.DataFrame) -> None:
    """How many runs other code or other libraries have made, if any."""
    from implicitbias.study.provenance import stale_words

    if words := stale_words(runs):
        console.print(literal(words))


def print_shard(summary, shard: str) -> None:
    console.print(
        f"shard {literal(shard)}: {summary.computed} runs computed now, {summary.wall:.1f} s in all; when all shards "
        f"are done, `implicitbias collect {literal(str(summary.folder))}` makes the tables"
    )


def print_collected(collected) -> None:
    """How many runs there are, and how to get the others."""
    console.print(
        f"{collected.total - collected.missing} of {collected.total} runs in {literal(str(collected.folder))}"
    )
    if collected.missing:
        console.print(f"{collected.missing} runs are missing: run their shards, or the study itself with this --out")


def print_readings(readings: list[tuple[str, str]]) -> None:
    """What was read of the data files of a study, each with the name of its data."""
    for name, words in readings[:ROWS]:
        console.print(f"data {literal(name)}: {literal(words)}")
    if len(readings) > ROWS:
        console.print(f"({len(readings) - ROWS} more data files; the column data_read of runs.parquet has all of them)")

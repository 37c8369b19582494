"""What the command line prints: tables, verdicts, and a progress bar with rate and time left."""

import sys
import tomllib
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from implicitbias.errors import one_line

COLOURS = {"holds": "green", "fails": "red", "undecided": "yellow"}
ROWS = 40  # of a table: about a screen
VALUES = 8  # of a list of numbers, or columns of batch sizes

# Without a terminal (a pipe, a log) lines are as wide as a table needs: folded cells would be hard to read again.
console = Console(highlight=False, emoji=False, width=None if sys.stdout.isatty() else 160)


def literal(text) -> str:
    """A user's text as rich shows it letter by letter: its [markup] is text, its control characters are visible."""
    return escape(one_line(str(text)))


@contextmanager
def progress():
    """A callback progress(phase, done, total) that draws a bar on stderr."""
    stderr = Console(stderr=True)
    if not stderr.is_terminal:  # a log gets no bar
        yield lambda phase, done, total: None
        return
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=stderr,
        transient=True,
    )
    with bar:
        task = bar.add_task("planning", total=None, rate="")

        def update(phase: str, done: int, total: int) -> None:
            if bar.tasks[0].description != phase:
                bar.reset(task, description=phase, total=total or None)
            speed = bar.tasks[0].speed
            rate = f"{speed:.1f} runs/s" if phase == "running" and speed else ""
            bar.update(task, completed=done, total=total or None, rate=rate)

        yield update


def _table(title: str, *columns: str, left: int = 1) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold", box=None, pad_edge=False)
    for position, column in enumerate(columns):
        table.add_column(column, justify="left" if position < left else "right", overflow="fold")
    return table


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
    table = _table(title, "data", "optimizer", "order", *(f"b = {b}" for b in batches), left=3)
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


def print_stale(runs: pd.DataFrame) -> None:
    """How many runs other code or other libraries have made, if any."""
    from implicitbias.study.resume import stale_words

    if words := stale_words(runs):
        console.print(literal(words))


STATUS_COLUMNS = [
    "run_id", "data", "data_params", "label", "lr_eta", "lr_a", "lr_t0", "batch", "order", "remainder", "steps", "time",
    "until_log_loss", "loss", "limit_method", "status", "message", "kernel_seconds", "measure_seconds",
    "version", "source", "libraries",
]  # fmt: skip
REASONS = 20


def print_status(identity: dict, runs: pd.DataFrame) -> None:
    """Counts by status, missing and stale runs, reasons of failures, the slowest runs; needs STATUS_COLUMNS."""
    from implicitbias.report.tables import label_runs

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
        table = _table("slowest", "run", "data", "optimizer", "batch", "steps", "s in kernel", "s to measure", left=3)
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


def print_failures(runs: pd.DataFrame) -> None:
    """The reasons of the runs that did not end ok, of a table as from `label_runs`."""
    from implicitbias.report.tables import failures

    failed = failures(runs).sort_values("count", ascending=False, kind="stable")
    table = _table("not ended well", "status", "data", "optimizer", "reason", "a run of them", "runs", left=5)
    for row in failed.head(REASONS).itertuples():
        words = (row.geometry, row.methods, row.message)
        table.add_row(row.status, *map(literal, words), row.example, str(row.count))
    console.print(table)
    if len(failed) > REASONS:
        rest = failed["count"][REASONS:].sum()
        console.print(f"({len(failed) - REASONS} more reasons, of {rest} runs; runs.parquet has all of them)")


def print_list(studies: list[Path]) -> None:
    from implicitbias.flows import FLOWS
    from implicitbias.geometry import FAMILIES
    from implicitbias.optimizers import OPTIMIZERS

    table = _table("studies", "file", "title", left=2)
    for path in studies:
        try:
            title = str(tomllib.loads(path.read_text(encoding="utf-8")).get("title", ""))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
            title = "(not a readable study file)"
        table.add_row(literal(str(path)), literal(title))
    console.print(table)
    for what, entries in (("data families", FAMILIES), ("optimizers", OPTIMIZERS), ("flows", FLOWS)):
        table = _table(f"\n{what}", "kind", "what", left=2)
        for name, entry in entries.items():
            # python -OO strips docstrings
            table.add_row(name, literal((entry.__doc__ or entry.__name__).strip().splitlines()[0]))
        console.print(table)


def print_study(study, runs: list, seconds: float) -> None:
    console.print(literal(study.title), style="bold")
    for line in study.question.strip().splitlines():
        console.print(literal(line))
    for source in study.sources:
        console.print(f"  {literal(source)}", style="dim")
    read = ((run.data.name, "; ".join(run.data.reading)) for run in runs if run.data.reading)
    print_readings([*dict.fromkeys(read)])
    horizon = " or ".join(
        filter(None, ["steps" * any(run.lr for run in runs), "time" * any(not run.lr for run in runs)])
    )
    table = _table("\nruns", "data", "optimizer", "orders", "batch sizes", horizon or "steps", "runs", left=4)
    groups: dict = {}
    for run in runs:
        lr = f", lr {run.lr.label}" if run.lr else ""
        groups.setdefault((run.data.name, run.optimizer.label + lr), []).append(run)
    for (data, label), group in list(groups.items())[:ROWS]:
        orders = ", ".join(dict.fromkeys(run.setting.order for run in group))
        batches = _few(sorted({run.setting.batch for run in group}))
        horizons = {run.setting.steps if run.lr else run.setting.time for run in group}
        steps = _few(sorted(horizons))
        table.add_row(literal(data), literal(label), orders, batches, steps, str(len(group)))
    console.print(table)
    if len(groups) > ROWS:
        console.print(f"({len(groups) - ROWS} of {len(groups)} rows not shown)")
    console.print(f"{len(runs)} runs, about {seconds:.0f} core seconds\n")
    for claim in study.claim:
        console.print(f"claim: {literal(claim.says)} ({literal(claim.source)})")


def _few(values: list) -> str:
    """Numbers in a cell: some in the middle left out if they are many."""
    words = [str(x) if isinstance(x, int) else f"{x:g}" for x in values]
    if len(words) > VALUES:
        words = [*words[: VALUES - 2], "...", words[-1], f"({len(words)} values)"]
    return ", ".join(words)


def print_forecast(forecast) -> None:
    """What a study would take, and how that is known."""
    console.print(literal(forecast.study.title), style="bold")
    console.print(
        f"{forecast.runs:,} runs in {forecast.blocks:,} blocks and {forecast.tasks:,} tasks, on {forecast.data_sets:,} "
        f"data sets, with {forecast.snapshots:,} snapshots"
    )
    print_readings(forecast.readings)
    table = _table("", "optimizer", "runs")
    for name, count in list(forecast.optimizers.items())[:ROWS]:
        table.add_row(literal(name), f"{count:,}")
    console.print(table)
    if len(forecast.optimizers) > ROWS:
        console.print(f"({len(forecast.optimizers) - ROWS} more optimizers)")
    parts = {"kernels": forecast.kernel, "measures": forecast.measuring, "predicted limits": forecast.predicting}
    parts["separators"] = forecast.certifying
    words = ", ".join(f"{name} {_duration(seconds)}" for name, seconds in parts.items())
    console.print(f"\nabout {_duration(forecast.core)} of one core: {words}")
    timeout = forecast.study.timeout
    cut = f", with no run longer than its {_duration(timeout)}" if timeout else ""
    console.print(f"about {_duration(forecast.wall)} with --jobs {forecast.jobs}{cut}, and some seconds to compile")
    total = _size(forecast.runs_bytes + forecast.curves_bytes)
    each = forecast.curves_bytes / forecast.snapshots
    console.print(
        f"about {total} on disk: {each:.0f} bytes a snapshot, {forecast.runs_bytes / forecast.runs:.0f} a run"
    )
    kinds, made = len(forecast.samples), len(forecast.predicted)
    limits = f", and {made:,} of {forecast.predictions:,} different predicted limits" if made else ""
    console.print(
        f"measured in {forecast.took:.1f} s, compiling included: {kinds} block{'s' * (kinds > 1)} of up to 8 runs for "
        f"a part of their steps, of the kinds that make up {forecast.sampled:.0%} of the time{limits}; no results were "
        "written",
        style="dim",
    )


def _duration(seconds: float) -> str:
    for size, name in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {name}"
    return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"


def _size(count: float) -> str:
    for size, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if count >= size:
            return f"{count / size:.3g} {name}"
    return f"{count / 1e3:.3g} kB"


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
    table = _table(f"differs in {len(found.differences)} columns", "table", "column", "places", "stored", "now",
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


def print_readings(readings: list[tuple[str, str]]) -> None:
    """What was read of the data files of a study, each with the name of its data."""
    for name, words in readings[:ROWS]:
        console.print(f"data {literal(name)}: {literal(words)}")
    if len(readings) > ROWS:
        console.print(f"({len(readings) - ROWS} more data files; the column data_read of runs.parquet has all of them)")


def print_margins(problem) -> None:
    from implicitbias.margins import max_margin

    for words in problem.reading:
        console.print(literal(words))
    title = f"{literal(problem.name)}, {problem.n} rows, {problem.d} features: certified max-margin separators"
    table = _table(title, "norm", "margin", "relative gap", "unique", "support vectors")
    with warnings.catch_warnings(record=True) as loose:
        warnings.simplefilter("always", RuntimeWarning)
        for norm in ("l1", "l2", "linf"):
            found = max_margin(problem, norm)
            unique = "yes" if found.unique else "no"
            table.add_row(
                norm, f"{found.margin:.10g}", f"{found.relative_gap:.1e}", unique, str((found.dual > 0).sum())
            )
    console.print(table)
    for warning in loose:
        console.print(literal(f"note: {warning.message}"))


def print_limit(problem, optimizer, limit, notes: list[str]) -> None:
    from implicitbias.margins import max_margin
    from implicitbias.measure import angle, cosine

    for words in problem.reading:
        console.print(literal(words))
    console.print(
        f"{literal(problem.name)}, {problem.n} rows, {problem.d} features: {literal(optimizer.label)}", style="bold"
    )
    console.print(literal(limit.rule))
    known = f" +- {limit.gap_error:.1e}, direction to {limit.error:.1e}" if limit.error else ""
    console.print(f"gap {limit.gap:.2e}{known}; {(limit.weights > 1e-9).sum()} samples hold weight")
    table = _table("predicted direction", "max-margin direction", "cosine", "angle (degrees)", "margin / optimum")
    for norm, order in (("l1", 1), ("l2", 2), ("linf", np.inf)):
        best = max_margin(problem, norm)
        ratio = (problem.rows @ limit.direction).min() / np.linalg.norm(limit.direction, order) / best.margin
        cells = (cosine(limit.direction, best.direction), angle(limit.direction, best.direction), ratio)
        table.add_row(norm, *(f"{float(cell):.6f}" for cell in cells))
    console.print(table)
    largest = np.argsort(-np.abs(limit.direction), kind="stable")[:8]
    names = problem.feature_names or range(problem.d)
    console.print(
        "largest entries: " + ", ".join(f"{literal(f'u[{names[j]}]')} = {limit.direction[j]:.6f}" for j in largest)
    )
    for other in limit.others:
        console.print(f"another rest point: cosine {float(other.direction @ limit.direction):.6f}, gap {other.gap:.1e}")
    for note in notes:
        console.print(literal(f"note: {note}"))

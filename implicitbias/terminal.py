"""What the command line prints: tables, verdicts, and a progress bar with rate and time left."""

import sys
import tomllib
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

COLOURS = {"holds": "green", "fails": "red", "undecided": "yellow"}
ROWS = 40  # of the results table: about a screen

# Without a terminal (a pipe, a log) lines are as wide as a table needs: folded cells would be hard to read again.
console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)


@contextmanager
def progress():
    """A callback progress(phase, done, total) that draws a bar on stderr."""
    stderr = Console(stderr=True)
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=stderr,
        transient=True,
        disable=not stderr.is_terminal,  # a log gets no bar
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
    done = runs[runs["cos_l2"].notna()]
    if done.empty:
        console.print("no run has a result")
        return
    keys = ["data", "label", "order"]
    groups = done.groupby([*keys, "batch"], sort=False)[["cos_l2", "cos_linf"]].mean()
    batches = sorted(done["batch"].unique())
    rows = list(dict.fromkeys(tuple(row) for row in done[keys].itertuples(index=False)))
    title = "cosine of w to the l2 / l_inf max-margin direction, by batch size (mean over seeds)"
    table = _table(title, *keys, *(f"b = {b}" for b in batches), left=3)
    shown = rows
    if len(rows) > ROWS and (done["order"] == "reshuffle").any():
        shown = [row for row in rows if row[2] == "reshuffle"]
    for row in shown[:ROWS]:
        cells = []
        for batch in batches:
            found = (*row, batch) in groups.index
            cells.append("{:.4f} / {:.4f}".format(*groups.loc[(*row, batch)]) if found else "")
        table.add_row(*map(escape, row), *cells)
    console.print(table)
    if len(shown[:ROWS]) < len(rows):
        console.print(f"({len(rows) - len(shown[:ROWS])} of {len(rows)} rows not shown; all are in the report)")
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
            f"  [{colour}]{verdict.outcome:<9}[/] {escape(verdict.claim.says)} [dim]({escape(verdict.claim.source)})[/]"
        )
        value = "" if pd.isna(verdict.value) else f"; measured {verdict.value:.6g}"
        console.print(
            f"            {escape(verdict.expected)}{value} ({verdict.runs} runs; {escape(verdict.detail)})",
            style="dim",
        )
    console.print()


def print_summary(summary, runs: pd.DataFrame) -> None:
    """How many runs ended how, and where the time went."""
    counts = ", ".join(f"{count} {status}" for status, count in runs["status"].value_counts().items())
    console.print(
        f"{summary.total} runs: {counts}; {summary.computed} computed now, {summary.total - summary.computed} kept"
    )
    if summary.computed and summary.kernel > 0.0:
        updates = runs["step"].sum() * summary.computed / summary.total
        console.print(
            f"{summary.wall:.1f} s in all on {summary.jobs} worker(s): {summary.compile:.1f} s compiling or loading "
            f"kernels; over the workers {summary.kernel:.1f} s in kernels, {summary.measure:.1f} s in separators and "
            f"measures; {updates / summary.kernel / 1e6:.1f} million updates per kernel second"
        )


def print_status(identity: dict, runs: pd.DataFrame) -> None:
    missing = identity["runs"] - len(runs)
    console.print(f"study {escape(identity['study'])}: {len(runs)} of {identity['runs']} runs done, {missing} missing")
    for name, count in runs["status"].value_counts().items():
        console.print(f"  {name:<14} {count}")
    failed = runs[runs["message"].notna()]
    if len(failed):
        table = _table("not run to the end", "run", "data", "optimizer", "status", "reason", left=5)
        for row in failed.head(20).itertuples():
            table.add_row(row.run_id, escape(row.data), escape(row.label), row.status, escape(row.message))
        console.print(table)
        if len(failed) > 20:
            console.print(f"({len(failed) - 20} more)")
    slow = runs.nlargest(3, "kernel_seconds")
    if len(slow):
        table = _table("slowest", "run", "data", "optimizer", "batch", "steps", "seconds", left=3)
        for row in slow.itertuples():
            table.add_row(
                row.run_id,
                escape(row.data),
                escape(row.label),
                str(row.batch),
                f"{row.steps:.0f}" if pd.isna(row.time) else f"t = {row.time:g}",
                f"{row.kernel_seconds:.2f}",
            )
        console.print(table)


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
        table.add_row(escape(str(path)), escape(title))
    console.print(table)
    for what, entries in (("data families", FAMILIES), ("optimizers", OPTIMIZERS), ("flows", FLOWS)):
        table = _table(f"\n{what}", "kind", "what", left=2)
        for name, entry in entries.items():
            table.add_row(name, escape((entry.__doc__ or "").strip().splitlines()[0]))
        console.print(table)


def print_study(study, runs: list, seconds: float) -> None:
    console.print(escape(study.title), style="bold")
    console.print(escape(study.question.strip()))
    for source in study.sources:
        console.print(f"  {escape(source)}", style="dim")
    horizon = " or ".join(
        filter(None, ["steps" * any(run.lr for run in runs), "time" * any(not run.lr for run in runs)])
    )
    table = _table("\nruns", "data", "optimizer", "orders", "batch sizes", horizon or "steps", "runs", left=4)
    groups: dict = {}
    for run in runs:
        lr = f", lr {run.lr.label}" if run.lr else ""
        groups.setdefault((run.data.name, run.optimizer.label + lr), []).append(run)
    for (data, label), group in groups.items():
        orders = ", ".join(dict.fromkeys(run.setting.order for run in group))
        batches = ", ".join(map(str, sorted({run.setting.batch for run in group})))
        horizons = {run.setting.steps if run.lr else run.setting.time for run in group}
        steps = ", ".join(str(x) if isinstance(x, int) else f"{x:g}" for x in sorted(horizons))
        table.add_row(escape(data), escape(label), orders, batches, steps, str(len(group)))
    console.print(table)
    console.print(f"{len(runs)} runs, about {seconds:.0f} core seconds\n")
    for claim in study.claim:
        console.print(f"claim: {escape(claim.says)} ({escape(claim.source)})")


def print_margins(problem) -> None:
    from implicitbias.margins import max_margin

    title = f"{escape(problem.name)}, {problem.n} rows, {problem.d} features: certified max-margin separators"
    table = _table(title, "norm", "margin", "relative gap", "unique", "support vectors")
    for norm in ("l1", "l2", "linf"):
        found = max_margin(problem, norm)
        unique = "yes" if found.unique else "no"
        table.add_row(norm, f"{found.margin:.10g}", f"{found.relative_gap:.1e}", unique, str((found.dual > 0).sum()))
    console.print(table)


def print_limit(problem, optimizer, limit) -> None:
    from implicitbias.margins import max_margin
    from implicitbias.measure import angle, cosine

    console.print(
        f"{escape(problem.name)}, {problem.n} rows, {problem.d} features: {escape(optimizer.label)}", style="bold"
    )
    console.print(escape(limit.rule))
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
    console.print("largest entries: " + ", ".join(f"u[{j}] = {limit.direction[j]:.6f}" for j in largest))
    for other in limit.others:
        console.print(f"another rest point: cosine {float(other.direction @ limit.direction):.6f}, gap {other.gap:.1e}")

"""The console, users' text on it, and a progress bar with rate and time left."""

import sys
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from implicitbias.errors import one_line

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


def table_of(title: str, *columns: str, left: int = 1) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold", box=None, pad_edge=False)
    for position, column in enumerate(columns):
        table.add_column(column, justify="left" if position < left else "right", overflow="fold")
    return table

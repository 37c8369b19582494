"""The console, users' text on it, and a progress bar with rate and time left."""

import re
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from implicitbias.errors import one_line

ROWS = 40  # of a table: about a screen
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
EVERY = 60.0  # seconds between the lines of a log
VALUES = 8  # of a list of numbers, or columns of batch sizes

# Without a terminal (a pipe, a log) lines are as wide as a table needs: folded cells would be hard to read again.
console = Console(highlight=False, emoji=False, width=None if sys.stdout.isatty() else 160)


def literal(text) -> str:
    """A user's text as rich shows it letter by letter: its [markup] is text, its control characters are visible."""
    return escape(one_line(str(text)))


@contextmanager
def said():
    """What is printed meanwhile, without its colours: a function that returns it afterwards."""
    with console.capture() as captured:
        yield lambda: _COLOURS.sub("", captured.get())
    sys.stdout.write(captured.get())


@contextmanager
def progress():
    """A callback progress(phase, done, total) that draws a bar on stderr, or writes lines where that is no terminal."""
    stderr = Console(stderr=True)
    if not stderr.is_terminal:
        yield Log(lambda line: print(line, file=sys.stderr, flush=True))
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
            rate = f"{speed:.1f} runs/s" if phase.endswith("running") and speed else ""
            bar.update(task, completed=done, total=total or None, rate=rate)

        yield update


class Log:
    """Progress for a file: a line once a minute.

    Arguments
        write   takes a line
        clock   seconds, only ever forward

    >>> now, said = [0.0], []
    >>> log = Log(said.append, lambda: now[0])
    >>> for now[0], done in ((0.0, 0), (50.0, 10), (60.0, 24), (90.0, 80), (150.0, 180)):
    ...     log("running", done, 200)
    >>> said
    ['running 24 of 200, 60 s, about 7 min left', 'running 180 of 200, 2 min, about 17 s left']
    """

    def __init__(self, write: Callable[[str], None], clock: Callable[[], float] = time.monotonic):
        self.write, self.clock = write, clock
        self.phase, self.began, self.next = "", clock(), clock() + EVERY
        self.start = self.began

    def __call__(self, phase: str, done: int, total: int) -> None:
        now = self.clock()
        if phase != self.phase:
            self.phase, self.began = phase, now
        if now < self.next:
            return
        self.next = now + EVERY
        if not total:
            self.write(f"{phase}, {words_of(now - self.start)}")
            return
        left = f", about {words_of((now - self.began) / done * (total - done))} left" if done else ""
        self.write(f"{phase} {done} of {total}, {words_of(now - self.start)}{left}")


def words_of(value: float) -> str:
    """A time in seconds, as a person says it."""
    return f"{value:.0f} s" if value < 120 else f"{value / 60:.0f} min" if value < 7200 else f"{value / 3600:.1f} h"


def table_of(title: str, *columns: str, left: int = 1) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold", box=None, pad_edge=False)
    for position, column in enumerate(columns):
        table.add_column(column, justify="left" if position < left else "right", overflow="fold")
    return table

"""What every reader of data files hands on: a table of columns, from which the label and the features are chosen."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from implicitbias.errors import InputError
from implicitbias.labels import as_number

LABELS = ("label", "labels", "target", "class", "y")  # names that a column of labels has


@dataclass(frozen=True)
class Options:
    """How a file is to be read; see `from_file`."""

    label: str | int | None = None
    drop: tuple[str | int, ...] = ()
    columns: tuple[str | int, ...] = ()
    header: bool | None = None
    delimiter: str | None = None
    decimal: str | None = None
    zero_based: bool | None = None

    @property
    def names(self) -> list[str]:
        """What can only be names of columns: text that is no integer."""
        asked = [self.label, *self.drop, *self.columns]
        return [name for name in asked if isinstance(name, str)]


@dataclass
class Table:
    """What a file holds, and how to speak of its places.

    columns   (n, d) float64, or d columns of n cells each: float64, or text and whatever else the file holds
    names     the names of the columns, "" where one has none; None if the file gives no names
    labels    n labels, where the format keeps them apart from the columns
    where     what holds these labels
    lines     the lines of the rows, where the file has lines
    first     the number of the first column
    number    a cell of text as a number, or None
    notes     how the file was understood, where that is not plain
    mistakes  sentences about what could not be read
    """

    columns: np.ndarray | list
    names: list[str] | None = None
    labels: list | None = None
    where: str = ""
    lines: list[int] | None = None
    first: int = 0
    number: Callable[[str], float | None] = as_number
    notes: list[str] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)

    @property
    def width(self) -> int:
        return self.columns.shape[1] if isinstance(self.columns, np.ndarray) else len(self.columns)

    def __len__(self) -> int:
        return len(self.columns) if isinstance(self.columns, np.ndarray) else len(self.columns[0])

    def column(self, k: int):
        return self.columns[:, k] if isinstance(self.columns, np.ndarray) else self.columns[k]

    def cells(self, k: int) -> list:
        column = self.column(k)
        return column.tolist() if isinstance(column, np.ndarray) else list(column)

    def row(self, i: int) -> str:
        return f"row {i}" if self.lines is None else f"line {self.lines[i]}"

    def name(self, k: int) -> str:
        """The name of column k, or the number that stands for it."""
        return (self.names and self.names[k]) or str(k + self.first)

    def words(self, k: int) -> str:
        """Column k in a sentence."""
        return f"column {self.names[k]!r}" if self.names and self.names[k] else f"column [{k + self.first}]"

    def asked(self, k: int) -> str:
        """What to give to an option to mean column k."""
        name = self.names[k] if self.names else ""
        return repr(name) if name and self.names.count(name) == 1 else str(k + self.first)


def counted(count: int, what: str = "column") -> str:
    """
    >>> counted(1), counted(0)
    ('1 column', '0 columns')
    """
    return f"{count} {what}{'s' * (count != 1)}"


def check_size(rows: int, columns: int, most: int) -> None:
    if rows * columns > most:
        raise InputError(f"has {rows} rows and {columns} columns: more than {most} entries (2 GiB)")

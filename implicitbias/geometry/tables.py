"""What every reader of data files hands on, and the words for its mistakes."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from implicitbias.errors import InputError, one_of

_SHOWN = 5


@dataclass
class Table:
    """What a file holds, and how to speak of its places.

    X         (n, d) float64, zero where a cell is no number
    labels    n values: text, numbers, or something else that is no label
    where     what holds the labels
    at        (i, j) -> the words for that entry, (i, None) -> for that row
    mistakes  sentences about what could not be read
    """

    X: np.ndarray
    labels: list
    where: str
    at: Callable[[int, int | None], str]
    mistakes: list[str] = field(default_factory=list)


def as_number(text: str) -> float | None:
    """The number that a cell holds, or None; Python's 1_000 and digits of other scripts are no numbers in a data
    file, as no other reader takes them for one."""
    try:
        return None if "_" in text or not text.isascii() else float(text)
    except ValueError:
        return None


def few(sentences: list[str], what: str) -> list[str]:
    """The first of many sentences, and how many more there are."""
    more = len(sentences) - _SHOWN
    return sentences[:_SHOWN] + ([f"... and {more} more such {what}"] if more > 0 else [])


def label_column(label: str | int | None, names: list[str], default: int) -> int:
    """The index of the label column."""
    if len(names) < 2:
        raise InputError(f"needs a label and at least one feature, but has {counted(len(names))}")
    if isinstance(label, str):
        if label not in names:
            raise InputError(one_of(label, "column", names))
        if names.count(label) > 1:
            raise InputError(f"has {names.count(label)} columns called {label!r}; give the label's index instead")
        return names.index(label)
    if label is not None and not -len(names) <= label < len(names):
        raise InputError(f"has {len(names)} columns, so label must be from {-len(names)} to {len(names) - 1}")
    return default if label is None else label % len(names)


def counted(count: int) -> str:
    return f"{count} column{'s' if count != 1 else ''}"

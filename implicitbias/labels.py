"""The classes of labels: which they are, how many rows each has, and, of two, which of them is +1."""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from numbers import Real

import numpy as np

from implicitbias.errors import InputError

# What data files write where a value is missing, in lower case: the words that pandas, R, SQL and Weka use.
MISSING = frozenset(
    ("", "na", "n/a", "#n/a", "<na>", "nan", "-nan", "nat", "null", "none", "nil", "missing", "?", "-", "--")
)
_SHOWN = 5


@dataclass(frozen=True)
class Classes:
    """Two classes.

    Attributes
        negative, positive  the labels that are -1 and +1
        counts              how many rows they have, in this order
        signs               (n,) float64, -1 or +1
    """

    negative: str | float | bool
    positive: str | float | bool
    counts: tuple[int, int]
    signs: np.ndarray = field(compare=False, repr=False)

    def __str__(self) -> str:
        low, high = self.counts
        return f"+1 is {show(self.positive)} ({rows(high)}), -1 is {show(self.negative)} ({rows(low)})"


def two_classes(
    labels: list, positive=None, where: str = "y", row: Callable[[int], str] = "row {}".format, whole: bool = True
) -> Classes | None:
    """The classes of n labels: numbers (text that is a number counts as one), truth values, or text.

    The larger number, the alphabetically last text, or "+" beside "-" is +1, unless `positive` says otherwise.

    Arguments
        labels    n values
        positive  the label that is +1, or None
        where     what holds the labels, for sentences
        row       the words for row i
        whole     whether these are all labels; of a part, a missing class is no mistake and the answer None

    Errors: ``InputError`` for rows without a label, for one label or more than two, with their counts, and for a
    `positive` that is none of them.

    >>> print(two_classes(["yes", "no", "yes"]))
    +1 is 'yes' (2 rows), -1 is 'no' (1 row)
    """
    found, classes = _read(labels, row)
    counts = Counter(found)
    shown = ", ".join(map(show, classes[:_SHOWN])) + ", ..." * (len(classes) > _SHOWN)
    if len(classes) != 2:
        if len(classes) < 2 and not whole:
            return None
        told = ", ".join(f"{show(value)} ({rows(counts[value])})" for value in classes[:_SHOWN])
        more = f", and {len(classes) - _SHOWN} more" * (len(classes) > _SHOWN)
        raise InputError(f"needs exactly two labels, but {where} holds {len(classes)}: {told}{more}")
    chosen = classes[1] if positive is None else next((c for c in classes if _same(c, positive)), None)
    if chosen is None:
        raise InputError(f"positive must be one of the labels {shown}, but is {positive!r}")
    other = classes[classes[0] == chosen]
    signs = np.where([value == chosen for value in found], 1.0, -1.0)
    return Classes(other, chosen, (counts[other], counts[chosen]), signs)


@dataclass(frozen=True)
class ManyClasses:
    """k classes, by their numbers 0, ..., k - 1.

    Attributes
        names   (k,) the labels, sorted
        counts  how many rows they have, in this order
        index   (n,) int64, the class of each row
    """

    names: tuple[str | float | bool, ...]
    counts: tuple[int, ...]
    index: np.ndarray = field(compare=False, repr=False)

    def __str__(self) -> str:
        told = [f"{show(name)} ({rows(count)})" for name, count in zip(self.names[:_SHOWN], self.counts)]
        more = len(self.names) - _SHOWN
        return f"{len(self.names)} classes: {', '.join(told)}" + f", and {more} more" * (more > 0)


def many_classes(
    labels: list,
    names: tuple | None = None,
    where: str = "labels",
    row: Callable[[int], str] = "row {}".format,
    whole: bool = True,
) -> ManyClasses | None:
    """The classes of n labels, read as those of `two_classes`.

    Arguments
        labels  n values
        names   the labels that there are, in their order; default those that occur, sorted
        where   what holds the labels, for sentences
        row     the words for row i
        whole   whether these are all labels; of a part, one label alone is no mistake and the answer None

    Errors: ``InputError`` for rows without a label, for one label alone, and for labels that are not among the names.

    >>> found = many_classes([2, 0, 1, 2])
    >>> found.names, found.counts, found.index
    ((0, 1, 2), (1, 1, 2), array([2, 0, 1, 2]))
    >>> print(found)
    3 classes: 0 (1 row), 1 (1 row), 2 (2 rows)
    """
    found, classes = _read(labels, row)
    if names is not None:
        strange = [x for x in classes if x not in names]
        if strange:
            raise InputError(
                f"{where} holds {', '.join(map(show, strange[:_SHOWN]))}{', ...' * (len(strange) > _SHOWN)}, "
                f"which is none of the classes {', '.join(map(show, names[:_SHOWN]))}{', ...' * (len(names) > _SHOWN)}"
            )
        classes = list(names)
    elif len(classes) < 2:
        if not whole:
            return None
        told = f": {show(classes[0])} ({rows(len(found))})" if classes else ""
        raise InputError(f"needs two labels or more, but {where} holds {len(classes)}{told}")
    number = {name: c for c, name in enumerate(classes)}
    index = np.array([number[value] for value in found], dtype=np.int64)
    return ManyClasses(tuple(classes), tuple(np.bincount(index, minlength=len(classes)).tolist()), index)


def _read(labels: list, row: Callable[[int], str]) -> tuple[list, list]:
    """The labels of rows, and the classes that they are, in their order."""
    # "-" stands for a missing value, but not beside "+"
    signs = {value for value in labels if isinstance(value, str)} == {"+", "-"}
    found = [value if signs and isinstance(value, str) else _label(value) for value in labels]
    missing = [f"{row(i)} has no label{_instead(labels[i])}" for i, value in enumerate(found) if value is None]
    if missing:
        raise InputError(few(missing, "rows"))
    if any(isinstance(value, str) for value in found):
        numbers = [as_number(value) if isinstance(value, str) else value for value in found]
        # so that 1 and 1.0 are one label
        found = list(map(str, found)) if any(value is None for value in numbers) else numbers
    return found, ["-", "+"] if signs else sorted(set(found))


def as_number(text: str) -> float | None:
    """The number that a cell holds, or None; Python's 1_000 and digits of other scripts are no numbers in a data
    file, as no other reader takes them for one."""
    try:
        return None if "_" in text or not text.isascii() else float(text)
    except ValueError:
        return None


def is_missing(text: str) -> bool:
    return text.strip().lower() in MISSING


def few(sentences: list[str], what: str) -> list[str]:
    """The first of many sentences, and how many more there are."""
    more = len(sentences) - _SHOWN
    return sentences[:_SHOWN] + ([f"... and {more} more such {what}"] if more > 0 else [])


def show(value) -> str:
    """A label in a sentence: text in quotes, numbers and truth values without."""
    if isinstance(value, str):
        return repr(value[:40])
    return str(int(value)) if not isinstance(value, bool) and float(value).is_integer() else str(value)


def rows(count: int) -> str:
    return f"{count} row{'s' * (count != 1)}"


def _label(value) -> str | float | bool | None:
    """A value as a label; None if it is none."""
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, str):
        value = str(value).strip()
        number = as_number(value)
        missing = is_missing(value) and value != "none"  # which may be a class: none, mild, severe
        return None if missing or (number is not None and not math.isfinite(number)) else value
    if isinstance(value, int):
        return value
    return float(value) if isinstance(value, (Real, Decimal)) and math.isfinite(value) else None


def _instead(value) -> str:
    text = "" if value is None else str(value).strip()
    reason = "stands for a missing value" if is_missing(text) else "is no text and no finite number"
    return f": {text[:40]!r} {reason}" if text else ""


def _same(label, positive) -> bool:
    """Whether a label is the one that was asked for, perhaps on a command line, where all is text."""
    if isinstance(label, str) or (isinstance(label, bool) and isinstance(positive, str)):
        return str(label) == str(positive)
    return label == (as_number(positive) if isinstance(positive, str) else positive)

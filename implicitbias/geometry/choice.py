"""Which column of a table is the label and which are features: nothing is guessed without a word.

The label is the column that `label` names; else the one called label, labels, target, class or y; else the last. Two
such names, and a y beside an x, may mean two things, and are refused.
"""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import chain, islice

import numpy as np

from implicitbias.errors import InputError, one_of
from implicitbias.geometry.tables import LABELS, Options, Table, counted
from implicitbias.labels import few, is_missing

AS_ASKED = "as asked"
EVERY = ("*",)  # for `columns`: every column that is left, whatever it may be
_INDICES = ("id", "index", "row")  # names of columns that count the rows
_NAMELESS = re.compile(r"(Unnamed: \d+)?")  # the words are those of pandas, where it read an empty name
_COMMA = re.compile(r"[+-]?[0-9]+(,[0-9]+)+(\.[0-9]*)?([eE][+-]?[0-9]+)?")
_HINT = "decimal = ',' reads a comma as the decimal point; thousands are written without a separator"
_KEEP = "columns = '*' keeps every column"
_BY_CHANCE = 3  # rows that a column without a name may count without being an index


def choose(table: Table, options: Options) -> tuple[Sequence[int], int | None, str]:
    """The features, the label's column (None where the format keeps labels apart), and the words for how it was found.

    Errors: ``InputError`` for unknown columns, and for every ambiguity, with the option that decides it.
    """
    if table.width + (table.labels is not None) < 2:
        raise InputError(f"needs a label and at least one feature, but has {counted(table.width)}")
    mistakes, dropped, kept = [], [], []
    listed = () if options.columns == EVERY else options.columns
    for column, found in [(x, dropped) for x in options.drop] + [(x, kept) for x in listed]:
        try:
            found.append(place(table, column, "drop" if found is dropped else "columns"))
        except InputError as error:
            mistakes += error.mistakes
    both = [table.asked(k) for k in dict.fromkeys(kept) if k in dropped or kept.count(k) > 1]
    mistakes += [f"drop and columns name {name} more than once" for name in both]
    if mistakes:
        raise InputError(mistakes)
    left = _entries(table)
    if dropped:
        out = set(dropped)
        left = [k for k in left if k not in out]
    label, how = (None, "") if table.labels is not None else _label(table, options, left)
    if label is not None and label in dropped:
        raise InputError(f"{table.words(label)} cannot be the label and be left out by drop")
    if label in kept and options.label is None and how.startswith("the last"):
        raise InputError(
            f"columns keeps {table.asked(label)}, the last column, which is the label unless label is given"
        )
    features = kept or left
    if label is not None:
        features = [k for k in features if k != label]
    if not len(features):
        raise InputError("has no features left beside the label")
    doubtful = [] if options.columns else features
    if mistakes := [*_names(table, features, label, options), *_counter(table, doubtful)]:
        raise InputError(mistakes)
    return features, label, how


def place(table: Table, column: str | int, option: str) -> int:
    """The index of a column that is given as a name or an index from 0 (or from the end, if negative).

    A text that is no name may be an index, as on a command line; an integer that may be both is refused.
    """
    names = table.names or []
    if isinstance(column, str):
        if names.count(column) > 1:
            raise InputError(f"has {names.count(column)} columns called {column!r}; give the index of one (from 0)")
        if column in names:
            return names.index(column)
        if not re.fullmatch(r"-?[0-9]{1,18}", column):
            none = f"{option} names {column!r}, but there is no header; columns have indices from {table.first}"
            raise InputError(one_of(column, "column", names) if any(names) else none)
        column = int(column)
    index = column - table.first if column >= 0 else column + table.width
    inside = 0 <= index < table.width
    named = [k for k, name in enumerate(names) if name == str(column)]
    if named and inside and named != [index]:
        raise InputError(
            f"{option} = {column} may be the column called '{column}' or {table.words(index)}, which has this index; "
            f"count from the end ({named[0] - table.width} or {index - table.width})"
        )
    if inside or named:
        return index if inside else named[0]
    last = table.width - 1 + table.first
    low = f"from {-table.width} to" if not table.first else f"from {table.first} to"
    raise InputError(f"has {counted(table.width)}, so {option} must be {low} {last}, but is {column}")


def _label(table: Table, options: Options, left: Sequence[int]) -> tuple[int, str]:
    if options.label is not None:
        return place(table, options.label, "label"), AS_ASKED
    if len(left) < 2:
        raise InputError(f"needs a label and at least one feature, but drop leaves {counted(len(left))}")
    lower = [name.strip().lower() for name in table.names or [""] * table.width]
    by_name = [k for k in left if lower[k] in LABELS]
    coordinate = [k for k in by_name if lower[k] == "y"] if any(lower[k] == "x" for k in left) else []
    found = [k for k in by_name if k not in coordinate] or by_name
    if len(found) > 1:
        words = " or ".join(table.asked(k) for k in found)
        raise InputError(f"may have its labels in {words}; say which with label")
    if not found:
        why = "columns have no names" if table.names is None else "none has the name of a label"
        return left[-1], f"the last, as {why}"
    if found == coordinate and found[0] != left[-1]:
        words = f"{table.asked(found[0])} may be the label or, beside an x, a coordinate"
        raise InputError(f"{words}: say label = {table.asked(found[0])} or label = {table.asked(left[-1])}")
    return found[0], "called so"


def _entries(table: Table) -> Sequence[int]:
    """The columns without those of neither a name nor an entry, as delimiters at the ends of lines make them."""
    if table.lines is None or isinstance(table.columns, np.ndarray):
        return range(table.width)
    empty = {k for k in range(table.width) if not (table.names and table.names[k]) and not any(table.columns[k])}
    table.notes += [f"{table.words(k)} is empty" for k in sorted(empty)]
    return [k for k in range(table.width) if k not in empty]


def _names(table: Table, features: Sequence[int], label: int | None, options: Options) -> list[str]:
    """Sentences on columns that share a name, or have none beside others that do."""
    if table.names is None:
        return []
    used = [*features, *([] if label is None else [label])]
    names = [table.names[k] for k in used]
    counts = Counter(name for name in names if name)
    twice = [name for name, count in counts.items() if count > 1]
    found = [
        f"has {counts[name]} columns called {name!r}; leave out all but one with drop and their indices "
        f"({', '.join(str(k + table.first) for k in sorted(used) if table.names[k] == name)})"
        for name in twice
    ]
    for k in used:
        sure = options.label is not None if k == label else options.columns
        if not sure and _NAMELESS.fullmatch(table.names[k]):
            keep = "label chooses it" if k == label else _KEEP
            found.append(
                f"{table.words(k)} has no name{_such_as(table, k)}: if it is an index, drop = {table.asked(k)} leaves "
                f"it out; if not, {keep}"
            )
    return few(found, "columns")


def _such_as(table: Table, k: int) -> str:
    cells = [str(x)[:20] for x in table.column(k)[:3]]
    return f" (and holds {', '.join(cells)}{', ...' * (len(table) > 3)})" if any(cells) else ""


def _counter(table: Table, features: Sequence[int]) -> list[str]:
    """The sentence on a first column that counts the rows, which may be an index and no feature."""
    if table.labels is not None or len(features) < 2 or features[0] != 0 or len(table) < 2:
        return []
    named = table.names is not None
    name = table.names[0].strip() if named else ""
    if named and _NAMELESS.fullmatch(name):
        return []  # refused already
    cells = table.column(0)
    start = [table.number(x) if isinstance(x, str) else x for x in cells[:2]]
    if start not in ([0, 1], [1, 2]):
        return []
    values = [table.number(x) if isinstance(x, str) else x for x in cells]
    if values != [start[0] + i for i in range(len(values))]:
        return []
    counts = f"{table.words(0)} counts the rows ({start[0]:g}, {start[1]:g}, ...)"
    way = f"if it is an index, drop = {table.asked(0)} leaves it out"
    if name.lower() in _INDICES or (not named and len(table) > _BY_CHANCE):
        return [f"{counts}: {way}; if not, {_KEEP}"]
    if len(table) > _BY_CHANCE:
        table.notes.append(f"{counts} ({way})")
    return []


def matrix(table: Table, features: Sequence[int]) -> tuple[np.ndarray, list[str]]:
    """(n, d) the features as numbers, and everything that is wrong with them."""
    if isinstance(table.columns, np.ndarray):
        # all of them, or a copy of some
        X = table.columns if isinstance(features, range) else np.ascontiguousarray(table.columns[:, features])
    elif table.lines is not None:  # text: at one go, as there may be a million columns
        cells = chain.from_iterable(table.columns[k] for k in features)
        X = np.fromiter(map(table.number, cells), np.float64).reshape(len(features), len(table)).T.copy()
    else:
        X = np.empty((len(table), len(features)))
        for j, k in enumerate(features):
            cells = table.columns[k]
            X[:, j] = cells if isinstance(cells, np.ndarray) else np.nan
    unfit = ~np.isfinite(X)
    wrong, textual = [], []
    for j in np.flatnonzero(unfit.any(axis=0)).tolist():
        k, rows = features[j], np.flatnonzero(unfit[:, j]).tolist()
        cells = table.column(k)
        if isinstance(cells, np.ndarray):
            wrong += [(i, j, _why(None, X[i, j], table.asked(k))) for i in rows]
        elif len(rows) < len(cells):
            wrong += [(i, j, _why(cells[i], X[i, j], table.asked(k))) for i in rows]
        else:
            textual.append(f"{table.words(k)} {_what(cells)}; drop = {table.asked(k)} leaves it out")
    cells = [f"{table.row(i)}, {table.words(features[j])} {words}" for i, j, words in sorted(wrong)]
    return X, few(textual, "columns") + few(cells, "cells")


def _what(cells: list) -> str:
    """What a column without a number holds."""
    told = list(islice((x for x in cells if not (x is None or (isinstance(x, str) and is_missing(x)))), 2))
    # text is shown, dates and lists by their type
    shown = dict.fromkeys(repr(x[:40]) if isinstance(x, str) else f"{type(x).__name__} values" for x in told)
    hint = f" ({_HINT})" if any(map(_is_comma, told)) else ""
    return (f"holds {', '.join(shown)} and no number" if told else "holds missing values only") + hint


def _is_comma(cell) -> bool:
    return isinstance(cell, str) and bool(_COMMA.fullmatch(cell))


def _why(cell, value: float, column: str) -> str:
    """What is wrong with a cell of a column of numbers, which was read as `value`."""
    if np.isinf(value):
        return f"is {value}, not finite"
    shown = "nan" if cell is None else repr(cell[:40] if isinstance(cell, str) else cell)
    if cell is None or (isinstance(cell, str) and is_missing(cell)):
        return f"holds {shown}, a missing value: fill it in, or leave out its row, or its column with drop = {column}"
    return f"holds {shown}, which is no number" + (f" ({_HINT})" if _is_comma(cell) else "")

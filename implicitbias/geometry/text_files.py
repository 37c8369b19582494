"""Readers of CSV and LIBSVM: bytes in, a table of features and labels out."""

import csv
import io

import numpy as np

from implicitbias.errors import InputError
from implicitbias.geometry.parameters import MOST_ENTRIES
from implicitbias.geometry.tables import Table, as_number, counted, few, label_column


def read_csv(data: bytes, label: str | int | None) -> Table:
    """Comma-separated text (or semicolons, or tabs); a label that is a name makes the first line the header."""
    text = _decode(data)
    top = next((line for line in io.StringIO(text, newline=None) if line.strip()), "")
    delimiter = max(",;\t", key=top.count)  # the first of equals: the comma
    try:
        # strict: a quote that is never closed would swallow all rows to the end as one label
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except csv.Error as error:
        raise InputError(f"is not CSV: {error}") from None
    lines = [(number, cells) for number, cells in lines if len(cells) > 1 or any(cells)]
    if not lines:
        raise InputError("is empty")
    names = lines[0][1]
    width = len(names)
    column = label_column(label, names, width - 1)
    features = [k for k in range(width) if k != column]
    odd = [f"line {number} has {counted(len(c))}, expected {width}" for number, c in lines if len(c) != width]
    lines = [line for line in lines if len(line[1]) == width]
    header = isinstance(label, str) or _is_header(lines, column, features)
    lines = lines[header:]
    if not lines:
        raise InputError(["has a header, but no data", *few(odd, "lines")])
    X, wrong = np.zeros((len(lines), len(features))), []

    def at(i, j):
        place = f"line {lines[i][0]}"
        if j is None:
            return place
        k = features[j]
        return f"{place}, column {k + 1}" + (f" ({names[k]!r})" if header else "")

    for i, (_, cells) in enumerate(lines):
        for j, k in enumerate(features):
            value = as_number(cells[k])
            if value is None:
                wrong.append(f"{at(i, j)}: {cells[k][:40]!r} is not a number")
            else:
                X[i, j] = value
    where = f"column {column + 1}" + (f" ({names[column]!r})" if header else "")
    mistakes = few(odd, "lines") + few(wrong, "cells")
    return Table(X, [cells[column] for _, cells in lines], where, at, mistakes)


def read_libsvm(data: bytes, label: str | int | None) -> Table:
    """Lines ``label index:value index:value ... # comment``, indices from 1 upwards, zeros left out."""
    if label is not None:
        raise InputError("label does not apply to a LIBSVM file, whose lines start with the label")
    labels, numbers, entries, wrong = [], [], [], []
    for number, line in enumerate(io.StringIO(_decode(data), newline=None), start=1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        labels.append(words[0])
        numbers.append(number)
        last = 0
        for word in words[1:]:
            index, colon, value = word.partition(":")
            k = int(index) if index.isascii() and index.isdigit() and len(index) < 19 else None
            value = as_number(value)
            if not colon or k is None or value is None:
                wrong.append(f"line {number}: {word[:40]!r} is not index:value")
                break
            if k <= last:
                problem = "indices start at 1" if k == 0 else f"it follows index {last}, and indices must increase"
                wrong.append(f"line {number}: index {k} is out of order; {problem}")
                break
            last = k
            entries.append((len(labels) - 1, k - 1, value))
    if not labels:
        raise InputError("is empty")
    if not entries:
        raise InputError(few(wrong, "lines") or ["has no features"])
    d = 1 + max(k for _, k, _ in entries)
    if len(labels) * d > MOST_ENTRIES:
        raise InputError(f"has {len(labels)} rows and indices up to {d}: more than {MOST_ENTRIES} entries (2 GiB)")
    X = np.zeros((len(labels), d))
    for i, k, value in entries:
        X[i, k] = value

    def at(i, j):
        return f"line {numbers[i]}" + ("" if j is None else f", index {j + 1}")

    return Table(X, labels, "the start of the lines", at, few(wrong, "lines"))


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"is not UTF-8 text: byte {error.start} is 0x{data[error.start]:02x}") from None


def _is_header(lines: list, column: int, features: list[int]) -> bool:
    """Whether the first line holds names: no feature of it is a number, or only its label is none.

    One text among numbers is a mistake to report and not a header, as is a line of empty cells. Names may be the
    numbers of the columns (0, 1, 2, label); other numbers are data beside a label that is missing or misspelt.
    """
    first, rest = lines[0][1], lines[1:]
    if all(as_number(first[k]) is None for k in features):
        return any(first[k] for k in features)
    names = [first[k] for k in features]
    if not all(name.isdecimal() for name in names) or len(set(map(int, names))) < len(names):
        return False
    return as_number(first[column]) is None and bool(rest) and all(as_number(c[column]) is not None for _, c in rest)

"""The LIBSVM format: label index:value index:value ..., zeros left out."""

import io
import re

import numpy as np

from implicitbias.errors import InputError
from implicitbias.geometry.delimited import decode
from implicitbias.geometry.tables import Options, Table
from implicitbias.labels import as_number, few
from implicitbias.problems.arrays import MOST_ENTRIES

_LINE = re.compile(r"\s*\S+\s+[0-9]+:\S+(\s+[0-9]+:\S+)*\s*")


def read_libsvm(data: bytes, options: Options) -> Table:
    """Lines ``label index:value index:value ... # comment``, zeros left out.

    Indices count from 1, as the format says, or from 0, as scikit-learn writes them, where an index 0 is in the file.
    """
    if options.label is not None:
        raise InputError("label does not apply to a LIBSVM file, whose lines start with the label")
    text, notes = decode(data)
    labels, numbers, entries, wrong = [], [], [], []
    least = 1 if options.zero_based is False else 0
    for number, line in enumerate(io.StringIO(text, newline=None), start=1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        labels.append(words[0])
        numbers.append(number)
        last = least - 1
        for word in words[1:]:
            index, colon, value = word.partition(":")
            k = int(index) if index.isascii() and index.isdigit() and len(index) < 19 else None
            value = as_number(value)
            if not colon or k is None or value is None:
                wrong.append(f"line {number}: {word[:40]!r} is not index:value")
                break
            if k <= last:
                start = "indices start at 1, unless zero_based = true"
                problem = start if k == 0 and last == 0 else f"it follows index {last}, and indices must increase"
                wrong.append(f"line {number}: index {k} is out of order; {problem}")
                break
            last = k
            entries.append((len(labels) - 1, k, value))
    if not labels:
        raise InputError("is empty")
    if not entries:
        raise InputError(few(wrong, "lines") or ["has no features"])
    lowest, highest = (bound(k for _, k, _ in entries) for bound in (min, max))
    first = int(lowest > 0 and not options.zero_based)
    d = highest + 1 - first
    if len(labels) * d > MOST_ENTRIES:
        raise InputError(
            f"has {len(labels)} rows and indices up to {highest}: more than {MOST_ENTRIES} entries (2 GiB)"
        )
    X = np.zeros((len(labels), d))
    for i, k, value in entries:
        X[i, k - first] = value
    notes.append(f"LIBSVM, indices from {first}")
    return Table(
        X, labels=labels, where="the start of the lines", lines=numbers, first=first, notes=notes,
        mistakes=few(wrong, "lines"),
    )  # fmt: skip


def is_libsvm(data: bytes) -> bool:
    """Whether the first line that is no comment has the form of the format."""
    for line in io.StringIO(decode(data)[0], newline=None):
        if words := line.partition("#")[0].strip():
            return bool(_LINE.fullmatch(words))
    return False

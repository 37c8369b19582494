"""The user's own data."""

import math
import stat
from numbers import Real
from pathlib import Path

import numpy as np

from implicitbias.errors import InputError
from implicitbias.geometry.binary_files import read_npz, read_parquet
from implicitbias.geometry.features import prepared
from implicitbias.geometry.parameters import MOST_ENTRIES, Column, FilePath, Flag, Label, family
from implicitbias.geometry.tables import Table, as_number, few
from implicitbias.geometry.text_files import read_csv, read_libsvm
from implicitbias.problem import Problem

READERS = {
    ".csv": read_csv,
    ".npz": read_npz,
    ".parquet": read_parquet,
    **dict.fromkeys((".libsvm", ".svm", ".svmlight", ".txt"), read_libsvm),
}

MOST_BYTES = 8 * MOST_ENTRIES


@family
def from_file(
    path: FilePath, label: Column = None, positive: Label = None, standardize: Flag = False, intercept: Flag = False
) -> Problem:
    """Binary classification data from a CSV, NPZ, Parquet or LIBSVM file, by its extension.

    a_i = y_i x_i with y_i = +1 for the positive label and -1 for the other.

        .csv                             one row a line; the header is optional, the label column text or numbers
        .npz                             arrays X (n, d) and y (n,)
        .parquet                         one numeric column a feature, and the label column
        .libsvm, .svm, .svmlight, .txt   label index:value ..., indices from 1; absent ones are zero

    Arguments
        path         the file; a relative path, in a study too, starts at the working directory
        label        name or index of the label column in CSV and Parquet; by default ``label`` in Parquet, else the
                     last. A name makes the first line of a CSV its header
        positive     the label that is +1; by default the larger number or the alphabetically last text
        standardize  each feature to mean 0 and variance 1; constant features become 0
        intercept    append a column of ones to x

    Returns a ``Problem`` with rows (n, d), or (n, d + 1) with the intercept, named after the file.

    Errors: ``InputError`` listing what is wrong and where: the file, its lines, columns, cells and labels.

    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "plants.csv")
    ...     _ = path.write_text("height,width,kind\\n1.0,2.0,tree\\n3.0,0.5,bush\\n")
    ...     problem = from_file(path, positive="tree")
    >>> problem, problem.rows
    (Problem('plants', n=2, d=2), array([[ 1. ,  2. ],
           [-3. , -0.5]]))

    Source: the LIBSVM format is that of Chang and Lin 2011, doi 10.1145/1961189.1961199.
    """
    name = Path(path).stem
    reader = READERS.get(Path(path).suffix.lower())
    if reader is None:
        raise InputError(f"{path}: unknown extension {Path(path).suffix!r}; use one of {', '.join(READERS)}")
    data = _bytes(path)
    try:
        if not data:
            raise InputError("is empty")
        table = reader(data, label)
        y, mistakes = _signs(table, positive)
        mistakes += _faults(table)
        # A zero row is only a mistake if it stays one, and only in a table that was read in full.
        zero = np.flatnonzero(~table.X.any(axis=1))
        if not (mistakes or standardize or intercept):
            mistakes = few([f"{table.at(i, None)} is zero, and a zero row cannot be separated" for i in zero], "rows")
        if mistakes:
            raise InputError(mistakes)
        return Problem(prepared(table.X, standardize, intercept), y, name=name)
    except InputError as error:
        raise InputError(f"{path}: {mistake}" for mistake in error.mistakes) from None


def _bytes(path: str) -> bytes:
    try:
        status = Path(path).stat()
        if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
            raise InputError(f"{path}: is a pipe or a device; only a regular file has an end")
        if status.st_size > MOST_BYTES:
            raise InputError(f"{path}: has {status.st_size} bytes; the most are {MOST_BYTES} (2 GiB)")
        return Path(path).read_bytes()
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except PermissionError:
        raise InputError(f"{path}: no permission to read it") from None
    except (OSError, ValueError) as error:  # a folder, a loop of links; a null byte in the name is a ValueError
        raise InputError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _faults(table: Table) -> list[str]:
    """Everything that is wrong with the features."""
    bad = np.argwhere(~np.isfinite(table.X))
    return table.mistakes + few([f"{table.at(i, j)} is {table.X[i, j]}, not finite" for i, j in bad.tolist()], "cells")


def _signs(table: Table, positive: str | float | None) -> tuple[np.ndarray | None, list[str]]:
    """The labels as -1.0 and +1.0, or what is wrong with them."""
    labels = table.labels
    unfit = [i for i, value in enumerate(labels) if not _is_label(value)]
    missing = [f"{table.at(i, None)} has no label that is text or a finite number" for i in unfit]
    if missing:
        return None, few(missing, "rows")
    if any(isinstance(value, str) for value in labels):
        labels = [str(value) for value in labels]
        if all(as_number(value) is not None for value in labels):  # so that 1 and 1.0 are one label
            labels = [float(value) for value in labels]
    classes = sorted(set(labels))
    shown = ", ".join(map(_show, classes[:6])) + ", ..." * (len(classes) > 6)
    if len(classes) != 2:
        # Lines that could not be read may hold the missing class.
        silent = len(classes) < 2 and table.mistakes
        return None, [] if silent else [f"needs exactly two labels, but {table.where} holds {len(classes)}: {shown}"]
    if positive is None:
        chosen = classes[1]
    elif isinstance(classes[0], str):
        chosen = str(positive)
    else:
        chosen = as_number(positive) if isinstance(positive, str) else positive
    if chosen not in classes:
        return None, [f"positive must be one of the labels {shown}, but is {positive!r}"]
    return np.where([value == chosen for value in labels], 1.0, -1.0), []


def _is_label(value) -> bool:
    if isinstance(value, str):
        number = as_number(value)
        return bool(value) and (number is None or math.isfinite(number))
    return isinstance(value, int) or (isinstance(value, Real) and math.isfinite(value))


def _show(value) -> str:
    if isinstance(value, str):
        return repr(value[:40])
    return str(int(value)) if float(value).is_integer() else str(value)

"""The user's own data."""

import gzip
import io
import stat
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from implicitbias.errors import InputError, one_line
from implicitbias.geometry.binary_files import read_npz, read_parquet
from implicitbias.geometry.choice import AS_ASKED, choose, matrix
from implicitbias.geometry.delimited import read_delimited
from implicitbias.geometry.features import prepared
from implicitbias.geometry.libsvm import is_libsvm, read_libsvm
from implicitbias.geometry.tables import Options, Table, counted
from implicitbias.labels import Classes, ManyClasses, few, many_classes, two_classes
from implicitbias.parameters import (
    MOST_ENTRIES,
    Column,
    Columns,
    Decimal,
    Delimiter,
    FilePath,
    Flag,
    Label,
    MaybeFlag,
    family,
)
from implicitbias.problems import AnyProblem, Multiclass, Problem


def _read_text(data: bytes, options: Options) -> Table:
    """A file whose name does not tell LIBSVM from a table."""
    return (read_libsvm if is_libsvm(data) else read_delimited)(data, options)


READERS = {
    **dict.fromkeys((".csv", ".tsv"), read_delimited),
    **dict.fromkeys((".txt", ".data"), _read_text),
    ".npz": read_npz,
    ".parquet": read_parquet,
    **dict.fromkeys((".libsvm", ".svm", ".svmlight"), read_libsvm),
}

MOST_BYTES = 8 * MOST_ENTRIES
_NAMED = 12  # features that are named in a sentence
_MOST_NAMES = 2**20  # of features that are kept


@family
def from_file(
    path: FilePath,
    label: Column = None,
    positive: Label = None,
    standardize: Flag = False,
    intercept: Flag = False,
    drop: Columns = None,
    columns: Columns = None,
    header: MaybeFlag = None,
    delimiter: Delimiter = None,
    decimal: Decimal = None,
    zero_based: MaybeFlag = None,
    multiclass: MaybeFlag = None,
) -> Problem:  # or Multiclass, which `Family` tells type checkers
    """Classification data from a table of text, or an NPZ, Parquet or LIBSVM file, by its extension.

    a_i = y_i x_i with y_i = +1 for the positive label and -1 for the other; with multiclass, x_i and any number of
    labels from two on. What was read, and how it was understood, is in ``reading`` of the problem; what may mean two
    things is refused, with the option that decides.

        .csv, .tsv                 one row a line, cells between commas, semicolons, tabs, bars or spaces
        .libsvm, .svm, .svmlight   label index:value ..., absent ones are zero
        .txt, .data                one of these two
        .npz                       arrays X (n, d) and y (n,), or y beside what scipy.sparse.save_npz writes
        .parquet                   columns of numbers, and of labels

    Each of them may be compressed (.csv.gz). A column is given by its name or its index from 0 (of a LIBSVM file: its
    number there). The label is the column called label, labels, target, class or y, or else the last; two such names,
    or a y beside an x, are refused.

    Arguments
        path         the file; a relative path, in a study too, starts at the working directory
        label        the column of labels
        positive     the label that is +1; by default the larger number or the alphabetically last text
        standardize  each feature to mean 0 and variance 1; constant features become 0
        intercept    append a column of ones to x
        drop         columns to leave out
        columns      the features, in this order; by default all columns but the label, if none looks like an index;
                     "*" for all of them
        header       whether the first line of a text has the names of the columns; by default where it can be told
        delimiter    what is between the cells of a text; by default what makes columns of numbers
        decimal      the decimal point of a text, "." or ","
        zero_based   whether LIBSVM indices count from 0; by default where an index 0 is there
        multiclass   True for a class for each label, of which there may be more than two

    Returns a ``Problem`` with rows (n, d), or (n, d + 1) with the intercept, named after the file; with multiclass a
    ``Multiclass`` with X of this shape.

    Errors: ``InputError`` listing what is wrong and where: the file, its lines, columns, cells and labels.

    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "plants.csv")
    ...     _ = path.write_text("height,width,kind\\n1.0,2.0,tree\\n3.0,0.5,bush\\n")
    ...     problem = from_file(path, positive="tree")
    >>> problem
    Problem('plants', n=2, d=2, +1 is 'tree' (1 row), -1 is 'bush' (1 row))
    >>> problem.rows
    array([[ 1. ,  2. ],
           [-3. , -0.5]])
    >>> print(*problem.reading, sep="\\n")
    plants.csv: 2 rows, 2 features ('height', 'width'); line 1 is the header
    label: column 'kind' (the last, as none has the name of a label); +1 is 'tree' (1 row), -1 is 'bush' (1 row)

    Source: the LIBSVM format is that of Chang and Lin 2011, doi 10.1145/1961189.1961199.
    """
    compressed = Path(path).suffix.lower() == ".gz"
    inner = Path(path).with_suffix("") if compressed else Path(path)
    reader = READERS.get(inner.suffix.lower())
    if reader is None:
        known = ", ".join(READERS)
        raise InputError(f"{path}: unknown extension {inner.suffix!r}; use one of {known}, perhaps with .gz")
    if multiclass and positive is not None:
        raise InputError(f"{path}: positive is for two classes; with multiclass = true no label is +1")
    data = _bytes(path)
    delimiter = {"tab": "\t", "space": " "}.get(delimiter, delimiter)
    options = Options(label, drop or (), columns or (), header, delimiter, decimal, zero_based)
    try:
        _check_options(options, reader)
        data = _unpacked(data) if compressed else data
        if not data:
            raise InputError("is empty")
        table = reader(data, options)
        features, column, how = choose(table, options)
        X, classes = _checked(table, features, column, how, positive, bool(multiclass), zero=standardize or intercept)
        names = [table.name(k) for k in features] if len(features) <= _MOST_NAMES else None
        names = names and [*names, *["intercept"] * intercept]
        X = prepared(X, standardize, intercept)
        if isinstance(classes, ManyClasses):
            problem: AnyProblem = Multiclass(X, classes.index, name=inner.stem, feature_names=names)
            problem.classes = classes.names
        else:
            problem = Problem(X, classes.signs, name=inner.stem, feature_names=names)
            problem.classes = classes
    except InputError as error:
        raise InputError(f"{path}: {mistake}" for mistake in error.mistakes) from None
    problem.reading = _reading(path, table, features, column, how, classes)
    return problem  # type: ignore[return-value]


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
        looked = "" if Path(path).is_absolute() else f" (there is no {Path(path).absolute()})"
        raise InputError(f"{path}: no such file{looked}") from None
    except PermissionError:
        raise InputError(f"{path}: no permission to read it") from None
    except (OSError, ValueError) as error:  # a folder, a loop of links; a null byte in the name is a ValueError
        raise InputError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _unpacked(data: bytes) -> bytes:
    """The content of a gzip file, which may be a thousand times as long."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            found = file.read(MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"is not a readable gzip file: {error}") from None
    if len(found) > MOST_BYTES:
        raise InputError(f"unpacks to more than {MOST_BYTES} bytes (2 GiB)")
    return found


def _check_options(options: Options, reader: Callable) -> None:
    """Refuse options that mean nothing to a format."""
    texts = ("header", "delimiter", "decimal")
    unfit = {read_npz: (*texts, "zero_based"), read_parquet: (*texts, "zero_based"), read_delimited: ("zero_based",)}
    given = [name for name in unfit.get(reader, ()) if getattr(options, name) is not None]
    mistakes = [f"{name} does not apply to a file of this kind" for name in given]
    if reader is read_libsvm:
        mistakes += [f"{name} does not apply to a LIBSVM file" for name in texts if getattr(options, name) is not None]
    if mistakes:
        raise InputError(mistakes)


def _checked(
    table: Table, features, column: int | None, how: str, positive, multiclass: bool, zero: bool
) -> tuple[np.ndarray, Classes | ManyClasses]:
    """The features and the classes. Errors: ``InputError`` with everything that is wrong with them.

    A zero row is only a mistake if it stays one (`zero` says that it may not), and only in a table read in full.
    """
    classes, mistakes = None, []
    try:
        labels, where = (table.labels, table.where) if column is None else (table.cells(column), table.words(column))
        whole = not table.mistakes
        if multiclass:
            classes = many_classes(labels, None, where, table.row, whole)
        else:
            classes = two_classes(labels, positive, where, table.row, whole)
    except InputError as error:
        ways = ["label chooses another column"] * (column is not None and how != AS_ASKED)
        for mistake in error.mistakes:
            more = ["multiclass = true makes each of them a class"] * (f"{where} holds 1:" not in mistake)
            count = mistake.startswith(("needs exactly", "needs two"))
            mistakes.append("; ".join([mistake, *(ways + more) * count]))
    X, wrong = matrix(table, features)
    mistakes += table.mistakes + wrong
    if not (mistakes or zero):
        rows = np.flatnonzero(~X.any(axis=1))
        mistakes = few([f"{table.row(i)} is zero, and a zero row cannot be separated" for i in rows], "rows")
    if mistakes:
        raise InputError(mistakes)
    return X, classes


def _reading(
    path: str, table: Table, features, column: int | None, how: str, classes: Classes | ManyClasses
) -> tuple[str, ...]:
    """What was read, and how it was understood."""
    named = table.names is not None
    shown = [repr(table.name(k)) for k in features[:_NAMED]] if named else []
    names = f" ({', '.join(shown)}{', ...' * (len(features) > _NAMED)})" if named else ""
    used = {*features, column} if len(features) < table.width else range(table.width)
    out = [table.words(k) for k in range(table.width) if k not in used]
    more = f" and {len(out) - _NAMED} more" * (len(out) > _NAMED)
    left = [f"left out: {', '.join(out[:_NAMED])}{more}"] if out else []
    size = f"{counted(len(table), 'row')}, {counted(len(features), 'feature')}{names}"
    label = f"{table.where} (of the format)" if column is None else f"{table.words(column)} ({how})"
    sentences = "; ".join([f"{Path(path).name}: {size}", *left, *table.notes]), f"label: {label}; {classes}"
    return tuple(map(one_line, sentences))

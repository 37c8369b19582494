"""Tables of text: CSV with commas, semicolons, tabs, bars or spaces."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice

from implicitbias.errors import InputError
from implicitbias.geometry.tables import LABELS, Options, Table, counted
from implicitbias.labels import as_number, few, is_missing

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "spaces"}
_SAMPLE = 100  # lines that tell the delimiter
_MARKS = ((b"\xff\xfe\0\0", "utf-32"), (b"\0\0\xfe\xff", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+([eE][+-]?[0-9]+)?")


def read_delimited(data: bytes, options: Options) -> Table:
    """A table of text: one row a line, cells between delimiters and perhaps in quotes, an optional header.

    Blank lines, and lines that begin with #, are left out; the latter with a note.
    """
    text, notes = decode(data)
    delimiter = options.delimiter or _delimiter(text)
    if delimiter != ",":
        notes.append(f"{DELIMITERS.get(delimiter, repr(delimiter))} between cells")
    try:
        lines = list(_lines(text, delimiter))
    except csv.Error as error:
        raise InputError(f"is not CSV: {error}") from None
    if not lines:
        raise InputError("is empty")
    width = len(lines[0][1])
    odd = [f"line {number} has {counted(len(c))}, expected {width}" for number, c in lines if len(c) != width]
    lines = [line for line in lines if len(line[1]) == width]
    comments = [line for line in io.StringIO(text, newline=None) if _is_comment(line)]
    number = _with_decimal_comma if options.decimal == "," else as_number
    header = _has_header(lines, options, number)
    if not header and options.header is None and comments:
        _check_comment(comments, delimiter, width)
    names = lines[0][1] if header else None
    if header:
        notes.append(f"line {lines[0][0]} is the header")
        lines = lines[1:]
    else:
        notes.append("no header")
    if comments:
        notes.append(f"{counted(len(comments), 'comment line')} left out")
    if options.decimal == ",":
        notes.append("decimal commas")
    if not lines:
        raise InputError(["has a header, but no data", *few(odd, "lines")])
    columns = [list(cells) for cells in zip(*(cells for _, cells in lines))]
    numbers = [place for place, _ in lines]
    return Table(columns, names, lines=numbers, number=number, notes=notes, mistakes=few(odd, "lines"))


def decode(data: bytes) -> tuple[str, list[str]]:
    """The text of a file, and a note on its encoding where that is not UTF-8."""
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8-sig")
    try:
        return data.decode(encoding), [] if encoding == "utf-8-sig" else [encoding.upper()]
    except UnicodeDecodeError as error:
        if encoding != "utf-8-sig":
            raise InputError(f"is not {encoding.upper()} text, although its first bytes say so") from None
        byte = f"byte {error.start} is 0x{data[error.start]:02x}"
        raise InputError(f"is not UTF-8 text: {byte}; save it as UTF-8") from None


def _lines(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The lines that hold cells, with their numbers."""

    def source():
        for line in io.StringIO(text, newline=""):
            # a blank line in the place of a comment keeps the numbers right
            yield "\n" if _is_comment(line) else line.strip() + "\n" if delimiter == " " else line

    # strict: a quote that is never closed would swallow all rows to the end as one label
    reader = csv.reader(source(), delimiter=delimiter, strict=True, skipinitialspace=True)
    for cells in reader:
        cells = [cell.strip() for cell in cells]
        if len(cells) > 1 or any(cells):
            yield reader.line_num, cells


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith("#")


def _delimiter(text: str) -> str:
    """The delimiter under which lines have more than one cell, and most cells of these are numbers."""
    shares, errors = {}, []
    for delimiter in DELIMITERS:
        try:
            lines = [cells for _, cells in islice(_lines(text, delimiter), _SAMPLE)]
        except csv.Error as error:
            errors.append(error)
            continue
        widths = Counter(map(len, lines))
        width = max(widths, key=lambda width: (widths[width], width), default=0)
        if width > 1:
            cells = list(islice((cell for line in lines if len(line) == width for cell in line), _SAMPLE**2))
            shares[delimiter] = sum(_is_numeric(cell, delimiter) for cell in cells) / len(cells)
    if not shares and len(errors) == len(DELIMITERS):
        raise InputError(f"is not CSV: {errors[0]}")
    best = [delimiter for delimiter, share in shares.items() if share == max(shares.values())] or [","]
    if len(best) > 1 and " " in best:  # spaces are often no more than spaces
        best.remove(" ")
    if len(best) > 1:
        words = " or ".join(DELIMITERS[delimiter] for delimiter in best)
        raise InputError(f"may have {words} between its cells; say which with delimiter")
    return best[0]


def _is_numeric(cell: str, delimiter: str) -> bool:
    return as_number(cell) is not None or (delimiter != "," and bool(_DECIMAL_COMMA.fullmatch(cell)))


def _with_decimal_comma(text: str) -> float | None:
    return None if "." in text else as_number(text.replace(",", "."))


def _has_header(lines: list, options: Options, number) -> bool:
    """Whether the first line holds names. Errors: ``InputError`` where it may be both, names and a row.

    A line of numbers is a row, one without a number is the header. One of both is a row, unless a text stands above
    numbers, or above texts that leave it alone: then it is the header if its numbers are the names that pandas gives
    (0, 1, 2, label), and cannot be told if they may be names (2019, 2020, label).
    """
    if options.header is not None:
        return options.header
    first, rest = lines[0][1], [cells for _, cells in lines[1:]]
    if any(name in first for name in options.names):
        return True  # it is a name for the user
    values = [number(cell) for cell in first]
    if not any(value is not None for value in values):
        return any(first)
    words = [cell for cell, value in zip(first, values) if value is None]
    numbers = [value for value in values if value is not None]
    if not rest or len(set(numbers)) < len(numbers):
        return False  # names differ
    counted_up = numbers == [*range(len(numbers))]
    over, strange = False, counted_up and not words and len(first) > 2  # a row of 0, 1, 2, ... from end to end
    for k, cell in enumerate(first):
        if is_missing(cell):
            continue
        if values[k] is None and cell[:1].isalpha():
            over |= all(number(cells[k]) is not None for cells in rest)
        if all(cells[k] and number(cells[k]) is None for cells in rest):
            below = {cells[k] for cells in rest}
            # a stranger to the texts below: a label too many where there are two of these, or the name of labels
            strange |= cell not in below and (len(below) > 1 or cell.lower() in LABELS)
    if not (over or strange):
        return False
    if words and counted_up and (over or all(w.lower() in LABELS for w in words)):
        return True
    shown = ", ".join(cell[:20] for cell in first[:6]) + ", ..." * (len(first) > 6)
    raise InputError(f"line {lines[0][0]} ({shown}) may be a header or a row; say header = true or header = false")


def _check_comment(comments: list[str], delimiter: str, width: int) -> None:
    """Refuse a comment that may be the header, as numpy.savetxt writes it."""
    for line in comments[:_SAMPLE]:
        cells = line.strip().lstrip("#").strip().split(delimiter)
        if len(cells) == width and all(cell.strip() and as_number(cell) is None for cell in cells):
            raise InputError(
                f"has no header, but a comment of {width} words ({line.strip()[:60]}): remove its # if these are the "
                "names of the columns, or say header = false"
            )

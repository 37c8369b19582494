"""One Parquet file of the store: written whole or not at all, and known to be damaged when it is."""

import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from implicitbias.errors import InputError, NotWritten

NAMES = ("runs", "curves")  # of the tables
PIECE = 1 << 16  # rows read at a time: 25 MB of curves
# Hosts that share a file system may share process ids, so a temporary name has a word of its own too.
_WORD = secrets.token_hex(4)
_FINAL = {"compression": "zstd"}
_BRIEF = {"compression": "none", "use_dictionary": False, "write_statistics": False}
_TEMPORARY = re.compile(r"\..*\.(parquet|toml|json|html|svg|png)\.[0-9]+(-[0-9a-f]{8})?")


class Damaged(Exception):
    """A file that is there and does not hold what it should."""

    def __init__(self, path: Path, reason: object):
        self.path = path
        self.reason = (str(reason).splitlines() or ["unknown"])[0].rstrip(".")[:120]
        super().__init__(f"{path} is damaged ({self.reason})")


@contextmanager
def temporary(path: Path):
    """A name beside `path` that no reader looks at; the file goes away at the end, however it comes.

    Errors: ``NotWritten`` if the disk is full or refuses.
    """
    name = path.with_name(f".{path.name}.{os.getpid()}-{_WORD}")
    try:
        yield name
    except OSError as error:
        raise error if isinstance(error, NotWritten) else NotWritten(path, error) from None
    finally:
        with suppress(OSError):
            name.unlink(missing_ok=True)


@contextmanager
def replacing(path: Path, *, sync: bool = False):
    """A temporary file that takes the name of `path` at the end, unless something goes wrong.

    With sync the content is on the disk before the name is: for a file whose sources are then deleted.
    Errors: as `temporary`.
    """
    with temporary(path) as name:
        yield name
        if sync:
            with open(name, "rb+") as file:
                os.fsync(file.fileno())
        name.replace(path)


def remove_temporary(folder: Path) -> None:
    """Remove what a killed process was writing; only while no other writes there."""
    for path in folder.glob(".*"):
        if _TEMPORARY.fullmatch(path.name):
            path.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    with replacing(path, sync=True) as name:
        name.write_bytes(content)


def write(
    path: Path, schema: pa.Schema, groups: Iterable[pa.Table], *, sync: bool = False, brief: bool = False
) -> None:
    """Write tables of a schema as the row groups of one file, with checksums; fast and large if it is `brief`, because
    it will soon be part of another."""
    with (
        replacing(path, sync=sync) as file,
        pq.ParquetWriter(file, schema, write_page_checksum=True, **(_BRIEF if brief else _FINAL)) as writer,
    ):
        for table in groups:
            writer.write_table(table, row_group_size=max(len(table), 1))


def read(path: Path, schema: pa.Schema) -> pa.Table:
    """The table in a file, with the columns of the schema: those that the file lacks are null.

    Errors: ``FileNotFoundError``, ``Damaged``, or ``InputError`` if the system refuses.
    """
    with _opened(path, schema) as (file, present):
        return conform(file.read(columns=present), schema)


def batches(path: Path, schema: pa.Schema) -> Iterator[pa.Table]:
    """The same piece by piece, each of at most PIECE rows. Errors: as `read`."""
    with _opened(path, schema) as (file, present):
        for batch in file.iter_batches(batch_size=PIECE, columns=present):
            yield conform(pa.Table.from_batches([batch]), schema)


def verify(path: Path, schema: pa.Schema) -> None:
    """Read everything and keep nothing. Errors: as `read`."""
    for _ in batches(path, schema):
        pass


def conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table with the columns of the schema: another version of the package may have had others."""
    known = set(table.column_names)
    if "run_id" in schema.names and "run_id" not in known:
        raise ValueError("it has no column run_id")
    # Parquet gives the field inside a list a name of its own; the cast gives the declared one back.
    columns = [
        table.column(field.name).cast(field.type) if field.name in known else pa.nulls(len(table), field.type)
        for field in schema
    ]
    found = pa.table(columns, schema=schema)
    found.column("run_id").validate(full=True)  # garbage that is not text
    return found


def set_aside(damaged: Damaged, notice: Callable[[str], None]) -> None:
    """Rename a damaged file, so that nothing reads it and nothing is lost, and tell."""
    target, count = damaged.path.with_name(f"{damaged.path.name}.corrupt"), 1
    while target.exists():
        count += 1
        target = damaged.path.with_name(f"{damaged.path.name}.corrupt-{count}")
    try:
        damaged.path.replace(target)
    except OSError as error:
        raise InputError(f"{damaged} and cannot be renamed: {error.strerror}; move it away by hand") from None
    notice(f"{damaged}; it is set aside as {target.name}, and its runs are computed again")


@contextmanager
def _opened(path: Path, schema: pa.Schema):
    """A Parquet file and the columns of the schema it has; what goes wrong inside means that it is damaged."""
    try:
        # pre_buffer would hold the whole file in memory while it is read piece by piece
        with pq.ParquetFile(path, page_checksum_verification=True, pre_buffer=False) as file:
            present = set(file.schema_arrow.names)
            yield file, [name for name in schema.names if name in present]
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno:  # said by the system; what the library finds wrong inside has no number
            raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
        raise Damaged(path, error) from None
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise Damaged(path, error) from None

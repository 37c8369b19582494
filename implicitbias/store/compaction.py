"""Merging the pairs of a results folder into its tables, in the order of the study, with little memory.

Rows come from many files in any order. They are copied once into an uncompressed scratch file, which is mapped into
memory, and taken from there in the order of the study, some runs at a time. Where a row group ends depends on the runs
alone, so that the same runs give the same bytes, whatever the files they came from.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from implicitbias.store import files
from implicitbias.store.files import Damaged, batches, temporary, write
from implicitbias.store.pieces import Owned, Pair, halves, owners, parts, tables, unused

# Rows of a row group. A row of runs holds vectors of the length of the data: 1000 of them are 24 MB at d = 1000.
GROUPS = {"curves": 1 << 17, "runs": 1 << 10}


def compact(
    folder: Path,
    schemas: dict[str, pa.Schema],
    order: list[str],
    damaged: Callable[[Damaged], None],
    labels: pa.Table | None = None,
) -> None:
    """Write the tables, with these schemas, from everything in the folder, and remove the parts.

    Runs outside the order go to the pair `unused`. The others get the columns of `labels`, a row for each of the order.
    Damaged files are given to `damaged`, which must move them away.
    A process killed at any point loses nothing: every row is written before the file it came from goes away.
    """
    while True:
        try:
            found = parts(folder)
            stored = [pair for pair in (tables(folder), unused(folder)) if pair.runs.is_file()]
            _write_tables(folder, schemas, owners([*found, *stored]), order, labels)
        except Damaged as error:
            damaged(error)
            continue
        break
    for pair in reversed(found):  # the oldest first: one that is left must not hide what a newer one held
        pair.remove()
    for path in halves(folder):
        path.unlink()
    with suppress(OSError):  # files set aside stay there
        (folder / "parts").rmdir()


def _write_tables(
    folder: Path, schemas: dict[str, pa.Schema], owned: list[Owned], order: list[str], labels: pa.Table | None
) -> None:
    rank = {identity: position for position, identity in enumerate(order)}
    others = sorted({x for item in owned for x in item.ids.to_pylist() if x not in rank})
    rest = unused(folder)
    # What is there already stays, named again or not: the tables that will have it are not written yet.
    kept = sorted({x for item in owned if item.pair == rest for x in item.ids.to_pylist()})
    if not set(others) <= set(kept):
        _write_pair(rest, schemas, owned, {x: position for position, x in enumerate(sorted({*others, *kept}))})
    _write_pair(tables(folder), schemas, owned, rank, labels)
    if not others:
        rest.remove()
    elif not rank.keys().isdisjoint(kept):  # or an old row would come back if the tables were damaged
        _write_pair(rest, schemas, owners([rest]), {x: position for position, x in enumerate(others)})


def _write_pair(
    pair: Pair,
    schemas: dict[str, pa.Schema],
    owned: list[Owned],
    rank: dict[str, int],
    labels: pa.Table | None = None,
) -> None:
    for name in ("curves", "runs"):
        with _scratch(pair.path(name).parent, name, schemas[name], owned) as scratch:
            groups = scratch.groups(rank)
            if labels is not None and name == "runs":
                groups = (_labelled(table, labels, rank) for table in groups)
            write(pair.path(name), schemas[name], groups, sync=True)


def _labelled(runs: pa.Table, labels: pa.Table, rank: dict[str, int]) -> pa.Table:
    """The rows of runs with the names that the study has for them now."""
    chosen = labels.take(pa.array([rank[identity] for identity in runs.column("run_id").to_pylist()], pa.int64()))
    for name in labels.column_names:
        place = runs.column_names.index(name)
        runs = runs.set_column(place, runs.schema.field(place), chosen.column(name))
    return runs


@contextmanager
def _scratch(folder: Path, name: str, schema: pa.Schema, owned: list[Owned]):
    """All rows of a table in a scratch file, which goes away at the end."""
    with temporary(folder / f"{name}.scratch.parquet") as path:
        segments = [[], [], [], []]
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
            for position, table in enumerate(_large(_rows(name, schema, owned))):
                (batch,) = table.combine_chunks().to_batches()
                writer.write_batch(batch)
                ids, starts, lengths = _segments(batch.column("run_id"))
                for known, new in zip(segments, (ids, [position] * len(ids), starts, lengths)):
                    known.extend(new)
                pa.default_memory_pool().release_unused()
        with pa.memory_map(str(path)) as source:
            yield Scratch(name, pa.ipc.open_file(source), segments[0], *(np.array(x, np.int64) for x in segments[1:]))


def _rows(name: str, schema: pa.Schema, owned: list[Owned]) -> Iterator[pa.Table]:
    for item in owned:
        if item.has(name):
            for table in batches(item.pair.path(name), schema):
                yield item.keep(table)


def _large(found: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in tables that are not small."""
    held, rows = [], 0
    for table in found:
        if len(table):
            held.append(table)
            rows += len(table)
        if rows >= files.PIECE:
            yield pa.concat_tables(held)
            held, rows = [], 0
    if held:
        yield pa.concat_tables(held)


def _segments(ids: pa.Array) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Rows of one run that follow each other: the run, the first row, the number of rows."""
    codes = ids.dictionary_encode()
    numbers = codes.indices.to_numpy()
    starts = np.flatnonzero(np.diff(numbers, prepend=-1))
    lengths = np.diff(starts, append=len(numbers))
    names = codes.dictionary.to_pylist()
    return [names[number] for number in numbers[starts]], starts, lengths


@dataclass
class Scratch:
    """A table in a file, and where the rows of each run are: segment k has `length[k]` rows of run `ids[k]`, from row
    `start[k]` of batch `batch[k]` on."""

    name: str
    file: pa.ipc.RecordBatchFileReader
    ids: list[str]
    batch: np.ndarray
    start: np.ndarray
    length: np.ndarray

    def groups(self, rank: dict[str, int]) -> Iterator[pa.Table]:
        """The rows of the ranked runs in their order, some whole runs at a time."""
        ranks = np.array([rank.get(identity, -1) for identity in self.ids], np.int64)
        chosen = np.argsort(ranks, kind="stable")
        chosen = chosen[ranks[chosen] >= 0]
        if not len(chosen):
            return
        # the rows before each run, and with it the group it falls in
        first = np.diff(ranks[chosen], prepend=-1) != 0
        before = np.concatenate([[0], np.cumsum(self.length[chosen])[:-1]])
        group = (before[first] // GROUPS[self.name])[np.cumsum(first) - 1]
        for part in np.split(chosen, np.flatnonzero(np.diff(group)) + 1):
            yield self._gather(part)
            pa.default_memory_pool().release_unused()  # or what each group took stays with the process

    def _gather(self, segments: np.ndarray) -> pa.Table:
        """The rows of some segments, one after the other."""
        ends = np.cumsum(self.length[segments])
        rows = np.arange(ends[-1]) + np.repeat(
            self.start[segments] - (ends - self.length[segments]), self.length[segments]
        )
        source = np.repeat(self.batch[segments], self.length[segments])
        by_batch = np.argsort(source, kind="stable")
        numbers, firsts = np.unique(source[by_batch], return_index=True)
        pieces = [
            pa.Table.from_batches([self.file.get_batch(int(number))]).take(pa.array(rows[wanted]))
            for number, wanted in zip(numbers, np.split(by_batch, firsts[1:]))
        ]
        back = np.empty(len(rows), np.int64)
        back[by_batch] = np.arange(len(rows))
        return pa.concat_tables(pieces).combine_chunks().take(pa.array(back)).combine_chunks()

"""Where results live: Parquet tables in the study's folder, written so that a killed process loses nothing.

    DIR/study.toml, study.json     the study as it was run, and its identity
    DIR/parts/*.parquet            one pair of files a finished task, merged now and then, while the study runs
    DIR/runs.parquet, curves.parquet
                                   the tables, in the order of the study
    DIR/unused.*.parquet           runs that an earlier form of the study named and this one does not: not in the
                                   tables, and not computed again if the study names them once more
    DIR/**/*.corrupt               damaged files that were set aside
    DIR/.lock*                     while a process writes
    DIR/report.html, figures/, tables/, summary.txt

A file is written under a temporary name and renamed: it is there whole, or not at all. What a disk or another program
did to it afterwards is found by checksums.

Memory: writing takes some hundred MB at most, however many runs there are. Reading takes what the table takes, 400
bytes a snapshot and 2 kB a run and 24 bytes a feature: 100000 runs of 20 snapshots are 1 GB. Ask for some columns of
`curves` if they are many.
"""

import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from implicitbias.errors import FULL, InputError, NotWritten
from implicitbias.measure import Measures
from implicitbias.store.compaction import compact
from implicitbias.store.files import (
    NAMES,
    Damaged,
    batches,
    read,
    remove_temporary,
    set_aside,
    verify,
    write,
    write_bytes,
)
from implicitbias.store.lock import Lock
from implicitbias.store.pieces import Pair, generation, halves, owners, part, parts, tables, unused
from implicitbias.store.schema import USUAL, schemas

MERGED = 64  # parts that become one
# Bytes in memory of a part up to which it is merged with others: twice, so that 100000 runs on as many data sets leave
# less than 200 pairs of files, and each row is written three times at most.
SMALL = (1 << 18, 1 << 21)
PATIENCE, PAUSE = 20, 0.05  # times that a reader starts again because of what others write, and seconds between them
# What is in a results folder.
_OWN = re.compile(
    r"((unused\.)?(runs|curves)\.parquet|study\.(json|toml))(\.corrupt.*)?|parts|figures|tables|claims|export|report\.html|summary\.txt|\..*"
)


class Store:
    """The results folder of one study.

    `notice` is called with a sentence when something in the folder is not as it should be and was put right.
    """

    def __init__(self, folder: str | Path):
        """Errors: ``InputError`` for a name that is not text, which the library of tables cannot open."""
        self.folder = Path(folder)
        try:
            str(folder).encode()
        except UnicodeEncodeError:
            raise InputError(f"the name of the folder {folder} is not UTF-8; choose another --out") from None
        self.parts = self.folder / "parts"
        self.notice: Callable[[str], None] = lambda sentence: None
        self._lock: Lock | None = None
        self._small: list[list[tuple[str, pa.Table, pa.Table]]] = [[] for _ in SMALL]  # parts to merge, by size
        self._full = False
        self._generation: int | None = None  # of the parts that this object writes
        self._measures: Measures | None = None

    @classmethod
    def open(cls, folder) -> "Store":
        """An existing results folder. Errors: ``InputError`` if it is none."""
        store = cls(folder)
        if not store.identity():
            raise InputError(f"{folder} holds no results of a study")
        return store

    def prepare(self) -> None:
        """Make the folder. Errors: ``InputError`` if something else is there, or it cannot be made."""
        try:
            if self.folder.exists() and not self.folder.is_dir():
                raise InputError(f"{self.folder} is a file; --out must be a directory")
            if self.parts.is_symlink():  # parts are written and deleted, which must not happen elsewhere
                raise InputError(f"{self.parts} is a link; a results folder keeps its parts itself")
            self.folder.mkdir(parents=True, exist_ok=True)
            self._check_own()
        except OSError as error:
            raise InputError(f"{self.folder} cannot be written: {error.strerror}") from None

    def _check_own(self) -> None:
        """Refuse a folder of something else, but not one whose study.json is damaged or is just being written."""
        for _ in range(PATIENCE):
            # What is there is listed first: others may start in the same folder, and the identity comes first of all.
            names = {path.name for path in self.folder.iterdir()}
            # what a process leaves that is killed before the folder has its identity
            names = {name for name in names if not name.startswith((".lock", ".study.json."))}
            if not names or self.identity():
                return
            if names != {"study.json"}:
                break
            time.sleep(PAUSE)
        held = bool({"runs.parquet", "unused.runs.parquet"} & names) or any(self.parts.glob("*.runs.parquet"))
        if not held or not all(_OWN.fullmatch(name) for name in names):
            raise InputError(f"{self.folder} exists and is not a results folder; choose another --out")
        if "study.json" in names:
            set_aside(Damaged(self.folder / "study.json", "it names no study"), lambda sentence: None)
        self.notice(f"{self.folder} has lost its study.json, which is written anew")

    def other(self, study: str) -> str:
        """The sentence that the folder holds something other than the study of this name."""
        found = self.identity()
        what = "another version of this study" if found["study"] == study else "another study"
        return f"{self.folder} holds the results of {what} ({found['study']!r}, {found['runs']} runs)"

    def describe(self, identity: dict, text: str) -> None:
        """Keep the identity of the study, then its text: a folder without a text is one to go on with."""
        self._measures = None
        for path, content in (("study.json", json.dumps(identity, indent=1)), ("study.toml", text)):
            path, content = self.folder / path, content.encode()
            try:
                if not path.is_file() or path.read_bytes() != content:
                    write_bytes(path, content)
            except OSError as error:
                if error.errno in FULL:
                    raise
                raise InputError(f"{self.folder} cannot be written: {os.strerror(error.errno)}") from None

    def identity(self) -> dict:
        """What the folder says it holds; empty if it holds no study."""
        try:
            found = json.loads((self.folder / "study.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) and {"study", "runs", "settings", "digest"} <= set(found) else {}

    @property
    def base(self) -> Path:
        """What paths of data files are relative to: where the study file was."""
        return Path(self.identity().get("base", self.folder))

    def text(self) -> str:
        """The TOML text of the study as it was run. Errors: ``InputError`` if it is lost."""
        try:
            return (self.folder / "study.toml").read_text(encoding="utf-8")
        except (OSError, ValueError):
            raise InputError(
                f"{self.folder / 'study.toml'} cannot be read; `implicitbias run` with the study file writes it again"
            ) from None

    @property
    def measures(self) -> Measures:
        """What is measured of the runs. Errors: ``InputError`` if some of it is not known here."""
        if self._measures is None:
            asked = self.identity().get("measures", {})
            about = bool(self.identity().get("multiclass")), self.identity().get("objective")
            self._measures = Measures.of(asked.get("measures"), asked.get("norms"), *about, top=asked.get("top"))
        return self._measures

    def runs(self) -> pd.DataFrame:
        """The table of runs with every usual column, whether the study measures it or not."""
        names = dict.fromkeys([*self.schemas["runs"].names, *schemas(USUAL)["runs"].names])
        return self.table("runs", list(names)).to_pandas()

    @property
    def schemas(self) -> dict[str, pa.Schema]:
        """Those of the tables."""
        return schemas(self.measures)

    def lock(self, name: str | None = None) -> None:
        """Take the right to write, until `release` or the end of the process; with a name, beside other names.

        Errors: ``InputError`` naming the process that has it.
        """
        try:
            self._lock = Lock(self.folder, name)
        except OSError as error:
            raise InputError(f"{self.folder} cannot be written: {error.strerror}") from None
        if not self._lock.files:
            self.notice(f"{self.folder} is where files cannot be locked: let no other process write there")

    def release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def repair(self) -> None:
        """Read every file; set damaged ones aside, and remove what a killed process was writing. Takes the lock."""
        for folder in (self.folder, self.parts, self.folder / "figures", self.folder / "tables"):
            remove_temporary(folder)
        for pair in self._pairs():
            for name in NAMES:
                try:
                    verify(pair.path(name), self.schemas[name])
                except FileNotFoundError:
                    if name == "runs" and pair.curves.is_file():
                        continue  # curves alone: from a process that was killed, and nothing to tell
                    if name == "curves" and pair.runs.is_file():
                        self.notice(f"{pair.curves} is missing; the runs of {pair.runs.name} are computed again")
                except Damaged as error:
                    set_aside(error, self.notice)

    def clear(self) -> None:
        """Remove the tables and parts, and nothing else. Takes the lock."""
        for pair in self._pairs():
            pair.remove()
        for path in halves(self.folder):
            path.unlink()

    def _pairs(self) -> list[Pair]:
        """Every pair of which a file may be there."""
        return [*parts(self.folder), tables(self.folder), unused(self.folder)]

    def done(self, damaged: list[Damaged] | None = None) -> set[str]:
        """The ids of the runs on disk, those that the study does not name any more among them. Damaged files: `table`.

        Only the ids are read.
        """
        return {x for item in self._owned(damaged, unused(self.folder)) for x in item.ids.to_pylist()}

    def add(self, name: str, runs: list[dict], curves: pa.Table) -> None:
        """Keep the results of one task. The runs go last: their presence says that the curves are there.

        Errors: ``NotWritten`` if the disk is full; no half of a file is left.
        """
        try:
            self._add(name, pa.Table.from_pylist(runs, schema=self.schemas["runs"]), curves)
        except NotWritten:
            self._full = True
            raise

    def _add(self, name: str, runs: pa.Table, curves: pa.Table, *, sync: bool = False) -> None:
        try:
            self.parts.mkdir(exist_ok=True)
        except OSError as error:
            raise NotWritten(self.parts, error) from None
        pair = self._part(name)
        size = runs.nbytes + curves.nbytes
        for kind, table in (("curves", curves), ("runs", runs)):
            write(pair.path(kind), self.schemas[kind], [table], sync=sync, brief=size <= SMALL[0])
        for limit, held in zip(SMALL, self._small):
            if size <= limit:
                held.append((name, runs, curves))
                if len(held) >= MERGED:
                    self._merge(held)
                break

    def _merge(self, held: list) -> None:
        """One part in the place of many that this process wrote."""
        names, runs, curves = zip(*held)
        held.clear()
        merged = "merged-" + hashlib.sha256(" ".join(names).encode()).hexdigest()[:16]
        self._add(merged, *(pa.concat_tables(x).combine_chunks() for x in (runs, curves)), sync=True)
        for name in names:
            self._part(name).remove()

    def _part(self, name: str) -> Pair:
        """The part of this name; see `pieces` for its generation."""
        if self._generation is None:
            self._generation = 1 + max(map(generation, self._patiently(lambda: parts(self.folder))), default=0)
        return part(self.parts, name if self._generation == 1 else f"{name}.{self._generation}")

    def table(
        self,
        name: str,
        columns: list[str] | None = None,
        *,
        ids: Iterable[str] | None = None,
        damaged: list[Damaged] | None = None,
    ) -> pa.Table:
        """Everything on disk of the table "runs" or "curves" (of some columns, or some runs), while the study runs too.

        Some runs take no more memory than they need. Damaged files are put on the list of that name, and left out;
        without one they are an ``InputError``.
        """
        wanted = None if columns is None else list(dict.fromkeys(["run_id", *columns]))
        schema = self.schemas[name]
        if wanted is not None:  # what the study does not measure is null
            usual = schemas(USUAL)[name]
            schema = pa.schema([(schema if column in schema.names else usual).field(column) for column in wanted])
        chosen = None if ids is None else pa.array(ids, pa.string())

        def rows(item) -> Iterator[pa.Table]:
            path = item.pair.path(name)
            if chosen is None:
                yield item.keep(read(path, schema))
                return
            for table in batches(path, schema):
                yield item.keep(table.filter(pc.is_in(table.column("run_id"), value_set=chosen)))

        bad: set[Pair] = set()

        def pieces() -> list[pa.Table]:
            before, found = self._seen(), []
            # the tables first, then what came after them
            owned = sorted(reversed(self._owned(damaged, bad=bad)), key=lambda item: item.pair != tables(self.folder))
            for item in owned:
                try:
                    found += rows(item) if item.has(name) else ()
                except Damaged as error:
                    if damaged is None:
                        raise
                    damaged.append(error)
                    bad.add(item.pair)
                    raise FileNotFoundError from None  # to start again without it: its runs may have other owners
            if self._seen() != before:
                raise FileNotFoundError  # tables of which a part was read too
            return found

        found = self._patiently(pieces)
        found = pa.concat_tables(found) if found else schema.empty_table()
        return found if columns is None else found.select(columns)

    def _seen(self) -> list:
        """What tells whether the tables were written meanwhile."""
        return [path.stat().st_ino for path in vars(tables(self.folder)).values() if path.is_file()]

    def _owned(self, damaged: list[Damaged] | None, *others: Pair, bad: Iterable[Pair] = ()) -> list:
        def owned():
            # The parts are listed first: what is merged into the tables after that is found to be gone.
            pairs = parts(self.folder)
            stored = (pair for pair in (tables(self.folder), *others) if pair.runs.is_file())
            return owners([pair for pair in (*pairs, *stored) if pair not in bad], damaged)

        return self._patiently(owned)

    def _patiently(self, attempt: Callable):
        """What a reader found; it starts again when files were merged while it read."""
        for _ in range(PATIENCE):
            try:
                return attempt()
            except FileNotFoundError:
                time.sleep(PAUSE)
            except Damaged as error:
                raise InputError(f"{error}; `implicitbias run` sets it aside and computes its runs again") from None
        raise InputError(f"{self.folder} changes faster than it can be read; try again when the study has ended")

    def compact(self, order: list[str], labels: pa.Table | None = None) -> None:
        """Merge the parts into the two tables, runs in the given order of ids: the same runs give the same bytes.

        Runs that are not in the order are kept beside the tables, those that are get the columns of `labels`. After a
        write that failed there is no room to merge: nothing is done, and the next call of `run_study` merges.
        """
        if not self._full:
            compact(self.folder, self.schemas, order, lambda error: set_aside(error, self.notice), labels)
            self._small = [[] for _ in SMALL]
            self._generation = None

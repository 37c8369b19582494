"""Where results live: Parquet tables in the study's folder, written so that a killed process loses nothing.

    DIR/study.toml, study.json     the study as it was run, and its identity
    DIR/parts/*.parquet            one pair of files a finished task, while the study runs
    DIR/runs.parquet, curves.parquet
                                   the tables, in the order of the study
    DIR/report.html

A file is written under a temporary name and renamed: it is there whole, or not at all.
"""

import json
import os
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from implicitbias.errors import InputError
from implicitbias.store.schema import CURVES, RUNS

TABLES = {"runs": RUNS, "curves": CURVES}


def load_runs(folder):
    """The table of runs of a results folder.

    Arguments: folder, the directory given to `run_study` as out
    Returns a DataFrame, one row a run (columns: implicitbias.store.schema.RUNS).
    Errors: ``InputError`` if the folder holds no results.

    >>> load_runs("no/such/folder")
    Traceback (most recent call last):
    ...
    implicitbias.errors.InputError: no/such/folder holds no results of a study
    """
    return Store.open(folder).table("runs").to_pandas()


def load_curves(folder):
    """The table of snapshots of a results folder.

    Arguments: folder, the directory given to `run_study` as out
    Returns a DataFrame, one row a snapshot (columns: implicitbias.store.schema.CURVES); join on run_id.
    Errors: ``InputError`` if the folder holds no results.
    """
    return Store.open(folder).table("curves").to_pandas()


class Store:
    """The results folder of one study."""

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self.parts = self.folder / "parts"

    @classmethod
    def open(cls, folder) -> "Store":
        """An existing results folder. Errors: ``InputError`` if it is none."""
        store = cls(folder)
        if not store.identity():
            raise InputError(f"{folder} holds no results of a study")
        return store

    @classmethod
    def create(cls, folder, identity: dict, text: str) -> "Store":
        """A folder for the study with this identity; one that already holds the same study is continued.

        Errors: ``InputError`` if it belongs to something else or cannot be written.
        """
        store = cls(folder)
        try:
            if store.folder.exists():
                store._check(identity)
            store.parts.mkdir(parents=True, exist_ok=True)
            store._replace(store.folder / "study.toml", text.encode())
            store._replace(store.folder / "study.json", json.dumps(identity, indent=1).encode())
        except OSError as error:
            raise InputError(f"{folder} cannot be written: {error.strerror}") from None
        return store

    def _check(self, identity: dict) -> None:
        """Refuse to write into something that exists and is not the study with this identity."""
        if not self.folder.is_dir():
            raise InputError(f"{self.folder} is a file; --out must be a directory")
        found = self.identity()
        if not found and any(self.folder.iterdir()):
            raise InputError(f"{self.folder} exists and is not a results folder; choose another --out")
        if found and found != identity:
            what = "another version of this study" if found["study"] == identity["study"] else "another study"
            raise InputError(
                f"{self.folder} holds the results of {what} ({found['study']!r}, {found['runs']} runs); "
                "choose another --out, or delete it"
            )

    def identity(self) -> dict:
        """What the folder says it holds; empty if it holds no study."""
        try:
            found = json.loads((self.folder / "study.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) and {"study", "runs", "settings", "digest"} <= set(found) else {}

    def text(self) -> str:
        """The TOML text of the study as it was run."""
        return (self.folder / "study.toml").read_text(encoding="utf-8")

    def done(self) -> set[str]:
        """The ids of the runs on disk."""
        return {x for table in self._pieces("runs", ["run_id"]) for x in table.column("run_id").to_pylist()}

    def add(self, name: str, runs: list[dict], curves: pa.Table) -> None:
        """Keep the results of one task. The runs go last: their presence says that the curves are there."""
        self._write(self.parts / f"{name}.curves.parquet", curves)
        self._write(self.parts / f"{name}.runs.parquet", pa.Table.from_pylist(runs, schema=RUNS))

    def table(self, name: str) -> pa.Table:
        """Everything on disk of the table "runs" or "curves"."""
        pieces = list(self._pieces(name))
        # Parquet gives the field inside a list a name of its own; the cast gives the declared one back.
        return pa.concat_tables(pieces).cast(TABLES[name]) if pieces else TABLES[name].empty_table()

    def compact(self, order: list[str]) -> None:
        """Merge the parts into the two tables, runs in the given order of ids: the same runs give the same bytes."""
        rank = {identity: position for position, identity in enumerate(order)}
        for name in ("curves", "runs"):
            table = self.table(name)
            positions = [rank.get(identity, len(rank)) for identity in table.column("run_id").to_pylist()]
            table = table.take(pa.array(sorted(range(len(positions)), key=positions.__getitem__), pa.int64()))
            self._write(self.folder / f"{name}.parquet", table.combine_chunks())
        shutil.rmtree(self.parts, ignore_errors=True)  # what stays is not read twice

    def _pieces(self, name: str, columns=None):
        """The table and the parts that hold rows it does not have yet."""
        whole = self.folder / f"{name}.parquet"
        seen = set()
        if whole.is_file():
            table = pq.read_table(whole, schema=TABLES[name] if columns is None else None, columns=columns)
            seen = set(table.column("run_id").to_pylist())
            yield table
        for path in sorted(self.parts.glob(f"*.{name}.parquet")) if self.parts.is_dir() else ():
            if not path.with_name(path.name.split(".")[0] + ".runs.parquet").is_file():
                continue  # interrupted between the two files
            table = pq.read_table(path, columns=columns)
            # a process killed while merging leaves parts that the table already holds
            fresh = [identity not in seen for identity in table.column("run_id").to_pylist()]
            yield table if all(fresh) else table.filter(pa.array(fresh))

    def _write(self, path: Path, table: pa.Table) -> None:
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        pq.write_table(table, temporary, compression="zstd")
        temporary.replace(path)

    def _replace(self, path: Path, content: bytes) -> None:
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_bytes(content)
        temporary.replace(path)

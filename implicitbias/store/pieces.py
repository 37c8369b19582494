"""What a results folder consists of: pairs of files, one with rows of runs and one with their curves.

A run may be in several pairs: a process killed while merging leaves the parts that the tables hold already, and runs
that are computed again are in a new part until the tables are written. One pair owns it: a new part before an older
one, parts before the tables, the tables before what the study no longer names. A run whose curves are not beside it is
not there.

Which part is new does not depend on clocks, which differ between machines and are lost in copies: a process that finds
parts writes parts of the next generation, NAME.2, NAME.3 and so on.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from implicitbias.store.files import Damaged, read

_IDS = pa.schema([pa.field("run_id", pa.string())])
_ENDS = _IDS.append(pa.field("step", pa.int64()))
_GENERATION = re.compile(r"\.([0-9]{1,9})\.runs\.parquet$")


@dataclass(frozen=True)
class Pair:
    """Two files that belong together."""

    runs: Path
    curves: Path

    def path(self, name: str) -> Path:
        return self.runs if name == "runs" else self.curves

    def remove(self) -> None:
        """The runs go first: their presence says that the curves are there."""
        self.runs.unlink(missing_ok=True)
        self.curves.unlink(missing_ok=True)


def part(folder: Path, name: str) -> Pair:
    return Pair(folder / f"{name}.runs.parquet", folder / f"{name}.curves.parquet")


def tables(folder: Path) -> Pair:
    return Pair(folder / "runs.parquet", folder / "curves.parquet")


def unused(folder: Path) -> Pair:
    """The runs that the study named before it was extended, and names no longer."""
    return part(folder, "unused")


def parts(folder: Path) -> list[Pair]:
    """The complete parts, the newest first; curves alone come from a process that was killed between the two files.

    Errors: ``FileNotFoundError`` if one goes away meanwhile.
    """
    folder = folder / "parts"
    names = [path.name.removesuffix(".runs.parquet") for path in folder.glob("*.runs.parquet")]
    found = [part(folder, name) for name in names if not name.startswith(".")]
    found = [pair for pair in found if pair.curves.is_file() or not pair.runs.stat()]
    return sorted(found, key=lambda pair: (-generation(pair), -pair.runs.stat().st_mtime_ns, pair.runs.name))


def generation(pair: Pair) -> int:
    """How many processes had left parts, one after the other, when a part was written, and this one."""
    found = _GENERATION.search(pair.runs.name)
    return int(found[1]) if found else 1


def halves(folder: Path) -> list[Path]:
    """Files of parts whose other half is not there: it was set aside, or a process was killed between the two."""
    whole = {path for pair in parts(folder) for path in (pair.runs, pair.curves)}
    found = {path for name in ("runs", "curves") for path in (folder / "parts").glob(f"*.{name}.parquet")}
    return sorted(path for path in found - whole if not path.name.startswith("."))


@dataclass(frozen=True)
class Owned:
    """The runs that a pair owns, and whether its files hold rows of no other."""

    pair: Pair
    ids: pa.Array
    only: bool

    def has(self, name: str) -> bool:
        """Whether there are rows to read. Without curves a pair may own runs that ended before their first snapshot;
        a part always has both files, or was merged meanwhile."""
        path = self.pair.path(name)
        return len(self.ids) > 0 and (name == "runs" or path.parent.name == "parts" or path.is_file())

    def keep(self, table: pa.Table) -> pa.Table:
        """The rows of the owned runs."""
        return table if self.only else table.filter(pc.is_in(table.column("run_id"), value_set=self.ids))


def owners(pairs: Iterable[Pair], damaged: list[Damaged] | None = None) -> list[Owned]:
    """What each pair owns, those before others first. Only the columns that this needs are read.

    With a list for damaged files, these are put on it and left out. Errors: ``Damaged``, ``FileNotFoundError``.
    """
    found, seen = [], set()
    for pair in pairs:
        try:
            whole, others = _whole(pair)
        except Damaged as error:
            if damaged is None:
                raise
            damaged.append(error)
            continue
        mine = dict.fromkeys(identity for identity in whole if identity not in seen)
        seen.update(mine)
        only = len(mine) == len(whole) and not others
        found.append(Owned(pair, pa.array(list(mine), pa.string()), only))
    return found


def _whole(pair: Pair) -> tuple[list[str], bool]:
    """The ids of the runs of a pair that have their curves, and whether its files hold rows of others."""
    runs = read(pair.runs, _ENDS)
    try:
        curves = read(pair.curves, _IDS)
    except FileNotFoundError:
        if pair.runs.parent.name == "parts":
            raise  # merged meanwhile
        curves = _IDS.empty_table()
    ids, snapshots = runs.column("run_id"), curves.column("run_id").unique()
    bare = pc.is_null(runs.column("step"))  # ended before its first snapshot
    whole = pc.or_(bare, pc.is_in(ids, value_set=snapshots))
    lone = pc.invert(pc.is_in(snapshots, value_set=ids))
    others = not pc.all(whole, min_count=0).as_py() or pc.any(lone, min_count=0).as_py()
    return ids.filter(whole).to_pylist(), others

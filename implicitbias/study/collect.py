"""The parts that shards of a study wrote, merged into its tables."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from implicitbias.errors import InputError
from implicitbias.store import Store
from implicitbias.study.expand import run_id
from implicitbias.study.plan import plan
from implicitbias.study.resume import open_results

AT_ONCE = 1000  # runs copied as one part


@dataclass(frozen=True)
class Collected:
    """The results folder of a study that was merged, how many runs the study has, and how many are not there."""

    folder: Path
    total: int
    missing: int


def collect(folders: list, out=None, notice: Callable[[str], None] = lambda sentence: None) -> Collected:
    """Merge what the shards of one study wrote into its tables, which are those of the study run as a whole.

    Arguments
        folders  the folders that the shards wrote into, one for all or several
        out      results folder; default the first of them
        notice   called with a sentence for each damaged file

    Returns a Collected. Only the results folder changes, so shards may still run in others, and be collected again.
    Errors: ``InputError`` if a folder holds no results or those of another study.
    """
    stores = {Path(folder).resolve(): Store.open(folder) for folder in folders}
    first = next(iter(stores.values()))
    identity, text = first.identity(), first.text()
    mistakes = [
        f"{store.other(identity['study'])}, not those in {first.folder}"
        for store in stores.values()
        if store.identity()["digest"] != identity["digest"]
    ]
    if mistakes:
        raise InputError(mistakes)
    runs = plan(first.folder / "study.toml", identity["settings"])[2]
    target, missing = open_results(
        f"{identity['study']}.toml", out or first.folder, runs, text, identity["settings"], notice=notice
    )
    try:
        wanted = {run.run_id for run in missing}
        for place, store in stores.items():
            if place != target.folder.resolve():
                wanted -= _take(target, store, wanted, notice)
        target.compact([run.run_id for run in runs])
    finally:
        target.release()
    return Collected(target.folder, len(runs), len(wanted))


def _take(target: Store, source: Store, wanted: set[str], notice: Callable[[str], None]) -> set[str]:
    """Copy the wanted runs of another folder; the ids of those that it has."""
    damaged: list = []
    runs, curves = (source.table(name, damaged=damaged) for name in ("runs", "curves"))
    for item in {error.path: error for error in damaged}.values():
        notice(f"{item}; its runs are left out")
    found = [identity for identity in runs.column("run_id").to_pylist() if identity in wanted]
    for first in range(0, len(found), AT_ONCE):
        ids = found[first : first + AT_ONCE]
        rows, snapshots = (
            table.filter(pc.is_in(table.column("run_id"), value_set=pa.array(ids))) for table in (runs, curves)
        )
        target.add(run_id({"task": ids}), rows.to_pylist(), snapshots)
    return set(found)

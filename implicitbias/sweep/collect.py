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
from implicitbias.study.provenance import PROVENANCE, is_stale
from implicitbias.study.rows import labels
from implicitbias.sweep.resume import FAILED, open_results

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

    Returns a Collected. Only the results folder changes, so shards may still run in others, and be collected again. Of
    a run in several folders the row that did not fail is taken, then the one that is not stale, then the first.
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
    target, _ = open_results(
        f"{identity['study']}.toml", out or first.folder, runs, text, identity["settings"], notice=notice
    )
    try:
        order = [run.run_id for run in runs]
        best = _worth(target, notice)
        sources: dict[str, Store] = {}  # where a run is better than in the results folder, and than in those before
        for place, store in stores.items():
            if place != target.folder.resolve():
                better = {run: worth for run, worth in _worth(store, notice).items() if worth > best.get(run, -1)}
                best |= better
                sources |= dict.fromkeys(better, store)
        for store in dict.fromkeys(sources.values()):
            _take(target, store, [run for run in order if sources.get(run) is store])
        target.compact(order, labels(runs))
    finally:
        target.release()
    return Collected(target.folder, len(runs), len(set(order) - set(best)))


def _worth(store: Store, notice: Callable[[str], None]) -> dict[str, int]:
    """What the rows of a folder are worth: more if the run did not fail, then more if the row is not stale."""
    damaged: list = []
    # the snapshots first: a damaged file of them takes its runs with it
    snapshots = store.table("curves", damaged=damaged).column("run_id").unique()
    runs = store.table("runs", ["run_id", "status", "step", *PROVENANCE], damaged=damaged).to_pandas()
    for item in {error.path: error for error in damaged}.values():
        notice(f"{item}; its runs are left out")
    runs = runs[runs["step"].isna() | runs["run_id"].isin(snapshots.to_pylist())]
    worth = 2 * ~runs["status"].isin(FAILED) + ~is_stale(runs)
    return dict(zip(runs["run_id"], worth))


def _take(target: Store, source: Store, ids: list[str]) -> None:
    """Copy runs of another folder."""
    runs, curves = (source.table(name, ids=ids, damaged=[]) for name in ("runs", "curves"))
    for first in range(0, len(ids), AT_ONCE):
        some = pa.array(ids[first : first + AT_ONCE])
        rows, snapshots = (table.filter(pc.is_in(table.column("run_id"), value_set=some)) for table in (runs, curves))
        target.add(run_id({"task": some.to_pylist()}), rows.to_pylist(), snapshots)

"""Going on with a results folder: what is there, what is missing, and what it says when the study is another one.

The tables hold the runs that the study names, in its order. Runs that an earlier form of the study named stay in the
folder beside the tables (`unused.*.parquet`) and count again if the study names them again.
"""

import json
import os
import tomllib
from collections.abc import Callable
from pathlib import Path

from implicitbias.errors import InputError, one_of
from implicitbias.store import Store
from implicitbias.study.expand import RunSpec, run_id
from implicitbias.study.provenance import PROVENANCE, is_stale
from implicitbias.study.rows import labels
from implicitbias.study.spec import override

MODES = ("resume", "extend", "overwrite")
FAILED = ("error", "timeout")  # what may end otherwise another time
DECIDE = ("data", "optimizer", "grid", "measures", "norms", "top")  # what decides the runs in a study file
MOST, WIDEST = 6, 60  # differences of two studies that are told, and characters of a value


def open_results(
    path: str | Path,
    out: str | Path,
    runs: list[RunSpec],
    text: str,
    settings: list[str] = (),
    *,
    mode: str = "resume",
    refresh: bool = False,
    retry: bool = False,
    shard: str | None = None,
    notice: Callable[[str], None] = lambda sentence: None,
    base: Path | None = None,
) -> tuple[Store, list[RunSpec]]:
    """The results folder of a study, locked for writing, and the runs that are to be computed.

    Arguments
        path, text  the study file and its text
        out         the folder
        runs        the runs of the study, in its order
        settings    overrides that are part of the study
        mode        what to do with results of other runs than these: "resume" refuses them, "extend" keeps them and
                    computes what is new, "overwrite" removes them, and nothing else in the folder
        refresh     compute runs again that other code or other libraries have made
        retry       compute runs again that ended with an error or a time-out
        shard       the name of a writer beside others, who may not do more than resume
        notice      called with a sentence for each damaged file that was set aside
        base        what paths of data files are relative to; default the folder of the study file

    Rows that are computed again stay until the new ones are there. The caller writes, merges with `Store.compact`, and
    gives the lock back with `Store.release`.
    Errors: ``InputError`` if the folder holds something else, says what and what can be done; or if another process
    writes there.
    """
    if mode not in MODES:
        raise InputError(one_of(mode, "mode", MODES))
    if shard is not None and mode != "resume":
        raise InputError(
            f"--{mode} does not go with --shard, which only goes on; choose another --out for the new runs"
        )
    store = Store(out)
    store.notice = notice
    store.prepare()
    store.lock(None if shard is None else shard.replace("/", "-of-"))
    try:
        found, order = store.identity(), [run.run_id for run in runs]
        base = Path(path).parent if base is None else base
        measures = runs[0].measures.asked() if runs else {}
        multiclass = bool(runs) and runs[0].measures.matrices
        objective = runs[0].measures.objective if runs else None
        identity = {
            "study": Path(path).stem,
            "settings": list(settings),
            "runs": len(runs),
            "digest": run_id({"runs": order}),
            **({"measures": measures} if measures else {}),
            **({"multiclass": True} if multiclass else {}),
            **({"objective": objective} if objective else {}),
            **({"base": os.path.abspath(base)} if any(run.data.kind == "file" for run in runs) else {}),
        }
        other = bool(found) and found["digest"] != identity["digest"]
        if not found and mode == "resume" and (strange := store.done(damaged=[]) - set(order)):
            raise InputError(
                f"{store.folder} has lost its study.json, and holds {len(strange)} runs that this study does not name: "
                "--extend keeps them, --out DIR writes elsewhere, --overwrite starts afresh"
            )
        if other and mode == "resume":
            on_disk = store.done(damaged=[])
            if found["runs"] != len(runs) or on_disk != set(order):  # else in another order, which changes nothing
                raise InputError(_refusal(store, identity["study"], text, settings, runs, on_disk))
        kept = found.get("measures", {}), found.get("multiclass", False), found.get("objective")
        if other and mode == "extend" and kept != (measures, multiclass, objective):
            what = "with other measures or norms" if kept[0] != measures else "on data of another kind"
            raise InputError(
                f"{store.folder} has runs {what}, and a table has one set of columns: --out DIR writes elsewhere, "
                "--overwrite starts afresh"
            )
        if mode == "overwrite":
            store.clear()
        if shard is None:
            store.repair()
        store.describe(identity, text)
        if other and mode != "overwrite" and shard is None:
            store.compact(order, labels(runs))  # so that the tables hold the runs of this study from now on
        # a shard leaves damaged files where they are: others read them
        damaged = []
        done = store.done(damaged)
        if refresh or retry:
            done -= _again(store, refresh, retry, damaged)
        for item in {error.path: error for error in damaged}.values():
            notice(f"{item}; its runs are computed again")
    except BaseException:
        store.release()
        raise
    return store, [run for run in runs if run.run_id not in done]


def _again(store: Store, refresh: bool, retry: bool, damaged: list) -> set[str]:
    """The runs on disk that are to be computed again."""
    found = store.table("runs", ["run_id", "status", *PROVENANCE], damaged=damaged).to_pandas()
    chosen = (refresh & is_stale(found)) | (retry & found["status"].isin(FAILED))
    return set(found["run_id"][chosen])


def _refusal(store: Store, name: str, text: str, settings: list[str], runs: list[RunSpec], on_disk: set[str]) -> str:
    """Why results of other runs are not gone on with, and the ways out."""
    found, wanted = store.identity(), {run.run_id for run in runs}
    new = override(tomllib.loads(text), settings)
    try:
        changes = differences(override(tomllib.loads(store.text()), found["settings"]), new)
    except (OSError, ValueError):
        changes = ["its study.toml cannot be read"]
    changes += _changed_data(store, runs)
    changes = changes or ["the file is the same, but means other runs to this version of implicitbias"]
    more = f"; {len(changes) - MOST} more changes" if len(changes) > MOST else ""
    return (
        f"{store.other(name)}: {'; '.join(changes[:MOST])}{more}; of the {len(on_disk)} runs on disk this study names "
        f"{len(on_disk & wanted)} and leaves out {len(on_disk - wanted)}, and {len(wanted - on_disk)} are new: "
        "--extend computes these and keeps the others, --out DIR writes elsewhere, --overwrite starts afresh"
    )


def differences(old: dict, new: dict) -> list[str]:
    """What differs between two studies in the tables that decide their runs, key by key.

    >>> differences({"grid": [{"steps": 20, "batch": 1}]}, {"grid": [{"steps": 30, "seed": [0, 1]}]})
    ['grid.0.steps was 20 and is 30', 'grid.0.batch = 1 is gone', 'grid.0.seed = [0, 1] is new']
    """
    found: list[str] = []
    _compare("", *({key: study[key] for key in DECIDE if key in study} for study in (old, new)), found)
    return found


def _compare(place: str, old, new, found: list[str]) -> None:
    if old == new:
        return
    if _is_tables(old) and _is_tables(new):
        old, new = (dict(enumerate(tables)) for tables in (old, new))
    if not (_is_table(old) and _is_table(new)):
        found.append(f"{place} was {_show(old)} and is {_show(new)}")
        return
    for key in dict.fromkeys([*old, *new]):
        where = f"{place}.{key}" if place else key
        if key not in new:
            found.append(f"{where} = {_show(old[key])} is gone")
        elif key not in old:
            found.append(f"{where} = {_show(new[key])} is new")
        else:
            _compare(where, old[key], new[key], found)


def _is_table(value) -> bool:
    return isinstance(value, dict) and set(value) != {"from", "to"}  # a range is one value


def _is_tables(value) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _show(value) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 4]} ..."


def _changed_data(store: Store, runs: list[RunSpec]) -> list[str]:
    """Data sets of the same name and parameters whose rows are others now: a file was changed."""
    columns = ["data", "data_params", "data_digest"]
    stored = store.table("runs", columns, damaged=[]).group_by(columns).aggregate([]).to_pylist()
    now = {(run.data.name, json.dumps(dict(run.data.params))): run.data.digest for run in runs}
    changed = [
        row["data"] for row in stored if now.get((row["data"], row["data_params"])) not in (None, row["data_digest"])
    ]
    return [f"the rows of data.{name} are others" for name in dict.fromkeys(changed)]

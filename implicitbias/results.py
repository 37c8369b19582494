"""Results folders from Python: their tables as DataFrames, and the verdicts on what is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from implicitbias.errors import InputError, one_of
from implicitbias.store import Store
from implicitbias.store.schema import STATUSES, VECTORS, optional
from implicitbias.study.filters import PARAMETER, columns_of, select
from implicitbias.study.keys import axis
from implicitbias.study.mistakes import PLANNED, unmet
from implicitbias.study.naming import DERIVED, NAMED_FROM, label_runs

if TYPE_CHECKING:
    import os

    from implicitbias.study.claims import Verdict

    Folder = str | os.PathLike[str]

STUDY = "study"  # the column that tells several folders apart
_AFTER = "label"  # the column that the derived ones follow
_ASKED = {*PLANNED, *DERIVED, STUDY}  # columns of which a value that no run has is a slip of the keyboard
_NULLABLE = {pa.bool_(): pd.BooleanDtype(), pa.int64(): pd.Int64Dtype()}


def load_runs(
    folder: Folder | Sequence[Folder], columns: Sequence[str] | None = None, *, where: Mapping[str, Any] | None = None
) -> pd.DataFrame:
    """The runs of a study, or of several: one row a run.

    Arguments
        folder   the directory given to `run_study` as out; or several, which are told apart by a column `study`
        columns  the columns, default all
        where    the values that columns must have, as in the claims of a study: {"batch": 1}, {"batch": "n"},
                 {"order": ["cyclic", "reshuffle"]}, {"data.n": 10} for a parameter of the data

    Returns a DataFrame with the columns of `implicitbias.columns` that the study has (without `columns`, not those
    hyper-parameters that no run has), and beside `label` two that are made when
    the table is read: `geometry`, the data up to their seed, and `method`, the optimizer with whatever varies in the
    study beside data, order, batch and seeds (hyper-parameters, lr, steps, ...). Runs that share geometry, method,
    order and batch differ in seeds alone. Integers and truth values with gaps are Int64 and boolean.

    Errors: ``InputError`` if a folder holds no results or a damaged file, and for every unknown column, and every value
    in where that no run has (of those that a study asks for; a `status` may be that of no run).

    >>> load_runs("no/such/folder")
    Traceback (most recent call last):
    ...
    implicitbias.errors.InputError: no/such/folder holds no results of a study
    """
    stores = _stores(folder)
    known = _columns_of_runs(folder, stores)
    _check_columns(columns, known)
    if columns is not None:
        columns = list(dict.fromkeys(columns))
        return _frame(_runs(stores, where, columns).select(columns))
    return _frame(_without_empty(_runs(stores, where, known).select(known)))


def load_curves(
    folder: Folder | Sequence[Folder],
    columns: Sequence[str] | None = None,
    *,
    where: Mapping[str, Any] | None = None,
    runs: Sequence[str] = (),
) -> pd.DataFrame:
    """The snapshots of the runs of a study, or of several: one row a snapshot.

    Arguments
        folder   the directory given to `run_study` as out; or several, which are told apart by a column `study`
        columns  the columns of the snapshots, default all: large studies are read faster, and in less memory, with the
                 few that are needed
        where    the values that columns of the runs must have, as in `load_runs`
        runs     columns of `load_runs` that are put beside each snapshot, such as ["method", "order", "batch"]

    Returns a DataFrame with the columns of `implicitbias.columns` that the study has, those of the runs before them;
    without `columns`, no residual where no run has one.

    Errors: ``InputError`` as `load_runs`, and for a column of the runs that the snapshots have too: theirs is the value
    at the end of the run.
    """
    stores = _stores(folder)
    measured = _common(stores, "curves")
    _check_columns(columns, measured)
    _check_columns(runs, _columns_of_runs(folder, stores), "runs")
    wanted = measured if columns is None else list(dict.fromkeys(columns))
    both = [name for name in runs if name in measured and name != "run_id"]
    if both:
        raise InputError(
            f"runs: the snapshots have a column {name!r} of their own; that of the runs is its value at their end"
            for name in both
        )
    beside = list(dict.fromkeys([*([] if _is_one(folder) else [STUDY]), *(x for x in runs if x != "run_id")]))
    rows = _runs(stores, where, beside)
    parts = []
    for name, store in stores.items():
        mine = rows.filter(pc.equal(rows[STUDY], name))
        ids = mine["run_id"].to_pylist() if where else None
        snapshots = store.table("curves", ["run_id", *(x for x in wanted if x != "run_id")], ids=ids)
        # where each snapshot finds its run; one whose run is not there yet is left out
        places = pc.index_in(snapshots["run_id"], value_set=mine["run_id"])
        if places.null_count:
            snapshots, places = snapshots.filter(places.is_valid()), places.drop_null()
        for position, column in enumerate(beside):
            snapshots = snapshots.add_column(position, rows.schema.field(column), mine[column].take(places))
        parts.append(snapshots)
    found = pa.concat_tables(parts).select([*beside, *wanted])
    return _frame(found if columns is not None else _without_empty(found))


def check(folder: Folder) -> list[Verdict]:
    """The verdicts on the claims of a study, from what is in its results folder.

    Arguments: folder, the directory given to `run_study` as out
    Returns a list of Verdicts in the order of the study, each with claim, outcome ("holds", "fails" or "undecided"),
    runs, value and detail.
    Errors: ``InputError`` if the folder holds no results of a study.
    """
    from implicitbias.study.stored import judge, stored_study

    study, store = stored_study(folder)
    return judge(study, store, store.runs())


def _is_one(folder) -> bool:
    return isinstance(folder, str) or hasattr(folder, "__fspath__")


def _stores(folder) -> dict[str, Store]:
    """Results folders by the names of their studies, or their own where a study is there twice."""
    folders = [folder] if _is_one(folder) else list(folder)
    if not folders:
        raise InputError("the list of results folders is empty")
    stores = [Store.open(item) for item in folders]
    studies = [store.identity()["study"] for store in stores]
    found = {
        name if studies.count(name) == 1 else str(Path(item)): store
        for name, item, store in zip(studies, folders, stores)
    }
    if len(found) < len(stores):
        raise InputError("a results folder is named twice")
    return found


def _common(stores: dict[str, Store], name: str) -> list[str]:
    """The columns that a table has in every folder."""
    first, *others = (store.schemas[name].names for store in stores.values())
    return [column for column in first if all(column in names for names in others)]


def _columns_of_runs(folder, stores: dict[str, Store]) -> list[str]:
    names = _common(stores, "runs")
    place = names.index(_AFTER) + 1
    own = [*names[:place], *DERIVED, *names[place:]]
    return own if _is_one(folder) else [STUDY, *own]


def _check_columns(names: Sequence[str] | None, known: Sequence[str], what: str = "columns") -> None:
    if isinstance(names, str):
        raise InputError(f"{what} must be a list of names, such as [{names!r}]")
    mistakes = [one_of(name, "column", known) for name in names or () if name not in known]
    if mistakes:
        raise InputError(mistakes)


def _runs(stores: dict[str, Store], where: Mapping[str, Any] | None, columns: list[str]) -> pa.Table:
    """The runs that a filter selects, with these columns, and run_id and study."""
    known = _common(stores, "runs")
    where = _checked_filter(where, known)
    looked_at = [column for name in where for column in columns_of(name)]
    wanted = list(dict.fromkeys(["run_id", *columns, *looked_at]))
    read = [name for name in wanted if name in known]
    if derived := set(DERIVED) & set(wanted):
        read = list(dict.fromkeys([*read, *NAMED_FROM]))
    tables = []
    for name, store in stores.items():
        table = store.table("runs", read)
        tables.append(table.append_column(STUDY, pa.array([name] * len(table), pa.string())))
    table = pa.concat_tables(tables)
    if derived:
        named = label_runs(table.select(list(NAMED_FROM)).to_pandas())
        for name in DERIVED:
            table = table.append_column(name, pa.array(named[name].tolist(), pa.string(), from_pandas=True))
    if where:
        plain = pd.DataFrame(
            {name: pd.Series(table[name].to_pylist(), dtype=object) for name in dict.fromkeys(looked_at)}
        )
        asked = {name: value for name, value in where.items() if name in _ASKED or name.startswith(PARAMETER)}
        places = ", ".join(str(store.folder) for store in stores.values())
        if len(plain) and (mistakes := unmet("where", asked, plain, f"run in {places}")):
            raise InputError(mistakes)
        table = table.take(select(plain, where).index.to_numpy())
    return table


def _without_empty(table: pa.Table) -> pa.Table:
    """The table without hyper-parameters, and without the residual, that none of its rows has."""
    return table.drop_columns([x for x in table.column_names if x in optional() and table[x].null_count == len(table)])


def _checked_filter(where: Mapping[str, Any] | None, known: list[str]) -> dict[str, Any]:
    """A filter with lists for all that is many. Errors: ``InputError`` for every unknown column and status."""
    if where is None:
        return {}
    if not isinstance(where, Mapping):
        raise InputError(f"where must be a dict of columns and values, such as {{'batch': 1}}, not {where!r}")
    known = [*(name for name in known if name not in VECTORS), *DERIVED, STUDY]
    mistakes = [
        f"where: {one_of(name, 'column', known)}"
        for name in where
        if name not in known and not str(name).startswith(PARAMETER)
    ]
    found = {name: _as_list(value) for name, value in where.items()}
    mistakes += [
        f"where.status: {one_of(word, 'status', STATUSES)}"
        for word in axis(found.get("status", []))
        if word not in STATUSES
    ]
    if mistakes:
        raise InputError(mistakes)
    return found


def _as_list(value):
    if hasattr(value, "tolist"):  # numpy's and pandas' numbers and arrays
        return value.tolist()
    return list(value) if isinstance(value, (tuple, set, frozenset, range)) else value


def _frame(table: pa.Table) -> pd.DataFrame:
    """A DataFrame in which integers and truth values keep their types where some are missing."""
    gaps = {field.name for field in table.schema if field.type in _NULLABLE and table[field.name].null_count}
    names = table.column_names
    found = {name: table[name].to_pandas(types_mapper=_NULLABLE.get) for name in gaps}
    table = table.drop_columns(list(gaps))
    frame = table.to_pandas(split_blocks=True, self_destruct=True)
    return pd.concat([frame, pd.DataFrame(found)], axis=1)[names] if gaps else frame

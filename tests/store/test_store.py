"""The results folder: whole files or none, no row lost or doubled, and nothing that is not a study overwritten."""

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stores import IDENTITY, create

from implicitbias import store as store_package
from implicitbias.errors import InputError, NotWritten
from implicitbias.results import load_curves, load_runs
from implicitbias.store import Store
from implicitbias.store.schema import CURVES, RUNS


@pytest.fixture
def store(tmp_path):
    return create(tmp_path / "out", IDENTITY, "title = 'é'")


def curves_of(*ids):
    rows = [{"run_id": run, "step": step, "cos_l2": hash(run) % 7 / 10} for run in ids for step in (1, 2)]
    return pa.Table.from_pylist(rows, schema=CURVES)


def add(store, name, *ids):
    store.add(name, [{"run_id": run, "status": "ok"} for run in ids], curves_of(*ids))


def ids(store, table):
    return store.table(table).column("run_id").to_pylist()


def content(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(folder, words):
    """The folder is refused, and left as it was."""
    parent = Path(folder).parent
    before = content(parent) if parent.is_dir() else None
    with pytest.raises(InputError, match=words) as caught:
        create(folder)
    assert len(caught.value.mistakes) == 1
    assert str(folder) in caught.value.mistakes[0]
    if before is not None:
        assert content(parent) == before


def test_a_new_folder_knows_its_study(store):
    assert store.identity() == IDENTITY
    assert store.text() == "title = 'é'"
    assert store.done() == set()
    assert (len(store.table("runs")), len(store.table("curves"))) == (0, 0)
    assert sorted(content(store.folder)) == ["study.json", "study.toml"]


def test_folders_above_are_made(tmp_path):
    assert create(tmp_path / "a" / "b").folder.is_dir()


def test_what_is_added_is_there_at_once_and_for_others(store):
    add(store, "one", "b", "a")
    other = Store.open(store.folder)
    assert other.done() == {"a", "b"}
    assert ids(other, "runs") == ["b", "a"]
    assert ids(other, "curves") == ["b", "b", "a", "a"]


def test_tables_have_the_declared_columns(store):
    add(store, "one", "a")
    for when in ("parts", "tables"):
        assert store.table("runs").schema.equals(RUNS), when
        assert store.table("curves").schema.equals(CURVES), when
        store.compact(["a"])


def test_compacting_puts_the_runs_in_order_and_removes_the_parts(store):
    add(store, "one", "c", "b")
    add(store, "two", "a")
    store.compact(["a", "b", "c"])
    assert ids(store, "runs") == ["a", "b", "c"]
    assert ids(store, "curves") == ["a", "a", "b", "b", "c", "c"]
    assert store.table("curves").column("step").to_pylist() == [1, 2] * 3
    assert sorted(content(store.folder)) == ["curves.parquet", "runs.parquet", "study.json", "study.toml"]


def test_runs_that_the_study_does_not_name_stay_beside_the_tables(store):
    add(store, "one", "c", "x")
    add(store, "two", "a", "y")
    store.compact(["a", "b", "c"])
    assert ids(store, "runs") == ["a", "c"] and ids(store, "curves") == ["a", "a", "c", "c"]
    assert store.done() == {"a", "c", "x", "y"}
    before = content(store.folder)
    assert sorted(before) == [
        "curves.parquet", "runs.parquet", "study.json", "study.toml", "unused.curves.parquet", "unused.runs.parquet",
    ]  # fmt: skip
    store.compact(["a", "b", "c"])
    assert content(store.folder) == before
    store.compact(["y", "c"])  # named again, and others not
    assert ids(store, "runs") == ["y", "c"] and ids(store, "curves") == ["y", "y", "c", "c"]
    assert store.done() == {"a", "c", "x", "y"}
    store.compact(["x", "y", "a", "c"])
    assert ids(store, "curves") == [run for run in "xyac" for _ in range(2)]


def test_the_same_runs_give_the_same_bytes(tmp_path):
    tables = []
    for position, parts in enumerate([["a", "b", "c"], ["bc", "a"], ["c", "ab"]]):
        store = create(tmp_path / str(position))
        for part in parts:
            add(store, part, *part)
            if position == 2:  # interrupted and gone on with
                store.compact(["a", "b", "c"])
                store = create(tmp_path / str(position))
        store.compact(["a", "b", "c"])
        tables.append([(store.folder / name).read_bytes() for name in ("curves.parquet", "runs.parquet")])
    assert tables[0] == tables[1] == tables[2]


def test_curves_without_their_runs_are_ignored(store):
    """A process killed between the two files of a part leaves the first."""
    add(store, "one", "a")
    add(store, "two", "b")
    (store.parts / "two.runs.parquet").unlink()
    assert store.done() == {"a"}
    assert ids(store, "curves") == ["a", "a"]
    add(store, "three", "b")  # computed again, in another task
    assert ids(store, "curves") == ["a", "a", "b", "b"]
    store.compact(["a", "b"])
    assert ids(store, "curves") == ["a", "a", "b", "b"]


@pytest.mark.parametrize(
    "left", ["both parts", "the part of the curves", "the part of the runs", "no table of the runs"]
)
def test_parts_that_the_tables_hold_already_are_not_doubled(store, left):
    """A process killed while merging leaves some of the files that it has merged."""
    add(store, "one", "a")
    parts = {path: path.read_bytes() for path in store.parts.iterdir()}
    store.compact(["a", "b"])
    store.parts.mkdir()
    for path, data in parts.items():
        if left in ("both parts", "no table of the runs") or path.match(f"*.{left.split()[-1]}.parquet"):
            path.write_bytes(data)
    if left == "no table of the runs":
        (store.folder / "runs.parquet").unlink()  # the curves are written first
    add(store, "two", "b")
    for _ in range(2):
        assert ids(store, "runs") == ["a", "b"]
        assert ids(store, "curves") == ["a", "a", "b", "b"]
        create(store.folder).compact(["a", "b"])


def test_a_run_without_snapshots_is_done(store):
    store.add("one", [{"run_id": "a", "status": "not_separable", "message": "m"}], CURVES.empty_table())
    store.compact(["a"])
    assert store.done() == {"a"}
    assert ids(store, "curves") == []


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_a_file_is_there_whole_or_not_at_all(store, monkeypatch, error):
    add(store, "one", "a")
    store.compact(["a"])
    before = content(store.folder)
    original = pq.ParquetWriter.write_table

    def broken(writer, table, **options):
        original(writer, table, **options)
        raise error

    monkeypatch.setattr(pq.ParquetWriter, "write_table", broken)
    expected = NotWritten if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        store.compact(["a"])
    assert content(store.folder) == before
    with pytest.raises(expected):
        add(store, "two", "b")
    monkeypatch.undo()
    assert content(store.folder) == before  # no temporary file stays
    assert ids(store, "curves") == ["a", "a"]
    add(Store.open(store.folder), "two", "b")
    assert ids(store, "curves") == ["a", "a", "b", "b"]


def test_no_temporary_files_stay(store):
    add(store, "one", "a")
    store.compact(["a"])
    assert not [name for name in content(store.folder) if f".{os.getpid()}" in name or name.startswith(".")]


def test_the_same_study_goes_on_with_its_text_as_it_is_now(store):
    add(store, "one", "a")
    again = create(store.folder, IDENTITY, "title = 'other words'")
    assert again.done() == {"a"}
    assert again.text() == "title = 'other words'"


def test_the_same_runs_under_another_name_go_on(store):
    add(store, "one", "a")
    assert create(store.folder, IDENTITY | {"study": "t", "settings": ["title=x"]}, "").done() == {"a"}


def test_a_folder_with_something_else_is_refused(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years of work")
    refused(tmp_path / "out", "exists and is not a results folder; choose another --out")


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "{}", '{"study": "s"}', "\udcff"])
def test_a_folder_with_another_study_json_is_refused(tmp_path, text, monkeypatch):
    monkeypatch.setattr(store_package, "PAUSE", 0.0)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "study.json").write_text(text, errors="surrogateescape")
    refused(tmp_path / "out", "exists and is not a results folder")
    with pytest.raises(InputError, match="holds no results of a study"):
        load_runs(tmp_path / "out")


def test_an_empty_folder_is_taken(tmp_path):
    assert create(tmp_path).identity() == IDENTITY


def test_a_file_is_refused(tmp_path):
    (tmp_path / "out").write_text("x")
    refused(tmp_path / "out", "is a file; --out must be a directory")


def test_a_place_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    refused(tmp_path / "file" / "out", "cannot be written: Not a directory")
    refused(tmp_path / ("long" * 100), "cannot be written: File name too long")


@pytest.mark.parametrize("failing", ["mkdir", "exists", "write_bytes"])
def test_no_permission_is_one_sentence(tmp_path, monkeypatch, failing):
    def forbidden(*args, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, failing, forbidden)
    with pytest.raises(InputError, match="out cannot be written: Permission denied"):
        create(tmp_path / "out")


@pytest.mark.parametrize("load", [load_runs, load_curves, Store.open])
def test_what_is_no_results_folder_cannot_be_loaded(tmp_path, load):
    (tmp_path / "file").write_text("x")
    for folder in (tmp_path / "none", tmp_path, tmp_path / "file", tmp_path / "file" / "x", tmp_path / ("long" * 100)):
        with pytest.raises(InputError) as caught:
            load(folder)
        assert str(caught.value) == f"{folder} holds no results of a study"


def test_loading_while_the_study_runs(store):
    add(store, "one", "a")
    store.compact(["a", "b"])
    create(store.folder)
    add(store, "two", "b")
    assert load_runs(str(store.folder))["run_id"].tolist() == ["a", "b"]
    assert load_curves(store.folder)[["run_id", "step"]].to_numpy().tolist() == [["a", 1], ["a", 2], ["b", 1], ["b", 2]]


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["kill", "stop", "no"])), unique_by=lambda x: x[0]),
    st.permutations("abcdef"),
)
def test_no_history_of_interruptions_loses_or_doubles_a_run(tmp_path_factory, history, order):
    folder = tmp_path_factory.mktemp("history") / "out"
    store = create(folder)
    for run, end in history:
        add(store, run, run)
        if end == "stop":  # by Ctrl-C: what is there is merged
            store.compact(order)
        if end != "no":
            store = create(folder)
        assert set(ids(store, "runs")) == store.done()
    assert store.done() == {run for run, _ in history}
    store.compact(order)
    expected = [run for run in order if run in store.done()]
    assert ids(store, "runs") == expected
    assert ids(store, "curves") == [run for run in expected for _ in range(2)]

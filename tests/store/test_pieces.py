"""Many parts, other columns, damaged files: what is read, merged and set aside."""

import io
import os
import subprocess
import sys
import threading

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from stores import create

from implicitbias import store as package
from implicitbias.errors import InputError
from implicitbias.results import load_curves, load_runs
from implicitbias.store import Store, compaction, files
from implicitbias.store.schema import CURVES, RUNS


@pytest.fixture
def store(tmp_path):
    store = create(tmp_path / "out", text="title = 't'")
    store.said = []
    store.notice = store.said.append
    return store


def curves_of(ids, snapshots, value=0.5):
    rows = [{"run_id": run, "step": step, "cos_l2": value} for run in ids for step in range(1, snapshots + 1)]
    return pa.Table.from_pylist(rows, schema=CURVES)


def add(store, name, ids, snapshots=2, **columns):
    rows = [{"run_id": run, "status": "ok", "step": snapshots, "w": [1.0, 2.0], **columns} for run in ids]
    store.add(name, rows, curves_of(ids, snapshots, columns.get("cos_l2", 0.5)))


def tables(store):
    return [(store.folder / f"{name}.parquet").read_bytes() for name in ("runs", "curves")]


def test_many_parts_become_few_and_the_tables_are_the_same(tmp_path, monkeypatch):
    """As files are merged while the study runs, and as row groups end, nothing changes in the tables."""
    monkeypatch.setattr(package, "MERGED", 4)
    monkeypatch.setitem(compaction.GROUPS, "curves", 50)
    monkeypatch.setitem(compaction.GROUPS, "runs", 7)
    monkeypatch.setattr(files, "PIECE", 33)
    order = [f"{k:03d}" for k in range(90)]
    whole = create(tmp_path / "whole")
    add(whole, "all", order, 3)
    whole.compact(order)
    assert pq.ParquetFile(whole.folder / "curves.parquet").num_row_groups == 6
    many = create(tmp_path / "many")
    for position in np.random.default_rng(0).permutation(90):
        add(many, f"part-{position}", [order[position]], 3)
        assert len(list(many.parts.iterdir())) <= 2 * (3 + 3 + 90 // 16 + 1)
    assert many.done() == set(order)
    assert sorted(many.table("runs").column("run_id").to_pylist()) == order
    many.compact(order)
    assert tables(many) == tables(whole)
    many.compact(order)
    assert tables(many) == tables(whole)
    many.compact(order[::-1])
    assert many.table("curves").column("run_id").to_pylist() == [run for run in order[::-1] for _ in range(3)]
    many.compact(order)
    assert tables(many) == tables(whole)


def test_a_process_killed_while_it_merges_parts_doubles_nothing(store, monkeypatch):
    monkeypatch.setattr(package, "MERGED", 3)
    kept = {}
    for run in "abc":
        if run == "c":
            kept = {path: path.read_bytes() for path in store.parts.iterdir()}
        add(store, run, run)
    for path, data in kept.items():
        path.write_bytes(data)  # not removed yet
    assert len(store.table("runs")) == 3 and len(store.table("curves")) == 6
    store.compact(list("abc"))
    assert store.table("curves").column("run_id").to_pylist() == list("aabbcc")
    assert not store.parts.exists()


def test_a_newer_part_replaces_what_was_there(store):
    """Runs that are computed again: the old rows stay until the new ones are there."""
    add(store, "one", "ab", version="1")
    store.compact(["a", "b"])
    add(store, "two", "a", version="2", snapshots=3)
    add(store, "three", "a", version="3", snapshots=4)
    for path in store.parts.glob("two.*"):
        os.utime(path, ns=(0, 0))
    for _ in range(2):
        found = load_runs(store.folder).set_index("run_id")
        assert found["version"].to_dict() == {"a": "3", "b": "1"}
        assert load_curves(store.folder)["run_id"].value_counts().to_dict() == {"a": 4, "b": 2}
        store.compact(["a", "b"])


def test_tables_with_the_columns_of_another_version_are_read(store):
    add(store, "one", "a")
    for name, schema in (("runs", RUNS), ("curves", CURVES)):
        (path,) = store.parts.glob(f"*.{name}.parquet")
        table = pq.read_table(path).drop_columns(["cos_l2", "angle_l2"])
        pq.write_table(table.append_column("invented", pa.array([1.0] * len(table))), path)
        for _ in range(2):
            assert store.table(name).schema.equals(schema)
            assert store.table(name).column("cos_l2").null_count == len(table)
    store.compact(["a"])
    assert store.done() == {"a"} and store.table("curves").schema.equals(CURVES)


def test_some_columns(store):
    add(store, "one", "ab")
    assert load_runs(store.folder, ["status", "w"]).columns.tolist() == ["status", "w"]
    store.compact(["a"])
    assert load_curves(store.folder, ["step"])["step"].tolist() == [1, 2]
    assert store.table("curves", ["cos_l2"]).column_names == ["cos_l2"]


def truncated(data):
    return data[: len(data) // 2]


def flipped(data: bytes) -> bytes:
    """The last byte of a data page; headers and footer are well."""
    chunk = pq.ParquetFile(io.BytesIO(data)).metadata.row_group(0).column(0)
    start = chunk.data_page_offset if chunk.dictionary_page_offset is None else chunk.dictionary_page_offset
    at = start + chunk.total_compressed_size - 1
    return data[:at] + bytes([data[at] ^ 255]) + data[at + 1 :]


DAMAGE = [truncated, flipped, lambda data: b"", lambda data: b"garbage " * 100, lambda data: b"PAR1" + data[10:]]


@pytest.mark.parametrize("damage", DAMAGE, ids=["truncated", "flipped", "empty", "garbage", "shifted"])
@pytest.mark.parametrize("name", ["runs", "curves"])
@pytest.mark.parametrize("where", ["part", "table", "unused"])
def test_a_damaged_file_is_set_aside_and_its_runs_are_missing(store, damage, name, where):
    add(store, "one", ["u"])
    store.compact([])
    add(store, "two", ["a"])
    store.compact(["a"])
    add(store, "three", ["b"])
    path = {
        "part": store.parts / f"three.{name}.parquet",
        "table": store.folder / f"{name}.parquet",
        "unused": store.folder / f"unused.{name}.parquet",
    }[where]
    data = damage(path.read_bytes())
    path.write_bytes(data)
    lost = {"part": "b", "table": "a", "unused": "u"}[where]
    if where != "unused":
        with pytest.raises(
            InputError, match=rf"{path.name} is damaged \(.*\); `implicitbias run` sets it aside"
        ) as caught:
            load_curves(store.folder), load_runs(store.folder)
        assert len(caught.value.mistakes) == 1
        damaged = []
        found = store.table("runs", ["run_id"], damaged=damaged).column("run_id").to_pylist()
        if damage is not flipped:  # which is found when its page is read
            assert found == sorted({"a", "b"} - {lost}) and {error.path for error in damaged} == {path}
    store.repair()
    assert store.done() == {"a", "b", "u"} - {lost}
    aside = path.with_name(path.name + ".corrupt")
    assert aside.read_bytes() == data and not path.exists()
    assert f"set aside as {aside.name}, and its runs are computed again" in store.said[0]
    add(store, "again", [lost])
    store.compact(["a", "b"])
    assert load_runs(store.folder)["run_id"].tolist() == ["a", "b"]
    assert load_curves(store.folder)["run_id"].tolist() == ["a", "a", "b", "b"]
    assert store.done() == {"a", "b", "u"}
    assert aside.read_bytes() == data


def test_damage_after_the_check_is_found_while_merging(store):
    add(store, "one", ["a"])
    add(store, "two", ["b"])
    path = store.parts / "two.curves.parquet"
    path.write_bytes(flipped(path.read_bytes()))
    store.compact(["a", "b"])
    assert store.done() == {"a"} and len(store.said) == 1
    assert [item.name for item in store.parts.iterdir()] == ["two.curves.parquet.corrupt"]


def test_the_same_file_damaged_twice_is_kept_twice(store):
    for data in (b"x", b"y"):
        add(store, "one", ["a"])
        store.compact(["a"])
        (store.folder / "runs.parquet").write_bytes(data)
        store.repair()
    assert [(store.folder / f"runs.parquet.{end}").read_bytes() for end in ("corrupt", "corrupt-2")] == [b"x", b"y"]


@pytest.mark.parametrize("name", ["runs", "curves"])
def test_a_table_that_is_missing_takes_its_runs_with_it(store, name):
    add(store, "one", ["a", "b"])
    store.compact(["a", "b"])
    (store.folder / f"{name}.parquet").unlink()
    store.repair()
    assert store.done() == set()
    assert bool(store.said) == (name == "curves")
    add(store, "two", ["b", "a"])
    store.compact(["a", "b"])
    assert store.table("curves").column("run_id").to_pylist() == list("aabb")


def test_a_run_without_its_curves_is_missing(store):
    add(store, "one", ["a", "b"])
    store.compact(["a", "b"])
    pq.write_table(pq.read_table(store.folder / "curves.parquet").slice(0, 2), store.folder / "curves.parquet")
    assert store.done() == {"a"}
    assert len(store.table("runs")) == 1


def test_what_a_killed_process_was_writing_goes_away_and_nothing_else(store):
    add(store, "one", ["a"])
    mine = [store.folder / ".runs.parquet.123", store.parts / ".x.curves.parquet.9-0a1b2c3d"]
    mine += [store.folder / ".report.html.9-0a1b2c3d", store.folder / "figures" / ".figure-1a.svg.9-0a1b2c3d"]
    (store.folder / "figures").mkdir()
    others = [store.folder / ".notes", store.folder / "thesis.tex", store.parts / ".hidden.parquet"]
    for path in mine + others:
        path.write_text("x")
    store.repair()
    store.clear()
    assert [path.exists() for path in mine + others] == [False] * 4 + [True] * 3
    assert store.done() == set()


def test_reading_while_another_process_writes_and_merges(store, monkeypatch):
    """A reader sees every run that was there when it began, however the files change under it."""
    monkeypatch.setattr(package, "MERGED", 3)
    order = [f"{k:02d}" for k in range(24)]
    wrong, ended = [], threading.Event()

    def read():
        reader = Store.open(store.folder)
        while not ended.is_set():
            before = len(written)
            found = reader.table("runs", ["run_id"]).column("run_id").to_pylist()
            if len(set(found)) != len(found) or not set(written[:before]) <= set(found):
                wrong.append(found)

    written: list[str] = []
    thread = threading.Thread(target=read)
    thread.start()
    try:
        for run in order:
            add(store, run, [run])
            written.append(run)
            if run.endswith("5"):
                store.compact(order)
    finally:
        ended.set()
        thread.join()
    assert not wrong


def test_some_runs_of_many_files(store):
    add(store, "one", ["a", "b"])
    store.compact(["a", "b"])
    add(store, "two", ["c", "b"], cos_l2=0.25)
    found = store.table("curves", ["run_id", "cos_l2"], ids=["b", "d", "c"]).to_pylist()
    assert found == [{"run_id": run, "cos_l2": 0.25} for run in ("c", "c", "b", "b")]
    assert store.table("runs", ids=["a"]).column("run_id").to_pylist() == ["a"]
    assert store.table("curves", ids=[]).schema.equals(CURVES)


@pytest.mark.parametrize("call", ["repair()", "table('curves', ids=['07'])", "compact([f'{k:02}' for k in range(32)])"])
def test_a_long_table_is_read_piece_by_piece(store, call, monkeypatch):
    ids, snapshots = [f"{k:02}" for k in range(32)], 2000
    monkeypatch.setitem(compaction.GROUPS, "curves", 2 * snapshots)
    rng = np.random.default_rng(0)  # what compresses well would be small in any case
    numbers = [item.name for item in CURVES if item.type == pa.float64()]
    for run in ids:
        curves = {**{name: rng.random(snapshots) for name in numbers}, "run_id": [run] * snapshots}
        curves["step"] = range(snapshots)
        store.add(run, [{"run_id": run, "status": "ok", "step": 1}], files.conform(pa.table(curves), CURVES))
    store.compact(ids)
    # in a process of its own, because the largest sum of what was allocated cannot be set back
    code = f"""
import pyarrow
from implicitbias.store import Store, compaction, files
files.PIECE, compaction.GROUPS["curves"] = {2 * snapshots}, {2 * snapshots}
Store({str(store.folder)!r}).{call}
print(pyarrow.default_memory_pool().max_memory())
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(found.stdout) < store.table("curves").nbytes / 2

"""A run again from its row alone: the row says what it was, and what comes out is compared bit by bit."""

import json
import shutil
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from implicitbias import cli
from implicitbias.errors import InputError
from implicitbias.store import Store
from implicitbias.store.schema import RUNS
from implicitbias.study.expand import expand
from implicitbias.study.rows import describe
from implicitbias.study.spec import parse_study
from implicitbias.sweep.execute import execute
from implicitbias.sweep.reproduce import EXEMPT, find, reproduce, same, spec_of
from implicitbias.sweep.run import run_study

STUDY = """
title = "t"
[data.gaussian]
n = 4
d = 6
[data.mine]
kind = "file"
path = "mine.csv"
[optimizer.adam]
lr = { eta = 0.1, a = 0.5 }
[optimizer.gradient_flow]
[[grid]]
optimizer = "adam"
batch = [1, 2]
steps = 60
[[grid]]
optimizer = "gradient_flow"
time = 1e6
"""


# -- from the row to the run ------------------------------------------------------------------------------------------

data = st.one_of(
    st.builds(
        lambda n, seed: {"kind": "gaussian", "n": n, "d": 9, "seed": seed}, st.integers(2, 6), st.integers(0, 2**63 - 1)
    ),
    st.builds(
        lambda x: {"kind": "shifted_diagonal", "diagonal": x},
        st.lists(st.floats(0.5, 4), min_size=2, max_size=4, unique=True),
    ),
    st.just({"kind": "clusters"}),
    st.just({"kind": "sparse", "seed": 3}),
)
rates = st.floats(0.0, 0.999)
discrete = st.one_of(
    st.builds(
        lambda b1, b2, eps, fix: {"kind": "adam", "beta1": b1, "beta2": b2, "eps": eps, "bias_correction": fix},
        rates, rates, st.floats(0, 1), st.booleans(),
    ),
    st.builds(lambda m, n: {"kind": "sgd", "momentum": m, "nesterov": n}, rates, st.booleans()),
    st.builds(lambda b, w: {"kind": "adamw", "beta2": b, "weight_decay": w}, rates, st.floats(0.001, 1)),
    st.just({"kind": "signum"}),
    st.builds(lambda e, inside: {"kind": "adagrad", "eps": e, "eps_inside": inside}, st.floats(0, 1), st.booleans()),
)  # fmt: skip
flows = st.one_of(
    st.just({"kind": "gradient_flow"}), st.builds(lambda p: {"kind": "steepest_flow", "p": p}, st.floats(1.1, 4))
)
shared = {
    "until_log_loss": st.one_of(st.just([]), st.floats(-1e4, -0.1).map(lambda x: [x])),
    "loss": st.sampled_from(["logistic", "exponential"]),
    "limit": st.sampled_from(["theory", "numerical", "none"]),
    "per_octave": st.integers(1, 9),
}
steps = st.fixed_dictionaries(
    {
        "lr": st.builds(
            lambda eta, a, t0: {"eta": eta, "a": a, "t0": t0}, st.floats(1e-6, 10), st.floats(0, 2), st.floats(0.1, 9)
        ),
        "batch": st.sampled_from([1, 2, "n"]),
        "order": st.sampled_from(["full", "cyclic", "shuffle_once", "reshuffle", "replacement"]),
        "seed": st.integers(0, 2**63 - 1),
        "steps": st.integers(1, 10**15),
        **shared,
    }
)
times = st.fixed_dictionaries({"time": st.floats(1e-3, 1e90), **shared})
kinds = st.one_of(st.tuples(discrete, steps), st.tuples(flows, times))


@settings(max_examples=60)
@given(data, kinds)
def test_a_row_says_what_the_run_was(table, kind):
    optimizer, grid = kind
    if grid["until_log_loss"] == []:
        grid = {name: value for name, value in grid.items() if name != "until_log_loss"}
    content = {"title": "t", "data": {"x": table}, "optimizer": {"y": optimizer}, "grid": [grid]}
    try:
        (spec,) = expand(parse_study(content))
    except InputError:
        return  # such as a time beyond what the flow can follow
    row = pa.Table.from_pylist([describe(spec)], schema=RUNS).to_pylist()[0]
    again = spec_of(row)
    assert again == spec and again.run_id == spec.run_id
    assert all(same(a, b) for a, b in zip(describe(spec).values(), describe(again).values(), strict=True))


def test_equal_numbers_with_other_bits_differ():
    assert same(1.0, 1.0) and same(float("nan"), None) and same("a", "a")
    assert not same(0.0, -0.0) and not same(1.0, 1.0 + 2**-52) and not same(1, 1.0) and not same(None, 0.0)


# -- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A folder with a data file and the results of a study on it."""
    folder = tmp_path_factory.mktemp("reproduce")
    (folder / "mine.csv").write_text("1,2,1\n2,1,1\n-1,-3,0\n")
    (folder / "s.toml").write_text(STUDY)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run_study("s.toml", "results/s", jobs=1)
    return folder


@pytest.fixture
def call(results, monkeypatch, capsys, tmp_path):
    shutil.copytree(results, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)

    def of(*arguments):
        monkeypatch.setattr(sys, "argv", ["implicitbias", "reproduce", *map(str, arguments)])
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code or 0
        captured = capsys.readouterr()
        return code, " ".join(captured.out.split()), captured.err

    return of


def rows():
    return Store.open("results/s").table("runs").to_pylist()


def change(**columns):
    """Other values in every row of the table of runs."""
    from implicitbias.store.files import write

    table = Store.open("results/s").table("runs")
    for name, value in columns.items():
        place = table.schema.get_field_index(name)
        table = table.set_column(place, table.field(name), value(table.column(name)))
    write(Store("results/s").folder / "runs.parquet", RUNS, [table])


def test_every_run_comes_out_bit_identical(call):
    found = rows()
    assert len(found) == 6
    for row in found:
        code, out, err = call(row["run_id"])
        assert (code, err) == (0, "")
        assert f"run {row['run_id']} of results/s: {row['data']}" in out
        assert "bit-identical: its end and all" in out and "stale" not in out
    assert sorted(item.name for item in Store("results/s").folder.parent.parent.iterdir()) == [
        "mine.csv", "results", "s.toml",
    ]  # fmt: skip


def test_a_prefix_is_enough_if_it_is_unique(call):
    row = rows()[0]
    assert call(row["run_id"][:8], "--in", "results/s")[0] == 0
    code, out, err = call("")
    assert (code, out) == (2, "") and "the id of a run is empty" in err
    shutil.copytree("results/s", "results/t")
    code, out, err = call(row["run_id"])
    assert (code, out) == (2, "")
    assert "2 runs have an id that begins with" in err and "choose its folder with --in" in err
    assert call(row["run_id"], "--in", "results/t")[0] == 0
    code, out, err = call("zz")
    assert (code, out, err) == (2, "", "error: no run in results/ has an id that begins with 'zz'\n")


def test_differences_are_named_with_their_size(call):
    row = rows()[0]
    change(cos_l2=lambda x: pc.add(x, 0.25), source=lambda x: pc.replace_substring_regex(x, ".*", "abc"))
    code, out, err = call(row["run_id"])
    assert (code, err) == (1, "")
    assert "stale: source was abc, is" in out
    assert "differs in 1 columns table column places stored now difference runs cos_l2 1" in out
    assert out.endswith(" 0.25")


WRONG = {pa.string(): "x", pa.int64(): 77, pa.float64(): 0.123, pa.list_(pa.float64()): [1.0]}


def test_no_column_of_a_row_can_be_changed_unnoticed(results, monkeypatch):
    """But those that are exempt; what would make it another run is refused."""
    monkeypatch.chdir(results)
    store = Store.open("results/s")
    _, row = find(next(row["run_id"] for row in rows() if row["data"] == "gaussian"), "results/s")
    stored, noticed = store.table("curves", ids=[row["run_id"]]), set()
    monkeypatch.setattr(Store, "table", lambda self, name, *args, **options: stored)
    once = execute([[spec_of(row)]])
    monkeypatch.setattr("implicitbias.sweep.reproduce.execute", lambda task: once)
    for field in RUNS:
        value = not row[field.name] if field.type == pa.bool_() else WRONG[field.type]
        changed = row | {field.name: value}
        monkeypatch.setattr("implicitbias.sweep.reproduce.find", lambda *_, other=changed: (store, other))
        try:
            found = reproduce("")
        except InputError:
            noticed.add(field.name)
            continue
        if found.differences:
            assert {item.column for item in found.differences} == {field.name}
            noticed.add(field.name)
    assert set(RUNS.names) - noticed == set(EXEMPT)


def test_a_changed_label_or_name_is_told(call):
    row = rows()[0]
    other = {"label": "Adam", "data": "mine" if row["data"] == "gaussian" else "gaussian"}
    change(label=lambda x: pa.chunked_array([["Adam"] * len(x)]))
    code, out, _ = call(row["run_id"])
    assert code == 1 and "differs in 1 columns table column places stored now difference runs label 1 Adam" in out
    change(data=lambda x: pa.chunked_array([[other["data"]] * len(x)]))
    code, out, _ = call(row["run_id"])
    assert code == 1 and f"runs data 1 {other['data']} {row['data']}" in out


def test_data_of_a_file_that_are_gone_or_changed_are_a_mistake(call, tmp_path):
    row = next(row for row in rows() if row["data"] == "mine")
    (tmp_path / "mine.csv").write_text("1,2,1\n2,1,1\n-1,-4,0\n")
    code, out, err = call(row["run_id"])
    assert (code, out) == (2, "") and "the file mine.csv no longer gives the data of the run" in err
    (tmp_path / "mine.csv").unlink()
    code, out, err = call(row["run_id"])
    assert (code, out) == (2, "") and "mine.csv: no such file" in err


def test_a_row_from_before_a_hyper_parameter_came_is_reproduced(tmp_path, monkeypatch):
    """Such rows have null there, as new ones do at its default, or no such column."""
    monkeypatch.chdir(tmp_path)
    text = STUDY.replace("[optimizer.adam]", "[optimizer.adagrad]\neps = 0.1\neps_inside = [false, true]")
    text = text.replace('"adam"', '"adagrad"').replace('[data.mine]\nkind = "file"\npath = "mine.csv"\n', "")
    Path("s.toml").write_text(text)
    run_study("s.toml", "results/s", jobs=1)
    stored = [row for row in rows() if row["optimizer_kind"] == "adagrad"]
    assert sorted((row["eps_inside"] for row in stored), key=bool) == [None, None, True, True]
    for row in stored:
        assert reproduce(row["run_id"]).equal
        if row["eps_inside"] is None:
            assert spec_of({name: value for name, value in row.items() if name != "eps_inside"}) == spec_of(row)
        with pytest.raises(InputError, match="cannot be made from its row: eps of AdaGrad must be a number"):
            spec_of(row | {"eps": None})


def test_a_row_that_is_another_runs_is_refused(call):
    row = rows()[0] | {"lr_eta": 0.3}
    with pytest.raises(InputError, match="its row describes another run"):
        spec_of(row)
    with pytest.raises(InputError, match="cannot be made from its row: beta1 of Adam must be"):
        spec_of(row | {"beta1": 2.0})
    with pytest.raises(InputError, match="cannot be made from its row: KeyError"):
        spec_of(row | {"optimizer_kind": "none"})
    change(status=lambda x: pa.chunked_array([["timeout"] * len(x)]))
    with pytest.raises(InputError, match="was stopped by the clock"):
        reproduce(row["run_id"])


def test_a_damaged_neighbour_is_passed_by(call):
    name = rows()[0]["run_id"]
    shutil.copytree("results/s", "results/a")
    Path("results/a/runs.parquet").write_bytes(b"garbage")
    assert call(name)[0] == 0
    code, _, err = call("none")
    assert code == 2 and "has an id that begins with 'none'" in err and "results/a/runs.parquet is damaged" in err


def test_without_results_it_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="results/ holds no results of a study"):
        find("a")


def test_the_provenance_of_a_run_is_in_its_row(results):
    row = pq.read_table(results / "results/s/runs.parquet").to_pylist()[0]
    for name in ("version", "source", "libraries", "machine", "data_digest", "data_params", "label", "limit_method"):
        assert row[name], name
    for name in ("lr_eta", "lr_a", "lr_t0", "beta1", "beta2", "seed", "kernel_seconds", "measure_seconds"):
        assert row[name] is not None, name
    assert json.loads(row["data_params"])["seed"] == row["data_seed"] == 0
    assert all(name in row["libraries"] for name in ("python", "numpy", "numba", "scipy"))

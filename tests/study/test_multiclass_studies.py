"""Studies on data of k classes: planned as others, with a column k in a table of their own kind."""

import json

import pyarrow as pa
import pytest

import implicitbias as ib
from implicitbias.errors import InputError
from implicitbias.measure import Measures
from implicitbias.measure import groups as all_groups
from implicitbias.store import Store
from implicitbias.store.schema import RIVALS, RUNS, USUAL, columns, run_columns, schemas
from implicitbias.study.data import describe
from implicitbias.study.expand import expand
from implicitbias.study.plan import plan
from implicitbias.study.rows import describe as row_of
from implicitbias.study.spec import parse_study
from implicitbias.study.text import study_text
from implicitbias.sweep.resume import open_results
from implicitbias.sweep.tasks import kernel_seconds, tasks

MATRICES = Measures.of(matrices=True)

CLASSES = {"kind": "class_means", "k": [3, 4], "d": 5, "per_class": 2, "test": 1, "rotate": 1}
STUDY = {
    "title": "t",
    "data": {"classes": CLASSES, "labels": {"kind": "gaussian_labels", "n": 6, "d": 7}},
    "optimizer": {"sgd": {"lr": 0.1}},
    "grid": [{"steps": 50, "limit": "none"}],
}


def runs_of(**changes):
    return expand(parse_study(STUDY | changes))


def written(tmp_path, name="s", **changes):
    path = tmp_path / f"{name}.toml"
    path.write_text(study_text(STUDY | changes))
    return path


def test_the_runs_know_their_classes():
    found = {(run.data.name, run.data.n, run.data.d, run.data.k) for run in runs_of()}
    assert found == {("classes", 6, 5, 3), ("classes", 8, 5, 4), ("labels", 6, 7, 4)}
    for run in runs_of():
        assert run.data.problem().digest == run.data.digest == describe("x", run.data.kind, run.data.problem()).digest
        assert (run.data.margins, run.data.weights) == (run.data.n * (run.data.k - 1), run.data.k * run.data.d)
        assert row_of(run)["k"] == run.data.k and kernel_seconds(run, 1) > 0
    assert sum(len(block) for task in tasks(runs_of()) for block in task) == 3
    [binary] = runs_of(data={"gaussian": {"n": 4, "d": 6}})
    assert binary.data.k is None and "k" not in row_of(binary)
    assert (binary.data.margins, binary.data.weights) == (4, 6)


def test_test_rows_are_part_of_what_a_run_is():
    one, other = ({run.run_id for run in runs_of(data={"c": CLASSES | {"test": test}})} for test in (1, 2))
    assert not one & other


@pytest.mark.parametrize("groups", [None, ["margins"]])
def test_the_column_is_in_tables_of_this_kind_alone(groups):
    binary, many = (schemas(Measures.of(groups, ["l1"], matrices)) for matrices in (False, True))
    own = {"residual", *(f"inc_cos_if_{order}" for order in RIVALS)}
    own |= {column.name for group in ("accuracy", "means") for column in all_groups()[group].columns(())}
    names = [name for name in binary["runs"].names if name not in own]
    place = names.index("d") + 1
    assert [name for name in many["runs"].names if name not in own] == [*names[:place], "k", *names[place:]]
    assert ("accuracy" in many["curves"].names) == (groups is None) == ("residual" in binary["curves"].names)
    assert "residual" not in many["curves"].names and "accuracy" not in binary["curves"].names
    assert [column.name for column in run_columns(USUAL)] == RUNS.names
    [row] = columns("k").to_dict("records")
    assert (row["table"], row["type"], row["unit"]) == ("runs", "int", "classes")


def test_a_study_has_data_of_one_kind(tmp_path):
    sentence = (
        "data.classes has weights for each class (Multiclass) and data.gaussian has two classes, and a table of runs "
        "has one set of columns; make a study of each of them"
    )
    mixed = STUDY["data"] | {"gaussian": {"n": 4, "d": 6}}
    for look in (lambda: runs_of(data=mixed), lambda: plan(written(tmp_path, data=mixed))):
        with pytest.raises(InputError) as caught:
            look()
        assert caught.value.mistakes == [sentence]


def test_mistakes_in_the_data_are_told_with_their_place(tmp_path):
    wrong = {
        "class_means": {"k": 1, "per_class": 0}, "gaussian_labels": {"n": 3, "k": [3, 4]}, "zipf": {"exponant": 1},
    }  # fmt: skip
    with pytest.raises(InputError) as caught:
        plan(written(tmp_path, data=wrong))
    assert caught.value.mistakes == [
        "data.class_means: class_means: k must be an integer >= 2, but is 1",
        "data.class_means: class_means: per_class must be an integer >= 1, but is 0",
        "data.gaussian_labels: gaussian_labels: n must be at least k = 4, so that every class has a row, but is 3",
        "data.zipf: zipf: unknown parameter 'exponant'; did you mean 'exponent'?",
    ]


def claim(**where):
    return [{"says": "a", "measure": "min_margin", "where": where, "at_least": 0.0}]


def test_claims_and_figures_may_name_the_column(tmp_path):
    figure = [{"x": "k", "y": "min_margin"}]
    assert len(plan(written(tmp_path, claim=claim(k=3), figure=figure))[2]) == 3
    with pytest.raises(InputError, match=r"claim.0.where.k: no run of the study has 5; its runs have 3, 4$"):
        plan(written(tmp_path, claim=claim(k=5)))
    with pytest.raises(InputError) as caught:
        plan(written(tmp_path, data={"gaussian": {"n": 4, "d": 6}}, claim=claim(k=3), figure=figure))
    assert [mistake.split(";")[0].split(", ")[0] for mistake in caught.value.mistakes] == [
        "figure.0.x: unknown column 'k'", "claim.0.where: unknown column 'k'",
    ]  # fmt: skip


def test_the_results_folder_has_tables_of_its_kind(tmp_path):
    """Rows as a worker writes them, without a simulation: the store, and what reads it."""
    path = written(tmp_path, claim=claim(k=4))
    _, text, runs = plan(path)
    store, todo = open_results(path, tmp_path / "out", runs, text)
    rows = [row_of(run) | {"status": "undecided", "message": "m"} for run in todo]
    store.add("part", rows, schemas(MATRICES)["curves"].empty_table())
    store.compact([run.run_id for run in runs])
    store.release()
    assert json.loads((tmp_path / "out" / "study.json").read_text())["multiclass"] is True
    assert store.measures == MATRICES and store.table("runs").schema.equals(schemas(MATRICES)["runs"])
    frame = ib.load_runs(tmp_path / "out", where={"k": [3, 4], "data": "classes"})
    assert frame[["k", "d", "geometry"]].values.tolist() == [[3, 5, "classes k=3"], [4, 5, "classes k=4"]]
    [verdict] = ib.check(tmp_path / "out")
    assert (verdict.outcome, verdict.runs) == ("undecided", 2)
    # it can be gone on with as what it is, and as nothing else
    store, todo = open_results(path, tmp_path / "out", runs, text)
    store.release()
    assert todo == []
    other = written(tmp_path, data={"gaussian": {"n": 4, "d": 6}})
    _, text, runs = plan(other)
    for mode, words in (
        ("resume", "holds the results of another"),
        ("extend", "has runs on data of another kind, and"),
    ):
        with pytest.raises(InputError, match=words):
            open_results(other, tmp_path / "out", runs, text, mode=mode)
    store, todo = open_results(other, tmp_path / "out", runs, text, mode="overwrite")
    store.release()
    assert len(todo) == 1 and Store(tmp_path / "out").measures == USUAL
    assert Store(tmp_path / "out").table("runs").schema.equals(RUNS)


def test_a_file_of_a_study_is_read_with_its_classes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text("a,b,kind\n1,2,x\n3,4.5,y\n0,1,z\n2,2.5,z\n")
    own = {"kind": "file", "path": "a.csv"}
    [run] = runs_of(data={"own": own | {"multiclass": True}})
    assert run.data.k == 3 and run.data.reading[1].endswith("3 classes: 'x' (1 row), 'y' (1 row), 'z' (2 rows)")
    with pytest.raises(InputError, match=r"needs exactly two labels, .*; multiclass = true makes each of them a class"):
        runs_of(data={"own": own})


def test_the_row_of_a_run_has_the_types_of_the_table():
    table = pa.Table.from_pylist([row_of(run) for run in runs_of()], schema=schemas(MATRICES)["runs"])
    assert table["k"].to_pylist() == [3, 4, 4] and table["w"].null_count == 3

"""Results folders from Python: filters, joins, types, names of methods; runs again; studies given as dicts."""

import tomllib
import warnings
from dataclasses import fields

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import implicitbias as ib
from implicitbias.store import Store
from implicitbias.store.schema import CURVES, RUNS
from implicitbias.study.expand import expand
from implicitbias.study.filters import select
from implicitbias.study.groups import SPECIFICATION
from implicitbias.study.naming import label_runs
from implicitbias.study.rows import describe
from implicitbias.study.spec import parse_study
from implicitbias.study.text import setting_texts, study_text

STUDY = {
    "title": "Tiny",
    "data": {
        "gaussian": {"n": [4, 5], "d": 6, "seed": {"from": 0, "to": 1}},
        "mixed": {"kind": "gaussian", "n": 40, "d": 2},  # not separable
    },
    "optimizer": {"sgd": {"momentum": [0.0, 0.9]}, "ngd": ib.NGD()},
    "grid": [
        {"batch": [1, "n"], "order": ["cyclic", "reshuffle"], "lr": [0.1, ib.Power(0.1, 0.5)], "steps": 64},
        {"data": "gaussian", "optimizer": "ngd", "lr": 0.1, "steps": 32, "limit": ["none", "numerical"]},
    ],
    "claim": [{"says": "It goes", "source": "s", "measure": "cos_l2", "where": {"batch": "n"}, "at_least": -2}],
}


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results") / "tiny"
    ib.run_study(STUDY, folder, jobs=1)
    return folder


@pytest.fixture(scope="module")
def runs(out):
    return ib.load_runs(out)


def sentences(call, *arguments, **options):
    with pytest.raises(ib.InputError) as caught:
        call(*arguments, **options)
    return caught.value.mistakes


def test_the_runs_are_the_table_with_names_and_types(out):
    runs = ib.load_runs(out, ["geometry", "method", *RUNS.names])
    plain = Store.open(out).table("runs").to_pandas()
    assert list(runs) == ["geometry", "method", *RUNS.names]
    left_out = set(RUNS.names) - set(ib.load_runs(out))
    assert left_out == {name for name in left_out if plain[name].isna().all()} and "beta2" in left_out
    assert runs["run_id"].tolist() == plain["run_id"].tolist()
    for name in ("bias_correction", "nesterov", "unique_l2"):
        assert runs[name].dtype == "boolean"
        assert (~runs[name]).sum() == (plain[name] == False).sum()  # noqa: E712  None is neither
    for name in ("step", "support"):  # of the data without a separator there are none
        assert runs[name].dtype == "Int64" and runs[name].isna().sum() == plain[name].isna().sum() > 0
    assert runs["batch"].dtype == runs["data_seed"].dtype == "int64"
    assert ib.load_runs(out, columns=["method", "cos_l2"]).equals(runs[["method", "cos_l2"]])


def test_a_method_names_whatever_varies(runs):
    assert set(runs["method"]) == {
        "SGD, lr 0.1", "SGD, lr 0.1 (t+2)^-0.5", "SGD(momentum=0.9), lr 0.1", "SGD(momentum=0.9), lr 0.1 (t+2)^-0.5",
        "NGD, lr 0.1, steps 64, limit theory", "NGD, lr 0.1 (t+2)^-0.5, steps 64, limit theory",
        "NGD, lr 0.1, steps 32, limit none", "NGD, lr 0.1, steps 32, limit numerical",
    }  # fmt: skip
    assert set(runs["geometry"]) == {"gaussian n=4", "gaussian n=5", "mixed"}


def differ_in_seeds_alone(runs):
    """Whether runs that share data, method, order and batch differ in seeds alone."""
    groups = runs.groupby(["geometry", "method", "order", "batch"], dropna=False)
    same = [name for name in SPECIFICATION if name not in ("data_digest", "seed") and name in runs]
    return (groups[same].nunique(dropna=False) == 1).all(axis=None)


def test_runs_that_share_their_names_differ_in_seeds_alone(runs):
    assert differ_in_seeds_alone(runs)
    assert not differ_in_seeds_alone(runs.assign(method=runs["label"]))


AXES = {
    "beta2": [0.9, 0.95], "eps": [0.0, 1e-8], "eps_inside": [False, True], "bias_correction": [False, True],
    "kappa": [0.0, 1e-9], "lr": [0.1, 0.1 + 1e-9], "until_log_loss": [-3, -4], "seed": [0, 1], "per_octave": [4, 8],
    "loss": ["logistic", "exponential"], "order": ["cyclic", "reshuffle"], "limit": ["none", "theory"],
    "steps": [10, 20], "n": [4, 5], "data_seed": [0, 1],
}  # fmt: skip
HYPER = {item.name for item in fields(ib.Adam)}
TOLD_ELSEWHERE = {"order", "seed", "n", "data_seed"}


@settings(deadline=None, derandomize=True, max_examples=20)
@given(st.sets(st.sampled_from(sorted(AXES)), max_size=5), st.integers(1, 3))
def test_whatever_varies_is_named(varied, batches):
    value = {name: AXES[name] if name in varied else AXES[name][0] for name in AXES}
    study = {
        "title": "t", "data": {"gaussian": {"n": value["n"], "d": 3, "seed": value["data_seed"]}},
        "optimizer": {"adam": {name: value[name] for name in HYPER & set(AXES)}},
        "grid": [{name: value[name] for name in set(AXES) - HYPER - {"n", "data_seed"}}],
    }  # fmt: skip
    study["grid"][0]["batch"] = range(1, batches + 1)
    runs = pd.DataFrame([describe(spec) for spec in expand(parse_study(tomllib.loads(study_text(study))))])
    runs = label_runs(runs.reindex(columns=RUNS.names).astype(object).infer_objects())
    assert differ_in_seeds_alone(runs)
    assert (runs["method"].nunique() == 1) == (not varied - TOLD_ELSEWHERE)


WHERE = [
    {"batch": 1}, {"batch": "n"}, {"batch": [1, 5]}, {"data.n": 4}, {"data": "gaussian", "order": ["cyclic"]},
    {"lr_eta": 0.1, "momentum": 0.9}, {"status": "diverged"}, {"nesterov": False}, {"data_seed": {"from": 0, "to": 3}},
]  # fmt: skip


@pytest.mark.parametrize("where", WHERE, ids=str)
def test_a_filter_means_what_it_means_in_a_claim(out, runs, where):
    expected = select(Store.open(out).table("runs").to_pandas(), where)["run_id"].tolist()
    assert ib.load_runs(out, where=where)["run_id"].tolist() == expected
    assert select(runs, where)["run_id"].tolist() == expected  # whatever stands for a gap
    curves = ib.load_curves(out, where=where)
    assert set(curves["run_id"]) == set(expected) - set(runs["run_id"][runs["status"] == "not_separable"])


def test_filters_take_what_numpy_and_python_have(out):
    expected = ib.load_runs(out, where={"batch": [1, 4]})
    for values in ((1, 4), {1, 4}, np.array([1, 4]), pd.Series([1, 4])):
        assert ib.load_runs(out, where={"batch": values}).equals(expected)
    assert ib.load_runs(out, where={"batch": np.int64(1)})["batch"].unique() == 1
    method = "NGD, lr 0.1, steps 32, limit none"
    assert set(ib.load_runs(out, where={"method": method})["method"]) == {
        method
    }  # named among all runs, not among these


def test_columns_of_the_runs_beside_the_snapshots(out, runs):
    beside = ["method", "batch", "label", "data_seed", "nesterov"]
    curves = ib.load_curves(out, runs=beside)
    assert list(curves) == [*beside, *CURVES.names]
    plain = Store.open(out).table("curves").to_pandas()
    expected = plain.merge(runs[["run_id", *beside]], on="run_id", how="left")
    pd.testing.assert_frame_equal(curves[plain.columns], plain)
    for name in beside:
        pd.testing.assert_series_equal(curves[name], expected[name])
    some = ib.load_curves(out, where={"batch": "n", "data.n": 4}, columns=["step", "cos_l2"], runs=["run_id", "order"])
    assert list(some) == ["order", "step", "cos_l2"]


def test_mistakes_in_columns_and_filters_have_their_sentences(out):
    assert sentences(ib.load_runs, out, columns=["cosl2", "bach"]) == [
        "unknown column 'cosl2'; did you mean 'cos_l2'?", "unknown column 'bach'; did you mean 'batch'?",
    ]  # fmt: skip
    assert sentences(ib.load_curves, out, columns=["label"])[0].startswith("unknown column 'label'; ")
    assert sentences(ib.load_curves, out, runs=["lable"]) == ["unknown column 'lable'; did you mean 'label'?"]
    assert sentences(ib.load_runs, out, columns="batch") == ["columns must be a list of names, such as ['batch']"]
    assert sentences(ib.load_curves, out, runs="batch") == ["runs must be a list of names, such as ['batch']"]
    assert sentences(ib.load_curves, out, runs=["cos_l2"]) == [
        "runs: the snapshots have a column 'cos_l2' of their own; that of the runs is its value at their end"
    ]
    assert sentences(ib.load_runs, out, where={"ordr": 1}) == ["where: unknown column 'ordr'; did you mean 'order'?"]
    assert sentences(ib.load_runs, out, where={"status": "divergd", "x": 1})[1:] == [
        "where.status: unknown status 'divergd'; did you mean 'diverged'?"
    ]
    assert ib.load_runs(out, where={"status": "timeout"}).empty
    assert sentences(ib.load_runs, out, where={"w": 1})[0].startswith("where: unknown column 'w'")
    assert sentences(ib.load_runs, out, where="batch") == [
        "where must be a dict of columns and values, such as {'batch': 1}, not 'batch'"
    ]
    place = f"no run in {out} has"
    assert sentences(ib.load_runs, out, where={"order": "reshufle", "batch": 7}) == [
        f"where.order: {place} 'reshufle'; did you mean 'reshuffle'?",
        f"where.batch: {place} 7; its runs have 1, 4, 5, 40",
    ]
    assert sentences(ib.load_runs, out, where={"batch": True}) == [
        f"where.batch: {place} True; its runs have 1, 4, 5, 40"
    ]
    assert sentences(ib.load_runs, out, where={"data.m": 1}) == [f"where.data.m: {place} 1; its runs have none at all"]
    assert sentences(ib.load_runs, out, where={"optimizer": "ngd", "momentum": 0.9}) == [
        f"where: {place[:-4]} has all of optimizer = 'ngd', momentum = 0.9"
    ]
    assert sentences(ib.load_runs, out / "no") == [f"{out / 'no'} holds no results of a study"]
    assert sentences(ib.load_runs, []) == ["the list of results folders is empty"]
    assert sentences(ib.load_runs, [out, out]) == ["a results folder is named twice"]


def test_several_folders_are_told_apart(out, runs, tmp_path):
    ib.run_study(STUDY, tmp_path / "tiny", jobs=1, settings={"grid.steps": 16, "data.gaussian.seed": 0})
    ib.run_study(STUDY, tmp_path / "other", jobs=1, settings=["grid.steps=64", "data.gaussian.seed=0"])
    both = ib.load_runs([out, tmp_path / "other"])
    assert both.columns[0] == "study" and set(both["study"]) == {"tiny", "other"}
    assert len(both) == len(runs) + (both["study"] == "other").sum()
    twice = ib.load_runs([out, tmp_path / "tiny"])
    assert set(twice["study"]) == {str(out), str(tmp_path / "tiny")}  # one name would tell nothing
    assert differ_in_seeds_alone(twice)
    curves = ib.load_curves([out, tmp_path / "other"], where={"study": "other"}, runs=["method"])
    assert set(curves["study"]) == {"other"} and len(curves) == len(ib.load_curves(tmp_path / "other"))
    # the same runs may be in both
    curves = ib.load_curves([out, tmp_path / "other"], runs=["data_seed"])
    assert len(curves) == len(ib.load_curves(out)) + len(ib.load_curves(tmp_path / "other"))
    assert ib.load_runs([out]).columns[0] == "study"


@pytest.mark.parametrize("limit", ["theory", "none", "numerical"])
def test_a_run_again_has_its_iterates(out, limit):
    rows = Store.open(out).table("runs").to_pandas()
    row = rows[(rows["limit_method"] == limit) & (rows["status"] == "ok")].iloc[-1]
    run = ib.rerun(out, row["run_id"])
    assert run.weights.shape == (len(run.steps), row["d"]) and run.status == row["status"]
    assert run.weights[-1].tolist() == row["w"].tolist()
    stored = ib.load_curves(out, where={"run_id": row["run_id"]}, columns=[n for n in CURVES.names if n != "run_id"])
    pd.testing.assert_frame_equal(run.curve, stored, check_exact=True)


def test_a_run_that_comes_out_otherwise_is_told(out, monkeypatch):
    from implicitbias.sweep import reproduce

    identity = ib.load_runs(out, where={"status": "ok"})["run_id"][0]
    found = reproduce.find(identity, out)
    monkeypatch.setattr(reproduce, "find", lambda *_: (found[0], found[1] | {"w": [0.0, *found[1]["w"][1:]]}))
    with pytest.warns(RuntimeWarning, match="does not come out as it is stored; `implicitbias reproduce` says where"):
        ib.rerun(out, identity)
    monkeypatch.setattr(reproduce, "find", lambda *_: (found[0], found[1] | {"status": "timeout"}))
    assert sentences(ib.rerun, out, identity)[0].endswith("was stopped by the clock, so there is no end to go to")


def test_the_commands_as_functions(out, tmp_path):
    (verdict,) = ib.check(out)
    assert (verdict.outcome, verdict.runs) == ("undecided", 60)  # some are not separable
    assert ib.reproduce(ib.load_runs(out, where={"status": "ok"})["run_id"][0], out).equal
    study = ib.load_study(STUDY, {"grid.steps": 8})
    assert study.title == "Tiny" and study.grid[0].steps == [8]
    for part in ("1/2", "2/2"):
        ib.run_study(STUDY, tmp_path / "parts", jobs=1, shard=part, settings={"grid.steps": 16})
    assert ib.collect([tmp_path / "parts"]).missing == 0


def test_a_dict_is_the_study_file_that_it_would_be(out, tmp_path):
    (tmp_path / "tiny.toml").write_text(study_text(STUDY))
    ib.run_study(tmp_path / "tiny.toml", tmp_path / "out", jobs=1)
    for name in ("study.toml", "study.json"):
        assert (tmp_path / "out" / name).read_bytes() == (out / name).read_bytes()
    assert ib.run_study(STUDY, tmp_path / "out", jobs=1).computed == 0
    assert "study = { " not in study_text(STUDY)
    assert sentences(ib.run_study, STUDY) == [
        "a study that is given as a dict has no name to call a folder by; choose one with out"
    ]
    assert sentences(ib.load_study, {"title": None, "data": {"g": {"n": object}}})[0] == (
        "title must be a number, a text, true or false, a list or a dict, not None"
    )
    assert sentences(ib.load_study, STUDY | {"grid": [{"stepz": 3}]})[0].startswith(
        "study.toml: grid.0.stepz: unknown key"
    )
    assert sentences(ib.load_study, STUDY, "grid.steps=3") == [
        "settings must be a dict or a list, such as ['grid.steps=3']"
    ]


def test_progress_is_a_bar_or_a_function(out, capsys):
    told = []
    ib.run_study(STUDY, out, jobs=1, progress=lambda *words: told.append(words))
    assert told == [("running", 0, 0)]
    ib.run_study(STUDY, out, jobs=1, progress=True)  # no terminal, no bar
    assert capsys.readouterr() == ("", "")


TEXTS = st.text(st.sampled_from("ab7_-. \"'\\\n\t\r\0\x1b\x7f\x85\u2028é\U0001f600#=[]{},"), max_size=8)
VALUES = st.recursive(
    TEXTS | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None, derandomize=True, max_examples=150)
@given(st.dictionaries(TEXTS, VALUES | st.lists(st.dictionaries(TEXTS, VALUES, max_size=3), max_size=3), max_size=4))
def test_the_text_of_a_dict_reads_back_as_it(study):
    assert tomllib.loads(study_text(study)) == study


@settings(deadline=None, derandomize=True, max_examples=100)
@given(VALUES)
def test_settings_read_back(value):
    (text,) = setting_texts({"grid.steps": value})
    assert tomllib.loads(text.removeprefix("grid.steps=").join(["value=", ""]))["value"] == value


def test_nothing_is_printed_or_warned(out, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ib.load_runs(out), ib.load_curves(out, runs=["method"])
    assert capsys.readouterr() == ("", "")

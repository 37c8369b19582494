"""Measures come in groups: what is asked for is there and nothing else, and a new group is one file."""

import os
import subprocess
import sys
import textwrap

import numpy as np
import pyarrow.parquet as pq
import pytest

import implicitbias as ib
from implicitbias.errors import InputError
from implicitbias.measure import Measures, groups
from implicitbias.store.schema import USUAL, curve_columns, run_columns
from implicitbias.sweep.run import run_study

STUDY = """
title = "t"
measures = ["margins"]
norms = ["l2"]
[data.gaussian]
n = 4
d = 6
[optimizer.sgd]
lr = 0.1
[[grid]]
steps = 64
"""


def test_the_clock_is_always_there_and_norms_are_as_asked():
    run = ib.simulate([[1.0, 2.0]], ib.SGD(), steps=8, measures=["directions"], norms=["linf"])
    clock = ["step", "epoch", "sum_lr", "lr", "log_loss", "min_margin"]
    towards = ["cos_linf", "angle_linf", "inc_cos_linf", "inc_angle_linf"]
    assert list(run.curve) == [*clock, "relative_move", *towards]
    whole = ib.simulate([[1.0, 2.0]], ib.SGD(), steps=8).curve
    assert run.curve.equals(whole[list(run.curve)])


def test_every_wrong_name_is_told():
    with pytest.raises(InputError) as caught:
        ib.simulate([[1.0]], ib.SGD(), steps=0, measures=["margin", "limit"], norms=["l2x"])
    assert caught.value.mistakes == [
        "measures: unknown group of measures 'margin'; did you mean 'margins'?",
        "norms: unknown norm 'l2x'; did you mean 'l2'?",
        "steps must be an integer from 1 to 1000000000000000, but is 0",
    ]
    with pytest.raises(InputError, match=r"must be lists of names, not 'margins'"):
        ib.simulate([[1.0]], ib.SGD(), steps=1, measures="margins")


def test_every_column_has_a_meaning_of_its_own():
    columns = run_columns(USUAL)
    assert len({column.name for column in columns}) == len(columns)
    assert all(column.says for column in columns)
    assert len({column.says for column in curve_columns(USUAL)}) == len(curve_columns(USUAL))


def test_a_study_has_the_columns_it_asks_for(tmp_path):
    study = tmp_path / "s.toml"
    study.write_text(STUDY)
    run_study(study, tmp_path / "out", jobs=1)
    curves = ib.load_curves(tmp_path / "out")
    assert list(curves)[-5:] == ["norm_l2", "margin_l2", "ratio_l2", "inc_ratio_l2", "support"]
    runs = pq.read_schema(tmp_path / "out" / "runs.parquet")
    assert {"gamma_l2", "unique_l2", "distance_l2"} < set(runs.names)
    assert not {"cos_l2", "gamma_l1", "limit", "inc_cos_if_cyclic"} & set(runs.names)
    field = runs.field("ratio_l2")
    assert field.metadata[b"description"].startswith(b"margin_l2 over its certified optimum")
    assert runs.field("kernel_seconds").metadata[b"unit"] == b"seconds"


def test_other_measures_are_other_runs(tmp_path):
    """A row has all that its study asks for, so runs with other measures are other runs, and share no table."""
    study, out = tmp_path / "s.toml", tmp_path / "out"
    study.write_text(STUDY)
    run_study(study, out, jobs=1)
    before = set(ib.load_runs(out)["run_id"])
    study.write_text(STUDY.replace('measures = ["margins"]', 'measures = ["margins", "limit"]'))
    with pytest.raises(InputError, match=r'measures was \["margins"\] and is \["margins", "limit"\]'):
        run_study(study, out, jobs=1)
    with pytest.raises(InputError, match=r"a table has one set of columns: --out DIR writes elsewhere"):
        run_study(study, out, jobs=1, mode="extend")
    run_study(study, out, jobs=1, mode="overwrite")
    assert before.isdisjoint(ib.load_runs(out)["run_id"])


def test_the_usual_measures_change_no_id():
    """Asked for by name or not at all."""
    usual = [name for name, group in groups().items() if group.fits(matrices=False) and not group.by_name]
    assert Measures.of(usual, ["l1", "l2", "linf"]).asked() == {}
    assert Measures.of(["margins"]).asked() == {"measures": ["clock", "margins"], "norms": ["l1", "l2", "linf"]}


def test_claims_know_what_is_measured(tmp_path):
    claim = '[[claim]]\nsays = "x"\nsource = "y"\nmeasure = "cos_l2"\nat_least = 0.5\n'
    study = tmp_path / "s.toml"
    study.write_text(STUDY + claim)
    with pytest.raises(InputError, match=r"claim.0.measure: unknown measure 'cos_l2'"):
        run_study(study, tmp_path / "out", jobs=1)


GROUP = '''
"""The curve in other units."""
from implicitbias.measure.group import Column, Group

GROUP = Group(
    "half",
    lambda norms: [Column(f"half_{norm}", float, "halves", f"half the {norm} norm") for norm in norms],
    lambda seen: {f"half_{norm}": abs(seen.weights).max(axis=1) / 2 for norm in seen.norms},
)
'''
SCRIPT = """
import sys
import implicitbias.measure
implicitbias.measure.__path__.append(sys.argv[1])
import implicitbias as ib
ib.run_study("s.toml", "out", jobs=1)
curves = ib.load_curves("out")
assert list(curves)[-1] == "half_linf" and (curves["half_linf"] > 0).all(), list(curves)
runs = ib.load_runs("out")
assert runs["half_linf"].iloc[0] == max(map(abs, runs["w"].iloc[0])) / 2
"""


def test_a_new_group_is_one_file(tmp_path):
    """It gets its columns in both tables, and claims may be about it."""
    (tmp_path / "groups").mkdir()
    (tmp_path / "groups" / "half.py").write_text(GROUP)
    claim = '[[claim]]\nsays = "x"\nsource = "y"\nmeasure = "half_linf"\nat_least = 0.0\n'
    text = STUDY.replace('["margins"]', '["half"]').replace('["l2"]', '["linf"]') + claim
    (tmp_path / "s.toml").write_text(text)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT), str(tmp_path / "groups")]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_margin_of_the_predicted_limit(tmp_path):
    """Of gradient descent on three classes it is the largest in the Frobenius norm, and less in the others."""
    study = tmp_path / "s.toml"
    study.write_text(
        'title = "t"\n[data.gaussian_labels]\nn = 9\nd = 12\nk = 3\n[optimizer.ngd]\n[[grid]]\norder = "full"\n'
        "lr = 0.1\nsteps = 100\n"
    )
    run_study(study, tmp_path / "out", jobs=1)
    run = ib.load_runs(tmp_path / "out").iloc[0]
    problem = ib.geometry.gaussian_labels(n=9, d=12, k=3, seed=0)
    W = np.reshape(run["limit"], (3, 12))
    scores = problem.X @ W.T
    own = scores[np.arange(9), problem.labels]
    scores[np.arange(9), problem.labels] = -np.inf
    margin = (own[:, None] - scores).min()
    assert run["limit_ratio_frobenius"] == pytest.approx(1.0, abs=1e-6)
    assert run["limit_ratio_max"] == pytest.approx(margin / np.abs(W).max() / run["gamma_max"], rel=1e-12) and (
        run["limit_ratio_max"] < 0.95
    )
    size = np.linalg.norm(W, 2)
    assert run["limit_ratio_spectral"] == pytest.approx(margin / size / run["gamma_spectral"], rel=1e-12)

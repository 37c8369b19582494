"""Studies of a data file of one's own."""

import json

import numpy as np
import pandas as pd
import pytest

import implicitbias as ib
from implicitbias.errors import InputError
from implicitbias.study.claims import verdicts
from implicitbias.study.stored import stored_study
from implicitbias.sweep.run import run_study


def single(path):
    """A study of this file and a Gaussian set."""
    return f"""
        title = "t"
        [data.mine]
        kind = "file"
        path = "{path}"
        [data.gaussian]
        n = 3
        d = 4
        [optimizer.sgd]
        lr = 0.1
        [optimizer.signum]
        lr = 0.1
        [[grid]]
        steps = 40
        [[claim]]
        says = "a"
        source = "b"
        measure = "cos_l2"
        at_least = -1
    """


def test_a_file_of_the_user_is_data_as_any_other(write, tmp_path):
    data = tmp_path / "plants.csv"
    data.write_text("height,width,kind\n1.0,2.0,tree\n3.0,0.5,bush\n0.5,3.0,tree\n")
    run_study(write(single(data)), tmp_path / "out", jobs=1)
    runs = ib.load_runs(tmp_path / "out").query("data == 'mine'")
    assert runs["status"].tolist() == ["ok", "ok"]
    assert (runs[["n", "d"]] == [3, 2]).all(axis=None)
    assert json.loads(runs["data_params"].iloc[0])["path"] == str(data)
    assert set(runs["data_digest"]) == {ib.geometry.from_file(data).digest}
    # other rows under the same name are another study, not more of the same
    data.write_text(data.read_text().replace("0.5", "0.6"))
    with pytest.raises(InputError, match="another version of this study"):
        run_study(tmp_path / "study.toml", tmp_path / "out", jobs=1)


def test_data_that_are_not_separable_are_a_status_that_proves_it(write, tmp_path):
    data = tmp_path / "hopeless.csv"
    data.write_text("1,0,1\n-1,0,1\n0,1,1\n0,1,-1\n1,1,-1\n")
    path = write(single(data))
    run_study(path, tmp_path / "out", jobs=1)
    runs = ib.load_runs(tmp_path / "out").set_index(["data", "optimizer_kind"])
    for kind in ("sgd", "signum"):
        row = runs.loc[("mine", kind)]
        assert row["status"] == "not_separable"
        assert row["message"].startswith("the data are not separable: the convex combination 0.5 row ")
        assert row[["cos_l2", "gamma_l2", "step", "w"]].isna().all()
        assert runs.loc[("gaussian", kind), "status"] == "ok"
        assert runs.loc[("gaussian", kind), "message"] is None or pd.isna(runs.loc[("gaussian", kind), "message"])
    assert set(ib.load_curves(tmp_path / "out")["run_id"]) == set(runs.loc["gaussian", "run_id"])
    assert run_study(path, tmp_path / "out", jobs=1).computed == 0  # a result as any other
    stored, store = stored_study(tmp_path / "out")
    (verdict,) = verdicts(stored, store.table("runs").to_pandas(), store.table("curves").to_pandas())
    assert (verdict.outcome, verdict.runs) == ("undecided", 4)


def test_a_run_may_diverge(write, tmp_path):
    """Rows (1, 0) and (-1, 1/2): a long step along the first alone misses the second by far."""
    (tmp_path / "wedge.csv").write_text("1,0,1\n1,-0.5,-1\n")
    settings = [f'data.mine.path="{tmp_path / "wedge.csv"}"', "grid.steps=1", 'grid.order=["full", "cyclic"]']
    settings += ["optimizer.sgd.lr=1000", "grid.data=mine", "grid.optimizer=sgd"]
    run_study(write(single("")), tmp_path / "out", jobs=1, settings=settings)
    runs = ib.load_runs(tmp_path / "out").set_index("order")
    assert runs["status"].to_dict() == {"full": "ok", "cyclic": "diverged"}
    assert runs.loc["cyclic", "log_loss"] == pytest.approx(np.log(250))  # half of 500, the loss at margin -500

"""A study of many runs: its page and its tables on the screen stay short, and say what they leave out."""

import re

import numpy as np
import pyarrow as pa
import pytest
from report.made_up import folder, read, tables

from implicitbias import terminal
from implicitbias.figures.table import label_runs
from implicitbias.report import write_report
from implicitbias.report.chosen import MAX_FIGURES
from implicitbias.report.page import MAX_ROWS
from implicitbias.store.schema import USUAL
from implicitbias.study.keys import Study
from implicitbias.sweep.forecast import Forecast

COPIES = 250
RATES = 60


@pytest.fixture(scope="module")
def many():
    """20000 runs: some made-up ones again and again, under other ids, seeds and step sizes."""
    runs, curves = tables(labels=("SGD",), orders=("reshuffle", "cyclic"), batches=range(1, 41), seeds=1)
    frame = runs.to_pandas()
    count = len(frame) * COPIES
    frame = frame.loc[np.tile(np.arange(len(frame)), COPIES)].reset_index(drop=True)
    copy = np.repeat(np.arange(COPIES), len(runs))
    frame["run_id"] = [f"{k:016x}" for k in range(count)]
    frame["lr_eta"] = 0.01 * (1 + copy % RATES)
    frame["data_seed"] = frame["seed"] = copy
    frame["data_params"] = [f'{{"n": 4, "scale": {1 + seed % 200}, "seed": {seed}}}' for seed in copy]
    snapshots = len(curves) // len(runs)
    table = curves.take(pa.array(np.tile(np.arange(len(curves)), COPIES)))
    names = pa.array(np.repeat(frame["run_id"].to_numpy(object), snapshots))
    curves = table.set_column(0, table.schema.field(0), names)
    return pa.Table.from_pandas(frame, runs.schema, preserve_index=False), curves


def test_the_page_of_many_runs_is_short_and_says_what_it_leaves_out(tmp_path, many):
    runs, _ = many
    path = write_report(folder(tmp_path, *many))
    page = read(path)
    assert path.stat().st_size < 5e6
    assert f"{len(runs):,} runs: {len(runs):,} ok." in page.text
    assert page.tags.count("tr") < 4 * MAX_ROWS
    assert page.tags.count("img") <= MAX_FIGURES
    assert page.text.count(f"The first {MAX_ROWS} of ") == 2  # results and separators
    assert (
        f"The first {MAX_ROWS} of 200 rows, in the order of the study; all of them are in separators.csv." in page.text
    )


def test_names_are_made_once_for_each_of_the_values(many):
    labelled = label_runs(many[0].to_pandas())
    first = labelled.iloc[0]
    assert (first["geometry"], first["method"]) == ("gaussian scale=1", "SGD, lr 0.01")
    assert labelled["geometry"].nunique() == 200
    found = labelled.groupby("method")["lr_eta"].agg(["nunique", "first"])
    assert (found["nunique"] == 1).all()
    assert [f"SGD, lr {eta:g}" for eta in found["first"]] == found.index.tolist()


def test_the_screen_shows_some_rows_and_columns(capsys, many):
    study = Study.model_construct(title="t", claim=[])
    terminal.print_results(study, many[0].to_pandas(), USUAL)
    out = capsys.readouterr().out
    assert re.search(r"\(\d+ of \d+ values of batch not shown\)", out)
    assert "inc_cos_l2, mean over seeds" in out and "batch 1 " in out and "batch full" in out
    assert len(out.splitlines()) < 90 and max(map(len, out.splitlines())) < 200
    other = many[0].to_pandas().head(4000).assign(data=lambda rows: [f"set {k % 300}" for k in range(len(rows))])
    terminal.print_results(study, other, USUAL)
    out = capsys.readouterr().out
    assert "rows not shown; the report has them" in out
    assert len(out.splitlines()) < 90  # long names take two lines


def test_many_optimizers_of_a_forecast(capsys):
    counts = {f"optimizer {k}": 1 for k in range(100)}
    study = type("Study", (), {"title": "t", "timeout": 90.0})()
    costs = 7200.0, 60.0, 5.0, 0.5, 4e5, 1e5, 3e9
    terminal.print_forecast(
        Forecast(study, 2, 100, 10, 5, 2, counts, 1000, *costs, [None], 2000, [0.1] * 30, sampled=1.0, took=0.5)
    )
    out = capsys.readouterr().out
    assert "(60 more optimizers)" in out and len(out.splitlines()) < 60
    assert "about 2.02 hours of one core: kernels 2 hours, measures 60 s, predicted limits 5 s" in out
    assert "30 of 2,000 different predicted limits" in " ".join(out.split())
    assert "about 4.63 days with --jobs 2, with no run longer than its 90 s" in out and "about 3 GB on disk" in out

"""A dry run: what it counts is what the study would do, and it leaves nothing behind."""

import sys

import pytest

from implicitbias import cli
from implicitbias.errors import InputError
from implicitbias.study.plan import plan
from implicitbias.sweep import execute
from implicitbias.sweep import forecast as module
from implicitbias.sweep.forecast import forecast
from implicitbias.sweep.run import run_study
from implicitbias.sweep.tasks import snapshots, tasks

STUDY = """
title = "t"
[data.gaussian]
n = [4, 6]
d = 8
seed = { from = 0, to = 4 }
[optimizer.adam]
beta2 = [0.9, 0.95, 0.99]
[optimizer.sgd]
[optimizer.gradient_flow]
[[grid]]
optimizer = ["adam", "sgd"]
lr = [0.1, 0.2, 0.3]
batch = [1, 2, "n"]
seed = [0, 1]
steps = [50, 2_000_000]
[[grid]]
optimizer = "gradient_flow"
time = 1e6
"""


# On each of two data sets SGD and Adam, whatever its step size, have a limit when rows are reshuffled and one for each
# seed of blocks shuffled once, at two batch sizes; Adam at batch size 1 has two of rival orders besides.
PREDICTED = """
title = "t"
[data.gaussian]
n = 4
d = 6
seed = [0, 1]
[optimizer.adam]
lr = [0.1, 0.2]
[optimizer.sgd]
lr = 0.1
[[grid]]
batch = [1, 4]
order = ["reshuffle", "shuffle_once"]
seed = [0, 1]
steps = 4
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    path = tmp_path_factory.mktemp("forecast") / "s.toml"
    path.write_text(STUDY)
    return path


@pytest.fixture(scope="module")
def found(study):
    return forecast(study, jobs=2)


def test_it_counts_what_the_study_would_do(study, found):
    _, _, runs = plan(study)
    planned = tasks(runs, 2)
    assert found.runs == len(runs) == sum(found.optimizers.values())
    assert found.optimizers == {"adam": 1080, "sgd": 360, "gradient_flow": 10}
    assert found.tasks == len(planned)
    assert found.blocks == sum(map(len, planned))
    assert found.data_sets == 10
    assert found.snapshots == sum(map(snapshots, runs))


def test_it_says_what_that_would_take(found):
    assert found.kernel > 0 and found.measuring > 0 and found.predicting > 0 and found.certifying > 0
    assert found.wall >= found.core / 2 * (1 - 1e-9)
    # 2e6 steps of 740 runs are minutes, and were not made
    assert found.core > 10 * found.took or found.core > 30
    assert all(sample.steps is None or sample.steps <= 2_000_000 for sample in found.samples)
    assert 8 * 20 < found.curves_bytes / found.snapshots < 8 * 60
    assert 0.5 < found.sampled <= 1.0


def test_it_counts_the_predictions_that_a_study_makes(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text(PREDICTED)
    found = forecast(path, jobs=1)
    assert len(found.predicted) == found.predictions == 2 * (5 + 3 * 3)
    assert found.predicting == pytest.approx(sum(found.predicted))
    execute.predicted.cache_clear()
    run_study(path, tmp_path / "out", jobs=1)
    assert execute.predicted.cache_info().misses == found.predictions
    size = sum((tmp_path / "out" / f"{name}.parquet").stat().st_size for name in ("runs", "curves"))
    assert size / 2 < found.runs_bytes + found.curves_bytes < size * 2


def test_predictions_are_sampled_from_all_that_differ(study, monkeypatch):
    monkeypatch.setattr(module, "MOST_PREDICTIONS", 20)
    few = forecast(study, jobs=1)
    assert 0 < len(few.predicted) <= 20 < few.predictions
    assert few.predicting == pytest.approx(few.predictions * sum(few.predicted) / len(few.predicted))


def test_no_run_is_longer_than_its_timeout(study, found):
    short = forecast(study, ["timeout=1e-6"], jobs=2)
    assert short.kernel < 1e-2 < found.kernel and short.wall < found.wall


def test_it_writes_nothing_and_takes_settings(study, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["implicitbias", "run", str(study), "--dry-run", "--jobs", "3"])
    sys.argv += ["--set", "data.gaussian.seed=0", "--set", "optimizer.adam.beta2=0.9"]
    before = sorted(study.parent.rglob("*"))
    with pytest.raises(SystemExit, match="0"):
        cli.main()
    said = " ".join(capsys.readouterr().out.split())
    _, _, runs = plan(study, ["data.gaussian.seed=0", "optimizer.adam.beta2=0.9"])
    assert said.startswith(f"t {len(runs)} runs in ")
    assert "optimizer runs adam 72 sgd 72 gradient_flow 2" in said
    assert "of one core: kernels" in said and "with --jobs 3" in said and "bytes a snapshot" in said
    assert sorted(study.parent.rglob("*")) == before and not list(tmp_path.iterdir())


def test_a_wrong_study_is_refused(study):
    with pytest.raises(InputError, match="unknown order 'sideways'"):
        forecast(study, ["grid.order=sideways"])


def test_a_prediction_that_fails_stops_no_forecast(study, monkeypatch):
    """In the study it is the status of a run."""
    monkeypatch.setattr(module, "max_margin", lambda *arguments: 1 / 0)
    found = forecast(study, ["data.gaussian.seed=0"], jobs=1)
    assert found.predicted == [] and found.predicting == 0.0 < found.kernel

"""Parts of a study, computed apart and merged: the tables of the whole."""

import pytest
from processes import assert_as

import implicitbias as ib
from implicitbias.errors import InputError
from implicitbias.study.plan import plan
from implicitbias.sweep.collect import collect
from implicitbias.sweep.run import run_study
from implicitbias.sweep.tasks import shard_of

STUDY = """
title = "t"
[data.gaussian]
n = 4
d = 6
seed = { from = 0, to = 2 }
[optimizer.adam]
lr = { eta = 0.1, a = 0.5 }
[optimizer.sgd]
lr = 0.1
[[grid]]
batch = [1, 2]
steps = 50
limit = "none"
"""
RUNS = 3 * 2 * 2


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    path = tmp_path_factory.mktemp("study") / "small.toml"
    path.write_text(STUDY)
    run_study(path, path.parent / "whole", jobs=1)
    return path


@pytest.mark.parametrize("parts", [1, 2, 5, 100])
def test_shards_are_a_partition(study, parts):
    runs = plan(study)[2]
    found = [run.run_id for part in range(1, parts + 1) for run in shard_of(runs, part, parts)]
    assert sorted(found) == sorted(run.run_id for run in runs)
    assert found == [run.run_id for part in range(1, parts + 1) for run in shard_of(plan(study)[2], part, parts)]


def test_shards_of_one_folder(study, tmp_path):
    out = tmp_path / "out"
    computed = [run_study(study, out, jobs=1, shard=f"{k}/3").computed for k in (2, 3, 1)]
    assert sum(computed) == RUNS and min(computed) > 0
    assert not (out / "runs.parquet").exists()  # a shard never merges
    assert len(ib.load_runs(out)) == RUNS  # but what it wrote can be read
    assert run_study(study, out, jobs=1, shard="1/3").computed == 0
    found = collect([out])
    assert (found.folder, found.total, found.missing) == (out, RUNS, 0)
    assert_as(out, study.parent / "whole")


def test_shards_of_several_folders(study, tmp_path):
    folders = [tmp_path / f"out{k}" for k in (1, 2, 3)]
    for k, folder in enumerate(folders, 1):
        run_study(study, folder, jobs=1, shard=f"{k}/3")
    here = len(ib.load_runs(folders[0]))
    found = collect(folders[:1], tmp_path / "all")
    assert (found.folder, found.total, found.missing) == (tmp_path / "all", RUNS, RUNS - here)
    assert collect([*folders, folders[0]], tmp_path / "all").missing == 0  # one of them twice
    assert_as(tmp_path / "all", study.parent / "whole")
    assert [len(ib.load_runs(folder)) < RUNS for folder in folders] == [True] * 3  # which stay as they are
    collect(folders)
    assert_as(folders[0], study.parent / "whole")


def test_a_whole_run_finishes_what_shards_began(study, tmp_path):
    begun = run_study(study, tmp_path / "out", jobs=1, shard="1/2").computed
    assert run_study(study, tmp_path / "out", jobs=1).computed == RUNS - begun
    assert_as(tmp_path / "out", study.parent / "whole")


def test_folders_of_other_studies_are_refused(study, tmp_path):
    run_study(study, tmp_path / "out", jobs=1, shard="1/2")
    run_study(study, tmp_path / "other", jobs=1, settings=["grid.steps=5"])
    with pytest.raises(InputError) as caught:
        collect([tmp_path / "out", tmp_path / "other"])
    (sentence,) = caught.value.mistakes
    assert sentence.startswith(f"{tmp_path / 'other'} holds the results of another version of this study ('small', ")
    assert sentence.endswith(f", not those in {tmp_path / 'out'}")
    with pytest.raises(InputError, match="holds no results of a study"):
        collect([tmp_path])


@pytest.mark.parametrize("shard", ["0/2", "3/2", "1", "a/b", "1/0", "-1/2", "1/2/3"])
def test_a_shard_is_i_of_n(study, tmp_path, shard):
    with pytest.raises(InputError, match="a shard is i/n with i from 1 to n, such as 1/8, not '"):
        run_study(study, tmp_path / "out", shard=shard)
    assert not (tmp_path / "out").exists()

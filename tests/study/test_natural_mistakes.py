"""What people who know other tools write into a study file: taken where it is clear, and the right word otherwise."""

import pytest

from implicitbias.errors import InputError
from implicitbias.study.plan import plan

STUDY = """
title = "t"
[data.gaussian]
n = 4
d = 6
[optimizer.sgd]
lr = 0.1
[[grid]]
steps = 100
[[claim]]
says = "so"
measure = "cos_l2"
at_least = 0.5
"""
FLOW = """
[optimizer.gradient_flow]
[[grid]]
optimizer = ["gradient_flow"]
time = 100
"""


def with_flow():
    return STUDY.replace("[[grid]]\n", '[[grid]]\noptimizer = ["sgd"]\n') + FLOW


def test_one_grid_is_a_table_too(write):
    single = STUDY.replace("[[grid]]", "[grid]").replace("[[claim]]", "[claim]")
    assert plan(write(single))[2] == plan(write(STUDY, "other.toml"))[2]
    assert plan(write(single), ["grid.steps=7"])[2][0].setting.steps == 7


def test_integers_may_be_written_with_an_exponent(write):
    (run,) = plan(write(STUDY.replace("steps = 100", "steps = 1e5")))[2]
    assert run.setting.steps == 100_000 and type(run.setting.steps) is int


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("[optimizer.sgd]", "[optimizer.my_adam]",
         "optimizer.my_adam.kind: unknown optimizer 'my_adam'; did you mean 'adam'? (a table with a name of its own "
         "says what it is with the key kind)"),
        ("[data.gaussian]", "[data.mine]",
         "data.mine.kind: unknown data family 'mine'; did you mean 'wine'? (a table with a name of its own says what "
         "it is with the key kind)"),
        ("lr = 0.1", 'lr = "cosine"',
         "optimizer.sgd.lr: the schedule 'cosine' needs its numbers: { schedule = \"cosine\", eta = 0.1, steps = 1000 "
         "} in a study, Cosine(eta=0.1, steps=1000) in Python"),
        ("lr = 0.1", 'lr = "fast"',
         "optimizer.sgd.lr: a step size must be a number, or Power(eta, a), in a study { eta, a, t0 }, or one of the "
         "schedules cosine, linear, warmup_stable_decay, increasing, loss_adaptive, exponentiated; not 'fast'"),
        ("lr = 0.1", "learning_rate = 0.1",
         "optimizer.sgd.learning_rate: unknown hyper-parameter 'learning_rate'; did you mean 'lr'?"),
        ("steps = 100", "steps = 100\nbatch_size = 2",
         "grid.0.batch_size: unknown key 'batch_size'; did you mean 'batch'?"),
        ("steps = 100", 'steps = 100\nseed = "0..3"',
         "grid.0.seed.0 must be a valid integer, not '0..3'; a range is { from = 0, to = 3 }"),
        ('"cos_l2"', '"cos_l2 / cos_linf"',
         "claim.0.measure must be a column or the difference of two, not 'cos_l2 / cos_linf'"),
    ],
)  # fmt: skip
def test_the_right_word(mistakes, old, new, sentence):
    assert sentence in mistakes(STUDY.replace(old, new, 1))


def test_names_of_torch_are_known(mistakes):
    text = STUDY.replace("[optimizer.sgd]", "[optimizer.adam]\nbetas = [0.9, 0.99]", 1)
    assert mistakes(text)[0].endswith("unknown hyper-parameter 'betas'; did you mean 'beta1', 'beta2'?")


def test_settings_go_where_they_belong(write):
    """Steps to the grids of optimizers, a time to those of flows, and a number picks one grid."""
    path = write(with_flow())
    first, second = plan(path, ["grid.steps=50", "grid.time=9.0"])[2]
    assert (first.setting.steps, second.setting.time) == (50, 9.0)
    assert plan(path, ["grid.1.per_octave=2"])[2][1].setting.per_octave == 2
    assert plan(path, ["grid.0.steps=[5, 6]"])[2][1].setting.steps == 6
    with pytest.raises(InputError, match=r"--set grid.2.steps=1: the study has no table 'grid.2'"):
        plan(path, ["grid.2.steps=1"])


def test_a_data_file_is_looked_for_beside_the_study(write, tmp_path, monkeypatch):
    (tmp_path / "mine.csv").write_text("x,y,label\n1,0,1\n2,1,1\n-1,-1,0\n")
    path = write(STUDY.replace("[data.gaussian]\nn = 4\nd = 6", '[data.mine]\nkind = "file"\npath = "mine.csv"'))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    (run,) = plan(path)[2]
    assert run.data.n == 3
    monkeypatch.chdir(tmp_path)
    path.write_text(path.read_text().replace("mine.csv", "your.csv"))
    with pytest.raises(InputError, match=f"{tmp_path}/your.csv: no such file"):
        plan(path)


def test_results_on_a_file_find_it_again(write, tmp_path, monkeypatch, call):
    import implicitbias as ib

    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine.csv").write_text("x,y,label\n1,0,1\n2,1,1\n-1,-1,0\n")
    text = STUDY.replace("[data.gaussian]\nn = 4\nd = 6", '[data.mine]\nkind = "file"\npath = "mine.csv"')
    (tmp_path / "data" / "s.toml").write_text(text)
    ib.run_study(tmp_path / "data" / "s.toml", tmp_path / "out", jobs=1)
    assert len(ib.check(tmp_path / "out")) == 1
    (run,) = ib.load_runs(tmp_path / "out")["run_id"]
    assert ib.reproduce(run, tmp_path / "out").equal

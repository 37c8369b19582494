"""A study as its runs: the product of its axes, each run once, under an id that depends on nothing but the run."""

import itertools
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from implicitbias.errors import InputError
from implicitbias.geometry import FAMILIES
from implicitbias.optimizers import OPTIMIZERS
from implicitbias.simulation.orders import ORDERS
from implicitbias.study.expand import canonical, expand, identity, run_id
from implicitbias.study.plan import plan, survey
from implicitbias.study.spec import override, parse_study, study_files
from implicitbias.sweep.tasks import LONGEST, MOST, MOST_SNAPSHOTS, groups, seconds_of, snapshots, tasks

BASE = """
title = "t"
[data.gaussian]
n = 4
d = 6
[optimizer.sgd]
lr = 0.1
[[grid]]
steps = 50
"""


def runs_of(text, *settings):
    return expand(parse_study(override(tomllib.loads(text), list(settings))))


def only(text, *settings):
    (run,) = runs_of(text, *settings)
    return run


def test_defaults_are_resolved():
    run = only(BASE)
    assert (run.data.name, run.data.kind, run.data.n, run.data.d) == ("gaussian", "gaussian", 4, 6)
    assert dict(run.data.params) == {"n": 4, "d": 6, "seed": 0}
    assert (run.optimizer_name, run.optimizer, run.lr.label) == ("sgd", OPTIMIZERS["sgd"](), "0.1")
    setting = run.setting
    assert (setting.batch, setting.order, setting.remainder, setting.steps) == (1, "reshuffle", "drop", 50)
    assert (setting.seed, setting.loss, setting.per_octave, setting.until_log_loss) == (0, "logistic", 8, None)


def test_lists_are_axes_and_runs_come_in_the_order_of_the_file():
    runs = runs_of(
        BASE.replace("n = 4", "n = [4, 5]").replace("lr = 0.1", "momentum = [0.0, 0.9]\nlr = [0.1, 0.2]"),
        "grid.seed=[3, 1]",
        'grid.order=["cyclic", "replacement"]',
    )
    found = [(r.setting.order, r.setting.seed, r.data.n, r.optimizer.momentum, r.lr.eta) for r in runs]
    assert sorted(found) == sorted(set(found))
    assert len(found) == 2**5
    assert [item[0] for item in found] == ["cyclic"] * 16 + ["replacement"] * 16  # the grid's own axes outermost
    assert [item[1] for item in found[:16]] == [3] * 8 + [1] * 8


def test_a_range_has_both_ends():
    assert [dict(run.data.params)["seed"] for run in runs_of(BASE, "data.gaussian.seed={from = 2, to = 4}")] == [
        2,
        3,
        4,
    ]
    assert [run.setting.batch for run in runs_of(BASE, "grid.batch={from = 1, to = 4}")] == [1, 2, 3, 4]


def steps_of(axis):
    return [run.lr.eta for run in runs_of(BASE.replace("lr = 0.1", f"lr = {axis}"))]


def test_an_axis_of_real_numbers_has_both_ends():
    assert steps_of("{ from = 5, to = 40.0, count = 8 }") == [5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 35.0, 40.0]
    assert steps_of("{ from = 0.1, to = 0.7, count = 2 }") == [0.1, 0.7]
    # between them twelve digits, so that machines whose last bits differ have the same runs
    assert steps_of("{ from = 0.1, to = 0.30000000000000004, count = 4 }") == [
        0.1, 0.166666666667, 0.233333333333, 0.30000000000000004,
    ]  # fmt: skip
    thousand = steps_of("{ from = 5.0, to = 40.0, count = 1e3 }")
    assert len(thousand) == 1000 and thousand[::333] == [5.0, 16.6666666667, 28.3333333333, 40.0]


def test_an_axis_of_logarithms_has_both_ends():
    assert steps_of("{ from = 1e-3, to = 10, count = 5, log = true }") == [0.001, 0.01, 0.1, 1.0, 10.0]
    assert steps_of("{ from = 0.1, to = 0.7, count = 3, log = true }") == [0.1, 0.264575131106, 0.7]
    assert steps_of("{ from = 1, to = 3, count = 3, log = false }") == [1.0, 2.0, 3.0]


def test_axes_of_real_numbers_are_of_every_table():
    """Where integers are asked for, numbers that are none stay a mistake."""
    text = BASE.replace("n = 4", "n = 4\nkind = 'clusters'\nnoise = { from = 0.1, to = 0.3, count = 3 }")
    runs = runs_of(
        text.replace("lr = 0.1", "lr = 0.1\nmomentum = { from = 0, to = 0.9, count = 2 }"),
        "grid.steps={ from = 10, to = 1000, count = 3, log = true }",
    )
    found = [(dict(run.data.params)["noise"], run.optimizer.momentum, run.setting.steps) for run in runs]
    assert sorted(found) == [(x, m, s) for x in (0.1, 0.2, 0.3) for m in (0.0, 0.9) for s in (10, 100, 1000)]
    assert {type(run.setting.steps) for run in runs} == {int}


def test_zipped_lists_advance_together_in_every_table():
    runs = runs_of(
        BASE.replace("n = 4\nd = 6", "n = [4, 5]\nd = [6, 7]\nzip = [['n', 'd']]").replace(
            "lr = 0.1", "momentum = [0.0, 0.9]\nlr = [0.1, 0.01]\nzip = [['momentum', 'lr']]"
        ),
        "grid.batch=[1, 2, 4]",
        "grid.steps=[30, 20, 10]",
        "grid.seed=[0, 1]",
        'grid.zip=[["batch", "steps"]]',
    )
    assert {(run.data.n, run.data.d) for run in runs} == {(4, 6), (5, 7)}
    assert {(run.optimizer.momentum, run.lr.eta) for run in runs} == {(0.0, 0.1), (0.9, 0.01)}
    assert {(run.setting.batch, run.setting.steps) for run in runs} == {(1, 30), (2, 20), (4, 10)}
    assert len(runs) == 2 * 2 * 3 * 2


def test_a_data_set_can_be_tied_to_its_horizon():
    text = BASE.replace("[optimizer", "[data.shifted_diagonal]\n[optimizer")
    runs = runs_of(
        text, 'grid.data=["gaussian", "shifted_diagonal"]', "grid.steps=[10, 20]", 'grid.zip=[["data", "steps"]]'
    )
    assert [(run.data.name, run.setting.steps) for run in runs] == [("gaussian", 10), ("shifted_diagonal", 20)]


def test_batch_n_is_the_number_of_rows():
    runs = runs_of(BASE.replace("n = 4", "n = [4, 5]"), 'grid.batch=["n", 4]', 'grid.order="cyclic"')
    assert sorted((run.data.n, run.setting.batch) for run in runs) == [(4, 4), (5, 4), (5, 5)]  # n = 4 = b once


def test_full_batches_have_one_size():
    runs = runs_of(BASE, "grid.batch=[1, 2, 9]", 'grid.order=["full"]')
    assert [run.setting.batch for run in runs] == [4]
    assert len(runs_of(BASE, "grid.batch=[1, 2]", 'grid.order=["full", "cyclic"]')) == 3


def test_epochs_become_steps():
    text = BASE.replace("steps = 50", "epochs = 3\nbatch = [1, 3]")
    by_order = {
        order: [run.setting.steps for run in runs_of(text, f"grid.order={order}")]
        for order in ("cyclic", "reshuffle", "replacement", "full")
    }
    assert by_order == {"cyclic": [12, 6], "reshuffle": [12, 3], "replacement": [12, 4], "full": [3]}


def test_an_optimizers_own_step_size_wins():
    text = BASE.replace("[[grid]]", "[optimizer.ngd]\n[[grid]]\nlr = [0.5, {eta = 1, a = 0.25, t0 = 3}]")
    found = [(run.optimizer_name, run.lr.eta, run.lr.a, run.lr.t0) for run in runs_of(text)]
    assert found == [("sgd", 0.1, 0.0, 2.0), ("ngd", 0.5, 0.0, 2.0), ("ngd", 1.0, 0.25, 3.0)]


def test_a_grid_takes_the_data_and_optimizers_it_names():
    text = BASE.replace("[optimizer", "[data.wine]\n[data.iris]\n[optimizer.signum]\nlr = 1\n[optimizer")
    runs = runs_of(text + "data = ['iris']\noptimizer = 'sgd'\n[[grid]]\nsteps = 9\ndata = 'gaussian'")
    found = [(run.data.name, run.optimizer_name, run.setting.steps) for run in runs]
    assert found == [("iris", "sgd", 50), ("gaussian", "signum", 9), ("gaussian", "sgd", 9)]


def test_a_list_of_numbers_can_be_one_value():
    text = BASE.replace("gaussian]\nn = 4\nd = 6", "shifted_diagonal]\ndiagonal = [1, 2, 3]")
    assert only(text).data.n == 3
    assert [run.data.n for run in runs_of(text.replace("[1, 2, 3]", "[[1, 2], [1, 2, 3]]"))] == [2, 3]


def test_a_run_asked_for_twice_is_one_run():
    assert len(runs_of(BASE + "batch = [1, 1]\n[[grid]]\nsteps = [50, 60]")) == 2


def test_run_ids_are_pinned():
    """Results on disk are found again by these: a change here makes every results folder start over."""
    assert only(BASE).run_id == "78d3aa41dcf9bbae"


def test_what_came_later_changes_no_id_at_its_default():
    text = BASE.replace("sgd]", "adagrad]\neps = 1e-8")
    assert only(text).run_id == only(text, "optimizer.adagrad.eps_inside=false").run_id == "db11f7eee32342d9"
    assert only(text, "optimizer.adagrad.eps_inside=true").run_id != "db11f7eee32342d9"


SAME = {
    "names": BASE.replace("data.gaussian]", "data.a]\nkind = 'gaussian'").replace("r.sgd]", "r.b]\nkind = 'sgd'"),
    "title and claims": BASE.replace('"t"', '"other"') + "\n[[claim]]\nsays='a'\nsource='b'\nmeasure='lr'\nat_most=1",
    "defaults spelt out": BASE.replace("lr = 0.1", "lr = {eta = 0.1, a = 0}\nmomentum = 0\nnesterov = false")
    + "batch = 1\norder = 'reshuffle'\nremainder = 'drop'\nseed = 0\nloss = 'logistic'\nper_octave = 8",
    "horizon in epochs": BASE.replace("steps = 50", "epochs = 12.5"),
    "order of the keys": BASE.replace("n = 4\nd = 6", "d = 6\nseed = 0\nn = 4"),
}


@pytest.mark.parametrize("change", SAME)
def test_equal_runs_have_equal_ids(change):
    assert only(SAME[change]).run_id == only(BASE).run_id


def test_ids_do_not_depend_on_the_place_in_the_file():
    text = BASE.replace("[data.", "[data.iris]\n[data.", 1).replace(
        "[optimizer.", "[optimizer.ngd]\nlr = 1\n[optimizer.", 1
    )
    text = text.replace("[[grid]]", "[[grid]]\nsteps = 9\nseed = [2, 0]\n[[grid]]\nbatch = [2, 1]", 1)
    assert only(BASE).run_id in [run.run_id for run in runs_of(text)][1:]


DIFFERENT = [
    "data.gaussian.seed=1",
    "data.gaussian.n=5",
    "data.gaussian.d=7",
    "optimizer.sgd.lr=0.2",
    "optimizer.sgd.lr={eta = 0.1, a = 0.5}",
    "optimizer.sgd.lr={eta = 0.1, t0 = 3}",
    "optimizer.sgd.momentum=0.9",
    "optimizer.sgd.nesterov=true",
    "optimizer.sgd.kind=ngd",
    "grid.batch=2",
    "grid.order=cyclic",
    "grid.remainder=keep",
    "grid.steps=51",
    "grid.until_log_loss=-5",
    "grid.seed=1",
    "grid.loss=exponential",
    "grid.per_octave=4",
]


def test_whatever_changes_a_run_changes_its_id():
    ids = [only(BASE, *settings).run_id for settings in [(), *((setting,) for setting in DIFFERENT)]]
    assert len(set(ids)) == len(ids)


def test_settings_reach_every_grid_and_leave_the_content_alone():
    text = BASE.replace("steps = 50", "steps = 50\n[[grid]]\nsteps = 60\nbatch = 2")
    content = tomllib.loads(text)
    assert [run.setting.steps for run in expand(parse_study(override(content, ["grid.steps = 7"])))] == [7, 7]
    assert content == tomllib.loads(text)
    assert only(BASE, "data.gaussian.n = 9", "grid.order = cyclic", 'grid.loss = "exponential"').data.n == 9


def test_the_study_files_of_a_folder(tmp_path):
    for name in ("b.toml", "a.toml", "c.txt"):
        (tmp_path / name).write_text("")
    assert [path.name for path in study_files(tmp_path)] == ["a.toml", "b.toml"]
    with pytest.raises(InputError, match="none is no folder of study files"):
        study_files(tmp_path / "none")


def test_more_runs_than_anyone_wants_are_refused_at_once():
    text = BASE.replace("lr = 0.1", "lr = [0.1, 0.2, 0.3]").replace("d = 6", "d = 6\nseed = [0, 1, 2, 3]")
    content = tomllib.loads(text)
    content["grid"][0]["seed"] = {"from": 0, "to": 999_999}
    with pytest.raises(InputError) as caught:
        expand(parse_study(content))
    assert caught.value.mistakes == ["grid.0 has 12000000 runs; the most are 10000000"]


# Random studies: few rows and steps, so that the number of cells is what varies.


def axis_of(values, most=3):
    return st.lists(st.sampled_from(values), min_size=1, max_size=most, unique=True)


studies = st.fixed_dictionaries(
    {
        "n": axis_of([2, 3, 4, 6]),
        "data_seed": axis_of([0, 1, 2, 3]),
        "momentum": axis_of([0.0, 0.5, 0.9]),
        "lr": axis_of([0.1, 0.2, 1]),
        "batch": axis_of([1, 2, "n"]),
        "order": axis_of(sorted(ORDERS), 5),
        "seed": axis_of([0, 1, 2]),
        "steps": axis_of([1, 5, 70_000_000]),
    }
)


def content_of(axes):
    return {
        "title": "random",
        "data": {"gaussian": {"n": axes["n"], "d": 3, "seed": axes["data_seed"]}},
        "optimizer": {"sgd": {"momentum": axes["momentum"], "lr": axes["lr"]}},
        "grid": [{key: axes[key] for key in ("batch", "order", "seed", "steps")}],
    }


def cells(axes):
    """The runs of such a study, counted without the package: what is left of each combination when it is resolved."""
    for values in itertools.product(*axes.values()):
        cell = dict(zip(axes, values))
        cell["batch"] = cell["n"] if cell["order"] == "full" or cell["batch"] == "n" else cell["batch"]
        yield tuple(cell[key] for key in ("n", "data_seed", "momentum", "lr", "batch", "order", "seed", "steps"))


@given(studies)
def test_the_runs_of_a_study_are_its_distinct_cells(axes):
    runs = expand(parse_study(content_of(axes)))
    found = [
        (
            run.data.n, dict(run.data.params)["seed"], run.optimizer.momentum, run.lr.eta, run.setting.batch,
            run.setting.order, run.setting.seed, run.setting.steps,
        )
        for run in runs
    ]  # fmt: skip
    assert set(found) == set(cells(axes))
    assert len(found) == len(set(found)) == len({run.run_id for run in runs})


@given(studies)
def test_ids_are_hashes_of_the_canonical_form(axes):
    """The short way, through pieces of text that runs share, gives what hashing the whole dictionary gives."""
    for run in expand(parse_study(content_of(axes))):
        parts = run.data, run.optimizer, run.lr, run.setting, run.limit
        assert run.run_id == identity(*parts) == run_id(canonical(*parts))


def test_a_survey_sees_the_runs_of_a_plan_and_keeps_none(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text(BASE + "batch = [1, 2, 1]\nseed = { from = 0, to = 999 }")
    seen = []
    survey(path, lambda run: seen.append(run.run_id))
    assert seen == [run.run_id for run in plan(path)[2]]
    assert len(seen) == len(set(seen)) == 2000


def test_a_task_holds_a_bounded_number_of_snapshots():
    runs = runs_of(BASE, "grid.seed={from = 0, to = 3999}", "grid.steps=256")
    planned = tasks(runs, jobs=1)
    assert sum(len(block) for task in planned for block in task) == 4000
    assert all(sum(snapshots(run) for block in task for run in block) <= MOST_SNAPSHOTS for task in planned)


@given(studies, st.randoms(use_true_random=False))
def test_blocks_and_tasks_hold_every_run_once(axes, random):
    runs = expand(parse_study(content_of(axes)))
    random.shuffle(runs)
    runs = runs[: random.randint(1, len(runs))]  # as after an interruption
    jobs = random.choice([1, 2, 64])
    planned = tasks(runs, jobs)
    found = [block for task in planned for block in task]
    assert sorted(run.run_id for block in found for run in block) == sorted(run.run_id for run in runs)
    for block in found:
        assert 1 <= len(block) <= MOST
        assert len({(run.data, type(run.optimizer), run.setting) for run in block}) == 1
    for task in planned:
        assert len({block[0].data for block in task}) == 1
        assert len(task) == 1 or sum(map(seconds_of, task)) <= LONGEST
    lengths = [sum(map(seconds_of, task)) for task in planned]
    assert lengths == sorted(lengths, reverse=True)


def test_long_runs_are_spread_over_workers_and_short_ones_gathered():
    lrs = ", ".join(str(0.1 + k / 100) for k in range(32))
    text = BASE.replace("lr = 0.1", f"lr = [{lrs}]")
    long = tasks(runs_of(text.replace("steps = 50", "steps = 100_000_000")), jobs=2)
    assert len(long) > 2 and all(len(task) == 1 for task in long)
    (short,) = tasks(runs_of(text), jobs=2)
    assert [len(block) for block in short] == [32]


def test_runs_of_different_kinds_do_not_share_a_block():
    text = BASE.replace("[[grid]]", "[optimizer.ngd]\nlr = 0.1\n[optimizer.also]\nkind = 'sgd'\nlr = 0.3\n[[grid]]")
    assert [[run.optimizer_name for run in block] for block in groups(runs_of(text))] == [["sgd", "also"], ["ngd"]]


@pytest.mark.parametrize("kind", sorted(set(FAMILIES) - {"file"}))
def test_every_data_family_can_be_named_in_a_study(kind):
    needed = {"digits": {"a": 0, "b": 1}}.get(kind, {})
    (run,) = expand(
        parse_study(
            {
                "title": "t",
                "data": {"x": {"kind": kind, **needed}},
                "optimizer": {"adam": {}},
                "grid": [{"order": "full", "steps": 3, "lr": 1}],
            }
        )
    )
    assert (run.data.name, run.data.kind, run.setting.batch) == ("x", kind, run.data.n)
    assert run.data.problem().digest == run.data.digest

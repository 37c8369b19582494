"""Everything that can be wrong with a study file: one InputError, a sentence for each mistake, nothing else."""

import copy
import tomllib

import pytest
from good_study import GOOD, changed
from hypothesis import given
from hypothesis import strategies as st

from implicitbias.errors import InputError
from implicitbias.study.expand import expand
from implicitbias.study.plan import plan
from implicitbias.study.spec import parse_study, read_study


def test_the_study_these_tests_spoil_is_good(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(GOOD)
    study, text, runs = plan(path)
    assert (study.title, text, len(runs)) == ("t", GOOD, 3 * 2 + 3)


SINGLE = [
    # keys
    ('title = "t"', "", "title is missing"),
    ('title = "t"', "title = 3", "title must be a valid string, not 3"),
    ('question = "q"', 'question = "q"\nauthor = 1', "author: unknown key 'author'; use one of 'claim', 'data', "),
    ('question = "q"', 'title_ = ""', "title_: unknown key 'title_'; did you mean 'title'?"),
    ("batch = [1, 2]", "batchs = 2", "grid.0.batchs: unknown key 'batchs'; did you mean 'batch'?"),
    ('says = "a"', 'says = "a"\nat_leest = 0.9', "claim.0.at_leest: unknown key 'at_leest'; did you mean 'at_least'?"),
    ("n = 4\n", "m = 4\n",
     "data.gaussian: gaussian: unknown parameter 'm'; use one of 'd', 'depth', 'init', 'layout', 'model', 'n', "),
    ("momentum =", "momentun =",
     "optimizer.sgd.momentun: unknown hyper-parameter 'momentun'; did you mean 'momentum'?"),
    ("lr = { eta = 0.1, a = 0.5 }", "lr = { eta = 0.1, b = 0.5 }",
     "optimizer.adam.lr: unknown key 'b'; use one of 'a', 'eta', 'schedule', 't0'"),
    ("lr = { eta = 0.1, a = 0.5 }", "lr = { a = 0.5 }", "optimizer.adam.lr: a step size table needs eta"),
    # kinds
    ("[data.gaussian]", "[data.gausian]", "data.gausian.kind: unknown data family 'gausian'; did you mean 'gaussian'?"),
    ("n = 4\n", 'kind = "rademacher"\n',
     "data.gaussian.kind: unknown data family 'rademacher'; did you mean 'scaled_rademacher'?"),
    ("n = 4\n", 'kind = ["gaussian"]\n',
     "data.gaussian.kind: unknown data family ['gaussian']; did you mean 'gaussian'"),
    ("[optimizer.adam]", "[optimizer.adm]", "optimizer.adm.kind: unknown optimizer 'adm'; did you mean 'adam'?"),
    ("[optimizer.adam]", "[optimizer.adam]\nkind = 3", "optimizer.adam.kind: unknown optimizer 3; use one of 'ada"),
    ("batch = [1, 2]", 'order = ["cyclic", "shufle_once"]',
     "grid.0 with data 'gaussian': unknown order 'shufle_once'; did you mean 'shuffle_once'?"),
    ("batch = [1, 2]", 'loss = "hinge"',
     "grid.0 with data 'gaussian': unknown loss 'hinge'; use one of 'exponential', 'logistic'"),
    ("batch = [1, 2]", 'remainder = "dropp"', "grid.0 with data 'gaussian': unknown remainder 'dropp'; did you mean"),
    ("batch = [1, 2]", 'data = "gauss"', "grid.0.data: unknown data 'gauss'; did you mean 'gaussian'?"),
    ("batch = [1, 2]", 'optimizer = ["sgd", "adan"]',
     "grid.0.optimizer: unknown optimizer 'adan'; did you mean 'adam'?"),
    # types
    ("n = 4\n", 'n = "four"\n', "data.gaussian: gaussian: n must be an integer >= 1, but is 'four'"),
    ("n = 4\n", "n = { from = 1 }\n", "data.gaussian: gaussian: n must be an integer >= 1, but is {'from': 1}"),
    ("n = 4\n", "n = { from = true, to = true }\n", "data.gaussian: gaussian: n must be an integer >= 1, but is {"),
    ("n = 4\n", "n = { from = 1, to = 1_000_000_000_000 }\n",
     "data.gaussian.n is a range from 1 to 1000000000000; the longest has 1000000"),
    # axes of real numbers
    ("lr = 0.1\n", "lr = { from = 0.1, to = 1, count = 1 }\n",
     "optimizer.sgd.lr.count must be an integer from 2 to 1000000, not 1"),
    ("lr = 0.1\n", "lr = { from = 0.1, to = 1, count = 2.5 }\n",
     "optimizer.sgd.lr.count must be an integer from 2 to 1000000, not 2.5"),
    ("lr = 0.1\n", "lr = { from = 0.1, to = 1, count = 1e9 }\n", "optimizer.sgd.lr.count must be an integer from 2 to"),
    ("lr = 0.1\n", "lr = { from = 0.1, to = 1, count = true }\n",
     "optimizer.sgd.lr.count must be an integer from 2 to 1000000, not True"),
    ("lr = 0.1\n", "lr = { from = 1, to = 0.1, count = 3 }\n",
     "optimizer.sgd.lr.from must be below to, which 1 is not of 0.1"),
    ("lr = 0.1\n", "lr = { from = 1, to = 1, count = 3 }\n",
     "optimizer.sgd.lr.from must be below to, which 1 is not of 1"),
    ("lr = 0.1\n", "lr = { from = 0, to = 1, count = 3, log = true }\n",
     "optimizer.sgd.lr.from must be > 0 where log = true, but is 0"),
    ("lr = 0.1\n", 'lr = { from = "a", to = 1, count = 3 }\n',
     "optimizer.sgd.lr.from must be a finite number, not 'a'"),
    ("lr = 0.1\n", "lr = { from = 0.1, to = inf, count = 3 }\n",
     "optimizer.sgd.lr.to must be a finite number, not inf"),
    ("lr = 0.1\n", "lr = { from = nan, to = 1, count = 3 }\n",
     "optimizer.sgd.lr.from must be a finite number, not nan"),
    ("lr = 0.1\n", "lr = { from = 0.1, to = 1, count = 3, log = 1 }\n",
     "optimizer.sgd.lr.log must be true or false, not 1"),
    ("lr = 0.1\n", "lr = { from = 0.1, to = 1 }\n", "optimizer.sgd.lr.count is missing: how many numbers"),
    ("lr = 0.1\n", "lr = { from = 0.1, to = 1, log = true }\n", "optimizer.sgd.lr.count is missing: how many numbers"),
    ("lr = 0.1\n", "lr = { from = 0.1, count = 3 }\n", "optimizer.sgd.lr.to is missing"),
    ("lr = 0.1\n", "lr = { to = 0.1, count = 3 }\n", "optimizer.sgd.lr.from is missing"),
    ("lr = 0.1\n", "lr = { from = 0.1, to = 1, count = 3, log10 = true }\n",
     "optimizer.sgd.lr: unknown key 'log10'; did you mean 'log'?"),
    ("[0.0, 0.9]", "{ from = 0.0, to = 0.9, count = 1 }",
     "optimizer.sgd.momentum.count must be an integer from 2 to 1000000, not 1"),
    ("steps = 50", "steps = { from = 10, to = 50, count = 1 }",
     "grid.0.steps.count must be an integer from 2 to 1000000, not 1"),
    ("steps = 50", "steps = { from = 10, to = 13, count = 3 }", "grid.0.steps.1 must be a valid integer, not 11.5"),
    ("n = 4\n", "n = 4\nrotate = { from = 0.5, to = 2 }\n", "data.gaussian.rotate.count is missing: how many numbers"),
    ("lr = 0.1\n", 'lr = "fast"\n', "optimizer.sgd.lr: a step size must be a number, or Power(eta, a)"),
    ("lr = { eta = 0.1, a = 0.5 }", "eps_inside = 1\nlr = 1",
     "optimizer.adam: eps_inside of Adam must be true or false"),
    ("batch = [1, 2]", "batch = 1.5", "grid.0.batch.0 must be a valid integer or a valid string, not 1.5"),
    ("steps = 50", "steps = 50.5", "grid.0.steps.0 must be a valid integer, not 50.5"),
    ("steps = 50", "steps = true", "grid.0.steps.0 must be a valid integer, not True"),
    ("batch = [1, 2]", 'batch = "m"',
     "grid.0 with data 'gaussian': batch must be an integer from 1 to n = 4, but is 'm'"),
    ("batch = [1, 2]", "zip = 3", "grid.0.zip must be a valid list, not 3"),
    ("n = 4\n", 'n = 4\nzip = "n"\n', "data.gaussian.zip must be a list of lists of names, not 'n'"),
    ("n = 4\n", "n = 4\nzip = [[]]\n", "data.gaussian.zip must be a list of lists of names, not [[]]"),
    ("n = 4\n", "n = 4\nzip = [[['n']]]\n", "data.gaussian.zip: unknown axis"),
    # ranges of values
    ("batch = [1, 2]", "batch = [1, 5]",
     "grid.0 with data 'gaussian': batch must be an integer from 1 to n = 4, but is 5"),
    ("batch = [1, 2]", "batch = 0", "grid.0 with data 'gaussian': batch must be an integer from 1 to n = 4, but is 0"),
    ("lr = 0.1\n", "lr = 0.0\n", "optimizer.sgd.lr: eta of the step size must be finite and > 0, but is 0.0"),
    ("lr = 0.1\n", "lr = [0.1, -1]\n", "optimizer.sgd.lr: eta of the step size must be finite and > 0, but is -1"),
    ("lr = 0.1\n", "lr = nan\n", "optimizer.sgd.lr: eta of the step size must be finite and > 0, but is nan"),
    ("batch = [1, 2]", "lr = -1", "grid.0.lr: eta of the step size must be finite and > 0, but is -1"),
    ("[0.0, 0.9]", "[0.0, 1.0]", "optimizer.sgd: momentum of SGD must be in [0, 1), but is 1.0"),
    ("[optimizer.adam]", "[optimizer.adam]\nbeta2 = -0.1",
     "optimizer.adam: beta2 of Adam must be in [0, 1), but is -0.1"),
    ("[optimizer.adam]", "[optimizer.adam]\neps = -1e-8", "optimizer.adam: eps of Adam must be >= 0"),
    ("steps = 50", "steps = 0", "grid.0 with data 'gaussian': steps must be an integer from 1 to "),
    ("epochs = 2", "epochs = 0", "grid.1 with data 'gaussian': epochs must be a positive number up to "),
    ("batch = [1, 2]", "seed = -1", "grid.0 with data 'gaussian': seed must be an integer from 0 to "),
    ("batch = [1, 2]", "per_octave = 0", "grid.0 with data 'gaussian': per_octave must be an integer from 1 to 1000"),
    ("batch = [1, 2]", "until_log_loss = inf", "grid.0.until_log_loss.0 must be a valid integer or a finite number"),
    # combinations
    ("steps = 50", "", "grid.0 with data 'gaussian': give the horizon as either steps or epochs"),
    ("steps = 50", "steps = 50\nepochs = 3", "grid.0 with data 'gaussian': give the horizon as either steps or epochs"),
    ("batch = [1, 2]", 'batch = 3\norder = "cyclic"\nremainder = "drop"',
     "grid.0 with data 'gaussian': remainder 'drop' with order 'cyclic' would never show 1 of the 4 rows; "),
    ("batch = [1, 2]", 'batch = [1, 2]\nseed = [1, 2, 3]\nzip = [["batch", "seed"]]',
     "grid.0.zip: lists that advance together must be equally long, but batch has 2, seed has 3"),
    ("batch = [1, 2]", 'zip = [["batch", "sed"]]', "grid.0.zip: unknown axis 'sed'; did you mean 'seed'?"),
    ("batch = [1, 2]", 'zip = [["batch", "seed"], ["seed", "loss"]]', "grid.0.zip names 'seed' twice"),
    # nothing
    ("batch = [1, 2]", "batch = []", "grid.0.batch is an empty list, so there are no runs"),
    ("batch = [1, 2]", "data = []", "grid.0.data is an empty list, so there are no runs"),
    ("n = 4\n", "n = []\n", "data.gaussian.n is an empty list, so there are no runs"),
    ("n = 4\n", "n = { from = 3, to = 2 }\n", "data.gaussian.n is an empty list, so there are no runs"),
    ("lr = 0.1\n", "lr = []\n", "optimizer.sgd.lr is an empty list, so there are no runs"),
]  # fmt: skip


@pytest.mark.parametrize("old, new, sentence", SINGLE, ids=[case[2][:60] for case in SINGLE])
def test_a_mistake_is_one_sentence_with_its_place(mistakes, old, new, sentence):
    found = mistakes(changed((old, new)))
    assert len(found) == 1
    assert found[0].startswith(sentence)
    assert "\n" not in found[0]


def test_all_mistakes_of_a_file_come_at_once(mistakes):
    found = mistakes(
        """
        data.gaussian = { n = 4, q = 3 }
        data.clusters = { n = 4, d = 3 }
        data.number = 5
        [optimizer.sgd]
        lr = -0.1
        momentum = 1.0
        [optimizer.adamm]
        [[grid]]
        data = "clusters"
        batch = 9
        stepz = 10
        [[grid]]
        optimizer = ["sgd", "nobody"]
        order = ["sideways", "full"]
        loss = "hinge"
        [[grid]]
        steps = 1.5
        [[claim]]
        source = "b"
        measure = "cos_l2"
        at_least = 1
        [[claim]]
        says = "a"
        source = "b"
        measure = "cos_l2 - nothing"
        where = { oder = 1 }
        at_leest = 1
        """
    )
    starts = [
        "title is missing",
        "data.number must be a valid dictionary",
        "grid.0.stepz: unknown key 'stepz'; did you mean 'steps'?",
        "grid.2.steps.0 must be a valid integer",
        "claim.0.says is missing",
        "claim.1.at_leest: unknown key",
        "data.gaussian: gaussian: unknown parameter 'q'",
        "optimizer.sgd.lr: eta of the step size",
        "optimizer.sgd: momentum of SGD",
        "optimizer.adamm.kind: unknown optimizer",
        "grid.1.optimizer: unknown optimizer 'nobody'",
        "grid.1.loss: unknown loss 'hinge'",
        "grid.1.order: unknown order 'sideways'",
        "claim.1.measure: unknown measure 'nothing'",
        "claim.1.where: unknown column 'oder'",
    ]
    for start in starts:
        assert sum(mistake.startswith(start) for mistake in found) == 1, start
    assert len(found) == len(starts)


def test_a_mistake_in_one_grid_hides_none_of_the_next(mistakes):
    found = mistakes(changed(("batch = [1, 2]", "batch = 9"), ("epochs = 2", 'epochs = 2\nloss = "hinge"')))
    assert [mistake[:6] for mistake in found] == ["grid.0", "grid.1"]


def test_several_mistakes_of_one_grid(mistakes):
    found = mistakes(changed(("batch = [1, 2]", 'batch = 9\nloss = "hinge"\norder = "up"'), ("steps = 50", "")))
    assert [mistake.partition(": ")[2].split()[0] for mistake in found] == ["unknown", "unknown", "batch", "give"]


def test_a_step_size_must_come_from_somewhere(mistakes):
    sentence = "no step size for optimizer 'sgd'; give lr in the grid or with the optimizer"
    assert mistakes(changed(("lr = 0.1\n", ""))) == [f"grid.0: {sentence}", f"grid.1: {sentence}"]
    assert mistakes(changed(("lr = 0.1\n", ""), ("steps = 50", "steps = 50\nlr = 0.1"))) == [f"grid.1: {sentence}"]


def test_a_mistake_is_said_once_however_many_runs_share_it(mistakes):
    text = changed(("n = 4\n", "n = 4\nseed = { from = 0, to = 9 }\n"), ("batch = [1, 2]", "batch = 7"))
    assert len(mistakes(text)) == 1


@pytest.mark.parametrize("missing", ["data", "optimizer", "grid"])
def test_a_part_that_is_missing_or_empty(missing):
    content = tomllib.loads(GOOD)
    del content[missing]
    with pytest.raises(InputError, match=f"^study: {missing} is missing$"):
        parse_study(content)
    content[missing] = [] if missing == "grid" else {}
    with pytest.raises(InputError, match=f"^study: {missing} is empty; a study needs at least one {missing}$"):
        parse_study(content)


def test_files_that_are_no_study(tmp_path):
    cases = {
        "missing.toml": (None, "there is no study file"),
        "folder": ("folder", "cannot be read: Is a directory"),
        "latin.toml": (b'title = "\xe9"', "cannot be read: not UTF-8 text"),
        "broken.toml": (b"title = ", "is not valid TOML: "),
        "twice.toml": (b'title = "a"\ntitle = "b"', "is not valid TOML: "),
    }
    for name, (content, words) in cases.items():
        path = tmp_path / name
        if content == "folder":
            path.mkdir()
        elif content is not None:
            path.write_bytes(content)
        with pytest.raises(InputError) as caught:
            read_study(path)
        assert words in str(caught.value)
        assert str(path) in str(caught.value)
        assert len(caught.value.mistakes) == 1


@pytest.mark.parametrize(
    "setting, sentence",
    [
        ("grid.steps", "--set takes key=value, such as grid.steps=1000, not 'grid.steps'"),
        ("=3", "--set takes key=value, such as grid.steps=1000, not '=3'"),
        ("grid.=3", "--set takes key=value"),
        ("grids.steps=3", "--set grids.steps=3: the study has no table 'grids'"),
        ("data.gausian.n=3", "--set data.gausian.n=3: the study has no table 'data.gausian'"),
        ("title.x=3", "--set title.x=3: the study has no table 'title'"),
        ("grid.step=3", "grid.0.step: unknown key 'step'; did you mean 'steps'?"),
        ("grid.steps=", "grid.0.steps.0 must be a valid integer, not ''"),
        ("optimizer.sgd.momentum=2", "optimizer.sgd: momentum of SGD must be in [0, 1), but is 2"),
    ],
)
def test_settings_that_are_wrong(mistakes, setting, sentence):
    assert mistakes(GOOD, [setting])[0].startswith(sentence)


def test_all_wrong_settings_at_once(mistakes):
    assert len(mistakes(GOOD, ["a", "b.c=1", "grid.steps=20"])) == 2


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 12)
    | st.floats()
    | st.sampled_from(["", "n", "full", "sgd", "gaussian"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["eta", "from", "to", "n"]), inner),
    max_leaves=4,
)


def places(content, above=()):
    """Every place in nested tables and lists."""
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in items:
        yield (*above, key)
        yield from places(value, (*above, key))


CONTENT = tomllib.loads(GOOD)


@given(st.lists(st.tuples(st.sampled_from(list(places(CONTENT))), anything), min_size=1, max_size=3), st.booleans())
def test_a_spoilt_study_is_an_input_error_or_a_study(changes, add_key):
    content = copy.deepcopy(CONTENT)
    for place, value in changes:
        table = content
        try:
            for key in place[:-1]:
                table = table[key]
            table[place[-1]] = value
            if add_key and isinstance(table, dict):
                table["zip"] = value
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took the place away
    try:
        assert expand(parse_study(content))
    except InputError as error:
        assert error.mistakes
        assert all("\n" not in mistake for mistake in error.mistakes)


def test_words_of_a_grid_are_checked_even_when_no_run_can_be_formed(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(
        'title = "t"\n[data.gaussian]\nd = 0\n[optimizer.adam]\nlr = 1\n'
        '[[grid]]\nsteps = 5\norder = "cylic"\nlimit = "theroy"\nloss = "logistik"\nremainder = "kep"\n'
    )
    with pytest.raises(InputError) as caught:
        plan(path)
    text = "\n".join(caught.value.mistakes)
    for word in ("'cyclic'", "'theory'", "'logistic'", "'keep'", "d must be"):
        assert word in text
    assert len(caught.value.mistakes) == 5

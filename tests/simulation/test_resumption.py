"""`simulate(start=run)`: two parts are the whole, bit for bit; other optimizers and settings take over; refusals."""

import pickle
from dataclasses import replace

import naive_family as twin
import numpy as np
import pytest
from naive import NUMBERS

import implicitbias as ib
from implicitbias.optimizers import OPTIMIZERS
from implicitbias.optimizers.matrix.base import MatrixOptimizer
from implicitbias.simulation import block
from implicitbias.simulation.orders import batches
from implicitbias.simulation.scales import COORDINATE

RNG = np.random.default_rng(1)
DENSE = RNG.normal(size=(5, 7))
SPARSE = RNG.normal(size=(7, 13)) * (RNG.random((7, 13)) < 0.25)
SPARSE[:, 0] = 1.0
FIRST, MORE = 121, 179  # the first part ends in the middle of an epoch, and between two looks at the units
ALL = FIRST + MORE
MANY = 9  # eight side by side, and one on its own
PATH = ("weights", "sum_lr", "last_lr", "last_move")


def far_out(rows, margin=2000.0):
    """Weights with this smallest margin."""
    best = ib.max_margin(ib.Problem(rows))
    return margin / best.margin * best.direction


PLACES = {"dense": (DENSE, None), "sparse": (SPARSE, None), "dense tail": (DENSE, far_out(DENSE)),
          "sparse tail": (SPARSE, far_out(SPARSE))}  # fmt: skip
VARIANTS = [
    *(kind() for kind in OPTIMIZERS.values() if not issubclass(kind, MatrixOptimizer)),
    ib.Adam(bias_correction=True),
    ib.Adam(kappa=1.0, eps=1e-8),
    ib.NAdam(0.9, 0.99),
    ib.Signum(0.0),
    ib.ScheduleFreeAdamW(averaging=4.0, bias_correction=True),
    ib.SGD(0.9, nesterov=True),
]


def same(part, whole, first=FIRST):
    """Whether a run that went on from step `first` is the whole run from there on, bit for bit."""
    late = whole.steps > first
    assert (part.steps[part.steps > first] == whole.steps[late]).all()
    for name in PATH:
        np.testing.assert_array_equal(getattr(part, name)[-late.sum() :], getattr(whole, name)[late], err_msg=name)
    np.testing.assert_array_equal(part.state, whole.state)
    assert part.setting == whole.setting
    assert part.status == whole.status == "ok"


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("item", VARIANTS, ids=lambda item: item.label)
def test_two_parts_are_the_whole(item, place):
    """Alone, in a block, and from one into the other."""
    rows, initial = PLACES[place]
    shared = {"batch": 2, "seed": 3, "initial": initial}
    lrs = [ib.Power(0.1 * (k + 1), 0.5 * (k % 2)) for k in range(MANY)]
    whole = ib.simulate(rows, [item] * MANY, lr=lrs, steps=ALL, **shared)
    start = ib.simulate(rows, [item] * MANY, lr=lrs, steps=FIRST, **shared)
    for run, expected in zip(ib.simulate(rows, [item] * MANY, steps=MORE, start=start), whole):
        same(run, expected)
    for k in (0, MANY - 1):
        same(ib.simulate(rows, item, steps=MORE, start=start[k]), whole[k])
    alone = ib.simulate(rows, item, lr=lrs[0], steps=FIRST, **shared)
    same(ib.simulate(rows, [item] * MANY, steps=MORE, start=alone)[4], whole[0])
    if place.endswith("tail"):
        assert max(run.curve["log_loss"].max() for run in (alone, whole[0])) < -1000
        if item.mode == COORDINATE and not alone.state[-1].any():  # then the numbers are there all the same
            assert alone._end.state[-1].any()


@pytest.mark.parametrize("item", [ib.MARS(ib.Adam(), 3.0), ib.SAM(), ib.ProgressiveRescaling()], ids=lambda x: x.label)
def test_where_gradients_are_long(item):
    shared = {"lr": 0.01, "batch": 2}
    whole = ib.simulate(30 * SPARSE, item, steps=ALL, **shared)
    start = ib.simulate(30 * SPARSE, [item] * MANY, steps=FIRST, **shared)
    same(ib.simulate(30 * SPARSE, [item] * MANY, steps=MORE, start=start)[3], whole)
    same(ib.simulate(30 * SPARSE, item, steps=MORE, start=start[3]), whole)


@pytest.mark.parametrize("order", ["full", "cyclic", "shuffle_once", "reshuffle", "replacement"])
@pytest.mark.parametrize("item", [ib.SGD(0.5), ib.NGD()])
def test_the_space_of_margins_is_kept(item, order, monkeypatch):
    shared = {"lr": ib.Power(0.2, 0.5), "order": order, "loss": "exponential"}
    whole = ib.simulate(DENSE, item, steps=ALL, **shared)
    start = ib.simulate(DENSE, item, steps=FIRST, **shared)
    assert start._end.in_margins and len(start._end.iterate) == len(DENSE)
    same(ib.simulate(DENSE, item, steps=MORE, start=start), whole)
    away = ib.simulate(DENSE, item, steps=FIRST, initial=np.full(7, 0.1), **shared)  # where it cannot be used
    assert not away._end.in_margins
    same(ib.simulate(DENSE, item, steps=MORE, start=away),
         ib.simulate(DENSE, item, steps=ALL, initial=np.full(7, 0.1), **shared))  # fmt: skip
    monkeypatch.setattr(block, "MOST_STEPS", 7)
    same(ib.simulate(DENSE, item, steps=MORE, start=start), whole)


@pytest.mark.parametrize("place", PLACES)
def test_units_may_have_been_looked_at_at_other_steps(place):
    """Beside runs that forget fast, the units of all are looked at more often."""
    rows, initial = PLACES[place]
    shared = {"lr": 1.0, "initial": initial}
    items = [ib.Adam(), *(ib.Adam(0.1, 0.1 + 0.1 * k) for k in range(8))]
    whole = [ib.simulate(rows, item, steps=ALL, **shared) for item in items]
    start = ib.simulate(rows, items, steps=FIRST, **shared)
    for k in (0, 1, 8):
        same(ib.simulate(rows, items[k], steps=MORE, start=start[k]), whole[k])
    for run, expected in zip(ib.simulate(rows, items, steps=MORE, start=start), whole):
        same(run, expected)


def test_many_short_parts():
    whole = ib.simulate(DENSE, ib.ScheduleFreeAdamW(), lr=ib.Power(0.5, 0.3), steps=40, batch=2)
    run = ib.simulate(DENSE, ib.ScheduleFreeAdamW(), lr=ib.Power(0.5, 0.3), steps=1, batch=2)
    for step in range(1, 40):
        run = ib.simulate(DENSE, ib.ScheduleFreeAdamW(), steps=1, start=run)
        assert run.steps[-1] == step + 1
    np.testing.assert_array_equal(run.weights[-1], whole.weights[-1])
    assert run.sum_lr[-1] == whole.sum_lr[-1]


def test_a_pickled_run_goes_on():
    start = ib.simulate(DENSE, ib.EMA(ib.Adam()), lr=0.1, steps=FIRST)
    assert "End" not in repr(start)
    stored = pickle.loads(pickle.dumps(start))
    run = ib.simulate(DENSE, ib.EMA(ib.Adam()), steps=MORE, start=stored)  # the same rows, another Problem
    same(run, ib.simulate(DENSE, ib.EMA(ib.Adam()), lr=0.1, steps=ALL))


def test_the_run_has_the_whole_path():
    """Its curve is that of the whole where both have a snapshot and its half."""
    initial = np.full(7, 0.1)
    start = ib.simulate(DENSE, ib.Adam(), lr=0.1, steps=200, initial=initial, measures=["margins"])
    run = ib.simulate(DENSE, ib.Adam(), steps=200, start=start)
    whole = ib.simulate(DENSE, ib.Adam(), lr=0.1, steps=400, initial=initial, measures=["margins"])
    assert (np.diff(run.steps) > 0).all()
    assert (run.steps[: len(start.steps)] == start.steps).all() and run.steps[-1] == 400
    assert run.measures == start.measures and run.seconds > start.seconds
    np.testing.assert_array_equal(run.initial, initial)
    np.testing.assert_array_equal(run.weights[: len(start.steps)], start.weights)
    assert np.isfinite(run.curve["inc_ratio_l2"].iloc[-1])
    assert run.curve.iloc[-1].equals(whole.curve.iloc[-1])
    assert run.curve.iloc[: len(start.steps)].equals(start.curve)


def test_epochs_are_further_ones():
    start = ib.simulate(DENSE, ib.SGD(), lr=0.1, batch=2, epochs=10)
    run = ib.simulate(DENSE, ib.SGD(), epochs=5, start=start)
    assert (run.steps[-1], run.setting.steps, run.curve["epoch"].iloc[-1]) == (30, 30, 15.0)


def test_runs_that_ended_at_different_steps_go_on_each_from_its_own():
    items = [ib.Signum(), ib.Signum(0.5), ib.Adam()]
    shared = {"lr": [0.1, 0.02, 0.1], "order": "full"}
    starts = ib.simulate(DENSE, items, steps=10_000, until_log_loss=-30.0, **shared)
    starts[2] = ib.simulate(DENSE, ib.Adam(), lr=0.3, steps=50, seed=7, loss="exponential")  # and another setting
    assert len({run.steps[-1] for run in starts}) == 3
    for run, start, item in zip(ib.simulate(DENSE, items, steps=100, start=starts), starts, items):
        assert run.steps[-1] == start.steps[-1] + 100
        assert (run.setting.seed, run.setting.loss, run.lr) == (start.setting.seed, start.setting.loss, start.lr)
        same(run, ib.simulate(DENSE, item, steps=100, start=start), start.steps[-1])


# --- new phases -------------------------------------------------------------------------------------------------------


class BiasCorrectedAdam(twin.Adam):
    def direction(self, g, see, t):
        super().direction(g, see, t)
        c1, c2 = 1 - self.beta1 ** (t + 1), 1 - self.beta2 ** (t + 1)
        return [m / c1 / (v / c2) ** 0.5 for m, v in zip(self.m, self.v)]


def go_on(rule, w, visited, lr, first, per_epoch, own=0, loss="logistic", **state):
    """A rule in float64 from w and its state, over the batches and step sizes from step `first` on."""
    rule.begin([float(x) for x in w], float)
    vars(rule).update({name: [float(x) for x in value] for name, value in state.items()})
    rows = [[(j, float(a)) for j, a in enumerate(row) if a != 0] for row in DENSE]
    for t in range(first, len(visited)):
        see = twin.See(rows, list(visited[t]), loss, NUMBERS["float"], t == first or t % per_epoch == 0)
        w = rule.step(see, t - first + own, float(lr(t)))
    return np.array(w)


TAKING_OVER = [
    (ib.SGD(0.5), twin.SGD(momentum=0.5)),
    (ib.Adam(0.9, 0.95, bias_correction=True), BiasCorrectedAdam(beta1=0.9, beta2=0.95)),
    (ib.MirrorDescent(3), twin.MirrorDescent(p=3.0)),
    (ib.ScheduleFreeSGD(0.5, 4), twin.ScheduleFreeSGD(beta=0.5, averaging=4.0)),
    (ib.DualAccelerated(), twin.DualAccelerated()),
    (ib.ProgressiveRescaling(5, 1.1), twin.ProgressiveRescaling(stage=5.0, growth=1.1)),
    (ib.EMA(ib.SGD(), 0.9), twin.EMA(twin.SGD(momentum=0.0), 0.9)),
    (ib.MARS(ib.Signum(0.9), 0.1), twin.MARS(twin.Signum(beta=0.9), gamma=0.1)),
    (ib.SVRG(ib.SGD()), twin.SVRG(twin.SGD(momentum=0.0))),
]
LR = ib.Power(0.1, 0.3)


@pytest.mark.parametrize("before", [ib.Signum(), ib.EMA(ib.Adam()), ib.ScheduleFreeSGD(0.9, 3)], ids=lambda x: x.label)
@pytest.mark.parametrize(("item", "rule"), TAKING_OVER, ids=lambda x: getattr(x, "label", ""))
def test_another_optimizer_takes_over(before, item, rule):
    """From the recorded iterate, with an empty state and a clock of its own; schedule and batches go on."""
    if type(before) is type(item):
        before = ib.Adam()
    start = ib.simulate(DENSE, before, lr=LR, steps=31, batch=2, seed=4)
    run = ib.simulate(DENSE, item, steps=60, start=start)
    visited = batches(len(DENSE), 2, "reshuffle", 91, seed=4)
    expected = go_on(rule, start.weights[-1], visited, LR, first=31, per_epoch=2)
    np.testing.assert_allclose(run.weights[-1], expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(run.sum_lr[-1], LR(np.arange(91)).sum(), rtol=1e-14)
    assert run.last_lr[-1] == pytest.approx(LR(np.array([90]))[0], rel=1e-15)
    # and once more: its clock goes on
    part = ib.simulate(DENSE, item, steps=17, start=start)
    same(ib.simulate(DENSE, item, steps=43, start=part), run, 48)


def test_the_first_move_after_a_takeover_is_a_first_move():
    start = ib.simulate(DENSE, ib.Signum(), lr=0.1, steps=50, order="full")
    run = ib.simulate(DENSE, ib.Adam(bias_correction=True), steps=1, start=start)
    np.testing.assert_allclose(np.abs(run.weights[-1] - start.weights[-1]), 0.1, rtol=1e-12)  # sign descent


def test_other_hyper_parameters_keep_the_state():
    start = ib.simulate(DENSE, ib.Adam(0.9, 0.95), lr=LR, steps=31, batch=2, seed=4)
    for item, own in [(ib.Adam(0.5, 0.8), 0), (ib.Adam(0.5, 0.8, bias_correction=True), 31)]:
        run = ib.simulate(DENSE, item, steps=60, start=start)
        rule = (BiasCorrectedAdam if own else twin.Adam)(beta1=0.5, beta2=0.8)
        visited = batches(len(DENSE), 2, "reshuffle", 91, seed=4)
        expected = go_on(rule, start.weights[-1], visited, LR, 31, 2, own, m=start.state[0], v=start.state[1])
        np.testing.assert_allclose(run.weights[-1], expected, rtol=1e-9, atol=1e-12)


def test_other_batches_and_step_sizes_are_those_of_the_steps_that_follow():
    start = ib.simulate(DENSE, ib.SGD(0.5), lr=0.3, steps=31, batch=2, seed=4)
    other = {"batch": 3, "order": "cyclic", "seed": 5, "loss": "exponential", "lr": LR}
    run = ib.simulate(DENSE, ib.SGD(0.5), steps=60, start=start, **other)
    visited = batches(len(DENSE), 3, "cyclic", 91, seed=5)
    expected = go_on(twin.SGD(momentum=0.5), start.weights[-1], visited, LR, 31, 2, loss="exponential",
                     m=start.state[0])  # fmt: skip
    np.testing.assert_allclose(run.weights[-1], expected, rtol=1e-9, atol=1e-12)
    assert run.sum_lr[-1] == pytest.approx(31 * 0.3 + LR(np.arange(31, 91)).sum(), rel=1e-14)
    assert (run.setting.remainder, run.curve["epoch"].iloc[-1]) == ("keep", 91 / 2)
    back = ib.simulate(DENSE, ib.SGD(0.5), steps=9, start=run, lr=0.3)
    assert back.sum_lr[-1] == pytest.approx(run.sum_lr[-1] + 9 * 0.3, rel=1e-14)


def test_sums_of_step_sizes_go_on_from_those_of_each_start():
    lr = ib.Power(0.3, 0.5)
    one = ib.simulate(DENSE, ib.NGD(), lr=lr, steps=100)
    other = ib.simulate(DENSE, ib.NGD(), lr=lr, steps=40, start=ib.simulate(DENSE, ib.NGD(), lr=0.2, steps=60))
    found = ib.simulate(DENSE, [ib.NGD()] * 2, steps=50, start=[one, other])
    assert found[0].sum_lr[-1] == ib.simulate(DENSE, ib.NGD(), lr=lr, steps=150).sum_lr[-1]
    assert found[1].sum_lr[-1] == pytest.approx(60 * 0.2 + lr(np.arange(60, 150)).sum(), rel=1e-14)


@pytest.mark.parametrize(("depth", "lr"), [(30.0, 0.5), (2000.0, 1.0)])
@pytest.mark.parametrize("rows", [DENSE, SPARSE], ids=["dense", "sparse"])
def test_memory_comes_and_goes(rows, depth, lr):
    """Signum without momentum keeps its last gradient, in units of its own; with momentum it goes on from that."""
    shared = {"lr": lr, "order": "full", "loss": "exponential", "initial": far_out(rows, depth)}
    before, start = (ib.simulate(rows, ib.Signum(0.0), steps=steps, **shared) for steps in (49, 50))

    def gradient(w):
        with np.errstate(under="ignore"):
            return -np.exp(ground - rows @ w) @ rows

    ground = (rows @ before.weights[-1]).min()  # all gradients over e^-ground
    w, m = start.weights[-1], gradient(before.weights[-1])
    for _ in range(20):
        m = 0.9 * m + 0.1 * gradient(w)
        w = w - lr * np.sign(m)
    run = ib.simulate(rows, ib.Signum(0.9), steps=20, start=start)
    np.testing.assert_allclose(run.weights[-1], w, rtol=1e-12)
    fresh = ib.simulate(rows, ib.Signum(0.0), steps=70, **shared)
    assert (run.weights[-1] != fresh.weights[-1]).any()
    # and back: what it remembers is nothing to one that does not
    back = ib.simulate(rows, ib.Signum(0.0), steps=30, start=run)
    alone = ib.simulate(rows, ib.Signum(0.0), steps=30, **shared | {"initial": run.weights[-1]})
    np.testing.assert_array_equal(back.weights[-1], alone.weights[-1])


def test_the_residual_knows_where_gradient_descent_took_over():
    """Outside of the row space, which gradient descent does not leave."""
    rows = [[2.0, 1.0, 0.0], [1.0, -1.0, 0.5]]
    start = ib.simulate(rows, ib.Signum(), lr=0.02, steps=50, order="full")
    run = ib.simulate(rows, ib.SGD(), lr=0.5, steps=50_000, start=start)
    later = ib.simulate(rows, ib.SGD(), steps=50_000, start=run)
    stay = np.cross(*rows) / np.linalg.norm(np.cross(*rows))
    assert abs(stay @ (start.weights[-1] - start.weights[0])) > 0.5
    assert later.curve["residual"].iloc[-1] < run.curve["residual"].iloc[-1] < 1e-2


# --- what cannot go on ------------------------------------------------------------------------------------------------


def good(**other):
    return ib.simulate(DENSE, ib.Adam(), lr=0.1, **{"steps": 20} | other)


BLOWN = {"lr": 1e6, "order": "full", "steps": 500, "loss": "exponential"}
REFUSALS = {
    "no run": (lambda: "run", {}, "start must be a Run that simulate has returned, not str"),
    "an array": (lambda: np.zeros(7), {}, "start must be a Run that simulate has returned, not ndarray"),
    "other data": (lambda: ib.simulate(2 * DENSE, ib.Adam(), steps=5), {}, "start is a run on other data, Problem"),
    "a flow": (lambda: ib.simulate(DENSE, ib.GradientFlow(), time=10.0), {}, "a flow has no steps to go on from"),
    "not ok": (
        lambda: ib.simulate([[1.0, 0.2], [-2.0, 0.2]], ib.SGD(), **BLOWN), {}, "ended with the status 'non_finite'",
    ),
    "no end": (lambda: replace(good(), _end=None), {}, "kept no end to go on from; simulate it again"),
    "initial too": (good, {"initial": np.zeros(7)}, "give either initial or start"),
    "too few": (lambda: [good()], {"optimizer": [ib.Adam()] * 2},
                "one Run, or one for each of the 2 optimizers, not 1"),
    "no horizon": (good, {"steps": None}, "give the horizon as either steps or epochs"),
    "no order": (lambda: good(order="full"), {"batch": 2}, "start took all rows .order 'full'., so batch = 2 needs"),
    "to a flow": (good, {"optimizer": ib.GradientFlow(), "steps": None, "time": 9.0}, "a flow takes no start"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals(name):
    start, other, words = REFUSALS[name]
    arguments = {"optimizer": ib.Adam(), "steps": 10, "start": start()} | other
    with pytest.raises(ib.InputError, match=words) as caught:
        ib.simulate(DENSE, **arguments)
    assert len(caught.value.mistakes) == (2 if name == "not ok" else 1)  # that one has other data too


def test_all_mistakes_at_once():
    with pytest.raises(ib.InputError) as caught:
        ib.simulate(
            DENSE, [ib.Adam()] * 2, steps=0, batch=9, initial=np.zeros(7),
            start=[good(), 3, ib.simulate(SPARSE, ib.Adam(), steps=5)],
        )  # fmt: skip
    for words in ("start[1] must be a Run", "start[2] is a run on other data", "each of the 2 optimizers, not 3",
                  "give either", "steps must be", "batch must be"):  # fmt: skip
        assert sum(words in mistake for mistake in caught.value.mistakes) == 1
    assert len(caught.value.mistakes) == 6


def test_a_schedule_that_asks_for_the_loss_takes_over_and_hands_over():
    """SGD from zero is in the space of margins; with steps eta / L another kernel moves the weights."""
    problem = ib.geometry.gaussian(n=5, d=8, seed=2)
    options = {"batch": 2, "seed": 1}
    first = ib.simulate(problem, ib.SGD(), lr=0.1, steps=40, **options)
    over = ib.simulate(problem, ib.SGD(), lr=ib.LossAdaptive(0.05), start=first, steps=40)
    back = ib.simulate(problem, ib.SGD(), lr=0.1, start=over, steps=40)
    assert back.steps[-1] == 120 and back.status == "ok"
    w = first.weights[-1].copy()
    for rows in list(batches(5, 2, "reshuffle", 80, seed=1))[40:]:
        z = problem.rows[rows] @ w
        gradient = -(problem.rows[rows] / (1 + np.exp(z))[:, None]).mean(axis=0)
        w -= 0.05 * gradient / np.log1p(np.exp(-z)).mean()
    np.testing.assert_allclose(over.weights[-1], w, rtol=1e-10)

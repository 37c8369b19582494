"""Step sizes against their formulas, one number at a time; runs under them against the plain recursions."""

import inspect
import math

import numpy as np
import pytest
from scipy import stats

import implicitbias as ib
from implicitbias.simulation.orders import batches
from implicitbias.simulation.schedule import RULES, Schedule
from implicitbias.simulation.schedules import SCHEDULES
from tests import naive

ROWS = np.random.default_rng(3).normal(size=(5, 4)) + 0.4
SPARSE = np.array([[1.0, 0.0, 0.0, 2.0], [0.5, 1.0, 0.0, 0.0], [0.5, 0.0, 0.25, 0.0], [1.0, 0.0, 0.0, 0.0]])


def cosine(eta, steps, final, warmup, t):
    if t < warmup:
        return eta * (t + 1) / (warmup + 1)
    part = min((t - warmup) / (steps - warmup), 1)
    return eta * (final + (1 - final) * (1 + math.cos(math.pi * part)) / 2)


def linear(eta, steps, final, warmup, t):
    if t < warmup:
        return eta * (t + 1) / (warmup + 1)
    return eta * (final + (1 - final) * max(steps - t, 0) / (steps - warmup))


def trapeze(eta, steps, warmup, decay, t):
    if t < warmup:
        return eta * (t + 1) / (warmup + 1)
    return eta if t <= steps - decay else eta * (steps - t) / decay


def split_mix(x):
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB % 2**64
    return x ^ (x >> 31)


def exponential(seed, t):
    """-log of the t-th number of a SplitMix64 stream of its own, to 52 bits."""
    golden = 0x9E3779B97F4A7C15
    start = split_mix((seed + 2**63 + golden) % 2**64)
    bits = split_mix((split_mix((start + t * golden) % 2**64) + golden) % 2**64)
    return -math.log((2 * (bits >> 12) + 1) / 2**53)


# A schedule, and its formula; horizons of at least 60 steps.
TWINS = {
    "power": (ib.Power(0.1, 0.5), lambda t: 0.1 / math.sqrt(t + 2)),
    "cosine": (ib.Cosine(0.1, 60), lambda t: cosine(0.1, 60, 0.0, 0, t)),
    "cosine, warm": (ib.Cosine(0.1, 40, 0.2, 7), lambda t: cosine(0.1, 40, 0.2, 7, t)),
    "linear": (ib.Linear(0.1, 60), lambda t: linear(0.1, 60, 0.0, 0, t)),
    "linear, warm": (ib.Linear(0.1, 40, 0.2, 7), lambda t: linear(0.1, 40, 0.2, 7, t)),
    "trapeze": (ib.WarmupStableDecay(0.1, 60, 7, 20), lambda t: trapeze(0.1, 60, 7, 20, t)),
    "trapeze without a middle": (ib.WarmupStableDecay(0.1, 60, 30, 30), lambda t: trapeze(0.1, 60, 30, 30, t)),
    "increasing": (ib.Increasing(0.01, 0.7), lambda t: 0.01 * (t + 1) ** 0.7),
    "loss-adaptive": (ib.LossAdaptive(0.1, 0.5, 3.0), lambda t: 0.1 / math.sqrt(t + 3)),
    "exponentiated": (ib.Exponentiated(0.1, seed=3), lambda t: 0.1 * exponential(3, t)),
    "exponentiated, falling": (
        ib.Exponentiated(0.1, 0.5, 3.0, 2**63 - 1), lambda t: 0.1 / math.sqrt(t + 3) * exponential(2**63 - 1, t)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TWINS)
def test_the_formula(name):
    ours, twin = TWINS[name]
    np.testing.assert_allclose(ours(np.arange(60)), [twin(t) for t in range(60)], rtol=1e-12)
    assert ours.mistake(60) is None


@pytest.mark.parametrize("rule", [(ib.SGD(0.5), naive.SGD(0.5)), (ib.Adam(0.9, 0.95), naive.Adam(0.9, 0.95))])
@pytest.mark.parametrize("name", [name for name in TWINS if name != "loss-adaptive"])
def test_a_run_follows_the_schedule(name, rule):
    ours, twin = TWINS[name]
    visited = batches(5, 2, "reshuffle", 60, seed=1)
    [expected], _ = naive.float_trajectory(ROWS, rule[1], visited, twin)
    run = ib.simulate(ROWS, rule[0], lr=ours, batch=2, steps=60, seed=1)
    np.testing.assert_allclose(run.weights[-1], expected, rtol=1e-9)
    assert run.last_lr[-1] == pytest.approx(twin(59), rel=1e-12)
    assert run.sum_lr[-1] == pytest.approx(math.fsum(map(twin, range(60))), rel=1e-12)
    assert run.lr is ours


def test_a_cosine_has_all_its_digits_at_its_end():
    steps = 10**8
    [last] = ib.Cosine(1.0, steps)(np.array([steps - 1]))
    assert last == pytest.approx((math.pi / (2 * steps)) ** 2, rel=1e-12)


@pytest.mark.parametrize("item", [ib.SGD(), ib.Adam(0.9, 0.95)])
def test_a_block_gives_the_bits_of_single_runs(item):
    """Of schedules that share a row of the table, and of others."""
    laws = [ours for name, (ours, _) in TWINS.items() if name != "loss-adaptive"]
    laws += [ib.Cosine(0.2, 60), ib.Linear(0.3, 60), ib.Increasing(0.02, 0.7)]
    together = ib.simulate(ROWS, [item] * len(laws), lr=laws, batch=2, steps=60)
    for law, run in zip(laws, together, strict=True):
        alone = ib.simulate(ROWS, item, lr=law, batch=2, steps=60)
        for name in ("weights", "sum_lr", "last_lr", "last_move", "state"):
            np.testing.assert_array_equal(getattr(run, name), getattr(alone, name))


class OverLoss:
    """u = g / L with L the mean loss of the batch."""

    def start(self, d, number):
        pass

    def see(self, w, gradients, losses):
        self.loss = sum(losses) / len(losses)

    def step(self, g, t, sqrt):
        return [x / self.loss for x in g]


@pytest.mark.parametrize("loss", ["logistic", "exponential"])
@pytest.mark.parametrize(("order", "batch"), [("full", 0), ("cyclic", 2), ("reshuffle", 1)])
@pytest.mark.parametrize("rows", [ROWS, SPARSE], ids=["dense", "sparse"])
def test_over_the_loss_as_with_50_digits(rows, order, batch, loss):
    """From 0, and from margins of thousands that are far apart: the loss is no float64 from the start."""
    n = len(rows)
    batch = batch or n
    separator = ib.max_margin(rows, "l2").direction / ib.max_margin(rows, "l2").margin
    skew = np.linspace(0.0, 500.0, n) @ rows
    for start, steps, record in ((None, 400, [1, 20, 400]), (3000.0 * separator + 2.0 * skew, 60, [1, 60])):
        visited = list(batches(n, batch, order, steps, seed=1))
        twin = ib.LossAdaptive(2.0, 0.25)
        weights, logs = naive.trajectory(
            rows, OverLoss(), visited, lambda t, law=twin: law(np.array([t]))[0], loss, start, record
        )
        for step, w, log_loss in zip(record, weights, logs, strict=True):
            run = ib.simulate(
                rows, ib.SGD(), lr=twin, batch=batch, order=order, steps=step, seed=1, loss=loss, initial=start
            )
            np.testing.assert_allclose(run.weights[-1], w, rtol=1e-9, atol=1e-10 * np.abs(w).max())
            assert run.curve["log_loss"].iloc[-1] == pytest.approx(log_loss, rel=1e-9)
        if start is not None:
            assert logs[-1] < -1000.0


def test_over_the_loss_past_underflow_from_the_beginning():
    """From log-loss -0.7 to below -1000."""
    rows, steps = ROWS + 1.0, 1000
    [w], [log_loss] = naive.trajectory(rows, OverLoss(), [range(5)] * steps, lambda t: 1.0)
    run = ib.simulate(rows, ib.SGD(), lr=ib.LossAdaptive(1.0), order="full", steps=steps)
    assert log_loss < -1000.0
    np.testing.assert_allclose(run.weights[-1], w, rtol=1e-9)
    assert run.curve["log_loss"].iloc[-1] == pytest.approx(log_loss, rel=1e-9)
    assert run.optimizer == ib.SGD() and run.lr == ib.LossAdaptive(1.0)
    assert run.last_lr[-1] == 1.0 and run.sum_lr[-1] == steps


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("batch", [1, 11])
def test_over_the_loss_in_a_block(batch, sparse):
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(13, 21)) * (rng.random((13, 21)) < (0.2 if sparse else 1.0))
    rows[:, 0] = 1.0
    laws = [ib.LossAdaptive(0.3 * (k + 1), 0.5 * (k % 2)) for k in range(11)]
    laws[3] = 0.1  # beside another kernel
    shared = {"batch": batch, "steps": 1000, "seed": 2}
    together = ib.simulate(rows, [ib.SGD()] * 11, lr=laws, **shared)
    for k in (0, 3, 5, 10):
        alone = ib.simulate(rows, ib.SGD(), lr=laws[k], **shared)
        for name in ("weights", "sum_lr", "last_lr", "last_move", "state"):
            np.testing.assert_array_equal(getattr(together[k], name), getattr(alone, name))


@pytest.mark.parametrize("power", [200, -200])
def test_over_the_loss_on_huge_and_tiny_rows(power):
    """Powers of two change nothing: w is over 2^k where the rows are 2^k times as long, with steps over 4^k."""
    plain = ib.simulate(ROWS, ib.SGD(), lr=ib.LossAdaptive(1.0), batch=2, steps=300)
    lr = ib.LossAdaptive(4.0**-power)
    far = ib.simulate(np.ldexp(ROWS, power), ib.SGD(), lr=lr, batch=2, steps=300)
    np.testing.assert_array_equal(np.ldexp(far.weights, power), plain.weights)


def test_the_loss_falls_like_an_exponential():
    """The length of a step tends to eta gamma, in the direction of the separator: log L = -eta gamma^2 t. And
    -2 eta gamma^2 sqrt(t) at a = 1/2; that of gradient descent falls like log t alone."""
    gamma = ib.max_margin(ROWS, "l2").margin
    curves = {
        name: ib.simulate(ROWS, ib.SGD(), lr=lr, order="full", steps=2**16).curve.set_index("step")["log_loss"]
        for name, lr in (("over", ib.LossAdaptive(0.5)), ("root", ib.LossAdaptive(0.5, 0.5)), ("plain", 0.5))
    }
    for late, early in ((2**16, 2**15), (2**15, 2**14)):
        over, root, plain = (curves[name][late] - curves[name][early] for name in ("over", "root", "plain"))
        assert over / (late - early) == pytest.approx(-0.5 * gamma**2, rel=0.01)
        assert root / (math.sqrt(late) - math.sqrt(early)) == pytest.approx(-(gamma**2), rel=0.02)
        assert plain == pytest.approx(-math.log(2.0), rel=0.05)


def test_what_theory_says_of_steps_over_the_loss():
    """Full batch the l2 margin; row by row the mean of the rows, and not what it says of SGD; between them none."""
    full = ib.simulate(ROWS, ib.SGD(), lr=ib.LossAdaptive(0.5), order="full", steps=20_000).curve.iloc[-1]
    assert full["cos_limit"] > 0.99999 and full["cos_l2"] == pytest.approx(full["cos_limit"], abs=1e-9)
    rows = ROWS + 1.0  # so that their mean separates them
    single = ib.simulate(rows, ib.SGD(), lr=ib.LossAdaptive(0.5), batch=1, steps=20_000)
    mean = rows.mean(axis=0)
    assert single.curve["cos_limit"].iloc[-1] > 0.99999 > single.curve["cos_l2"].iloc[-1]
    assert single.weights[-1] @ mean / np.linalg.norm(single.weights[-1]) / np.linalg.norm(mean) > 0.99999
    some = ib.simulate(rows, ib.SGD(), lr=ib.LossAdaptive(0.5), batch=2, steps=100)
    assert some.curve["cos_limit"].isna().all() and some.curve["residual"].isna().all()


def test_random_lengths_are_exponential_and_independent():
    """Of mean and variance 1, without correlation over time, between seeds, and to the batches of the same seed."""
    t, many = np.arange(10**6), 10**6
    some = ib.Exponentiated(1.0, seed=5)(t)
    assert stats.kstest(some, "expon").pvalue > 1e-3
    others = [ib.Exponentiated(1.0, seed=6)(t), np.roll(some, 1)]
    visited = np.concatenate(batches(1000, 1, "replacement", many, seed=5))
    for other in (*others, -np.log((visited + 0.5) / 1000.0)):
        assert abs(np.corrcoef(some, other)[0, 1]) < 4.0 / math.sqrt(many)


def test_random_lengths_hang_on_the_step_alone():
    """However a run is looked at, cut up and set in a block."""
    laws = [ib.Exponentiated(0.1, seed=k) for k in range(10)]
    shared = {"batch": 2, "seed": 4}
    whole = ib.simulate(ROWS, ib.Adam(0.9, 0.95), lr=laws[3], steps=200, **shared)
    often = ib.simulate(ROWS, ib.Adam(0.9, 0.95), lr=laws[3], steps=200, per_octave=100, **shared)
    block = ib.simulate(ROWS, [ib.Adam(0.9, 0.95)] * 10, lr=laws, steps=200, **shared)
    part = ib.simulate(ROWS, ib.Adam(0.9, 0.95), lr=laws[3], steps=77, **shared)
    rest = ib.simulate(ROWS, ib.Adam(0.9, 0.95), steps=123, start=part)
    for run in (often, block[3], rest):
        assert (run.weights[-1] == whole.weights[-1]).all() and run.sum_lr[-1] == whole.sum_lr[-1]
    assert len({run.weights[-1].tobytes() for run in block}) == 10


@pytest.mark.parametrize(
    ("law", "steps", "words"),
    [
        (ib.Cosine(0.1, 10), 11,
         "the step size 0.1 cosine(steps=10) is 0 at step 11 of 11, and must be finite and > 0 at each; give it steps "
         ">= the horizon, or final > 0"),
        (ib.Linear(0.1, 10, warmup=2), 100_000, "0.1 linear(steps=10, warmup=2) is 0 at step 11 of 100000"),
        (ib.WarmupStableDecay(0.1, 10, 0, 3), 20, "is 0 at step 11 of 20, and must be finite and > 0 at each; give it "
         "steps >= the horizon"),
        (ib.Increasing(1.0, 200.0), 100, "the step size 1 (t+1)^200 is inf at step 100 of 100"),
        (ib.Exponentiated(1e308), 100, "the step size 1e+308 Exp(1) can be inf at step 1 of 100"),
        (ib.Exponentiated(1e-290, 2.0), 10**9, "1e-290 (t+2)^-2 Exp(1) can be 0 at step 1000000000 of 1000000000"),
        (ib.Power(1.0, 200.0), 100, "the step size 1 (t+2)^-200 is 0 at step 100 of 100"),
    ],
)  # fmt: skip
def test_a_step_size_must_be_one_at_every_step(law, steps, words):
    with pytest.raises(ib.InputError) as caught:
        ib.simulate(ROWS, [ib.SGD(), ib.Adam()], lr=law, steps=steps)
    (mistake,) = caught.value.mistakes
    assert words in mistake


@pytest.mark.parametrize("law", [ib.Cosine(0.1, 10), ib.Linear(0.1, 10), ib.WarmupStableDecay(0.1, 10, 2, 8)])
def test_it_may_become_zero_where_the_run_ends(law):
    assert ib.simulate(ROWS, ib.SGD(), lr=law, steps=10).last_lr[-1] > 0.0


@pytest.mark.parametrize(
    "item", [ib.SGD(0.9), ib.SGD(nesterov=True), ib.Adam(), ib.NGD(), ib.SVRG(ib.SGD())], ids=lambda item: item.label
)
def test_other_optimizers_are_not_divided_by_the_loss(item):
    with pytest.raises(ib.InputError) as caught:
        ib.simulate(ROWS, [ib.SGD(), item], lr=ib.LossAdaptive(0.1), steps=10)
    words = f"LossAdaptive divides the step by the loss and is for plain SGD(), not for {item.label}"
    assert caught.value.mistakes == [words]


@pytest.mark.parametrize(
    ("make", "mistakes"),
    [
        (lambda: ib.Cosine(0.0, 1.5, final=2, warmup=-1),
         ["eta of the step size must be finite and > 0, but is 0.0",
          "steps of the step size must be an integer, not 1.5",
          "final of the step size must be finite and from 0 to 1, but is 2",
          "warmup of the step size must be finite and >= 0, but is -1"]),
        (lambda: ib.Linear(0.1, 10, warmup=10), ["warmup of the step size must be < steps, but is 10 of 10"]),
        (lambda: ib.WarmupStableDecay(0.1, 10, 5, 6),
         ["warmup + decay of the step size must be <= steps, but is 5 + 6 of 10"]),
        (lambda: ib.Increasing(0.1, -0.5), ["a of the step size must be finite and >= 0, but is -0.5"]),
        (lambda: ib.Exponentiated(0.1, seed=-1),
         ["seed of the step size must be finite and from 0 to 2^63 - 1, but is -1"]),
        (lambda: ib.LossAdaptive("0.1"), ["eta of the step size must be a number, not '0.1'"]),
        (lambda: ib.simulate(ROWS, ib.SGD(), lr="cosine", steps=9),
         ["the schedule 'cosine' needs its numbers: { schedule = \"cosine\", eta = 0.1, steps = 1000 } in a study, "
          "Cosine(eta=0.1, steps=1000) in Python"]),
    ],
)  # fmt: skip
def test_arguments_out_of_range(make, mistakes):
    with pytest.raises(ib.InputError) as caught:
        make()
    assert caught.value.mistakes == mistakes


@pytest.mark.parametrize("kind", SCHEDULES.values())
def test_every_schedule_is_complete(kind):
    """What the package asks of a new one: public, numbers with a rule, an example that can be used."""
    assert issubclass(kind, Schedule) and getattr(ib, kind.__name__) is kind
    assert set(inspect.signature(kind).parameters) <= set(RULES)
    law = kind(**kind.example)
    assert law.mistake(kind.example.get("steps", 1000)) is None
    assert hash(law) == hash(kind(**kind.example)) and law.law == kind(**kind.example | {"eta": 7.0}).law

"""The optimizers that came with the family against 50-digit arithmetic, and against each other."""

import naive_family as twin
import numpy as np
import pytest

import implicitbias as ib
from implicitbias.simulation.orders import batches, steps_per_epoch

STEPS = 2_000
INF = float("inf")
RNG = np.random.default_rng(0)
DISJOINT = np.zeros((4, 8))
for i in range(4):
    DISJOINT[i, 2 * i : 2 * i + 2] = 1 + 3 * i, -(0.5 + i)
ROWS = {"dense": RNG.normal(size=(6, 8)), "disjoint": DISJOINT,
        "sparse": np.array([[1, 0, 0, 0, 2.0], [0, 3, 0, 0, -1], [0, 0, -4, 0, 1], [10, 0, 0, 5, 0]])}  # fmt: skip

P = ib.geometry.gaussian(n=6, d=9, seed=1)

# ours, the twin, the step size
PAIRS = {
    "amsgrad": (ib.AMSGrad(0.9, 0.95), twin.AMSGrad(beta1=0.9, beta2=0.95), 1.0),
    "rmsprop": (ib.RMSProp(0.95), twin.RMSProp(beta2=0.95), 1.0),
    "nadam": (ib.NAdam(0.9, 0.95), twin.NAdam(beta1=0.9, beta2=0.95), 1.0),
    "laprop": (ib.LaProp(0.9, 0.95), twin.LaProp(beta1=0.9, beta2=0.95), 1.0),
    "amsgrad with eps": (ib.AMSGrad(0.9, 0.95, eps=1e-3), twin.AMSGrad(beta1=0.9, beta2=0.95, eps=1e-3), 0.1),
    "amsgrad, corrected": (
        ib.AMSGrad(0.9, 0.95, True, 1e-3),
        twin.AMSGrad(beta1=0.9, beta2=0.95, bias_correction=True, eps=1e-3),
        0.1,
    ),
    "rmsprop with eps": (ib.RMSProp(0.95, 1e-3), twin.RMSProp(beta2=0.95, eps=1e-3), 0.1),
    "nadam with eps": (ib.NAdam(0.9, 0.95, 1e-3), twin.NAdam(beta1=0.9, beta2=0.95, eps=1e-3), 0.1),
    "laprop with eps": (ib.LaProp(0.9, 0.95, 1e-3), twin.LaProp(beta1=0.9, beta2=0.95, eps=1e-3), 0.1),
    "lion": (ib.Lion(0.9, 0.99), twin.Lion(beta1=0.9, beta2=0.99, weight_decay=0.0), 1.0),
    "lion with decay": (ib.Lion(0.9, 0.95, 1e-3), twin.Lion(beta1=0.9, beta2=0.95, weight_decay=1e-3), 1.0),
    "sophia": (ib.Sophia(0.9, 0.95, 0.3), twin.Sophia(beta1=0.9, beta2=0.95, rho=0.3), 0.5),
    "sophia, unclipped": (ib.Sophia(0.9, 0.95, 30), twin.Sophia(beta1=0.9, beta2=0.95, rho=30.0), 1.0),
    "sophia with eps": (ib.Sophia(eps=1e-2), twin.Sophia(beta1=0.965, beta2=0.99, rho=0.05, eps=1e-2), 0.1),
    "steepest in l1": (ib.SteepestDescent(1), twin.SteepestDescent(p=1.0), 0.5),
    "steepest in l3": (ib.SteepestDescent(3), twin.SteepestDescent(p=3.0), 0.5),
    "steepest in l1.5": (ib.SteepestDescent(1.5), twin.SteepestDescent(p=1.5), 0.5),
    "steepest in linf": (ib.SteepestDescent(), twin.SteepestDescent(p=INF), 1.0),
    "mirror": (ib.MirrorDescent(3), twin.MirrorDescent(p=3.0), 0.05),
    "sam": (ib.SAM(0.1), twin.SAM(rho=0.1, linf=False), 0.05),
    "sam in linf": (ib.SAM(0.1, linf=True), twin.SAM(rho=0.1, linf=True), 0.05),
    "schedule-free sgd": (ib.ScheduleFreeSGD(0.9), twin.ScheduleFreeSGD(beta=0.9, averaging=0.0), 0.05),
    "schedule-free sgd, t^3": (ib.ScheduleFreeSGD(0.5, 4), twin.ScheduleFreeSGD(beta=0.5, averaging=4.0), 0.05),
    "schedule-free adam": (
        ib.ScheduleFreeAdamW(0.9, 0.95),
        twin.ScheduleFreeAdamW(beta=0.9, beta2=0.95, weight_decay=0.0, averaging=0.0),
        1.0,
    ),
    "schedule-free adamw": (
        ib.ScheduleFreeAdamW(0.9, 0.95, 1e-3),
        twin.ScheduleFreeAdamW(beta=0.9, beta2=0.95, weight_decay=1e-3, averaging=0.0),
        1.0,
    ),
    "schedule-free adamw with eps": (
        ib.ScheduleFreeAdamW(0.9, 0.95, 1e-3, eps=1e-3),
        twin.ScheduleFreeAdamW(beta=0.9, beta2=0.95, weight_decay=1e-3, averaging=0.0, eps=1e-3),
        0.1,
    ),
    "dual accelerated": (ib.DualAccelerated(), twin.DualAccelerated(), 0.05),
    "rescaling": (ib.ProgressiveRescaling(50, 1.1), twin.ProgressiveRescaling(stage=50.0, growth=1.1), 0.5),
    "ema of adam": (ib.EMA(ib.Adam(0.9, 0.95), 0.9), twin.EMA(twin.Adam(beta1=0.9, beta2=0.95), 0.9), 1.0),
    "ema of sgd": (ib.EMA(ib.SGD(0.5), 0.9), twin.EMA(twin.SGD(momentum=0.5), 0.9), 0.05),
    "mars on adam": (ib.MARS(ib.Adam(0.9, 0.95), 0.1), twin.MARS(twin.Adam(beta1=0.9, beta2=0.95), gamma=0.1), 1.0),
    "mars on signum": (ib.MARS(ib.Signum(0.9), 0.1), twin.MARS(twin.Signum(beta=0.9), gamma=0.1), 1.0),
    "mars on lion": (
        ib.MARS(ib.Lion(0.9, 0.95), 1.0),
        twin.MARS(twin.Lion(beta1=0.9, beta2=0.95, weight_decay=0.0), gamma=1.0),
        0.5,
    ),
    **{
        f"decayed {name}": (ib.Decayed(base, 1e-3), twin.Decayed(rule, weight_decay=1e-3), lr)
        for name, base, rule, lr in (
            ("sgd", ib.SGD(0.5), twin.SGD(momentum=0.5), 0.05),
            ("signum", ib.Signum(0.9), twin.Signum(beta=0.9), 1.0),
            ("steepest in l3", ib.SteepestDescent(3), twin.SteepestDescent(p=3.0), 0.5),
            ("nadam", ib.NAdam(0.9, 0.95), twin.NAdam(beta1=0.9, beta2=0.95), 1.0),
            ("laprop with eps", ib.LaProp(0.9, 0.95, 1e-3), twin.LaProp(beta1=0.9, beta2=0.95, eps=1e-3), 0.1),
            ("rmsprop", ib.RMSProp(0.95), twin.RMSProp(beta2=0.95), 1.0),
            ("ftrl", ib.FTRL(0.5), twin.FTRL(beta=0.5), 0.5),
        )
    },
    **{
        f"clipped {name}": (ib.Clipped(base, bound), twin.Clipped(rule, bound=bound), lr)
        for name, bound, base, rule, lr in (
            ("sgd", 0.01, ib.SGD(0.5), twin.SGD(momentum=0.5), 0.1),
            ("adam", 0.5, ib.Adam(0.9, 0.95), twin.Adam(beta1=0.9, beta2=0.95), 0.5),
            ("rmsprop with eps", 0.5, ib.RMSProp(0.95, 1e-3), twin.RMSProp(beta2=0.95, eps=1e-3), 0.1),
            ("laprop", 0.7, ib.LaProp(0.9, 0.95), twin.LaProp(beta1=0.9, beta2=0.95), 1.0),
            ("ftrl", 1.5, ib.FTRL(0.9), twin.FTRL(beta=0.9), 0.5),
        )
    },
    "in the subspace": (ib.SubspaceSGD(2, momentum=0.5), twin.Subspace(twin.SGD(momentum=0.5)), 0.05),
    "in the bulk": (ib.SubspaceSGD(2, "bulk", 3), twin.Subspace(twin.SGD(momentum=0.0), 2, "bulk", 3), 0.05),
    "svrg on sgd": (ib.SVRG(ib.SGD()), twin.SVRG(twin.SGD(momentum=0.0)), 0.05),
    "svrg on signum": (ib.SVRG(ib.Signum(0.9)), twin.SVRG(twin.Signum(beta=0.9)), 0.5),
    "svrg on adam": (ib.SVRG(ib.Adam(0.9, 0.95)), twin.SVRG(twin.Adam(beta1=0.9, beta2=0.95)), 0.5),
}


def compare(rows, ours, rule, lr, batch, order="reshuffle", steps=STEPS, start=None, record=None):
    record = [1, 50, steps] if record is None else record
    visited = list(batches(len(rows), batch, order, steps, seed=1))
    per_epoch = steps_per_epoch(len(rows), batch, "drop" if order == "reshuffle" else "keep")
    expected, logs = twin.trajectory(rows, rule, visited, lambda t: lr, per_epoch, w0=start, record=record)
    for step, w, log_loss in zip(record, expected, logs, strict=True):
        run = ib.simulate(rows, ours, lr=lr, batch=batch, order=order, steps=step, seed=1, initial=start)
        np.testing.assert_allclose(run.weights[-1], w, rtol=1e-9, atol=1e-12 * np.abs(w).max(), err_msg=f"step {step}")
        assert run.curve["log_loss"].iloc[-1] == pytest.approx(log_loss, rel=1e-9, abs=1e-12)
    return logs[-1]


# Where the step is too large for the curvature the recursion is chaotic: rows moved by 1e-15 change the third digit of
# w, in any arithmetic. Smaller steps, or fewer, are not.
GENTLE = {("steepest in l1.5", "disjoint"): (0.05, STEPS), ("dual accelerated", "disjoint"): (0.05, 300)}


@pytest.mark.parametrize("shape", ROWS)
@pytest.mark.parametrize("name", PAIRS)
def test_trajectory_is_that_of_50_digits(name, shape):
    ours, rule, lr = PAIRS[name]
    lr, steps = GENTLE.get((name, shape), (lr, STEPS))
    compare(ROWS[shape], ours, rule, lr, batch=2, steps=steps)


@pytest.mark.long
@pytest.mark.parametrize("shape", ROWS)
@pytest.mark.parametrize("name", PAIRS)
def test_trajectory_is_that_of_50_digits_after_20000_steps(name, shape):
    """Where a run is chaotic, as far as it is not (`GENTLE`): dual acceleration takes ever longer steps. That of
    rescaling has weights that no 50 digits hold soon after."""
    ours, rule, lr = PAIRS[name]
    lr, steps = GENTLE.get((name, shape), (lr, STEPS))
    longer = steps == STEPS and name not in ("rescaling", "dual accelerated")
    compare(ROWS[shape], ours, rule, lr, batch=2, steps=10 * steps if longer else steps)


HOMOGENEOUS = [
    "sophia", "sophia, unclipped", "amsgrad", "rmsprop", "nadam", "laprop", "lion", "steepest in l1",
    "steepest in l3", "steepest in linf", "schedule-free adam", "dual accelerated", "rescaling", "ema of adam",
    "mars on adam", "mars on signum", "mars on lion", "svrg on signum", "svrg on adam", "decayed signum",
    "decayed nadam", "decayed rmsprop", "decayed ftrl", "clipped adam", "clipped laprop", "clipped ftrl",
]  # fmt: skip


@pytest.mark.parametrize("shape", ["dense", "disjoint"])
@pytest.mark.parametrize("name", HOMOGENEOUS)
def test_trajectory_starting_beyond_underflow(name, shape):
    """From a point with log-loss below -10000, where every weight is 0 in float64."""
    ours, rule, _ = PAIRS[name]
    rows = ROWS[shape]
    direction = ib.max_margin(rows).direction
    start = np.round(12_000 * direction / (rows @ direction).min())
    # momentum in the dual picks up speed; decay of such a w turns the batches over, with large steps chaotically
    lr = 1e-3 if name == "dual accelerated" else 0.05 if "decayed" in name else 0.5
    assert compare(rows, ours, rule, lr, batch=3, steps=300, start=start, record=[1, 10, 300]) < -10_000


@pytest.mark.parametrize(
    "item",
    [
        ib.NAdam(eps=1e-6),
        ib.LaProp(eps=1e-6),
        ib.AMSGrad(eps=1e-6),
        ib.RMSProp(eps=1e-6),
        ib.ScheduleFreeAdamW(eps=1e-6),
    ],
)
def test_with_eps_nothing_is_free_of_scale(item):
    """And what is at the default of what came later is as it was, also in the ids of runs."""
    assert not item.scale_free and not item.has_tail_map
    plain = type(item)()
    assert plain.scale_free and item.canonical()["eps"] == 1e-6
    assert "eps" not in plain.canonical() or type(item) is ib.RMSProp
    kinds = [item, plain] * 4 + [item] * 3
    together = ib.simulate(P, kinds, lr=0.1, batch=2, steps=300)
    for run, kind in zip(together, kinds, strict=True):
        assert (run.weights == ib.simulate(P, kind, lr=0.1, batch=2, steps=300).weights).all()


# -- relations --------------------------------------------------------------------------------------------------------


def end(optimizer, lr=0.1, **options):
    options = {"batch": 2, "steps": 500, "seed": 3} | options
    return ib.simulate(P, optimizer, lr=lr, **options).weights


@pytest.mark.parametrize("one, other", [
    (ib.Lion(0.9, 0.9), ib.Signum(0.9)),
    (ib.SteepestDescent(INF), ib.Signum(0.0)),
    (ib.RMSProp(0.95, 1e-6), ib.Adam(0.0, 0.95, 1e-6)),
    (ib.RMSProp(0.95), ib.Adam(0.0, 0.95)),
    (ib.EMA(ib.Adam(0.9, 0.95), 0.0), ib.Adam(0.9, 0.95)),
    (ib.Decayed(ib.Adam(0.9, 0.95), 0.1), ib.AdamW(0.9, 0.95, weight_decay=0.1)),
    (ib.Decayed(ib.Adam(eps=1e-6, bias_correction=True)), ib.AdamW(eps=1e-6, bias_correction=True)),
    (ib.Decayed(ib.Signum(0.9), 0.1), ib.Lion(0.9, 0.9, 0.1)),
    (ib.Decayed(ib.NAdam(0.9, 0.95), 0.0), ib.NAdam(0.9, 0.95)),
    (ib.Sophia(0.9, rho=0.0), ib.Signum(0.9)),
    (ib.MARS(ib.Signum(0.9), 0.0), ib.Signum(0.9)),
    (ib.MARS(ib.Lion(), 0.0), ib.Lion()),
], ids=lambda item: item.label)  # fmt: skip
def test_the_same_path_bit_by_bit(one, other):
    """MARS clips at a length of 1: on rows so short that no gradient is longer."""
    problem = ib.Problem(P.rows / 64) if "MARS" in one.label else P
    runs = [ib.simulate(problem, item, lr=0.1, batch=2, steps=500, seed=3).weights for item in (one, other)]
    assert (runs[0] == runs[1]).all()


@pytest.mark.parametrize("power", [-250, 250])
def test_curvatures_of_huge_and_tiny_rows(power):
    """Powers of two change nothing: with rows 2^k times as long, w, the step and rho are over 2^k. The long way is that
    of rows with weights far apart."""
    far = 2.0**power
    for problem in (P, ib.geometry.sparse(n=6, d=12, seed=1)):
        near, long = problem.rows, np.ldexp(problem.rows, power)
        for start in (0.0, 300.0 * np.linspace(1.0, 4.0, len(near)) @ near):
            options = {"batch": 2, "steps": 300, "seed": 3}
            one = ib.simulate(near, ib.Sophia(rho=0.5), lr=0.1, initial=start + np.zeros(near.shape[1]), **options)
            other = ib.simulate(long, ib.Sophia(rho=0.5 / far), lr=0.1 / far, initial=one.initial / far, **options)
            np.testing.assert_array_equal(other.weights * far, one.weights)


def test_rows_whose_squares_leave_float64_are_refused():
    with pytest.raises(ib.InputError, match="Sophia sees squares of the entries of the rows, and these are too large"):
        ib.simulate(np.ldexp(P.rows, 800), ib.Sophia(), steps=1)
    uneven = P.rows * np.ldexp(1.0, np.linspace(-250, 250, 9).astype(int))  # not these
    rule, lr = twin.Sophia(beta1=0.9, beta2=0.95, rho=0.1, eps=0.0), 2.0**-252
    visited = list(batches(6, 2, "reshuffle", 200, seed=1))
    [expected], _ = twin.trajectory(uneven, rule, visited, lambda t: lr, 3)
    run = ib.simulate(uneven, ib.Sophia(0.9, 0.95, 0.1), lr=lr, batch=2, steps=200, seed=1)
    np.testing.assert_allclose(run.weights[-1], expected, rtol=1e-9)
    assert len(np.unique(np.abs(expected))) > 5


@pytest.mark.parametrize("one, other", [
    (ib.SteepestDescent(2), ib.NGD()),
    (ib.EMA(ib.NGD(), 0.0), ib.NGD()),
    (ib.MirrorDescent(2), ib.SGD()),
    (ib.SAM(0.0), ib.SGD()),
    (ib.SAM(0.0, linf=True), ib.SGD()),
    (ib.LaProp(0.0, 0.95), ib.RMSProp(0.95)),
    (ib.NAdam(0.0, 0.95), ib.RMSProp(0.95)),
    (ib.LaProp(0.0, 0.95, 1e-3), ib.RMSProp(0.95, 1e-3)),
    (ib.NAdam(0.0, 0.95, 1e-3), ib.RMSProp(0.95, 1e-3)),
    (ib.FTRL(0.0), ib.Signum(0.0)),
    (ib.ProgressiveRescaling(10, 1.0), ib.NGD()),
    (ib.MARS(ib.Adam(0.9, 0.95), 0.0), ib.Adam(0.9, 0.95)),
    (ib.Decayed(ib.NGD(), 0.0), ib.NGD()),
    (ib.Decayed(ib.SGD(0.9), 0.0), ib.SGD(0.9)),
    (ib.Clipped(ib.SGD(0.9), 1e9), ib.SGD(0.9)),
    (ib.Clipped(ib.Adam(0.9, 0.95, 1e-6, True), 1e9), ib.Adam(0.9, 0.95, 1e-6, True)),
    (ib.Clipped(ib.AdaGrad(), 1e9), ib.AdaGrad()),
    (ib.Clipped(ib.AMSGrad(bias_correction=True), 1e9), ib.AMSGrad(bias_correction=True)),
], ids=lambda item: item.label)  # fmt: skip
def test_the_same_path_up_to_rounding(one, other):
    problem = ib.Problem(P.rows / 64) if "MARS" in one.label else P
    runs = [ib.simulate(problem, item, lr=0.1, batch=2, steps=500, seed=3).weights for item in (one, other)]
    np.testing.assert_allclose(runs[0], runs[1], rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("beta", [0.5, 0.9, 0.99])
def test_ftrl_is_adam_with_another_step(beta):
    """arXiv 2402.01567: m / sqrt(v) of Adam(beta, beta^2) is sqrt((1 - beta) / (1 + beta)) times the ratio of FTRL."""
    adam = end(ib.Adam(beta, beta**2), lr=0.1)
    ftrl = end(ib.FTRL(beta), lr=0.1 * np.sqrt((1 - beta) / (1 + beta)))
    np.testing.assert_allclose(ftrl, adam, rtol=1e-12, atol=1e-13)


def test_without_discount_no_margin_is_maximised():
    """The ratio freezes on the early gradients (arXiv 2402.01567)."""
    problem = ib.geometry.gaussian(n=10, d=50, seed=0)
    runs = ib.simulate(problem, [ib.FTRL(1.0), ib.FTRL(0.5)], lr=0.003, batch="n", steps=20_000)
    frozen, discounted = (run.curve["ratio_linf"].iloc[-1] for run in runs)
    assert frozen < 0.7 and discounted > 0.98


@pytest.mark.parametrize("base", [ib.SGD(), ib.Signum(0.9), ib.Adam(0.9, 0.95)], ids=lambda item: item.label)
def test_variance_reduction_of_full_batches_changes_nothing(base):
    whole = end(base, batch="n", lr=0.05)
    np.testing.assert_allclose(end(ib.SVRG(base), batch="n", lr=0.05), whole, rtol=1e-9, atol=1e-12)


def test_schedule_free_without_interpolation_averages_gradient_descent():
    """beta = 0: gradients at z, and with constant steps x is the mean of the z after each step."""
    run = ib.simulate(P, ib.ScheduleFreeSGD(0.0), lr=0.1, batch=2, steps=64, seed=3, per_octave=1000)
    plain = ib.simulate(P, ib.SGD(), lr=0.1, batch=2, steps=64, seed=3, per_octave=1000)
    assert (run.steps == np.arange(1, 65)).all()
    mean = np.cumsum(plain.weights, axis=0) / np.arange(1, 65)[:, None]
    np.testing.assert_allclose(run.weights, mean, rtol=1e-12, atol=1e-13)
    # K = 1 is the same average where steps are constant
    other = ib.simulate(P, ib.ScheduleFreeSGD(0.0, 1.0), lr=0.1, batch=2, steps=64, seed=3, per_octave=1000)
    np.testing.assert_allclose(other.weights, run.weights, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("kind", [ib.ScheduleFreeSGD, ib.ScheduleFreeAdamW])
def test_schedule_free_tells_the_iterate_that_is_asked_for(kind):
    """x, z and y = (1 - beta) z + beta x of one path; in one call, where the runs share a batch."""
    three = [kind(beta=0.75, averaging=2.0, iterate=k) for k in (0, 1, 2)]
    x, z, y = (run.weights for run in ib.simulate(P, three, lr=0.1, batch=2, steps=64, seed=3, per_octave=1000))
    np.testing.assert_allclose(y, 0.25 * z + 0.75 * x, rtol=1e-12, atol=1e-13)
    assert np.abs(x[5:] - z[5:]).min(axis=1).max() > 1e-6
    share = np.minimum(2.0 / np.arange(1, 65), 1.0)[:, None]
    np.testing.assert_allclose(x[1:], (1.0 - share[1:]) * x[:-1] + share[1:] * z[1:], rtol=1e-12, atol=1e-13)
    assert "iterate" not in three[0].canonical()  # as before there was a choice
    with pytest.raises(ib.InputError, match=r"iterate of .* must be 0 \(x\), 1 \(z\) or 2 \(y\), but is 3"):
        kind(iterate=3)


@pytest.mark.parametrize("optimizer", [ib.Lion(0.9, 0.99, 0.1), ib.AdamW(0.9, 0.95, weight_decay=0.1),
                                       ib.ScheduleFreeAdamW(0.9, 0.95, 0.1)], ids=lambda item: item.label)  # fmt: skip
def test_weight_decay_ends_in_its_box(optimizer):
    """|w_j| <= 1 / weight_decay, up to a step (arXiv 2310.05898, 2404.04454)."""
    w = ib.simulate(P, optimizer, lr=0.01, batch="n", steps=20_000).weights[-1]
    assert np.abs(w).max() <= 10.0 + 0.02


@pytest.mark.parametrize("wrong, words", [
    (lambda: ib.MARS(ib.AdaGrad()), "MARS does not fit around AdaGrad; it goes around Adam, Lion, Muon, Signum"),
    (lambda: ib.EMA(ib.ScheduleFreeSGD()), "EMA does not fit around ScheduleFreeSGD"),
    (lambda: ib.Decayed(ib.AdamW()), "Decayed does not fit around AdamW; it goes around AMSGrad, AdaGrad, Adam"),
    (lambda: ib.Decayed(ib.NAdam(), -0.1), "weight_decay of DecayedNAdam must be >= 0 and finite, but is -0.1"),
    (lambda: ib.Clipped(ib.Lion()), "Clipped does not fit around Lion; it goes around AMSGrad, AdaGrad, Adam, FTRL"),
    (lambda: ib.Clipped(ib.FTRL(), 0), "bound of ClippedFTRL must be > 0 and finite, but is 0"),
    (lambda: ib.SVRG("adam"), "SVRG: optimizer must be one such as Adam\\(\\), not 'adam'"),
    (lambda: ib.EMA(ib.Adam(), 1.0), "decay of EMAAdam must be in \\[0, 1\\), but is 1.0"),
    (lambda: ib.SteepestDescent(0.5), "p of SteepestDescent must be at least 1, but is 0.5"),
    (lambda: ib.MirrorDescent(1.0), "p of MirrorDescent must be above 1 and finite"),
    (lambda: ib.ProgressiveRescaling(2.5, 0.5), "stage of ProgressiveRescaling must be an integer >= 1"),
    (lambda: ib.FTRL(1.1), "beta of FTRL must be in \\[0, 1\\]"),
])  # fmt: skip
def test_what_does_not_fit_is_told(wrong, words):
    with pytest.raises(ib.InputError, match=words):
        wrong()

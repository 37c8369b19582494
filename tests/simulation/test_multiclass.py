"""The driver on k classes: all optimizers against their twins, k = 2 against binary runs, bits, statuses."""

import decimal
from dataclasses import replace
from itertools import pairwise

import naive_family as family
import naive_matrix as twin
import numpy as np
import pytest
from naive import decimal_context
from optimizers.test_family import PAIRS as FAMILY
from simulation.test_tail import PAIRS as FIRST

import implicitbias as ib
from implicitbias.losses import log_loss
from implicitbias.optimizers import OPTIMIZERS
from implicitbias.optimizers.matrix.base import MatrixOptimizer
from implicitbias.simulation.orders import batches, steps_per_epoch
from implicitbias.simulation.scales import TRUE

RNG = np.random.default_rng(0)
BINARY = [kind for kind in OPTIMIZERS.values() if not issubclass(kind, MatrixOptimizer)]
EVERY = [kind() for kind in OPTIMIZERS.values()]
COUNT_FEATURES = ("adasgd", "adalayer", "adafactor", "dion")  # means over features, or random numbers for each


def gaussian(n, k, d, rng=RNG):
    return ib.Multiclass(rng.normal(size=(n, d)), rng.permutation(np.arange(n) % k))


def sparse(n, k, d):
    X = RNG.normal(size=(n, d)) * (RNG.random((n, d)) < 0.3)
    X[:, 0] = 1.0
    return ib.Multiclass(X, np.arange(n) % k)


DENSE, SPARSE = gaussian(7, 3, 5), sparse(9, 4, 11)
PROBLEMS = {"dense": DENSE, "sparse": SPARSE}


def simulate(problem, optimizer, **options):
    return ib.simulate(problem, optimizer, **({"measures": [], "seed": 1} | options))


def log_losses(run):
    return log_loss(run.problem.soft_margins(run.problem.margins(run.weights)), run.setting.loss)


# -- gradients --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["logistic", "exponential"])
@pytest.mark.parametrize("size", [0.0, 1.0, 30.0, 700.0, 3000.0])
def test_a_gradient_anywhere(size, loss):
    """A step of gradient descent: margins of both signs, up to `size` times those of a Gaussian W."""
    for problem in (DENSE, SPARSE, gaussian(6, 2, 3), gaussian(9, 9, 2), gaussian(20, 5, 1)):
        W = size * np.random.default_rng(3).normal(size=problem.shape)
        with decimal.localcontext(decimal_context(50)):
            X, start = twin.exact(problem.X, decimal.Decimal), twin.exact(W, decimal.Decimal)
            expected = start - twin.gradient(X, problem.labels, start, range(problem.n), loss)
        run = simulate(problem, ib.SGD(), lr=1.0, order="full", steps=1, loss=loss, initial=W)
        if np.abs(expected).max() > 1e300:  # gradient descent leaves float64
            assert run.status == "non_finite"
        else:
            expected = expected.astype(float)
            # of margins of 1e4, ulps are 1e-12
            allowed = 1e-13 * max(1.0, 10 * size) * np.abs(expected).max()
            np.testing.assert_allclose(run.weights[-1], expected, rtol=0, atol=allowed)


# -- twins ------------------------------------------------------------------------------------------------------------

PAIRS = {name: (ours, twin.Plain(rule), lr) for name, (ours, rule, lr) in FIRST.items()} | FAMILY
PAIRS["ftrl"] = ib.FTRL(0.5), family.FTRL(beta=0.5), 0.5


def test_every_optimizer_has_a_twin():
    """But for those around others, which have one for some of their bases."""
    tried = {type(ours) for ours, _, _ in PAIRS.values()}
    assert {kind for kind in BINARY if not hasattr(kind, "outer")} <= tried
    assert {kind.outer for kind in BINARY if hasattr(kind, "outer")} == {
        kind.outer for kind in tried if hasattr(kind, "outer")
    }


@pytest.mark.parametrize("loss, problem", [("logistic", "dense"), ("exponential", "sparse")])
@pytest.mark.parametrize("name", PAIRS)
def test_path_is_that_of_the_twin(name, loss, problem):
    ours, rule, lr = PAIRS[name]
    problem, lr, record = PROBLEMS[problem], 0.1 * lr, [1, 20, 120]
    visited = batches(problem.n, 2, "cyclic", record[-1])
    per_epoch = steps_per_epoch(problem.n, 2, "keep")
    expected, logs = twin.trajectory(problem, rule, visited, lambda t: lr, per_epoch, loss, None, record, "decimal")
    for step, W, log in zip(record, expected, logs, strict=True):
        run = simulate(problem, ours, lr=lr, batch=2, order="cyclic", steps=step, loss=loss)
        np.testing.assert_allclose(run.weights[-1], W, rtol=1e-9, atol=1e-12 * np.abs(W).max(), err_msg=f"step {step}")
        assert log_losses(run)[-1] == pytest.approx(log, rel=1e-9, abs=1e-12)


# -- two classes ------------------------------------------------------------------------------------------------------

LABELS = np.array([0, 1, 1, 0, 1, 0])
ROWS = RNG.normal(size=(6, 7))
ROOT = np.sqrt(2)


def factor(item):
    """The binary step over that of two classes: both rows move by u / 2 where u is free of the number of rows, and by
    less where it is over a length of all."""
    kind = getattr(item, "base", item)
    if isinstance(kind, ib.NGD | ib.ProgressiveRescaling):
        return ROOT
    if isinstance(kind, ib.SteepestDescent):
        return 2 ** (1 - 1 / kind.p)
    return 2 ** (kind.p - 1) if isinstance(kind, ib.MirrorDescent) else 2.0


def of_difference(item):
    """The optimizer that moves w = w_1 - w_0 as this one moves W."""
    changed = {"weight_decay": item.weight_decay / factor(item)} if hasattr(item, "weight_decay") else {}
    if isinstance(getattr(item, "base", item), ib.SAM):
        changed["rho"] = item.rho * (2.0 if item.linf else ROOT)
    return replace(item, **changed)


@pytest.mark.parametrize("loss", ["logistic", "exponential"])
@pytest.mark.parametrize("item", [
    *(kind() for kind in BINARY), ib.SteepestDescent(1), ib.SteepestDescent(3), ib.SAM(0.1, linf=True),
    ib.Adam(0.9, 0.99, 1e-3, True), ib.Adam(kappa=1.0), ib.SGD(0.9, nesterov=True), ib.AdaGrad(1e-3, True),
], ids=lambda item: item.label)  # fmt: skip
def test_two_classes_are_a_binary_problem(item, loss):
    X = ROWS / 64 if "MARS" in item.label else ROWS  # MARS clips at a length of 1
    lr = 0.02 if isinstance(item, ib.MirrorDescent) else 0.05
    options = {"batch": 2, "steps": 300, "loss": loss}
    W = simulate(ib.Multiclass(X, LABELS), item, lr=lr, **options).weights[-1]
    w = simulate(ib.Problem(X, 2 * LABELS - 1), of_difference(item), lr=factor(item) * lr, **options).weights[-1]
    np.testing.assert_allclose(W[1] - W[0], w, rtol=0, atol=1e-12 * np.abs(w).max())
    if not (isinstance(item, ib.SteepestDescent) and item.p == 1):  # which moves one entry of W at a time
        np.testing.assert_allclose(W[0], -W[1], rtol=0, atol=1e-12 * np.abs(w).max())


@pytest.mark.parametrize("item", [
    ib.NormalizedSteepestDescent("spectral", momentum=0.9), ib.NormalizedSteepestDescent("nuclear"),
    ib.Muon(momentum=0.0), ib.Shampoo(beta=0.0), ib.NormalizedSteepestDescent("frobenius"),
], ids=lambda item: item.label)  # fmt: skip
def test_of_two_classes_all_spectral_steps_are_normalised_ones(item):
    momentum = getattr(item, "momentum", 0.0)
    base = ib.NormalizedSteepestDescent("frobenius", momentum=momentum) if momentum else ib.NGD()
    problem, options = ib.Multiclass(ROWS, LABELS), {"batch": 2, "steps": 300}
    W = simulate(problem, item, lr=0.05, **options).weights[-1]
    if momentum:
        expected = simulate(problem, base, lr=0.05, **options).weights[-1]
        np.testing.assert_allclose(W, expected, rtol=0, atol=1e-12)
    else:
        w = simulate(ib.Problem(ROWS, 2 * LABELS - 1), base, lr=ROOT * 0.05, **options).weights[-1]
        np.testing.assert_allclose(W[1] - W[0], w, rtol=0, atol=1e-12)


# -- bits -------------------------------------------------------------------------------------------------------------


def far_out(problem, margin=2000.0):
    """Weights with all margins this large, but for factors up to 2."""
    rows = problem.pairs()
    wanted = margin * (1.0 + np.arange(len(rows)) / len(rows))
    W = np.linalg.lstsq(rows, wanted, rcond=None)[0].reshape(problem.shape)
    assert problem.margins(W).min() > 0.9 * margin
    return W


WIDE = gaussian(7, 3, 9)
PLACES = {"near": (SPARSE, None), "far": (WIDE, far_out(WIDE))}
FIRST_PART, MORE, MANY = 61, 90, 11
PATH = ("weights", "sum_lr", "last_lr", "last_move")


def same(one, other, names=PATH):
    for name in names:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("item", EVERY, ids=lambda item: item.label)
def test_the_same_bits_alone_in_a_block_and_in_parts(item, place):
    """Eleven runs: eight side by side and three left over, where there are such groups; then from one into another."""
    problem, initial = PLACES[place]
    # of SOAP without eps, a direction that a new basis has just shown may be a huge step; in a subspace Adam may ascend
    shared, size = {"batch": 2, "initial": initial}, 1e-5 if isinstance(item, ib.SOAP) else 2e-3
    size = 2e-4 if item.sees_hessian else size
    lrs = [ib.Power(size * (k + 1), 0.5 * (k % 2)) for k in range(MANY)]
    whole = simulate(problem, [item] * MANY, lr=lrs, steps=FIRST_PART + MORE, **shared)
    part = simulate(problem, [item] * MANY, lr=lrs, steps=FIRST_PART, **shared)
    assert {run.status for run in whole} == {"ok"}
    for k in (0, 7, 10):
        same(simulate(problem, item, lr=lrs[k], steps=FIRST_PART + MORE, **shared), whole[k])
    rest = ib.simulate(problem, [item] * MANY, steps=MORE, start=part)
    alone = ib.simulate(problem, item, steps=MORE, start=part[9])
    for run, expected in [*zip(rest, whole), (alone, whole[9])]:
        late = expected.steps > FIRST_PART
        np.testing.assert_array_equal(run.weights[run.steps > FIRST_PART], expected.weights[late])
        np.testing.assert_array_equal(run.state, expected.state)
    if item.mode != TRUE or place == "near":  # far out gradients are nothing
        assert not np.array_equal(whole[0].weights[-1], whole[1].weights[-1])


@pytest.mark.parametrize("batch", ["n", 3])
@pytest.mark.parametrize(
    "kind",  # eigenvectors are rounded otherwise with a feature more
    [kind for name, kind in OPTIMIZERS.items() if name not in COUNT_FEATURES and not kind.sees_hessian],
)
def test_one_pass_and_the_careful_way_have_the_same_bits(kind, batch):
    """A feature that no row has asks for care, and changes nothing else."""
    plain = ib.geometry.gaussian_labels(n=8, d=16, k=3, seed=0)
    wide = ib.Multiclass(np.hstack([plain.X, np.zeros((8, 1))]), plain.labels)
    options = {"lr": ib.Power(0.3, 0.5), "batch": batch, "steps": 2000}
    one, other = (simulate(problem, kind(), **options) for problem in (plain, wide))
    assert one.status == other.status
    np.testing.assert_array_equal(one.weights, other.weights[..., :16])
    assert not other.weights[..., 16].any()


@pytest.mark.parametrize("order", ["full", "cyclic", "shuffle_once", "replacement"])
@pytest.mark.parametrize("item", [ib.Adam(), ib.SGD(0.9), ib.Muon(), ib.Dion(rank=2), ib.SOAP(every=3)],
                         ids=lambda item: item.label)  # fmt: skip
def test_every_order_in_parts(item, order):
    options = {"batch": 4, "order": order, "loss": "exponential", "lr": ib.Power(0.05, 0.5)}
    whole = simulate(SPARSE, item, steps=150, **options)
    run = simulate(SPARSE, item, steps=1, **options)
    for first, last in pairwise([1, 2, 30, 31, 150]):
        run = ib.simulate(SPARSE, item, steps=last - first, start=run)
    np.testing.assert_array_equal(run.weights[-1], whole.weights[-1])


def test_kinds_of_one_class_in_a_block_are_as_alone_and_go_on():
    """One sees samples and remembers them, the other does not."""
    problem = ib.geometry.gaussian_labels(n=8, d=16, k=3, seed=0)
    options = {"lr": ib.Power(0.3, 0.5), "batch": 4}
    for items in ([ib.Muon(polar="quintic"), ib.Muon(momentum=0.9)], [ib.Dion(rank=1), ib.Dion(rank=3)]):
        for order in (items, items[::-1]):
            block = simulate(problem, order, steps=3000, **options)
            further = simulate(problem, order, steps=200, start=block)
            for item, run, longer in zip(order, block, further, strict=True):
                alone = simulate(problem, item, steps=3200, **options)
                at = list(alone.steps).index(run.steps[-1]) if run.steps[-1] in alone.steps else None
                assert at is None or (alone.weights[at] == run.weights[-1]).all()
                np.testing.assert_array_equal(longer.weights[-1], alone.weights[-1])
                np.testing.assert_array_equal(
                    simulate(problem, item, steps=200, start=run).weights[-1], alone.weights[-1]
                )


def test_flows_and_binary_theory_refuse_several_classes():
    problem = ib.geometry.gaussian_labels(n=6, d=6, k=3, seed=0)
    for call in (
        lambda: ib.simulate(problem, ib.GradientFlow(), time=1.0),
        lambda: ib.predict(problem, ib.GradientFlow()),
    ):
        with pytest.raises(ib.InputError, match="flows are of data of two classes: a Problem, not a Multiclass"):
            call()
    for call in (lambda: ib.gradient_residual(problem), lambda: ib.Problem(problem)):
        with pytest.raises(ib.InputError, match="this is for data of two classes, and got a Multiclass"):
            call()


def test_another_optimizer_takes_over():
    """From the iterate, with an empty memory and a clock of its own."""
    start = simulate(WIDE, ib.Adam(), lr=0.1, order="full", steps=40)
    for item in (ib.Muon(), ib.Shampoo(), ib.Dion(rank=2), ib.SOAP(bias_correction=True), ib.SGD(0.9)):
        run = ib.simulate(WIDE, item, lr=0.1, steps=50, start=start)
        fresh = simulate(WIDE, item, lr=0.1, order="full", steps=50, initial=start.weights[-1])
        np.testing.assert_array_equal(run.weights[-1], fresh.weights[-1])


def test_segments_do_not_matter(monkeypatch):
    from implicitbias.simulation import block

    options = {"lr": ib.Power(0.5, 0.3), "steps": 300, "order": "replacement", "batch": 3}
    whole = [simulate(WIDE, item, **options) for item in (ib.Adam(), ib.Muon(), ib.SOAP())]
    monkeypatch.setattr(block, "MOST_STEPS", 7)
    for run, item in zip(whole, (ib.Adam(), ib.Muon(), ib.SOAP())):
        same(run, simulate(WIDE, item, **options))


def test_classes_are_told_apart_by_their_labels_alone():
    """Other names, in another order: the rows of W follow."""
    run = simulate(WIDE, ib.Muon(), lr=0.1, batch=2, steps=100)
    names = np.array(["c", "a", "b"])[WIDE.labels]
    other = simulate(ib.Multiclass(WIDE.X, names), ib.Muon(), lr=0.1, batch=2, steps=100)
    np.testing.assert_allclose(other.weights[-1], run.weights[-1][[1, 2, 0]], rtol=0, atol=1e-11)


# -- ends -------------------------------------------------------------------------------------------------------------

SCALE_FREE = [ib.Adam(), ib.Muon(), ib.NormalizedSteepestDescent("rows"), ib.SOAP()]


def test_beyond_float64_a_run_is_not_finite():
    wrong = -far_out(WIDE)
    lost = simulate(WIDE, ib.SGD(), lr=0.1, steps=3, loss="exponential", initial=wrong)
    assert lost.status == "non_finite" and len(lost.steps) == 0
    for item in SCALE_FREE:
        run = simulate(WIDE, item, lr=1e308, steps=60)
        assert run.status == "non_finite" and len(run.steps) < 40 and np.isfinite(run.weights).all()


@pytest.mark.parametrize("item", [ib.SGD(), *SCALE_FREE], ids=lambda item: item.label)
def test_a_loss_above_that_of_zero_has_diverged(item):
    wrong = -far_out(WIDE)
    run = simulate(WIDE, item, lr=0.1, steps=3, initial=wrong)
    assert run.status == "diverged" and log_losses(run)[-1] > np.log(np.log(3))
    assert simulate(WIDE, item, lr=0.1, order="full", steps=60).status == "ok"


def test_a_run_ends_in_time():
    for item in (ib.Adam(), ib.Muon()):
        late = simulate(WIDE, item, lr=0.01, steps=2_000_000, timeout=1e-3)
        whole = simulate(WIDE, item, lr=0.01, steps=2_000)
        assert late.status == "timeout" and len(late.steps) > 0 and late.steps[-1] < 2_000_000
        assert np.isfinite(late.weights).all() and whole.status == "ok"


def test_until_log_loss():
    """At the first snapshot there, alone and in a block, as a run without an end has it."""
    options = {"order": "full", "steps": 20_000, "until_log_loss": -60.0}
    for item in (ib.Adam(0.5, 0.5), ib.Muon(), ib.Signum()):
        block = simulate(WIDE, [item] * 11, lr=[0.1 * (k + 1) for k in range(11)], **options)
        for k in (0, 10):
            alone = simulate(WIDE, item, lr=0.1 * (k + 1), **options)
            same(alone, block[k])
        for run in block:
            losses = log_losses(run)
            assert losses[-1] <= -60.0 < losses[-2] and run.status == "ok"
        assert 1 < block[10].steps[-1] < block[0].steps[-1] < 20_000
        whole = simulate(WIDE, item, lr=0.1, order="full", steps=20_000)
        at = np.searchsorted(whole.steps, block[0].steps[-1])
        np.testing.assert_array_equal(whole.weights[at], block[0].weights[-1])

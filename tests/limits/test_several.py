"""Predicted limits on rows of several classes: against runs, against binary predictions, and their derivatives."""

import numpy as np
import pytest

import implicitbias as ib
from implicitbias.lengths import unit
from implicitbias.limits.matrix_maps import EACH, FACTORED, ROW, NewtonSchulz, SampledMatrix, turning
from implicitbias.limits.predict import why_not
from implicitbias.margins.norms import norm_of
from implicitbias.optimizers.matrix.newton_schulz import POLYNOMIALS

PROBLEM = ib.geometry.gaussian_labels(n=15, d=12, k=3, seed=0)
SLOW = ib.Power(0.02, 0.5)


def increment(problem, optimizer, **options):
    """The direction of w(t) - w(t/2) at the end of a run."""
    run = ib.simulate(problem, optimizer, measures=[], **options)
    assert run.status == "ok" and run.steps[-9] * 2 == run.steps[-1]
    return unit((run.weights[-1] - run.weights[-9]).reshape(-1))


@pytest.mark.parametrize("optimizer, rule", [
    (ib.NormalizedSteepestDescent("spectral"), "spectral"),
    (ib.NormalizedSteepestDescent("rows", momentum=0.5), "Theorem 2"),
    (ib.NormalizedSteepestDescent("ky_fan", r=2), "ky_fan 2"),
    (ib.Muon(momentum=0.9), "spectral"), (ib.RandomSpectrum(momentum=0.5), "spectral"),
    (ib.Shampoo(beta=0.5), "spectral"), (ib.Dion(rank=2, feedback=False), "nuclear/2"),
    (ib.AdaSGD(beta2=0.9), "Frobenius"), (ib.Adalayer(beta2=0.9), "norm rows"), (ib.NGD(), "Frobenius"),
    (ib.Muon(polar="quintic"), "rest point of 5 Newton-Schulz"), (ib.Muon(polar="cubic", iterations=3), "cubic"),
], ids=lambda x: x if isinstance(x, str) else x.label)  # fmt: skip
def test_a_run_on_all_rows_ends_where_predicted(optimizer, rule):
    limit = ib.predict(PROBLEM, optimizer, batch="n")
    assert rule in limit.rule and limit.gap < 1e-9
    assert limit.direction.shape == (3, 12) and limit.weights.shape == (15, 3)
    assert not limit.weights[np.arange(15), PROBLEM.labels].any() and abs(limit.weights.sum() - 1.0) < 1e-12
    found = increment(PROBLEM, optimizer, lr=0.01, steps=32768, batch="n")
    assert found @ limit.direction.reshape(-1) > 0.999


@pytest.mark.parametrize("optimizer, norm", [
    (ib.Hybrid("spectral", "max", split=5, step_ratio=0.5), "spectral5_maxx0.5"),
    (ib.Hybrid("rows", "frobenius", split=4, momentum=0.5), "rows4_frobenius"),
], ids=lambda x: x if isinstance(x, str) else x.label)  # fmt: skip
def test_blocks_of_features_go_to_the_margin_of_the_larger_of_two_norms(optimizer, norm):
    """Many directions may have it, as with all norms that are a maximum, so the run is told by its margin."""
    limit, best = ib.predict(PROBLEM, optimizer, batch="n"), ib.max_margin(PROBLEM, norm)
    assert "of the others" in limit.rule and limit.gap < 1e-9
    measured = norm_of(norm, PROBLEM.shape)

    def part(w):
        return PROBLEM.margins(w).min() / measured.value(w) / best.margin

    assert part(limit.direction) == pytest.approx(1.0, abs=1e-9)
    found = increment(PROBLEM, optimizer, lr=0.01, steps=65536, batch="n").reshape(PROBLEM.shape)
    assert part(found) > 0.99
    other = ib.NormalizedSteepestDescent("spectral")
    assert part(increment(PROBLEM, other, lr=0.01, steps=32768, batch="n").reshape(PROBLEM.shape)) < 0.95


@pytest.mark.parametrize("optimizer, order", [
    (ib.Adam(), "reshuffle"), (ib.Adam(), "replacement"), (ib.Adam(beta2=0.99), "cyclic"),
    (ib.Adalayer(), "reshuffle"), (ib.Adafactor(), "reshuffle"), (ib.SGD(), "reshuffle"),
], ids=lambda x: x if isinstance(x, str) else x.label)  # fmt: skip
def test_a_run_on_batches_ends_where_predicted_and_not_where_all_rows_lead(optimizer, order):
    limit = ib.predict(PROBLEM, optimizer, batch=3, order=order)
    assert limit.gap < 1e-9
    steps = SLOW if optimizer.scale_free else 0.3
    found = increment(PROBLEM, optimizer, lr=steps, steps=131072, batch=3, order=order)
    near = found @ limit.direction.reshape(-1)
    assert near > 0.98
    if isinstance(optimizer, ib.Adam):
        assert near > found @ unit(ib.max_margin(PROBLEM, "max").direction.reshape(-1)) + 0.01


@pytest.mark.parametrize("loss", ["logistic", "exponential"])
@pytest.mark.parametrize("optimizer, options", [
    (ib.Adam(), {"batch": 1}), (ib.Adam(), {"batch": 3}), (ib.Adam(beta2=0.95), {"batch": 2, "order": "cyclic"}),
    (ib.Adam(), {"batch": 9}), (ib.SGD(), {"batch": 1}), (ib.Signum(beta=0.0), {"batch": 1}), (ib.NGD(), {"batch": 1}),
    (ib.SteepestDescent(p=3.0), {"batch": 9}),
], ids=str)  # fmt: skip
def test_of_two_classes_the_limit_is_the_binary_one(optimizer, options, loss):
    X, labels = np.random.default_rng(3).normal(size=(9, 14)), np.arange(9) % 2
    options = options | {"loss": loss}
    one = ib.predict(ib.Multiclass(X, labels), optimizer, **options).direction
    other = ib.predict(ib.Problem(X, labels), optimizer, **options).direction
    np.testing.assert_allclose(one[0], -one[1], rtol=0, atol=1e-9)
    np.testing.assert_allclose(unit(one[1]), other, rtol=0, atol=1e-8)


def test_single_rows_of_two_classes_without_momentum():
    """Each step has the same length: the mean of the unit rows."""
    problem = ib.Multiclass(np.random.default_rng(5).normal(size=(6, 9)), np.arange(6) % 2)
    expected = unit(unit(problem.pairs()).mean(axis=0))
    for optimizer in (ib.Muon(momentum=0.0), ib.Shampoo(beta=0.0), ib.NormalizedSteepestDescent("nuclear")):
        np.testing.assert_allclose(ib.predict(problem, optimizer, batch=1).direction.reshape(-1), expected, atol=1e-12)


def maps(k, d, n):
    for kind in (EACH, ROW, FACTORED):
        yield SampledMatrix((k, d), None if kind == EACH else turning(k * d), n, 2.0, 5.0, kind)
    for name in POLYNOMIALS:
        yield NewtonSchulz((k, d), turning(k * d), name, 3)


@pytest.mark.parametrize("k, d", [(3, 5), (5, 3), (2, 4)])
def test_derivatives_of_the_maps(k, d):
    problem = ib.geometry.gaussian_labels(n=6, d=d, k=k, seed=1)
    logs, step = np.random.default_rng(2).normal(size=6 * (k - 1)), 1e-5
    for tail_map in maps(k, d, 6):
        rows = problem.pairs() if tail_map.turn is None else problem.pairs() @ tail_map.turn
        value, linear = tail_map.on(rows)
        F, slope = linear(logs)
        np.testing.assert_allclose(F, value(logs), rtol=0, atol=1e-12)
        # maps are defined up to a factor, which the heaviest sample sets: only its own derivative would see that
        for i in np.argsort(logs)[:-1][::3]:
            move = np.where(np.arange(len(logs)) == i, step, 0.0)
            found = (value(logs + move) - value(logs - move)) / (2.0 * step)
            np.testing.assert_allclose(slope[i], found, rtol=0, atol=1e-6 * np.abs(F).max(), err_msg=str(tail_map))


def test_a_map_that_is_measured_is_the_closed_one():
    theory = ib.predict(PROBLEM, ib.Muon(momentum=0.5, polar="quintic"), batch="n")
    found = ib.predict(PROBLEM, ib.Muon(momentum=0.5, polar="quintic"), batch="n", method="numerical")
    assert (theory.direction * found.direction).sum() > 1.0 - 1e-5 and found.error < 0.01


@pytest.mark.parametrize("optimizer, batch, words", [
    (ib.SOAP(), "n", "there is no limit theory for SOAP; where it goes is open"),
    (ib.Dion(), "n", "where it goes is open"),
    (ib.Shampoo(), "n", "depends on the gradients at the start of the run"),
    (ib.Adafactor(), "n", "depends on the step size"),
    (ib.Muon(), 1, "there is no closed limit for Muon on mini-batches"),
    (ib.MARS(ib.Muon(polar="quintic")), 1, "no closed limit for MARS on mini-batches"),
    (ib.NGD(), 1, "there is no closed limit for NGD on 3 classes here"),
    (ib.Muon(weight_decay=0.1), "n", "they stay within N(W) <= 1/weight_decay"),
], ids=lambda x: x if isinstance(x, str) else str(x))  # fmt: skip
def test_what_no_theory_says_is_said(optimizer, batch, words):
    assert ib.predict(PROBLEM, optimizer, batch=batch) is None
    assert words in why_not(PROBLEM, optimizer, batch=15 if batch == "n" else batch)

"""Rules quote a theorem inside its hypotheses alone, and say nothing where runs contradict it."""

import warnings

import numpy as np
import pytest

import implicitbias as ib
from implicitbias.limits import predict, why_not
from implicitbias.measure import cosine

PROBLEM = ib.geometry.gaussian(n=10, d=50, seed=0)
ONE = ib.Problem([[1.0, -2.0, 0.5]])


def text(optimizer, problem=PROBLEM, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return predict(problem, optimizer, **options).rule


@pytest.mark.parametrize(
    ("optimizer", "options", "words"),
    [
        # full batch, eps = 0: beta1 <= beta2 is the theorem's
        (ib.Adam(0.9, 0.9), {"order": "full"}, "l_inf max-margin (theorem for decreasing steps, arXiv 2406.10650)"),
        (ib.Adam(0.0, 0.0), {"order": "full"}, "theorem for decreasing steps"),
        (ib.Adam(0.95, 0.92), {"order": "full"}, "measured: beyond beta1 <= beta2, the hypothesis, arXiv 2406.10650"),
        (ib.AdamW(0.95, 0.92, weight_decay=0.0), {"batch": 10}, "measured: beyond beta1 <= beta2"),
        # eps > 0
        (ib.Adam(eps=1e-8), {"order": "full"}, "below eps, Adam is gradient descent with momentum (theorem for full"),
        (ib.Adam(eps=1e-8, eps_inside=True), {"order": "full"}, "below sqrt(eps), Adam"),
        (ib.AdamW(eps=1e-8, weight_decay=0.0), {"order": "full"}, "below eps, Adam"),
        (ib.Adam(eps=1e-8), {"batch": 2}, "(derived)"),
        (ib.Adam(0.9, 0.85, eps=1e-8), {"order": "full"}, "(derived)"),
        (ib.Adam(kappa=1.0), {"order": "full"}, "(derived)"),
        # batches
        (ib.Adam(0.9, 0.999), {"batch": 2}, "well above the steps of an epoch (one epoch proved"),
        (ib.Adam(0.5, 0.5), {}, "well above the steps of an epoch, which it is not here: 2 and 10 (one"),
        (ib.Adam(0.9, 0.95), {"batch": 4}, "well above the steps of an epoch (one"),
        (ib.Adam(0.9, 0.95), {"order": "replacement"}, "which it is not here: 20 and 10 (derived)"),
        (ib.Adam(0.9, 0.999), {"order": "replacement", "batch": 10}, "S/sqrt((b-1) S^2 + n Q)"),
        (ib.Adam(0.9, 0.95), {"order": "cyclic"}, "at these beta1, beta2 (arXiv 2510.26303)"),
        (ib.Adam(0.9, 0.95), {"order": "cyclic", "batch": 2}, "(derived, as arXiv 2510.26303 for b = 1)"),
        (ib.Adam(0.9, 0.85), {"order": "shuffle_once"}, "(derived, as arXiv 2510.26303 for b = 1 and beta1 <= beta2)"),
        # gradient descent
        (ib.SGD(), {"order": "full"}, "theorem for small steps, arXiv 1710.10345"),
        (ib.SGD(nesterov=True), {"batch": 10}, "theorem for small steps, arXiv 1710.10345"),
        (ib.SGD(), {"order": "replacement"}, "theorem for small steps, arXiv 1806.01796"),
        (ib.SGD(0.9), {"batch": 2}, "theorem for small steps, arXiv 2110.03891"),
        (ib.SGD(0.9, nesterov=True), {"order": "full"}, "l2 max-margin (derived)"),
        # normalised steps
        (ib.NGD(), {"order": "full"}, "theorem for small steps, arXiv 1907.03215"),
        (ib.NGD(), {}, "mean of a_i/||a_i||_2"),
        (ib.Signum(0.0), {"order": "full"}, "(theorem for decreasing steps, arXiv 2502.04664)"),
        (ib.Signum(0.9), {"order": "full"}, "gamma_inf lr well below 1 and below log(1/beta)"),
        (ib.AdamProxy(), {"order": "full"}, "theorem given convergence"),
        (ib.AdamProxy(), {}, "mean of sign(a_i)"),
    ],
)
def test_standing(optimizer, options, words):
    assert words in text(optimizer, **options)


@pytest.mark.parametrize(
    "optimizer", [ib.Adam(), ib.Signum(0.9), ib.Signum(0.0), ib.NGD(), ib.SGD(), ib.Adam(kappa=1.0)]
)
def test_one_row_is_the_full_batch_in_any_order(optimizer):
    full = predict(ONE, optimizer, order="full")
    for order in ("replacement", "reshuffle", "cyclic"):
        assert (predict(ONE, optimizer, order=order).direction == full.direction).all()


def test_draws_of_n_rows_are_not_the_full_batch():
    assert predict(PROBLEM, ib.Signum(0.9), order="replacement", batch=10) is None
    assert predict(PROBLEM, ib.NGD(), order="replacement", batch=10) is None
    assert predict(PROBLEM, ib.AdamProxy(), order="replacement", batch=10) is None


@pytest.mark.parametrize("betas", [(0.9, 0.81), (0.95, 0.9025), (0.95, 0.9), (0.9, 0.5), (0.9, 0.1), (0.5, 0.0)])
@pytest.mark.parametrize("options", [{"order": "full"}, {"batch": 1}, {"order": "cyclic"}, {"order": "replacement"}])
def test_no_theory_beyond_the_root_of_beta2(betas, options):
    for optimizer in (ib.Adam(*betas), ib.Adam(*betas, kappa=1.0), ib.Adam(*betas, eps=1e-8)):
        for method in ("theory", "numerical"):
            assert predict(PROBLEM, optimizer, method=method, **options) is None
            assert why_not(PROBLEM, optimizer, method=method, **options) is not None
        assert "beta1 >= sqrt(beta2)" in why_not(PROBLEM, optimizer, **options)
    assert "theory for AdamW" in why_not(PROBLEM, ib.AdamW(*betas, weight_decay=0.0), **options)


def test_what_runs_do_on_both_sides_of_the_root():
    """At beta2 < beta1 < sqrt(beta2) they go to the l_inf margin; beyond they freeze far from it."""
    inside = ib.simulate(PROBLEM, ib.Adam(0.95, 0.92), lr=ib.Power(0.1, 0.5), order="full", steps=100_000)
    assert inside.curve["inc_ratio_linf"].iloc[-1] > 0.999
    beyond = ib.simulate(PROBLEM, ib.Adam(0.95, 0.9), lr=ib.Power(0.1, 0.5), order="full", steps=100_000)
    assert beyond.curve["ratio_linf"].iloc[-1] < 0.8


def test_the_epoch_map_holds_between_beta2_and_its_root():
    problem, optimizer = ib.geometry.gaussian(n=20, d=15, seed=2), ib.Adam(0.9, 0.85)
    run = ib.simulate(problem, optimizer, lr=0.01, order="cyclic", steps=200_000)
    increment = run.weights[-1] - run.weights[np.abs(run.steps - 100_000).argmin()]
    assert cosine(increment, predict(problem, optimizer, order="cyclic").direction) > 0.9999
    slow = ib.Adam(0.9, 1.0 - 1e-9)  # for comparison, beta2 -> 1
    assert cosine(increment, predict(problem, slow, order="cyclic").direction) < 0.998


def test_momentum_freezes_the_signs_at_large_constant_steps():
    """gamma_inf lr = 0.98 is above log(1/beta) = 0.1; with 0.01 of it the margin is reached."""
    large, small = (ib.simulate(PROBLEM, ib.Signum(0.9), lr=lr, order="full", steps=20_000) for lr in (0.1, 0.001))
    assert large.curve["inc_ratio_linf"].iloc[-1] < 0.6
    assert small.curve["inc_ratio_linf"].iloc[-1] > 0.999


def test_steps_whose_mean_is_zero_have_no_direction():
    rows = [[2.0, -1.0], [-1.0, 2.0]]
    for optimizer in (ib.Signum(0.0), ib.AdamProxy()):
        assert predict(rows, optimizer, batch=1) is None
        assert "have the mean 0" in why_not(rows, optimizer, batch=1)


def test_unit_rows_of_any_size_have_a_mean():
    rows = np.array([[3e-200, 4e-200], [5e200, 0.0]])
    np.testing.assert_allclose(predict(rows, ib.NGD(), batch=1).direction, np.array([2.0, 1.0]) / np.sqrt(5.0))


def test_weight_decay_needs_eps_zero_for_its_box():
    sentence = why_not(PROBLEM, ib.AdamW(weight_decay=0.1), order="full")
    assert "with eps = 0 and beta1 <= beta2, limits.adamw_point" in sentence

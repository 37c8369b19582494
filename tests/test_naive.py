"""The twins that check the simulator are themselves checked by hand, against each other and against mpmath."""

import itertools
import math

import mpmath
import naive
import numpy as np
import pytest

RULES = {
    "sgd": naive.SGD,
    "momentum": lambda: naive.SGD(0.9),
    "nesterov": lambda: naive.SGD(0.9, nesterov=True),
    "adam": lambda: naive.Adam(0.9, 0.99),
    "adam b1=0": lambda: naive.Adam(0.0, 0.95),
    "adam eps": lambda: naive.Adam(0.9, 0.99, eps=1e-3),
    "adam eps inside": lambda: naive.Adam(0.9, 0.99, eps=1e-3, eps_inside=True),
    "adam corrected": lambda: naive.Adam(0.9, 0.99, eps=1e-8, bias_correction=True),
    "signsgd": naive.Signum,
    "signum": lambda: naive.Signum(0.9),
    "ngd": naive.NGD,
    "adam kappa": lambda: naive.Adam(0.9, 0.99, eps=1e-3, kappa=0.5),
    "adamw": lambda: naive.AdamW(0.9, 0.99, weight_decay=0.1),
    "adagrad": naive.AdaGrad,
    "adagrad eps inside": lambda: naive.AdaGrad(1e-3, eps_inside=True),
    "adam proxy": naive.AdamProxy,
}
by_rule = pytest.mark.parametrize("rule", RULES.values(), ids=RULES.keys())
by_loss = pytest.mark.parametrize("loss", ["logistic", "exponential"])


def problem(steps, batch_size, seed=0):
    """Separable dense rows with one zero entry each, random batches (repeats occur), a step size that moves."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(6, 4))
    rows[:, 0] = np.abs(rows[:, 0]) + 0.5
    rows[np.arange(6), 1 + np.arange(6) % 3] = 0.0
    batches = rng.integers(0, 6, size=(steps, batch_size)).tolist()
    return rows, batches, 0.05 / np.sqrt(1 + np.arange(steps))


@by_loss
@by_rule
def test_decimal_agrees_with_float_far_from_underflow(rule, loss):
    rows, batches, lr = problem(150, 2)
    at = [1, 50, 150]
    exact, exact_logs = naive.trajectory(rows, rule(), batches, lr, loss, record=at)
    rough, rough_logs = naive.float_trajectory(rows, rule(), batches, lr, loss, record=at)
    # 150 steps of round-off 1e-16 each; relative to the largest entry, since single entries may cancel
    for w, x in zip(exact, rough, strict=True):
        np.testing.assert_allclose(x, w, rtol=0, atol=1e-12 * np.abs(w).max())
    np.testing.assert_allclose(rough_logs, exact_logs, rtol=1e-12)


@by_loss
@by_rule
def test_decimal_agrees_with_mpmath(rule, loss):
    rows, batches, _ = problem(300, 1)
    runs = [
        naive.trajectory(rows, rule(), batches, lambda t: 0.5, loss, record=[10, 300], backend=backend)
        for backend in ("decimal", "mpmath")
    ]
    # both carry 50 digits, so they may differ only in how the last bit of the float64 answer is rounded
    np.testing.assert_allclose(runs[0][0], runs[1][0], rtol=4e-16)
    np.testing.assert_allclose(runs[0][1], runs[1][1], rtol=4e-16)


@pytest.mark.parametrize("rule", [naive.Adam(0.5, 0.6), naive.Signum(0.9), naive.NGD()], ids=lambda r: type(r).__name__)
def test_fifty_digits_are_enough(rule):
    # short memories, so that v does not hold the loss back: the runs end below e^-200
    rows, batches, _ = problem(1500, 2)
    runs = [naive.trajectory(rows, rule, batches, lambda t: 0.5, dps=dps) for dps in (50, 80)]
    assert runs[1][1][0] < -200
    np.testing.assert_allclose(runs[0][0], runs[1][0], rtol=4e-16)


# Hand-computed.  Rows (1, 0) then (0, 2) from w = 0 with the exponential loss: the first step moves only w_0, so both
# margins are 0 when used, s = 1, and the gradients are (-1, 0) and (0, -2).  eta = 1 throughout.
@pytest.mark.parametrize(
    "rule, first, second",
    [
        (naive.SGD(), (1, 0), (1, 2)),
        (naive.SGD(0.5), (1, 0), (1.5, 2)),  # m = (-1, 0), (-1/2, -2)
        (naive.SGD(0.5, nesterov=True), (1.5, 0), (1.75, 3)),  # g + m/2 = (-3/2, 0), (-1/4, -3)
        (naive.Adam(0.5, 0.75), (1, 0), (1 + 1 / math.sqrt(3), 1)),  # m = (-1/4, -1), v = (3/16, 1)
        (naive.Adam(0.5, 0.75, eps=0.5), (0.5, 0), (0.5 + 0.25 / (math.sqrt(3) / 4 + 0.5), 2 / 3)),
        (naive.Adam(0.5, 0.75, eps=0.75, eps_inside=True), (0.5, 0), (0.5 + 1 / math.sqrt(15), 2 / math.sqrt(7))),
        # divided by 3/4 and 7/16: m^ = (-1/3, -4/3), v^ = (3/7, 16/7)
        (naive.Adam(0.5, 0.75, bias_correction=True), (1, 0), (1 + math.sqrt(7 / 27), math.sqrt(7 / 9))),
        (naive.Signum(), (1, 0), (1, 1)),
        (naive.Signum(0.5), (1, 0), (2, 1)),
        (naive.NGD(), (1, 0), (1, 1)),
        (naive.Adam(0.5, 0.75, kappa=0.5), (0.5, 0), (0.5 + 0.25 / (math.sqrt(3) / 4 + 0.5), 2 / 3)),  # l = 1
        (naive.AdamW(0.5, 0.75, weight_decay=0.1), (1, 0), (0.9 + 1 / math.sqrt(3), 1)),
        (naive.AdaGrad(), (1, 0), (1, 1)),
        (naive.AdaGrad(1.0), (0.5, 0), (0.5, 2 / 3)),
        (naive.AdaGrad(3.0, eps_inside=True), (0.5, 0), (0.5, 2 / math.sqrt(7))),
        (naive.AdamProxy(), (1, 0), (1, 1)),
    ],
)
def test_two_steps_by_hand(rule, first, second):
    rows, batches = [[1.0, 0.0], [0.0, 2.0]], [[0], [1]]
    for twin in (naive.trajectory, naive.float_trajectory):
        ws, _ = twin(rows, rule, batches, [1.0, 1.0], "exponential", record=[1, 2])
        np.testing.assert_allclose(ws, [first, second], rtol=1e-15)  # a few roundings of a float64


def test_proxy_and_kappa_see_the_rows_of_the_batch():
    rows = [[3.0, 1.0], [4.0, -1.0]]
    (w,), _ = naive.trajectory(rows, naive.AdamProxy(), [[0, 1]], [1.0], "exponential")
    np.testing.assert_allclose(w, [3.5 / 5, 0], rtol=1e-15)
    (w,), _ = naive.trajectory(rows, naive.Adam(0.0, 0.0, kappa=2.0), [[0, 1]], [1.0], "logistic")
    np.testing.assert_allclose(w, [1.75 / (1.75 + 2 * math.log(2)), 0], rtol=1e-15)


def test_hyper_parameters_keep_every_digit():
    # In float64 1 - 1e-20 is 1 and the first step would be exactly 1 in either case.
    rule = naive.Adam(1e-20, 0.0)
    (w,), _ = naive.trajectory([[1.0]], rule, [[0]], [1.0], "exponential", w0=[-1.0])
    assert 0 < -w[0] < 2e-20


@pytest.mark.parametrize("loss, s", [("logistic", 0.5), ("exponential", 1.0)])
def test_gradient_is_the_mean_over_the_batch_with_repeats(loss, s):
    rows = [[1.0, 2.0], [3.0, -1.0]]
    for batch, mean in [([0], (1, 2)), ([0, 1], (2, 0.5)), ([0, 0, 1], (5 / 3, 1))]:
        (w,), _ = naive.trajectory(rows, naive.SGD(), [batch], [1.0], loss)
        np.testing.assert_allclose(w, s * np.array(mean), rtol=1e-15)


def test_weights_away_from_zero_margin():
    for loss, s in [("logistic", 1 / (1 + math.exp(1.5))), ("exponential", math.exp(-1.5))]:
        (w,), _ = naive.trajectory([[1.0, -1.0]], naive.SGD(), [[0]], [1.0], loss, w0=[2.0, 0.5])
        np.testing.assert_allclose(w, [2 + s, 0.5 - s], rtol=1e-15)


def test_momentum_of_signum_can_outvote_the_new_gradient():
    # The first step size is 0, so w stays 0: m = (-2, 0), then (-1, 0) + (1, -2)/2 = (-1/2, -1).
    (w,), _ = naive.trajectory([[4.0, 0.0], [-1.0, 2.0]], naive.Signum(0.5), [[0], [1]], [0.0, 1.0], "exponential")
    np.testing.assert_array_equal(w, [1, 1])


def test_ngd_normalises_and_stays_where_the_gradient_is_zero():
    rows = [[3.0, 4.0], [0.0, 0.0], [-3.0, -4.0]]
    ws, _ = naive.trajectory(rows, naive.NGD(), [[0], [1]], [1.0, 1.0], record=[1, 2])
    np.testing.assert_allclose(ws, [[0.6, 0.8], [0.6, 0.8]], rtol=1e-15)
    (w,), _ = naive.trajectory(rows, naive.NGD(), [[0, 2]], [1.0])
    np.testing.assert_array_equal(w, [0, 0])


@by_rule
def test_a_coordinate_without_gradient_does_not_move(rule):
    rule = rule()
    (w,), _ = naive.trajectory([[1.0, 0.0], [2.0, 0.0]], rule, [[0], [1], [0]], lambda t: 0.1, w0=[0.0, 7.0])
    shrunk = (1 - 0.1 * getattr(rule, "weight_decay", 0.0)) ** 3
    assert w[1] == pytest.approx(7 * shrunk, rel=1e-15) and w[0] > 0


@by_loss
def test_steps_and_losses_far_below_the_smallest_float(loss):
    # Row 0 weighs e^-10000 and row 1, on a coordinate of its own, e^-1: the ratio m/sqrt(v) is 1 in both.
    rows, w0 = [[1.0, 0.0], [0.0, 1.0]], [10000.0, 1.0]
    for rule in (naive.Adam(0.5, 0.75), naive.Signum(0.5)):
        (w,), _ = naive.trajectory(rows, rule, [[0, 1]], [1.0], loss, w0)
        np.testing.assert_allclose(w, [10001, 2], rtol=1e-15)
    (w,), _ = naive.trajectory(rows, naive.NGD(), [[0]], [1.0], loss, w0)
    np.testing.assert_allclose(w, [10001, 1], rtol=1e-15)


@by_loss
@pytest.mark.parametrize("backend", ["decimal", "mpmath"])
def test_log_loss_of_large_margins(loss, backend):
    def log_loss(rows):
        (w,), (value,) = naive.trajectory(rows, naive.SGD(), [], [], loss, w0=[1e4], backend=backend)
        assert w[0] == 1e4
        return value

    assert log_loss([[1.0]]) == pytest.approx(-10000, rel=1e-12)
    assert log_loss([[1.0], [2.0]]) == pytest.approx(-10000 - math.log(2), rel=1e-12)
    misclassified = math.log(1e4) if loss == "logistic" else 1e4
    assert log_loss([[-1.0]]) == pytest.approx(misclassified, rel=1e-12)


def test_logistic_log_loss_on_both_sides_of_the_series():
    for z in (0.0, 5.0, 30.0, 36.8, 36.9, 60.0, 115.0, 130.0):
        (_,), (value,) = naive.trajectory([[1.0]], naive.SGD(), [], [], w0=[z])
        with mpmath.workdps(120):
            expected = float(mpmath.log(mpmath.log(1 + mpmath.exp(-mpmath.mpf(z)))))
        assert value == pytest.approx(expected, rel=4e-16)


def test_recording():
    rows, batches, lr = problem(8, 1)
    every, logs = naive.trajectory(rows, naive.Adam(), batches, lr, record=range(9))
    assert len(every) == len(logs) == 9
    np.testing.assert_array_equal(every[0], np.zeros(4))
    assert logs[0] == math.log(math.log(2))
    # a rule starts afresh in every run, and the default is the last step
    rule = naive.Adam()
    for _ in range(2):
        (last,), _ = naive.trajectory(rows, rule, iter(batches), lr)
        np.testing.assert_array_equal(last, every[8])
    (third,), _ = naive.trajectory(rows, rule, itertools.cycle(batches), lr, record=[3])
    np.testing.assert_array_equal(third, every[3])


def test_bad_requests_are_refused():
    with pytest.raises(ValueError, match="only 1 batches"):
        naive.trajectory([[1.0]], naive.SGD(), [[0]], [1.0], record=[2])
    with pytest.raises(ValueError, match="'hinge'"):
        naive.float_trajectory([[1.0]], naive.SGD(), [[0]], [1.0], "hinge")
    with pytest.raises(ValueError, match="'float'"):
        naive.trajectory([[1.0]], naive.SGD(), [[0]], [1.0], backend="float")

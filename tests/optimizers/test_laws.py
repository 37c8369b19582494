"""What theory says of the optimizers of the family, as numbers: limits, rates, lags and exit times.

Where a run may be far from its law the setting is one in which it is not, and the test says which setting is another.
"""

import math

import numpy as np
import pytest
from gaussian_runs import at, cosine, data, full
from scipy.optimize import brentq

import implicitbias as ib
from implicitbias.jit import kernel
from implicitbias.lanes import splat
from implicitbias.lanes.memory import aligned
from implicitbias.losses import log_loss
from implicitbias.optimizers.moments import step as adam_step
from implicitbias.simulation.layout import Bias

INF = math.inf


def short_rows(seed):
    """The same, with rows of length at most 1, as the theorems on accelerated margins have them."""
    rows = data(seed).rows
    return ib.Problem(rows / np.linalg.norm(rows, axis=1).max())


# -- averages lag behind ----------------------------------------------------------------------------------------------


def lags(seed, steps):
    """Largest error of the laws L(x)/L(z) -> e^(1/K), L(x)/L(y) -> e^((1-beta)/K), and smallest cos(x, z)."""
    problem = data(seed)
    optimizers = [ib.ScheduleFreeSGD(0.9, 1.0), ib.ScheduleFreeSGD(0.5, 1.0), ib.ScheduleFreeSGD(0.5, 4.0)]
    errors, cosines = [], []
    for item, run in zip(optimizers, full(problem, optimizers, 1.0, steps), strict=True):
        z, x = run.state[0], run.weights[-1]
        y = (1.0 - item.beta) * z + item.beta * x
        of_z, of_x, of_y = log_loss(np.array([z, x, y]) @ problem.rows.T, "logistic")
        errors += [of_x - of_z - 1.0 / item.averaging, of_x - of_y - (1.0 - item.beta) / item.averaging]
        cosines.append(cosine(x, z))
    return np.abs(errors), min(cosines)


@pytest.mark.parametrize("seed", range(5))
def test_the_loss_of_schedule_free_lags_by_a_constant_factor(seed):
    """z = w_hat log t, and the t^(K-1) average of log t is log t - 1/K; in logs of the ratios, 1/K and (1 - beta)/K."""
    errors, same = lags(seed, 200_000)
    assert errors.max() < 2e-3 and same > 0.9999


@pytest.mark.long
@pytest.mark.parametrize("seed", range(5))
def test_later_the_lag_of_schedule_free_is_nearer(seed):
    early, late = lags(seed, 200_000)[0], lags(seed, 2_000_000)[0]
    assert late.max() < 5e-4 and late.max() < 0.5 * early.max()


def lag_of_average(base, decay, lr, steps, seed):
    """log L(mean) - log L(w) at the end."""
    averaged, run = full(data(seed), [ib.EMA(base, decay), base], lr, steps)
    return at(averaged, "log_loss") - at(run, "log_loss")


@pytest.mark.parametrize("decay", [0.9, 0.99])
def test_an_average_of_gradient_descent_lags_by_nothing(decay):
    """w = w_hat log t: a steps behind, the loss is larger by a factor 1 + a/t, a = decay / (1 - decay)."""
    behind = decay / (1.0 - decay)
    assert lag_of_average(ib.SGD(), decay, 0.1, 100_000, 0) == pytest.approx(behind / 100_000, rel=0.05)


@pytest.mark.parametrize("decay", [0.9, 0.99])
@pytest.mark.parametrize("seed", [0, 1])
def test_an_average_of_sign_descent_lags_by_a_constant_factor(seed, decay):
    law = ib.max_margin(data(seed), "linf").margin * 0.001 * decay / (1.0 - decay)
    assert lag_of_average(ib.Signum(0.0), decay, 0.001, 100_000, seed) == pytest.approx(law, rel=1e-3)


def pace_of_adam(beta1, beta2, fall):
    """Length s of m / sqrt(v) where gradients fall by e^(-fall s) a step, as on a straight way of such steps."""

    def excess(s):
        m = (1.0 - beta1) / (1.0 - beta1 * math.exp(fall * s))
        v = (1.0 - beta2) / (1.0 - beta2 * math.exp(2.0 * fall * s))
        return m / math.sqrt(v) - s

    most = min(-math.log(beta1) / fall, -0.5 * math.log(beta2) / fall)
    return brentq(excess, 0.0, most * (1.0 - 1e-12))


@pytest.mark.parametrize("beta2, lr, pace", [(0.95, 1e-3, 0.8868), (0.95, 1e-4, 0.9901), (0.999, 1e-4, 0.4218)])
def test_an_average_of_adam_lags_by_its_pace(beta2, lr, pace):
    """exp(gamma lr decay / (1 - decay)) is the law as lr -> 0; at constant lr, m / sqrt(v) is not at its sign but at
    `pace` times it, as gradients fall within the memory of v."""
    margin = ib.max_margin(data(0), "linf").margin
    law = pace_of_adam(0.9, beta2, margin * lr)
    assert law == pytest.approx(pace, abs=5e-5)
    lag = lag_of_average(ib.Adam(0.9, beta2), 0.99, lr, 200_000, 0)
    assert lag / (margin * lr * 99.0) == pytest.approx(law, rel=1e-4)


# -- huge steps -------------------------------------------------------------------------------------------------------

PERCEPTRON = [
    ((1, 0.2), (-2, 0.2), 13, 1e4), ((1, 0.2), (-0.5, 0.2), 4, 1e4),
    ((1, 0.05), (-2, 0.05), 202, 1e4), ((1, 0.05), (-0.5, 0.05), 52, 1e4),
    ((1, 0.02), (-2, 0.02), 1252, 1e6), ((1, 0.02), (-0.5, 0.02), 313, 1e6),
]  # fmt: skip


def perceptron(rows):
    """Updates of the batch perceptron, w += mean of the rows that are not yet right, until all are.

    The first is counted, and is from w = 0, where each row has half its weight, as the logistic loss has it there.
    """
    w, updates = 0.5 * rows.mean(axis=0), 1
    while (wrong := rows @ w <= 0.0).any():
        w = w + rows[wrong].sum(axis=0) / len(rows)
        updates += 1
    return updates


def exit_time(rows, eta):
    """Updates made when L <= 1/eta for the first time; None if never. Every step is recorded up to 1443."""
    run = full(rows, ib.SGD(), eta, 1440, per_octave=1000, until_log_loss=-math.log(eta))
    assert (np.diff(run.steps) == 1).all()
    return int(run.steps[-1]) if at(run, "log_loss") <= -math.log(eta) else None


@pytest.mark.parametrize("one, other, updates, eta", PERCEPTRON)
def test_the_exit_time_of_huge_steps_is_that_of_the_perceptron(one, other, updates, eta):
    """An integer, whatever eta is: past a margin of 0 the gradient of a row is 1 or 0 for huge w."""
    rows = np.array([one, other], float)
    assert perceptron(rows) == updates
    assert {exit_time(rows, factor * eta) for factor in (1.0, 1e2, 1e4)} == {updates}


@pytest.mark.parametrize("one, other, updates, eta", PERCEPTRON)
def test_steps_of_100_are_not_yet_huge(one, other, updates, eta):
    assert exit_time(np.array([one, other], float), 1e2) != updates


# -- rates of the margin ----------------------------------------------------------------------------------------------


def gaps(run, *steps):
    return np.array([1.0 - at(run, "ratio_l2", step) for step in steps])


@pytest.mark.parametrize("loss", ["exponential", "logistic"])
@pytest.mark.parametrize("seed", range(3))
def test_momentum_in_the_dual_squares_the_rate_of_the_margin(seed, loss):
    runs = full(short_rows(seed), [ib.DualAccelerated(), ib.NGD()], 1.0, 4000, loss=loss)
    for run, exponent in zip(runs, (-2.0, -1.0), strict=True):
        slopes = np.diff(np.log2(gaps(run, 500, 1000, 2000, 4000)))
        np.testing.assert_allclose(slopes, exponent, atol=0.02)


@pytest.mark.parametrize("seed", [0, 2, 4])
def test_rescaling_takes_the_margin_there_exponentially(seed):
    """The offset of w from its direction stays, and each stage makes w longer by `growth`: so much the gap falls."""
    rescaled, plain = full(short_rows(seed), [ib.ProgressiveRescaling(20, 1.2), ib.NGD()], 1.0, 2000)
    first, half, last = gaps(rescaled, 500, 1000, 2000)
    assert math.log(half / last) == pytest.approx(50 * math.log(1.2), rel=1e-3)
    assert math.log(first / half) == pytest.approx(25 * math.log(1.2), rel=0.01)
    assert last < 1e-9 and gaps(plain, 2000) > 4e-4


@pytest.mark.parametrize("seed", [1, 2])
def test_too_short_a_stage_freezes_the_direction(seed):
    """What a stage does not make up for grows with w: the theorem needs stages long enough for the data."""
    run = full(short_rows(seed), ib.ProgressiveRescaling(5, 1.2), 1.0, 4000)
    half, last = gaps(run, 1000, 4000)
    assert last > 1e-4 and last == pytest.approx(half, rel=1e-3)
    longer = full(short_rows(seed), ib.ProgressiveRescaling(50, 1.2), 1.0, 4000)
    assert gaps(longer, 4000) < 1e-8


def test_rescaling_keeps_what_is_outside_the_span_of_the_support():
    """The theorem needs support vectors that span the data. Here one row of ten is none, and early gradients along it
    are stretched like the rest of w, for ever: the gap is theirs."""
    problem = short_rows(3)
    support = problem.rows[ib.max_margin(problem).dual > 0.0]
    assert len(support) == 9
    run = full(problem, ib.ProgressiveRescaling(50, 1.2), 1.0, 10_000)
    w = run.weights[-1]
    outside = w - np.linalg.pinv(support) @ (support @ w)
    left = 1.0 - np.sqrt(1.0 - (outside @ outside) / (w @ w))
    assert left > 1e-6 and gaps(run, 10_000) == pytest.approx(left, rel=1e-4)


# -- limits -----------------------------------------------------------------------------------------------------------


def ratios(run, p):
    """The margin in l_p over the largest possible, at every snapshot."""
    best = ib.max_margin(run.problem, ("lp", p))
    assert best.relative_gap < 1e-6
    return (run.weights @ run.problem.rows.T).min(axis=1) / np.linalg.norm(run.weights, ord=p, axis=1) / best.margin


def check_steepest(p, steps, seed):
    run = full(data(seed), ib.SteepestDescent(p), ib.Power(0.1, 0.5), steps)
    found = ratios(run, p)
    quarter = found[np.flatnonzero(run.steps == steps // 4)[0]]
    assert 0.99 <= found[-1] <= 1.0 + 1e-9
    # w grows like the sum of the steps, sqrt(t), and its offset does not
    assert (1.0 - quarter) / (1.0 - found[-1]) == pytest.approx(2.0, rel=0.1)


@pytest.mark.parametrize("p, steps", [(1.0, 160_000), (1.5, 40_000), (3.0, 20_000), (INF, 20_000)])
def test_steepest_descent_goes_to_the_margin_of_its_norm(p, steps):
    check_steepest(p, steps, 0)


@pytest.mark.long
@pytest.mark.parametrize("p", [1.0, 1.5, 3.0, INF])
@pytest.mark.parametrize("seed", range(1, 5))
def test_steepest_descent_goes_to_the_margin_of_its_norm_on_other_data(seed, p):
    check_steepest(p, 640_000, seed)


@pytest.mark.parametrize("p", [1.5, 3.0])
@pytest.mark.parametrize("seed", range(3))
def test_mirror_descent_approaches_the_margin_of_its_norm(seed, p):
    """Like 1 / log t: far from there at any step, but always nearer, and nearer than gradient descent."""
    mirror, plain = (ratios(run, p) for run in full(data(seed), [ib.MirrorDescent(p), ib.SGD()], 0.1, 102_400))
    decades = mirror[-57::8]  # steps 800, 1600, ...
    assert (np.diff(decades) > 0.0).all() and (decades[-1] - decades[0]) > 0.02
    assert (mirror[-57:] > plain[-57:] + 0.01).all() and mirror[-1] < 1.0


@pytest.mark.parametrize("rho", [0.1, 1.0, 3.0])
@pytest.mark.parametrize("linf", [False, True])
def test_sam_on_one_sample_is_gradient_descent_in_another_time(linf, rho):
    """The margin is seen smaller by rho ||a||, in the dual norm: with the exponential loss a factor of the step."""
    row = np.array([1.0, 2.0, -0.5])
    factor = math.exp(rho * np.linalg.norm(row, ord=1 if linf else 2))
    lr = 0.1 / factor
    sam = full([row], ib.SAM(rho, linf=linf), lr, 1000, loss="exponential")
    plain = full([row], ib.SGD(), lr * factor, 1000, loss="exponential")
    np.testing.assert_allclose(sam.weights, plain.weights, rtol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_sam_goes_to_the_margin_of_gradient_descent(seed):
    """Increments forget the shift of the margins, which is all that rho changes."""
    items = [ib.SAM(0.0), ib.SAM(0.1), ib.SAM(1.0), ib.SAM(0.1, linf=True)]
    for run in full(data(seed), items, 1.0, 100_000):
        assert at(run, "inc_cos_l2") > 0.999, run


@pytest.mark.parametrize("seed", range(3))
def test_sam_with_signs_goes_there_slowly(seed):
    """Of the order of the margins, the shift rho ||a||_1 changes with every sign of the gradient, and increments, of
    the order of 1, do not settle; w does."""
    run = full(data(seed), ib.SAM(1.0, linf=True), 0.1, 100_000)
    assert at(run, "cos_l2") > 0.99 and at(run, "cos_l2", 100_000) > at(run, "cos_l2", 25_000)


def separation(bases, least, most, seed):
    runs = ib.simulate(data(seed), [*bases, *map(ib.SVRG, bases)], lr=ib.Power(0.1, 0.5), batch=1, steps=100_000)
    for plain, reduced, bound in zip(runs, runs[len(bases) :], most):
        assert at(plain, "inc_ratio_linf") < bound and at(plain, "ratio_linf") < bound
        assert at(reduced, "inc_ratio_linf") > least and at(reduced, "ratio_linf") > 0.96


@pytest.mark.parametrize("seed", range(3))
def test_variance_reduction_restores_the_limit_of_all_rows(seed):
    """arXiv 2602.11557: sign descent and Adam with batches of 1 go to the l_inf margin, and elsewhere without it."""
    separation([ib.Signum(0.9), ib.Adam(0.9, 0.95)], 0.985, [0.95, 0.7], seed)


@pytest.mark.parametrize("seed", range(3))
def test_amsgrad_freezes_its_metric(seed):
    """u is that of the early, large gradients, and Adam is then gradient descent in the metric sqrt(u): its limit is
    the max-margin direction of that norm, and not that of l_inf. (The margin in l_inf rises on some data, and falls on
    other.)"""
    problem = data(seed)
    ams, adam = full(problem, [ib.AMSGrad(0.9, 0.95), ib.Adam(0.9, 0.95)], 0.01, 200_000)
    assert at(ams, "ratio_linf") < 0.9 and at(adam, "ratio_linf") > 0.98
    early = full(problem, ib.AMSGrad(0.9, 0.95), 0.01, 20_000)
    assert (ams.state[2] == early.state[2]).all()
    metric = ib.max_margin(problem, ("mahalanobis", np.sqrt(ams.state[2]))).direction
    moved = ams.weights[-1] - ams.weights[-9]  # w(t) - w(t/2)
    assert cosine(moved, metric) > 0.9999
    assert cosine(moved, ib.max_margin(problem, "l2").direction) < 0.9


@pytest.mark.parametrize("optimizer", [ib.Lion(), ib.LaProp(0.9, 0.95), ib.NAdam(0.9, 0.95)], ids=lambda x: x.label)
@pytest.mark.parametrize("seed", range(3))
def test_full_batch_goes_to_the_margin_of_linf(seed, optimizer):
    """Where gradients change little within the memory of the second moment, 1 / (1 - beta2) steps; with 0.999 they
    do not yet by then."""
    run = full(data(seed), optimizer, ib.Power(0.01, 0.5), 100_000)
    assert at(run, "ratio_linf") > 0.98 and at(run, "inc_ratio_linf") > 0.999


@pytest.mark.parametrize("seed", range(3))
def test_single_samples_lead_nadam_and_laprop_to_the_limit_of_adam(seed):
    runs = ib.simulate(data(seed), [ib.NAdam(0.9, 0.999), ib.LaProp(0.9, 0.999)], lr=1e-4, batch=1, steps=400_000)
    for run in runs:
        assert at(run, "inc_cos_limit") > 0.9999 and at(run, "inc_cos_l2") < 0.98 and at(run, "inc_cos_linf") < 0.9


@pytest.mark.parametrize("beta2, method", [(0.999, "theory"), (0.95, "numerical")])
@pytest.mark.parametrize("seed", range(3))
def test_schedule_free_adamw_goes_to_the_limit_of_adam_without_momentum(seed, beta2, method):
    """The closed tail map is that of beta2 -> 1; at 0.95 it is 4e-4 off, and a measured one is not."""
    run = ib.simulate(data(seed), ib.ScheduleFreeAdamW(0.9, beta2), lr=1e-4, batch=1, steps=400_000)
    limit = ib.predict(data(seed), ib.Adam(0.0, beta2), method=method)
    assert cosine(run.weights[-1] - run.weights[-9], limit.direction) > 0.9999  # w(t) - w(t/2)
    assert at(run, "inc_cos_limit") > 0.999


# -- the second moment holds back -------------------------------------------------------------------------------------


@kernel
def descend(w, g, state, hyper, power, lr, kept):
    """Steps of Adam's own kernel on w^(power + 1) / (power + 1), which no linear classifier has."""
    bias = Bias(splat(1.0), splat(1.0))
    for t in range(kept.shape[0]):
        for k in range(w.shape[1]):
            g[0, k] = w[0, k] ** power
        adam_step(w, g, state, hyper, splat(lr), bias, 0, 0)
        kept[t] = w[0, 0]


@pytest.mark.parametrize("order, beta2", [(4, 0.93), (4, 0.99), (6, 0.93), (8, 0.95)])
@pytest.mark.parametrize("lr", [1e-3, 1e-4])
def test_adam_shrinks_a_polynomial_as_its_second_moment_forgets(order, beta2, lr):
    """x falls by beta2^(1 / (2 (k - 2))) a step on x^k / k, at any constant step size (arXiv 2603.09581)."""
    w, hyper, kept = aligned((1, 8)), aligned((6, 8)), np.empty(60_000)
    w[:], hyper[0], hyper[1] = 1.0, 0.9, beta2
    descend(w, aligned((1, 8)), aligned((2, 1, 8)), hyper, float(order - 1), lr, kept)
    deep = np.flatnonzero(kept < 1e-15)[0]
    law = beta2 ** (1.0 / (2.0 * (order - 2)))
    assert kept[deep + 1] / kept[deep] == pytest.approx(law, abs=1e-10)
    if (order, beta2) == (4, 0.93):
        assert law == pytest.approx(0.9820209142881304, abs=1e-15)


@pytest.mark.parametrize("seed", range(3))
def test_variance_reduction_restores_the_spectral_margin(seed):
    """The same of Muon, with a polar factor of many cubic steps."""
    problem = ib.geometry.gaussian_labels(n=8, d=16, k=3, seed=seed)
    plain = ib.Muon(momentum=0.5, polar="cubic", iterations=30)
    runs = ib.simulate(
        problem, [plain, ib.SVRG(plain)], lr=ib.Power(0.3, 0.5), batch=1, steps=20_000, measures=["margins"]
    )
    assert at(runs[0], "inc_ratio_spectral") < 0.97 and at(runs[1], "inc_ratio_spectral") > 0.99

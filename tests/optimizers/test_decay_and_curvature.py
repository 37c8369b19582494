"""Where optimizers go with weight decay, clipping and the diagonal of the Hessian."""

import math

import numpy as np
import pytest
from gaussian_runs import at, cosine, data, full

import implicitbias as ib
from implicitbias.limits.adamw import adamw_point

INF = math.inf


# -- weight decay, and clipping ---------------------------------------------------------------------------------------


def annealed(problem, optimizer, eta, steps, **options):
    options = {"order": "full"} | options
    return ib.simulate(problem, optimizer, lr=ib.Cosine(eta, steps, 1e-4), steps=steps, **options)


@pytest.mark.parametrize("base", [ib.Signum(0.9), ib.NAdam(0.9, 0.95), ib.LaProp(0.9, 0.95), ib.RMSProp(0.95),
                                  ib.SteepestDescent(INF)], ids=lambda item: item.label)  # fmt: skip
def test_decay_leads_what_follows_signs_to_the_least_loss_in_the_box(base):
    problem = data(0)
    best = adamw_point(problem, 0.5)
    run = annealed(problem, ib.Decayed(base, 0.5), 0.01, 20_000)
    assert np.abs(run.weights[-1]).max() <= 2.0 + 1e-3
    assert at(run, "log_loss") == pytest.approx(best.log_loss, abs=5e-3)
    assert ib.predict(problem, ib.Decayed(base, 0.5), batch="n") is None


def test_decay_leads_to_the_least_loss_in_a_ball_and_gradient_descent_to_a_regularised_one():
    """Where a step that has the length 1 in l_p rests, the dual norm of the gradient is at w, as it is at the least
    loss in the ball; and with plain steps the gradient is -weight_decay w."""
    problem, decay = data(0), 0.5
    rows = problem.rows

    def gradient(w):
        return -(rows / (1.0 + np.exp(rows @ w))[:, None]).mean(axis=0)

    for p, base in ((2.0, ib.NGD()), (3.0, ib.SteepestDescent(3))):
        w = annealed(problem, ib.Decayed(base, decay), 0.01, 20_000).weights[-1]
        assert np.linalg.norm(w, ord=p) == pytest.approx(1.0 / decay, rel=1e-5)
        g = gradient(w)
        assert -g @ w == pytest.approx(np.linalg.norm(g, ord=p / (p - 1.0)) / decay, rel=1e-5)
    w = full(problem, ib.Decayed(ib.SGD(), decay), 0.1, 2000).weights[-1]
    np.testing.assert_allclose(gradient(w), -decay * w, rtol=1e-9)


@pytest.mark.parametrize("bound", [0.1, 0.7, 3.0])
@pytest.mark.parametrize("base", [ib.Adam(0.9, 0.95), ib.FTRL(0.5), ib.RMSProp(0.95)], ids=lambda item: item.label)
def test_clipped_signs_are_signs(base, bound):
    """Full batch the ratios come to signs, or to one multiple of them, and so do clipped ones."""
    run = full(data(0), ib.Clipped(base, bound), ib.Power(0.01 / min(bound, 1.0), 0.5), 100_000)
    assert at(run, "ratio_linf") > 0.98 and at(run, "inc_ratio_linf") > 0.999


# -- Sophia -----------------------------------------------------------------------------------------------------------


def moved(run):
    return run.weights[-1] - run.weights[-9]  # w(t) - w(t/2)


@pytest.mark.parametrize("seed", range(3))
def test_unclipped_sophia_goes_where_diagonal_newton_does(seed):
    """To a rest point of S / Q, whatever lr and rho are, and to no margin of a norm."""
    problem = data(seed)
    rows = problem.rows
    pairs = ((30.0, 0.001), (30.0, 0.1), (90.0, 0.01))
    runs = [full(problem, ib.Sophia(0.9, 0.95, rho), lr * rho, 100_000) for rho, lr in pairs]
    for run in runs:
        z = rows @ run.weights[-1]
        c = np.exp(z.min() - z)
        newton = (c @ rows) / (c @ rows**2)
        assert cosine(moved(run), newton) > 0.9999 and cosine(moved(run), moved(runs[0])) > 0.9999
        margins = rows @ newton
        assert c @ margins / c.sum() - margins.min() < 1e-3 * margins.min()
        assert at(run, "inc_cos_linf") < 0.85 and at(run, "inc_cos_l2") < 0.95 and at(run, "inc_cos_l1") < 0.95


@pytest.mark.parametrize("seed", range(3))
def test_clipped_sophia_goes_near_the_margin_of_linf(seed):
    """The nearer the smaller rho is; where it goes is the rest point of the map that its kernel has."""
    problem, ends = data(seed), []
    for rho in (0.001, 0.05):
        run = full(problem, ib.Sophia(0.9, 0.95, rho), 0.001, 100_000)
        limit = ib.predict(problem, run.optimizer, batch="n", method="numerical")
        assert cosine(moved(run), limit.direction) > 0.999
        ends.append(at(run, "inc_cos_linf"))
    assert ends[0] > 0.995 and ends[0] > ends[1] + 0.005


def test_the_loss_of_sophia_falls_no_faster_than_its_curvature_is_forgotten():
    fast, slow = (full(data(0), ib.Sophia(0.9, 0.95, 0.05), lr, 100_000) for lr in (0.1, 0.001))
    assert at(fast, "log_loss") == pytest.approx(100_000 * math.log(0.95), rel=0.01)
    assert at(slow, "log_loss") > 0.25 * at(fast, "log_loss")
    assert at(fast, "inc_cos_linf") < at(slow, "inc_cos_linf") - 0.1

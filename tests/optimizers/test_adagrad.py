"""AdaGrad with eps under the root: the two-sample example of arXiv 1906.03559, step by step and at its limit."""

import numpy as np
import pytest

import implicitbias as ib
from implicitbias.limits import adagrad_direction

ROWS = np.array([[np.cos(np.pi / 8), np.sin(np.pi / 8)], [np.cos(np.pi / 20), np.sin(np.pi / 20)]])
EPS = 2.5e-9  # 1e-8 for the sum of the two losses, whose gradients are twice those of their mean
# step size: the distance of w / ||w|| to the l2 max-margin direction at t = 10, 100, ..., and that of the limit; t
# counts the iterates, of which w = 0 is the first
DISTANCES = {
    0.5: ([0.49703, 0.48506, 0.47130, 0.45735, 0.44403, 0.43162, 0.42017, 0.40968], 0.24707),
    0.1: ([0.50331, 0.49914, 0.49065, 0.47836, 0.46483, 0.45154, 0.43900, 0.42738], 0.25328),
}


def to_l2(w):
    return np.linalg.norm(w / np.linalg.norm(w) - ib.max_margin(ROWS).direction)


def run_to(steps, lr):
    optimizer = ib.AdaGrad(EPS, eps_inside=True)
    return ib.simulate(ROWS, optimizer, lr=lr, loss="exponential", order="full", steps=steps)


def distances(lr, powers):
    return [to_l2(run_to(10**power - 1, lr).weights[-1]) for power in powers]


@pytest.mark.parametrize("lr", DISTANCES)
def test_the_path_is_that_of_the_paper(lr):
    # all digits that are printed
    np.testing.assert_allclose(distances(lr, range(1, 7)), DISTANCES[lr][0][:6], rtol=0, atol=6e-6)


@pytest.mark.long
@pytest.mark.parametrize("lr", DISTANCES)
def test_the_path_goes_on_as_in_the_paper(lr):
    np.testing.assert_allclose(distances(lr, [7, 8]), DISTANCES[lr][0][6:], rtol=0, atol=6e-6)


@pytest.mark.parametrize("lr", DISTANCES)
def test_the_limit_is_read_off_the_run(lr):
    limit = adagrad_direction(ROWS, run_to(10**6, lr))
    assert "theorem" in limit.rule and "sqrt(V_j + eps)" in limit.rule
    assert to_l2(limit.direction) == pytest.approx(DISTANCES[lr][1], abs=1e-3)

"""The path to the rest point of Newton-Schulz iterations, where there are several, against steps of a run."""

import numpy as np
import pytest

import implicitbias as ib
from implicitbias.optimizers.matrix.newton_schulz import POLYNOMIALS


def polynomials(x, table, iterations):
    x = x / np.linalg.norm(x)
    for a, b, c in table[:iterations]:
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x


def test_of_five_rest_points_the_one_that_slow_steps_come_to():
    """Polar Express has others up to 10 degrees away, into one of which a coarser path runs."""
    problem = ib.geometry.gaussian_labels(n=40, d=24, k=4, seed=0)
    X, rows, W = problem.X, np.arange(40), np.zeros((4, 24))
    half = W
    for t in range(16_000):
        logs = X @ W.T
        logs -= logs[rows, problem.labels][:, None]  # minus the margins: weights of the exponential loss
        logs[rows, problem.labels] = -np.inf
        weights = np.exp(logs - logs.max())
        weights[rows, problem.labels] = -weights.sum(axis=1)
        W = W - 0.01 * polynomials(weights.T @ X, POLYNOMIALS["polar_express"], 5)
        half = W.copy() if t == 7_999 else half
    moved = (W - half) / np.linalg.norm(W - half)
    muon = ib.Muon(momentum=0.0, polar="polar_express", iterations=5)
    with pytest.warns(RuntimeWarning, match="rest points found"):
        limit = ib.predict(problem, muon, order="full")
    assert np.sum(limit.direction.reshape(4, 24) * moved) / np.linalg.norm(limit.direction) > 0.9998

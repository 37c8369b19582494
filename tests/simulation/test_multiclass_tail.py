"""The driver on k classes against many digits, far past the end of float64, and where classes fall behind others."""

import naive
import naive_matrix as twin
import numpy as np
import pytest

import implicitbias as ib
from implicitbias.losses import log_loss
from implicitbias.simulation.orders import batches

RNG = np.random.default_rng(0)
PROBLEM = ib.Multiclass(RNG.normal(size=(7, 6)), [0, 1, 2, 0, 1, 2, 0])
# samples of one class after the other are longer: their margins grow faster, and their weights fall behind
LONG = ib.Multiclass(RNG.normal(size=(8, 9)) * np.array([1, 1, 1, 4, 4, 16, 16, 64])[:, None], [0, 1, 0, 2, 2, 3, 3, 1])

PAIRS = {
    "signum": (ib.Signum(0.9), twin.Plain(naive.Signum(0.9))),
    "adam": (ib.Adam(0.5, 0.5), twin.Plain(naive.Adam(0.5, 0.5))),
    "ngd": (ib.NGD(), twin.Plain(naive.NGD())),
    "spectral": (
        ib.NormalizedSteepestDescent("spectral"),
        twin.NormalizedSteepestDescent(norm="spectral", momentum=0, r=1, weight_decay=0),
    ),
    "muon": (
        ib.Muon(momentum=0.9),
        twin.Muon(momentum=0.9, nesterov=True, polar="exact", scale="none", transposed=False, momentum_last=False,
                  weight_decay=0),
    ),
    "muon, no nesterov": (
        ib.Muon(momentum=0.8, nesterov=False),
        twin.Muon(momentum=0.8, nesterov=False, polar="exact", scale="none", transposed=False, momentum_last=False,
                  weight_decay=0),
    ),
}  # fmt: skip


def compare(problem, name, batch, steps, lr, start=None, dps=60, record=(1, 10), loss="logistic"):
    """The last log-loss."""
    ours, rule = PAIRS[name]
    order, record = "full" if batch == "n" else "reshuffle", [*record, steps]
    visited = batches(problem.n, problem.n if batch == "n" else batch, order, steps, seed=1)
    expected, logs = twin.trajectory(
        problem, rule, visited, lambda t: lr, 1, loss, start, record, numbers="decimal", dps=dps
    )
    for step, W, log in zip(record, expected, logs, strict=True):
        run = ib.simulate(
            problem, ours, lr=lr, batch=batch, order=order, steps=step, seed=1, initial=start, loss=loss, measures=[]
        )
        np.testing.assert_allclose(run.weights[-1], W, rtol=1e-9, atol=1e-10 * np.abs(W).max(), err_msg=f"step {step}")
        found = log_loss(problem.soft_margins(problem.margins(run.weights[-1])), loss)
        assert found == pytest.approx(log, rel=1e-9, abs=1e-12)
    return logs[-1]

"""The driver on k classes against many digits, far past the end of float64, and where classes fall behind others."""

import decimal

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


def far_out(problem, margins):
    """Weights with these margins z_ic, by the label y_i and c: row and column of `margins`; those of samples and
    classes differ a little, or of the samples of a label nothing would be known but one direction."""
    wanted = np.asarray(margins, float)[problem.labels[:, None], problem.others].reshape(-1)
    wanted = wanted + np.random.default_rng(4).uniform(0, 2, size=wanted.shape)
    return np.linalg.lstsq(problem.pairs(), wanted, rcond=None)[0].reshape(problem.shape)


DIGITS = {"spectral": 900, "muon": 900, "muon, no nesterov": 900}  # twice what the weights span, and some

USUAL = [pytest.param(name, marks=pytest.mark.long) if name == "muon, no nesterov" else name for name in PAIRS]


@pytest.mark.parametrize("batch", [1, 4, "n"])
@pytest.mark.parametrize("name", USUAL)
def test_trajectory_is_that_of_many_digits(name, batch):
    """From zero as far as a run is not chaotic: with large steps, a start moved by 1e-15 is soon elsewhere."""
    steps, lr = (30, 1.0) if name in DIGITS else (400, 1.0) if name == "ngd" else (400, 4.0)
    last = compare(PROBLEM, name, batch, steps, lr, dps=DIGITS.get(name, 60))
    assert last < -300 or name in (*DIGITS, "adam", "ngd")


@pytest.mark.parametrize("batch", [1, 4, "n"])
@pytest.mark.parametrize("name", USUAL)
def test_trajectory_past_a_log_loss_of_minus_300(name, batch):
    start = far_out(PROBLEM, [[290 + 100 * abs(y - c) for c in range(3)] for y in range(3)])
    steps, lr = (30, 1.0) if name in DIGITS else (100, 1.0)
    assert compare(PROBLEM, name, batch, steps, lr, start, dps=DIGITS.get(name, 60)) < -300


@pytest.mark.long
@pytest.mark.parametrize("batch", [1, 4, "n"])
@pytest.mark.parametrize("name", PAIRS)
def test_longer_trajectory_is_that_of_many_digits(name, batch):
    """Adam on single rows is chaotic with the larger step: a start moved by 1e-15 is elsewhere after 1200 steps."""
    steps, lr = (300, 1.0) if name in DIGITS else (2000, 0.5 if (name, batch) == ("adam", 1) else 2.0)
    assert compare(PROBLEM, name, batch, steps, lr, dps=2 * DIGITS.get(name, 30)) < (-40 if batch == 1 else -150)


# -- classes behind others --------------------------------------------------------------------------------------------


def plain_polar(G):
    """What a decomposition in float64 makes of it."""
    U, s, V = np.linalg.svd((G / abs(G).max()).astype(float), full_matrices=False)
    seen = s > 1e-13 * s[0]
    return U[:, seen] @ V[seen]


# Margins between three or four classes: the last is behind, by e^-100 and e^-1500; each behind the one before
BEHIND = {
    "one, a little": (4, lambda y, c: 100.0 if 3 in (y, c) else 10.0),
    "one, far": (3, lambda y, c: 1500.0 if 2 in (y, c) else 10.0),
    "each": (4, lambda y, c: 20.0 + 150.0 * max(y, c)),
}


@pytest.mark.parametrize("batch", [1, pytest.param(4, marks=pytest.mark.long), "n"])
@pytest.mark.parametrize("name", USUAL)
@pytest.mark.parametrize("case", BEHIND)
def test_classes_that_are_behind_are_not_lost(case, name, batch):
    k, margins = BEHIND[case]
    rng = np.random.default_rng(1)
    problem = ib.Multiclass(rng.normal(size=(8, 9)), [0, 1, 2, 0, 1, 2, 0, k - 1])
    start = far_out(problem, [[margins(y, c) for c in range(k)] for y in range(k)])
    digits = 300 if case == "one, a little" else 1500
    compare(problem, name, batch, 6, 0.01, start, dps=digits if name in DIGITS else 60, record=(1, 3))
    with decimal.localcontext(naive.decimal_context(digits)):
        X, W = (twin.exact(x, decimal.Decimal) for x in (problem.X, start))
        G = twin.gradient(X, problem.labels, W, range(problem.n), "logistic")
        # the case is one: in float64 directions are missing
        assert np.abs(plain_polar(G) - twin.polar(G).astype(float)).max() > 0.1


@pytest.mark.parametrize("name", ["signum", "ngd", "spectral", "muon"])
def test_rows_of_very_different_lengths(name):
    """The weights of long ones fall behind those of short ones from the start."""
    compare(LONG, name, "n", 12, 0.2, dps=1500 if name in DIGITS else 60)

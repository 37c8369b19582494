"""The optimizers that came with the family against 50-digit arithmetic, and against each other."""

import naive_family as twin
import numpy as np
import pytest

import implicitbias as ib
from implicitbias.simulation.orders import batches, steps_per_epoch

STEPS = 2_000
INF = float("inf")
RNG = np.random.default_rng(0)
DISJOINT = np.zeros((4, 8))
for i in range(4):
    DISJOINT[i, 2 * i : 2 * i + 2] = 1 + 3 * i, -(0.5 + i)
ROWS = {"dense": RNG.normal(size=(6, 8)), "disjoint": DISJOINT,
        "sparse": np.array([[1, 0, 0, 0, 2.0], [0, 3, 0, 0, -1], [0, 0, -4, 0, 1], [10, 0, 0, 5, 0]])}  # fmt: skip

# ours, the twin, the step size
PAIRS = {
    "amsgrad": (ib.AMSGrad(0.9, 0.95), twin.AMSGrad(beta1=0.9, beta2=0.95), 1.0),
    "rmsprop": (ib.RMSProp(0.95), twin.RMSProp(beta2=0.95), 1.0),
    "nadam": (ib.NAdam(0.9, 0.95), twin.NAdam(beta1=0.9, beta2=0.95), 1.0),
    "laprop": (ib.LaProp(0.9, 0.95), twin.LaProp(beta1=0.9, beta2=0.95), 1.0),
    "lion": (ib.Lion(0.9, 0.99), twin.Lion(beta1=0.9, beta2=0.99, weight_decay=0.0), 1.0),
    "lion with decay": (ib.Lion(0.9, 0.95, 1e-3), twin.Lion(beta1=0.9, beta2=0.95, weight_decay=1e-3), 1.0),
    "steepest in l1": (ib.SteepestDescent(1), twin.SteepestDescent(p=1.0), 0.5),
    "steepest in l3": (ib.SteepestDescent(3), twin.SteepestDescent(p=3.0), 0.5),
    "steepest in l1.5": (ib.SteepestDescent(1.5), twin.SteepestDescent(p=1.5), 0.5),
    "steepest in linf": (ib.SteepestDescent(), twin.SteepestDescent(p=INF), 1.0),
    "mirror": (ib.MirrorDescent(3), twin.MirrorDescent(p=3.0), 0.05),
    "sam": (ib.SAM(0.1), twin.SAM(rho=0.1, linf=False), 0.05),
    "sam in linf": (ib.SAM(0.1, linf=True), twin.SAM(rho=0.1, linf=True), 0.05),
    "schedule-free sgd": (ib.ScheduleFreeSGD(0.9), twin.ScheduleFreeSGD(beta=0.9, averaging=0.0), 0.05),
    "schedule-free sgd, t^3": (ib.ScheduleFreeSGD(0.5, 4), twin.ScheduleFreeSGD(beta=0.5, averaging=4.0), 0.05),
    "schedule-free adamw": (
        ib.ScheduleFreeAdamW(0.9, 0.95, 1e-3),
        twin.ScheduleFreeAdamW(beta=0.9, beta2=0.95, weight_decay=1e-3, averaging=0.0),
        1.0,
    ),
    "dual accelerated": (ib.DualAccelerated(), twin.DualAccelerated(), 0.05),
    "rescaling": (ib.ProgressiveRescaling(50, 1.1), twin.ProgressiveRescaling(stage=50.0, growth=1.1), 0.5),
    "ema of adam": (ib.EMA(ib.Adam(0.9, 0.95), 0.9), twin.EMA(twin.Adam(beta1=0.9, beta2=0.95), 0.9), 1.0),
    "ema of sgd": (ib.EMA(ib.SGD(0.5), 0.9), twin.EMA(twin.SGD(momentum=0.5), 0.9), 0.05),
    "mars on adam": (ib.MARS(ib.Adam(0.9, 0.95), 0.1), twin.MARS(twin.Adam(beta1=0.9, beta2=0.95), gamma=0.1), 1.0),
    "mars on signum": (ib.MARS(ib.Signum(0.9), 0.1), twin.MARS(twin.Signum(beta=0.9), gamma=0.1), 1.0),
    "mars on lion": (
        ib.MARS(ib.Lion(0.9, 0.95), 1.0),
        twin.MARS(twin.Lion(beta1=0.9, beta2=0.95, weight_decay=0.0), gamma=1.0),
        0.5,
    ),
    "svrg on sgd": (ib.SVRG(ib.SGD()), twin.SVRG(twin.SGD(momentum=0.0)), 0.05),
    "svrg on signum": (ib.SVRG(ib.Signum(0.9)), twin.SVRG(twin.Signum(beta=0.9)), 0.5),
    "svrg on adam": (ib.SVRG(ib.Adam(0.9, 0.95)), twin.SVRG(twin.Adam(beta1=0.9, beta2=0.95)), 0.5),
}


def compare(rows, ours, rule, lr, batch, order="reshuffle", steps=STEPS, start=None, record=None):
    record = [1, 50, steps] if record is None else record
    visited = list(batches(len(rows), batch, order, steps, seed=1))
    per_epoch = steps_per_epoch(len(rows), batch, "drop" if order == "reshuffle" else "keep")
    expected, logs = twin.trajectory(
        rows, rule, visited, lambda t: lr, per_epoch, w0=start, record=record, backend=backend
    )
    for step, w, log_loss in zip(record, expected, logs, strict=True):
        run = ib.simulate(rows, ours, lr=lr, batch=batch, order=order, steps=step, seed=1, initial=start)
        np.testing.assert_allclose(run.weights[-1], w, rtol=1e-9, atol=1e-12 * np.abs(w).max(), err_msg=f"step {step}")
        assert run.curve["log_loss"].iloc[-1] == pytest.approx(log_loss, rel=1e-9, abs=1e-12)
    return logs[-1]


@pytest.mark.parametrize("shape", ROWS)
@pytest.mark.parametrize("name", PAIRS)
def test_trajectory_is_that_of_50_digits(name, shape):
    ours, rule, lr = PAIRS[name]
    compare(ROWS[shape], ours, rule, lr, batch=2, steps=300 if "ftrl" in name else STEPS)

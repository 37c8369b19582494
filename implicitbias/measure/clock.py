"""Where a run is: updates, step sizes and the loss. Always measured."""

from implicitbias.losses import log_loss
from implicitbias.measure.group import Column, Group, Snapshots

CLOCK = (
    Column("step", int, "updates", "updates made; of a flow, steps of the integrator"),
    Column("epoch", float, "epochs", "passes over the data"),
    Column("sum_lr", float, "time", "sum of the step sizes; of a flow, the time t"),
    Column("lr", float, "", "step size of the last update; missing for a flow"),
)
LOG_LOSS = Column("log_loss", float, "", "logarithm of the mean loss, exact at any depth")
_LEAST = Column("min_margin", float, "", "smallest margin min_i a_i.w")


def clock(seen: Snapshots) -> dict:
    """The columns of `CLOCK`."""
    run = seen.run
    epochs = run.setting.epochs(run.steps, run.problem.n)
    return {"step": run.steps, "epoch": epochs, "sum_lr": run.sum_lr, "lr": run.last_lr}


def _measure(seen: Snapshots) -> dict:
    return clock(seen) | {"log_loss": log_loss(seen.soft_margins, seen.run.setting.loss), "min_margin": seen.least}


GROUP = Group("clock", lambda norms: [*CLOCK, LOG_LOSS, _LEAST], _measure)

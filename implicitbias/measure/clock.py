"""Where a run is: updates, step sizes and the loss. Always measured."""

from implicitbias.losses import log_loss
from implicitbias.measure.group import Column, Group, Snapshots


def _columns(norms: tuple[str, ...]) -> list[Column]:
    return [
        Column("step", int, "updates", "updates made; of a flow, steps of the integrator"),
        Column("epoch", float, "epochs", "passes over the data"),
        Column("sum_lr", float, "time", "sum of the step sizes; of a flow, the time t"),
        Column("lr", float, "", "step size of the last update; missing for a flow"),
        Column("log_loss", float, "", "logarithm of the mean loss, exact at any depth"),
        Column("min_margin", float, "", "smallest margin min_i a_i.w"),
    ]


def _measure(seen: Snapshots) -> dict:
    run = seen.run
    return {
        "step": run.steps,
        "epoch": run.setting.epochs(run.steps, run.problem.n),
        "sum_lr": run.sum_lr,
        "lr": run.last_lr,
        "log_loss": log_loss(seen.soft_margins, run.setting.loss),
        "min_margin": seen.least,
    }


GROUP = Group("clock", _columns, _measure)

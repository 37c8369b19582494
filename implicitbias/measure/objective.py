"""Where a run on an objective is: updates, step sizes, its value, and what the objective is read by."""

from functools import cache

from implicitbias.measure.clock import CLOCK, LOG_LOSS, clock
from implicitbias.measure.group import Column, Group, Snapshots


@cache
def group_of(form: str) -> Group:
    """What is always measured of a run on objectives of a form."""
    from implicitbias.objectives import FORMS

    readings = FORMS[form].readings
    columns = [*CLOCK, LOG_LOSS, *(Column(item.name, float, item.unit, item.says) for item in readings)]

    def measure(seen: Snapshots) -> dict:
        run = seen.run
        found = {item.name: item.of(run.problem, seen.weights, run.last_lr) for item in readings}
        return clock(seen) | {"log_loss": run.problem.log_loss(seen.weights, run.setting.loss)} | found

    return Group("clock", lambda norms: columns, measure)

"""What a run on an objective ends in: a point, a cycle or chaos; from its last updates, half of the run at most."""

import math
from functools import cache

import numpy as np

from implicitbias.measure.group import Column, Group, Snapshots

LONGEST = 64  # period that is looked for
SAME = 1e-6  # of the largest entry, how near a point comes back to itself on a cycle
SHOWN = 64  # points of the orbit that a table keeps

_COLUMNS = (
    Column("period", int, "updates", f"of the cycle that the run ends on, 1 for a point; 0 for none up to {LONGEST}"),
    Column(
        "lyapunov", float, "1/update", "Lyapunov exponent, of gradient descent on all samples without momentum: above "
        "0 neighbours part",
    ),
    Column("orbit", list, "", f"the last {SHOWN} values of w_1, or of canonical_p"),
)  # fmt: skip


@cache
def orbit_of(form: str) -> Group:
    """The group, of objectives of a form: with the median of each reading over the last updates."""
    from implicitbias.objectives import FORMS

    readings, shown = FORMS[form].readings, FORMS[form].shown
    medians = [
        Column(f"median_{item.name}", float, item.unit, f"median over the last updates: {item.says}")
        for item in readings
    ]

    def at_end(seen: Snapshots) -> dict:
        window = seen.run.window
        if window is None:  # a run that ended early, or of one update
            return {}
        rates = np.full(len(window), seen.run.last_lr[-1])
        told = {item.name: item.of(seen.run.problem, window, rates) for item in readings}
        first = window[:, 0] if shown is None else told[shown]
        found = {f"median_{name}": float(np.median(x)) for name, x in told.items()}
        return found | {"period": period(window), "lyapunov": lyapunov(seen.run), "orbit": first[-SHOWN:].tolist()}

    return Group(
        "orbit", lambda norms: [], lambda seen: {}, lambda norms: [*medians, *_COLUMNS], at_end, data=False,
        objectives=True, by_name=True, needs=("window",),
    )  # fmt: skip


def period(window: np.ndarray) -> int:
    """The least p <= LONGEST with w_(t+p) = w_t all along the iterates (W, d); 0 if there is none."""
    near = SAME * np.abs(window).max()
    for p in range(1, min(LONGEST, len(window) // 2) + 1):
        if np.abs(window[p:] - window[:-p]).max() <= near:
            return p
    return 0


def lyapunov(run) -> float:
    """lim (1/T) log ||J_T ... J_1 v|| with J = 1 - eta H along the last updates, which is that of almost every v."""
    optimizer, setting = run.optimizer, run.setting
    if optimizer.name != "sgd" or optimizer.momentum != 0.0 or setting.batch != run.problem.n:
        return math.nan
    if setting.order == "replacement" or run.lr.over_loss:
        return math.nan
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        steps = np.eye(run.problem.d) - run.last_lr[-1] * run.problem.hessian(run.window[:-1])
        if run.problem.d == 1:
            return float(np.log(np.abs(steps[:, 0, 0])).mean())
        total, v = 0.0, np.full(run.problem.d, 1.0)
        for step in steps:
            v = step @ v
            size = np.linalg.norm(v)
            total += math.log(size) if size > 0.0 else -math.inf
            v = v / size if size > 0.0 else np.full(run.problem.d, 1.0)
        return float(total / len(steps))


# Of no form in particular: what a name can be looked up by.
GROUP = Group(
    "orbit", lambda norms: [], lambda seen: {}, lambda norms: list(_COLUMNS), data=False, objectives=True, by_name=True,
    needs=("window",),
)  # fmt: skip

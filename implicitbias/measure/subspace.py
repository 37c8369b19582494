"""How much of a run happens in the dominant subspace: chi(v) = ||P v|| / ||v||, P the projector on the top eigenvectors
of the Hessian of the mean loss.

Source: arXiv 2405.16002.
"""

import numpy as np

from implicitbias.measure.group import Column, Group, Snapshots
from implicitbias.simulation.orders import counts


def _top_columns(top: int) -> list[Column]:
    space = (
        f"in the span of the top {top} eigenvectors of the Hessian"
        if top > 1
        else "along the top eigenvector of the Hessian"
    )
    return [
        Column("chi_gradient", float, "", f"share of the full gradient {space}"),
        Column(
            "chi_batch", float, "", f"share of the gradient of the next batch {space}; of a run that went on, of the "
            "batches of its last phase; missing for flows",
        ),
        Column("chi_update", float, "", f"share of the last update {space}; missing for flows, and for no update"),
    ]  # fmt: skip


def _measure(seen: Snapshots) -> dict:
    from implicitbias.hessian import share_of
    from implicitbias.hessian.gradients import gradients

    run, setting = seen.run, seen.run.setting
    _, directions = seen.spectrum
    nothing = np.full(len(directions), np.nan)
    columns = {"chi_gradient": share_of(directions, gradients(run.problem, run.weights, setting.loss))}
    columns |= {"chi_batch": nothing, "chi_update": nothing}
    if setting.steps is not None:
        next_ = counts(run.problem.n, setting.batch, setting.order, run.steps, setting.seed, setting.remainder)
        columns["chi_batch"] = share_of(directions, gradients(run.problem, run.weights, setting.loss, next_))
    if run.updates is not None:
        columns["chi_update"] = share_of(directions, run.updates.reshape(len(directions), -1))
    return columns


GROUP = Group(
    "subspace", lambda norms: [], _measure, top_columns=_top_columns, by_name=True, needs=("updates",), objectives=True
)  # fmt: skip

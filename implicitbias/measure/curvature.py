"""How curved the mean loss is where a run is: the top of its Hessian H, as logarithms, for they underflow."""

import numpy as np

from implicitbias.losses import log_loss
from implicitbias.measure.group import Column, Group, Snapshots


def _columns(norms: tuple[str, ...]) -> list[Column]:
    return [
        Column("lr_lambda_1", float, "", "step size of the last update, of a schedule over the loss divided by "
               "that, times the largest eigenvalue of H"),
        Column(
            "precond_lambda_1", float, "", "the same of P^-1/2 H P^-1/2, P = diag(sqrt(v) + eps) what the optimizer "
            "has divided its last update by, bias corrected if it is; missing for those that do not divide by a root",
        ),
        Column(
            "log_directional_smoothness", float, "", "logarithm of ||g(w(t)) - g(w(t-1))|| / ||w(t) - w(t-1)|| for the "
            "full gradient g and the last update; missing without one",
        ),
    ]  # fmt: skip


def _top_columns(top: int) -> list[Column]:
    words = (
        "logarithm of the {} eigenvalue of the Hessian H of the mean loss, exact at any depth; missing beyond its rank"
    )
    return [
        Column(f"log_lambda_{i}", float, "", words.format("largest" if i == 1 else f"{_nth(i)} largest"))
        for i in range(1, top + 1)
    ]


def _nth(i: int) -> str:
    """
    >>> [_nth(i) for i in (2, 3, 11, 21)]
    ['2nd', '3rd', '11th', '21st']
    """
    ends = {1: "st", 2: "nd", 3: "rd"}
    return f"{i}{'th' if i % 100 // 10 == 1 else ends.get(i % 10, 'th')}"


def _end_columns(norms: tuple[str, ...]) -> list[Column]:
    return [
        Column("edge_crossings", int, "", "how often lr_lambda_1 passes 2 from one snapshot to the next"),
        Column(
            "edge_exit", int, "updates", "the snapshot after the last one with lr_lambda_1 above 2; missing if that is "
            "the end, 0 if there is none",
        ),
    ]  # fmt: skip


def _at_end(seen: Snapshots) -> dict:
    above = _rate(seen) + seen.spectrum[0][:, 0] > np.log(2.0)
    steps = np.append(0, seen.run.steps)
    last = np.flatnonzero(above).max(initial=-1) + 1
    left = None if last == len(above) else int(steps[last + 1] if above.any() else 0)
    return {"edge_crossings": int((above[1:] != above[:-1]).sum()), "edge_exit": left}


def _rate(seen: Snapshots) -> np.ndarray:
    """Logarithms of the step sizes."""
    run = seen.run
    rate = np.log(run.last_lr)
    return rate - log_loss(seen.soft_margins, run.setting.loss) if run.lr is not None and run.lr.over_loss else rate


def _measure(seen: Snapshots) -> dict:
    from implicitbias.hessian import log_stretched
    from implicitbias.hessian.gradients import log_smoothness

    run, loss = seen.run, seen.run.setting.loss
    logs, _ = seen.spectrum
    rate = _rate(seen)
    nothing = np.full(len(rate), np.nan)
    columns = {f"log_lambda_{i + 1}": np.where(np.isneginf(x), np.nan, x) for i, x in enumerate(logs.T)}
    columns |= {"lr_lambda_1": np.exp(rate + logs[:, 0]), "precond_lambda_1": nothing}
    columns["log_directional_smoothness"] = nothing
    if run.divisors is not None:
        stretch = -0.5 * run.divisors.reshape(len(rate), -1)
        known = ~np.isnan(stretch).any(axis=1)
        top = nothing.copy()
        if known.any():
            top[known] = log_stretched(run.problem, run.weights[known], loss, stretch[known])
        columns["precond_lambda_1"] = np.exp(rate + top)
    if run.updates is not None:
        columns["log_directional_smoothness"] = log_smoothness(run.problem, run.weights, run.updates, loss)
    return columns


GROUP = Group(
    "curvature", _columns, _measure, _end_columns, _at_end, top_columns=_top_columns, by_name=True,
    needs=("updates", "divisors"), objectives=True,
)  # fmt: skip

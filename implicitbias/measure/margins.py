"""How large a run's margins are, against the certified optimum of each norm."""

import numpy as np
from scipy.special import logsumexp

from implicitbias.losses import log_weights
from implicitbias.margins.norms import norm_of
from implicitbias.measure.group import Column, Group, Snapshots
from implicitbias.problems import AnyProblem

MASS = 0.99


def _columns(norms: tuple[str, ...]) -> list[Column]:
    kinds = [
        ("norm", "{0} norm of w"),
        ("margin", "normalised margin: min_margin over the {0} norm of w"),
        ("ratio", "margin_{0} over its certified optimum: 1 at a {0} max-margin direction"),
        ("inc_ratio", "the same ratio for the increment w(t) - w(t/2), which forgets the transient: {0} norm"),
    ]
    found = [Column(f"{kind}_{norm}", float, "", says.format(norm)) for kind, says in kinds for norm in norms]
    return [*found, Column("support", int, "samples", f"least number of samples that hold {MASS:.0%} of the weight")]


def _measure(seen: Snapshots) -> dict:
    size = {norm: norm_of(norm, seen.run.problem.shape).values for norm in seen.norms}
    columns = {f"norm_{norm}": size[norm](seen.in_shape(seen.weights)) for norm in seen.norms}
    for norm in seen.norms:
        columns[f"margin_{norm}"] = seen.least / columns[f"norm_{norm}"]
    for norm in seen.norms:
        best = seen.separator(norm).margin
        columns[f"ratio_{norm}"] = columns[f"margin_{norm}"] / best
        columns[f"inc_ratio_{norm}"] = seen.least_moved / size[norm](seen.in_shape(seen.increments)) / best
    columns["support"] = support_size(seen.soft_margins, seen.run.setting.loss)
    return columns


def support_size(z: np.ndarray, loss: str, mass: float = MASS) -> np.ndarray:
    """Least number of samples that hold `mass` of the weight, for margins z (..., n)."""
    logs = log_weights(z, loss)
    share = np.sort(np.exp(logs - logsumexp(logs, axis=-1, keepdims=True)), axis=-1)[..., ::-1]
    return 1 + (np.cumsum(share, axis=-1) < mass).sum(axis=-1).clip(max=z.shape[-1] - 1)


def _end_columns(norms: tuple[str, ...]) -> list[Column]:
    return [
        Column(f"distance_{norm}", float, "", f"l2 distance of w/N(w) from the optimal {norm} face") for norm in norms
    ]


def _at_end(seen: Snapshots) -> dict:
    w = seen.run.weights[-1]
    return {f"distance_{norm}": float(seen.separator(norm).distance(w)) for norm in seen.norms} if w.any() else {}


def _data_columns(norms: tuple[str, ...]) -> list[Column]:
    kinds = [
        ("gamma", float, "certified optimal {0} margin"),
        ("gap", float, "its certificate, absolute: no direction has an {0} margin above gamma_{0} + gap_{0}"),
        ("unique", bool, "whether one direction alone has the optimal {0} margin"),
    ]
    return [Column(f"{name}_{norm}", kind, "", says.format(norm)) for name, kind, says in kinds for norm in norms]


def _of_data(problem: AnyProblem, norms: tuple[str, ...]) -> dict:
    from implicitbias.margins import max_margin

    found = {norm: max_margin(problem, norm) for norm in norms}
    return {
        **{f"gamma_{norm}": sep.margin for norm, sep in found.items()},
        **{f"gap_{norm}": sep.gap for norm, sep in found.items()},
        **{f"unique_{norm}": bool(sep.unique) for norm, sep in found.items()},
    }


GROUP = Group("margins", _columns, _measure, _end_columns, _at_end, _data_columns, _of_data)

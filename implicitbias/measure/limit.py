"""How far a run is from its predicted limit (implicitbias.limits)."""

import numpy as np

from implicitbias.margins.norms import norm_of
from implicitbias.measure.group import Column, Group, Snapshots
from implicitbias.measure.vectors import columns_towards, cosine, towards


def _columns(norms: tuple[str, ...]) -> list[Column]:
    return columns_towards("limit", "the predicted limit of the run")


def _measure(seen: Snapshots) -> dict:
    nowhere = np.full(seen.weights.shape[1], np.nan)
    direction = nowhere if seen.limit is None else seen.limit.direction.reshape(-1)
    return towards("limit", direction, seen.weights, seen.increments)


def _end_columns(norms: tuple[str, ...]) -> list[Column]:
    return [
        Column("limit_rule", str, "", "the rule, or the theorem, that predicts the limit"),
        Column("limit_gap", float, "", "how far the limit is from being a rest point: its certificate"),
        Column("limit_error", float, "", "standard error of a gap that was measured"),
        Column("limit", list, "", "the predicted limit direction"),
        *(
            Column(f"limit_cos_{norm}", float, "", f"cosine between the limit and the {norm} max-margin direction")
            for norm in norms
        ),
        *(
            Column(f"limit_ratio_{norm}", float, "", f"{norm} margin of the limit over its certified optimum")
            for norm in norms
        ),
    ]


def _at_end(seen: Snapshots) -> dict:
    limit = seen.limit
    if limit is None:
        return {}
    problem = seen.run.problem
    direction = limit.direction.reshape(problem.shape)
    least = problem.margins(direction).min()
    return {
        "limit_rule": limit.rule,
        "limit_gap": limit.gap,
        "limit_error": limit.error,
        "limit": limit.direction.reshape(-1).tolist(),
        **{f"limit_cos_{norm}": float(cosine(limit.direction.reshape(-1), seen.towards(norm))) for norm in seen.norms},
        **{
            f"limit_ratio_{norm}": float(
                least / norm_of(norm, problem.shape).values(direction[None]).item() / seen.separator(norm).margin
            )
            for norm in seen.norms
        },
    }


GROUP = Group("limit", _columns, _measure, _end_columns, _at_end)

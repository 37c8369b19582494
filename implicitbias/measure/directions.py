"""Where w points: cosines and angles to the max-margin direction of each norm."""

from implicitbias.lengths import length
from implicitbias.measure.group import Column, Group, Snapshots
from implicitbias.measure.vectors import columns_towards, towards


def _columns(norms: tuple[str, ...]) -> list[Column]:
    move = Column("relative_move", float, "", "||w(t) - w(t-1)|| / ||w(t)|| (l2): the step, in units of direction")
    return [move, *(column for norm in norms for column in columns_towards(norm, f"the {norm} max-margin direction"))]


def _measure(seen: Snapshots) -> dict:
    columns = {"relative_move": seen.run.last_move / length(seen.weights)}
    for norm in seen.norms:
        columns |= towards(norm, seen.towards(norm), seen.weights, seen.increments)
    return columns


GROUP = Group("directions", _columns, _measure)

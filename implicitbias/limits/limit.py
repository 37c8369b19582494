"""A predicted limit direction, with its certificate."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, eq=False)
class Limit:
    """A predicted limit direction.

    Attributes
        direction   (d,) of length ||u||_2 = 1
        weights     (n,) sample weights c in the simplex at which the optimizer rests
        gap         (sum_i c_i a_i.u - min_i a_i.u) / ||u||_2 >= 0 in units of the rows, zero exactly at a rest point
        rule        the theory behind it, with its standing
        gap_error   standard error of the gap and
        error       that of the direction (an l2 distance): 0 for closed tail maps, measured for numerical ones
        others      further rest points, if the search from other weights ended elsewhere
    """

    direction: np.ndarray
    weights: np.ndarray
    gap: float
    rule: str
    gap_error: float = 0.0
    error: float = 0.0
    others: tuple["Limit", ...] = field(default=(), repr=False)

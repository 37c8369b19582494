"""A predicted limit direction, with its certificate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from implicitbias.shown import as_html

HELD = 1e-9  # a sample weight above this counts as held


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
        caution     where the rule is used outside of what it assumes, a sentence that says so; else empty
    """

    direction: np.ndarray
    weights: np.ndarray
    gap: float
    rule: str
    gap_error: float = 0.0
    error: float = 0.0
    others: tuple[Limit, ...] = ()
    caution: str = ""

    def _facts(self) -> dict[str, str]:
        known = f" +- {self.gap_error:.1e}" if self.gap_error else ""
        facts = {"gap": f"{self.gap:.2g}{known}", "d": str(len(self.direction))}
        facts["samples that hold weight"] = f"{(self.weights > HELD).sum()} of {len(self.weights)}"
        if self.others:
            facts["other rest points"] = str(len(self.others))
        return facts | {"rule": self.rule, "caution": self.caution}

    def __repr__(self) -> str:
        facts = self._facts()
        others = f", {len(self.others)} other rest points" if self.others else ""
        caution = f"; {self.caution}" if self.caution else ""
        return f"Limit({self.rule}, gap {facts['gap']}, d={facts['d']}{others}{caution})"

    def _repr_html_(self) -> str:
        return as_html("Limit", self._facts())

"""l_p: (sum_j |w_j|^p)^(1/p) for p >= 1, the norms of mirror descent (arXiv 2205.12808)."""

import math
from dataclasses import dataclass
from numbers import Real

import numpy as np

from implicitbias.errors import InputError
from implicitbias.margins.norms.base import Norm, up
from implicitbias.margins.norms.frobenius import Frobenius
from implicitbias.margins.norms.l1 import L1
from implicitbias.margins.norms.l2 import L2
from implicitbias.margins.norms.linf import LInf
from implicitbias.margins.norms.max import Max


@dataclass(frozen=True)
class Lp(Norm):
    """The l_p norm.

    >>> Lp.of(3, (2,)).value(np.array([1e200, 1e200])) / 1e200, Lp.of(2, (2,)), Lp.of(2, (3, 2))
    (1.2599210498948732, L2(), Frobenius())
    """

    p: float
    name, symbol = "lp", "ℓₚ"
    matrices = True

    @classmethod
    def of(cls, parameter, shape):
        if isinstance(parameter, bool) or not isinstance(parameter, Real) or not parameter >= 1:
            raise InputError(f'the p of ("lp", p) must be a number >= 1, but is {parameter!r}')
        two, infinity = (Frobenius, Max) if len(shape) == 2 else (L2, LInf)
        named = {1.0: L1, 2.0: two, np.inf: infinity}.get(float(parameter))
        return named() if named else cls(float(parameter))

    def __str__(self):
        return f"lp with p = {self.p:g}"

    @property
    def dual_exponent(self) -> float:
        """q with 1/p + 1/q = 1."""
        return self.p / (self.p - 1.0)

    def value(self, w):
        largest = float(np.abs(w).max(initial=0.0))
        if largest == 0.0:
            return 0.0
        return largest * float(((np.abs(w) / largest) ** self.p).sum() ** (1.0 / self.p))

    def above(self, w):
        return _above(np.abs(w).tolist(), self.p)

    def dual_above(self, y):
        return _above(np.abs(y).tolist(), self.dual_exponent)

    def solve(self, unit, l2):
        from implicitbias.margins import power

        return power.solve(unit, self.p, l2)


def _above(sizes, p):
    largest = max(sizes)
    if largest == 0.0:
        return 0.0
    total = math.fsum((x / largest) ** p for x in sizes)
    # pow is right to an ulp in the C libraries in use (Zimmermann et al., Accuracy of Mathematical Functions, 2024).
    # Four ulps allowed to each, and p times the error of the quotient, leave the whole within a few tens of ulps.
    return up(largest * total ** (1 / p) * (1 + 2.0**-47))


NORM = Lp

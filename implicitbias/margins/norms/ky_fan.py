"""max(spectral, nuclear / r), whose dual is the Ky Fan r norm: the norm of steps that keep r singular directions."""

from dataclasses import dataclass
from numbers import Integral

import numpy as np

from implicitbias.errors import InputError
from implicitbias.margins.norms.matrix import MatrixNorm, singular_values
from implicitbias.margins.norms.nuclear import Nuclear, nuclear_barrier, nuclear_derivatives, nuclear_inside
from implicitbias.margins.norms.spectral import Spectral


@dataclass(frozen=True)
class KyFan(MatrixNorm):
    """The dual of the Ky Fan r norm, the sum of the r largest singular values: r = 1 is the nuclear norm, and r the
    full rank the spectral norm.

    >>> KyFan.of(1, (3, 5)), KyFan.of(2, (3, 5)), KyFan.of(3, (3, 5))
    (Nuclear(), KyFan(r=2), Spectral())

    Source: Bhatia, Matrix Analysis (1997), section IV.2 (the dual).
    """

    r: int
    name, symbol = "ky_fan", "Ky Fan"

    @classmethod
    def of(cls, parameter, shape):
        rank = min(shape)
        if isinstance(parameter, bool) or not isinstance(parameter, Integral) or not 1 <= parameter <= rank:
            raise InputError(
                f'the r of ("ky_fan", r) must be a whole number from 1 to min(k, d) = {rank}, but is {parameter!r}'
            )
        named = {rank: Spectral, 1: Nuclear}.get(int(parameter))
        return named() if named else cls(int(parameter))

    def __str__(self):
        return f"ky_fan with r = {self.r}"

    def sizes(self, w):
        s = singular_values(w)
        return np.maximum(s[:, 0], s.sum(axis=1) / self.r)

    def dual_sizes(self, y):
        return singular_values(y)[:, : self.r].sum(axis=1)

    def extra(self, shape):
        return Nuclear().extra(shape)

    def inside(self, m):
        return nuclear_inside(m, self.r)

    def barrier(self, v, shape):
        size = shape[0] * shape[1]
        return Spectral().barrier(v[:size], shape) + nuclear_barrier(v, shape, self.r)

    def derivatives(self, v, shape):
        size = shape[0] * shape[1]
        gradient, hessian = nuclear_derivatives(v, shape, self.r)
        slope, curvature = Spectral().derivatives(v[:size], shape)
        gradient[:size] += slope
        hessian[:size, :size] += curvature
        return gradient, hessian


NORM = KyFan

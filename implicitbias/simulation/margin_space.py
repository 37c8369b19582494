"""The space of margins: where an update that is linear in the gradient is cheaper for n <= d.

GD, SGD, momentum and NGD move w within the span of the rows, so z = A w says all of it, and the recursion closes in z:
with g = -A'c for the weights c of the batch, A g = -K c with the Gram matrix K = A A'. A step then costs b n instead of
2 b d operations, no product with the rows at all, and w = A^+ z is recovered at the snapshots.
"""

from dataclasses import dataclass

import numpy as np

from implicitbias.simulation.scales import TRUE, level
from implicitbias.threads import one_thread

# Recovering w loses the condition number of the rows in relative accuracy, and a coordinate with small features what
# these are below the largest: worth it up to here.
WORST_CONDITION, WORST_COLUMN = 1e4, 1e6
FURTHEST = 1000  # binary orders of the rows: a power of two that float64 holds, with room to spare


@dataclass(frozen=True)
class MarginSpace:
    """Gram matrix (n, n) of the rows over `stretch`, a power of two, and the pseudo-inverse (d, n) of these."""

    gram: np.ndarray
    inverse: np.ndarray
    stretch: float

    def weights(self, z: np.ndarray) -> np.ndarray:
        """(R, d) the w in the span of the rows with margins `stretch` z (R, n)."""
        # One by one: the bits of a product of two matrices depend on how many vectors there are.
        with np.errstate(invalid="ignore", over="ignore"):  # a diverged run
            return np.array([self.inverse @ vector for vector in z]).reshape(len(z), len(self.inverse))


def margin_space(problem, kind, start: np.ndarray) -> MarginSpace | None:
    """The margin space of a problem if runs of this kind of optimizer from start (R, d) can use it and gain by it, else
    None. From w(0) = 0 only: elsewhere the digits of z(t) - z(0) would be lost to those of z(0)."""
    if not kind.linear or problem.n > problem.d or start.any():
        return None
    # The products of rows far from 1 leave float64. Over a power of two they do not, and an update that takes nothing
    # but the direction of the gradient needs no more; nor do rows too far apart for one condition number.
    shift, uneven = level(problem.rows)
    if uneven or (shift and kind.mode == TRUE) or abs(shift) > FURTHEST:
        return None
    rows = np.ldexp(problem.rows, -shift) if shift else problem.rows
    columns = np.abs(rows).max(axis=0)
    if columns.max() > WORST_COLUMN * columns[columns > 0.0].min():
        return None
    with one_thread():
        u, s, vt = np.linalg.svd(rows, full_matrices=False)
        if s[-1] * WORST_CONDITION < s[0]:
            return None
        inverse = (vt.T / s) @ u.T
        inverse[columns == 0.0] = 0.0  # up to rounding it is
        return MarginSpace(rows @ rows.T, inverse, 2.0**shift)

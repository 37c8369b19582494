"""Steepest-descent flow in l_p."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from implicitbias.flows.base import Flow

STEEP = 4.0  # the p from which on LSODA may not get through


MOST = 1000.0  # of p: the directions of larger ones differ from signs by less than steps can tell


@dataclass(frozen=True)
class SteepestFlow(Flow):
    """Steepest-descent flow in l_p, the small-step limit of steepest descent.

    dw/dt = ||g||_q D(g),  D(g) = argmax_{||u||_p <= 1} g.u,  so  (dw/dt)_j = ||g||_q^(2-q) sign(g_j) |g_j|^(q-1)

    with g = -grad L(w) and 1/p + 1/q = 1; p = 2 is the gradient flow. p = 1 and p = inf are not offered: there D jumps
    wherever the largest entries tie (p = 1) or an entry changes its sign (p = inf). Far out the flow slides along
    those jumps, and its right-hand side has no value there.

    For p > 2 dw/dt rises infinitely steeply where an entry of g changes its sign, like |g_j|^(q-1). From p = 4 on an
    implicit method of second order takes over: w(t) is good to about 1e-7 of its length at the end and to 1e-5 on the
    way, where it is to 1e-11 for smaller p. 10 x 50 Gaussian data take one to three seconds to t = 1e100 at p = 4 to
    100, and minutes at p = 1000; 100 x 500 a minute at p = 10.

    Arguments
        p   1 < p <= 1000; beyond it is sign descent to the digits of float64

    Errors: ``InputError`` for p out of range.

    >>> import implicitbias as ib
    >>> run = ib.simulate([[2.0, 1.0], [1.0, -1.0]], ib.SteepestFlow(p=3.0), time=1e100)
    >>> bool(run.curve["inc_cos_limit"].iloc[-1] > 1.0 - 1e-9)
    True

    Source: goes to the l_p max-margin direction, arXiv 1802.08246, Theorem 5 (for steepest descent).
    """

    p: float = field(default=2.0, metadata={"valid": lambda x: 1 < x <= MOST, "range": f"> 1 and at most {MOST:g}"})

    name: ClassVar[str] = "steepest_flow"
    degree: ClassVar[int] = 1
    longest: ClassVar[float] = 1e300

    @property
    def steep(self):
        return self.p >= STEEP

    def velocity(self, rows, logs):
        return self._terms(rows, logs)[0]

    def slope(self, rows, logs):
        u, share, power = self._terms(rows, logs)
        q = self.p / (self.p - 1.0)
        # d log|u_j| = (q - 1) d log|g_j| + (2 - q) d log||g||_q, and the norm follows its entries by their power
        return u * ((q - 1.0) * share + (2.0 - q) * (share @ power)[:, None])

    def inverse(self, u):
        top = np.abs(u).max()
        size = top * np.linalg.norm(u / top, self.p)
        parts = np.abs(u) / size
        power = np.sign(u) * parts ** (self.p - 1.0)
        return size * power, (self.p - 1.0) * parts ** (self.p - 2.0), power, self.p - 2.0

    def _terms(self, rows, logs):
        """u = dw/dt (d,), the shares s_i a_ij / g_j (n, d) = d log|g_j| / d log s_i, and |g_j|^q over their sum (d,).

        In logarithms: |g|^(q-1) for q near 1 is of order one long after g has underflowed.
        """
        q = self.p / (self.p - 1.0)
        units = np.where(rows != 0.0, logs[:, None], -np.inf).max(axis=0)
        from implicitbias.limits.tail_maps import contributions

        parts = contributions(rows, logs)
        total = parts.sum(axis=0)
        there = total != 0.0
        safe = np.where(there, total, 1.0)
        size = np.where(there, np.log(np.abs(safe)) + units - np.log(len(rows)), -np.inf)
        top = size.max()
        power = np.exp(q * (size - top))
        norm = top + np.log(power.sum()) / q
        u = np.sign(total) * np.exp((2.0 - q) * norm + (q - 1.0) * np.where(there, size, 0.0))
        return u, np.where(there, parts, 0.0) / safe, power / power.sum()

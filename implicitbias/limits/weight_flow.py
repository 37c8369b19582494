"""The path of a slow run: w' = F(c(w)) with c = softmin(A w), in the logarithms x_i = log c_i = -a_i.w of the weights.

    x' = -A F(x)

Whatever the start, x stays in the column space of A (up to a common shift, which changes nothing): where rows depend on
each other affinely, sum mu_i a_i = 0 and sum mu_i = 0, sum mu_i x_i = 0 for ever, and no run reaches any other weights.
A path that is integrated need not be told.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.linalg.lapack import dgetrf, dgetrs

from implicitbias.limits.tail_maps import TailMap, contributions

LIGHT = 40.0  # a sample whose weight is below e^-40 of the heaviest in a coordinate is rounded away there
LONGEST = 1e30  # in units of the time that changes a weight by a factor e: light samples fall at rates from 1e-29 on
STEPS = 300  # of a path; one on which F does not jump takes 10 to 30


@dataclass(frozen=True, eq=False)
class Point:
    """A point of a path: the time t, log-weights x (n,) less that of the heaviest sample, their speeds x' (n,), F (d,)
    and its derivative by x (n, d)."""

    t: float
    x: np.ndarray
    speed: np.ndarray
    move: np.ndarray
    slope: np.ndarray


def weight_flow(rows: np.ndarray, tail_map: TailMap, x: np.ndarray, tolerance: float) -> Iterator[Point]:
    """The points of the path from log-weights x (n,), at the steps of the integrator; it ends after STEPS steps, or
    where they become too short: F jumps there.

    `tolerance` is the error of a step in a log-weight. It decides into which rest point's basin the path runs, and no
    digit of the point. Rows (n, d) have lengths of about one.

    Source: RODAS3, an L-stable Rosenbrock method of order three with four stages: weights that have settled stay so at
    steps of any length. Sandu et al., Atmospheric Environment 31 (1997) 3459-3472.
    """
    touched = rows != 0.0
    dense = bool(touched.all())

    def parts(x):
        return np.exp(x - x.max())[:, None] * rows if dense else contributions(rows, x)

    t, x = 0.0, x - x.max()
    h = None
    for _ in range(STEPS):
        g = parts(x)
        u, slope = tail_map.value(g), tail_map.slope(g)
        # Relative to the heaviest sample: far out the common speed would drown the differences.
        relative = rows - rows[x.argmax()]
        f = -(relative @ u)
        yield Point(t, x, f, u, slope)
        if t >= LONGEST:
            return
        # Samples that count for nothing have no column in the system, and follow from those that do.
        active = np.flatnonzero(x > -LIGHT) if dense else slice(None)
        jacobian = relative[active] @ slope[active].T  # of -f
        if h is None:
            h = 0.1 / max(np.ptp(f), np.abs(jacobian).sum(axis=1).max(), 1e-300)
        while True:
            factors = dgetrf(jacobian + np.diag(np.full(len(jacobian), 2.0 / h)), overwrite_a=True)

            def solve(rhs, relative=relative, slope=slope, active=active, h=h, factors=factors):
                k = dgetrs(factors[0], factors[1], rhs[active])[0]
                return k if len(k) == len(rhs) else 0.5 * h * (rhs - relative @ (slope[active].T @ k))

            k1 = solve(f)
            k2 = solve(f + (4.0 / h) * k1)
            k3 = solve(-(relative @ tail_map.value(parts(x + 2.0 * k1))) + (k1 - k2) / h)
            ahead = x + 2.0 * k1 + k3
            error = solve(-(relative @ tail_map.value(parts(ahead))) + (k1 - k2 - (8.0 / 3.0) * k3) / h)
            ahead = ahead + error
            # Samples may err in proportion to how light they are, in the coordinate where they count most.
            heaviest = ahead.max()
            if not dense:
                heaviest = np.where(touched, np.where(touched, ahead[:, None], -np.inf).max(axis=0), np.inf).min(axis=1)
            size = np.abs(error / (1.0 + 0.05 * (heaviest - ahead))).max() / tolerance
            if size <= 1.0:
                break
            h *= max(0.2, 0.9 / size ** (1.0 / 3.0)) if np.isfinite(size) else 0.2
            if not h > 1e-14 * t:
                return
        t, x = t + h, ahead - ahead.max()
        h *= min(8.0, 0.9 / max(size, 1e-10) ** (1.0 / 3.0))

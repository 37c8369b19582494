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

from implicitbias.limits.tail_maps import TailMap

# Weights, beside the heaviest, that are left out of a step as long as that in which w moves by one; of longer steps in
# proportion. And the length of a step, in the same units, up to which the round-off of a system for w, which grows with
# its square, does no harm.
LIGHT, EARLY = 1e-6, 1e5
LONGEST = 1e30  # in units of the time that changes a weight by a factor e: light samples fall at rates from 1e-29 on
STEPS = 300  # of a path; one on which F does not jump takes 10 to 30


@dataclass(frozen=True, eq=False)
class Point:
    """A point of a path: time t, log-weights x (n,) less that of the heaviest sample, their speeds x' (n,), F (d,)."""

    t: float
    x: np.ndarray
    speed: np.ndarray
    move: np.ndarray


def weight_flow(rows: np.ndarray, tail_map: TailMap, x: np.ndarray, tolerance: float) -> Iterator[Point]:
    """The points of the path from log-weights x (n,), at the steps of the integrator; it ends after STEPS steps, or
    where they become too short: F jumps there.

    `tolerance` is the relative error of a step in the log-weights, the root of the mean square. It decides into which
    rest point's basin the path runs, and no digit of the point. Rows (n, d) have lengths of about one.

    Source: RODAS3, an L-stable Rosenbrock method of order three with four stages: weights that have settled stay so at
    steps of any length. Sandu et al., Atmospheric Environment 31 (1997) 3459-3472.
    """
    touched = rows != 0.0
    dense = bool(touched.all())
    n, d = rows.shape
    value, linear = tail_map.on(rows)
    t, x = 0.0, x - x.max()
    h, reference = None, x.argmax()
    relative = rows - rows[reference]
    for _ in range(STEPS):
        u, slope = linear(x)
        # Relative to a heavy sample: far out the common speed would drown the differences.
        if x[reference] < -1.0:
            reference = x.argmax()
            relative = rows - rows[reference]
        f = -(relative @ u)
        yield Point(t, x, f, u)
        if t >= LONGEST:
            return
        length = np.linalg.norm(u)
        h = 1.0 / max(length, 1e-300) if h is None else h
        # Samples that count for nothing over a step have no column in the system, and follow from those that do.
        active = np.flatnonzero(np.exp(x) * max(h * length, 1.0) > LIGHT) if dense else np.arange(n)
        near, bend = (relative, slope) if len(active) == n else (relative[active], slope[active])
        narrow = len(active) > d and h * length < EARLY  # a system for w instead
        # The Jacobian of -f = A F, or of -F by w; in the order of LAPACK.
        jacobian = (near.T @ bend if narrow else bend @ near.T).T
        while True:
            system = jacobian.copy(order="F")
            np.einsum("ii->i", system)[:] += 2.0 / h
            lu, pivots, _ = dgetrf(system, overwrite_a=True)

            def solve(rhs, relative=relative, bend=bend, active=active, narrow=narrow, h=h, lu=lu, pivots=pivots):
                if narrow:
                    return 0.5 * h * (rhs - relative @ dgetrs(lu, pivots, rhs[active] @ bend)[0])
                k = dgetrs(lu, pivots, rhs[active])[0]
                return k if len(k) == n else 0.5 * h * (rhs - relative @ (k @ bend))

            def force(x, relative=relative):
                return -(relative @ value(x))

            k1 = solve(f)
            k2 = solve(f + (4.0 / h) * k1)
            k3 = solve(force(x + 2.0 * k1) + (k1 - k2) / h)
            ahead = x + 2.0 * k1 + k3
            error = solve(force(ahead) + (k1 - k2 - (8.0 / 3.0) * k3) / h)
            ahead = ahead + error
            # Samples may err in proportion to how light they are, in the coordinate where they count most.
            heaviest = ahead.max()
            if not dense:
                heaviest = np.where(touched, np.where(touched, ahead[:, None], -np.inf).max(axis=0), np.inf).min(axis=1)
            size = np.linalg.norm(error / (1.0 + heaviest - ahead)) / (np.sqrt(n) * tolerance)
            if size <= 1.0:
                break
            h *= max(0.2, 0.9 / size ** (1.0 / 3.0)) if np.isfinite(size) else 0.2
            if not h > 1e-14 * t:
                return
        t, x = t + h, ahead - ahead.max()
        h *= min(8.0, 0.9 / max(size, 1e-10) ** (1.0 / 3.0))

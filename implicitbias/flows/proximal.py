"""Integration where dw/dt is the gradient of a convex function of g = -grad L that bends infinitely sharply somewhere.

dw/dt = u rises infinitely steeply where an entry of g changes its sign, but g = grad psi(u) is smooth in u. An implicit
stage u = dw/dt at (tau, y + h u) is therefore solved for u, as the minimum of a smooth convex function (a proximal
step),

    L(y + h u) / h + psi(u),

by Newton's method. Stages are those of TR-BDF2, of second order: it is L-stable, so w slides where an entry of g stays
at 0, and its weights are positive, so no stage throws w far beyond a jump of dw/dt (fourth-order SDIRK4 chattered
there). Between steps w is a cubic with the velocities at both ends.

Source: Bank et al., IEEE Trans. Electron Devices 32 (1985) 1992-2007; error estimate: Hosea and Shampine, Appl. Numer.
Math. 20 (1996) 21-37.
"""

from collections.abc import Callable

import numpy as np
from scipy.integrate import DenseOutput, OdeSolver
from scipy.interpolate import CubicHermiteSpline
from scipy.linalg import LinAlgError, cho_factor, cho_solve

# Error of a step, relative and absolute, where margins are of order one. On 10 x 50 Gaussian data w at t = 1e100 was
# then good to 1e-8 at p = 3 and to 1e-7 at p = 10 and 20; a tenth of it takes twice as long.
TOLERANCE = 1e-7
CLOSE = 1e-2  # of a step's tolerance, to which its stages are solved
NEWTON, HALVINGS = 60, 30  # at most
RIDGE = 1e-8  # of the unit diagonal of a Newton matrix: half of all digits for the matrix, half for its inverse
LEAST = 1e-14  # the shortest step
OUTER, INNER = 2.0 - np.sqrt(2.0), 1.0 - np.sqrt(0.5)  # where the first stage is, and the weight of a stage in itself
EARLIER = np.sqrt(2.0) / 4.0  # the weight of the velocities before the last stage
# The weights of the step over those of its third-order companion.
ERROR = np.array([EARLIER - (1.0 - EARLIER) / 3.0, EARLIER - (3.0 * EARLIER + 1.0) / 3.0, 2.0 / 3.0 * INNER])


class Proximal(OdeSolver):
    """TR-BDF2 with the interface of SciPy's solvers.

    Arguments
        velocity     (d,) dx/dtau at tau and x (d,)
        weigh        (n,) s at tau and x, and its derivative by rows x, with its sign changed
        inverse      see `Flow.inverse`: the s rows that has a given velocity
        rows         (n, d)
        first, x, end, tolerance
    """

    def __init__(self, velocity, weigh: Callable, inverse: Callable, rows, first, x, end, tolerance=TOLERANCE):
        super().__init__(velocity, first, x, end, False)
        self.weigh, self.inverse, self.rows, self.tolerance = weigh, inverse, rows, tolerance
        self.squares = rows**2
        self.u, self.h = self.fun(first, x), min(1e-3, end - first)

    def _step_impl(self):
        while self.h > LEAST:
            h = min(self.h, self.t_bound - self.t)
            u = self._stages(h)
            if u is None:
                self.h = h / 4.0
                continue
            error = (h * np.abs(ERROR @ u) / (self.tolerance * (1.0 + np.abs(self.y)))).max()
            self.h = h * np.clip(0.9 * max(error, 1e-10) ** (-1.0 / 3.0), 0.1, 4.0)
            if error <= 1.0:
                self.before = self.u, self.y
                self.u, self.y = u[2], self.y + h * (EARLIER * (u[0] + u[1]) + INNER * u[2])
                self.t = self.t_bound if h == self.t_bound - self.t else self.t + h
                return True, None
        return False, self.TOO_SMALL_STEP

    def _stages(self, h: float) -> np.ndarray | None:
        """(3, d) the velocities of a step; None where Newton's method does not converge."""
        first = self._solve(self.t + OUTER * h, self.y + h * INNER * self.u, h * INNER, self.u)
        if first is None:
            return None
        last = self._solve(self.t + h, self.y + h * EARLIER * (self.u + first), h * INNER, first)
        return None if last is None else np.array([self.u, first, last])

    def _solve(self, tau: float, y: np.ndarray, h: float, u: np.ndarray) -> np.ndarray | None:
        """The u with s(tau, y + h u) rows = inverse(u), from a guess."""
        enough = CLOSE * min(self.tolerance / h, np.abs(u).max())
        lacks, step = self._newton(tau, y, h, u)
        for _ in range(NEWTON):
            if step is None:
                return None
            ahead, length, slope = None, 1.0, lacks @ step
            for _ in range(HALVINGS):
                ahead = self._newton(tau, y, h, u + length * step)
                # of a convex function: no further than where it rises again as steeply as it falls at u
                if length * np.abs(step).max() <= enough or -(ahead[0] @ step) <= slope:
                    break
                length /= 2.0
            u = u + length * step
            if length == 1.0 and np.abs(step).max() <= enough:
                return u
            lacks, step = ahead
        return None

    def _newton(self, tau: float, y: np.ndarray, h: float, u: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """(d,) s rows - inverse(u), and the Newton step; None where there is none."""
        s, falls = self.weigh(tau, y + h * u)
        value, curve, bend, by = self.inverse(u)
        lacks = s @ self.rows - value
        # An entry of g far below the others is to be solved to its own digits: all diagonal entries are made 1.
        size = curve + (h * falls) @ self.squares
        size = 1.0 / np.sqrt(np.where(size > 0.0, size, 1.0))
        both = np.array([size * lacks, size * bend])
        try:
            one, other = _solved(curve * size**2 + RIDGE, np.sqrt(h * falls)[:, None] * self.rows * size, both)
        except (LinAlgError, ValueError):  # not finite
            return lacks, None
        # less by * bend bend' (Sherman and Morrison)
        rest = 1.0 - by * (size * bend @ other)
        return lacks, size * (one + other * (by * (size * bend @ one) / max(rest, RIDGE)))

    def _dense_output_impl(self):
        return _Between(self.t_old, self.t, self.before, (self.u, self.y))


def _solved(diagonal: np.ndarray, rows: np.ndarray, both: np.ndarray) -> np.ndarray:
    """(2, d) the x with (diag(diagonal) + rows' rows) x = each of both (2, d), by systems of the lesser of n and d."""
    n, d = rows.shape
    if d <= n:
        return cho_solve(cho_factor(np.diag(diagonal) + rows.T @ rows), both.T).T
    over = rows / diagonal
    inner = cho_factor(np.eye(n) + over @ rows.T)
    return both / diagonal - cho_solve(inner, over @ both.T).T @ over  # Woodbury


class _Between(DenseOutput):
    def __init__(self, old, now, before, after):
        super().__init__(old, now)
        self.spline = CubicHermiteSpline([old, now], [before[1], after[1]], [before[0], after[0]])

    def _call_impl(self, t):
        return self.spline(t)

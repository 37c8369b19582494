"""Integration of flows that do not depend on the size of the gradients, in frames that move with w.

Far out w = t u + O(1): at t = 1e6 the margins, of the order of t, are known to 1e-10, their differences no better, and
an integrator that asks for 1e-13 of every entry of w follows rounding. Over each stretch of time here w = w_0 +
(t - t_0) u_0 + y, with u_0 the velocity at its beginning; only y is integrated, and the margins are carried on without
what all of them share, which such a flow does not see. Where w has come to its direction, y stays as it is.
"""

import numpy as np
from scipy.integrate import LSODA

STRETCH = 4.0  # from t to so many t


class Comoving:
    """LSODA in moving frames, with the interface of SciPy's solvers as far as `integrate` uses it.

    Arguments
        velocity, jacobian  of x, as functions of the margins over the least of them (n,) and the least itself
        rows                (n, k) of which the margins are the products with x
        margins             (n,) at x = 0
        last, tolerance     where time ends; of a step, relative and absolute
    """

    def __init__(self, velocity, jacobian, rows, margins, last: float, tolerance: float):
        self.velocity, self.jacobian, self.rows = velocity, jacobian, rows
        self.last, self.tolerance, self.t, self.status = last, tolerance, 0.0, "running"
        self._enter(np.zeros(rows.shape[1]), margins - margins.min(), margins.min())

    def _enter(self, x: np.ndarray, over: np.ndarray, least: float) -> None:
        """A new frame from now on."""
        start, end = self.t, min(self.last, max(STRETCH * self.t, self.t + 1.0))
        u = self.velocity(over, least)
        rise = self.rows @ u
        slow = rise.min()

        def margins(t, y):
            return over + ((t - start) * (rise - slow) + self.rows @ y), least + (t - start) * slow

        def place(t, y):
            return x + ((t - start) * u + y)

        self.margins, self.place = margins, place
        # The rounding of a velocity of order one, over all of the stretch, is to be no error.
        tolerance = self.tolerance * max(1.0, end)
        self.solver = LSODA(
            lambda t, y: self.velocity(*margins(t, y)) - u, start, np.zeros(len(x)), end,
            rtol=self.tolerance, atol=tolerance, jac=lambda t, y: self.jacobian(*margins(t, y)),
        )  # fmt: skip

    def step(self) -> str | None:
        if self.solver.status == "finished":
            y = self.solver.y
            over, least = self.margins(self.t, y)
            self._enter(self.place(self.t, y), over - over.min(), least + over.min())
        message = self.solver.step()
        self.t = self.solver.t
        over = self.solver.status == "finished" and self.t < self.last
        self.status = "running" if over else self.solver.status
        return message

    def dense_output(self):
        inside, place = self.solver.dense_output(), self.place
        return lambda t: place(t, inside(t))

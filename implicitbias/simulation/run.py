"""The trajectory of a run, and what it was."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from implicitbias.optimizers.base import Optimizer
from implicitbias.problem import Problem
from implicitbias.simulation.schedules import Power
from implicitbias.simulation.setting import Setting


@dataclass(frozen=True, eq=False)
class Run:
    """One simulated trajectory.

    Attributes
        problem, optimizer, lr      what was run; lr is None for a flow
        setting     batch, order, remainder, steps, until_log_loss, seed, loss, per_octave: effective values
        initial     (d,) the starting point
        steps       (S,) snapshot steps: the number of updates made; the last is the end of the run. For a flow the
                    steps of the integrator so far
        weights     (S, d) iterates w
        sum_lr      (S,) sum of the step sizes used; the time t of a flow
        clock       (S,) what w(t/2) halves: the steps, or the time of a flow
        last_lr     (S,) step size of the last update; NaN for a flow, as last_move
        last_move   (S,) l2 norm of the last update, ||w(t) - w(t-1)||
        status      "ok", "diverged" (the loss ends above that of w = 0), "non_finite" (w or a margin a_i.w
                    overflowed; the snapshots end before) or "timeout" (they end where the time was up)
        seconds     time in the compiled driver; runs of a block share it equally
        state       (K, d) the optimizer's state at the end, in the order of its update formula (Adam: m, v), in true
                    units: zero or inf where float64 does not reach; empty for a flow and after a timeout
        measures    what the curve has columns of, see `implicitbias.measure`; None is the usual
        curve       DataFrame of measures, one row a snapshot (computed on first use)
    """

    problem: Problem
    optimizer: Optimizer
    lr: Power | None
    setting: Setting
    initial: np.ndarray = field(repr=False)
    steps: np.ndarray
    weights: np.ndarray
    sum_lr: np.ndarray
    last_lr: np.ndarray
    last_move: np.ndarray
    status: str
    seconds: float
    state: np.ndarray = field(default_factory=lambda: np.empty((0, 0)), repr=False)
    measures: object = field(default=None, repr=False)

    @property
    def clock(self) -> np.ndarray:
        return self.steps if self.setting.steps is not None else self.sum_lr

    @cached_property
    def curve(self):
        from implicitbias.measure import limit_of, measure

        return measure(self, limit_of(self), self.measures)

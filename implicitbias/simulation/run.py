"""The trajectory of a run, and what it was."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from implicitbias.errors import NotSeparable, Undecided
from implicitbias.lengths import unit
from implicitbias.optimizers.base import Optimizer
from implicitbias.problems import AnyProblem, Multiclass, Objective, Problem
from implicitbias.shown import as_html
from implicitbias.simulation.schedule import Schedule
from implicitbias.simulation.setting import Setting

if TYPE_CHECKING:
    import pandas as pd

    from implicitbias.measure import Measures
    from implicitbias.simulation.end import End

QUICK = 10**5  # entries of the data up to which their l2 separator takes no time that one would notice


@dataclass(frozen=True, eq=False)
class Run:
    """One simulated trajectory. Of a run that went on from another (`simulate(start=...)`), all of the path from
    the first start on; optimizer, lr and setting are those of its last phase.

    Attributes
        problem, optimizer, lr      what was run; lr is None for a flow
        setting     batch, order, remainder, steps (in all), until_log_loss, seed, loss, per_octave: effective values
        initial     (d,) the starting point
        steps       (S,) snapshot steps: the number of updates made; the last is the end of the run. For a flow the
                    steps of the integrator so far
        weights     (S, d) iterates w
        sum_lr      (S,) sum of the step sizes used, of a LossAdaptive without the factor 1/L; the time t of a flow
        clock       (S,) what w(t/2) halves: the steps, or the time of a flow
        last_lr     (S,) step size of the last update, without 1/L as well; NaN for a flow, as last_move
        last_move   (S,) l2 norm of the last update, ||w(t) - w(t-1)||
        status      "ok", "diverged" (the loss ends above that of w = 0), "non_finite" (w or a margin a_i.w
                    overflowed; the snapshots end before) or "timeout" (they end where the time was up)
        seconds     time in the compiled driver, of all phases; runs of a block share it equally
        state       (K, d) the optimizer's state at the end, in the order of its update formula (Adam: m, v), in true
                    units: zero or inf where float64 does not reach; empty after a timeout and for a flow,
                    but for the V of an AdaGradFlow
        updates     (S, d) the last update w(t) - w(t-1); kept for the measures that need it, else None
        divisors    (S, d) log2 of what it was divided by, sqrt(v) + eps of Adam and its kin; as updates, NaN for others
        window      (W, d) the iterates after each of the last W updates, for the measures of the orbit; None without
        measures    what the curve has columns of, see `implicitbias.measure`; None is the usual
        curve       DataFrame of measures, one row a snapshot (computed on first use)
    """

    problem: AnyProblem
    optimizer: Optimizer
    lr: Schedule | None
    setting: Setting
    initial: np.ndarray
    steps: np.ndarray
    weights: np.ndarray
    sum_lr: np.ndarray
    last_lr: np.ndarray
    last_move: np.ndarray
    status: str
    seconds: float
    state: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    updates: np.ndarray | None = None
    divisors: np.ndarray | None = None
    window: np.ndarray | None = None
    measures: Measures | None = None
    _end: End | None = field(default=None, repr=False)  # what `simulate` needs to go on
    _origin: np.ndarray | None = field(default=None, repr=False)  # where another optimizer took over, (d,)

    def __repr__(self) -> str:
        """Such as "Run(Adam(0.9, 0.95), lr 0.1, batch 1, reshuffle, 200000 steps, ok, cos_l2 0.974)"."""
        facts = self._facts()
        names = ("lr", "batch", "cos_l2")  # the others say what they are
        words = [f"{name} {value}" if name in names else str(value) for name, value in facts.items()]
        return f"Run({', '.join(words)})"

    def _repr_html_(self) -> str:
        return as_html("Run", {"problem": self.problem, **self._facts(), "seconds in the kernel": self.seconds})

    def _facts(self) -> dict[str, str]:
        """What was run and how it ended."""
        facts = {"optimizer": self.optimizer.label}
        if self.lr is not None:
            facts |= {"lr": self.lr.label, "batch": str(self.setting.batch), "order": self.setting.order}
        if not len(self.steps):
            horizon = "no steps"
        elif self.setting.steps is None:
            horizon = f"t = {self.sum_lr[-1]:g}"
        else:
            horizon = f"{self.steps[-1]} steps"
        facts |= {"horizon": horizon, "status": self.status}
        cosine = self._cosine()
        return facts if cosine is None else facts | {"cos_l2": f"{cosine:.3g}" if cosine < 0.999 else f"{cosine:.6g}"}

    def _cosine(self) -> float | None:
        """The cosine of the last iterate to the l2 max-margin direction, if it is there and quick to have."""
        from implicitbias.margins import max_margin

        if not isinstance(self.problem, Problem) or self.problem.rows.size > QUICK:
            return None
        if not len(self.weights) or not self.weights[-1].any():
            return None
        try:
            return float(unit(self.weights[-1]) @ max_margin(self.problem, "l2").direction)
        except (NotSeparable, Undecided):
            return None

    @property
    def clock(self) -> np.ndarray:
        return self.steps if self.setting.steps is not None else self.sum_lr

    @cached_property
    def curve(self) -> pd.DataFrame:
        from implicitbias.measure import limit_of, measure

        return measure(self, limit_of(self), self.measures)

    def plot(self, y=None, x=None, hue=None, **options):
        """Measures along the run as a matplotlib Figure, several as colours of one panel.

        Arguments: y, a measure or several, default the cosines to max-margin directions; x, a clock
        (step, epoch, sum_lr; default step, of a flow its time); out, a file to write, and the other arguments of
        `implicitbias.plot`

        >>> import implicitbias as ib
        >>> run = ib.simulate(ib.geometry.gaussian(n=4, d=6, seed=0), ib.SGD(), lr=0.1, batch=1, steps=100)
        >>> len(run.plot().axes)
        1
        """
        from implicitbias.figures.plot import plot
        from implicitbias.margins.norms import followed, usual

        x = x or ("sum_lr" if self.setting.steps is None else "step")
        if y is None:
            matrices = isinstance(self.problem, Multiclass)
            norms = self.measures.norms if self.measures else usual(matrices)
            y = ["log_loss"] if isinstance(self.problem, Objective) else [f"cos_{x}" for x in followed(norms, matrices)]
        y = [y] if isinstance(y, str) else list(y)
        return plot(self, x=x, y=y, hue=hue or ("measure" if len(y) > 1 else None), **options)

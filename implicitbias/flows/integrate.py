"""Integration of flows to any t: `simulate` with a flow ends here.

Flows of degree 1 in the gradients are integrated in log-time, tau = log(1 + t): dw/dtau = (1 + t) dw/dt. Margins grow
like tau, so (1 + t) s_i stays of order one on the support vectors; as e^(tau + log s_i) it neither over- nor
underflows, and the curve is smooth to t = 1e300, tau = 691. Flows of degree 0 are integrated in t, in frames that move
with w (comoving.py).

A flow begins as one at some t, at some w, in coordinates w / scale (`Flow.begin`): what follows is about these.

The unknown is x = r V'(w - w(0)) with r the length of the longest row: of order one on data of any size. V (d, k) is an
orthonormal basis of the row space for a flow that stays in it (a system of at most n where n < d), else the identity.
Rows r times as long at t / r^2 (of degree 0: t / r) are the same curve of x. Where r is far from 1, t is therefore
counted in a power of two near r^-2, or r^-1; and if the whole time is less than that, in one near itself, with the
unknown as much larger.
"""

import math
import time as seconds

import numpy as np

from implicitbias.errors import InputError
from implicitbias.flows.base import Flow
from implicitbias.flows.setting import FlowSetting, resolve_flow, snapshot_times
from implicitbias.lengths import length
from implicitbias.losses import log_loss, log_weights
from implicitbias.margins import max_margin
from implicitbias.problems import Problem
from implicitbias.simulation.run import Run

# Error of a step, relative and absolute, where margins are of order one. At this tolerance LSODA agrees with the
# implicit Runge-Kutta method Radau to a few 1e-12 of w, in a tenth of its time; BDF is ten times less accurate.
TOLERANCE = 1e-13
FAR = 64  # binary orders of r from which time is counted in its powers
MOST_STEPS = 100_000  # ten times what any data here needed; a flow that needs more makes no headway


def run_flows(
    problem: Problem, flows: list, starts: np.ndarray, mistakes: list[str], discrete: dict, timeout: float, **shared
):
    """The Runs of flows from starts (R, d).

    Arguments
        problem    the data
        flows      R flows; anything else among them is a mistake
        starts     (R, d) weights at t = 0
        mistakes   what is wrong with the other arguments of `simulate`
        discrete   the arguments that only an optimizer with steps has: those that are not None are mistakes
        timeout    seconds each may take
        shared     time, until_log_loss, loss, per_octave

    Errors: ``InputError`` listing every mistake, ``NotSeparable`` for data without a separator.
    """
    steppers = [item.label for item in flows if not isinstance(item, Flow) and hasattr(item, "label")]
    if steppers:
        mistakes.append(f"flows, which run to a `time`, and {steppers[0]}, which makes steps, need two calls")
    given = [name for name, value in discrete.items() if value is not None]
    if given:
        mistakes.append(f"a flow takes no {', '.join(given)}: it sees the full batch and its horizon is `time`")
    known = [item for item in flows if isinstance(item, Flow)]
    mistakes += filter(None, dict.fromkeys(item.unfit(problem.shape) for item in known))
    try:
        setting = resolve_flow(problem.n, known, **shared)
    except InputError as error:
        mistakes.extend(error.mistakes)
    if mistakes:
        raise InputError(mistakes)
    return [integrate(problem, flow, start, setting, timeout) for flow, start in zip(flows, starts, strict=True)]


def integrate(problem: Problem, flow: Flow, start: np.ndarray, setting: FlowSetting, timeout: float = math.inf) -> Run:
    """The Run of a flow from start (d,), cut short after the first step that ends later than this many seconds.

    Errors: ``NotSeparable`` for data without a separator: at the minimum of the loss (1 + t) times the gradient is
    rounding. ``InputError`` where lengths of rows or margins leave float64. RuntimeError if the integrator makes no
    headway.
    """
    max_margin(problem)
    clock = seconds.perf_counter()
    begun = flow.begin(problem, start, setting.loss)
    with np.errstate(over="ignore", invalid="ignore"):
        scaled, margins = problem.rows * begun.scale, problem.rows @ begun.weights
        size = length(scaled).max()
    if not (np.isfinite(size) and np.isfinite(margins).all()):
        raise InputError(f"the rows of {problem.name}, or their margins at `initial`, are too long for float64")
    rows = scaled / size
    basis = _row_space(rows) if flow.rotates else None
    order = int(np.frexp(size)[1])
    order = order if abs(order) > FAR else 0
    octaves = order * (1 + flow.degree)  # of time
    less = min(0, int(np.frexp(setting.time)[1]) + octaves) if order else 0
    times = snapshot_times(setting.time, setting.per_octave, begun.time)
    first, stops = (_in_units(t, flow, octaves - less) for t in (np.array([begun.time]), times))
    if order and not flow.degree and not stops[-1] <= flow.longest:
        raise InputError(
            f"time of {flow.label} must be at most {flow.longest / size:.3g} on rows of length {size:.3g}, but is "
            f"{setting.time:g}"
        )
    solver = _solver(
        flow, rows if basis is None else rows @ basis, margins, np.ldexp(size, -order), math.ldexp(1.0, less),
        setting.loss, first[0], stops[-1],
    )  # fmt: skip
    weights, steps = np.empty((len(times), problem.d)), np.empty(len(times), np.int64)
    done, made, until = 0, 0, setting.until_log_loss
    while done < len(stops) and (not done or seconds.perf_counter() - clock <= timeout):
        message = solver.step()
        made += 1
        if solver.status == "failed" or made > MOST_STEPS:
            where = f"{'log(1 + t)' if flow.degree else 't'} = {solver.t:g}"
            why = "it is too stiff, or its margins are too large for float64"
            raise RuntimeError(f"{flow.label} made no headway from {where} after {made} steps: {why}. {message or ''}")
        inside = None
        while done < len(stops) and stops[done] <= solver.t:
            inside = inside or solver.dense_output()
            x = np.ldexp(inside(stops[done]) / size, less)
            weights[done] = begun.weights + begun.scale * (x if basis is None else basis @ x)
            steps[done] = made
            done += 1
            if until is not None and log_loss(problem.rows @ weights[done - 1], setting.loss) <= until:
                stops = stops[:done]
    missing = np.full(done, np.nan)
    return Run(
        problem, flow, None, setting, start, steps[:done], weights[:done], times[:done], missing, missing,
        "ok" if done == len(stops) else "timeout",
        seconds.perf_counter() - clock, begun.state,
    )  # fmt: skip


def _in_units(times: np.ndarray, flow: Flow, octaves: int) -> np.ndarray:
    """(S,) the times, counted in 2^-octaves, as the flow is integrated: log(1 + t), or t."""
    if not flow.degree:
        with np.errstate(over="ignore"):
            return np.ldexp(times, octaves)
    with np.errstate(divide="ignore"):  # of t = 0
        return np.logaddexp(0.0, np.log(times) + octaves * math.log(2.0)) if octaves else np.log1p(times)


def _solver(flow: Flow, rows, margins, size: float, less: float, loss: str, first: float, last: float):
    """The solver of the flow from x = 0 at tau = first to last; rows (n, k) of `less` x, margins (n,) at x = 0, size r
    in the units of time."""
    system, moving, x = _System(flow, rows, size, less, loss), less * rows, np.zeros(rows.shape[1])
    if not flow.degree:
        from implicitbias.flows.comoving import Comoving

        return Comoving(system.heading, system.turning, moving, margins, last, TOLERANCE)

    def at(function):
        return lambda tau, x: function(tau, margins + less * (rows @ x))

    if flow.steep:
        from implicitbias.flows.proximal import Proximal

        return Proximal(at(system.velocity), at(system.weigh), flow.inverse, rows, first, x, last)
    from scipy.integrate import LSODA

    jacobian = at(system.jacobian)
    return LSODA(at(system.velocity), first, x, last, rtol=TOLERANCE, atol=TOLERANCE, jac=jacobian)


class _System:
    """What solvers ask for, as functions of the margins z (n,)."""

    def __init__(self, flow: Flow, rows, size: float, less: float, loss: str):
        self.flow, self.rows, self.size, self.less, self.loss = flow, rows, size, less, loss

    def logs(self, tau, z):
        return log_weights(z, self.loss) + (tau + 2.0 * math.log(self.size))

    def falls(self, z):
        """(n,) minus the derivative of log s by rows x."""
        return self.less * (np.ones(len(z)) if self.loss == "exponential" else np.exp(log_weights(-z, self.loss)))

    def velocity(self, tau, z):
        """(k,) dx/dtau of a flow of degree 1."""
        return self.flow.velocity(self.rows, self.logs(tau, z))

    def jacobian(self, tau, z):
        """(k, k) its derivative by x."""
        return -self.flow.slope(self.rows, self.logs(tau, z)).T @ (self.rows * self.falls(z)[:, None])

    def weigh(self, tau, z):
        """(n,) s / n, of which s rows is -grad L, and minus its derivative by rows x."""
        s = np.exp(self.logs(tau, z)) / len(self.rows)
        return s, s * self.falls(z)

    def relative(self, over, least):
        """(n,) log s of margins `over` the `least`, without its part that they share."""
        return -over if self.loss == "exponential" else log_weights(-(over + least), self.loss) - over

    def heading(self, over, least):
        """(k,) dx/dtau of a flow of degree 0."""
        return self.size * self.flow.velocity(self.rows, self.relative(over, least))

    def turning(self, over, least):
        """(k, k) its derivative by x."""
        slope = self.flow.slope(self.rows, self.relative(over, least))
        return -self.size * slope.T @ (self.rows * self.falls(over + least)[:, None])


def _row_space(rows: np.ndarray) -> np.ndarray:
    """(d, k) an orthonormal basis of the row space; what falls outside of it is rounding."""
    _, sizes, basis = np.linalg.svd(rows, full_matrices=False)
    return basis[sizes > sizes[0] * max(rows.shape) * np.finfo(float).eps].T

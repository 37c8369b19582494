"""The tail map of any optimizer, measured with its own step kernel.

At frozen sample weights c the state of an optimizer (m, v, ...) settles into a stationary law, and F(c) is its mean
update per step. So a prediction needs nothing but the kernel: finite beta2 with random orders, Signum on mini-batches,
and optimizers to come.

The search follows a run, with measured F: log c <- log c - gamma_k P A F, where P is how log c answers to A F over some
time under a closed map, that of the same optimizer or of Adam on random batches. The time is short at first, and grows
until weights settle at once. A v that remembers more steps than are taken at one c could not follow; but then the
closed map is close, and the search begins where that sends a run (`sliding.settle`). Such steps keep what a run keeps
(an affine dependency of the rows holds for log c for ever), and log-weights may fall as far as they will: the kernel
has every coordinate in units of its own. The direction is the mean of F along the second half, weighted by gamma_k; as
log c stays bounded on the support, a_i.F agrees there, whatever the noise and wherever F jumps. Where that mean cannot
be told from 0, w stands still.

Source: Robbins and Monro 1951; Polyak and Juditsky 1992 for the averages.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from implicitbias.limits.sliding import overtaking, settle
from implicitbias.limits.tail_maps import TailMap
from implicitbias.optimizers import Optimizer
from implicitbias.problems import AnyProblem
from implicitbias.simulation.block import Block
from implicitbias.simulation.end import fresh
from implicitbias.simulation.schedules import Power
from implicitbias.simulation.setting import Setting

STRETCHES = 6000  # steps of the path; with their gains the second half forgets the first e^100 times over
SAMPLES = 30  # pieces of that half, whose scatter tells how well the mean is known
REFRESHED = 30  # times in the first half that P is made anew
SMOOTH = 1e-2  # width of the slopes in the place of jumps, in P
HORIZON = 100.0  # times of one e-fold of the weights after which P lets samples go that nothing holds
SHORT = 1e-3  # part of this horizon with which the path begins: as a run
APART = 40.0  # of log-weights: a sample lighter than another by this does not count beside it, nor by more


class FrozenRun:
    """An optimizer running at sample weights that do not follow its iterate."""

    def __init__(self, problem: AnyProblem, optimizer: Optimizer, setting: Setting):
        # With the exponential loss s_i = e^-z_i: margins -log c_i give the weights c_i.
        setting = replace(setting, loss="exponential")
        self.block = Block(problem, [optimizer], [Power(1.0)], [fresh(np.zeros(problem.shape))], setting, frozen=True)
        self.problem = problem

    def mean_update(self, logs: np.ndarray, steps: int) -> np.ndarray:
        """(d,) the mean of w(t+1) - w(t) over the next steps at log-weights (n,) and step size 1."""
        self.block.freeze(-_closer(logs))
        self.block.put(np.zeros((1, self.block.shape.size)))
        *_, (_, iterates, *_) = self.block.advance(np.array([self.block.made + steps]))
        return iterates[0, -1].reshape(-1) / steps


def memory(optimizer: Optimizer) -> float:
    """Steps in which the slowest state forgets all but 1/e."""
    return 1.0 / (1.0 - max((decay for decay in optimizer.decays() if decay < 1.0), default=0.0))


@dataclass(frozen=True, eq=False)
class Measured:
    """The end of a path: weights c (n,), the direction u = F / ||F||_2 (d,), gap, and their standard errors; that of
    the direction, an l2 distance, has the scatter of the path, its drift, and what is left of samples on their way."""

    weights: np.ndarray
    direction: np.ndarray
    gap: float
    gap_error: float
    error: float


def measured_rest_point(
    problem: AnyProblem,
    rows: np.ndarray,
    optimizer: Optimizer,
    setting: Setting,
    steps: int,
    model: TailMap,
    start: np.ndarray | None = None,
) -> Measured:
    """The rest point of the measured map over about `steps` steps, for runs from log-weights `start` (N,), default
    equal ones; `model` is the closed map nearest to it; rows (N, d) as margins are of. Where w stands still the
    direction is 0, the gap infinite."""
    run, (count, d) = FrozenRun(problem, optimizer, setting), rows.shape
    epoch = math.ceil(problem.n / setting.batch)
    stretch = max(steps // (STRETCHES * epoch), 1) * epoch  # whole epochs: a part of one favours some rows
    logs = np.zeros(count) if start is None else start - start.max()
    if memory(optimizer) > stretch:
        logs = settle(rows, model, logs).logs[-1]
    run.mean_update(logs, math.ceil(20.0 * memory(optimizer)))  # forgets its start to 1e-8
    here = float(np.linalg.norm(run.mean_update(logs, stretch)))
    if here == 0.0:
        return _standing(count, d)
    scale = here / np.linalg.norm(model.smoothed(SMOOTH).value(model.contributions(rows, logs)))
    fast = here * np.linalg.norm(rows, axis=1).max()
    gains = 0.5 * np.arange(1, STRETCHES + 1) ** -0.4
    half = STRETCHES // 2
    total, moves = np.zeros(count), np.empty((half, d))
    for k, gain in enumerate(gains):
        if k <= half and k % (half // REFRESHED) == 0:
            slope = model.smoothed(SMOOTH).slope(model.contributions(rows, logs))
            horizon = HORIZON * SHORT ** max(0.0, 1.0 - 2.0 * k / half)
            answer = np.linalg.inv(fast / horizon * np.eye(count) + scale * (rows @ slope.T))
        u = run.mean_update(logs, stretch)
        change = -gain * (answer @ (rows @ u))
        if k < half:
            change *= _within_reach(change, logs)
        logs = logs + change
        logs -= logs.max()
        if k >= half:
            total += gain * logs
            moves[k - half] = gain * u
    late = gains[half:]
    u = moves.sum(axis=0) / late.sum()
    pieces = moves.reshape(SAMPLES, -1, d).sum(axis=1) / late.reshape(SAMPLES, -1).sum(axis=1)[:, None]
    length, unknown = np.linalg.norm(u), np.linalg.norm(pieces.std(axis=0, ddof=1)) / math.sqrt(SAMPLES)
    return (
        _standing(count, d)
        if length <= 3.0 * unknown
        else _judged(rows, total / late.sum(), u / length, pieces / length)
    )


def _standing(count: int, d: int) -> Measured:
    return Measured(np.full(count, 1.0 / count), np.zeros(d), np.inf, 0.0, 0.0)


def _judged(rows: np.ndarray, logs: np.ndarray, u: np.ndarray, pieces: np.ndarray) -> Measured:
    """The rest point with its errors, from mean log-weights, direction, and the same in pieces (k, d) of the path."""
    c, z, half = np.exp(logs - logs.max()), rows @ u, len(pieces) // 2
    c /= c.sum()
    margins = pieces @ rows.T
    gaps = margins @ c - margins[:, z.argmin()]
    scatter = np.linalg.norm(pieces.std(axis=0, ddof=1)) / np.sqrt(len(pieces))
    drift = np.linalg.norm(pieces[half:].mean(axis=0) - pieces[:half].mean(axis=0))
    left = overtaking(-z, logs) / np.linalg.norm(rows, axis=1).max()
    return Measured(
        c, u, max(float(c @ z - z.min()), 0.0), float(gaps.std(ddof=1) / np.sqrt(len(gaps))),
        float(np.sqrt(scatter**2 + drift**2 + left**2)),
    )  # fmt: skip


def _within_reach(change: np.ndarray, logs: np.ndarray) -> float:
    """The factor, up to 1, at which log-weights do not change their order of magnitude beside each other."""
    apart = np.abs(logs[:, None] - logs)
    return 1.0 / max(float((np.abs(change[:, None] - change) / np.maximum(1.0, 0.5 * apart)).max()), 1.0)


def _closer(logs: np.ndarray) -> np.ndarray:
    """Log-weights without the part of their gaps above APART: states of fading samples need no time to follow."""
    order = np.argsort(-logs, kind="stable")
    found = np.empty_like(logs)
    found[order] = np.cumsum(np.r_[0.0, np.maximum(np.diff(logs[order]), -APART)])
    return found

"""The tail map of any optimizer, measured with its own step kernel.

At frozen sample weights c the state of an optimizer (m, v, ...) settles into a stationary law, and F(c) is its mean
update per step. So a prediction needs nothing but the kernel: finite beta2 with random orders, Signum on mini-batches,
and optimizers to come.

The path w <- w + gamma_k F(c), log c = -A w up to a constant, from w = 0, along which the state runs on and every F is
the mean over a stretch of steps, is a run whose weights move slowly beside its state. It keeps what a run keeps (an
affine dependency of the rows holds for log c for ever), and log-weights may fall as far as they will: the kernel has
every coordinate in units of its own. As log c stays bounded on the support, the mean of F along the path, weighted by
gamma_k, has a_i.F and a_j.F equal for any two of its rows up to 1 / sum gamma_k, whatever the noise and wherever F
jumps.

Source: Robbins and Monro 1951; Polyak and Juditsky 1992 for the averages.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from implicitbias.optimizers import Optimizer
from implicitbias.problem import Problem
from implicitbias.simulation.block import Block
from implicitbias.simulation.schedules import Power
from implicitbias.simulation.setting import Setting

STRETCHES = 6000  # steps of the path; the gains of its second half add up to 100 times the first one
SAMPLES = 30  # pieces of that half, whose scatter tells how well the mean is known


class FrozenRun:
    """An optimizer running at sample weights that do not follow its iterate."""

    def __init__(self, problem: Problem, optimizer: Optimizer, setting: Setting):
        # With the exponential loss s_i = e^-z_i: margins -log c_i give the weights c_i.
        setting = replace(setting, loss="exponential")
        self.block = Block(problem, [optimizer], [Power(1.0)], np.zeros((1, problem.d)), setting, frozen=True)
        self.problem = problem
        self.step = 0

    def mean_update(self, logs: np.ndarray, steps: int) -> np.ndarray:
        """(d,) the mean of w(t+1) - w(t) over the next steps at log-weights (n,) and step size 1."""
        self.block.freeze(-logs)
        self.block.put(np.zeros((1, self.problem.d)))
        *_, (_, iterates, *_) = self.block.advance(self.step, np.array([self.step + steps]))
        self.step += steps
        return iterates[0, -1] / steps


def settling(optimizer: Optimizer) -> int:
    """Steps after which the slowest state has forgotten its start to 1e-8."""
    slowest = max((beta for beta in optimizer.decays() if beta > 0.0), default=0.0)
    return 1 if slowest == 0.0 else math.ceil(math.log(1e-8) / math.log(slowest))


@dataclass(frozen=True, eq=False)
class Measured:
    """The end of a path: mean log-weights (n,), u = F / ||F||_2 of the mean F (d,), and the same in pieces (k, d)."""

    logs: np.ndarray
    direction: np.ndarray
    pieces: np.ndarray

    @property
    def error(self) -> float:
        """Of the direction, an l2 distance: the scatter of the pieces, and how far they still drift."""
        half = len(self.pieces) // 2
        drift = self.pieces[half:].mean(axis=0) - self.pieces[:half].mean(axis=0)
        return float(np.hypot(np.linalg.norm(_standard_error(self.pieces)), np.linalg.norm(drift)))


def _standard_error(samples: np.ndarray) -> np.ndarray:
    return samples.std(axis=0, ddof=1) / np.sqrt(len(samples))


def measured_rest_point(problem: Problem, optimizer: Optimizer, setting: Setting, steps: int) -> Measured:
    """Where the measured map goes over about `steps` steps."""
    run, rows = FrozenRun(problem, optimizer, setting), problem.rows
    logs = np.zeros(problem.n)
    run.mean_update(logs, settling(optimizer))
    epoch = math.ceil(problem.n / setting.batch)
    stretch = max(steps // (STRETCHES * epoch), 1) * epoch  # whole epochs: a part of one favours some rows
    # The first step moves log-weights by about a half.
    spread = np.ptp(rows @ run.mean_update(logs, stretch))
    first = 0.5 / max(spread, 1e-3 * np.abs(rows).sum(axis=1).max())
    gains = first * np.arange(1, STRETCHES + 1) ** -0.4
    half = STRETCHES // 2
    w, total, moves = np.zeros(problem.d), np.zeros(problem.n), np.empty((half, problem.d))
    for k, gain in enumerate(gains):
        logs = -(rows @ w)
        u = run.mean_update(logs, stretch)
        w += gain * u
        if k >= half:
            total += gain * (logs - logs.max())
            moves[k - half] = gain * u
    late = gains[half:]
    u = moves.sum(axis=0) / late.sum()
    pieces = moves.reshape(SAMPLES, -1, problem.d).sum(axis=1) / late.reshape(SAMPLES, -1).sum(axis=1)[:, None]
    length = np.linalg.norm(u)
    return Measured(total / late.sum(), u / length, pieces / length)

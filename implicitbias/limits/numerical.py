"""The tail map of any optimizer, measured with its own step kernel.

At frozen sample weights c the state of an optimizer (m, v, ...) settles into a stationary law, and F(c) is its mean
update per step. So a prediction needs nothing but the kernel: finite beta2 with random orders, Signum on mini-batches,
and optimizers to come. The rest point is found by stochastic approximation (Robbins and Monro 1951) with averaging
(Polyak and Juditsky 1992),

    log c <- log c - gamma_k A F_k,   gamma_k = gamma_1 k^-0.6,

where F_k is the mean update over a stretch of steps; the state runs on from stretch to stretch. The prediction is the
average of F_k, and of c, over the second half of the path, with weights gamma_k: as log c stays bounded on the support,
a_i.F and a_j.F then agree for any two rows of the support, also for an F that jumps (sign updates), where no single c
gives the direction but a path that chatters around it does (Filippov's solutions).
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from implicitbias.optimizers import Optimizer
from implicitbias.problem import Problem
from implicitbias.simulation.schedules import Power
from implicitbias.simulation.setting import Setting
from implicitbias.simulation.simulate import Block

STRETCHES = 3000
SAMPLES = 30  # the second half of the path is cut into this many pieces, whose scatter is the standard error
FLOOR = 1e-300  # a weight below it is zero to every state, and its logarithm is still a number


@dataclass(frozen=True, eq=False)
class Path:
    """Averages over the second half of a path: weights c (n,), F (d,), and the F of each of its pieces (SAMPLES, d)."""

    weights: np.ndarray
    mean: np.ndarray
    samples: np.ndarray


class FrozenRun:
    """An optimizer running at sample weights that do not follow its iterate."""

    def __init__(self, problem: Problem, optimizer: Optimizer, setting: Setting):
        # With the exponential loss s_i = e^-z_i: margins -log c_i give the weights c_i.
        setting = replace(setting, loss="exponential")
        self.block = Block(problem, [optimizer], [Power(1.0)], np.zeros((1, problem.d)), setting)
        self.step = 0

    def mean_update(self, c: np.ndarray, steps: int) -> np.ndarray:
        """(d,) the mean of -(w(t+1) - w(t)) with the sign of a descent direction, over the next steps at weights c."""
        self.block.frozen = -np.log(np.maximum(c, FLOOR))[None, :]
        self.block.w[:] = 0.0
        self.block.advance(self.step, steps)
        self.step += steps
        return self.block.w[0] / steps


def settling(optimizer: Optimizer) -> int:
    """Steps after which the slowest state has forgotten its start to 1e-8."""
    slowest = max((beta for beta in optimizer.decays() if beta > 0.0), default=0.0)
    return 1 if slowest == 0.0 else math.ceil(math.log(1e-8) / math.log(slowest))


def approximate(problem: Problem, optimizer: Optimizer, setting: Setting, start: np.ndarray, steps: int) -> Path:
    """The path of the module's text, from weights `start` (n,), over about `steps` updates."""
    run = FrozenRun(problem, optimizer, setting)
    epoch = math.ceil(problem.n / setting.batch)
    stretch = max(steps // (STRETCHES * epoch), 1) * epoch
    logs = np.log(np.maximum(start, 1e-6))
    run.mean_update(start, settling(optimizer))
    spread = np.ptp(problem.rows @ run.mean_update(start, 10 * stretch))
    # The first step moves log-weights by about a half.
    first = 0.5 / max(spread, 1e-3 * np.abs(problem.rows).sum(axis=1).max())
    half = STRETCHES // 2
    gains = first * np.arange(1, STRETCHES + 1) ** -0.6
    weights, moves = np.empty((half, problem.n)), np.empty((half, problem.d))
    for k, gain in enumerate(gains):
        c = np.exp(logs - logs.max())
        c /= c.sum()
        move = run.mean_update(c, stretch)
        logs -= gain * (problem.rows @ move)
        logs -= logs.max()
        if k >= half:
            weights[k - half], moves[k - half] = c, move
    late = gains[half:, None]
    weights, moves = late * weights, late * moves
    pieces = moves.reshape(SAMPLES, -1, problem.d).sum(axis=1)
    samples = pieces / late.reshape(SAMPLES, -1).sum(axis=1)[:, None]
    return Path(weights.sum(axis=0) / late.sum(), moves.sum(axis=0) / late.sum(), samples)

"""The tail map of any optimizer, measured with its own step kernel.

At frozen sample weights c the state of an optimizer (m, v, ...) settles into a stationary law, and F(c) is its mean
update per step. So a prediction needs nothing but the kernel: finite beta2 with random orders, Signum on mini-batches,
and optimizers to come. The rest point is the average over a path of weights (`fixed_point.average`) along which the
state runs on, every F a mean over a stretch of steps.
"""

import math
from dataclasses import replace

import numpy as np

from implicitbias.limits.fixed_point import STRETCHES, RestPoint, average
from implicitbias.optimizers import Optimizer
from implicitbias.problem import Problem
from implicitbias.simulation.block import Block
from implicitbias.simulation.schedules import Power
from implicitbias.simulation.setting import Setting

FLOOR = 1e-300  # a weight below it is zero to every state, and its logarithm is still a number


class FrozenRun:
    """An optimizer running at sample weights that do not follow its iterate."""

    def __init__(self, problem: Problem, optimizer: Optimizer, setting: Setting):
        # With the exponential loss s_i = e^-z_i: margins -log c_i give the weights c_i.
        setting = replace(setting, loss="exponential")
        self.block = Block(problem, [optimizer], [Power(1.0)], np.zeros((1, problem.d)), setting, frozen=True)
        self.problem = problem
        self.step = 0

    def mean_update(self, c: np.ndarray, steps: int) -> np.ndarray:
        """(d,) the mean of w(t+1) - w(t) over the next steps at weights c (n,) and step size 1."""
        self.block.freeze(-np.log(np.maximum(c, FLOOR)))
        self.block.put(np.zeros((1, self.problem.d)))
        *_, (_, iterates, *_) = self.block.advance(self.step, np.array([self.step + steps]))
        self.step += steps
        return iterates[0, -1] / steps


def settling(optimizer: Optimizer) -> int:
    """Steps after which the slowest state has forgotten its start to 1e-8."""
    slowest = max((beta for beta in optimizer.decays() if beta > 0.0), default=0.0)
    return 1 if slowest == 0.0 else math.ceil(math.log(1e-8) / math.log(slowest))


def measured_rest_point(
    problem: Problem, optimizer: Optimizer, setting: Setting, start: np.ndarray, steps: int
) -> tuple[RestPoint, np.ndarray]:
    """The rest point of the measured map and its samples (see `average`), from weights `start` over about `steps`."""
    run = FrozenRun(problem, optimizer, setting)
    run.mean_update(start, settling(optimizer))
    epoch = math.ceil(problem.n / setting.batch)
    stretch = max(steps // (STRETCHES * epoch), 1) * epoch  # whole epochs: a part of one favours some rows
    return average(problem.rows, lambda c: run.mean_update(c, stretch), start)

"""Adafactor (Shazeer, Stern, arXiv 1804.04235)."""

import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from implicitbias.jit import helper
from implicitbias.lanes import fma, load, store, view
from implicitbias.optimizers.base import decay, nonnegative
from implicitbias.optimizers.matrix.base import MatrixOptimizer
from implicitbias.optimizers.matrix.rows import blend_squares, dot, order_of, units_of
from implicitbias.simulation.tail import times_pow2

LEAST_SIZE, RELATIVE = 1e-3, 100.0


@helper
def step(w, g, hyper, lr, units, batch, matrix):
    k, per, d = matrix.classes, g.shape[0] // matrix.classes, matrix.features
    beta1, constant, power, clip = hyper[0, 0], hyper[1, 0], hyper[2, 0], hyper[3, 0]
    weights, gradient, count = view(w, 0, (k, per, 8)), view(g, 0, (k, per, 8)), k * per * 8
    lines, m = view(g, 0, (k, per * 8)), view(matrix.memory, 0, (k, per, 8))
    rows, at = matrix.memory[count : count + k], count + k
    columns, at = matrix.memory[at : at + per * 8], at + per * 8
    row_expo, at = matrix.memory[at : at + k], at + k
    column_expo = matrix.memory[at : at + per * 8]
    unit, u = matrix.room[:k], view(matrix.room, k, (k, per * 8))
    units_of(units, k, per, unit)
    beta2 = constant if power == 0.0 else 1.0 - (batch.t + 1.0) ** -power
    top = -np.inf
    for c in range(k):
        top = max(top, order_of(gradient[c], unit[c]))
    for c in range(k):
        blend_squares(rows, row_expo, c, beta2, (1.0 - beta2) * dot(gradient[c], gradient[c]) / d, unit[c])
    for j in range(d):
        total = 0.0
        for c in range(k):
            entry = times_pow2(lines[c, j], unit[c] - top) if lines[c, j] != 0.0 else 0.0
            total += entry * entry
        blend_squares(columns, column_expo, j, beta2, (1.0 - beta2) * total / k, top if total > 0.0 else column_expo[j])
    # the mean of the rows, in units of the heaviest
    heaviest, mean = -np.inf, 0.0
    for c in range(k):
        heaviest = max(heaviest, row_expo[c]) if rows[c] > 0.0 else heaviest
    for c in range(k):
        mean += times_pow2(rows[c], 2.0 * (row_expo[c] - heaviest)) / k if rows[c] > 0.0 else 0.0
    squares = 0.0
    for c in range(k):
        for j in range(per * 8):
            u[c, j] = 0.0
            if j < d and rows[c] > 0.0 and columns[j] > 0.0:
                size = math.sqrt(rows[c] / mean) * math.sqrt(columns[j])
                u[c, j] = times_pow2(lines[c, j] / size, (unit[c] - row_expo[c]) + (heaviest - column_expo[j]))
            elif lines[c, j] != lines[c, j]:
                u[c, j] = lines[c, j]
            squares += u[c, j] * u[c, j]
    over = 1.0 / max(1.0, math.sqrt(squares / (k * d)) / clip) if clip > 0.0 else 1.0
    rate = lr * min(1.0, RELATIVE / math.sqrt(batch.t + 1.0)) if hyper[4, 0] > 0.0 else lr
    if hyper[5, 0] > 0.0:
        length = 0.0
        for c in range(k):
            length += dot(weights[c], weights[c])
        rate = rate * max(LEAST_SIZE, math.sqrt(length / (k * d)))
    keep, update = 1.0 - lr * hyper[6, 0], view(u, 0, (k, per, 8))
    for c in range(k):
        for j in range(per):
            new = fma(beta1, load(m[c], j), (1.0 - beta1) * (over * load(update[c], j)))
            store(m[c], j, new)
            store(weights[c], j, keep * load(weights[c], j) - rate * new)


@dataclass(frozen=True)
class Adafactor(MatrixOptimizer):
    """Adam with a second moment of rank one.

    R = beta2 R + (1 - beta2) mean_j g_cj^2,  C = beta2 C + (1 - beta2) mean_c g_cj^2,  v_cj = R_c C_j / mean(R)
    u = g / sqrt(v),  over max(1, RMS(u) / clip);  m = beta1 m + (1 - beta1) u;  W = (1 - lr decay) W - rate m

    with rate = lr, times min(1, 100 / sqrt(t)) with relative_step (at lr = .01 the paper's min(.01, 1 / sqrt(t))) and
    times max(.001, RMS(W)) with scale_by_size; t = 1, 2, ...

    Arguments
        beta1          in [0, 1); 0 is the paper's default
        beta2          in [0, 1), where decay_power is 0
        decay_power    in [0, 1]: beta2 = 1 - t^-power; .8 is the paper's; 0 for a constant beta2
        clip           > 0, of the root mean square of u; 0 does not clip
        relative_step, scale_by_size
                       as above
        weight_decay   >= 0

    Errors: ``InputError`` listing every hyper-parameter that is wrong; on a binary problem.

    >>> Adafactor(clip=0.0).label
    'Adafactor(clip=0)'

    Source: arXiv 1804.04235, Algorithm 4; eps_1 = 0 here.
    """

    beta1: float = decay(0.0)
    beta2: float = decay(0.999)
    decay_power: float = field(default=0.0, metadata={"valid": lambda x: 0 <= x <= 1, "range": "in [0, 1]"})
    clip: float = nonnegative(1.0)
    relative_step: bool = False
    scale_by_size: bool = False
    weight_decay: float = nonnegative(0.0)

    name: ClassVar[str] = "adafactor"
    step: ClassVar = staticmethod(step)

    def rooms(self, k, width, d, n):
        return k * width + 2 * (k + width), k + k * width

    @property
    def translates(self) -> bool:
        return self.weight_decay == 0.0 and not self.scale_by_size

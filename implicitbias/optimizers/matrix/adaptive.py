"""Adam with few second moments: one for all weights, or one for each class."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from implicitbias.jit import helper
from implicitbias.lanes import fma, load, store, view
from implicitbias.optimizers.base import decay, nonnegative
from implicitbias.optimizers.matrix.base import MatrixOptimizer
from implicitbias.optimizers.matrix.rows import blend, blend_squares, dot, order_of, units_of
from implicitbias.simulation.tail import times_pow2


@helper
def step(w, g, hyper, lr, units, batch, matrix):
    k, per, d = matrix.classes, g.shape[0] // matrix.classes, matrix.features
    beta1, beta2, each = hyper[0, 0], hyper[1, 0], hyper[4, 0] > 0.0
    weights, gradient, count = view(w, 0, (k, per, 8)), view(g, 0, (k, per, 8)), k * per * 8
    m, m_expo = view(matrix.memory, 0, (k, per, 8)), matrix.memory[count : count + k]
    v, v_expo = matrix.memory[count + k : count + 2 * k], matrix.memory[count + 2 * k : count + 3 * k]
    unit = matrix.room[:k]
    units_of(units, k, per, unit)
    blend(m, m_expo, beta1, gradient, unit, 1.0 - beta1)
    top = -np.inf
    for c in range(k):
        top = max(top, order_of(gradient[c], unit[c]))
    whole = 0.0
    for c in range(k):
        squares = dot(gradient[c], gradient[c])
        if each:
            blend_squares(v, v_expo, c, beta2, (1.0 - beta2) * squares / d, unit[c])
        elif top > -np.inf:
            whole += squares * times_pow2(times_pow2(1.0, unit[c] - top), unit[c] - top)
    if not each:
        blend_squares(v, v_expo, 0, beta2, (1.0 - beta2) * whole / (k * d), top if top > -np.inf else v_expo[0])
    keep, rate = 1.0 - lr * hyper[3, 0], lr
    if hyper[2, 0] > 0.0:
        later = batch.t + 1.0
        c1, c2 = -np.expm1(later * np.log(beta1)), -np.expm1(later * np.log(beta2))
        rate = lr * math.sqrt(c2 if beta2 > 0.0 else 1.0) / (c1 if beta1 > 0.0 else 1.0)
    for c in range(k):
        at = c if each else 0
        move = times_pow2(1.0 / math.sqrt(v[at]), m_expo[c] - v_expo[at]) if v[at] != 0.0 else 0.0
        for j in range(per):
            store(weights[c], j, fma(-rate * move, load(m[c], j), keep * load(weights[c], j)))


@dataclass(frozen=True)
class _Adaptive(MatrixOptimizer):
    beta1: float = decay(0.9)
    beta2: float = decay(0.999)
    bias_correction: bool = False
    weight_decay: float = nonnegative(0.0)

    step: ClassVar = staticmethod(step)
    each: ClassVar[bool]

    def hyper(self):
        return (*super().hyper(), float(self.each))

    def rooms(self, k, width, d, n):
        return k * width + 3 * k, k

    @property
    def translates(self) -> bool:
        return self.weight_decay == 0.0


@dataclass(frozen=True)
class AdaSGD(_Adaptive):
    """Adam with one second moment for all weights.

    m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) mean(g^2);  W = (1 - lr decay) W - lr m / sqrt(v)

    with the mean over all k d weights, and m and v over 1 - beta^t with bias_correction.

    Arguments
        beta1, beta2      decay rates in [0, 1)
        bias_correction   off in the theory
        weight_decay      >= 0

    Errors: ``InputError`` listing every hyper-parameter that is wrong; on a binary problem.

    >>> AdaSGD(beta2=0.95).label
    'AdaSGD(beta2=0.95)'

    Source: Wang and Wiens, arXiv 2006.16541; arXiv 2407.07972.
    """

    name: ClassVar[str] = "adasgd"
    each: ClassVar[bool] = False


@dataclass(frozen=True)
class Adalayer(_Adaptive):
    """Adam with one second moment for each class.

    m = beta1 m + (1 - beta1) g;  v_c = beta2 v_c + (1 - beta2) mean(g_c^2)
    w_c = (1 - lr decay) w_c - lr m_c / sqrt(v_c)

    with the mean over the d weights of class c, and m and v over 1 - beta^t with bias_correction.

    Arguments
        beta1, beta2      decay rates in [0, 1)
        bias_correction   off in the theory
        weight_decay      >= 0

    Errors: ``InputError`` listing every hyper-parameter that is wrong; on a binary problem.

    >>> Adalayer(beta2=0.95).label
    'Adalayer(beta2=0.95)'

    Source: arXiv 2407.07972, with the rows of the last layer as its layers.
    """

    name: ClassVar[str] = "adalayer"
    each: ClassVar[bool] = True

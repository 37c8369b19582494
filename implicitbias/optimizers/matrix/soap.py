"""SOAP (Vyas, Morwani, Zhao, Shapira, Brandfonbrener, Janson, Kakade, arXiv 2409.11321)."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from implicitbias.jit import helper
from implicitbias.lanes import fma, line_of, load, store, view
from implicitbias.optimizers.base import count, decay, nonnegative
from implicitbias.optimizers.matrix.base import MatrixOptimizer
from implicitbias.optimizers.matrix.gram import average, eigenvectors, moved, rotated, rotated_back
from implicitbias.optimizers.matrix.rows import blend, largest_of, together, units_of
from implicitbias.simulation.tail import times_pow2

# Of a gradient and its own eigenvectors, all but the diagonal is round-off, and without eps its ratio to the root of
# its square would be 1: entries below this part of the largest are 0.
ROUND_OFF = 1e-12


@helper
def step(w, g, hyper, lr, units, batch, matrix):
    k, per, d = matrix.classes, g.shape[0] // matrix.classes, matrix.features
    beta1, beta2, beta, every = hyper[0, 0], hyper[1, 0], hyper[2, 0], int(hyper[3, 0])
    ks, count = (k + 7) // 8, k * per * 8
    weights, gradient = view(w, 0, (k, per, 8)), view(g, 0, (k, per, 8))
    m, at = view(matrix.memory, 0, (k, per, 8)), count
    m_expo, at = matrix.memory[at : at + k], at + k
    v, at = view(matrix.memory, at, (k, per * 8)), at + count
    left, at = view(matrix.memory, at, (k, ks, 8)), at + k * ks * 8
    right, at = view(matrix.memory, at, (d, per, 8)), at + d * per * 8
    left_basis, at = view(matrix.memory, at, (k, ks, 8)), at + k * ks * 8
    right_basis, at = view(matrix.memory, at, (d, per, 8)), at + d * per * 8
    left_values, at = matrix.memory[at : at + k], at + k
    right_values, at = matrix.memory[at : at + d], at + d
    expo = matrix.memory[at : at + 2]  # of the averages, and of v
    unit, at = matrix.room[:k], k
    a, at = view(matrix.room, at, (k, per, 8)), at + count
    middle, at = view(matrix.room, at, (k, per, 8)), at + count
    turned, at = view(matrix.room, at, (k, per, 8)), at + count
    zeros, at = matrix.room[at : at + k + d], at + k + d
    left_room, at = view(matrix.room, at, (k, ks, 8)), at + k * ks * 8
    right_room = view(matrix.room, at, (d, per, 8))
    if batch.t == 0:
        expo[:] = -np.inf
    units_of(units, k, per, unit)
    top = together(gradient, unit, a)
    average(left, right, expo, beta, a, d, 1.0 - beta, top)
    if batch.t % every == 0:
        eigenvectors(left, k, zeros, left_room, left_basis, left_values)
        eigenvectors(right, d, zeros, right_room, right_basis, right_values)
    rotated(left_basis, a, right_basis, k, d, middle, turned)
    shrink, expo[1] = moved(beta2, largest(view(v, 0, (k, per, 8))), expo[1], top)
    size = times_pow2(1.0, top - expo[1]) if top > -np.inf else 0.0
    least = ROUND_OFF * largest(turned)
    for c in range(k):
        line = line_of(turned[c])
        for j in range(d):
            seen = left_values[c] > 0.0 and right_values[j] > 0.0 and not abs(line[j]) < least
            entry = size * line[j] if seen else 0.0
            v[c, j] = shrink * v[c, j] + (1.0 - beta2) * entry * entry
    blend(m, m_expo, beta1, gradient, unit, 1.0 - beta1)
    top = together(m, m_expo, a)
    rotated(left_basis, a, right_basis, k, d, middle, turned)
    least = ROUND_OFF * largest(turned)
    for c in range(k):
        line = line_of(turned[c])
        for j in range(d):
            seen = left_values[c] > 0.0 and right_values[j] > 0.0 and v[c, j] > 0.0 and not abs(line[j]) < least
            line[j] = line[j] / math.sqrt(v[c, j]) if seen else 0.0
    rotated_back(left_basis, turned, right_basis, k, d, middle, a)
    keep, rate = 1.0 - lr * hyper[5, 0], lr * times_pow2(1.0, top - expo[1]) if top > -np.inf else 0.0 * lr
    if hyper[4, 0] > 0.0:
        later = batch.t + 1.0
        c1, c2 = -np.expm1(later * np.log(beta1)), -np.expm1(later * np.log(beta2))
        rate = rate * (math.sqrt(c2 if beta2 > 0.0 else 1.0) / (c1 if beta1 > 0.0 else 1.0))
    for c in range(k):
        for j in range(per):
            store(weights[c], j, fma(-rate, load(a[c], j), keep * load(weights[c], j)))


@helper
def largest(x):
    top = 0.0
    for c in range(x.shape[0]):
        top = max(top, largest_of(x[c]))
    return top


@dataclass(frozen=True)
class SOAP(MatrixOptimizer):
    """Adam in the eigenbases of Shampoo.

    L = beta L + (1 - beta) G G',  R = beta R + (1 - beta) G'G;  every f steps: L = U . U', R = V . V'
    m = beta1 m + (1 - beta1) G;  v = beta2 v + (1 - beta2) (U'G V)^2
    W = (1 - lr decay) W - lr U ((U'm V) / sqrt(v)) V'

    The eigenvectors are exact where the paper takes a step of power iteration, m is kept unrotated, and v as it is when
    the bases are new. Entries of U'G V and U'm V below 1e-12 of the largest, and eigenvectors whose eigenvalue is, such
    as that of equal weights for all classes, are round-off and take no part: 0/0 = 0.

    Arguments
        beta1, beta2      decay rates of m and v, in [0, 1)
        beta              of L and R, in [0, 1)
        every             f, a whole number >= 1
        bias_correction   of m and v, as Adam's
        weight_decay      >= 0

    Errors: ``InputError`` listing every hyper-parameter that is wrong; on a binary problem.

    >>> SOAP(every=5).label
    'SOAP(every=5)'

    Source: arXiv 2409.11321, Algorithm 3.
    """

    beta1: float = decay(0.95)
    beta2: float = decay(0.95)
    beta: float = decay(0.95)
    every: float = count(10)
    bias_correction: bool = False
    weight_decay: float = nonnegative(0.0)

    name: ClassVar[str] = "soap"
    step: ClassVar = staticmethod(step)

    def rooms(self, k, width, d, n):
        ks = -(-k // 8) * 8
        grams = k * ks + d * width
        return 2 * k * width + k + 2 * grams + k + d + 2, k + 3 * k * width + k + d + grams

    @property
    def translates(self) -> bool:
        return self.weight_decay == 0.0

"""Shampoo (Gupta, Koren, Singer, arXiv 1802.09568)."""

import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from implicitbias.jit import helper
from implicitbias.lanes import fma, line_of, load, store, view
from implicitbias.optimizers.base import count, decay, nonnegative
from implicitbias.optimizers.matrix.base import MatrixOptimizer
from implicitbias.optimizers.matrix.gram import average, eigenvectors, rotated, rotated_back
from implicitbias.optimizers.matrix.rows import blend, together, units_of
from implicitbias.simulation.tail import times_pow2


@helper
def step(w, g, hyper, lr, units, batch, matrix):
    k, per, d = matrix.classes, g.shape[0] // matrix.classes, matrix.features
    beta, momentum, one_sided, every = hyper[0, 0], hyper[1, 0], hyper[2, 0] > 0.0, int(hyper[3, 0])
    ks, count = (k + 7) // 8, k * per * 8
    weights, gradient = view(w, 0, (k, per, 8)), view(g, 0, (k, per, 8))
    m, at = view(matrix.memory, 0, (k, per, 8)), count
    m_expo, at = matrix.memory[at : at + k], at + k
    left, at = view(matrix.memory, at, (k, ks, 8)), at + k * ks * 8
    right, at = view(matrix.memory, at, (d, per, 8)), at + d * per * 8
    left_basis, at = view(matrix.memory, at, (k, ks, 8)), at + k * ks * 8
    right_basis, at = view(matrix.memory, at, (d, per, 8)), at + d * per * 8
    left_values, at = matrix.memory[at : at + k], at + k
    right_values, at = matrix.memory[at : at + d], at + d
    expo = matrix.memory[at : at + 2]  # of the averages, and of those whose eigenvectors are known
    unit, at = matrix.room[:k], k
    a, at = view(matrix.room, at, (k, per, 8)), at + count
    middle, at = view(matrix.room, at, (k, per, 8)), at + count
    turned, at = view(matrix.room, at, (k, per, 8)), at + count
    zeros, at = matrix.room[at : at + k + d], at + k + d
    left_room, at = view(matrix.room, at, (k, ks, 8)), at + k * ks * 8
    right_room = view(matrix.room, at, (d, per, 8))
    if batch.t == 0:
        expo[0] = -np.inf
    units_of(units, k, per, unit)
    top = together(gradient, unit, a)
    average(left, right, expo, beta, a, d, 1.0 if beta == 1.0 else 1.0 - beta, top)
    if batch.t % every == 0:
        eigenvectors(left, k, zeros, left_room, left_basis, left_values)
        eigenvectors(right, d, zeros, right_room, right_basis, right_values)
        expo[1] = expo[0]
    blend(m, m_expo, momentum, gradient, unit, 1.0 - momentum)
    top = together(m, m_expo, a)
    keep, move = 1.0 - lr * load(hyper, 4), -lr * times_pow2(1.0, top - expo[1])
    if top > -np.inf and expo[1] > -np.inf:
        rotated(left_basis, a, right_basis, k, d, middle, turned)
        for c in range(k):
            line = line_of(turned[c])
            for j in range(d):
                one, other = left_values[c], right_values[j]
                root = math.sqrt(one) if one_sided else math.sqrt(math.sqrt(one) * math.sqrt(other))
                line[j] = line[j] / root if one > 0.0 and other > 0.0 else 0.0
        rotated_back(left_basis, turned, right_basis, k, d, middle, a)
    for c in range(k):
        for j in range(per):
            store(weights[c], j, fma(move, load(a[c], j), keep * load(weights[c], j)))


@dataclass(frozen=True)
class Shampoo(MatrixOptimizer):
    """Preconditioners of rows and of columns.

    L = beta L + (1 - beta) G G',  R = beta R + (1 - beta) G'G,  or sums of these where beta = 1
    M = mu M + (1 - mu) G;  W = (1 - lr decay) W - lr L^(-1/4) M R^(-1/4),  or lr L^(-1/2) M with one_sided

    Powers are those of the pseudo-inverse: eigenvalues below 1e-12 of the largest, singular values below 1e-6, count as
    zero. Without memory (beta = mu = 0) a step is the polar factor, of what is heavier than that.

    Arguments
        beta           in [0, 1]; 1 accumulates, as in the paper
        momentum       mu, in [0, 1)
        one_sided      whether L alone is used
        every          steps between two new roots, a whole number >= 1
        weight_decay   >= 0

    Errors: ``InputError`` listing every hyper-parameter that is wrong; on a binary problem.

    >>> Shampoo(beta=0.9, every=10).label
    'Shampoo(beta=0.9, every=10)'

    Source: arXiv 1802.09568, Algorithm 1; 2309.06497 (averages).
    """

    beta: float = field(default=1.0, metadata={"valid": lambda x: 0 <= x <= 1, "range": "in [0, 1]"})
    momentum: float = decay(0.0)
    one_sided: bool = False
    every: float = count(1)
    weight_decay: float = nonnegative(0.0)

    name: ClassVar[str] = "shampoo"
    step: ClassVar = staticmethod(step)

    def rooms(self, k, width, d, n):
        ks = -(-k // 8) * 8
        grams = k * ks + d * width
        return k * width + k + 2 * grams + k + d + 2, k + 3 * k * width + k + d + grams

    @property
    def forgets(self) -> bool:
        return self.beta < 1.0

    @property
    def translates(self) -> bool:
        return self.weight_decay == 0.0

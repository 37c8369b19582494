"""Dion (Ahn, Xu, Abreu, Fan, Magakyan, Sharma, Zhan, Langford, arXiv 2504.05295)."""

import math
from dataclasses import dataclass
from typing import ClassVar

from implicitbias.jit import helper
from implicitbias.lanes import fma, line_of, load, store, view
from implicitbias.optimizers.base import choice, count, decay, nonnegative
from implicitbias.optimizers.matrix.base import MatrixOptimizer
from implicitbias.optimizers.matrix.factors import DEPENDENT
from implicitbias.optimizers.matrix.rows import add_to, blend, dot, scale_row, together, units_of
from implicitbias.optimizers.matrix.steepest import SCALES, scale
from implicitbias.simulation.orders import uniform


@helper
def step(w, g, hyper, lr, units, batch, matrix):
    k, per, d = matrix.classes, g.shape[0] // matrix.classes, matrix.features
    mu, rank = hyper[0, 0], int(hyper[1, 0])
    feedback, orthogonal = hyper[2, 0] > 0.0, hyper[3, 0] > 0.0
    ks, count = (k + 7) // 8, k * per * 8
    weights, gradient = view(w, 0, (k, per, 8)), view(g, 0, (k, per, 8))
    m, expo = view(matrix.memory, 0, (k, per, 8)), matrix.memory[count : count + k]
    q, at = view(matrix.memory, count + k, (rank, per, 8)), count + k + rank * per * 8
    begun = matrix.memory[at:]
    unit, at = matrix.room[:k], k
    a, at = view(matrix.room, at, (k, per, 8)), at + count
    p, at = view(matrix.room, at, (rank, ks, 8)), at + rank * ks * 8
    r = view(matrix.room, at, (rank, per, 8))
    if begun[0] == 0.0:
        begun[0] = 1.0
        for s in range(rank):
            line = line_of(q[s])
            for j in range(d):
                line[j] = uniform(matrix.seed, s * d + j) - 0.5
            scale_row(q[s], 1.0 / math.sqrt(dot(q[s], q[s])))
    units_of(units, k, per, unit)
    blend(m, expo, 1.0, gradient, unit, 1.0)
    top = together(m, expo, a)
    for s in range(rank):
        line = line_of(p[s])
        line[:] = 0.0
        for c in range(k):
            line[c] = dot(a[c], q[s])
    orthogonalise(p)
    for s in range(rank):
        line = line_of(p[s])
        r[s].fill(0.0)  # what was there may be no number
        for c in range(k):
            add_to(r[s], line[c], a[c])
    for c in range(k):  # M - (1 - mu) P R', or mu M
        for j in range(per):
            store(m[c], j, (1.0 if feedback else mu) * load(a[c], j))
        for s in range(rank if feedback else 0):
            add_to(m[c], (mu - 1.0) * line_of(p[s])[c], r[s])
        if top > -math.inf:
            expo[c] = top
    if orthogonal:
        orthogonalise(r)
    for s in range(rank):  # a direction that nothing was seen of stays as it is
        size = dot(r[s], r[s])
        if size > 0.0:
            for j in range(per):
                store(q[s], j, load(r[s], j))
            scale_row(q[s], 1.0 / math.sqrt(size))
    keep, move = 1.0 - lr * load(hyper, 5), -lr * scale(int(hyper[4, 0]), k, d, False)
    for c in range(k):
        for j in range(per):
            found = keep * load(weights[c], j)
            for s in range(rank):
                found = fma(move * line_of(p[s])[c], load(q[s], j), found)
            store(weights[c], j, found)


@helper
def orthogonalise(x):
    """Gram-Schmidt of the rows, one after the other; a row that depends on those before becomes 0."""
    for s in range(x.shape[0]):
        before = dot(x[s], x[s])
        for _ in range(2):
            for t in range(s):
                add_to(x[s], -dot(x[t], x[s]), x[t])
        size = dot(x[s], x[s])
        scale_row(x[s], 1.0 / math.sqrt(size) if size > DEPENDENT * DEPENDENT * before else 0.0)


@dataclass(frozen=True)
class Dion(MatrixOptimizer):
    """Orthonormal updates of low rank, from one power iteration a step.

    M = M + G;  P = orth(M Q);  R = M'P;  M = M - (1 - mu) P R',  or mu M without feedback
    Q = R with columns of length 1, or orth(R) with orthogonal;  W = (1 - lr decay) W - lr a P Q'

    with Q (d, rank), at first random from the seed of the run. Directions of M Q that depend on others are zero in P,
    and of those Q stays as it is.

    Arguments
        rank           a whole number >= 1, at most min(k, d)
        momentum       mu, in [0, 1)
        feedback       whether M keeps what the update has left out
        orthogonal     whether Q is made orthonormal (Orth-Dion)
        scale          a: as of Muon
        weight_decay   >= 0

    Errors: ``InputError`` listing every hyper-parameter that is wrong; on a binary problem; for a rank that is larger
    than the matrix.

    >>> Dion(rank=2).label
    'Dion(rank=2)'

    Source: arXiv 2504.05295, Algorithm 1; 2605.16341 (Orth-Dion).
    """

    momentum: float = decay(0.95)
    rank: float = count(1)
    feedback: bool = True
    orthogonal: bool = False
    scale: str = choice("spectral", SCALES)
    weight_decay: float = nonnegative(0.0)

    name: ClassVar[str] = "dion"
    equivariant: ClassVar[bool] = False  # the first Q is random
    step: ClassVar = staticmethod(step)

    def rooms(self, k, width, d, n):
        r, ks = int(self.rank), -(-k // 8) * 8
        return k * width + k + r * width + 1, k + k * width + r * (ks + width)

    def largest_rank(self) -> float:
        return self.rank

    @property
    def translates(self) -> bool:
        return self.weight_decay == 0.0

"""Steepest descent and normalised momentum in a norm of matrices (arXiv 2502.04664)."""

from dataclasses import dataclass
from typing import ClassVar

from implicitbias.optimizers.base import choice, count, decay, nonnegative
from implicitbias.optimizers.matrix import steepest
from implicitbias.optimizers.matrix.base import SteepestOptimizer

MAPS = {
    "frobenius": steepest.FROBENIUS, "max": steepest.MAX, "spectral": steepest.SPECTRAL, "nuclear": steepest.TRUNCATED,
    "rows": steepest.ROWS, "columns": steepest.COLUMNS, "ky_fan": steepest.TRUNCATED,
}  # fmt: skip


@dataclass(frozen=True)
class NormalizedSteepestDescent(SteepestOptimizer):
    """Normalised steepest descent in a norm N of matrices, or normalised momentum descent.

    M = mu M + (1 - mu) G;  W = (1 - lr decay) W - lr D,  D = argmax { <M, D> : N(D) <= 1 }

        frobenius   M / ||M||_F
        max         sign(M)
        spectral    the polar factor U V' of M = U S V', over all nonzero singular values, however light
        nuclear     u_1 v_1'
        rows        each row over its l2 length (N is the largest of these)
        columns     each column over its l2 length
        ky_fan      U_r V_r', N = max(spectral, nuclear / r)

    Arguments
        norm           one of these; of a column or a row of zeros D has zeros, of equal singular values the first
        momentum       mu, in [0, 1)
        r              the number of singular values of ky_fan, a whole number >= 1
        weight_decay   >= 0

    Errors: ``InputError`` listing every hyper-parameter that is wrong; on a binary problem.

    >>> NormalizedSteepestDescent("spectral", momentum=0.9).label
    'NormalizedSteepestDescent(spectral, momentum=0.9)'

    Source: arXiv 2502.04664, Theorems 1 and 2: it goes to the max-margin direction of N.
    """

    norm: str = choice("spectral", tuple(MAPS))
    momentum: float = decay(0.0)
    r: float = count(1)
    weight_decay: float = nonnegative(0.0)

    name: ClassVar[str] = "normalized_steepest_descent"

    def parts(self):
        return {
            steepest.MU: self.momentum, steepest.MAP: MAPS[self.norm], steepest.DECAY: self.weight_decay,
            steepest.COUNT: self.r if self.norm == "ky_fan" else 1.0,
        }  # fmt: skip

    def largest_rank(self):
        return self.r if self.norm == "ky_fan" else 1.0

    @property
    def translates(self) -> bool:
        return self.weight_decay == 0.0

    @property
    def label(self) -> str:
        words = [self.norm + (f" {self.r:g}" if self.norm == "ky_fan" else "")]
        words += [f"momentum={self.momentum:g}"] if self.momentum else []
        words += [f"weight_decay={self.weight_decay:g}"] if self.weight_decay else []
        return f"NormalizedSteepestDescent({', '.join(words)})"

"""OLion (arXiv 2602.01105): signs of an orthogonal momentum."""

from dataclasses import dataclass
from typing import ClassVar

from implicitbias.optimizers.base import decay, nonnegative
from implicitbias.optimizers.matrix import steepest
from implicitbias.optimizers.matrix.base import SteepestOptimizer


@dataclass(frozen=True)
class OLion(SteepestOptimizer):
    """Signs of the polar factor of the momentum.

    M = mu M + (1 - mu) G;  U = M,  or (1 - mu) G + mu M with nesterov;  W = (1 - lr decay) W - lr sign(P(U))

    Arguments
        momentum       mu, in [0, 1)
        nesterov       whether the step looks ahead
        weight_decay   >= 0

    Errors: ``InputError`` listing every hyper-parameter that is wrong; on a binary problem.

    >>> OLion(momentum=0.9).label
    'OLion(momentum=0.9)'

    Source: arXiv 2602.01105.
    """

    momentum: float = decay(0.95)
    nesterov: bool = True
    weight_decay: float = nonnegative(0.0)

    name: ClassVar[str] = "olion"

    def parts(self):
        return {
            steepest.MU: self.momentum, steepest.NESTEROV: self.nesterov, steepest.DECAY: self.weight_decay,
            steepest.MAP: steepest.SIGN_OF_POLAR,
        }  # fmt: skip

    @property
    def translates(self) -> bool:
        return self.weight_decay == 0.0

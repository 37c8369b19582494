"""Singular vectors without singular values: does the spectrum of the step matter? (arXiv 2605.11181)"""

from dataclasses import dataclass
from typing import ClassVar

from implicitbias.optimizers.base import count, decay, nonnegative
from implicitbias.optimizers.matrix import steepest
from implicitbias.optimizers.matrix.base import SteepestOptimizer


@dataclass(frozen=True)
class RandomSpectrum(SteepestOptimizer):
    """Muon with random singular values in the place of ones.

    M = mu M + (1 - mu) G;  U = M,  or (1 - mu) G + mu M with nesterov
    W = (1 - lr decay) W - lr A diag(s) B',  U = A diag(.) B',  s_1, s_2, ... uniform on (0, 2), new at each step

    Arguments
        momentum       mu, in [0, 1)
        nesterov       whether the step looks ahead
        stream         a whole number >= 0, beside the seed of the run that of the draws
        weight_decay   >= 0

    Errors: ``InputError`` listing every hyper-parameter that is wrong; on a binary problem.

    >>> RandomSpectrum(momentum=0.9).label
    'RandomSpectrum(momentum=0.9)'

    Source: arXiv 2605.11181 (Kaon), whose law of s this is in the simplest form.
    """

    momentum: float = decay(0.95)
    nesterov: bool = True
    stream: float = count(0, 0)
    weight_decay: float = nonnegative(0.0)

    name: ClassVar[str] = "random_spectrum"

    def parts(self):
        return {
            steepest.MU: self.momentum, steepest.NESTEROV: self.nesterov, steepest.DECAY: self.weight_decay,
            steepest.MAP: steepest.RANDOM, steepest.SEED: self.stream,
        }  # fmt: skip

    @property
    def translates(self) -> bool:
        return self.weight_decay == 0.0

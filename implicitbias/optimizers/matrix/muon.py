"""Muon (Jordan, Jin, Boza, You, Cesista, Newhouse, Bernstein 2024)."""

from dataclasses import dataclass
from typing import ClassVar

from implicitbias.optimizers.base import choice, count, decay, nonnegative
from implicitbias.optimizers.matrix import steepest
from implicitbias.optimizers.matrix.base import SteepestOptimizer
from implicitbias.optimizers.matrix.newton_schulz import POLYNOMIALS


@dataclass(frozen=True)
class Muon(SteepestOptimizer):
    """Momentum, made orthogonal.

    M = mu M + (1 - mu) G;  U = M,  or (1 - mu) G + mu M with nesterov
    W = (1 - lr decay) W - lr a f(U)

    with f the polar factor, exactly and for singular values however light, or so many Newton-Schulz iterations of
    U / ||U||_F: the quintic polynomial of Muon, the cubic one of Newton, or the table of Polar Express. With
    momentum_last, f(G) is averaged instead:  M = mu M + (1 - mu) f(G).

    Arguments
        momentum       mu, in [0, 1)
        nesterov       whether the step looks ahead
        polar          "exact", "quintic", "cubic" or "polar_express"
        iterations     of the polynomial, a whole number >= 1; of no effect on "exact"
        scale          a: "none" 1, "original" max(1, rows/columns)^.5, "match_rms_adamw" .2 max(rows, columns)^.5,
                       "spectral" (rows/columns)^.5
        transposed     whether rows and columns in `scale` are those of W' (d, k)
        momentum_last  whether momentum comes after f
        weight_decay   >= 0

    Errors: ``InputError`` listing every hyper-parameter that is wrong; on a binary problem.

    >>> Muon(polar="quintic", iterations=5).label
    'Muon(polar=quintic)'

    Source: K. Jordan et al., kellerjordan.github.io/posts/muon (2024); arXiv 2502.16982 (scale and decay), 2505.16932
    (Polar Express). Exact, it goes to the spectral max-margin direction (arXiv 2502.04664).
    """

    momentum: float = decay(0.95)
    nesterov: bool = True
    polar: str = choice("exact", ("exact", *POLYNOMIALS))
    iterations: float = count(5)
    scale: str = choice("none", steepest.SCALES)
    transposed: bool = False
    momentum_last: bool = False
    weight_decay: float = nonnegative(0.0)

    name: ClassVar[str] = "muon"

    def parts(self):
        exact = self.polar == "exact"
        return {
            steepest.MU: self.momentum, steepest.NESTEROV: self.nesterov, steepest.DECAY: self.weight_decay,
            steepest.MAP: steepest.SPECTRAL if exact else steepest.NEWTON_SCHULZ,
            steepest.COUNT: 0.0 if exact else list(POLYNOMIALS).index(self.polar),
            steepest.ITERATIONS: self.iterations, steepest.SCALE: steepest.SCALES.index(self.scale),
            steepest.LAST: self.momentum_last, steepest.TRANSPOSED: self.transposed,
        }  # fmt: skip

    @property
    def translates(self) -> bool:
        return self.weight_decay == 0.0

"""Blocks of features under norms of their own: Muon beside Adam, and modular norms."""

from dataclasses import dataclass, field
from typing import ClassVar

from implicitbias.optimizers.base import choice, count, decay, nonnegative
from implicitbias.optimizers.matrix import steepest
from implicitbias.optimizers.matrix.base import SteepestOptimizer
from implicitbias.optimizers.matrix.normalized_steepest_descent import MAPS

NORMS = tuple(name for name in MAPS if name != "ky_fan")


@dataclass(frozen=True)
class Hybrid(SteepestOptimizer):
    """Normalised momentum descent in two norms: one for the first features, one for the others.

    M = mu M + (1 - mu) G, W = (A, B) and M = (M_A, M_B), A with `split` columns
    A = (1 - lr decay) A - lr D_A,  D_A = argmax { <M_A, D> : N_A(D) <= 1 }
    B = (1 - lr decay) B - lr step_ratio D_B,  D_B in N_B

    This is steepest descent in max(N_A(A), N_B(B) / step_ratio), the norm of modular blocks.

    Arguments
        first, second  the norms N_A and N_B: as of NormalizedSteepestDescent, but ky_fan
        split          features of the first block, a whole number from 1 to d - 1
        step_ratio     step of the second block over that of the first, > 0
        momentum       mu, in [0, 1)
        weight_decay   >= 0

    Errors: ``InputError`` listing every hyper-parameter that is wrong; on a binary problem; for a block without
    features.

    >>> Hybrid("spectral", "max", split=3).label
    'Hybrid(spectral 3, max)'

    Source: arXiv 2405.14813 and 2410.21265 (modular norms); 2602.16340 (Muon beside Adam).
    """

    first: str = choice("spectral", NORMS)
    second: str = choice("max", NORMS)
    split: float = count(1)
    step_ratio: float = field(
        default=1.0, metadata={"valid": lambda x: 0 < x < float("inf"), "range": "> 0 and finite"}
    )
    momentum: float = decay(0.0)
    weight_decay: float = nonnegative(0.0)

    name: ClassVar[str] = "hybrid"
    equivariant: ClassVar[bool] = False  # a feature is of one block or of the other

    def parts(self):
        return {
            steepest.MU: self.momentum, steepest.MAP: MAPS[self.first], steepest.SECOND: MAPS[self.second],
            steepest.SPLIT: self.split, steepest.RATIO: self.step_ratio, steepest.DECAY: self.weight_decay,
            steepest.COUNT: 1.0,
        }  # fmt: skip

    def unfit(self, shape):
        if len(shape) == 2 and self.split >= shape[1]:
            return f"{self.label} leaves no features of {shape[1]} to its second block"
        return super().unfit(shape)

    @property
    def translates(self) -> bool:
        return self.weight_decay == 0.0

    @property
    def label(self) -> str:
        words = [
            f"{self.first} {self.split:g}",
            self.second + (f" x {self.step_ratio:g}" if self.step_ratio != 1.0 else ""),
        ]
        words += [f"{name}={getattr(self, name):g}" for name in ("momentum", "weight_decay") if getattr(self, name)]
        return f"Hybrid({', '.join(words)})"

"""Entrywise maximum: max_cj |W_cj|, the norm of sign descent and of Adam on matrices (arXiv 2502.04664)."""

from dataclasses import dataclass

from implicitbias.margins.norms.linf import LInf


@dataclass(frozen=True)
class Max(LInf):
    name, symbol = "max", "max"
    vectors, matrices, instead = False, True, "linf"


NORM = Max

"""Frobenius: sqrt(sum_cj W_cj^2), the norm of gradient descent on matrices (arXiv 2502.04664)."""

from dataclasses import dataclass

from implicitbias.margins.norms.l2 import L2


@dataclass(frozen=True)
class Frobenius(L2):
    name, symbol = "frobenius", "Frobenius"
    vectors, matrices, instead = False, True, "l2"


NORM = Frobenius

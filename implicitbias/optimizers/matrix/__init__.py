"""Optimizers of matrices, one file each: they see the weights of k classes as a matrix W (k, d)."""

from implicitbias.optimizers.matrix.adafactor import Adafactor
from implicitbias.optimizers.matrix.adaptive import Adalayer, AdaSGD
from implicitbias.optimizers.matrix.dion import Dion
from implicitbias.optimizers.matrix.hybrid import Hybrid
from implicitbias.optimizers.matrix.muon import Muon
from implicitbias.optimizers.matrix.normalized_steepest_descent import NormalizedSteepestDescent
from implicitbias.optimizers.matrix.olion import OLion
from implicitbias.optimizers.matrix.random_spectrum import RandomSpectrum
from implicitbias.optimizers.matrix.shampoo import Shampoo
from implicitbias.optimizers.matrix.soap import SOAP

KINDS = (
    NormalizedSteepestDescent, Muon, Dion, Shampoo, SOAP, Adafactor, AdaSGD, Adalayer, OLion, RandomSpectrum,
    Hybrid,
)  # fmt: skip

__all__ = [
    "KINDS", "SOAP", "AdaSGD", "Adafactor", "Adalayer", "Dion", "Hybrid", "Muon", "NormalizedSteepestDescent", "OLion",
    "RandomSpectrum", "Shampoo",
]  # fmt: skip

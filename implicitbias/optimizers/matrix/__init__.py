"""Optimizers of matrices, one file each: they see the weights of k classes as a matrix W (k, d)."""

from implicitbias.optimizers.matrix.muon import Muon
from implicitbias.optimizers.matrix.normalized_steepest_descent import NormalizedSteepestDescent
from implicitbias.optimizers.matrix.olion import OLion
from implicitbias.optimizers.matrix.random_spectrum import RandomSpectrum

KINDS = (NormalizedSteepestDescent, Muon, OLion, RandomSpectrum)

__all__ = ["KINDS", "Muon", "NormalizedSteepestDescent", "OLion", "RandomSpectrum"]

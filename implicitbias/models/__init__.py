"""Models of depth: weights theta that make the linear predictor; each is a file of this folder."""

from implicitbias.models.base import Deep, Model
from implicitbias.models.diagonal import Diagonal
from implicitbias.models.two_layer import TwoLayer

MODELS: dict[str, type[Model]] = {kind.name: kind for kind in (Diagonal, TwoLayer)}

__all__ = ["MODELS", "Deep", "Diagonal", "Model", "TwoLayer"]

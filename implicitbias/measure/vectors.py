"""Cosines and angles of many vectors with one direction, whatever their size."""

import numpy as np

from implicitbias.lengths import unit
from implicitbias.measure.group import Column


def cosine(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Cosine of each row of u (S, d) with the direction v (d,); NaN for zero rows."""
    with np.errstate(invalid="ignore"):
        return unit(u) @ unit(v)


def angle(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Angle in degrees of each row of u (S, d) with v (d,); accurate for small angles, where arccos is not."""
    with np.errstate(invalid="ignore"):
        a, b = unit(u), unit(v)
        return np.degrees(2.0 * np.arctan2(np.linalg.norm(a - b, axis=-1), np.linalg.norm(a + b, axis=-1)))


def columns_towards(name: str, what: str) -> list[Column]:
    """The columns of `towards`."""
    return [
        Column(f"{prefix}{kind}_{name}", float, unit, f"{words} between {vector} and {what}")
        for prefix, vector in (("", "w(t)"), ("inc_", "the increment w(t) - w(t/2)"))
        for kind, unit, words in (("cos", "", "cosine"), ("angle", "degrees", "angle"))
    ]


def towards(name: str, direction: np.ndarray, weights: np.ndarray, increments: np.ndarray) -> dict[str, np.ndarray]:
    """Cosines and angles of iterates and increments (S, d) to a direction (d,)."""
    return {
        f"{prefix}{kind}_{name}": function(vectors, direction)
        for prefix, vectors in (("", weights), ("inc_", increments))
        for kind, function in (("cos", cosine), ("angle", angle))
    }

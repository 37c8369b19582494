"""Even convex losses of one number, less what they are at 0."""

import math

import numpy as np

from implicitbias.jit import helper

LOSSES = ("log_cosh", "sqrt", "logistic")


@helper
def slope_of(kind, p):
    """l'(p)."""
    if kind == 1:
        return p / math.sqrt(1.0 + p * p)
    return math.tanh(p) if kind == 0 else 0.5 * math.tanh(0.5 * p)


def slopes(kind: int, p: np.ndarray) -> np.ndarray:
    """l'(p) of many."""
    if kind == 1:
        return p / np.hypot(1.0, p)
    return np.tanh(p) if kind == 0 else 0.5 * np.tanh(0.5 * p)


def loss(kind: int, p: np.ndarray) -> np.ndarray:
    """l(p) - l(0), to its last digits near 0."""
    if kind == 1:
        return p * (p / (np.hypot(1.0, p) + 1.0))
    p = np.abs(p if kind == 0 else 0.5 * p)
    near = np.minimum(p, 1.0)
    return np.where(p < 1.0, np.log1p(2.0 * np.sinh(0.5 * near) ** 2), p + np.log1p(np.exp(-2.0 * p)) - math.log(2.0))


def second(kind: int, p: np.ndarray) -> np.ndarray:
    """l''(p)."""
    if kind == 1:
        return np.hypot(1.0, p) ** -3.0
    p, share = (p, 1.0) if kind == 0 else (0.5 * p, 0.25)
    over = np.exp(-np.abs(p))  # 1/cosh, without overflow
    return share * (2.0 * over / (1.0 + over * over)) ** 2


def curvature(kind: int) -> float:
    """l''(0)."""
    return 0.25 if kind == 2 else 1.0

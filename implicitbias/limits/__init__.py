"""Predicted limit directions: tail maps, their rest points, and the special cases."""

from implicitbias.limits.predict import Limit, predict, why_not
from implicitbias.limits.residual import gradient_residual
from implicitbias.limits.special import (
    BoxMinimum,
    adagrad_direction,
    adamw_batch_point,
    adamw_point,
    kappa_direction,
    signum_bound,
)

__all__ = [
    "BoxMinimum",
    "Limit",
    "adagrad_direction",
    "adamw_batch_point",
    "adamw_point",
    "gradient_residual",
    "kappa_direction",
    "predict",
    "signum_bound",
    "why_not",
]

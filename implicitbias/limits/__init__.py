"""Predicted limit directions: tail maps, their rest points, and limits that are none of theirs."""

from implicitbias.limits.adagrad import adagrad_direction
from implicitbias.limits.adamw import BoxMinimum, adamw_batch_point, adamw_point
from implicitbias.limits.kappa import kappa_direction
from implicitbias.limits.limit import Limit
from implicitbias.limits.predict import STANDS_STILL, predict, why_not
from implicitbias.limits.residual import gradient_residual
from implicitbias.limits.signum import signum_bound

__all__ = [
    "STANDS_STILL",
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

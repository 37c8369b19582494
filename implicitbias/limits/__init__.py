"""Predicted limit directions: tail maps, their rest points, and the special cases."""

from implicitbias.limits.predict import Limit, predict, why_not

__all__ = ["Limit", "predict", "why_not"]

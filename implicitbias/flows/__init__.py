"""Flows, optimizers with steps of length zero, one file each. A new one is a new file and its class in the list."""

from implicitbias.flows.adagrad import AdaGradFlow
from implicitbias.flows.adam_proxy import AdamProxyFlow
from implicitbias.flows.base import Flow
from implicitbias.flows.gradient import GradientFlow
from implicitbias.flows.steepest import SteepestFlow
from implicitbias.optimizers import OPTIMIZERS, Optimizer

FLOWS: dict[str, type[Flow]] = {kind.name: kind for kind in (GradientFlow, SteepestFlow, AdamProxyFlow, AdaGradFlow)}
KINDS: dict[str, type[Optimizer]] = OPTIMIZERS | FLOWS  # what a study can name

__all__ = ["FLOWS", "KINDS", "AdaGradFlow", "AdamProxyFlow", "Flow", "GradientFlow", "SteepestFlow"]

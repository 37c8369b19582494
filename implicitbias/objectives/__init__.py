"""Objectives: functions with a minimum, that optimizers are run on as they are on data; each has parameters.

    two_layer_scalar, single_neuron   networks of two weights: edge of stability, trajectory alignment
    noisy_logistic                    one datum with labels of both kinds
    river, valley                     two-dimensional valleys
    logistic                          rows with label smoothing and a ridge: `smoothing` and `ridge` of a data family

The arithmetic is plain float64, in true units: there is no tail to be exact in.
"""

from implicitbias.models import MODELS, Deep, Diagonal, TwoLayer
from implicitbias.objectives import logistic as _logistic
from implicitbias.objectives import river as _river
from implicitbias.objectives import single_neuron as _single_neuron
from implicitbias.objectives import two_layer_scalar as _two_layer_scalar
from implicitbias.objectives import valley as _valley
from implicitbias.objectives.logistic import noisy_logistic
from implicitbias.objectives.river import river
from implicitbias.objectives.single_neuron import single_neuron
from implicitbias.objectives.two_layer_scalar import two_layer_scalar
from implicitbias.objectives.valley import valley
from implicitbias.problems.binary import Problem
from implicitbias.problems.objective import Form, Objective, Reading


def _deep(model):
    return lambda: Deep(Problem([[1.0]]), model())


EXAMPLES = {
    "two_layer_scalar": two_layer_scalar, "single_neuron": single_neuron, "logistic": noisy_logistic, "river": river,
    "valley": valley, "diagonal": _deep(Diagonal), "two_layer": _deep(TwoLayer),
}  # fmt: skip
FORMS = {module.FORM.name: module.FORM for module in (_logistic, _river, _single_neuron, _two_layer_scalar, _valley)}
FORMS |= {kind.name: kind.form for kind in MODELS.values()}

__all__ = [
    "EXAMPLES", "FORMS", "Form", "Objective", "Reading", "noisy_logistic", "river", "single_neuron",
    "two_layer_scalar", "valley",
]  # fmt: skip

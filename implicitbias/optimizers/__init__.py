"""The optimizers, one file each. A new one is a new file and its class in the list below."""

from implicitbias.optimizers.adagrad import AdaGrad
from implicitbias.optimizers.adam import Adam
from implicitbias.optimizers.adam_proxy import AdamProxy
from implicitbias.optimizers.adamw import AdamW
from implicitbias.optimizers.base import Optimizer
from implicitbias.optimizers.ngd import NGD
from implicitbias.optimizers.sgd import SGD
from implicitbias.optimizers.signum import Signum

OPTIMIZERS: dict[str, type[Optimizer]] = {
    kind.name: kind for kind in (Adam, AdamW, AdamProxy, AdaGrad, SGD, Signum, NGD)
}

__all__ = ["NGD", "OPTIMIZERS", "SGD", "AdaGrad", "Adam", "AdamProxy", "AdamW", "Optimizer", "Signum"]

"""The optimizers, one file each. A new one is a new file and its class in the list below."""

from implicitbias.optimizers import clipped, decayed, ema, mars, matrix, subspace, svrg
from implicitbias.optimizers.adagrad import AdaGrad
from implicitbias.optimizers.adam import Adam
from implicitbias.optimizers.adam_proxy import AdamProxy
from implicitbias.optimizers.adamw import AdamW
from implicitbias.optimizers.amsgrad import AMSGrad
from implicitbias.optimizers.base import Optimizer
from implicitbias.optimizers.clipped import Clipped
from implicitbias.optimizers.decayed import Decayed
from implicitbias.optimizers.dual_accelerated import DualAccelerated
from implicitbias.optimizers.ema import EMA
from implicitbias.optimizers.ftrl import FTRL
from implicitbias.optimizers.laprop import LaProp
from implicitbias.optimizers.lion import Lion
from implicitbias.optimizers.mars import MARS
from implicitbias.optimizers.matrix import (
    SOAP,
    Adafactor,
    Adalayer,
    AdaSGD,
    Dion,
    Hybrid,
    Muon,
    NormalizedSteepestDescent,
    OLion,
    RandomSpectrum,
    Shampoo,
)
from implicitbias.optimizers.mirror_descent import MirrorDescent
from implicitbias.optimizers.nadam import NAdam
from implicitbias.optimizers.ngd import NGD
from implicitbias.optimizers.progressive_rescaling import ProgressiveRescaling
from implicitbias.optimizers.rmsprop import RMSProp
from implicitbias.optimizers.sam import SAM
from implicitbias.optimizers.schedule_free import ScheduleFreeAdamW, ScheduleFreeSGD
from implicitbias.optimizers.sgd import SGD
from implicitbias.optimizers.signum import Signum
from implicitbias.optimizers.sophia import Sophia
from implicitbias.optimizers.steepest_descent import SteepestDescent
from implicitbias.optimizers.subspace import Subspace, SubspaceSGD
from implicitbias.optimizers.svrg import SVRG

OPTIMIZERS: dict[str, type[Optimizer]] = {
    kind.name: kind
    for kind in (
        Adam, AdamW, AdamProxy, AdaGrad, SGD, Signum, NGD, RMSProp, NAdam, LaProp, AMSGrad, FTRL, Lion, SteepestDescent,
        MirrorDescent, SAM, ScheduleFreeSGD, ScheduleFreeAdamW, DualAccelerated, ProgressiveRescaling, Sophia,
        *ema.KINDS, *mars.KINDS, *svrg.KINDS, *decayed.KINDS, *clipped.KINDS, *subspace.KINDS, *matrix.KINDS,
    )
}  # fmt: skip

__all__ = [
    "EMA",
    "FTRL",
    "MARS",
    "NGD",
    "OPTIMIZERS",
    "SAM",
    "SGD",
    "SOAP",
    "SVRG",
    "AMSGrad",
    "AdaGrad",
    "AdaSGD",
    "Adafactor",
    "Adalayer",
    "Adam",
    "AdamProxy",
    "AdamW",
    "Clipped",
    "Decayed",
    "Dion",
    "DualAccelerated",
    "Hybrid",
    "LaProp",
    "Lion",
    "MirrorDescent",
    "Muon",
    "NAdam",
    "NormalizedSteepestDescent",
    "OLion",
    "Optimizer",
    "ProgressiveRescaling",
    "RMSProp",
    "RandomSpectrum",
    "ScheduleFreeAdamW",
    "ScheduleFreeSGD",
    "Shampoo",
    "Signum",
    "Sophia",
    "SteepestDescent",
    "Subspace",
    "SubspaceSGD",
]  # fmt: skip

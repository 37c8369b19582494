"""Which separator does the optimizer pick? Simulation, certified margins and verdicts on separable data."""

import importlib

__version__ = "0.1.0"

# Each public name and the module it lives in; loaded on first use, so that the import and `--help` stay instant.
_PUBLIC = {
    "geometry": "implicitbias.geometry",
    "objectives": "implicitbias.objectives",
    "testing": "implicitbias.testing",
    "models": "implicitbias.models",
    "Diagonal": "implicitbias.models",
    "TwoLayer": "implicitbias.models",
    "Problem": "implicitbias.problems",
    "Multiclass": "implicitbias.problems",
    "InputError": "implicitbias.errors",
    "NotSeparable": "implicitbias.errors",
    "Undecided": "implicitbias.errors",
    "max_margin": "implicitbias.margins",
    "curvature": "implicitbias.hessian",
    "Curvature": "implicitbias.hessian",
    "predict": "implicitbias.limits.predict",
    "Limit": "implicitbias.limits",
    "Separator": "implicitbias.margins",
    "simulate": "implicitbias.simulation.simulate",
    "Run": "implicitbias.simulation.run",
    "Power": "implicitbias.simulation.schedules",
    "Cosine": "implicitbias.simulation.schedules",
    "Linear": "implicitbias.simulation.schedules",
    "WarmupStableDecay": "implicitbias.simulation.schedules",
    "Increasing": "implicitbias.simulation.schedules",
    "LossAdaptive": "implicitbias.simulation.schedules",
    "Exponentiated": "implicitbias.simulation.schedules",
    "Optimizer": "implicitbias.optimizers",
    "Adam": "implicitbias.optimizers",
    "AdamW": "implicitbias.optimizers",
    "AdamProxy": "implicitbias.optimizers",
    "Clipped": "implicitbias.optimizers",
    "Decayed": "implicitbias.optimizers",
    "EMA": "implicitbias.optimizers",
    "FTRL": "implicitbias.optimizers",
    "MARS": "implicitbias.optimizers",
    "SAM": "implicitbias.optimizers",
    "SVRG": "implicitbias.optimizers",
    "AMSGrad": "implicitbias.optimizers",
    "DualAccelerated": "implicitbias.optimizers",
    "LaProp": "implicitbias.optimizers",
    "Lion": "implicitbias.optimizers",
    "MirrorDescent": "implicitbias.optimizers",
    "NAdam": "implicitbias.optimizers",
    "ProgressiveRescaling": "implicitbias.optimizers",
    "RMSProp": "implicitbias.optimizers",
    "ScheduleFreeAdamW": "implicitbias.optimizers",
    "ScheduleFreeSGD": "implicitbias.optimizers",
    "Sophia": "implicitbias.optimizers",
    "SteepestDescent": "implicitbias.optimizers",
    "Subspace": "implicitbias.optimizers",
    "SubspaceSGD": "implicitbias.optimizers",
    "Muon": "implicitbias.optimizers",
    "NormalizedSteepestDescent": "implicitbias.optimizers",
    "OLion": "implicitbias.optimizers",
    "RandomSpectrum": "implicitbias.optimizers",
    "SOAP": "implicitbias.optimizers",
    "AdaSGD": "implicitbias.optimizers",
    "Adafactor": "implicitbias.optimizers",
    "Adalayer": "implicitbias.optimizers",
    "Dion": "implicitbias.optimizers",
    "Hybrid": "implicitbias.optimizers",
    "Shampoo": "implicitbias.optimizers",
    "AdaGrad": "implicitbias.optimizers",
    "SGD": "implicitbias.optimizers",
    "Signum": "implicitbias.optimizers",
    "NGD": "implicitbias.optimizers",
    "GradientFlow": "implicitbias.flows",
    "SteepestFlow": "implicitbias.flows",
    "AdamProxyFlow": "implicitbias.flows",
    "AdaGradFlow": "implicitbias.flows",
    "gradient_residual": "implicitbias.limits",
    "run_study": "implicitbias.sweep.run",
    "load_study": "implicitbias.sweep.run",
    "collect": "implicitbias.sweep.collect",
    "reproduce": "implicitbias.sweep.reproduce",
    "rerun": "implicitbias.sweep.reproduce",
    "load_runs": "implicitbias.results",
    "load_curves": "implicitbias.results",
    "check": "implicitbias.results",
    "check_all": "implicitbias.catalogue.check",
    "write_report": "implicitbias.report",
    "columns": "implicitbias.store.schema",
    "plot": "implicitbias.figures.plot",
}

__all__ = sorted(_PUBLIC)

TYPE_CHECKING = False  # type checkers and editors take it for true; typing's own would take longer to import than this
if TYPE_CHECKING:
    from implicitbias import geometry as geometry
    from implicitbias import models as models
    from implicitbias import objectives as objectives
    from implicitbias import testing as testing
    from implicitbias.catalogue.check import check_all as check_all
    from implicitbias.errors import InputError as InputError
    from implicitbias.errors import NotSeparable as NotSeparable
    from implicitbias.errors import Undecided as Undecided
    from implicitbias.figures.plot import plot as plot
    from implicitbias.flows import AdaGradFlow as AdaGradFlow
    from implicitbias.flows import AdamProxyFlow as AdamProxyFlow
    from implicitbias.flows import GradientFlow as GradientFlow
    from implicitbias.flows import SteepestFlow as SteepestFlow
    from implicitbias.hessian import Curvature as Curvature
    from implicitbias.hessian import curvature as curvature
    from implicitbias.limits import Limit as Limit
    from implicitbias.limits import gradient_residual as gradient_residual
    from implicitbias.limits.predict import predict as predict
    from implicitbias.margins import Separator as Separator
    from implicitbias.margins import max_margin as max_margin
    from implicitbias.models import Diagonal as Diagonal
    from implicitbias.models import TwoLayer as TwoLayer
    from implicitbias.optimizers import EMA as EMA
    from implicitbias.optimizers import FTRL as FTRL
    from implicitbias.optimizers import MARS as MARS
    from implicitbias.optimizers import NGD as NGD
    from implicitbias.optimizers import SAM as SAM
    from implicitbias.optimizers import SGD as SGD
    from implicitbias.optimizers import SOAP as SOAP
    from implicitbias.optimizers import SVRG as SVRG
    from implicitbias.optimizers import Adafactor as Adafactor
    from implicitbias.optimizers import AdaGrad as AdaGrad
    from implicitbias.optimizers import Adalayer as Adalayer
    from implicitbias.optimizers import Adam as Adam
    from implicitbias.optimizers import AdamProxy as AdamProxy
    from implicitbias.optimizers import AdamW as AdamW
    from implicitbias.optimizers import AdaSGD as AdaSGD
    from implicitbias.optimizers import AMSGrad as AMSGrad
    from implicitbias.optimizers import Clipped as Clipped
    from implicitbias.optimizers import Decayed as Decayed
    from implicitbias.optimizers import Dion as Dion
    from implicitbias.optimizers import DualAccelerated as DualAccelerated
    from implicitbias.optimizers import Hybrid as Hybrid
    from implicitbias.optimizers import LaProp as LaProp
    from implicitbias.optimizers import Lion as Lion
    from implicitbias.optimizers import MirrorDescent as MirrorDescent
    from implicitbias.optimizers import Muon as Muon
    from implicitbias.optimizers import NAdam as NAdam
    from implicitbias.optimizers import NormalizedSteepestDescent as NormalizedSteepestDescent
    from implicitbias.optimizers import OLion as OLion
    from implicitbias.optimizers import Optimizer as Optimizer
    from implicitbias.optimizers import ProgressiveRescaling as ProgressiveRescaling
    from implicitbias.optimizers import RandomSpectrum as RandomSpectrum
    from implicitbias.optimizers import RMSProp as RMSProp
    from implicitbias.optimizers import ScheduleFreeAdamW as ScheduleFreeAdamW
    from implicitbias.optimizers import ScheduleFreeSGD as ScheduleFreeSGD
    from implicitbias.optimizers import Shampoo as Shampoo
    from implicitbias.optimizers import Signum as Signum
    from implicitbias.optimizers import Sophia as Sophia
    from implicitbias.optimizers import SteepestDescent as SteepestDescent
    from implicitbias.optimizers import Subspace as Subspace
    from implicitbias.optimizers import SubspaceSGD as SubspaceSGD
    from implicitbias.problems import Multiclass as Multiclass
    from implicitbias.problems import Problem as Problem
    from implicitbias.report import write_report as write_report
    from implicitbias.results import check as check
    from implicitbias.results import load_curves as load_curves
    from implicitbias.results import load_runs as load_runs
    from implicitbias.simulation.run import Run as Run
    from implicitbias.simulation.schedules import Cosine as Cosine
    from implicitbias.simulation.schedules import Exponentiated as Exponentiated
    from implicitbias.simulation.schedules import Increasing as Increasing
    from implicitbias.simulation.schedules import Linear as Linear
    from implicitbias.simulation.schedules import LossAdaptive as LossAdaptive
    from implicitbias.simulation.schedules import Power as Power
    from implicitbias.simulation.schedules import WarmupStableDecay as WarmupStableDecay
    from implicitbias.simulation.simulate import simulate as simulate
    from implicitbias.store.schema import columns as columns
    from implicitbias.sweep.collect import collect as collect
    from implicitbias.sweep.reproduce import reproduce as reproduce
    from implicitbias.sweep.reproduce import rerun as rerun
    from implicitbias.sweep.run import load_study as load_study
    from implicitbias.sweep.run import run_study as run_study
else:  # where a type checker sees it, every name there is would be one

    def __getattr__(name: str):
        if name not in _PUBLIC:
            raise AttributeError(f"module 'implicitbias' has no attribute {name!r}")
        module = importlib.import_module(_PUBLIC[name])
        value = module if module.__name__.endswith(f".{name}") and not hasattr(module, name) else getattr(module, name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return __all__

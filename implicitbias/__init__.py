"""Which separator does the optimizer pick? Simulation, certified margins and verdicts on separable data."""

import importlib

__version__ = "0.1.0"

# Each public name and the module it lives in; loaded on first use, so that the import and `--help` stay instant.
_PUBLIC = {
    "geometry": "implicitbias.geometry",
    "Problem": "implicitbias.problem",
    "InputError": "implicitbias.errors",
    "NotSeparable": "implicitbias.errors",
    "Undecided": "implicitbias.errors",
    "max_margin": "implicitbias.margins",
    "predict": "implicitbias.limits",
    "Limit": "implicitbias.limits",
    "Separator": "implicitbias.margins",
    "simulate": "implicitbias.simulation.simulate",
    "Run": "implicitbias.simulation.run",
    "Power": "implicitbias.simulation.schedules",
    "Adam": "implicitbias.optimizers",
    "AdamW": "implicitbias.optimizers",
    "AdamProxy": "implicitbias.optimizers",
    "AdaGrad": "implicitbias.optimizers",
    "SGD": "implicitbias.optimizers",
    "Signum": "implicitbias.optimizers",
    "NGD": "implicitbias.optimizers",
    "GradientFlow": "implicitbias.flows",
    "SteepestFlow": "implicitbias.flows",
    "AdamProxyFlow": "implicitbias.flows",
    "gradient_residual": "implicitbias.limits",
    "run_study": "implicitbias.sweep.run",
    "load_runs": "implicitbias.store",
    "load_curves": "implicitbias.store",
    "columns": "implicitbias.store.schema",
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str):
    if name not in _PUBLIC:
        raise AttributeError(f"module 'implicitbias' has no attribute {name!r}")
    module = importlib.import_module(_PUBLIC[name])
    value = module if module.__name__.endswith(f".{name}") and not hasattr(module, name) else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__

"""This package: one `simulate` call for all runs, all of Python's overhead included; it draws its row order itself."""

from importlib.metadata import version

import numpy as np

import implicitbias as ib

from .work import BETA2, SEED, Work

LABEL = "ours"
RUNS = (1, 8, 64)
EXTRA = ""


def available() -> bool:
    return True


def versions() -> str:
    return ", ".join(f"{name} {version(name)}" for name in ("implicitbias", "numba", "numpy"))


def can(work: Work) -> bool:
    return True


def prepare(work: Work, runs: int, steps: int):
    problem = ib.Multiclass(work.rows, work.labels) if work.k > 1 else ib.Problem(work.rows)
    lr, beta1 = work.lr(runs).tolist(), work.beta1(runs).tolist()
    if work.rule == "adam":
        optimizers = [ib.Adam(beta, BETA2, bias_correction=True) for beta in beta1]
    elif work.rule == "muon":
        optimizers = [ib.Muon(momentum=beta, polar="quintic") for beta in beta1]
    else:
        optimizers = [ib.NGD() if work.rule == "ngd" else ib.SGD()] * runs

    def run() -> np.ndarray:
        done = ib.simulate(
            problem, optimizers, lr=lr, batch=work.batch, order=work.order, steps=steps, seed=SEED, per_octave=1
        )
        return np.array([one.weights[-1].reshape(-1) for one in done])

    return run

"""The limit of the machine: the multiplications of a step at the peak of the processor, and the update over arrays in
the nearest cache, in C. It computes no trajectory; a time below one is of work that was left out."""

import ctypes

import numpy as np

from . import c_twin
from .work import Work

LABEL = "roofline"
RUNS = (1,)
EXTRA = c_twin.EXTRA
COMPUTES = False
STEPS_OF_POLYNOMIAL = 5
UPDATES = {"sgd": 0, "adam": 1, "ngd": 2, "muon": 3}

available, versions = c_twin.available, c_twin.versions


def can(work: Work) -> bool:
    return work.rule in UPDATES


def products(work: Work) -> int:
    """Multiplications, each with an addition: scores and gradient; of Muon, the polynomial on the shorter side, with
    X X' (by symmetry half of it) and the last product with X."""
    count = 2 * work.batch * work.size
    if work.rule == "muon":
        short, long = sorted((work.k, work.d))
        count += short * (short + 1) // 2 * long + short * short * long + 4 * STEPS_OF_POLYNOMIAL * short**3
    return count


def prepare(work: Work, runs: int, steps: int):
    w, g, m, v = np.random.default_rng(0).uniform(0.5, 1.0, size=(4, work.size))
    sizes = [ctypes.c_ssize_t(size) for size in (steps, products(work), work.size)]

    def run() -> np.ndarray:
        w[:] = 1.0
        c_twin.compiled().roofline(UPDATES[work.rule], *sizes, *map(c_twin.pointer, (w, g, m, v)))
        return w[None]

    return run

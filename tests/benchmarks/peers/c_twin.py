"""C: twin.c, one run, compiled by gcc for this machine when first needed.

The sizes are arguments of its functions, as they are of our kernels; a d fixed at compilation makes gcc's code slower
from b = 10 on, and faster only at d = 4.
"""

import ctypes
import functools
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from .work import BETA2, Work

LABEL = "C"
RUNS = (1,)
EXTRA = "install gcc"
COMMAND = ("gcc", "-O3", "-march=native", "-ffast-math", "-fPIC")


def available() -> bool:
    return shutil.which("gcc") is not None


def versions() -> str:
    first = subprocess.run(["gcc", "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    return f"{first}, {' '.join(COMMAND[1:4])}"


def can(work: Work) -> bool:
    return work.k == 1


@functools.cache
def compiled() -> ctypes.CDLL:
    with tempfile.TemporaryDirectory() as folder:
        library, unit = Path(folder, "twin.so"), Path(folder, "twin.o")
        subprocess.run([*COMMAND, "-c", Path(__file__).with_name("twin.c"), "-o", unit], check=True)
        # Linked without -ffast-math, which would make the whole process flush subnormal numbers to zero.
        subprocess.run(["gcc", "-shared", unit, "-o", library, "-lm"], check=True)
        return ctypes.CDLL(str(library))


def prepare(work: Work, runs: int, steps: int):
    rows = work.rows
    indices = None if work.order == "full" else work.indices(steps)
    lr, beta1 = ctypes.c_double(work.lr(1)[0]), ctypes.c_double(work.beta1(1)[0])
    sizes = [ctypes.c_ssize_t(size) for size in (steps, work.batch, work.d)]

    def run() -> np.ndarray:
        library = compiled()
        w, g, m, v = (np.zeros(work.d) for _ in range(4))
        s = np.empty(work.batch)
        if work.rule == "adam":
            arrays = (w, g, m, v, s)
            numbers = (lr, beta1, ctypes.c_double(BETA2))
        else:
            arrays = (w, g, s)
            numbers = (lr,)
        function = library.adam if work.rule == "adam" else library.sgd
        function(pointer(rows), pointer(indices), *sizes, *numbers, *map(pointer, arrays))
        return w[None]

    return run


def pointer(array: np.ndarray | None) -> ctypes.c_void_p:
    return ctypes.c_void_p(None if array is None else array.ctypes.data)

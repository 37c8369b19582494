"""Two other kernels of linear algebra than this machine's own, for `OPENBLAS_CORETYPE=NAME pytest`, one a line.

A certificate must hold whatever the processor. OpenBLAS has kernels for many, and an x86 processor runs those of the
older ones too; only what takes effect in NumPy and in SciPy is named. What is missing is said on the error stream.
"""

import os
import subprocess
import sys

OLDER = ("Haswell", "Nehalem", "Prescott")
COUNT = 2
# the kernels of all OpenBLAS libraries that are loaded, after one product
LOOK = """
import numpy, scipy.linalg
from threadpoolctl import threadpool_info
numpy.ones((9, 9)) @ numpy.ones((9, 9)), scipy.linalg.lu(numpy.ones((9, 9)))
print(*sorted({str(found.get("architecture")) for found in threadpool_info() if found["internal_api"] == "openblas"}))
"""


def in_effect(name: str | None = None) -> list[str]:
    """The kernels that a process uses, asked for those of a processor of this name."""
    environment = {key: value for key, value in os.environ.items() if key != "OPENBLAS_CORETYPE"}
    if name is not None:
        environment["OPENBLAS_CORETYPE"] = name
    # a processor that lacks an instruction ends the process, which prints nothing
    return subprocess.run([sys.executable, "-c", LOOK], env=environment, capture_output=True, text=True).stdout.split()


if __name__ == "__main__":
    own = in_effect()
    others = [name for name in OLDER if name not in own and in_effect(name) == [name]][:COUNT]
    print(f"BLAS: this machine uses {own}; other kernels to test: {others}", file=sys.stderr)
    if len(others) < COUNT:
        print(f"SKIPPED: the tests under {COUNT - len(others)} other BLAS kernels, for want of them", file=sys.stderr)
    print(*others, sep="\n")

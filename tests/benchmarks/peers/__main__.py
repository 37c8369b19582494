"""One core for everybody, settled before the libraries that ask for it are loaded; then the command."""

import os
import sys
import tempfile
from pathlib import Path

if __name__ == "__main__":
    for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "NUMBA"):
        os.environ[f"{name}_NUM_THREADS"] = "1"
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    with tempfile.TemporaryDirectory() as cache:
        # Our kernels are cached on disk between processes; an empty cache shows their compilation in the warm-up.
        os.environ["NUMBA_CACHE_DIR"] = cache
        from peers.command import main

        status = main()
    sys.exit(status)

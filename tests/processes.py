"""Studies in processes of their own: to start, watch and disturb them, and to compare what they leave."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd

import implicitbias as ib

TIMINGS = ["kernel_seconds", "measure_seconds"]


def start(*arguments, **options) -> subprocess.Popen:
    """The command line `implicitbias ...`."""
    command = [sys.executable, "-c", "from implicitbias.cli import main; main()", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def workers(parent: int) -> list[int]:
    """The worker processes of a study, from the process table of Linux."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "stat").read_text().rpartition(")")[2].split()
            if (
                int(words[1]) == parent
                and words[0] != "Z"
                and b"implicitbias.sweep.serve import serve" in entry.joinpath("cmdline").read_bytes()
            ):
                found.append(int(entry.name))
        except OSError:
            continue
    return sorted(found)


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(condition, seconds: float = 120.0):
    """The first true value of the condition."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
    return found


def kill(process: int) -> None:
    os.kill(process, signal.SIGKILL)


def assert_as(folder: Path, finished: Path) -> None:
    """The same tables, but for the time they took, and nothing else left behind."""
    assert (folder / "curves.parquet").read_bytes() == (finished / "curves.parquet").read_bytes()
    left, right = (ib.load_runs(x).drop(columns=TIMINGS) for x in (folder, finished))
    pd.testing.assert_frame_equal(left, right, check_exact=True)
    assert not list(folder.glob("parts/*")) and not list(folder.rglob(".*")) and not list(folder.rglob("*.corrupt*"))

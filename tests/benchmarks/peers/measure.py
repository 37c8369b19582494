"""Check an entry, choose its number of steps, and time all entries of a work in interleaved rounds."""

import time
from dataclasses import dataclass, field
from types import ModuleType

import numpy as np

from .work import Work, deviation, reference

# The entries sum in different orders, 1e-16 a step; anything beyond this is another recursion.
TOLERANCE = 1e-8


@dataclass(frozen=True)
class Entry:
    """A column of the tables: a peer and its number of runs."""

    peer: ModuleType
    runs: int

    @property
    def label(self) -> str:
        return f"{self.peer.LABEL} R={self.runs}"


@dataclass
class Result:
    """What became of an entry on a work.

    Attributes
        deviation   from the reference, relative; no times where it is above the tolerance
        warm_up     seconds of the first call beyond those of the second
        steps       updates of each run in one timing
        times       microseconds per step and run, one a round
    """

    deviation: float
    warm_up: float = np.nan
    steps: int = 0
    times: list[float] = field(default_factory=list)

    @property
    def right(self) -> bool:
        return self.deviation <= TOLERANCE

    @property
    def median(self) -> float:
        return float(np.median(self.times)) if self.right and self.times else np.nan

    @property
    def spread(self) -> float:
        """Distance of the quartiles over the median."""
        low, high = np.quantile(self.times, [0.25, 0.75])
        return float((high - low) / self.median)


def measure(work: Work, entries: list[Entry], rounds: int, seconds: float) -> dict[Entry, Result]:
    """Results of all entries that can do the work; each timing lasts about `seconds`."""
    results, calls = {}, {}
    doing = [entry for entry in entries if entry.peer.can(work)]
    # The runs of a smaller block are the first ones of a larger, so one reference serves all.
    expected = reference(work, max(entry.runs for entry in doing), work.checked)
    for entry in doing:
        run = entry.peer.prepare(work, entry.runs, work.checked)
        found, first = clock(run)
        computes = getattr(entry.peer, "COMPUTES", True)
        results[entry] = result = Result(deviation(found, expected[: entry.runs]) if computes else 0.0)
        if not result.right:
            continue
        _, second = clock(run)
        result.warm_up = max(0.0, first - second)
        result.steps = steps_lasting(seconds, work, entry, second)
        calls[entry] = entry.peer.prepare(work, entry.runs, result.steps)
        calls[entry]()  # a new length is a new program to a compiler of whole loops
    for number in range(rounds):
        # Another entry goes first every time: none always follows the same one.
        order = list(calls)
        shift = number % max(1, len(order))
        for entry in order[shift:] + order[:shift]:
            found, took = clock(calls[entry])
            if not np.isfinite(found).all():
                results[entry].deviation = np.inf
            results[entry].times.append(1e6 * took / (results[entry].steps * entry.runs))
    return results


def steps_lasting(seconds: float, work: Work, entry: Entry, took: float) -> int:
    """Steps that fill the time, given what those that were checked took: longer calls until one does, nearly."""
    steps = work.checked
    while took < seconds / 2:
        steps = round(steps * min(10.0, 1.2 * seconds / took))
        run = entry.peer.prepare(work, entry.runs, steps)
        run()
        _, took = clock(run)
    return max(10, round(steps * seconds / took))


def clock(run) -> tuple[np.ndarray, float]:
    start = time.perf_counter()
    found = run()
    return found, time.perf_counter() - start

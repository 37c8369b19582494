"""Claims about a limit: which way a finite run still moves.

A claim about a limit is about t -> infinity, of which a run of finite t shows its last value and its direction.
That is told by the last octave, from t/2 to t (of updates, or of the time of a flow), in the slack: how far the value
is inside the expectation, negative outside.

    moves       the slack changed by more than a share of what it was at t/2: 2%, or 1 / (2 log2 t) where that is less.
                A distance that shrinks like 1/log t, the slowest law in this field, loses 1 / log2 t of itself in an
                octave: 5% at t = 10^6, 0.3% at t = 10^100.
    approaches  a run that misses the expectation and moves towards it: it may get there, so it refutes nothing. Where
                the noise of random batches may be taken for an approach, that is so too.
    leaves      a run that meets the expectation and moves out of it, by more than noise: it may leave, so it supports
                nothing.

    noise       of the change over the octave: sqrt(m) s, with m moves from one snapshot to the next in it, and s the
                deviation of a move from its neighbours, sqrt(mean (d_k+1 - d_k)^2 / 2) over the last MOVES moves. For
                independent moves that is their standard error, for a measure that scatters about a value more than
                it, and a smooth curve has none, however it is bent. A change counts beyond Student's t at 5%, over all
                runs of the claim. With fewer than three snapshots an octave noise cannot be told, and none is assumed.

The mean over runs, and the spread of a group of runs that are compared, move in the same way: what they are at t/2
follows from what the runs are there.
"""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from implicitbias.study.expected import slack
from implicitbias.study.fits import deviations
from implicitbias.study.formula import values
from implicitbias.study.groups import least_cosine
from implicitbias.study.keys import Claim

MOVING = 0.02
MOVES = 8  # an octave of snapshots, unless a study asks for others


@dataclass(frozen=True)
class Octave:
    """The last octave of a run: the measure at t/2 and at t, the noise of its change, and log2 t."""

    before: float
    after: float
    noise: float
    log2_t: float

    @property
    def share(self) -> float:
        return min(MOVING, 0.5 / self.log2_t) if self.log2_t > 0.0 else MOVING

    def approaches(self, claim: Claim) -> bool:
        """Whether a run that misses the expectation still moves towards it."""
        before, after = slack(claim, self.before), slack(claim, self.after)
        return after - before > self.share * -before

    def leaves(self, claim: Claim, runs: int) -> bool:
        """Whether a run that meets the expectation, one of so many, moves out of it."""
        before, after = slack(claim, self.before), slack(claim, self.after)
        return before - after > max(self.share * before, deviations(runs) * self.noise)


def of_mean(octaves: list[Octave]) -> Octave:
    """The last octave of the mean over runs, whose noise is independent."""
    noise = math.sqrt(sum(octave.noise**2 for octave in octaves)) / len(octaves)
    before, after = (float(np.mean([getattr(octave, name) for octave in octaves])) for name in ("before", "after"))
    return Octave(before, after, noise, max(octave.log2_t for octave in octaves))


def of_group(claim: Claim, group: pd.DataFrame, octaves: dict) -> Octave | None:
    """The last octave of a group of runs that are compared; None if one of them has no value at t/2.

    w(t/2) is the iterate without the last increment. Of an increment half-way nothing is stored.
    """
    if claim.measure == "direction":
        halves = [np.subtract(w, moved) for w, moved in zip(group["w"], group["increment"])]
        clock = group["sum_lr"].where(group["time"].notna(), group["step"])
        ends = (least_cosine(pd.Series(vectors))[0] for vectors in (halves, group["w"].tolist()))
        before, after = ends
        return Octave(before, after, 0.0, math.log2(clock.max())) if math.isfinite(before) else None
    own = [octaves.get(place) for place in group.index]
    if None in own:
        return None
    before, after = ([getattr(octave, name) for octave in own] for name in ("before", "after"))
    noise = math.sqrt(2.0) * max(octave.noise for octave in own)
    return Octave(max(before) - min(before), max(after) - min(after), noise, max(octave.log2_t for octave in own))


def last_octaves(claim: Claim, runs: pd.DataFrame, curves: pd.DataFrame) -> dict:
    """The last octave of each run that has a measure at t/2, by the index of the runs."""
    curves = curves[curves["run_id"].isin(runs["run_id"])]
    # once for all runs: there may be thousands
    y = values(claim.measure, curves).to_numpy(float)
    clocks = {name: curves[name].to_numpy(float) for name in ("step", "sum_lr")}
    places = curves.groupby("run_id", sort=False).indices
    ends = values(claim.measure, runs).to_numpy(float)
    found = {}
    for place, run_id, time, step, sum_lr, after in zip(
        runs.index, runs["run_id"], runs["time"], runs["step"], runs["sum_lr"], ends
    ):
        if (rows := places.get(run_id)) is None:
            continue
        flow = pd.notna(time)  # its clock is t: its steps are those of an integrator
        clock, end = (clocks["sum_lr"], sum_lr) if flow else (clocks["step"], step)
        rows = rows[np.argsort(clock[rows], kind="stable")]
        if octave := _last_octave(clock[rows], y[rows], float(end), after, flow):
            found[place] = octave
    return found


def _last_octave(clock: np.ndarray, y: np.ndarray, end: float, after: float, flow: bool) -> Octave | None:
    """The last octave of a run, from its snapshots, in the order of time, and its end."""
    half = end / 2.0 if flow else (end + 1.0) / 2.0  # a step is rounded to an integer
    middle = int(np.searchsorted(clock, half * (1.0 + 1e-9), side="right")) - 1
    if middle < 0 or not math.isfinite(y[middle]):
        return None
    moves = len(y) - 1 - middle
    jumps = np.diff(y[-(MOVES + 1) :], n=2)
    jumps = jumps[np.isfinite(jumps)]
    known = moves >= 3 and len(jumps) > 0
    noise = math.sqrt(moves * (jumps @ jumps) / (2.0 * len(jumps))) if known else 0.0
    return Octave(float(y[middle]), float(after), noise, math.log2(end) if end > 0.0 else 0.0)

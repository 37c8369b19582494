"""Where a run is, as the driver holds it: what it takes to go on bit for bit."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True, eq=False)
class End:
    """Where a run is after its last update, or before its first one with a new optimizer.

    steps       updates made, by whatever optimizers
    born        those made before the present optimizer took over
    earlier     sum of the step sizes of earlier schedules
    shapes      that of the present schedule without its factor eta
    iterate     (d,) where the next gradient is taken, which need not be the recorded iterate
    state       (K, d) in units given by expo, origin (d,) and span (3,), see scales.py; None if there is none yet
    in_margins  whether all this is in the space of margins, d being n
    memory      what an optimizer keeps beside the iterate and the state
    """

    steps: int
    born: int
    earlier: float
    shapes: float
    iterate: np.ndarray
    state: np.ndarray | None = None
    expo: np.ndarray | None = None
    origin: np.ndarray | None = None
    span: np.ndarray | None = None
    in_margins: bool = False
    memory: np.ndarray | None = None

    def rescheduled(self, eta: float) -> End:
        """The same under another schedule than that with factor eta."""
        return replace(self, earlier=self.earlier + eta * self.shapes, shapes=0.0)

    def in_weights(self, iterate: np.ndarray, state: np.ndarray) -> End:
        """The same out of the space of margins, for an iterate (d,) and a state (K, d) in true units."""
        nothing, span = np.zeros(len(iterate)), np.zeros_like(self.span)
        return replace(self, iterate=iterate, state=state, expo=nothing, origin=nothing, span=span, in_margins=False)

    def taken_over(self, iterate: np.ndarray) -> End:
        """The same for another optimizer, which starts from iterate (d,)."""
        return End(self.steps, self.steps, self.earlier, self.shapes, iterate)


def fresh(iterate: np.ndarray) -> End:
    """The beginning of a run."""
    return End(0, 0, 0.0, 0.0, iterate)

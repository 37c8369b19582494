"""The curve log c = -t A F(c): where decay of rate 1/t holds an optimizer whose tail map is F."""

from collections.abc import Iterator

import numpy as np

from implicitbias.limits.tail_maps import TailMap, contributions


def curve(rows: np.ndarray, tail_map: TailMap, end: float) -> Iterator[tuple[float, np.ndarray]]:
    """(t, log c) along the curve log c = -t A F(c), from t = 0 to t = end, or to where it can be followed."""
    logs = np.zeros(len(rows))
    yield 0.0, logs
    scale = np.abs(rows).sum(axis=1).max() * max(np.abs(tail_map.value(rows)).max(), 1e-300)
    step = min(0.1 / scale, end)
    t, before, t_before = 0.0, logs, -step
    while t < end and step > 1e-3 * t:
        step = min(step, end - t)
        # Far out the log-weights are linear in t: constant on the support, falling elsewhere.
        guess = logs + (logs - before) * (step / (t - t_before))
        corrected = _correct(rows, tail_map, guess, t + step)
        if corrected is None:
            step /= 4.0
            continue
        before, t_before, logs, t = logs, t, corrected, t + step
        yield t, logs
        step = min(15.0 * t, 4.0 * step)


def _correct(rows, tail_map, logs, t) -> np.ndarray | None:
    """The solution of logs = -t A F near a guess, by Newton's method; None if it does not converge."""

    def residual(at):
        return at + t * (rows @ tail_map.value(contributions(rows, at)))

    r = residual(logs)
    for _ in range(12):
        jacobian = np.eye(len(rows)) + t * (rows @ tail_map.slope(contributions(rows, logs)).T)
        try:
            change = np.linalg.solve(jacobian, -r)
        except np.linalg.LinAlgError:
            return None
        # Log-weights may move by 2 at a time: further out the map looks nothing like its tangent.
        step = min(1.0, 2.0 / max(np.abs(change - np.median(change)).max(), 1e-300))
        trial = logs + step * change
        size = np.abs(residual(trial)).max()
        while size > np.abs(r).max() and step > 1e-3:
            step /= 2.0
            trial = logs + step * change
            size = np.abs(residual(trial)).max()
        logs, r = trial, residual(trial)
        if step == 1.0 and np.abs(change).max() <= 1e-9 * max(1.0, np.abs(logs).max()):
            return logs
    return logs if np.abs(r).max() <= 1e-9 * max(1.0, np.abs(logs).max()) else None

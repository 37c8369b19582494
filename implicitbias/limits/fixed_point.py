"""Rest points of the sample weights: where a tail map F sends an optimizer.

The weights follow dc_i = -c_i (a_i.F(c) - sum_j c_j a_j.F(c)). They rest where a_i.F(c) is minimal wherever c_i > 0,
and

    gap(c) = (sum_i c_i a_i.u - min_i a_i.u) / ||u||_2,   u = F(c),

which is >= 0 and zero exactly there, certifies a proposed pair (c, F(c)) whatever found it. Only existence of a rest
point is proved, so the search starts from several c and reports every rest point it finds. Three methods, each where
the one before does not arrive; `search` is left out for sparse rows, where F depends on how light the light samples
are.

`search`    Write F = S / M with a positive diagonal M(c). At a rest point c is, up to scale, the dual of
            min { sum_j M_j w_j^2 : A w >= 1 }; call that dual T(c). Damped steps c + theta (T(c) - c) find the support,
            Newton's method on {a_i.F(c) equal on the support, sum c = 1} the digits.
`follow`    The curve log c = -t A F(c) (up to a constant) leaves equal weights at t = 0 and ends, for t -> infinity, in
            a rest point with every light sample at its own exponential rate; Newton's method from one t to the next.
`sliding_point`
            Where F jumps there may be no c to rest at, but weights that slide along a jump: see `sliding`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import nnls

from implicitbias.limits.sliding import settle, sliding_point
from implicitbias.limits.tail_maps import TailMap, contributions

CONVERGED = 1e-12  # gap, in units of the longest row, at which rounding of A F takes over
ARRIVED = 1e-9  # gap, in the same units, at which a search counts as successful
DAMPED = 40  # damped steps before Newton has to do with what there is
SAME = 1e-6  # rest points whose directions differ by less than this (1 - cosine) count as one
FAR = 1e9  # steps, in units of those that change a weight by a factor e, after which F is exact to 1e-9 but for Newton
LIGHTEST = -1e15  # log-weight of a sample that does not count


@dataclass(frozen=True, eq=False)
class RestPoint:
    """Weights c (n,), their logarithms, the direction u = F(c) / ||F(c)||_2 (d,), the gap, and whether the weights
    return to c after a small change."""

    weights: np.ndarray
    logs: np.ndarray
    direction: np.ndarray
    gap: float
    stable: bool = True


def rest_points(rows: np.ndarray, tail_map: TailMap, starts: list[np.ndarray]) -> list[RestPoint]:
    """The distinct rest points found from the starts, weights (n,) in the simplex; the first start's first.

    If no search arrives, the one point with the least gap, which says how far it is from resting.
    """
    if tail_map.flat:
        return [_sliding(rows, tail_map)]
    size = np.linalg.norm(rows, axis=1).max()
    points = []
    for start in [] if (rows == 0.0).any() else starts:
        points.append(search(rows, tail_map, start))
        if points[0].gap > ARRIVED * size:  # a map on which this method gets lost: other starts would too, at length
            break
    arrived = [point for point in points if point.gap <= ARRIVED * size]
    if not arrived:
        points.append(follow(rows, tail_map))
        arrived = [point for point in points[-1:] if point.gap <= ARRIVED * size]
    if not arrived:
        points.append(_sliding(rows, tail_map))
        return [min(points, key=lambda point: point.gap)]
    found: list[RestPoint] = []
    for point in arrived:
        if all(1.0 - point.direction @ other.direction > SAME for other in found):
            found.append(replace(point, stable=is_stable(rows, tail_map, point)))
    # An unstable rest point, such as the symmetric one of data with a symmetry, is left at the first disturbance.
    if not any(point.stable for point in found):
        found += [replace(point, stable=True) for point in _leave(rows, tail_map, found[0])]
    return sorted(found, key=lambda point: not point.stable)


def _sliding(rows: np.ndarray, tail_map: TailMap) -> RestPoint:
    point = sliding_point(rows, tail_map)
    return RestPoint(point.weights, point.logs, point.direction, point.gap)


def is_stable(rows: np.ndarray, tail_map: TailMap, point: RestPoint) -> bool:
    """Whether small changes of the weights on the support of c die out under the flow of the module's text.

    With x_i = log c_i the flow is dx_i = -a_i.F + const; linearised on the support, dx = -A (dF/dx) x,
    apart from a common shift of all x_i, which changes nothing.
    """
    index = np.flatnonzero(point.weights > 1e-9)
    if len(index) < 2:
        return True
    slope = tail_map.slope(contributions(rows, point.logs))[index]
    shift = np.eye(len(index)) - 1.0 / len(index)
    eigenvalues = np.linalg.eigvals(-shift @ (rows[index] @ slope.T) @ shift)
    return bool(eigenvalues.real.max() <= 1e-9 * np.abs(eigenvalues).max())


def _leave(rows: np.ndarray, tail_map: TailMap, point: RestPoint) -> list[RestPoint]:
    """The rest points that searches from random weights near an unstable one end in, by the flow itself."""
    rng = np.random.default_rng(0)
    found: list[RestPoint] = []
    for _ in range(4):
        start = point.weights * np.exp(0.1 * rng.normal(size=len(rows))) + 1e-9
        end = settle(rows, tail_map, np.log(start))
        arrived = newton(rows, tail_map, evaluate(rows, tail_map, end.logs[-1]))
        size = np.linalg.norm(rows, axis=1).max()
        settled = arrived.gap <= ARRIVED * size and is_stable(rows, tail_map, arrived)
        if settled and all(1.0 - arrived.direction @ other.direction > SAME for other in found):
            found.append(arrived)
    return found


def evaluate(rows: np.ndarray, tail_map: TailMap, logs: np.ndarray) -> RestPoint:
    """The pair (c, F(c)) at log-weights (n,), with its gap."""
    c = np.exp(logs - logs.max())
    c /= c.sum()
    u = tail_map.value(contributions(rows, logs))
    length = np.linalg.norm(u)
    if not length > 0.0:
        return RestPoint(c, logs, u, np.inf)
    z = rows @ (u / length)
    # the difference of equal numbers may round below zero
    return RestPoint(c, logs, u / length, max(float(c @ z - z.min()), 0.0))


def _logs(c: np.ndarray) -> np.ndarray:
    return np.log(c, where=c > 0.0, out=np.full(len(c), LIGHTEST))


def search(rows: np.ndarray, tail_map: TailMap, start: np.ndarray) -> RestPoint:
    """Damped steps of T from weights `start`, and Newton's method as soon as it improves on them; rows without
    zeros."""
    size = np.linalg.norm(rows, axis=1).max()
    theta, waited, failures = 1.0, 0, 0
    point = evaluate(rows, tail_map, _logs(start))
    for _ in range(DAMPED):
        if point.gap <= CONVERGED * size:
            return point
        if waited >= 4:
            waited = 0
            polished = newton(rows, tail_map, point)
            if polished.gap < 1e-3 * point.gap:
                point = polished
                continue
            failures += 1
            if failures == 4:
                break
        waited += 1
        target = frozen_dual(rows, tail_map, point.weights)
        while True:
            trial = evaluate(rows, tail_map, _logs(point.weights + theta * (target - point.weights)))
            # The gap need not fall at every step on the way; a damping that went on halving would never end.
            if trial.gap < point.gap or theta <= 1.0 / 16.0:
                break
            theta /= 2.0
        point = trial
        theta = min(1.0, 1.5 * theta)
    return min(point, newton(rows, tail_map, point), key=lambda item: item.gap)


def frozen_dual(rows: np.ndarray, tail_map: TailMap, c: np.ndarray) -> np.ndarray:
    """T(c): the dual, in the simplex, of min { sum_j M_j w_j^2 : A w >= 1 } with M = S/F at c."""
    total, u = c @ rows, tail_map.value(c[:, None] * rows)
    usable = (total * u > 0.0) & (np.abs(u) > 1e-12 * np.abs(u).max())
    m = np.ones(rows.shape[1])
    m[usable] = total[usable] / u[usable]
    # Where S and F vanish or disagree in sign (momentum across an epoch can do that) M is not defined: take its median.
    typical = np.median(m[usable]) if usable.any() else 1.0
    m[~usable] = typical
    m = np.clip(m / typical, 1e-8, 1e8)
    # Lawson and Hanson's least-distance problem, its levels made comparable by unit rows.
    scaled = rows / np.sqrt(m)
    lengths = np.linalg.norm(scaled, axis=1)
    levels = lengths.mean() / lengths
    stacked = np.vstack([scaled.T / lengths, levels])
    target = np.zeros(len(stacked))
    target[-1] = 1.0
    alpha, _ = nnls(stacked, target, maxiter=30 * sum(rows.shape) + 100)
    weights = alpha / lengths
    return weights / weights.sum()


def newton(rows: np.ndarray, tail_map: TailMap, start: RestPoint, rounds: int = 15) -> RestPoint:
    """Newton's method on the support of c; rows enter and leave it as the certificate demands.

    Unknowns c_I and mu, equations a_i.F(c) = mu on the support I and sum c = 1. Samples off the support keep their
    log-weights, which matter where no sample of the support touches a coordinate.
    """
    best, c = start, start.weights
    support = c > 1e-9 * c.max()
    light = start.logs - start.logs.max()
    for _ in range(rounds):
        c = np.where(support, c, 0.0)
        c = c / c.sum()
        index = np.flatnonzero(support)
        logs = np.where(support, _logs(c), light)
        g = contributions(rows, logs)
        u = tail_map.value(g)
        length = np.linalg.norm(u)
        z = rows @ (u / length)
        size = len(index)
        jacobian = rows[index] @ (tail_map.slope(g)[index] / c[index][:, None]).T / length
        system = np.block([[jacobian, -np.ones((size, 1))], [np.ones((1, size)), np.zeros((1, 1))]])
        rhs = np.r_[c @ z - z[index], 0.0]
        try:
            change = np.linalg.solve(system, rhs)[:size]
        except np.linalg.LinAlgError:  # more rows on the support than the data tell apart
            change = np.linalg.lstsq(system, rhs, rcond=1e-13)[0][:size]
        falling = change < 0.0
        step = min(1.0, float((-c[index][falling] / change[falling]).min())) if falling.any() else 1.0
        moved = np.zeros_like(c)
        moved[index] = np.maximum(c[index] + step * change, 0.0)
        support = moved > 1e-15
        c = moved / moved.sum()
        point = evaluate(rows, tail_map, np.where(support, _logs(c), light))
        if point.gap < best.gap:
            best = point
        if step == 1.0:
            z = rows @ point.direction
            violated = ~support & (z < float(c @ z) - 1e-13 * np.abs(z).max())
            if violated.any():
                entering = int(np.where(violated, z, np.inf).argmin())
                support[entering] = True
                c[entering] = 1e-6 * c.max()
            elif np.abs(change).max() < 1e-14:
                break
    return best


def follow(rows: np.ndarray, tail_map: TailMap) -> RestPoint:
    """The end of the curve log c = -t A F(c) that starts at equal weights."""
    scale = np.abs(rows).sum(axis=1).max() * max(np.abs(tail_map.value(rows)).max(), 1e-300)
    points = (evaluate(rows, tail_map, logs) for _, logs in curve(rows, tail_map, FAR / scale))
    return newton(rows, tail_map, min(points, key=lambda point: point.gap))


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

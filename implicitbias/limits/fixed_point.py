"""Rest points of the sample weights: where a tail map F sends an optimizer.

The weights follow dc_i = -c_i (a_i.F(c) - sum_j c_j a_j.F(c)). They rest where a_i.F(c) is minimal wherever c_i > 0,
and

    gap(c) = (sum_i c_i a_i.u - min_i a_i.u) / ||u||_2,   u = F(c),

which is >= 0 and zero exactly there, certifies a proposed pair (c, F(c)) whatever found it. That it can be reached it
does not say: c = softmin(A w) for some w, so log c, restricted to the support, is in the column space of A up to a
constant. Where support rows depend on each other affinely (repeated rows, midpoints) a whole continuum of weights
rests, and runs end in the one that is of this form.

So the search is the run itself, made slow: `weight_flow` is integrated from the start of the run, and Newton's method
finds the digits of its end, in coordinates of the column space alone. Other starts find other rest points. An end that
is unstable, such as the symmetric one of data with a symmetry, is left at the first disturbance: the paths that leave
it on both sides are followed too. Where F jumps on the way, weights may slide along the jump: see `sliding`.

Sparse rows: coordinate by coordinate F depends on the heaviest samples that touch it, however light. Those that stay
comparable there form a level, with a column space and weights of its own; the support is the heaviest level.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg.lapack import dgesv, dpocon, dpotrf
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from implicitbias.lengths import length
from implicitbias.limits.sliding import sliding_point
from implicitbias.limits.tail_maps import TailMap, contributions
from implicitbias.limits.weight_flow import Point, weight_flow

ARRIVED = 1e-9  # gap, in units of the longest row, at which a search counts as successful
SAME = 1e-6  # rest points whose directions differ by less than this (1 - cosine) count as one
SETTLED = 1e-3  # change of the log-weights of a level over a doubling of the time, when Newton's method takes over
NEARBY = 0.3  # how far it may change a weight, in parts of the heaviest: further on it has found another rest point
# A sample that falls below e^-12 = 6e-6 of the heaviest is taken for one without weight; the certificate of what is
# left says whether it is. At a tie that it loses it falls like 1/t only.
LEAVING = 12.0
LIGHT = 40.0  # a sample whose weight is below e^-40 of the heaviest in a coordinate is rounded away there
RANK = 1e-11  # singular values below this part of the largest are round-off of rows that depend on each other
INDEPENDENT = 1e-8  # least square of a singular value, in parts of all squares: far above what is round-off
LIGHTEST = -1e15  # log-weight of a sample that does not count
ROUGH = 1e-2  # error of a step (see `TailMap.care`) on paths that only look for company


@dataclass(frozen=True, eq=False)
class RestPoint:
    """Weights c (n,), their logarithms, the direction u = F(c) / ||F(c)||_2 (d,), the gap, and whether the weights
    return to c after a small change."""

    weights: np.ndarray
    logs: np.ndarray
    direction: np.ndarray
    gap: float
    stable: bool = True


def rest_points(rows: np.ndarray, tail_map: TailMap, starts: Sequence[np.ndarray]) -> list[RestPoint]:
    """The distinct rest points in which the paths from the log-weights `starts` (n,) end, that of the first one first.

    Where F jumps on the path of the first, the one point at which its weights slide.
    """
    size, touched = float(length(rows).max()), rows.any(axis=0)  # F is 0 where no row has an entry
    rows = rows[:, touched] / size
    ends: list[RestPoint] = []
    for number, x in enumerate(starts):
        found = [] if tail_map.flat else _ends(rows, tail_map, x, tail_map.care if number == 0 else ROUGH, ends)
        if number == 0 and not found:
            point = sliding_point(rows, tail_map, x)
            ends = [RestPoint(point.weights, point.logs, point.direction, point.gap)]
            break
        ends += _new(found, ends)
    else:
        if tail_map.signs and rows.all():
            ends += _new(vertices(rows, tail_map), ends)
    ends[1:] = sorted(ends[1:], key=lambda end: not end.stable)
    directions = np.zeros((len(ends), len(touched)))
    directions[:, touched] = [end.direction for end in ends]
    return [replace(end, direction=u, gap=end.gap * size) for end, u in zip(ends, directions)]


def _new(found: list[RestPoint], known: list[RestPoint]) -> list[RestPoint]:
    """Those of `found` that are not known yet."""
    new: list[RestPoint] = []
    for point in found:
        if all(1.0 - point.direction @ other.direction > SAME for other in known + new):
            new.append(point)
    return new


def _ends(rows, tail_map, x, tolerance, known) -> list[RestPoint]:
    """The end of the path from log-weights x, and unstable rest points near which it passes; if the end itself is
    unstable the ends of the paths that leave it come before it, that on the side of this path first. Nothing where F
    jumps, or once the path comes to a known point."""
    path: list[Point] = []
    end = _follow(rows, tail_map, x, tolerance, known, path)
    if end is None:
        return []
    if end.stable:
        return _new([end, *_passed(rows, tail_map, path)], [])
    sides = []
    for nearest, change in _ways_out(rows, tail_map, end, path):
        for sign in (1.0, -1.0):
            beyond = _follow(rows, tail_map, nearest + sign * change, tolerance, [], [], left=end)
            if beyond is not None and beyond.stable:
                sides.append(beyond)
    return [*_new(sides, []), end]


def _passed(rows, tail_map, path) -> list[RestPoint]:
    """The rest points near which a path of dense rows slows down and speeds up again."""
    if (rows == 0.0).any():
        return []
    drift = np.array([np.ptp(point.speed[point.x > -LEAVING]) for point in path])
    slow = 1 + np.flatnonzero((drift[1:-1] < drift[:-2]) & (drift[1:-1] < drift[2:]))
    return [end for k in slow if (end := _arrive(rows, tail_map, path[k].x)) is not None]


def _follow(rows, tail_map, x, tolerance, known, path, left=None) -> RestPoint | None:
    """The rest point at the end of the path from log-weights x, whose points are added to `path`; a point that the path
    has `left` is none."""
    dense = bool((rows != 0.0).all())
    for point in weight_flow(rows, tail_map, x, tolerance):
        path.append(point)
        if any(_close(point, other) for other in known):
            return None
        if point.t == 0.0 or not (_settled(point) if dense else _levels_settled(rows, point)):
            continue
        end = _arrive(rows, tail_map, point.x)
        if end is not None and (left is None or 1.0 - end.direction @ left.direction > SAME):
            return end
    return None


def _arrive(rows, tail_map, x) -> RestPoint | None:
    """The rest point near log-weights x, if there is one."""
    logs = _apart(rows, x)
    end = polish(rows, tail_map, logs)
    moved = contributions(np.sign(rows), end.logs) - contributions(np.sign(rows), logs)  # of weights, where they count
    if end.gap > ARRIVED or np.abs(moved).max() > NEARBY:
        return None
    return replace(end, stable=is_stable(rows, tail_map, end))


def _close(point: Point, other: RestPoint) -> bool:
    """Whether a path has come so near to a stable rest point that it ends there."""
    if not other.stable:
        return False
    c = np.exp(point.x)
    u = point.move / np.linalg.norm(point.move)
    return bool(np.abs(c / c.sum() - other.weights).max() < 1e-2 and 1.0 - u @ other.direction < SAME)


def _settled(point: Point) -> bool:
    """Whether the samples with weight keep their proportions, and all others are falling."""
    few = point.x > -LEAVING
    noise = 4e-15 * point.t  # of speeds, the products of rows of length one
    return bool(np.ptp(point.speed[few]) * point.t <= SETTLED + noise and point.speed[~few].max(initial=0.0) <= 0.0)


def _levels_settled(rows: np.ndarray, point: Point) -> bool:
    """The same coordinate by coordinate, of sparse rows."""
    heavy = _heavy(rows, point.x, LEAVING)
    speed = point.speed[:, None]
    high, low = np.where(heavy, speed, -np.inf).max(axis=0), np.where(heavy, speed, np.inf).min(axis=0)
    rising = (rows != 0.0) & ~heavy & (speed > high)
    spread = (high - low)[heavy.any(axis=0)].max()
    return bool(spread * point.t <= SETTLED + 4e-15 * point.t and not rising.any())


def _heavy(rows: np.ndarray, logs: np.ndarray, cut: float) -> np.ndarray:
    """(n, d) which samples count at which coordinate: at least e^-cut of the heaviest there."""
    touched = rows != 0.0
    return touched & (logs[:, None] > np.where(touched, logs[:, None], -np.inf).max(axis=0) - cut)


def _labels(rows: np.ndarray, logs: np.ndarray, cut: float) -> np.ndarray:
    """(n,) a number for each level: samples that count at one coordinate have the same."""
    n = len(rows)
    if (rows != 0.0).all():
        return np.where(logs > logs.max() - cut, n, np.arange(n))
    i, j = np.nonzero(_heavy(rows, logs, cut))
    graph = coo_array((np.ones(len(i)), (i, n + j)), shape=(n + rows.shape[1],) * 2)
    return connected_components(graph, directed=False)[1][:n]


def _apart(rows: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Log-weights x with the levels moved so far apart that a lighter one counts for nothing where a heavier one does:
    what ratios of weights that are still falling tend to."""
    labels = _labels(rows, x, LEAVING)
    names = np.unique(labels)
    top = np.array([x[labels == name].max() for name in names])
    depth = np.empty(len(names))
    depth[np.argsort(-top, kind="stable")] = np.arange(len(names))
    return x - 1e3 * depth[np.searchsorted(names, labels)]


def _levels(rows: np.ndarray, logs: np.ndarray) -> list[np.ndarray]:
    """The indices of the samples of each level that has several."""
    labels = _labels(rows, logs, LIGHT)
    names, counts = np.unique(labels, return_counts=True)
    return [np.flatnonzero(labels == name) for name in names[counts > 1]]


def _tangent(rows: np.ndarray, logs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Orthonormal U (n, r), s (r,), V (d, r): log-weights move along U y within their levels, as a run does by changes
    w of its iterate with V'w = y/s; a level's margins are equal where V'F = 0."""
    found = []
    for level in _levels(rows, logs):
        u, s, v = _changes(rows[level])
        wide = np.zeros((len(rows), len(s)))
        wide[level] = u
        found.append((wide, s, v))
    if not found:
        return np.zeros((len(rows), 0)), np.zeros(0), np.zeros((rows.shape[1], 0))
    return tuple(np.concatenate(parts, axis=-1) for parts in zip(*found))


def _changes(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same for a level of the rows (m, d): all changes of sum zero where the rows are affinely independent beyond
    doubt; else singular vectors tell which."""
    m = len(rows)
    mirror = np.full(m, m**-0.5)
    mirror[0] += 1.0
    u = (np.eye(m) - np.outer(mirror, mirror) * (2.0 / (mirror @ mirror)))[:, 1:]
    v = rows.T @ u
    factor, info = dpotrf(v.T @ v)
    if info == 0 and dpocon(factor, (rows**2).sum())[0] > INDEPENDENT:
        return u, np.ones(m - 1), v
    u, s, v = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    rank = int((s > RANK * max(s[0], np.abs(rows).max())).sum())
    return u[:, :rank], s[:rank], v[:rank].T


def polish(rows: np.ndarray, tail_map: TailMap, logs: np.ndarray, rounds: int = 12) -> RestPoint:
    """Newton's method for V'F = 0 over y: equal margins within each level, at log-weights that a run can have."""
    u, _, v = _tangent(rows, logs)
    best = evaluate(rows, tail_map, logs)
    if not u.shape[1]:
        return best
    # Within its level the logarithms are a constant and a point of the column space, whatever the start.
    x = logs.copy()
    for level in _levels(rows, logs):
        x[level] = x[level].mean()
    x += u @ (u.T @ logs)
    last = np.inf
    for _ in range(rounds):
        move, slope = tail_map.linear(contributions(rows, x))
        step = u @ _solve(v.T @ slope.T @ u, -(v.T @ move))
        size = np.abs(step).max()
        if size > LEAVING:  # out of the level: no rest point is near
            break
        x = x + step * min(1.0, 1.0 / max(size, 1e-300))
        point = evaluate(rows, tail_map, x)
        if point.gap < best.gap:
            best = point
        if size < 1e-8 or last / 2.0 < size < 1e-6:  # of the next step, or of this one, rounding has the say
            break
        last = size
    return best


def _solve(matrix, rhs):
    """The solution; the shortest where light samples leave some of it undetermined."""
    *_, found, info = dgesv(matrix, rhs)
    if info == 0 and np.abs(matrix @ found - rhs).max() <= 1e-6 * np.abs(rhs).max() and np.abs(found).max() < 1e3:
        return found
    return np.linalg.lstsq(matrix, rhs, rcond=1e-13)[0]


def evaluate(rows: np.ndarray, tail_map: TailMap, logs: np.ndarray) -> RestPoint:
    """The pair (c, F(c)) at log-weights (n,), with its gap; on sparse rows the gap is also no less than the largest
    difference of margins within a level."""
    c = np.exp(logs - logs.max())
    c /= c.sum()
    u = tail_map.value(contributions(rows, logs))
    length = np.linalg.norm(u)
    if not length > 0.0:
        return RestPoint(c, logs, u, np.inf)
    z = rows @ (u / length)
    gap = float(c @ z - z.min())
    if not (rows != 0.0).all():
        gap = max([gap, *(float(np.ptp(z[level])) for level in _levels(rows, logs))])
    # the difference of equal numbers may round below zero
    return RestPoint(c, logs, u / length, max(gap, 0.0))


def is_stable(rows: np.ndarray, tail_map: TailMap, point: RestPoint) -> bool:
    """Whether small changes that a run can make to the log-weights die out under the flow x' = -A F(x)."""
    rates = np.linalg.eigvals(_linearised(rows, tail_map, point))
    return bool(rates.real.max(initial=0.0) <= 1e-9 * np.abs(rates).max(initial=0.0))


def _linearised(rows, tail_map, point) -> np.ndarray:
    """(r, r) the matrix of the flow of y (see `_tangent`) near a rest point."""
    u, s, v = _tangent(rows, point.logs)
    return -s[:, None] * (v.T @ tail_map.slope(contributions(rows, point.logs)).T @ u)


def _ways_out(rows, tail_map, end, path):
    """For each direction in which an unstable point is left: log-weights on the path nearest to it, and a change of
    them that a run can make, on the side on which the path passes."""
    u, s, v = _tangent(rows, end.logs)
    distances = [np.abs(u.T @ (point.x - end.logs)).max() for point in path]
    near = path[int(np.argmin(distances))].x if min(distances) < 1.0 else end.logs
    rates, modes = np.linalg.eig(_linearised(rows, tail_map, end))
    left = np.linalg.pinv(modes)
    largest = np.abs(rates).max()
    for k in np.flatnonzero((rates.real > 1e-9 * largest) & (rates.imag >= 0.0)):
        y = modes[:, k].real
        change = rows @ np.linalg.lstsq(v.T, y / s)[0]
        change *= 0.1 / np.abs(u.T @ change).max()
        passed = float((left[k] @ (u.T @ (near - end.logs))).real)
        # An exactly symmetric path passes on no side; then the sign of the largest entry decides.
        side = np.sign(passed) if abs(passed) > 1e-9 else np.sign(change[np.abs(change).argmax()])
        yield near, side * change


def vertices(rows: np.ndarray, tail_map: TailMap) -> list[RestPoint]:
    """The rest points at which a single sample has all the weight, for rows without zeros; runs that start with a large
    margin everywhere else end there. Only strict ones, which are stable."""
    # F(e_i) is sign(a_i) up to a factor.
    z = rows @ np.sign(rows).T
    own = z.diagonal().copy()
    np.fill_diagonal(z, np.inf)
    strict = np.flatnonzero(z.min(axis=0) > own + ARRIVED * np.abs(own))
    return [evaluate(rows, tail_map, np.where(np.arange(len(rows)) == i, 0.0, LIGHTEST)) for i in strict]

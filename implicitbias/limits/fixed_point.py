"""Rest points of the sample weights: where a tail map F sends an optimizer.

The weights follow dc_i = -c_i (a_i.F(c) - sum_j c_j a_j.F(c)). They rest where a_i.F(c) is minimal wherever c_i > 0,
and

    gap(c) = (sum_i c_i a_i.u - min_i a_i.u) / ||u||_2,   u = F(c),

which is >= 0 and zero exactly there, certifies a proposed pair (c, F(c)) whatever found it.

Method. Write F = S / M with a positive diagonal M(c). At a rest point c is, up to scale, the dual of
min { sum_j M_j w_j^2 : A w >= 1 }; call that dual T(c). Damped steps c + theta (T(c) - c) find the support and the
first digits, Newton's method on {a_i.F(c) equal on the support, sum c = 1} the rest. Only existence of a rest point is
proved, so the search starts from several c and reports every rest point it finds.
"""

from dataclasses import dataclass

import numpy as np

from implicitbias.limits.tail_maps import TailMap
from implicitbias.margins.euclidean import refine

CONVERGED = 1e-12  # relative gap at which rounding of A F takes over
DAMPED = 80  # damped steps before Newton has to do with what there is
SAME = 1e-6  # rest points whose directions differ by less than this (1 - cosine) count as one


@dataclass(frozen=True, eq=False)
class RestPoint:
    """Weights c (n,), the direction u = F(c) / ||F(c)||_2 (d,), and their gap."""

    weights: np.ndarray
    direction: np.ndarray
    gap: float


def gap(rows: np.ndarray, tail_map: TailMap, c: np.ndarray) -> float:
    """The certificate of the module's text, in units of the rows."""
    u = tail_map(c)
    size = np.linalg.norm(u)
    if not size > 0.0:
        return np.inf
    z = rows @ (u / size)
    return float(c @ z - z.min())


def rest_points(rows: np.ndarray, tail_map: TailMap, starts: list[np.ndarray]) -> list[RestPoint]:
    """The distinct rest points reached from the starts, in the order of the starts.

    Arguments
        rows      (n, d)
        tail_map  F
        starts    weights (n,) in the simplex
    """
    found: list[RestPoint] = []
    for start in starts:
        point = rest_point(rows, tail_map, start)
        if all(1.0 - point.direction @ other.direction > SAME for other in found):
            found.append(point)
    # A search that got stuck is no rest point beside one that arrived.
    best = min(point.gap for point in found)
    return [point for point in found if point.gap <= max(1e3 * best, 1e-8 * np.linalg.norm(rows, axis=1).max())]


def rest_point(rows: np.ndarray, tail_map: TailMap, start: np.ndarray) -> RestPoint:
    """One search: damped steps of T from a start, Newton's method as soon as it improves on them."""
    c, alpha, theta = start, None, 1.0
    size = np.linalg.norm(rows, axis=1).max()
    best = gap(rows, tail_map, c)
    since_newton = 0
    for step in range(DAMPED):
        if best <= CONVERGED * size:
            break
        if step >= 4 and since_newton >= 4:
            polished = newton(rows, tail_map, c)
            since_newton = 0
            if gap(rows, tail_map, polished) < 1e-3 * best:
                c = polished
                best = gap(rows, tail_map, c)
                continue
        since_newton += 1
        target, alpha = frozen_dual(rows, tail_map, c, alpha)
        while True:
            trial = c + theta * (target - c)
            value = gap(rows, tail_map, trial)
            # The gap need not fall at every step on the way; a damping that went on halving would never end.
            if value < best or theta <= 1.0 / 16.0:
                break
            theta /= 2.0
        c, best = trial, value
        theta = min(1.0, 1.5 * theta)
    polished = newton(rows, tail_map, c)
    if gap(rows, tail_map, polished) < best:
        c = polished
    u = tail_map(c)
    return RestPoint(c, u / np.linalg.norm(u), gap(rows, tail_map, c))


def frozen_dual(rows, tail_map, c, alpha):
    """T(c), and the multipliers to start from next time."""
    total, u = c @ rows, tail_map(c)
    usable = (total * u > 0.0) & (np.abs(u) > 1e-12 * np.abs(u).max())
    m = np.full(rows.shape[1], np.nan)
    m[usable] = total[usable] / u[usable]
    # Where S and F vanish or disagree in sign (momentum across an epoch can do that) M is not defined: take its median.
    m[~usable] = np.median(m[usable])
    m = np.clip(m / np.median(m), 1e-8, 1e8)
    scaled = rows / np.sqrt(m)
    lengths = np.linalg.norm(scaled, axis=1)
    unit, levels = scaled / lengths[:, None], 1.0 / lengths
    levels /= levels.mean()
    if alpha is None:
        from implicitbias.margins.euclidean import least_distance

        _, alpha = least_distance(unit, levels)
    else:
        _, alpha = refine(unit, levels, alpha, rounds=50 + 2 * len(rows))
    weights = alpha / lengths
    return weights / weights.sum(), alpha


def newton(rows: np.ndarray, tail_map: TailMap, c: np.ndarray, rounds: int = 20) -> np.ndarray:
    """Newton's method on the support of c; rows enter and leave it as the certificate demands.

    Unknowns c_I and mu, equations a_i.F(c) = mu on the support I and sum c = 1; the Jacobian from the derivative of the
    tail map.
    """
    best, best_gap = c, gap(rows, tail_map, c)
    support = c > 1e-9 * c.max()
    for _ in range(rounds):
        c = np.where(support, c, 0.0)
        c = c / c.sum()
        index = np.flatnonzero(support)
        u = tail_map(c)
        scale = np.linalg.norm(u)
        z = rows @ u / scale
        mu = float(c @ z)
        jacobian = rows[index] @ tail_map.derivative(c, index) / scale
        size = len(index)
        system = np.block([[jacobian, -np.ones((size, 1))], [np.ones((1, size)), np.zeros((1, 1))]])
        change = np.linalg.lstsq(system, np.r_[mu - z[index], 0.0], rcond=1e-13)[0][:size]
        step = 1.0
        falling = change < 0.0
        if falling.any():
            step = min(1.0, float((-c[index][falling] / change[falling]).min()))
        moved = c.copy()
        moved[index] = np.maximum(c[index] + step * change, 0.0)
        leaves = step < 1.0
        support = moved > 1e-15
        c = moved / moved.sum()
        value = gap(rows, tail_map, c)
        if value < best_gap:
            best, best_gap = c, value
        u = tail_map(c)
        z = rows @ u / np.linalg.norm(u)
        violated = ~support & (z < float(c @ z) - 1e-13 * np.abs(z).max())
        if violated.any() and not leaves:
            i = int(np.where(violated, z, np.inf).argmin())
            support[i] = True
            c[i] = 1e-6 * c.max()
        elif np.abs(change).max() < 1e-14 and not leaves:
            break
    return best

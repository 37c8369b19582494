"""Rest points where F jumps: the weights slide along a jump, and u takes a value between its two sides (Filippov).

Fixed blocks: when the gradients of all blocks that touch a coordinate j vanish in it, F_j is 0/0 and jumps from one
sign to the other. A run that is driven to such a place from both sides stays there: it passes to and fro at each step,
and its mean update u has u_j anywhere between. A rest point is then a pair (c, u) with

    u_j = F_j(c) where F_j is continuous;  u_j between its limits, and the numerators zero, where it slides;
    a_i.u minimal wherever c_i > 0,

and its gap is the largest of sum_i c_i a_i.u - min_i a_i.u, the numerators in units of their own terms, and the
distance of u_j to its interval, the last two times the length of the longest row.

Three steps. The flow w' = F(c), c_i proportional to exp(-a_i.w), from w = 0, with every jump of F replaced by a steep
slope, integrated implicitly to its end: it shares out u among coordinates that jump together as a run does, and keeps
what a run keeps (an affine dependency of the rows holds for log c for ever). Steeper slopes, from there. Then which
parts slide and which samples are equally light is plain, and Newton's method solves the equations above as they stand.

Which values u can take was decided by simulation: an exponentially light block would bend F on its own way through a
jump, but the steps of a run, whatever their size, are longer than that way in the end.

Source: Filippov, Differential Equations with Discontinuous Righthand Sides, 1988, for the solutions; Verwer et al.,
SIAM J. Sci. Comput. 20 (1999), for the integrator.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from implicitbias.limits.tail_maps import Jumps, TailMap

# Widths of the slopes that replace jumps. A run knows no wider ones: from 1e-2 on, paths ended at other rest points.
WIDTHS = 10.0 ** -np.arange(3, 9)
SHRINKS = 0.3  # from one width to the next, what vanishes with the width falls to 0.1 of itself, the rest stays
SHARP = 30.0  # widths from zero, a slope is within 6e-4 of its jump: where the flow circles, what is nearer slides
FIRST = 1e-2  # of the time in which weights change by a factor e, the first step
ACCURACY = 1e-2  # of log-weights, per step: enough to stay on the way to the same rest point
ASTRAY = 0.5  # of the unevenness of x', per step: a jump passed over unseen makes a difference of its whole size
TINY = 1e-9  # of log-weights: a step that is not made shorter
STILL = WIDTHS[0]  # of u, whose parts are of order one: what slopes leave of a mean of 0
LONG, SHORT = 3000, 300  # steps of the integrator for the first width, and for the others
GAMMA = 1.0 - np.sqrt(0.5)  # makes the integrator L-stable: fast parts are gone after one long step
# Differences below are of a_i.u, in units of the longest row.
SETTLED = 1e-11  # at which a flow has arrived; rounding of the weights leaves
ROUNDING = 1e-15  # over the width
EQUAL, CIRCLING = 1e-6, 1e-2  # of samples that stay comparable, where the flow has arrived, and where it circles
SOLVED = 1e-11  # gap at which rounding of A u takes over
ROUNDS, RELEASES = 30, 8  # of Newton's method, and with fewer and fewer parts sliding
APART = 40.0  # difference of log-weights from which on a sample does not count beside another
FAR = 300.0  # takes the place of an infinite one, and half of it of that to a sample that fades


@dataclass(frozen=True, eq=False)
class Sliding:
    """Weights c (n,), their logarithms, the direction u / ||u||_2 (d,), and the gap of the module's text."""

    weights: np.ndarray
    logs: np.ndarray
    direction: np.ndarray
    gap: float


@dataclass(frozen=True, eq=False)
class Tail:
    """The end of a flow: k log-weights logs (k, n), the last ones last, and the mean u (d,) along them; the width of
    the slopes, and by how much a_i.u may differ among samples that stay comparable."""

    logs: np.ndarray
    u: np.ndarray
    width: float
    equal: float


def sliding_point(rows: np.ndarray, tail_map: TailMap, logs: np.ndarray | None = None) -> Sliding:
    """The rest point, sliding or not, at the end of the flow from log-weights `logs` (n,), default equal ones.

    Where w stands still, as every u_j may be 0, the direction is 0 and the gap infinite.
    """
    size = np.linalg.norm(rows, axis=1).max()
    tail, best = settle(rows, tail_map, np.zeros(len(rows)) if logs is None else logs), None
    if np.linalg.norm(tail.u) < STILL:
        c = np.exp(tail.logs[-1] - logsumexp(tail.logs[-1]))
        return Sliding(c, tail.logs[-1], np.zeros(rows.shape[1]), np.inf)
    for width in WIDTHS[1:]:
        before, tail = tail, settle(rows, tail_map, tail.logs[-1], width, SHORT)
        found = solved(rows, tail_map, before, tail)
        best = found if best is None or found.gap < best.gap else best
        if best.gap <= SOLVED * size:
            break
    return best


def settle(rows: np.ndarray, tail_map: TailMap, logs: np.ndarray, width: float = WIDTHS[0], most: int = LONG) -> Tail:
    """Where the flow from log-weights `logs` goes in at most so many steps, with slopes of a width for jumps.

    In x = log c the flow is x' = -A F; two linearly implicit stages a step (Rosenbrock's method of order 2). A step is
    as long as its difference to one of order 1 allows, and the difference of its velocity to that at its end: a steep
    slope that it did not see would show there. On a slope the flow may circle; then the tail is what it does last.
    """
    tail_map, accuracy = tail_map.smoothed(width), max(SETTLED, ROUNDING / width)
    size = np.linalg.norm(rows, axis=1).max()

    def velocity(at):
        g = tail_map.contributions(rows, at)
        u = tail_map.value(g)
        return g, u, -(rows @ u)

    g, u, v = velocity(logs)
    step = FIRST / max(np.abs(v).max(), 1e-3 * size)
    passed = []
    for _ in range(most):
        uneven = _unevenness(v, logs)
        even = accuracy * size * np.linalg.norm(u)
        if max(uneven, overtaking(v, logs)) <= even:
            return Tail(logs[None], u, width, EQUAL)
        jacobian = -rows @ tail_map.slope(g).T
        while True:
            inverse = np.linalg.inv(np.eye(len(rows)) - GAMMA * step * jacobian)
            first = inverse @ v
            second = inverse @ (velocity(logs + step * first)[2] - 2.0 * first)
            moved = 1.5 * first + 0.5 * second
            new = logs + step * moved
            new -= new.max()
            g, u, arrived = velocity(new)
            error = 0.5 * step * (first + second)
            error -= error[logs.argmax()]
            error = np.abs(error / (1.0 + 0.1 * (logs.max() - logs))).max()
            astray = _unevenness(moved - arrived, new) / max(uneven, even)
            ratio = max(np.sqrt(error / ACCURACY), astray / ASTRAY)
            factor = 0.8 / max(ratio, 1e-2)
            if ratio <= 1.0 or step * np.ptp(v) < TINY:
                break
            step *= max(factor, 0.1)
        passed.append((step, u, new))
        logs, v = new, arrived
        step *= min(max(factor, 0.2), 5.0)
    steps, moves, logs = map(np.array, zip(*passed[-SHORT // 2 :]))
    return Tail(logs, steps @ moves / steps.sum(), width, CIRCLING)


def _unevenness(x: np.ndarray, logs: np.ndarray) -> float:
    """By how much x (n,) differs between samples of comparable weight."""
    near = np.exp(-0.25 * np.abs(logs[:, None] - logs))
    return float((near * np.abs(x[:, None] - x)).max())


def overtaking(v: np.ndarray, logs: np.ndarray) -> float:
    """How fast a sample can gain on a heavier one."""
    ordered = v[np.argsort(-logs, kind="stable")]
    return float((ordered - np.minimum.accumulate(ordered)).max())


def solved(rows: np.ndarray, tail_map: TailMap, before: Tail, tail: Tail) -> Sliding:
    """The rest point near the end of a flow, by Newton's method; `before` is its end for a larger width.

    Samples whose a_i.u agree form a class; those of one class keep finite ratios, but for some that fade with the
    width; other classes do not count beside a heavier one. Unknowns are log c within the classes, as far as w moves it,
    and the shares of the parts that slide together; equations that a_i.u agrees in every class, and that the numerators
    of the sliding parts vanish.
    """
    size, logs, u = np.linalg.norm(rows, axis=1).max(), tail.logs.mean(axis=0), tail.u
    labels = _classes(rows @ u / (size * np.linalg.norm(u)), logs, tail.equal)
    same = labels[:, None] == labels
    fading = _beside(logs, same) < _beside(before.logs.mean(axis=0), same) + np.log(SHRINKS)
    level = -FAR * labels
    base = np.where(fading, level - FAR / 2.0, level)
    agree, free = _changes(rows / size, same), _changes(rows / size, same & ~fading & ~fading[:, None])
    flat = tail_map.contributions(rows, level)
    y, best = free.T @ logs, None
    vanish = tail_map.vanishing(tail_map.contributions(rows, base + free @ y), _small(rows, tail_map, before, tail))
    for _ in range(RELEASES):
        jumps = tail_map.jumps(tail_map.contributions(rows, base + free @ y), flat, vanish)
        effect, group = _together(jumps, rows.shape[1])
        share = np.linalg.lstsq(effect.T, u - jumps.held)[0]
        for _ in range(ROUNDS):
            error = np.r_[agree.T @ (rows @ (jumps.held + share @ effect)) / size, jumps.normals.sum(axis=1)]
            if np.abs(error).max(initial=0.0) < 1e-15:
                break
            top = np.c_[agree.T @ rows @ jumps.slope.T @ free, agree.T @ (rows @ effect.T)] / size
            bottom = np.c_[jumps.normals @ free, np.zeros((len(jumps.normals), len(effect)))]
            # Least squares: numerators may depend on each other, and parts may share one.
            change = np.linalg.lstsq(np.r_[top, bottom], -error, rcond=1e-12)[0]
            change *= min(1.0, 1.0 / max(np.abs(change).max(initial=0.0), 1e-300))
            y, share = y + change[: len(y)], share + change[len(y) :]
            jumps = tail_map.jumps(tail_map.contributions(rows, base + free @ y), flat, vanish)
        u = jumps.held + share @ effect
        found = certified(rows, base + free @ y, u, jumps)
        best = found if best is None or found.gap < best.gap else best
        if best.gap <= SOLVED * size or not len(share):
            break
        # What would have to be all of its jump or more does not slide; nor does one too many, most likely this one.
        vanish = tail_map.without(vanish, np.abs(share)[group] >= np.abs(share).max())
    return best


def _beside(logs: np.ndarray, same: np.ndarray) -> np.ndarray:
    """(n,) log-weights beside the heaviest of the class."""
    return logs - np.where(same, logs, -np.inf).max(axis=1)


def _small(rows: np.ndarray, tail_map: TailMap, before: Tail, tail: Tail) -> np.ndarray:
    """(m, d) the numerators that vanish with the width."""
    now, then = ([tail_map.sizes(tail_map.contributions(rows, x)) for x in end.logs] for end in (tail, before))
    if len(now) > 1 or len(then) > 1:
        return np.min(now, axis=0) < SHARP * tail.width
    return (now[0] <= SHRINKS * then[0]) & (now[0] < 0.1) | (now[0] < 1e-13)


def _classes(rates: np.ndarray, logs: np.ndarray, equal: float) -> np.ndarray:
    """(n,) numbers of classes from 0, the heaviest: neighbours in `rates` (n,) that agree, and so do their `logs`."""
    labels = np.empty(len(rates), np.int64)
    order = np.lexsort((-logs, rates))
    k, last = 0, order[0]
    for i in order:
        if rates[i] - rates[last] > equal or abs(logs[i] - logs[last]) > APART:
            k += 1
        labels[i], last = k, i
    return labels


def _changes(rows: np.ndarray, same: np.ndarray) -> np.ndarray:
    """(n, k) an orthonormal basis of the changes of A w within classes, of which same[i, j] (n, n) tells the pairs."""
    count = same.sum(axis=1, keepdims=True)
    within = np.where(count > 0, rows - same @ rows / np.maximum(count, 1), 0.0)
    basis, sizes, _ = np.linalg.svd(within, full_matrices=False)
    return basis[:, sizes > 1e-10]


def _together(jumps: Jumps, d: int) -> tuple[np.ndarray, np.ndarray]:
    """(k, d) what each set of parts that jump together adds to u, and the set of each part (R,)."""
    effect, keys = np.empty((0, d)), np.empty((0, jumps.key.shape[1]))
    group = np.empty(len(jumps.key), np.int64)
    for r, (j, height, key) in enumerate(zip(jumps.coordinate, jumps.height, jumps.key)):
        key = key / np.linalg.norm(key)
        cosines = keys @ key
        at = np.flatnonzero(np.abs(cosines) > 1.0 - 1e-12)
        if len(at) == 0:
            at, cosines = [len(keys)], np.ones(len(keys) + 1)
            effect, keys = np.r_[effect, np.zeros((1, d))], np.r_[keys, [key]]
        group[r] = at[0]
        effect[at[0], j] += height * np.sign(cosines[at[0]])
    return effect, group


def certified(rows: np.ndarray, logs: np.ndarray, u: np.ndarray, jumps: Jumps) -> Sliding:
    """The pair (c, u) with its gap."""
    size, length = np.linalg.norm(rows, axis=1).max(), np.linalg.norm(u)
    c = np.exp(logs - logs.max())
    c /= c.sum()
    if not length > 0.0:
        return Sliding(c, logs, u, np.inf)
    z = rows @ (u / length)
    reach = np.bincount(jumps.coordinate, jumps.height, len(u))
    outside = np.maximum(np.abs(u - jumps.held) - reach, 0.0).max() / length
    uneven = np.abs(jumps.normals.sum(axis=1)).max(initial=0.0)
    return Sliding(c, logs, u / length, max(float(c @ z - z.min()), size * outside, size * uneven))

"""The l_p max-margin direction, 1 < p < inf: Newton's method whose every step is a least-distance problem."""

from collections.abc import Iterator

import numpy as np

from implicitbias.margins import rational
from implicitbias.margins.euclidean import least_distance
from implicitbias.margins.exact import ExactMatrix
from implicitbias.margins.norms.lp import Lp
from implicitbias.margins.separator import Separator
from implicitbias.margins.unit_rows import UnitRows

COARSE = 1e-12  # relative gap that float64 can still see
TIGHT = 1e-14  # relative gap at which Newton's method has nothing left to gain but round-off
LOOSE = 3e-3  # relative gap at which an intermediate p is a good start: full Newton steps work from there
# Curvatures below this part of the largest are lifted to it: a coordinate at 0 has none (p > 2, or y_j = 0 for p < 2),
# and the step must still be defined. The square root of it, 1e-7, is how far the scaled columns may spread.
FLOOR = 1e-14
EXACT_STEPS = 30
LEAST = 1e-60  # the same for weights that are inverted in integers
# Where a coordinate must grow from almost nothing, its curvature is far too small for the step and the line search
# shortens it by as much as FLOOR says.
SHORTEST = 1e-15


def solve(unit: UnitRows, p: float, l2: Separator) -> Iterator:
    """Pairs (w, c) for  max { min_i a_i.w : ||w||_p <= 1 } = min { ||A'c||_q : c in the simplex }, 1/p + 1/q = 1,
    each better.

    With unit rows this is  min { sum_j |w_j|^p / p : B w >= t h }  and its dual
    max { t h.alpha - sum_j |(B'alpha)_j|^q / q : alpha >= 0 }, tied by sign(w)|w|^(p-1) = B'alpha. Newton's method
    runs on the smooth one of the two, the primal for p > 2 and the dual for p < 2: a quadratic model over all
    constraints is a least-distance problem, so the active rows are found along with the step. A line search between
    two feasible points makes it descend. Starting at the l2 direction, p (for p < 2, q) moves away from 2 in factors
    of at most sqrt(2), each stage starting from the one before.

    Source: Burrus, Barreto, Selesnick, IEEE Trans. Signal Process. 42 (1994) 2926-2936 (moving p); Adil, Peng,
    Sachdeva, arXiv 1907.07167 (the damped steps).
    """
    high = max(p, p / (p - 1))  # the exponent of the smooth side
    stages = np.geomspace(2.0, high, int(np.ceil(2.0 * np.log2(high / 2.0))) + 1)[1:]
    start = l2.direction, unit.multipliers(l2.dual)
    # Float64 finds the way, and is enough where margins are of the size of their terms; the end of it, and all of it
    # where margins are tiny, is walked with products and residuals without round-off.
    for exact in (False, True):
        w, alpha = start
        for stage in stages[:-1]:
            w, alpha = _newton(unit, float(stage if p > 2 else stage / (stage - 1)), exact, w, alpha, LOOSE)
        if not exact:
            w, alpha = _newton(unit, p, exact, w, alpha, COARSE)
        w, alpha = _newton(unit, p, True, w, alpha, TIGHT)
        yield w, unit.weights(alpha)
    yield None
    yield from _exactly(unit, p, stages, l2)
    yield l2.direction, l2.dual


def _exactly(unit, p, stages, l2):
    """Pairs from Newton steps whose least-distance problems are solved in exact integers.

    The quadratic model of sum |x|^s / s at x (x = w, s = p for p > 2; x = A'c, s = q for p < 2) is least at
    ((s - 2) x + u)/(s - 1), u the answer for the weights |x|^(s-2). These need few digits, and u has them all.
    """
    x = l2.direction
    for stage in [*np.repeat(stages[:-1], 2), *np.repeat(stages[-1], EXACT_STEPS)]:
        sizes = np.maximum(np.abs(x) / np.abs(x).max(), LEAST ** (1 / (stage - 2)))
        diag = sizes ** (stage - 2 if p > 2 else 2 - stage)
        u = None
        for u, c in rational.quadratic(unit, np.flatnonzero(l2.dual), diag):
            if stage == stages[-1]:
                yield u, c
        margin = -1.0 if u is None else float(unit.relative(unit.exact.dot(u)).min())
        if not margin > 0:
            return
        u = (
            u / margin if p > 2 else u * diag * (margin / (diag @ u**2))
        )  # on the scale of x: of margin 1; of sum(c) = 1
        x = u if x is l2.direction else ((stage - 2) * x + u) / (stage - 1)


def _newton(unit, p, exact, w, alpha, target, steps=100, patience=6):
    """(best w, best alpha) after Newton steps at one p until the relative gap is below target or stops falling."""
    norm, dual = Lp(p), Lp(p / (p - 1))
    product, combine = (unit.exact.dot, unit.exact.dot_rows) if exact else (unit.b.__matmul__, unit.b.T.__matmul__)

    def normalised(w):  # margins and bounds in units of the shortest row
        w = w / norm.value(w)
        return w, float(unit.relative(product(w)).min())

    def bounded(alpha):
        alpha = np.maximum(alpha, 0.0)
        total = float(alpha @ unit.h)
        if not 0 < total < np.inf:
            return alpha, np.inf
        return alpha / total, dual.value(combine(alpha / total))

    w, margin = normalised(w)
    alpha, bound = bounded(alpha)
    best, stale, x = alpha, 0, w
    step = _primal_step if p > 2 else _dual_step
    for _ in range(steps):
        if not (margin > 0 and bound < np.inf) or bound / margin - 1 < target or stale == patience:
            break
        # Scaled so that ||w||_p = ||B'alpha||_q = 1 at the optimum.
        level = unit.h * (margin if p > 2 else bound)
        if unit.h.min() < 1e-3:  # very short levels need room for the round-off of a product
            level = level + unit.slack * np.linalg.norm(w)
        with np.errstate(all="ignore"):
            found = step(unit.b, level, p, x, alpha, exact)
        if found is None:
            break
        x, alpha, guesses = found
        stale += 1
        for guess in guesses:
            if np.isfinite(guess).all() and guess.any():
                guess, its_margin = normalised(guess)
                if its_margin > margin:
                    w, margin, stale = guess, its_margin, 0
        its_alpha, its_bound = bounded(alpha)
        if its_bound < bound:
            best, bound, stale = its_alpha, its_bound, 0
    return w, best


def _primal_step(b, level, p, x, _, exact):
    """One step of min { f(x) = sum |x|^p / p : b x >= level }: (new x, multipliers, [candidates for w])."""
    x = x * (level / np.maximum(b @ x, 1e-300)).max()  # the shortest feasible multiple of x
    curvature = (p - 1) * np.abs(x) ** (p - 2)
    root = np.sqrt(np.maximum(curvature, FLOOR * curvature.max()))
    # f(x) + f'(x).s + s.D s/2 = |D^(1/2) (x + s - centre)|^2 / 2 + constant.
    centre = x - _signed_power(x, p - 1) / root**2
    if (found := _scaled_least_distance(b / root, level - b @ centre, exact)) is None:
        return None
    move, alpha = found
    change = centre + move / root - x
    length = _line_search(lambda s: (np.abs(x + s * change) ** p).sum())
    x = x + length * change
    return x, alpha, [x]


def _dual_step(b, level, p, _, alpha, exact):
    """One step of max { level.alpha - sum |b'alpha|^q / q : alpha >= 0 }: (None, new alpha, [candidates for w])."""
    q = p / (p - 1)
    y = b.T @ alpha
    size = Lp(q).value(y)
    alpha, y = alpha / size, y / size
    scale = (level @ alpha) ** (1 / (q - 1))  # the best multiple of alpha
    alpha, y = alpha * scale, y * scale
    w = _signed_power(y, q - 1)
    curvature = (q - 1) * np.abs(y) ** (q - 2)
    root = np.sqrt(np.maximum(curvature, FLOOR * curvature.max()))
    # The dual of the quadratic model: shortest move with b (w + E (y' - y)) >= level, where y' = b'alpha'.
    if (found := _scaled_least_distance(b * root, level - b @ (w - root**2 * y), exact)) is None:
        return None
    move, newton = found
    linear = w - root**2 * y + root * move  # feasible for the rows before the model is exact
    change, turn = newton - alpha, b.T @ newton - y
    length = _line_search(lambda s: (np.abs(y + s * turn) ** q).sum() / q - s * (level @ change))
    alpha = alpha + length * change
    return None, alpha, [_signed_power(b.T @ alpha, q - 1), linear]


def _scaled_least_distance(g, h, exact):
    """The least-distance problem of rows of any length; None where they are beyond float64."""
    size = np.linalg.norm(g, axis=1)
    g, h = g / size[:, None], h / size
    if not (np.isfinite(g).all() and np.isfinite(h).all()):
        return None
    x, alpha = least_distance(g, h, ExactMatrix(g) if exact else None)
    return (x, alpha / size) if np.isfinite(x).all() and np.isfinite(alpha).all() else None


def _line_search(value):
    """The first of 1, 1/2, 1/4, ... at which halving again does not lower the convex value."""
    with np.errstate(over="ignore"):  # a step far too long may overflow a high power
        length, here = 1.0, value(1.0)
        while length > SHORTEST and ((half := value(length / 2)) < here or not np.isfinite(here)):
            length, here = length / 2, half
    return length


def _signed_power(x, exponent):
    return np.sign(x) * np.abs(x) ** exponent

"""The least loss in a box: an interior point method that follows the temperature, and a certificate that needs no
trust in it.

`minimise` works on f(x) = log sum_i l(r_i.x) over |x_j| <= 1, whose gradient does not vanish with the loss. Margins of
1e5 make f a maximum with corners as far as a Newton step can see; so it first minimises f at the temperature T, that is
for the rows r_i / T, with T so large that f is smooth, and lowers T to 1, always near the central path of the barrier
-mu sum_j log(1 - x_j^2); then it lowers mu.

`certify` bounds (L(w) - min L) / L(w). Every l is convex, so for any weights c_i = -l'(t_i) > 0

    L(y) >= mean_i (l(t_i) + c_i t_i) - mean_i c_i a_i.y,

and over the box the last term is at most half_width ||A'c||_1 / n. With c_i = (1 + e_i) s(z_i) that costs at most
e^-z_i e_i^2 / n in the first: c may be off in its last digits, and may be corrected to balance A'c in the coordinates
inside the box, which no w in float64 does at large margins.

Source: Boyd and Vandenberghe, Convex Optimization (2004), sections 5.1 and 11.7.
"""

import numpy as np

from implicitbias.losses import log_loss, log_losses, log_weights
from implicitbias.margins.exact import ExactMatrix, unit_scale

COOLING = 4.0  # factor of the temperature: a Newton iteration of some five steps each
FIRST, LAST, FALL = 1e-1, 1e-14, 1e-1  # the barrier's mu, per coordinate: while T falls, at the end, and its factor
STEPS = 50  # of Newton's method at one T and mu; it takes two to ten
PATIENCE = 8  # steps without a visible fall
BOUNDARY = 0.99  # part of the way to the boundary that a step may go
# Margins of rows of size ||r||_1 are known to 1e-16 of it, and f to NOISE (1 + |f| + size), size being that of the rows
# that weigh: a smaller fall cannot be seen. A curvature below FLAT size is rounding of the slope.
NOISE, FLAT = 1e-15, 1e-11
SHARP = 1e10  # size over T of the rows that weigh, from which on a lower T asks for digits that there are not
NEGLIGIBLE = 1e-12  # part of a row or column of the scaled Hessian, to be squared, that does not count beside 1
FLAT_BELOW = -36.0  # the margin below which a logistic weight is 1 to rounding: then 1 - s = e^z costs less than that
INSIDE = (1e-2, 1e-5, 1e-8)  # parts of the half-width from its faces at which a coordinate counts as inside the box
U = 2.0**-52  # twice the rounding of one operation


def minimise(rows: np.ndarray, loss: str) -> np.ndarray:
    """x (d,) in the box |x_j| <= 1 with the least loss on margins rows @ x, up to rounding."""
    d, sizes = rows.shape[1], np.abs(rows).sum(axis=1)
    least = min(1.0, sizes.max())
    temperature, mu = max(1.0, sizes.max()), FIRST * least
    point = np.zeros(d), np.ones((2, d)), np.full((2, d), mu)
    while True:
        point = _centre(rows / temperature, loss, mu, point)
        weighing = float(_derivatives(rows @ point[0] / temperature, loss)[0] @ sizes)
        if temperature > 1.0 and weighing < SHARP * temperature:
            temperature = max(1.0, temperature / COOLING)
        elif mu > LAST * least:
            mu *= FALL
        else:
            return np.clip(point[0], -1.0, 1.0)


def _centre(rows, loss, mu, point):
    """Primal-dual Newton steps to the minimiser of f - mu sum_j log(1 - x_j^2).

    A point is x (d,), its distances (2, d) from both faces of the box, kept apart from x because they get far below the
    rounding of 1, and their multipliers (2, d), mu / distance on the central path.
    """
    x, room, force = point
    outward = np.array([[-1.0], [1.0]])  # how the distances answer to x
    sizes = np.abs(rows).sum(axis=1)

    def value(x, room):
        return float(log_loss(rows @ x, loss)) - mu * np.log(room).sum()

    unseen = 0
    for _ in range(STEPS):
        first, root = _derivatives(rows @ x, loss)
        slope = -(first @ rows) + (mu / room * -outward).sum(axis=0)
        size = float(first @ sizes)
        move = _direction(rows, first, root, (force / room).sum(axis=0) + FLAT * size, -slope)
        decrement = -float(slope @ move)
        change = outward * move
        push = mu / room - force - force / room * change
        step, here = _longest(room, change), value(x, room)
        noise = NOISE * (1.0 + abs(here) + size)
        while step > 1e-8 and value(x + step * move, room + step * change) > here - 1e-4 * step * decrement + noise:
            step /= 2.0
        force = force + _longest(force, push) * push
        x, room = x + step * move, room + step * change
        # Multipliers far from the central path would make the next step short.
        force = np.clip(force, 1e-8 * mu / room, 1e8 * mu / room)
        unseen = 0 if value(x, room) < here - noise else unseen + 1
        if (decrement <= max(1e-2 * mu, noise) and step > 0.9) or unseen == PATIENCE:
            break
    return x, room, force


def _longest(x, change):
    """The step, at most 1, that keeps x > 0."""
    falling = change < 0.0
    return min(1.0, BOUNDARY * float((-x[falling] / change[falling]).min())) if falling.any() else 1.0


def _derivatives(z, loss):
    """-l'(z_i), and the root of l''(z_i), over the sum of l(z_i) and over its root."""
    logs, first = log_losses(z, loss), log_weights(z, loss)
    second = first if loss == "exponential" else first - np.logaddexp(0.0, -z)  # s, or s (1 - s)
    top = logs.max()
    total = np.exp(logs - top).sum()
    return np.exp(first - top) / total, np.exp(0.5 * (second - top)) / np.sqrt(total)


def _direction(rows, first, root, diagonal, downhill):
    """(H + diagonal)^-1 downhill, for the part of the Hessian H of f that is positive.

    H = sum_i q_i r_i r_i' - g g' with q = l''/sum l and g = grad f. In terms of M = sqrt(q) r and the unit vector e
    along first / sqrt(q) it is M'(1 - k e e')M with k = sum first^2 / q: 1 for the exponential loss, and more than 1 (H
    may have a negative eigenvalue) where margins are moderate and the loss logistic; then 1 is taken.
    """
    along = np.divide(first, root, where=root > 0.0, out=np.zeros_like(first))
    length = np.linalg.norm(along)
    matrix = root[:, None] * rows
    if length > 0.0:
        along = along / length
        matrix = matrix - (1.0 - np.sqrt(1.0 - min(1.0, length**2))) * np.outer(along, along @ matrix)
    scale = 1.0 / np.sqrt(diagonal)
    matrix, y = matrix * scale, downhill * scale
    heavy, stiff = (np.abs(matrix).max(axis=axis) > NEGLIGIBLE for axis in (1, 0))
    if heavy.any():
        # (1 + M'M)^-1 by singular values: the normal equations would lose those below 1e-8 of the largest.
        _, sizes, basis = np.linalg.svd(matrix[heavy][:, stiff], full_matrices=False)
        part = basis @ y[stiff]
        y[stiff] += basis.T @ (part / (1.0 + sizes**2) - part)
    return y * scale


def certify(rows: np.ndarray, half_width: float, w: np.ndarray, loss: str) -> tuple[float, float]:
    """(log L(w), gap) for w in the box |w_j| <= half_width: gap is at least (L(w) - min L) / L(w), rounding included.

    The true half-width may be above `half_width` by an ulp.
    """
    exact = ExactMatrix(rows)
    high, low = exact.pair(w)
    # Weights and losses are in units of e^-level: of the largest, unless logistic ones are of the order of 1.
    lowest = int(high.argmin())
    level, rest = (high[lowest], low[lowest]) if loss == "exponential" or high[lowest] > 0.0 else (0.0, 0.0)
    above = (high - level) + (low - rest)
    weights = losses = tail = np.exp(-np.maximum(above, -700.0))
    flat = np.zeros(len(rows), bool)  # whose weight is 1 and changes by less than rounding
    most = 0.5  # change of a weight in the direction that balances A'c
    if loss == "logistic":
        small = tail * np.exp(-level)  # e^-z
        weights, flat = tail / (1.0 + small), high < FLAT_BELOW
        # log1p(x) / x is 1 to rounding long before x loses its digits below the normal numbers
        losses = tail * np.where(small > 1e-30, np.log1p(small) / np.maximum(small, 1e-30), 1.0)
        losses, weights = np.where(flat, -high, losses), np.where(flat, 1.0, weights)
        most = 0.5 / np.maximum(small, 1.0)  # c <= 1: there is no t beyond
    error = U * (16.0 + 4.0 * np.abs(above))  # relative, of the exponential function and of its argument

    def bound(change):
        pull = exact.dot_rows(weights * (1.0 + change))
        outside = np.abs(pull) * (half_width * (1.0 + U) - np.sign(pull) * w)
        cost = np.where(flat, np.exp(np.minimum(high, 0.0)), tail * (np.abs(change) + 2.0 * error) ** 2)
        return float(outside.sum() + cost.sum()), pull

    best, pull = bound(np.zeros(len(rows)))
    root = np.sqrt(tail)
    movable = ~flat & (root > 0.0)
    unit, k = unit_scale(rows)
    pulls = (weights / np.where(movable, root, 1.0))[:, None] * unit  # of sqrt(tail) change, whose square is the cost
    movable &= np.abs(pulls).max(axis=1) > U * np.abs(pulls[movable]).max(initial=0.0)
    for inside in (half_width - np.abs(w) > part * half_width for part in INSIDE):
        if not inside.any() or not movable.any():
            continue
        step = np.linalg.lstsq(pulls[movable][:, inside].T, -np.ldexp(pull[inside], -k), rcond=None)[0]
        trial = np.zeros(len(rows))
        trial[movable] = step / root[movable]
        trial = np.clip(trial, -most, most)
        best = min(best, bound(trial)[0])
    total = float((losses * (1.0 - np.minimum(error, 1.0))).sum())
    gap = best / total * (1.0 + U * (sum(rows.shape) + 16)) + 1e-300 if total > 0.0 else np.inf
    return float(np.log(losses.sum()) - np.log(len(rows)) - rest - level), gap

"""The top of the spectrum of a symmetric matrix, by a tridiagonal one with the same spectrum.

    A = Q T Q'    by reflections, each folded into the product that the next one needs: one way through A for both
    theta_s       from counts of the eigenvalues of T above sixteen shifts at a time (Sturm), to a few digits
    T z = theta z by twisted factorisations, whose Rayleigh quotients converge cubically from there

Nothing is taken over from an earlier matrix, so what comes out depends on A alone. The counts are certificates: exactly
k eigenvalues lie above the gap, and k orthogonal vectors of small residual with quotients above it span their space.

Source: Golub, Van Loan, Matrix Computations, 8.3 and 8.4; Dhillon, Parlett, Linear Algebra Appl. 387 (2004) 1-28.
"""

import math

import numpy as np

from implicitbias.jit import helper, hot
from implicitbias.lanes import absolute, first_lane, fma, insert, line_of, load, select, splat, splat_at, store, total

# Parts of the largest eigenvalue. NEAR: how well an eigenvalue is known before its vector is asked for; GAP: a gap
# below it leaves fewer digits of the space than it should have; FINE: to what a gap in doubt is looked at.
NEAR, GAP, FINE = 2.0**-18, 2.0**-20, 2.0**-28
RESIDUAL = 2.0**-47
TINY = 1e-100  # nothing beside numbers of order one, and so is its square
SAFE = 8  # so many minors are numbers of float64 where the first is of order one
TURNS = 8
TURNED = 4.0  # is added to a multiplier, of size 1 at most, where two rows have changed places
# The cosine of two vectors up to which they are told apart with all digits; otherwise they are found again, to
# eigenvalues known so well.
ALIKE, CLOSE = 0.01, 2.0**-46


@helper
def top_vectors(a, m, count, room, out):
    """The eigenvectors of the `count` largest eigenvalues of a >= 0 (m rows, chunks, 8), padded with zeros, into the
    rows of out (count, chunks, 8). The entries of a are of order one or less; a is destroyed. room: `room_for(m)`
    numbers. Returns whether they are certain; where they are not, for want of a gap, out is of no meaning."""
    chunks = a.shape[1]
    width = 8 * chunks
    diagonal, off, tau = room[:width], room[width : 2 * width], room[2 * width : 3 * width]
    below, above = room[3 * width : 4 * width], room[4 * width : 5 * width]
    low, high = room[5 * width : 6 * width + 8], room[6 * width + 8 : 7 * width + 16]
    p = room[7 * width + 16 : 8 * width + 16]
    reduce(a, m, diagonal, off, tau, p, below, above)
    top = 0.0
    for i in range(m):
        top = max(top, abs(diagonal[i]) + (abs(off[i]) if i < m - 1 else 0.0) + (abs(off[i - 1]) if i else 0.0))
        p[i] = off[i] * off[i] if i < m - 1 else 0.0
    if not (top > TINY and top < np.inf):
        return False
    last = min(count + 1, m)
    for s in range(last):
        low[s], high[s] = -GAP * top, (high[s - 1] if s else top * (1.0 + 1e-15))
        bisect(diagonal, p, m, s, low, high, NEAR * top)
    next_one = high[count] if count < m else 0.0
    if low[count - 1] - next_one < GAP * top:
        bisect(diagonal, p, m, count - 1, low, high, FINE * top)
        if count < m:
            bisect(diagonal, p, m, count, low, high, FINE * top)
            next_one = high[count]
        if low[count - 1] - next_one < GAP * top:
            return False
    for s in range(1, count):  # so that two vectors do not become the same one
        if not low[s - 1] > high[s]:
            bisect(diagonal, p, m, s - 1, low, high, CLOSE * top)
            bisect(diagonal, p, m, s, low, high, CLOSE * top)
    for s in range(count):
        z = line_of(out[s])
        z[:] = 0.0
        apart = twisted(diagonal, off, p, m, low[s], high[s], top, below, above, z)
        for before in range(s):
            apart = apart and abs(product_of(line_of(out[before]), z, m)) < ALIKE
        if not apart:
            bisect(diagonal, p, m, s, low, high, CLOSE * top)
            theta = 0.5 * (low[s] + high[s])
            if not deflated(diagonal, off, m, theta, top, out, s, room[8 * width + 16 :], below, above):
                return False
    for s in range(count):
        turn_back(a, m, tau, out[s])
    return straight(out, count)


def room_for(m: int) -> int:
    """Numbers that `top_vectors` needs for m rows."""
    return 10 * (-(-m // 8) * 8) + 16


@helper
def reduce(a, m, diagonal, off, tau, p, w, held):
    """T, and the reflections I - tau_j v_j v_j' in the place of the rows j of a: v_j is 0 up to its number j."""
    chunks = a.shape[1]
    for c in range(chunks):
        store(w, c, splat(0.0))
        store(held, c, splat(0.0))
    for j in range(m - 1):
        v, first = line_of(a[j]), (j + 1) // 8
        diagonal[j], alpha = v[j], v[j + 1]
        for i in range(8 * first, j + 1):
            v[i] = 0.0
        squares = splat(0.0)
        for c in range(first, chunks):
            squares = fma(load(v, c), load(v, c), squares)
        square = first_lane(total(squares))
        if square - alpha * alpha > 1e-30 * square and square > TINY * TINY:
            beta = -math.copysign(math.sqrt(square), alpha)
            tau[j], off[j] = 1.0 / (square - alpha * beta), beta
            v[j + 1] = alpha - beta
        else:
            tau[j], off[j] = 0.0, alpha
            for i in range(j + 1, 8 * chunks):
                v[i] = 0.0
        before = line_of(a[j - 1]) if j else held
        fold(a, m, j + 1, first, before, w, v, p)
        both = splat(0.0)
        for c in range(first, chunks):
            both = fma(load(p, c), load(v, c), both)
        half = 0.5 * tau[j] * tau[j] * first_lane(total(both))
        for c in range(first, chunks):
            store(w, c, fma(-half, load(v, c), tau[j] * load(p, c)))
        row = a[j + 1]
        here, there = -splat_at(v, j + 1), -splat_at(w, j + 1)
        for c in range(first, chunks):
            store(row, c, fma(here, load(w, c), fma(there, load(v, c), load(row, c))))
    diagonal[m - 1] = line_of(a[m - 1])[m - 1]


@hot
def fold(a, m, begin, first, v, w, next_v, p):
    """a -= v w' + w v' for the rows from `begin` on, and p = a next_v for the new a."""
    chunks = a.shape[1]
    line = line_of(a)
    for c in range(first, chunks - 1, 2):
        v0, v1, w0, w1 = -load(v, c), -load(v, c + 1), -load(w, c), -load(w, c + 1)
        p0, p1 = splat(0.0), splat(0.0)
        for i in range(begin, m):
            at = i * chunks + c
            vi, wi, rate = splat_at(v, i), splat_at(w, i), splat_at(next_v, i)
            x = fma(vi, w0, fma(wi, v0, load(line, at)))
            y = fma(vi, w1, fma(wi, v1, load(line, at + 1)))
            store(line, at, x)
            store(line, at + 1, y)
            p0, p1 = fma(rate, x, p0), fma(rate, y, p1)
        store(p, c, p0)
        store(p, c + 1, p1)
    if (chunks - first) % 2:
        c = chunks - 1
        v0, w0, p0 = -load(v, c), -load(w, c), splat(0.0)
        for i in range(begin, m):
            at = i * chunks + c
            x = fma(splat_at(v, i), w0, fma(splat_at(w, i), v0, load(line, at)))
            store(line, at, x)
            p0 = fma(splat_at(next_v, i), x, p0)
        store(p, c, p0)


@helper
def bisect(diagonal, squares, m, s, low, high, width):
    """Bring the bracket of the eigenvalue number s from the top down to this width.

    An eigenvalue is above a shift for each leading minor of T - shift with the sign of the one before; a division, as
    of the ratios of minors, would take longer than all else."""
    for _ in range(40):
        if not high[s] - low[s] > width:
            return
        step = (high[s] - low[s]) / 17.0
        one, two = low[s] + step * lane_numbers(1.0), low[s] + step * lane_numbers(9.0)
        p, q, old_p, old_q = splat_at(diagonal, 0) - one, splat_at(diagonal, 0) - two, splat(1.0), splat(1.0)
        more, most = select(p > 0.0, 1.0, 0.0), select(q > 0.0, 1.0, 0.0)
        for first in range(1, m, SAFE):
            for i in range(first, min(first + SAFE, m)):
                a, b = splat_at(diagonal, i), -splat_at(squares, i - 1)
                p, old_p = fma(a - one, p, b * old_p), p
                q, old_q = fma(a - two, q, b * old_q), q
                p, q = select(p == 0.0, -TINY * old_p, p), select(q == 0.0, -TINY * old_q, q)
                more = more + select(p * old_p > 0.0, 1.0, 0.0)
                most = most + select(q * old_q > 0.0, 1.0, 0.0)
            size, other = 1.0 / (absolute(p) + absolute(old_p)), 1.0 / (absolute(q) + absolute(old_q))
            p, old_p, q, old_q = p * size, old_p * size, q * other, old_q * other
        # of sixteen shifts, so many have more than s eigenvalues above them
        under = first_lane(total(select(more > float(s), 1.0, 0.0) + select(most > float(s), 1.0, 0.0)))
        low[s], high[s] = low[s] + step * under, low[s] + step * (under + 1.0)


@hot
def lane_numbers(first):
    """first, first + 1, ..., first + 7 in lanes."""
    x = splat(first)
    for k in range(1, 8):
        x = insert(x, k, first + k)
    return x


@helper
def twisted(diagonal, off, squares, m, low, high, top, d, u, z):
    """An eigenvector of T of length one whose eigenvalue is in a bracket, into z; whether it was found."""
    theta = 0.5 * (low + high)
    for _ in range(TURNS):
        d[0], u[m - 1] = diagonal[0] - theta, diagonal[m - 1] - theta
        for i in range(1, m):
            d[i] = (diagonal[i] - theta) - squares[i - 1] / d[i - 1]
            k = m - 1 - i
            u[k] = (diagonal[k] - theta) - squares[k] / u[k + 1]
        at, least = 0, np.inf
        for i in range(m):
            gamma = abs(d[i] + u[i] - (diagonal[i] - theta))
            if gamma < least:
                at, least = i, gamma
        if least == np.inf:
            return False
        gamma = d[at] + u[at] - (diagonal[at] - theta)
        z[at] = 1.0
        square = 1.0
        for i in range(at - 1, -1, -1):
            z[i] = -(off[i] / d[i]) * z[i + 1]
            square += z[i] * z[i]
        for i in range(at + 1, m):
            z[i] = -(off[i - 1] / u[i]) * z[i - 1]
            square += z[i] * z[i]
        if not square < np.inf:
            return False
        size = math.sqrt(square)
        if abs(gamma) <= RESIDUAL * top * size:
            for i in range(m):
                z[i] /= size
            return low - RESIDUAL * top <= theta + gamma / square <= high + RESIDUAL * top
        theta += gamma / square
    return False


@hot
def product_of(x, y, m):
    both = 0.0
    for i in range(m):
        both += x[i] * y[i]
    return both


@helper
def deflated(diagonal, off, m, theta, top, out, s, room, u, v):
    """An eigenvector of T near theta, orthogonal to those before it, into row s of out; whether it was found. Several
    eigenvalues may be the same: by inverse iteration, with factors of T - theta that are pivoted."""
    z, width = line_of(out[s]), u.shape[0]
    under, w = room[:width], room[width : 2 * width]  # multipliers; u, v, w: the diagonals from the main one on
    for i in range(m):
        u[i], v[i], under[i], w[i], z[i] = diagonal[i] - theta, off[i], off[i], 0.0, 1.0 + 0.5 * math.sin(2.0 * i + s)
    for i in range(m - 1):
        if abs(u[i]) >= abs(under[i]):
            under[i] = under[i] / u[i] if u[i] != 0.0 else 0.0
            u[i + 1] -= under[i] * v[i]
        else:  # the next row is the better pivot
            rate = u[i] / under[i]
            u[i], v[i], u[i + 1] = under[i], u[i + 1], v[i] - rate * u[i + 1]
            if i < m - 2:
                w[i], v[i + 1] = v[i + 1], -rate * v[i + 1]
            under[i] = rate + TURNED
    for i in range(m):
        u[i] = u[i] if abs(u[i]) > RESIDUAL * RESIDUAL * top else RESIDUAL * RESIDUAL * top
    for turn in range(TURNS):
        for _ in range(2):
            for before in range(s):
                other = line_of(out[before])
                part = product_of(other, z, m)
                for i in range(m):
                    z[i] -= part * other[i]
        size = math.sqrt(product_of(z, z, m))
        if not (size > 0.0 and size < np.inf):
            return False
        for i in range(m):
            z[i] /= size
        if turn == TURNS - 1:
            break
        for i in range(m - 1):
            if under[i] <= 1.0:
                z[i + 1] -= under[i] * z[i]
            else:
                z[i], z[i + 1] = z[i + 1], z[i] - (under[i] - TURNED) * z[i + 1]
        for i in range(m - 1, -1, -1):
            right = (v[i] * z[i + 1] if i < m - 1 else 0.0) + (w[i] * z[i + 2] if i < m - 2 else 0.0)
            z[i] = (z[i] - right) / u[i]
    most, mean = 0.0, 0.0
    for i in range(m):
        u[i] = (diagonal[i] - theta) * z[i] + (off[i] * z[i + 1] if i < m - 1 else 0.0)
        u[i] += off[i - 1] * z[i - 1] if i else 0.0
        mean += z[i] * u[i]
    for i in range(m):
        most = max(most, abs(u[i] - mean * z[i]))
    return most <= RESIDUAL * top


@helper
def turn_back(a, m, tau, x):
    """x = Q x."""
    chunks = a.shape[1]
    for j in range(m - 2, -1, -1):
        if tau[j] == 0.0:
            continue
        v, first, both = a[j], (j + 1) // 8, splat(0.0)
        for c in range(first, chunks):
            both = fma(load(v, c), load(x, c), both)
        rate = -tau[j] * total(both)
        for c in range(first, chunks):
            store(x, c, fma(rate, load(v, c), load(x, c)))


@helper
def straight(x, count):
    """Make the first rows of x, nearly orthonormal, orthonormal; whether they could be."""
    for s in range(count):
        for before in range(s + 1):
            both = splat(0.0)
            for c in range(x.shape[1]):
                both = fma(load(x[before], c), load(x[s], c), both)
            product = first_lane(total(both))
            if before == s:
                if not product > 0.25:
                    return False
                for c in range(x.shape[1]):
                    store(x[s], c, load(x[s], c) / math.sqrt(product))
            else:
                for c in range(x.shape[1]):
                    store(x[s], c, fma(-product, load(x[before], c), load(x[s], c)))
    return True

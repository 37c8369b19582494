"""G = C diag(2^o) Y' with well-conditioned C and Y, of a gradient whose samples and classes are exponentially apart.

G = -sum_i f_i x_i', with the weights f_ic < 0 of sample i for the classes c other than its own, and minus their sum for
that. In one unit the light ones are lost: those of light samples, and those of a class that fell behind, for which all
samples of the others are light, too. Here nothing is added up before it is needed. The sample that weighs most gives

    F_s = f / f_p     p its heaviest class; the others are left with f_i - (f_ip / f_p) f, that is nothing in class p
    e_s = x / |x|     the others are left with x_i - (e_s.x_i) e_s

and so on with what is left. Weights have an exponent each. In its own class a sample keeps none, for they add up to 0;
if that was p, its own is now the second heaviest, with which p is merged as far as the heavy can tell. Then

    G = sum_s F_s (M_s + R_s)',    M_st the part along e_t, R_s the rest,

where the rows of M fall off with s, and M = L D U by elimination with complete pivoting, each entry with an exponent.

Source: no diagonal, no cancellation: Grassmann, Taksar, Heyman, Oper. Res. 33 (1985) 1107-1116; factors that reveal the
rank: Demmel et al., Linear Algebra Appl. 299 (1999) 21-80. For samples it is our own.
"""

import math

import numpy as np

from implicitbias.jit import helper
from implicitbias.lanes import line_of, load, store, view
from implicitbias.optimizers.matrix.rows import add_to, dot, scale_row
from implicitbias.simulation.tail import exponent, pow2, times_pow2

DEPENDENT = 1e-13  # what is left of a vector below this part of its length is round-off
NOISE = 43.0  # the same in binary orders, for a difference


def room_for(k: int, width: int, d: int, n: int) -> int:
    """Numbers of room that `factorise` needs for k classes and n samples, d padded to `width`."""
    rank = min(d, n)
    return 5 * k * n + 3 * n + rank * n + 2 * k * k + 4 * k * rank + k * width + 6 * k + rank + rank * width


@helper
def factorise(f, q, v, d, left, right, order, room):
    """left (., k) by rows C, right (., chunks, 8) by rows Y, order (.,) from the weights f 2^q (k, samples) of the
    samples v (samples, chunks, 8) of d features, which are destroyed. Returns how many there are, at most as many as
    fit in."""
    k, samples, chunks = f.shape[0], v.shape[0], v.shape[1]
    most = min(d, samples)
    share, at = view(room, 0, (k, samples)), k * samples
    unit, at = view(room, at, (k, samples)), at + k * samples
    c, at = view(room, at, (most, samples)), at + most * samples
    first, at = view(room, at, (k, k)), at + k * k
    lower, at = view(room, at, (k, k)), at + k * k
    m, at = view(room, at, (k, most)), at + k * most
    o, at = view(room, at, (k, most)), at + k * most
    noise, at = view(room, at, (k, most)), at + k * most
    rest, at = view(room, at, (k, chunks, 8)), at + k * chunks * 8
    rest_unit, at = room[at : at + k], at + k
    row_used, at = room[at : at + k], at + k
    column_used, at = room[at : at + most], at + most
    basis, at = view(room, at, (most, chunks, 8)), at + most * chunks * 8
    rows, columns = peel(f, q, v, share, unit, c, first, basis, room[at:])
    for s in range(rows):
        for t in range(columns):
            m[s, t], o[s, t] = entry(share[s], unit[s], c[t])
            noise[s, t] = o[s, t]
        rest_unit[s] = remainder(share[s], unit[s], v, rest[s])
    row_used[:], column_used[:] = 0.0, 0.0
    count = 0
    while count < left.shape[0]:
        row, column = pivot(m, o, rows, columns, row_used, column_used)
        if row < 0:
            break
        row_used[row], column_used[column] = 1.0, 1.0
        order[count] = o[row, column]
        scale_row(right[count], 0.0)
        if rest_unit[row] > -np.inf:
            add_to(right[count], times_pow2(1.0, rest_unit[row] - order[count]), rest[row])
        for t in range(columns):
            if m[row, t] != 0.0 and (column_used[t] == 0.0 or t == column):
                add_to(right[count], times_pow2(m[row, t], o[row, t] - order[count]), basis[t])
        lower[count, :] = 0.0
        lower[count, row] = 1.0
        for other in range(rows):
            if row_used[other] == 0.0 and m[other, column] != 0.0:
                part, apart = m[other, column] / m[row, column], o[other, column] - o[row, column]
                lower[count, other] = times_pow2(part, apart)
                for t in range(columns):
                    if column_used[t] == 0.0 and m[row, t] != 0.0:
                        less(m, o, noise, other, t, part * m[row, t], apart + o[row, t])
                if rest_unit[row] > -np.inf:
                    new = max(rest_unit[other], apart + rest_unit[row])
                    scale_row(rest[other], pow2(rest_unit[other] - new))
                    add_to(rest[other], -part * pow2(apart + rest_unit[row] - new), rest[row])
                    rest_unit[other] = new
        count += 1
    for s in range(count):
        line = line_of(left[s])
        line[:] = 0.0
        for row in range(rows):
            if lower[s, row] != 0.0:
                for r in range(k):
                    line[r] += lower[s, row] * first[row, r]
    return count


@helper
def peel(f, q, v, share, unit, c, first, basis, room):
    """The F_s by rows into `first`, the e_t into `basis`, the coordinates share 2^unit of all f_i and c of all x_i, of
    which v keeps the rest; how many F_s and e_t there are."""
    k, samples = f.shape[0], v.shape[0]
    b, at = view(room, 0, (k, samples)), k * samples
    power, at = view(room, at, (k, samples)), at + k * samples
    noise, at = view(room, at, (k, samples)), at + k * samples
    own, at = room[at : at + samples], at + samples  # the class of each sample
    size, at = room[at : at + samples], at + samples
    length, at = room[at : at + samples], at + samples
    left_out, at = room[at : at + k], at + k
    g, at = room[at : at + k], at + k
    g_power, at = room[at : at + k], at + k
    for i in range(samples):
        size[i] = dot(v[i], v[i])
        own[i] = 0.0
        for r in range(k):
            b[r, i], power[r, i], noise[r, i] = f[r, i], q[r, i], q[r, i]
            own[i] = r if f[r, i] > 0.0 else own[i]
        add_up(b, power, i, int(own[i]))
    left_out[:] = 0.0
    rows, columns = 0, 0
    while rows < k - 1:
        lengths(v, size, length)
        at = heaviest(b, power, length, True)
        if at >= 0:
            x = basis[columns]
            for j in range(x.shape[0]):
                store(x, j, load(v[at], j))
            for _ in range(2):  # what is left of the others' directions, and of rounding
                for t in range(columns):
                    add_to(x, -dot(basis[t], x), basis[t])
                scale_row(x, 1.0 / math.sqrt(dot(x, x)))
            for i in range(samples):
                c[columns, i] = dot(x, v[i])
                add_to(v[i], -c[columns, i], x)
            scale_row(v[at], 0.0)
            columns += 1
        else:  # all directions are there
            at = heaviest(b, power, length, False)
            if at < 0:
                break
        p, second = -1, -1
        for r in range(k):
            g[r], g_power[r] = b[r, at], power[r, at]
            if g[r] == 0.0:
                continue
            if p < 0 or g_power[r] - g_power[p] + math.log2(abs(g[r] / g[p])) > 0.0:
                p, second = r, p
            elif second < 0 or g_power[r] - g_power[second] + math.log2(abs(g[r] / g[second])) > 0.0:
                second = r
        left_out[p] = 1.0
        for r in range(k):
            first[rows, r] = times_pow2(g[r] / g[p], g_power[r] - g_power[p]) if g[r] != 0.0 else 0.0
        for i in range(samples):
            share[rows, i], unit[rows, i] = b[p, i], power[p, i]
            own[i] = second if own[i] == p else own[i]
            for r in range(k):
                if left_out[r] == 0.0 and r != own[i] and g[r] * b[p, i] != 0.0:
                    less(b, power, noise, r, i, g[r] / g[p] * b[p, i], g_power[r] - g_power[p] + power[p, i])
            b[p, i] = 0.0
            if i == at:
                b[:, i] = 0.0
            add_up(b, power, i, int(own[i]))
        rows += 1
    return rows, columns


@helper
def lengths(v, size, length):
    """The squares of the lengths; those that are round-off become 0."""
    for i in range(v.shape[0]):
        length[i] = dot(v[i], v[i])
        if not length[i] > DEPENDENT * DEPENDENT * size[i]:
            scale_row(v[i], 0.0)
            length[i] = 0.0


@helper
def heaviest(b, power, length, long):
    """The sample that weighs most, of those that have a length if `long`; -1 if there is none."""
    best, top = -1, -np.inf
    for i in range(b.shape[1]):
        for r in range(b.shape[0] if length[i] > 0.0 or not long else 0):
            if b[r, i] != 0.0:
                order = power[r, i] + math.log2(abs(b[r, i])) + (0.5 * math.log2(length[i]) if long else 0.0)
                if order > top:
                    best, top = i, order
    return best


@helper
def add_up(b, power, i, own):
    """The weight of a sample in its own class: minus the sum of the others."""
    top, total = -np.inf, 0.0
    for r in range(b.shape[0]):
        if r != own and b[r, i] != 0.0:
            top = max(top, power[r, i])
    for r in range(b.shape[0]):
        if r != own and b[r, i] != 0.0:
            total -= b[r, i] * pow2(power[r, i] - top)
    b[own, i], power[own, i] = total, top if total != 0.0 else 0.0


@helper
def less(b, power, noise, r, i, part, unit):
    """b 2^power -= part 2^unit at (r, i); 0 for what is round-off."""
    high = max(unit, power[r, i]) if b[r, i] != 0.0 else unit
    rest = b[r, i] * pow2(power[r, i] - high) if b[r, i] != 0.0 else 0.0
    rest -= part * pow2(unit - high)
    noise[r, i] = max(noise[r, i], high) if b[r, i] != 0.0 else high
    if rest == 0.0 or exponent(rest) + high < noise[r, i] - NOISE:
        b[r, i], power[r, i] = 0.0, 0.0
    else:
        b[r, i], power[r, i] = times_pow2(rest, -exponent(rest)), high + exponent(rest)


@helper
def entry(b, power, c):
    """-sum_i b_i 2^power_i c_i as (number, exponent); 0 for what is round-off."""
    top, total = -np.inf, 0.0
    for i in range(c.shape[0]):
        if b[i] * c[i] != 0.0:
            top = max(top, power[i] + exponent(b[i] * c[i]))
    for i in range(c.shape[0]):
        if b[i] * c[i] != 0.0:
            total -= b[i] * c[i] * pow2(power[i] - top)
    return (total, top) if abs(total) > DEPENDENT else (0.0, 0.0)


@helper
def remainder(b, power, v, out):
    """out = -sum_i b_i v_i in the unit that is returned, that of nothing if it is 0."""
    top = -np.inf
    scale_row(out, 0.0)
    for i in range(b.shape[0]):
        if b[i] != 0.0 and dot(v[i], v[i]) > 0.0:
            top = max(top, power[i] + exponent(b[i]))
    for i in range(b.shape[0]):
        if b[i] != 0.0 and top > -np.inf:
            add_to(out, -times_pow2(b[i], power[i] - top) if dot(v[i], v[i]) > 0.0 else 0.0, v[i])
    return top


@helper
def pivot(m, o, rows, columns, row_used, column_used):
    """Row and column of the largest entry that is left; -1 if there is none."""
    row, column, top = -1, -1, -np.inf
    for s in range(rows):
        for t in range(columns):
            if row_used[s] == 0.0 and column_used[t] == 0.0 and m[s, t] != 0.0:
                size = o[s, t] + math.log2(abs(m[s, t]))
                if size > top:
                    row, column, top = s, t, size
    return row, column

"""G = C diag(2^o) Y' with well-conditioned C and Y, of a gradient whose samples and classes are exponentially apart.

G = -sum_i f_i x_i', with the weights f_ic < 0 of sample i for the classes c other than its own, and minus their sum for
that. In one unit the light ones are lost: those of light samples, and those of a class that fell behind, for which all
samples of the others are light, too. Here no digit is, for nothing is added up before it is needed. Again and again,

    x         the direction of the sample that weighs most; g = G x, and p the class of its largest entry
    G'        row p; the product (g / g_p) G_p' is taken from G, which then has nothing in the direction x, or in row p

where G stays a sum over samples: all lose their part in the direction x, and their weights become
f_ic - f_ip g_c / g_p, each with an exponent of its own. Of its own class a sample keeps none, as they add up to 0; if
that was p, its own is now the class of the second largest entry of g, with which p is merged as far as the heavy can
tell.

Source: elimination as in Grassmann, Taksar, Heyman, Oper. Res. 33 (1985) 1107-1116 (no diagonal, no cancellation), for
factors that reveal the rank as in Demmel et al., Linear Algebra Appl. 299 (1999) 21-80; that of samples is our own.
"""

import math

import numpy as np

from implicitbias.jit import helper
from implicitbias.lanes import load, store
from implicitbias.optimizers.matrix.rows import add_to, dot, scale_row
from implicitbias.simulation.tail import exponent, pow2, times_pow2

DEPENDENT = 1e-13  # what is left of a vector below this part of its length is round-off
NOISE = 43.0  # the same in binary orders, for a difference


def room_for(k: int, width: int, d: int, n: int) -> int:
    """Numbers of room that `factorise` needs for k classes and n samples, d padded to `width`."""
    return 3 * k * n + 5 * n + 3 * k + d * width


@helper
def factorise(f, q, v, left, right, order, room):
    """left (., k) by rows C, right (., chunks, 8) by rows Y, order (.,) from the weights f 2^q (k, samples) of the
    samples v (samples, chunks, 8), which are destroyed. Returns how many there are, at most as many as fit in."""
    k, samples, most = f.shape[0], v.shape[0], left.shape[0]
    b, at = room[: k * samples].reshape(k, samples), k * samples
    power, at = room[at : at + k * samples].reshape(k, samples), at + k * samples
    noise, at = room[at : at + k * samples].reshape(k, samples), at + k * samples
    own, at = room[at : at + samples], at + samples  # the class of each sample
    size, at = room[at : at + samples], at + samples
    length, at = room[at : at + samples], at + samples
    c, at = room[at : at + samples], at + samples
    left_out, at = room[at : at + k], at + k
    g, at = room[at : at + k], at + k
    unit, at = room[at : at + k], at + k
    basis = room[at:]
    for i in range(samples):
        size[i] = dot(v[i], v[i])
        own[i] = 0.0
        for r in range(k):
            b[r, i], power[r, i], noise[r, i] = f[r, i], q[r, i], q[r, i]
            own[i] = r if f[r, i] > 0.0 else own[i]
        add_up(b, power, i, int(own[i]))
    left_out[:] = 0.0
    count, seen, wide = 0, 0, v.shape[1] * 8
    while count < most:
        at = heaviest(v, size, length, b, power)
        if at < 0:
            break
        x = basis[seen * wide : (seen + 1) * wide].reshape(-1, 8)
        for j in range(x.shape[0]):
            store(x, j, load(v[at], j))
        for _ in range(2):  # what is left of the others' directions, and of rounding
            for t in range(seen):
                other = basis[t * wide : (t + 1) * wide].reshape(-1, 8)
                add_to(x, -dot(other, x), other)
            scale_row(x, 1.0 / math.sqrt(dot(x, x)))
        seen += 1
        for i in range(samples):
            c[i] = dot(x, v[i])
        p, second = -1, -1
        for r in range(k):
            g[r], unit[r] = entry(b[r], power[r], c)
            if left_out[r] > 0.0 or g[r] == 0.0:
                continue
            if p < 0 or heavier(g, unit, r, p):
                p, second = r, p
            elif second < 0 or heavier(g, unit, r, second):
                second = r
        if second >= 0:
            line = left[count].reshape(-1)
            line[:] = 0.0
            scale_row(right[count], 0.0)
            for i in range(samples):
                if b[p, i] != 0.0 and length[i] > 0.0:
                    add_to(right[count], -times_pow2(b[p, i], power[p, i] - unit[p]), v[i])
            for r in range(k):
                if g[r] != 0.0 and left_out[r] == 0.0:
                    line[r] = times_pow2(g[r] / g[p], unit[r] - unit[p])
            order[count] = unit[p]
            left_out[p] = 1.0
            for i in range(samples):
                own[i] = second if own[i] == p else own[i]
                for r in range(k):
                    if left_out[r] == 0.0 and r != own[i] and g[r] * b[p, i] != 0.0:
                        less(b, power, noise, r, i, g[r] / g[p] * b[p, i], unit[r] - unit[p] + power[p, i])
                b[p, i] = 0.0
                add_up(b, power, i, int(own[i]))
            count += 1
        for i in range(samples):
            add_to(v[i], -c[i], x)
        scale_row(v[at], 0.0)
    return count


@helper
def heavier(g, unit, one, other):
    return unit[one] - unit[other] + math.log2(abs(g[one] / g[other])) > 0.0


@helper
def heaviest(v, size, length, b, power):
    """The sample that weighs most, -1 if there is none; those of no length become 0."""
    best, top = -1, -np.inf
    for i in range(v.shape[0]):
        length[i] = dot(v[i], v[i])
        if not length[i] > DEPENDENT * DEPENDENT * size[i]:
            scale_row(v[i], 0.0)
            length[i] = 0.0
            continue
        for r in range(b.shape[0]):
            if b[r, i] != 0.0:
                order = power[r, i] + math.log2(abs(b[r, i])) + 0.5 * math.log2(length[i])
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

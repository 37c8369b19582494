"""The weights of the samples in an average of gradients.

M = beta M + (1 - beta) G is linear in the weights f 2^q of the samples, so it is known by their averages, each in a
unit of its own, whatever happens to the digits of M. They are kept over beta^t, so that a step changes those of its
batch alone.
"""

from implicitbias.jit import helper
from implicitbias.lanes import view
from implicitbias.simulation.tail import exponent, pow2, times_pow2

CLOCK = 3  # numbers before the weights: beta^-t as a number and its exponent, and how many samples have been seen


def room_for(k: int, n: int) -> int:
    """Numbers of memory for k classes and n samples."""
    return CLOCK + 2 * k * n


@helper
def remember(tally, k, n, beta, index, size, f, q):
    """Add the batch index[:size] with the weights f 2^q (k, ...)."""
    if tally[0] == 0.0:
        tally[0] = 1.0
    factor = tally[0] / beta
    order = exponent(factor)
    tally[0], tally[1] = times_pow2(factor, -order), tally[1] + order
    known, power = view(tally, CLOCK, (k, n)), view(tally, CLOCK + k * n, (k, n))
    share = (1.0 - beta) / size * tally[0]
    for i in range(size):
        at = index[i]
        if known[0, at] == 0.0:
            tally[2] += 1.0
        for c in range(k):
            add(known, power, c, at, share * f[c, i], tally[1] + q[c, i])


@helper
def add(f, q, c, i, x, power):
    """f 2^q += x 2^power, at (c, i)."""
    if x == 0.0:
        return
    if f[c, i] == 0.0:
        total, unit = x, power
    else:
        unit = max(power, q[c, i])
        total = x * pow2(power - unit) + f[c, i] * pow2(q[c, i] - unit)
    order = exponent(total)
    f[c, i], q[c, i] = times_pow2(total, -order), unit + order


@helper
def now(tally, k, n, beta, index, size, f, q, found, power):
    """The weights of beta M + (1 - beta) G, over the decay^t of M, into found 2^power (k, n)."""
    known, unit = view(tally, CLOCK, (k, n)), view(tally, CLOCK + k * n, (k, n))
    for c in range(k):
        for i in range(n):
            found[c, i], power[c, i] = beta * known[c, i], unit[c, i]
    share = (1.0 - beta) / size * tally[0]
    for i in range(size if beta < 1.0 else 0):
        for c in range(k):
            add(found, power, c, index[i], share * f[c, i], tally[1] + q[c, i])

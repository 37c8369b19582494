"""Batch orders: which rows a step sees.

    full           every row, every step
    cyclic         rows in order, in blocks of b
    shuffle_once   one permutation, then as cyclic
    reshuffle      a new permutation every epoch (random reshuffling)
    replacement    b independent uniform draws every step

When b does not divide n, `remainder` says what happens to the last n mod b rows of an epoch. "drop": they are left out
of this epoch, so every batch has b rows; under `reshuffle` every batch is then a uniform subset of size b, which is
what the predictions for that order assume. "keep": they form a smaller last batch, whose gradient is the mean over its
own rows. Fixed blocks (cyclic, shuffle_once) must keep, or some rows would never be seen.

The random orders are functions of (seed, epoch) or (seed, step) alone, computed with the SplitMix64 generator (Steele,
Lea, Flood 2014): the same on every machine, and a run can start at any step without replaying the earlier ones.
"""

import numpy as np

from implicitbias.jit import helper, kernel

FULL, CYCLIC, SHUFFLE_ONCE, RESHUFFLE, REPLACEMENT = range(5)
ORDERS = {
    "full": FULL,
    "cyclic": CYCLIC,
    "shuffle_once": SHUFFLE_ONCE,
    "reshuffle": RESHUFFLE,
    "replacement": REPLACEMENT,
}
REMAINDERS = ("drop", "keep")

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX2 = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)
_TO_UNIT = 2.0**-53


def default_remainder(order: str) -> str:
    """The remainder rule an order uses unless told otherwise: the one its theory assumes."""
    return "drop" if order == "reshuffle" else "keep"


def steps_per_epoch(n: int, batch: int, remainder: str) -> int:
    """Number of batches in one pass over the n rows."""
    return n // batch if remainder == "drop" else -(-n // batch)


@helper
def _mix(x):
    x = (x ^ (x >> _S30)) * _MIX1
    x = (x ^ (x >> _S27)) * _MIX2
    return x ^ (x >> _S31)


@helper
def _stream(seed, counter):
    """The state from which the draws of this epoch or step start."""
    return _mix(_mix(np.uint64(seed) + _GOLDEN) + np.uint64(counter) * _GOLDEN)


@helper
def _below(bound, bits):
    """A uniform integer in 0..bound-1 from 64 random bits; the bias is below bound 2^-53."""
    return int(np.float64(bits >> _S11) * _TO_UNIT * bound)


@helper
def load_batch(order, seed, t, n, batch, per_epoch, fresh, rows):
    """Put the batch of step t into rows[start:start + size]; returns (start, size).

    `rows` (n,) int64 is kept between steps; `fresh` says that it holds nothing yet. For `replacement` it must have room
    for max(n, batch) entries.
    """
    if order == REPLACEMENT:
        state = _stream(seed, t)
        for k in range(batch):
            state += _GOLDEN
            rows[k] = _below(n, _mix(state))
        return 0, batch
    position = t % per_epoch
    if fresh or (order == RESHUFFLE and position == 0):
        for i in range(n):
            rows[i] = i
        if order in (RESHUFFLE, SHUFFLE_ONCE):
            state = _stream(seed, t // per_epoch if order == RESHUFFLE else 0)
            for i in range(n - 1, 0, -1):  # Fisher-Yates
                state += _GOLDEN
                k = _below(i + 1, _mix(state))
                rows[i], rows[k] = rows[k], rows[i]
    start = position * batch
    return start, min(batch, n - start)


@kernel
def _fill(order, seed, n, batch, per_epoch, steps, out, sizes):
    rows = np.empty(max(n, batch), np.int64)
    for t in range(steps):
        start, size = load_batch(order, seed, t, n, batch, per_epoch, t == 0, rows)
        sizes[t] = size
        for k in range(size):
            out[t, k] = rows[start + k]


def batches(
    n: int, batch: int, order: str, steps: int, seed: int = 0, remainder: str | None = None
) -> list[np.ndarray]:
    """The row indices of the first `steps` batches, exactly as `simulate` visits them.

    Arguments: n rows, batch size 1..n, order and remainder as in the module's text, seed of the run.
    Returns a list of `steps` int64 arrays.

    >>> [b.tolist() for b in batches(5, 2, "cyclic", steps=4)]
    [[0, 1], [2, 3], [4], [0, 1]]
    """
    batch = n if order == "full" else batch
    per_epoch = steps_per_epoch(n, batch, remainder or default_remainder(order))
    out = np.zeros((steps, batch), np.int64)
    sizes = np.zeros(steps, np.int64)
    _fill(ORDERS[order], np.uint64(seed), n, batch, per_epoch, steps, out, sizes)
    return [row[:size] for row, size in zip(out, sizes)]

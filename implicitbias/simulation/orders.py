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
_S30, _S27, _S31, _S11, _S12 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11), np.uint64(12)
_TO_UNIT = 2.0**-53
_APART = np.uint64(2**63)  # no seed has this bit
FINEST = 2.0**-53


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
def _permute(order, seed, epoch, rows):
    """The order of the rows in an epoch."""
    for i in range(len(rows)):
        rows[i] = i
    if order in (RESHUFFLE, SHUFFLE_ONCE):
        state = _stream(seed, epoch if order == RESHUFFLE else 0)
        for i in range(len(rows) - 1, 0, -1):  # Fisher-Yates
            state += _GOLDEN
            k = _below(i + 1, _mix(state))
            rows[i], rows[k] = rows[k], rows[i]


@helper
def fill_batches(order, seed, first, count, per_epoch, fresh, rows, index, sizes):
    """The batches of steps first, ..., first + count - 1: step first + i sees the rows index[i, :sizes[i]].

    `rows` (n,) int64 holds the permutation of the epoch between calls; `fresh` says that it holds nothing yet.
    """
    n, batch = len(rows), index.shape[1]
    if order == REPLACEMENT:
        for i in range(count):
            state = _stream(seed, first + i)
            for k in range(batch):
                state += _GOLDEN
                index[i, k] = _below(n, _mix(state))
            sizes[i] = batch
        return
    position, epoch = first % per_epoch, first // per_epoch
    if fresh:
        _permute(order, seed, epoch, rows)
    for i in range(count):
        if position == per_epoch:
            position, epoch = 0, epoch + 1
        if position == 0 and order == RESHUFFLE:
            _permute(order, seed, epoch, rows)
        start = position * batch
        sizes[i] = min(batch, n - start)
        for k in range(sizes[i]):
            index[i, k] = rows[start + k]
        position += 1


def uniforms(seed: int, counters: np.ndarray) -> np.ndarray:
    """(k,) independent uniform numbers from FINEST to 1 - FINEST, each a function of seed and counter alone, apart from
    the draws of batches of any seed."""
    mix = _mix.py_func
    start = mix((np.array([seed], np.uint64) ^ _APART) + _GOLDEN)
    bits = mix(mix(start + np.asarray(counters).astype(np.uint64) * _GOLDEN) + _GOLDEN)
    return ((bits >> _S12).astype(np.float64) + 0.5) * (2.0 * FINEST)


@helper
def uniform(seed, counter):
    """That of one counter."""
    start = _mix((np.uint64(seed) ^ _APART) + _GOLDEN)
    bits = _mix(_mix(start + np.uint64(counter) * _GOLDEN) + _GOLDEN)
    return (np.float64(bits >> _S12) + 0.5) * (2.0 * FINEST)


_fill = kernel(fill_batches.py_func)


def batches(
    n: int, batch: int, order: str, steps: int, seed: int = 0, remainder: str | None = None
) -> list[np.ndarray]:
    """The row indices of the first `steps` batches, exactly as `simulate` visits them.

    Arguments: n rows, batch size 1..n, order and remainder as in the module's text, seed of the run.
    Returns a list of `steps` int64 arrays.

    >>> [b.tolist() for b in batches(5, 2, "cyclic", steps=4)]
    [[0, 1], [2, 3], [4], [0, 1]]
    """
    order, batch = effective(n, batch, order)
    per_epoch = steps_per_epoch(n, batch, remainder or default_remainder(order))
    index = np.zeros((steps, batch), np.int64)
    sizes = np.zeros(steps, np.int64)
    _fill(ORDERS[order], np.uint64(seed), 0, steps, per_epoch, True, np.empty(n, np.int64), index, sizes)
    return [row[:size] for row, size in zip(index, sizes)]


def counts(
    n: int, batch: int, order: str, steps: np.ndarray, seed: int = 0, remainder: str | None = None
) -> np.ndarray:
    """How often each row is in the batch of each step.

    Arguments: as of `batches`; steps (S,), their numbers from 0
    Returns (S, n).

    >>> counts(5, 2, "cyclic", np.array([0, 2]))
    array([[1, 1, 0, 0, 0],
           [0, 0, 0, 0, 1]])
    """
    order, batch = effective(n, batch, order)
    per_epoch = steps_per_epoch(n, batch, remainder or default_remainder(order))
    index, sizes, rows = np.zeros((1, batch), np.int64), np.zeros(1, np.int64), np.empty(n, np.int64)
    found = np.zeros((len(steps), n), np.int64)
    for mine, step in zip(found, steps):
        _fill(ORDERS[order], np.uint64(seed), int(step), 1, per_epoch, True, rows, index, sizes)
        np.add.at(mine, index[0, : sizes[0]], 1)
    return found


def effective(n: int, batch: int, order: str) -> tuple[str, int]:
    """(order, batch) as the driver visits them: a batch of all n rows, whatever their order, is order "full"."""
    full = order == "full" or (batch == n and order != "replacement")
    return ("full", n) if full else (order, batch)

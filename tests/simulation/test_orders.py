"""Batch orders: every epoch a permutation, every draw uniform, every stream a function of its seed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from implicitbias.simulation.orders import batches, steps_per_epoch

PINNED = {"reshuffle": [[3, 2], [0, 4], [2, 1], [4, 3]], "replacement": [[4, 4, 4], [3, 2, 4], [0, 0, 1]]}
SHAPES = st.integers(1, 12).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n)))


@given(SHAPES, st.sampled_from(["cyclic", "shuffle_once", "reshuffle"]), st.integers(0, 2**63 - 1))
def test_an_epoch_shows_every_row_once(shape, order, seed):
    n, batch = shape
    per_epoch = steps_per_epoch(n, batch, "keep")
    found = batches(n, batch, order, steps=3 * per_epoch, seed=seed, remainder="keep")
    for epoch in range(3):
        block = found[epoch * per_epoch : (epoch + 1) * per_epoch]
        assert sorted(np.concatenate(block)) == list(range(n))
        assert [len(b) for b in block[:-1]] == [batch] * (per_epoch - 1)


@given(SHAPES, st.integers(0, 1000))
def test_drop_makes_batches_of_one_size_without_repeats(shape, seed):
    n, batch = shape
    for rows in batches(n, batch, "reshuffle", steps=20, seed=seed, remainder="drop"):
        assert len(set(rows.tolist())) == batch


def test_dropped_rows_change_from_epoch_to_epoch():
    seen = np.bincount(np.concatenate(batches(7, 3, "reshuffle", steps=2 * 7000)), minlength=7)
    np.testing.assert_allclose(seen, 6000, rtol=0.03)  # 5 standard deviations


@pytest.mark.parametrize("order", ["reshuffle", "replacement"])
def test_draws_are_uniform_and_uncorrelated(order):
    n, epochs = 5, 20_000
    found = np.array(batches(n, 1, order, steps=n * epochs)).reshape(epochs, n)
    for position in range(n):  # chi-squared with 4 degrees of freedom: 99.99% quantile is 23.5
        counts = np.bincount(found[:, position], minlength=n)
        assert ((counts - epochs / n) ** 2 / (epochs / n)).sum() < 23.5
    pairs = np.bincount(found[:, 0] * n + found[:, 1], minlength=n * n).reshape(n, n)
    if order == "reshuffle":
        assert not pairs.diagonal().any()
        pairs, expected = pairs[~np.eye(n, dtype=bool)], epochs / (n * (n - 1))
    else:
        expected = epochs / n**2
    assert ((pairs - expected) ** 2 / expected).sum() < 56.0  # 24 degrees of freedom, 99.98%


def test_all_permutations_appear():
    found = np.array(batches(3, 1, "reshuffle", steps=3 * 600)).reshape(600, 3)
    _, counts = np.unique(found, axis=0, return_counts=True)
    assert len(counts) == 6
    assert counts.min() > 60


def test_shuffle_once_repeats_its_permutation_and_cyclic_is_in_order():
    once = np.array(batches(6, 2, "shuffle_once", steps=9, seed=3))
    assert (once[:3] == once[3:6]).all()
    assert sorted(once[:3].ravel()) == list(range(6))
    assert np.array(batches(6, 2, "cyclic", steps=3)).ravel().tolist() == list(range(6))


def test_full_shows_all_rows_in_order_whatever_the_batch():
    assert [b.tolist() for b in batches(3, 1, "full", steps=2)] == [[0, 1, 2]] * 2


def test_streams_depend_on_the_seed_and_are_pinned():
    """These values must never change: stored results name their seeds."""
    assert [b.tolist() for b in batches(5, 2, "reshuffle", steps=4, seed=0)] == PINNED["reshuffle"]
    assert [b.tolist() for b in batches(5, 3, "replacement", steps=3, seed=7)] == PINNED["replacement"]
    a, b = (np.concatenate(batches(50, 1, "reshuffle", steps=50, seed=s)) for s in (0, 1))
    assert (a != b).sum() > 30

"""Scores and gradients of several classes, of any size: tiles that do not fit come out as those that do."""

import numpy as np
import pytest
from numba import njit

from implicitbias.lanes import LANES, aligned, load_each, store_each, turn
from implicitbias.simulation.class_products import add_scores, scores

SIZES = [(1, 1), (1, 7), (2, 5), (3, 8), (7, 9), (8, 1), (9, 16), (13, 17), (16, 25), (21, 3)]  # of the batch, d


@njit(error_model="numpy")
def both(rows, index, d, w, classes, wide, turned, z, g):
    flat = rows.reshape(rows.shape[0], -1)
    scores(rows, flat, index, index.shape[0], d, w, classes, wide, turned, z)
    add_scores(rows, flat, index, index.shape[0], d, z, classes, wide, g)


@njit(error_model="numpy")
def turned(x, y):
    store_each(y, 0, turn(load_each(x, 0)))


def test_turn():
    x, y = aligned((LANES, LANES)), aligned((LANES, LANES))
    x[:] = np.arange(LANES**2).reshape(LANES, LANES)
    turned(x, y)
    np.testing.assert_array_equal(y, x.T)


@pytest.mark.parametrize("classes", [2, 3, 4, 5, 10])
@pytest.mark.parametrize("size, d", SIZES)
def test_products_in_both_layouts(size, d, classes):
    rng = np.random.default_rng(size * d + classes)
    width = -(-d // LANES) * LANES
    rows = aligned((30, width // LANES, LANES))
    rows.reshape(30, width)[:, :d] = x = rng.normal(size=(30, d))
    index = rng.integers(30, size=size)
    runs, before = rng.normal(size=(2, LANES, classes, d))
    wide, old = aligned((classes, width, LANES)), aligned((classes, width, LANES))
    wide[:, :d], old[:, :d] = runs.transpose(1, 2, 0), before.transpose(1, 2, 0)
    room, z = aligned((2 * width, LANES)), aligned((classes * size, LANES))
    both(rows, index, d, wide.reshape(-1, LANES), classes, True, room, z, old.reshape(-1, LANES))
    for lane in range(LANES):
        w, g = aligned((classes, width)), aligned((classes, width))
        w[:, :d], g[:, :d] = runs[lane], before[lane]
        samples = -(-size // LANES)
        mine = aligned((classes * samples, LANES))
        both(rows, index, d, w.reshape(-1, LANES), classes, False, room, mine, g.reshape(-1, LANES))
        mine = mine.reshape(classes, samples * LANES)
        np.testing.assert_array_equal(mine[:, :size], z.reshape(classes, size, LANES)[:, :, lane])
        filled = mine[:, size // LANES * LANES : size // LANES * LANES + 1]
        assert (mine[:, size:] == filled).all()  # with the first of what is left over
        np.testing.assert_array_equal(g[:, :d], old[:, :d, lane])
        np.testing.assert_allclose(mine[:, :size], runs[lane] @ x[index].T, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(
            g[:, :d], before[lane] + (runs[lane] @ x[index].T) @ x[index], rtol=1e-12, atol=1e-12
        )

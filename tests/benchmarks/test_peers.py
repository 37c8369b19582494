"""The benchmark's entries that need no further package compute the trajectories of its reference."""

import numpy as np
import pytest
from benchmarks.peers import c_twin, measure, ours, roofline, tables
from benchmarks.peers.work import Work, deviation, reference

by_rule = pytest.mark.parametrize("rule", ["adam", "sgd"])
by_shape = pytest.mark.parametrize("shape", [(4, 4, 1), (10, 50, 10), (10, 6, 3)], ids=str)


@by_shape
@by_rule
@pytest.mark.parametrize("peer, runs", [(ours, 1), (ours, 10), (c_twin, 1)], ids=["ours", "ours, 10 runs", "C"])
def test_entries_follow_the_reference(peer, runs, rule, shape):
    if not peer.available():
        pytest.skip(f"{peer.LABEL}: {peer.EXTRA}")
    work = Work(rule, *shape)
    found = peer.prepare(work, runs, 1000)()
    assert deviation(found, reference(work, runs, 1000)) < measure.TOLERANCE


@pytest.mark.parametrize("shape", [(12, 5, 4, 3), (9, 4, 9, 2)], ids=str)  # n, d, b, k
@pytest.mark.parametrize("rule", tables.OF_CLASSES)
@pytest.mark.parametrize("runs", [1, 9])
def test_ours_follows_the_reference_on_several_classes(runs, rule, shape):
    work = Work(rule, *shape)
    assert deviation(ours.prepare(work, runs, 1000)(), reference(work, runs, 1000)) < measure.TOLERANCE
    assert not c_twin.can(work)


@by_rule
def test_runs_of_a_block_differ_and_begin_with_those_of_a_smaller_one(rule):
    work = Work(rule, 4, 4, 1)
    many = reference(work, 64, 50)
    np.testing.assert_allclose(many[:8], reference(work, 8, 50), rtol=1e-12)  # the same sums, in another order
    assert len(np.unique(many.round(12), axis=0)) == 64


def test_data_are_not_separable():
    rows = Work("adam", 10, 50, 1).rows
    np.testing.assert_allclose(rows[:-1].sum(axis=0) + 3 * rows[-1], 0, atol=1e-14)  # sqrt(n - 1) = 3


def test_a_wrong_entry_gets_no_time():
    class Off:
        LABEL, RUNS = "off", (1,)
        can = staticmethod(lambda work: True)
        prepare = staticmethod(lambda work, runs, steps: lambda: reference(work, runs, steps) * (1 + 1e-7))

    work, entry = Work("sgd", 4, 4, 1), measure.Entry(Off, 1)
    result = measure.measure(work, [entry], rounds=1, seconds=0.01)[entry]
    assert not result.right and not result.times and tables.cell(result) == "wrong"


@pytest.mark.parametrize(
    "value, text", [(0.0123, "0.0123"), (0.5, "0.500"), (12.34, "12.3"), (245.6, "246"), (np.nan, "-")]
)
def test_numbers_have_three_digits(value, text):
    assert tables.number(value) == text


@pytest.mark.parametrize("work", [Work("sgd", 10, 50, 10), Work("muon", 12, 5, 4, 3)], ids=lambda work: work.rule)
def test_the_roofline_does_its_multiplications(work):
    """Its w has moved by what it has multiplied, and it is the limit of no trajectory."""
    if not roofline.available():
        pytest.skip(roofline.EXTRA)
    w = roofline.prepare(work, 1, 50)()
    assert w.shape == (1, work.size) and (w < 1.0).all()
    assert roofline.products(Work("sgd", 10, 50, 10)) == 1000
    # 2 b k d, X X' of 3 rows, P X, and five times four products of 3 x 3
    assert roofline.products(Work("muon", 12, 5, 4, 3)) == 120 + 30 + 45 + 540

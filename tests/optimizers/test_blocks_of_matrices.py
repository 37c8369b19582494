"""Runs on matrices that are advanced together, in one room: what happens to one is nothing to the others."""

import numpy as np
import pytest

import implicitbias as ib
from implicitbias.sweep.execute import warm_up

KINDS = (ib.Muon(), ib.Dion(), ib.Shampoo(beta=0.5), ib.SOAP(), ib.Adafactor(), ib.Adalayer())


@pytest.mark.parametrize("optimizer", KINDS, ids=lambda item: item.label)
def test_a_run_that_overflows_leaves_the_others_as_they_are(optimizer):
    problem = ib.geometry.gaussian_labels(n=8, d=10, k=3, seed=0)
    same = {"batch": 8, "steps": 64, "measures": ["margins"], "norms": ["frobenius"]}
    before, lost, after = ib.simulate(problem, [optimizer] * 3, lr=[0.1, 1e308, 0.2], **same)
    assert (before.status, lost.status, after.status) == ("ok", "non_finite", "ok")
    for run, lr in ((before, 0.1), (after, 0.2)):
        np.testing.assert_array_equal(run.weights, ib.simulate(problem, optimizer, lr=lr, **same).weights)


@pytest.mark.parametrize("item, rank", [(ib.SVRG(ib.Signum()), 0), (ib.MARS(ib.Muon(polar="quintic")), 1)])
def test_what_goes_around_an_optimizer_has_its_rank(item, rank):
    """Of vectors there is none."""
    assert item.largest_rank() <= rank


@pytest.mark.parametrize("item", [ib.Hybrid(split=5), ib.Dion(rank=3), ib.Muon()], ids=lambda item: item.label)
def test_a_study_compiles_what_fits_no_small_matrix(item):
    warm_up(item, True)

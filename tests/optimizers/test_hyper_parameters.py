"""What every optimizer of the list promises; a new one is tested by being in the list."""

from dataclasses import fields

import numpy as np
import pytest

import implicitbias as ib
from implicitbias.losses import log_loss
from implicitbias.optimizers import OPTIMIZERS
from implicitbias.testing import conformance

KINDS = list(OPTIMIZERS.values())


@pytest.mark.parametrize("kind", KINDS)
def test_defaults_are_described(kind):
    item = kind()
    assert len(item.decays()) in (0, len(kind.degrees))
    name = getattr(kind, "outer", kind.__name__)
    assert item.label.startswith("Dom" if name == "Subspace" else name)
    assert OPTIMIZERS[kind.name] is kind


@pytest.mark.parametrize("kind", KINDS)
def test_wrong_hyper_parameters_are_all_listed(kind):
    names = [item.name for item in fields(kind)]
    if not names:
        return
    for value in (-0.5, float("nan"), "0.9", None, float("inf")):
        rules = [item.metadata["valid"] for item in fields(kind) if "valid" in item.metadata]
        if value == float("inf") and any(valid(value) for valid in rules):
            continue  # a norm may be l_inf
        with pytest.raises(ib.InputError) as caught:
            kind(**dict.fromkeys(names, value))
        assert len(caught.value.mistakes) == len(names)
        for name, mistake in zip(names, caught.value.mistakes, strict=True):
            assert mistake.startswith((f"{name} of {kind.__name__} must be", f"{name} of {kind.__name__}: unknown"))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if any(item.type is float for item in fields(kind))])
def test_numbers_become_floats_and_booleans_are_not_numbers(kind):
    name = next(item.name for item in fields(kind) if item.type is float)
    value = next(x for x in (0, 2) if next(item for item in fields(kind) if item.name == name).metadata["valid"](x))
    assert getattr(kind(**{name: np.float32(value).item()}), name) == value
    assert isinstance(getattr(kind(**{name: value}), name), float)
    with pytest.raises(ib.InputError, match="must be a number"):
        kind(**{name: True})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("order", ["full", "reshuffle"])
def test_every_optimizer_separates_separable_data(kind, order):
    rows = np.random.default_rng(2).normal(size=(4, 10))
    decays = {item.name: 0.0 for item in fields(kind) if item.name == "weight_decay"}  # decay bounds the margins
    item = kind(**decays)
    problem = ib.Problem(rows) if item.unfit((10,)) is None else ib.Multiclass(rows, [0, 1, 2, 0])
    run = ib.simulate(problem, item, lr=0.05, order=order, steps=3000)
    assert run.status == "ok"
    margins = problem.margins(run.weights)
    assert margins[-1].min() > 0
    losses = margins if item.unfit((10,)) is None else problem.soft_margins(margins)
    assert (np.diff(log_loss(losses, "logistic")[-16:]) < 0).all()


def test_beta_must_be_below_one():
    with pytest.raises(ib.InputError, match=r"beta2 of Adam must be in \[0, 1\), but is 1.0"):
        ib.Adam(beta2=1.0)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_promise_of_the_suite_is_kept(kind):
    lr = 0.03 if kind.sees_hessian else 0.1  # in a subspace larger steps of Adam may ascend
    found = {check.name: check.outcome for check in conformance(kind(), lr=lr)}
    assert found["alone"] == found["snapshots"] == found["resumed"] == "kept"
    assert (found["permuted"] == "kept") == (kind.name not in ("dion", "hybrid"))

"""Optimizers that come from outside the package."""

from dataclasses import dataclass

import pytest

import implicitbias as ib
from implicitbias.lanes import load, store
from implicitbias.optimizers.parts import times_sign
from implicitbias.simulation.scales import COORDINATE, TRUE

P = ib.geometry.gaussian(n=6, d=9, seed=1)


def end(optimizer):
    return ib.simulate(P, optimizer, lr=0.1, batch=2, steps=500, seed=3).weights


def _sign(w, g, state, hyper, lr, bias, units, batch):
    for c in range(g.shape[0]):
        store(w, c, load(w, c) - times_sign(lr, load(g, c)))


@dataclass(frozen=True)
class OwnSign(ib.Optimizer):
    """Signs.  Source: own.

    >>> OwnSign().label
    'OwnSign'
    """

    name, mode, degrees, step = "own_sign", COORDINATE, (1,), staticmethod(_sign)

    def decays(self):
        return (0.0,)


def test_an_optimizer_of_ones_own_is_like_any_other():
    assert {check.outcome for check in ib.testing.conformance(OwnSign()) if check.name != "refuses"} == {"kept"}
    assert (end(OwnSign()) == end(ib.Signum(0.0))).all()


def _drift(w, g, state, hyper, lr, bias, units, batch):
    for c in range(g.shape[0]):
        store(w, c, load(w, c) - lr * load(g, c) + 1e-3 * c)  # knows its coordinates


@dataclass(frozen=True)
class Drifting(OwnSign):
    """Drifts.  Source: own.

    >>> Drifting().label
    'Drifting'
    """

    step = staticmethod(_drift)


def test_a_promise_that_is_broken_is_named():
    with pytest.raises(AssertionError, match=r"Drifting is not (alone|permuted)"):
        ib.testing.conformance(Drifting())

    @dataclass(frozen=True)
    class Undocumented(OwnSign):
        pass

    Undocumented.__doc__ = "Signs."
    with pytest.raises(AssertionError, match="Undocumented is not documented: its docstring lacks Source, >>>"):
        ib.testing.conformance(Undocumented())


def test_an_own_optimizer_that_lacks_something_is_told():
    def short(w, g):
        pass

    @dataclass(frozen=True)
    class Short(OwnSign):
        step = staticmethod(short)

    with pytest.raises(ib.InputError, match=r"takes \(w, g, state, hyper, lr, bias, units, batch\), not \(w, g\)"):
        end(Short())

    @dataclass(frozen=True)
    class Bare(ib.Optimizer):
        name = "bare"

    with pytest.raises(ib.InputError) as caught:
        Bare()
    assert [mistake.split(",")[0] for mistake in caught.value.mistakes] == [
        "Bare has no 'mode'", "Bare has no 'degrees'", "Bare has no 'step'"
    ]  # fmt: skip


def test_curvature_is_seen_in_one_mode_alone():
    @dataclass(frozen=True)
    class Bent(OwnSign):
        mode, evaluations = TRUE, ("batch", "curvature")

    with pytest.raises(ib.InputError, match="Bent sees the curvature, which there is in mode COORDINATE alone"):
        end(Bent())

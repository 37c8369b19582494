"""Claims about a limit: a finite run is judged by its last value and by the way it moves."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from verdict_tables import STEPS, claim_on, judged, table, values

from implicitbias.simulation.simulate import snapshot_steps
from implicitbias.store.schema import CURVES
from implicitbias.study.moving import MOVING, Octave


def curve(run_id, before, after):
    """Snapshots at an eighth, at half and at the end of a run."""
    frame = CURVES.empty_table().to_pandas()
    steps = [STEPS // 8, STEPS // 2, STEPS]
    return pd.DataFrame(
        [{"run_id": run_id, "step": s, "cos_l2": v} for s, v in zip(steps, [0.0, before, after])], columns=frame.columns
    )


def limit(*pairs, **claim):
    """The verdict on values (at t/2, at t) of runs, claimed of the limit."""
    curves = pd.concat([curve(f"r{i}", *pair) for i, pair in enumerate(pairs)], ignore_index=True)
    return claim_on(values(*(after for _, after in pairs)), curves, limit=True, **claim)


def along(*curves, per_octave=8, steps=2**17, **claim):
    """The verdict on whole curves, functions of the step, claimed of the limit."""
    clock = snapshot_steps(steps, per_octave).astype(float)
    tables = [pd.DataFrame({"run_id": f"r{i}", "step": clock, "cos_l2": f(clock)}) for i, f in enumerate(curves)]
    rows = [{"cos_l2": part["cos_l2"].iloc[-1], "step": steps, "steps": steps} for part in tables]
    return claim_on(table(*rows), pd.concat(tables).reindex(columns=CURVES.names), limit=True, **claim)


def test_a_limit_still_approached_is_undecided():
    verdict = limit((0.5, 0.6), (0.95, 0.96), at_least=0.9)
    assert (verdict.outcome, verdict.value) == ("undecided", 0.6)
    assert verdict.detail.startswith("1 of 2 runs not there, all still moving towards it; worst: ")
    assert verdict.detail.endswith("run r0: 0.5 at t/2")
    assert limit((0.6, 0.5), at_least=0.9).outcome == "fails"  # moving away
    assert limit((0.6, 0.6), at_least=0.9).outcome == "fails"
    assert limit((0.5, 0.6), (0.6, 0.6), at_least=0.9).outcome == "fails"  # one has stopped
    assert limit((0.6, 0.5), at_most=0.1).outcome == "undecided"
    assert limit((0.5, 0.6), at_most=0.1).outcome == "fails"
    assert limit((0.5, 0.6), equal=0.9, within=0.01).outcome == "undecided"
    assert limit((1.5, 1.4), equal=0.9, within=0.01).outcome == "undecided"


def test_a_limit_that_a_run_moves_away_from_is_undecided():
    verdict = limit((0.95, 0.94), (0.97, 0.98), at_least=0.9)
    assert (verdict.outcome, verdict.value) == ("undecided", 0.94)
    assert verdict.detail.startswith("all there, but 1 of 2 runs moving away; worst: ")
    assert verdict.detail.endswith("run r0: 0.95 at t/2")
    assert limit((0.94, 0.95), at_least=0.9).outcome == "holds"
    assert limit((0.9, 0.9), at_least=0.9).outcome == "holds"  # a bound itself is met
    assert limit((0.05, 0.06), at_most=0.1).outcome == "undecided"
    assert limit((0.9, 0.905), equal=0.9, within=0.01).outcome == "undecided"
    assert limit((0.905, 0.9), equal=0.9, within=0.01).outcome == "holds"
    assert limit((0.95, 0.94), (0.6, 0.5), at_least=0.9).outcome == "fails"  # whatever the others do
    assert limit((0.95, 0.94), (0.5, 0.6), at_least=0.9).outcome == "undecided"


def test_what_counts_as_moving():
    missed = 0.4  # of 0.9 at t/2
    assert limit((0.5, 0.5 + 1.5 * MOVING * missed), at_least=0.9).outcome == "undecided"
    assert limit((0.5, 0.5 + 0.5 * MOVING * missed), at_least=0.9).outcome == "fails"
    assert limit((1.3, 1.3 - 1.5 * MOVING * missed), at_least=0.9).outcome == "undecided"
    assert limit((1.3, 1.3 - 0.5 * MOVING * missed), at_least=0.9).outcome == "holds"


@pytest.mark.parametrize("exponent", [17, 40, 330])
@pytest.mark.parametrize("side, share", [(1.0, 2 / 3), (-1.0, 1 / 2)])
def test_the_slowest_law_is_seen_on_both_sides_at_any_horizon(exponent, side, share):
    """c / log t on its way through the bound at 0, at t up to 2^330 in the time of a flow."""
    time = 2.0 ** np.arange(1.0, exponent + 1.0)
    path = side * (1.0 / np.log(time) - share / np.log(time[-1]))
    curves = pd.DataFrame({"run_id": "r0", "step": np.arange(len(time)), "sum_lr": time, "cos_l2": path})
    runs = table({"cos_l2": path[-1], "time": time[-1], "sum_lr": time[-1], "step": len(time) - 1})
    verdict = claim_on(runs, curves.reindex(columns=CURVES.names), limit=True, at_least=0.0)
    assert (verdict.outcome, verdict.value > 0.0) == ("undecided", side > 0.0)


def test_a_limit_claim_needs_the_way_there():
    assert claim_on(values(0.6), limit=True, at_least=0.9).outcome == "fails"  # no curve that would excuse it
    verdict = claim_on(values(0.95), limit=True, at_least=0.9)  # and none that would support it
    assert verdict.outcome == "undecided"
    assert verdict.detail.startswith("1 of 1 runs have no value at t/2 to say which way they move; worst: ")


def test_half_way_allows_for_the_rounding_of_steps():
    runs = table({"cos_l2": 0.6, "step": 999})
    curves = curve("r0", 0.5, 0.6).assign(step=[125, 500, 999])
    assert claim_on(runs, curves, limit=True, at_least=0.9).outcome == "undecided"
    between = curves.assign(cos_l2=[0.6, 0.5, 0.6])  # not from the one before
    assert claim_on(runs, between, limit=True, at_least=0.9).outcome == "undecided"
    late = curves.assign(step=[125, 501, 999], cos_l2=[0.6, 0.5, 0.6])
    assert claim_on(runs, late, limit=True, at_least=0.9).outcome == "fails"


def test_half_way_may_be_the_first_snapshot():
    curves = curve("r0", 0.5, 0.6).iloc[1:]
    assert claim_on(values(0.6), curves, limit=True, at_least=0.9).outcome == "undecided"


# -- whole curves -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path, outcome",
    [
        (lambda t: 0.95 + 0.0 * t, "holds"),
        (lambda t: 0.95 - 1.0 / t, "holds"),
        (lambda t: 0.95 + 1.0 / t, "holds"),  # comes from inside, and has arrived
        (lambda t: 1.0 - 0.005 * np.log2(t), "undecided"),  # 0.915, and on its way out
        (lambda t: 0.95 - 0.03 * (t / 2**17) ** 3, "undecided"),  # the faster the later
        (lambda t: 0.85 + 1.0 / np.log(t + 1.0), "undecided"),
        (lambda t: 0.85 + 0.06 / (1.0 + np.exp(3.0 - np.log2(2**17 / t))), "fails"),  # out since long
    ],
)
def test_curves_without_noise(path, outcome):
    for per_octave in (1, 4, 8, 16):
        assert along(path, at_least=0.9, per_octave=per_octave).outcome == outcome


def walk(seed, correlation):
    """A stationary sequence of unit variance; `correlation` from one of 8 snapshots an octave to the next."""

    def sequence(t):
        shocks = np.random.default_rng(seed).normal(size=len(t))
        found = [shocks[0]]
        for shock in shocks[1:]:
            found.append(correlation * found[-1] + math.sqrt(1.0 - correlation**2) * shock)
        return np.array(found)

    return sequence


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.8, 0.95])
def test_noise_is_not_taken_for_moving_away(correlation):
    def path(seed, size=0.01, fall=0.0):
        noise = walk(seed, correlation)
        return lambda t: 0.95 + size * noise(t) - fall * (t / 2**17) ** 2

    alone = [along(path(seed), at_least=0.9).outcome for seed in range(60)]
    assert alone.count("holds") >= 54
    together = [along(*(path(100 * k + i) for i in range(20)), at_least=0.9).outcome for k in range(5)]
    assert together.count("holds") >= 4
    away = [along(path(seed, 0.002, 0.04), at_least=0.86).outcome for seed in range(20)]
    assert away.count("undecided") >= 12  # of noise from point to point alone it allows for too much


@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(0, 1), st.floats(1, 400), st.integers(1, 500))
def test_a_run_does_not_move_both_ways(before, after, noise, log2_t, runs):
    (claim,) = claims(at_least=0.0)
    octave = Octave(before, after, noise, log2_t)
    if after >= 0.0 and octave.leaves(claim, runs):
        assert before > after
        assert Octave(-before, -after, noise, log2_t).approaches(claim)
    still = Octave(after, after, noise, log2_t)
    assert not still.leaves(claim, runs) and not (still.approaches(claim) and after < 0.0)


def claims(**expectation):
    from verdict_tables import study_of

    return study_of(expectation).claim


# -- a run that is known to go elsewhere ------------------------------------------------------------------------------


def test_adam_with_a_fixed_eps_on_its_way_from_linf_to_l2():
    """It has a cosine of 0.935 with the l_inf direction after 19278 steps, of 0.956 at half, and ends at 0.82."""
    claim = """
        [[claim]]
        says = "a"
        source = "b"
        measure = "inc_cos_linf"
        where = { steps = %d }
        at_least = 0.9
        limit = true
    """
    (before, early, on_its_way, later), _ = judged(
        """
        title = "t"
        [data.gaussian]
        n = 4
        d = 6
        [optimizer.adam]
        eps = 1e-5
        lr = 0.01
        [[grid]]
        order = "full"
        steps = [8192, 16210, 19278, 32768]
        limit = "none"
        """
        + "".join(claim % steps for steps in (8192, 16210, 19278, 32768))
    )
    assert before.outcome == "holds"  # it moved towards it for as long as anyone can see
    assert (early.outcome, on_its_way.outcome, later.outcome) == ("undecided", "undecided", "fails")
    assert on_its_way.value == pytest.approx(0.9355, abs=1e-4) and on_its_way.detail.endswith("0.955822 at t/2")

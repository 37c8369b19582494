"""Rates on made-up curves, whose exponent is known."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from implicitbias.simulation.simulate import snapshot_steps
from implicitbias.store.schema import CURVES, RUNS
from implicitbias.study.claims import verdicts
from implicitbias.study.fits import ABOVE, BLOCKS, Fit, deviations, fit_line, fit_runs, mean_fit
from implicitbias.study.keys import Claim
from implicitbias.study.spec import parse_study

HORIZON = 2**17
STEPS = snapshot_steps(HORIZON, 8).astype(float)
LAW = {"says": "a", "source": "b", "measure": "1 - ratio_l2", "against": "step"}


def gaps(*curves, **columns):
    """The tables of runs whose gaps 1 - ratio_l2 are these curves over STEPS."""
    runs, parts = [], []
    for i, gap in enumerate(curves):
        gap = np.broadcast_to(np.asarray(gap, float), STEPS.shape)
        curve = pd.DataFrame({"run_id": f"r{i}", "step": STEPS, "ratio_l2": 1.0 - gap, "angle_l2": gap} | columns)
        parts.append(curve.reindex(columns=CURVES.names))
        runs.append({"run_id": f"r{i}", "data": "x", "label": "NGD", "order": "full", "batch": 4, "data_seed": i,
                     "status": "ok", "gap_l2": 0.0, "gamma_l2": 2.0, "step": HORIZON, "steps": HORIZON})  # fmt: skip
    empty = CURVES.empty_table().to_pandas()
    return pd.DataFrame(runs, columns=RUNS.names), pd.concat(parts) if parts else empty


def rate(tables, **claim):
    study = {"title": "t", "data": {"iris": {}}, "optimizer": {"sgd": {}}, "grid": [{}], "claim": [LAW | claim]}
    (verdict,) = verdicts(parse_study(study), *tables)
    return verdict


def fit_of(tables, **claim):
    (fit,) = fit_runs(Claim(**LAW | {"equal": 0, "within": 0} | claim), *tables).values()
    return fit


# -- laws -------------------------------------------------------------------------------------------------------------


@given(st.floats(-2.0, 2.0), st.floats(-3.0, 0.0), st.floats(2.0, 8.0))
def test_an_exact_power_law(p, level, octaves):
    curve = gaps(10.0**level * (STEPS / HORIZON) ** p)
    fit = fit_of(curve, measure="angle_l2", octaves=octaves)
    assert fit.slope == pytest.approx(p, abs=1e-9)
    assert max(fit.error, abs(fit.drift), fit.drift_error) < 1e-9
    assert fit.start[0] == pytest.approx(math.log(HORIZON) - octaves * math.log(2), abs=0.12)
    assert fit.end == pytest.approx((math.log(HORIZON), level * math.log(10.0)))
    assert fit.reach == pytest.approx(2.0 * 17.0 / octaves - 1.0)
    law = {"measure": "angle_l2", "octaves": octaves, "within": 1e-6}
    assert rate(curve, equal=p, **law).outcome == "holds"
    for wrong in (p - 0.05, p + 0.05):
        assert rate(curve, equal=wrong, **law).outcome == "fails"


@pytest.mark.parametrize(
    "claim, gap, slope",
    [
        ({"against": "log step"}, 0.3 / np.log(STEPS.clip(2.0)), -1.0),
        ({"against": "step", "law": "exponential"}, 0.5 * np.exp(-1e-4 * STEPS), -1e-4),
        ({"against": "sum_lr"}, 0.1 / STEPS, -2.0),  # sum_lr is the root of the steps, below
        ({"against": "log sum_lr"}, 0.1 / np.log(STEPS.clip(2.0)) ** 2, -2.0),
        ({"against": "step", "measure": "log_loss"}, 0.1, -3.0),
        ({"against": "step", "measure": "log_loss", "law": "exponential"}, 0.1, None),
        ({"against": "step", "measure": "-log_loss"}, 0.1, None),
        ({"against": "norm_l2", "measure": "-min_margin"}, 0.1, 1.5),
        ({"against": "norm_l2", "measure": "min_margin - norm_linf"}, 0.1, None),
    ],
)
def test_laws_and_axes(claim, gap, slope):
    tables = gaps(gap, sum_lr=STEPS**0.5, log_loss=-3.0 * np.log(STEPS), min_margin=-(STEPS**1.5), norm_l2=STEPS,
                  norm_linf=STEPS**1.6)  # fmt: skip
    if claim.get("measure") == "min_margin - norm_linf":  # never positive: no logarithm
        assert (
            rate(tables, at_most=0, **claim).detail == "all 1 runs have no 6 octaves of the measure above its rounding"
        )
    elif slope is None:
        assert rate(tables, equal=-3.0, within=0.01, **claim).outcome == "fails"
    else:
        assert fit_of(tables, **claim).slope == pytest.approx(slope, rel=1e-9)
        assert rate(tables, equal=slope, within=1e-3 * abs(slope), **claim).outcome == "holds"
        assert rate(tables, equal=1.2 * slope, within=0.1 * abs(slope), **claim).outcome == "fails"


def test_the_window_is_the_last_octaves():
    bent = np.where(STEPS < HORIZON / 16, 0.5, 0.5 * (16 * STEPS / HORIZON) ** -1.0)
    assert fit_of(gaps(bent), octaves=4).slope == pytest.approx(-1.0)
    assert fit_of(gaps(bent), octaves=8).slope > -0.9
    assert fit_of(gaps(bent), octaves=4).points == 33


def test_what_a_claim_expects_and_measures_in_words():
    verdict = rate(gaps(STEPS**-0.5, 2 * STEPS**-0.4), equal=-0.5, within=0.2, octaves=3)
    assert verdict.expected == "slope of log(1 - ratio_l2) against log(step), last 3 octaves, = -0.5 +- 0.2"
    assert verdict.value == pytest.approx(-0.4)
    assert "; slopes -0.500000 to -0.400000 over 2 runs; worst: x seed 1, NGD, full, batch 4, run r1" in verdict.detail
    assert verdict.detail.startswith("± ")
    assert set(verdict.fits) == {"r0", "r1"}
    assert rate(gaps(STEPS**-0.5), at_most=0, against="log step", over="mean").expected == (
        "mean of slope of log(1 - ratio_l2) against log(log step), last 6 octaves, <= 0"
    )


# -- curves that follow no law exactly --------------------------------------------------------------------------------


def test_behind_a_logarithm_the_slope_drifts_and_nothing_is_settled():
    curve = gaps(np.log(STEPS.clip(2.0)) / STEPS)
    fit = fit_of(curve)
    assert -1.0 < fit.slope < -0.85 and fit.drifts and fit.drift < 0
    verdict = rate(curve, equal=-1.0, within=0.02)
    assert (verdict.outcome, verdict.detail[:41]) == ("undecided", "1 of 1 runs open, the slope still drifts;")
    assert rate(curve, equal=-1.0, within=0.2).outcome == "holds"
    assert rate(curve, at_most=-0.5).outcome == "holds"
    assert rate(curve, equal=-0.5, within=0.1).outcome == "fails"  # it drifts away from there
    assert rate(curve, at_most=-2.0).outcome == "fails"  # and not fast enough to there


def noise(seed, correlation):
    """A stationary Gaussian sequence with unit variance over STEPS."""
    shocks = np.random.default_rng(seed).normal(size=len(STEPS))
    found = [shocks[0]]
    for shock in shocks[1:]:
        found.append(correlation * found[-1] + math.sqrt(1.0 - correlation**2) * shock)
    return np.array(found)


@pytest.mark.parametrize("correlation", [0.0, 0.6, 0.8])
def test_the_error_bar_covers_the_exponent_under_correlated_noise(correlation):
    fits = [fit_of(gaps(STEPS**-0.7 * np.exp(0.1 * noise(seed, correlation)))) for seed in range(200)]
    misses = np.array([(fit.slope + 0.7) / fit.error for fit in fits])
    assert (np.abs(misses) < deviations(1)).mean() > 0.85
    mean_square = np.mean([fit.error**2 for fit in fits])
    assert math.sqrt(mean_square) == pytest.approx(np.std([fit.slope for fit in fits]), rel=0.35)
    assert np.mean([fit.drifts for fit in fits]) < 0.15


def test_noise_rarely_makes_a_claim_fail_however_many_runs_it_is_about():
    noisy = [gaps(*(0.1 * STEPS**-0.7 * np.exp(0.2 * noise(100 * k + i, 0.5)) for i in range(16))) for k in range(20)]
    for claim, least in [({}, 17), ({"over": "mean"}, 17)]:
        outcomes = [rate(tables, equal=-0.7, within=0.001, **claim).outcome for tables in noisy]
        assert outcomes.count("undecided") >= least and "holds" not in outcomes
    for tables in noisy:
        assert rate(tables, equal=-0.2, within=0.1).outcome == "fails"
        assert rate(tables, equal=-0.7, within=0.1, over="mean").outcome == "holds"
    means = [rate(tables, equal=-0.4, within=0.1, over="mean").outcome for tables in noisy]
    assert means.count("fails") >= 17 and "holds" not in means  # a drift of two errors is one in 20


@given(st.floats(0.5, 12.0), st.floats(0.0, 6.3), st.floats(0.05, 0.5), st.sampled_from([-1.0, -0.5]))
def test_oscillation_never_makes_a_true_exponent_fail(frequency, phase, amplitude, p):
    curve = gaps(0.1 * STEPS**p * (1.0 + amplitude * np.sin(frequency * np.log(STEPS) + phase)))
    # slower than the window it is no oscillation but another slope, for all that anyone can see
    assume(frequency * 6 * math.log(2) > 4 * math.pi)
    assert rate(curve, equal=p, within=0.05).outcome != "fails"


# -- rounding and what is missing -------------------------------------------------------------------------------------


def test_the_window_ends_before_rounding():
    random = np.random.default_rng(0)
    gap = STEPS**-3.0 + 1e-15 * random.normal(size=len(STEPS))
    fit = fit_of(gaps(gap))
    assert fit.slope == pytest.approx(-3.0, abs=1e-3)
    assert math.exp(fit.end[1]) > ABOVE
    assert fit_of(gaps(gap), above=1e-9).end[1] > math.log(1e-9)
    assert rate(gaps(gap), equal=-3.0, within=0.01).outcome == "holds"
    assert rate(gaps(gap), equal=-3.0, within=0.01, octaves=15).outcome == "undecided"  # not so many above it


def test_the_window_ends_where_the_certificate_of_the_optimum_does():
    runs, curves = gaps(STEPS**-1.0)
    runs["gap_l2"] = 2.0 * 1e-5  # gamma = 2: a relative error of 1e-5
    assert math.exp(fit_of((runs, curves)).end[1]) == pytest.approx(1e-4, rel=0.1)
    assert math.exp(fit_of((runs, curves), measure="angle_l2").end[1]) == pytest.approx(1.0 / HORIZON)
    runs["gap_l2"] = math.nan
    assert math.exp(fit_of((runs, curves)).end[1]) == pytest.approx(1.0 / HORIZON)


def test_a_curve_that_starts_late_or_breaks_off():
    late = np.where(STEPS < 64, np.nan, STEPS**-1.0)
    assert rate(gaps(late), equal=-1, within=0.01).outcome == "holds"
    assert rate(gaps(np.where(STEPS < HORIZON / 8, np.nan, late)), equal=-1, within=0.01).outcome == "undecided"
    broken = np.where((STEPS > 2**13) & (STEPS < 2**14), 0.0, late)  # what follows may be chosen by luck
    assert fit_of(gaps(broken)).end[0] <= math.log(2**13) + 1e-9


@pytest.mark.parametrize("law", [{}, {"law": "exponential"}, {"over": "mean"}, {"against": "log step"}])
def test_no_claim_holds_or_fails_on_nothing(law):
    for tables, words in [
        (gaps(), "no run matches the filter"),
        (gaps(np.nan), "all 1 runs have no 6 octaves of the measure above its rounding"),
        (gaps(0.0, -1.0), "all 2 runs have no 6 octaves of the measure above its rounding"),
        ((gaps(0.5)[0], gaps()[1]), "all 1 runs have no 6 octaves of the measure above its rounding"),
    ]:
        for expectation in ({"at_least": -1e9}, {"at_most": -1e9}, {"equal": 0.0, "within": 1e9}):
            verdict = rate(tables, **law, **expectation)
            assert (verdict.outcome, verdict.detail) == ("undecided", words)
            assert math.isnan(verdict.value) and not verdict.fits


def test_the_window_of_a_flow_is_in_time():
    time = 2.0 ** np.linspace(-10.0, 330.0, len(STEPS))
    runs, curves = gaps(1.0 / np.log(time.clip(2.0)), sum_lr=time)
    claim = {"against": "log sum_lr", "octaves": 200, "equal": -1.0, "within": 1e-6}
    assert rate((runs, curves), **claim).outcome == "undecided"  # its steps have no 200 octaves
    assert rate((runs.assign(time=time[-1]), curves), **claim).outcome == "holds"


def test_a_run_without_a_fit_leaves_it_open_unless_another_decides():
    tables = gaps(STEPS**-1.0, np.nan)
    assert rate(tables, equal=-1.0, within=0.1).outcome == "undecided"
    assert rate(tables, equal=-1.0, within=0.1, over="mean").outcome == "undecided"
    assert rate(tables, equal=-2.0, within=0.1, over="mean").outcome == "undecided"
    verdict = rate(tables, equal=-2.0, within=0.1)
    assert (verdict.outcome, verdict.runs) == ("fails", 2)
    assert verdict.detail.startswith("1 of 2 have no 6 octaves of the measure above its rounding; ±")


def test_a_line_needs_points_in_every_piece_and_an_abscissa_that_moves():
    x = np.arange(2.0 * BLOCKS)
    assert fit_line(x[1:], x[1:]) is None
    assert fit_line(np.zeros_like(x), x) is None
    assert fit_line(np.minimum(x, BLOCKS), x) is None  # the later half stands still
    assert fit_line(x, 3.0 - 2.0 * x) == Fit(-2.0, 0.0, 0.0, 0.0, (0.0, 3.0), (15.0, -27.0), 16)


def test_a_fit_keeps_its_digits_far_from_zero():
    x = 1e9 + np.arange(32.0)
    fit = fit_line(x, -1e-3 * (x - 1e9))
    assert fit.slope == pytest.approx(-1e-3, rel=1e-9) and fit.error < 1e-12


# -- several fits ------------------------------------------------------------------------------------------------------


def test_one_failing_run_fails_the_claim_and_an_open_one_leaves_it_open():
    good, bad, open_ = STEPS**-1.0, STEPS**-0.5, np.log(STEPS.clip(2.0)) / STEPS
    expected = {(0,): "holds", (0, 1): "fails", (0, 2): "undecided", (0, 1, 2): "fails", (1, 2): "fails"}
    for chosen, outcome in expected.items():
        curves = [(good, bad, open_)[i] for i in chosen]
        verdict = rate(gaps(*curves), equal=-1.0, within=0.05)
        assert (verdict.outcome, verdict.runs) == (outcome, len(chosen))
        decider = {"holds": 0, "fails": 1, "undecided": 2}[outcome]
        assert verdict.detail.endswith(f"run r{chosen.index(decider)}")


def test_the_mean_of_fits_covers_both_sources_of_error():
    same = [Fit(-1.0, 0.1, 0.2, 0.3)] * 4
    assert mean_fit(same) == Fit(-1.0, 0.05, 0.2, 0.15)
    apart = [Fit(p, 0.0, 0.0, 0.0) for p in (-1.0, -0.5)]
    assert mean_fit(apart) == Fit(-0.75, 0.25, 0.0, 0.0)
    assert mean_fit(apart[:1]) == apart[0]


def test_fits_do_not_depend_on_the_order_of_the_rows():
    runs, curves = gaps(*(STEPS**p * np.exp(0.1 * noise(i, 0.5)) for i, p in enumerate((-1.0, -0.5, -0.2))))
    mixed = curves.sample(frac=1.0, random_state=0)
    claim = Claim(**LAW, equal=0, within=0)
    assert fit_runs(claim, runs, mixed) == fit_runs(claim, runs, curves)
    for i, (name, fit) in enumerate(fit_runs(claim, runs, curves).items()):
        assert fit_runs(claim, runs.iloc[[i]], curves) == {name: fit}

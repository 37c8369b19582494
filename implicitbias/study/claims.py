"""Verdicts: what the table of runs says about the claims of a study.

A claim selects runs (`where`, study.filters), looks at a measure at their end, and expects it at_least / at_most /
equal within. `over` says whether every run must satisfy it ("each", the default: the worst one decides) or their mean.
With `across`, runs that agree in all but that column form a group (study.groups), and the measure is compared in it:

    measure = "direction"       least cosine between the final iterates w(t) of a group
    measure = "inc_direction"   least cosine between the increments w(t) - w(t/2) of a group
    any other                   largest minus smallest value in a group

A measure is a column of the table, "-a", the difference "a - b" of two, or "1 - a". The outcome is one of

    holds       every run, every group or their mean meets the expectation
    fails       a run, a group or the mean does not
    undecided   the runs do not tell

by these rules:

    nothing     A claim on no runs is undecided, and so is one on runs of which none has the measure.
    failures    A run counts if it ended ok. One that did not (diverged, non_finite, timeout, not_separable, error), or
                has not been computed yet, supports nothing and refutes nothing, and is counted and named in the
                verdict. So where every run must meet the expectation, one such run leaves open what would hold, and
                where a mean must, it leaves that open; a group with such a run says nothing. The same goes for a run
                without the measure. A claim may be about such runs: if its filter names `status`, what it selects
                counts however it ended.
    limit       With `limit = true` a claim is about t -> infinity: it is undecided while every run that misses it
                approaches it, and while a run that meets it leaves it (study.moving).
    rate        With `against` it is about the slope of the measure against that column on logarithmic axes, fitted to
                each run (study.fits), and judged with its error and its drift (study.rates).
"""

import math
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from implicitbias.errors import InputError
from implicitbias.study import rates
from implicitbias.study.expand import measures_of
from implicitbias.study.expected import expectation, slack
from implicitbias.study.filters import select
from implicitbias.study.fits import Fit, fit_runs, window
from implicitbias.study.formula import values as measured
from implicitbias.study.groups import across
from implicitbias.study.mistakes import claim_mistakes
from implicitbias.study.moving import last_octaves
from implicitbias.study.naming import name_among
from implicitbias.study.spec import Claim, Study


@dataclass(frozen=True)
class Verdict:
    """The outcome of a claim: "holds", "fails" or "undecided"; the number of runs behind it; the deciding value."""

    claim: Claim
    outcome: str
    runs: int
    value: float
    detail: str
    fits: dict[str, Fit] = field(default_factory=dict, repr=False)  # of a rate, by run_id

    @property
    def expected(self) -> str:
        return expectation(self.claim)


def verdicts(study: Study, runs: pd.DataFrame, curves: pd.DataFrame) -> list[Verdict]:
    """The verdict on every claim of a study.

    Arguments
        study   the study
        runs    its table of runs, as from `load_runs`; rows that are not there are taken for no part of the study
        curves  its table of snapshots, as from `load_curves`

    Errors: ``InputError`` for a claim that names an unknown measure or column.
    """
    mistakes: list[str] = []
    measures = measures_of(study.measures, study.norms, mistakes)
    mistakes += claim_mistakes({f"claim.{position}": claim for position, claim in enumerate(study.claim)}, measures)
    if mistakes:
        raise InputError(mistakes)
    return [_verdict(claim, study, runs, curves) for claim in study.claim]


def _verdict(claim: Claim, study: Study, runs: pd.DataFrame, curves: pd.DataFrame) -> Verdict:
    chosen = select(runs, claim.where)
    count = len(chosen)
    if chosen.empty:
        return Verdict(claim, "undecided", 0, math.nan, "no run matches the filter")
    counts = (chosen["status"] == "ok") | ("status" in claim.where)
    left_out = ", ".join(f"{n} {status}" for status, n in chosen.loc[~counts, "status"].value_counts().items())
    if not counts.any():
        return Verdict(claim, "undecided", count, math.nan, f"none of the {count} runs ended ok: {left_out}")
    ended = chosen[counts]
    if claim.against is not None:
        outcome, value, detail, lacking, fits = _of_rate(claim, ended, curves)
    else:
        outcome, value, detail, lacking, fits = *_of_values(claim, study, chosen, counts, curves), {}
    if left_out:
        lacking = [f"{len(ended)} of {count} runs; {left_out} left out", *lacking]
    if lacking and (outcome == "holds" or claim.over == "mean"):
        outcome = "undecided"
    return Verdict(claim, outcome, count, value, "; ".join([*lacking, detail]), fits)


def _of_values(
    claim: Claim, study: Study, chosen: pd.DataFrame, counts: pd.Series, curves: pd.DataFrame
) -> tuple[str, float, str, list[str]]:
    """Outcome, deciding value and detail for values at the end of runs, and what is said of those that have none."""
    what, among = "worst", chosen[counts]
    if claim.across:
        values, members = across(claim, chosen, counts, study)
        if values.empty:
            return "undecided", math.nan, f"no two of the {len(chosen)} runs differ in {claim.across} alone", []
        what, among = f"worst of {len(values)} groups", chosen
    else:
        values = measured(claim.measure, among)
    known = values[np.isfinite(values)]
    unit = "groups" if claim.across else "runs"
    if known.empty:
        return "undecided", math.nan, f"none of the {len(values)} {unit} has the measure", []
    lacking = [f"{len(values) - len(known)} of {len(values)} lack the measure"] * (len(known) < len(values))
    alone = f"; {len(chosen) - members} runs are in no group" if claim.across and members < len(chosen) else ""
    if claim.over == "mean":
        value = float(known.mean())
        spread = f", standard deviation {known.std(ddof=1):.2g}" if len(known) > 1 else ""
        outcome = "holds" if slack(claim, value) >= 0.0 else "fails"
        return outcome, value, f"mean over {len(known)} {unit}{spread}{alone}", lacking
    slacks = known.map(lambda value: slack(claim, value))
    worst = slacks.idxmin()
    outcome, way = "holds" if slacks[worst] >= 0.0 else "fails", ()
    if claim.limit:
        outcome, worst, *way = _of_limit(claim, slacks, among, curves)
    detail = "; ".join([*way[:1], f"{what}: {name_among(chosen.loc[worst], among)}{alone}"])
    return outcome, float(known[worst]), ": ".join([detail, *way[1:]]), lacking


def _of_limit(
    claim: Claim, slacks: pd.Series, runs: pd.DataFrame, curves: pd.DataFrame
) -> tuple[str, object, *tuple[str, ...]]:
    """Outcome for a claim about a limit, the place of the run that decides, how the runs move, and where it was."""
    missed = slacks[slacks < 0.0]
    concerned = missed if len(missed) else slacks
    worst = concerned.idxmin()
    octaves = last_octaves(claim, runs.loc[concerned.index], curves)
    if len(missed):
        if not all(place in octaves and octaves[place].approaches(claim) for place in missed.index):
            return "fails", worst
        words = f"{len(missed)} of {len(slacks)} runs not there, all still moving towards it"
        return "undecided", worst, words, f"{octaves[worst].before:.6g} at t/2"
    unseen = [place for place in slacks.index if place not in octaves]
    if unseen:
        words = f"{len(unseen)} of {len(slacks)} runs have no value at t/2 to say which way they move"
        return "undecided", slacks[unseen].idxmin(), words
    leaving = [place for place, octave in octaves.items() if octave.leaves(claim, len(slacks))]
    if leaving:
        worst = slacks[leaving].idxmin()
        words = f"all there, but {len(leaving)} of {len(slacks)} runs moving away"
        return "undecided", worst, words, f"{octaves[worst].before:.6g} at t/2"
    return "holds", worst


def _of_rate(
    claim: Claim, ended: pd.DataFrame, curves: pd.DataFrame
) -> tuple[str, float, str, list[str], dict[str, Fit]]:
    """Outcome, slope and detail for the slopes of runs, what is said of those that have none, and the fits."""
    fits = fit_runs(claim, ended, curves)
    lack = f"have no {window(claim):g} octaves of the measure above its rounding"
    if not fits:
        return "undecided", math.nan, f"all {len(ended)} runs {lack}", [], fits
    lacking = [f"{len(ended) - len(fits)} of {len(ended)} {lack}"] * (len(fits) < len(ended))
    if claim.over == "mean":
        return *rates.over_mean(claim, list(fits.values())), lacking, fits
    outcome, worst, detail = rates.over_each(claim, fits)
    run = ended[ended["run_id"] == worst].iloc[0]
    return outcome, fits[worst].slope, f"{detail}; worst: {name_among(run, ended)}", lacking, fits

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
    limit       A claim on a direction or a ratio (cos_, angle_, ratio_, with inc_ before them or not, and `direction`)
                is about t -> infinity, unless `limit = false` says that it is about the end of the runs; on another
                measure it is with `limit = true`. It is undecided while every run that misses it approaches it, and
                while a run that meets it leaves it (study.moving); so for groups and means.
    horizon     With `horizon = 1e6` a claim is about runs of so many updates (or of so long a time): it is undecided
                on runs with another, and says so.
    control     With `control = { where = { ... } }` the same is asked of other runs, of which an assumption does not
                hold; they are expected to miss the expectation, and the verdict says whether they do.
    pairs       With `than = { ... }` each run is compared with its partner, the run on the same data and in the same
                setting that the filter with these changes selects (study.pairs): the value is that of the run less that
                of its partner, at the end of both. One without a partner, or with several, has no value.
    rate        With `against` it is about the slope of the measure against that column on logarithmic axes, fitted to
                each run (study.fits), and judged with its error and its drift (study.rates). With `across` beside it,
                it is about the slope within each group, from the ends of its runs: measure = "1 - inc_ratio_linf",
                across = "beta", against = "1 - beta" is the power of 1 - beta.
"""

import math
from dataclasses import dataclass, field, replace
from itertools import takewhile

import numpy as np
import pandas as pd

from implicitbias.errors import InputError
from implicitbias.measure import Shape
from implicitbias.study import rates
from implicitbias.study.expand import measures_of
from implicitbias.study.expected import decided, expectation, slack
from implicitbias.study.filters import select
from implicitbias.study.fits import Fit, fit_runs, window
from implicitbias.study.groups import VECTORS, across, whole
from implicitbias.study.keys import Claim, Study
from implicitbias.study.mistakes import claim_mistakes, controlled, with_controls
from implicitbias.study.moving import last_octaves, of_group, of_mean
from implicitbias.study.naming import name_among
from implicitbias.study.pairs import measured

# How the part of a detail begins that names what has decided.
_DECIDED = ("worst", "mean over", "slope", "±", "the control")


@dataclass(frozen=True)
class Verdict:
    """The outcome of a claim: "holds", "fails" or "undecided"; the number of runs behind it; the deciding value; the
    verdict on its control, if it has one."""

    claim: Claim
    outcome: str
    runs: int
    value: float
    detail: str
    control: "Verdict | None" = None
    fits: dict[str, Fit] = field(default_factory=dict, repr=False)  # of a rate, by run_id

    @property
    def expected(self) -> str:
        return expectation(self.claim)

    @property
    def found(self) -> str:
        """The deciding number in a few words, with why the runs do not tell where they do not."""
        way = "; ".join(takewhile(lambda part: not part.startswith(_DECIDED), self.detail.split("; ")))
        if math.isnan(self.value):
            return way
        slopes = [fit.slope for fit in self.fits.values()]
        range_ = f"slopes {min(slopes):.4f} to {max(slopes):.4f}" if slopes else ""
        words = range_ or f"{decided(self.claim)} {self.value:.6g}"
        words = f"{words} of {self.runs:,} run{'s' * (self.runs != 1)}"
        return f"{words}; {way}" if way and self.outcome == "undecided" else words


def verdicts(study: Study, runs: pd.DataFrame, curves: pd.DataFrame, objective: str | None = None) -> list[Verdict]:
    """The verdict on every claim of a study.

    Arguments
        study      the study
        runs       its table of runs, as from `Store.table`; rows that are not there are taken for no part of the study
        curves     its table of snapshots, as from `Store.table`
        objective  the form of its objectives, None of data

    Errors: ``InputError`` for a claim that names an unknown measure or column.
    """
    mistakes: list[str] = []
    measures = measures_of(study, ("k" in runs, objective), _shapes(runs), mistakes)
    places = {f"claim.{position}": claim for position, claim in enumerate(study.claim)}
    mistakes += claim_mistakes(with_controls(places), measures)
    if mistakes:
        raise InputError(mistakes)
    runs = whole(runs)
    return [_with_control(claim, study, runs, curves) for claim in study.claim]


def _shapes(runs: pd.DataFrame) -> set[Shape]:
    """(n, d, number of classes or None) of the data of the runs."""
    names = ["n", "d", *["k"] * ("k" in runs)]
    known = runs[names].dropna().astype(int) if set(names) <= set(runs) else runs.iloc[:0, :0]
    return {(*shape, None)[:3] for shape in known.itertuples(index=False, name=None)}


def _with_control(claim: Claim, study: Study, runs: pd.DataFrame, curves: pd.DataFrame) -> Verdict:
    """The verdict on a claim, with that on its control in words."""
    found = _verdict(claim, study, runs, curves)
    if claim.control is None:
        return found
    control = _verdict(controlled(claim), study, runs, curves)
    told = {"holds": "holds too, which it should not", "fails": "fails, as it should"}
    words = told.get(control.outcome, "is undecided")
    name = f"the control ({claim.control.says})" if claim.control.says else "the control"
    return replace(found, detail=f"{found.detail}; {name} {words}: {control.value:.6g}", control=control)


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
    if claim.along_runs:
        outcome, value, detail, lacking, fits = _of_rate(claim, ended, curves)
    else:
        outcome, value, detail, lacking, fits = *_of_values(claim, study, runs, chosen, counts, curves), {}
    if left_out:
        lacking = [f"{len(ended)} of {count} runs; {left_out} left out", *lacking]
    if lacking and (outcome == "holds" or claim.over == "mean"):
        outcome = "undecided"
    if claim.horizon is not None and (others := _other_horizons(claim.horizon, ended)):
        lacking = [f"the claim is about a horizon of {claim.horizon:g}, and its runs have {others}", *lacking]
        outcome = "undecided"
    return Verdict(claim, outcome, count, value, "; ".join([*lacking, detail]), fits=fits)


def _other_horizons(horizon: float, runs: pd.DataFrame) -> str:
    """The horizons of runs in words, updates or the time of a flow, if they are not all this one."""
    found = sorted(set(runs["steps"].astype(float).fillna(runs["time"].astype(float))))
    return "" if found == [float(horizon)] else ", ".join(f"{value:g}" for value in found)


def _of_values(
    claim: Claim, study: Study, runs: pd.DataFrame, chosen: pd.DataFrame, counts: pd.Series, curves: pd.DataFrame
) -> tuple[str, float, str, list[str]]:
    """Outcome, deciding value and detail for values at the end of runs, and what is said of those that have none."""
    what, among, groups = "worst", chosen[counts], {}
    if claim.across:
        values, groups = across(claim, chosen, counts, study)
        if values.empty:
            return "undecided", math.nan, f"no two of the {len(chosen)} runs differ in {claim.across} alone", []
        what, among = f"worst of {len(values)} groups", chosen
    else:
        values = measured(claim, among, runs)
    known = values[np.isfinite(values)]
    unit = "groups" if claim.across else "runs"
    if known.empty:
        return "undecided", math.nan, f"none of the {len(values)} {unit} has the measure", []
    lacking = [f"{len(values) - len(known)} of {len(values)} lack the measure"] * (len(known) < len(values))
    members = sum(map(len, groups.values()))
    alone = f"; {len(chosen) - members} runs are in no group" if claim.across and members < len(chosen) else ""
    octaves = _octaves(claim, known, among, groups, curves) if claim.about_limit else {}
    if claim.over == "mean":
        value = float(known.mean())
        spread = f", standard deviation {known.std(ddof=1):.2g}" if len(known) > 1 else ""
        outcome, way = "holds" if slack(claim, value) >= 0.0 else "fails", ()
        if claim.about_limit:
            mean = {0: of_mean(list(octaves.values()))} if len(octaves) == len(known) else {}
            outcome, _, *way = _of_limit(claim, pd.Series({0: slack(claim, value)}), mean, "means")
        way = f"; {': '.join(way)}".replace("1 of 1 means", "the mean") if way else ""
        return outcome, value, f"mean over {len(known)} {unit}{spread}{alone}{way}", lacking
    slacks = known.map(lambda value: slack(claim, value))
    worst = slacks.idxmin()
    outcome, way = "holds" if slacks[worst] >= 0.0 else "fails", ()
    if claim.about_limit:
        outcome, worst, *way = _of_limit(claim, slacks, octaves, unit)
    detail = "; ".join([*way[:1], f"{what}: {name_among(chosen.loc[worst], among)}{alone}"])
    return outcome, float(known[worst]), ": ".join([detail, *way[1:]]), lacking


def _octaves(claim: Claim, known: pd.Series, among: pd.DataFrame, groups: dict, curves: pd.DataFrame) -> dict:
    """The last octave of each run, or group, with a value; of those that have one at t/2."""
    if not groups:
        return last_octaves(claim, among.loc[known.index], curves)
    chosen = {place: groups[place] for place in known.index}
    runs = pd.concat(chosen.values())
    own = {} if claim.measure in VECTORS else last_octaves(claim, runs, curves)
    found = {place: of_group(claim, group, own) for place, group in chosen.items()}
    return {place: octave for place, octave in found.items() if octave is not None}


def _of_limit(claim: Claim, slacks: pd.Series, octaves: dict, unit: str) -> tuple[str, object, *tuple[str, ...]]:
    """Outcome for a claim about a limit, the place of the run that decides, how the runs move, and where it was."""
    missed = slacks[slacks < 0.0]
    concerned = missed if len(missed) else slacks
    worst = concerned.idxmin()
    if len(missed):
        if not all(place in octaves and octaves[place].approaches(claim) for place in missed.index):
            return "fails", worst
        words = f"{len(missed)} of {len(slacks)} {unit} not there, all still moving towards it"
        return "undecided", worst, words, f"{octaves[worst].before:.6g} at t/2"
    unseen = [place for place in slacks.index if place not in octaves]
    if unseen and claim.limit:  # otherwise the end of the runs has to do
        words = f"{len(unseen)} of {len(slacks)} {unit} have no value at t/2 to say which way they move"
        return "undecided", slacks[unseen].idxmin(), words
    leaving = [place for place, octave in octaves.items() if octave.leaves(claim, len(slacks))]
    if leaving:
        worst = slacks[leaving].idxmin()
        words = f"all there, but {len(leaving)} of {len(slacks)} {unit} moving away"
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

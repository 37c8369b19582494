"""Verdicts: what the table of runs says about the claims of a study.

A claim selects runs (`where`), looks at a measure at their end, and expects it at_least / at_most / equal within.
`over` says whether every run must satisfy it ("each", the default: the worst one decides) or their mean. With `across`,
runs that agree in all but that column form a group, and the measure is compared within the group:

    measure = "direction"       least cosine between the final iterates w(t) of a group
    measure = "inc_direction"   least cosine between the increments w(t) - w(t/2) of a group
    any other                   largest minus smallest value in a group

A measure is a column of the table, "-a", the difference "a - b" of two, or "1 - a". The outcome is "undecided" when no
run matches, or when a run that would decide failed or has no such measure; a claim never holds on nothing.

With `limit = true` the claim is about t -> infinity. A finite run can show that only so far: if every run that misses
the expectation is still moving towards it, the claim is undecided, not failed.

With `against` the claim is about a rate: the slope of the measure against that column on logarithmic axes, fitted to
each run as study.fits says. A run meets the expectation if the whole band of its fit does, and fails it if the whole
band is outside and the slope does not drift towards the expectation; anything else is undecided.
"""

import json
import math
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa

from implicitbias.errors import InputError, one_of
from implicitbias.store import Store
from implicitbias.store.schema import CURVES, RUNS
from implicitbias.study.fits import LOG, Fit, axis_names, decimals, fit_runs, mean_fit, window
from implicitbias.study.formula import columns
from implicitbias.study.formula import values as measured
from implicitbias.study.spec import Claim, Study, axis

_NUMERIC = [field.name for field in RUNS if str(field.type) in ("double", "int64")]
# What tells two runs apart, beside their results.
_IDENTITY = RUNS.names[RUNS.names.index("data") : RUNS.names.index("status")]
_CURVE_COLUMNS = [name for name in _NUMERIC if name in CURVES.names]
_PREFIX = "data."  # where = {"data.alpha" = 1.0} looks into the parameters of the data
_SCALARS = [field.name for field in RUNS if not pa.types.is_list(field.type)]
# What runs can differ in alone: other data or another kind of optimizer would change several columns at once.
_AXES = [name for name in _IDENTITY if name not in ("data", "data_kind", "data_params", "data_seed", "data_digest", "n",
                                                    "d", "optimizer", "optimizer_kind", "label")]  # fmt: skip
# Columns that may follow the axis a group runs across.
_FOLLOWERS = {name: ("label", "lr_eta", "steps") for name in ("batch", "lr_eta", "steps")} | {"order": ("remainder",)}
_VECTORS = {"direction": "w", "inc_direction": "increment"}  # columns of the table
# A run is still moving when from t/2 to t it made up this share of what it missed at t/2. A gap that shrinks like
# 1/log t, the slowest law in this field, makes up 5% at t = 10^6.
MOVING = 0.02
# A slope is still moving when its drift is more than this share of what is missed. Behind a
# logarithm, t^-1 log t, it is 18% at t = 10^6 in a window of 6 octaves.
DRIFTING = 0.1


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
        runs    its table of runs, as from `load_runs`; rows may be missing
        curves  its table of snapshots, as from `load_curves`

    Errors: ``InputError`` for a claim that names an unknown measure or column.
    """
    mistakes = claim_mistakes({f"claim.{position}": claim for position, claim in enumerate(study.claim)})
    if mistakes:
        raise InputError(mistakes)
    return [_verdict(claim, runs, curves) for claim in study.claim]


def judge(study: Study, store: Store, runs: pd.DataFrame) -> list[Verdict]:
    """The verdicts of a study on its stored results; of the curves only what its claims look at is read."""
    return verdicts(study, runs, store.table("curves", curve_columns(study)).to_pandas())


def curve_columns(study: Study) -> list[str]:
    """The columns of the curves that the claims look at: none but the id without a claim about a limit or a rate."""
    found = ["run_id"]
    for claim in study.claim:
        if claim.limit or claim.against is not None:
            against = [claim.against.removeprefix(LOG)] if claim.against is not None else []
            found += ["step", "sum_lr", *(columns(claim.measure) or ()), *against]
    return [name for name in dict.fromkeys(found) if name in CURVES.names]


def claim_mistakes(claims: dict[str, Claim]) -> list[str]:
    """Every unknown measure, filter or axis of the claims, each under the name of its place."""
    mistakes = []
    for where, claim in claims.items():
        names = columns(claim.measure)
        if names is None or (names != [claim.measure] and set(names) & set(_VECTORS)):
            mistakes.append(f"{where}.measure must be a column or the difference of two, not {claim.measure!r}")
            names = []
        for name in names:
            if name not in _NUMERIC and not (name in _VECTORS and claim.across):
                mistakes.append(f"{where}.measure: {one_of(name, 'measure', _NUMERIC)}")
            elif claim.limit and (claim.across or claim.over == "mean" or name not in CURVES.names):
                mistakes.append(f"{where}.limit: needs a measure of the curves, over each run and not across runs")
            elif claim.against is not None and name not in _CURVE_COLUMNS and name not in _VECTORS:
                mistakes.append(f"{where}.measure: {name!r} has no curve, which a claim with against needs")
        mistakes += _rate_mistakes(where, claim)
        for name in claim.where:
            if name not in _SCALARS and not name.startswith(_PREFIX):
                mistakes.append(f"{where}.where: {one_of(name, 'column', _SCALARS)}")
            elif any(isinstance(value, (dict, list)) for value in axis(claim.where[name])) and name in _SCALARS:
                words = '; a parameter of the data is written "data.NAME", in quotes' * (name == "data")
                mistakes.append(f"{where}.where.{name} must be a value or a list, not {claim.where[name]!r}{words}")
        if claim.across is not None and claim.across not in _AXES:
            mistakes.append(f"{where}.across: {one_of(claim.across, 'column', _AXES)}")
    return mistakes


def _rate_mistakes(where: str, claim: Claim) -> list[str]:
    """What is wrong with the keys of a rate."""
    if claim.against is None:
        given = [name for name in ("law", "octaves", "above") if getattr(claim, name) is not None]
        return [f"{where}.{name}: goes with against, the column that a slope is taken against" for name in given]
    mistakes = []
    column = claim.against.removeprefix(LOG)
    if column not in _CURVE_COLUMNS:
        mistakes.append(f"{where}.against: {one_of(column, 'column', _CURVE_COLUMNS)}")
    if claim.law == "exponential" and column != claim.against:
        mistakes.append(f"{where}.law: an exponential law against {claim.against!r} is a power law against {column!r}")
    if claim.octaves is not None and claim.octaves < 1:
        mistakes.append(f"{where}.octaves must be >= 1, but is {claim.octaves!r}")
    if claim.above is not None and claim.above < 0:
        mistakes.append(f"{where}.above must be >= 0, but is {claim.above!r}")
    if claim.limit:
        mistakes.append(f"{where}.limit: a slope is about the limit already; leave limit out of a claim with against")
    if claim.across is not None:
        mistakes.append(f"{where}.across: a slope is fitted to each run; leave across out of a claim with against")
    return mistakes


def expectation(claim: Claim) -> str:
    """What the claim expects, in a line: "cos_l2 >= 0.999"."""
    name = claim.measure
    if claim.across:
        what = f"least cosine of {_VECTORS[name]}" if name in _VECTORS else f"range of {name}"
        name = f"{what} across {claim.across}"
    if claim.against is not None:
        y, x = axis_names(claim)
        name = f"slope of {y} against {x}, last {window(claim):g} octaves,"
    if claim.over == "mean":
        name = f"mean of {name}"
    if claim.at_least is not None:
        return f"{name} >= {claim.at_least:g}"
    if claim.at_most is not None:
        return f"{name} <= {claim.at_most:g}"
    return f"{name} = {claim.equal:g} +- {claim.within:g}"


def select(runs: pd.DataFrame, where: dict) -> pd.DataFrame:
    """The rows in which every named column has the value, or one of the values, given."""
    keep = np.ones(len(runs), bool)
    for name, wanted in where.items():
        if name.startswith(_PREFIX):
            params = map(json.loads, runs["data_params"])
            found = [row.get(name.removeprefix(_PREFIX)) for row in params]
            keep &= np.array([value == wanted or value in axis(wanted) for value in found], bool)
        else:
            keep &= runs[name].isin(axis(wanted)).to_numpy()
    return runs[keep]


def _verdict(claim: Claim, runs: pd.DataFrame, curves: pd.DataFrame) -> Verdict:
    chosen = select(runs, claim.where)
    if chosen.empty:
        return Verdict(claim, "undecided", 0, math.nan, "no run matches the filter")
    if claim.against is not None:
        return _rate_verdict(claim, chosen, fit_runs(claim, chosen, curves))
    values = _across(claim, chosen) if claim.across else measured(claim.measure, chosen)
    known = values[np.isfinite(values)]
    if known.empty:
        return Verdict(claim, "undecided", len(chosen), math.nan, f"none of the {len(chosen)} runs has the measure")
    if claim.over == "mean":
        value = float(known.mean())
        spread = f", standard deviation {known.std(ddof=1):.2g}" if len(known) > 1 else ""
        detail = f"mean over {len(known)} runs{spread}"
        slack = _slack(claim, value)
    else:
        slacks = known.map(lambda value: _slack(claim, value))
        worst = slacks.idxmin()
        value, slack = float(known[worst]), slacks[worst]
        detail = f"worst: {_name(chosen.loc[worst])}"
        if slack < 0.0 and claim.limit:
            missed = slacks[slacks < 0.0]
            before = _half_way(claim, chosen.loc[missed.index], curves)
            if (missed > (1.0 - MOVING) * before.map(lambda value: _slack(claim, value))).all():
                words = f"{len(missed)} of {len(known)} runs not there, all still moving towards it; {detail}"
                return Verdict(claim, "undecided", len(chosen), value, f"{words}: {before[worst]:.4g} at t/2")
    missing = len(values) - len(known)
    if missing and (slack >= 0.0 or claim.over == "mean"):
        return Verdict(claim, "undecided", len(chosen), value, f"{missing} of {len(values)} lack the measure; {detail}")
    return Verdict(claim, "holds" if slack >= 0.0 else "fails", len(chosen), value, detail)


def _slack(claim: Claim, value: float) -> float:
    """How far inside the expectation a value is; negative outside."""
    if claim.at_least is not None:
        return value - claim.at_least
    if claim.at_most is not None:
        return claim.at_most - value
    return claim.within - abs(value - claim.equal)


def _rate_verdict(claim: Claim, chosen: pd.DataFrame, fits: dict[str, Fit]) -> Verdict:
    """The verdict on a rate, from the fits of the chosen runs that have one."""
    count, missing = len(chosen), len(chosen) - len(fits)
    lack = f"have no {window(claim):g} octaves of the measure above its rounding"
    if not fits:
        return Verdict(claim, "undecided", count, math.nan, f"all {count} runs {lack}")
    if claim.over == "mean":
        fit = mean_fit(list(fits.values()))
        outcome, value = _judge(claim, fit), fit.slope
        detail = f"{fit}; mean over {len(fits)} runs"
    else:
        found = {name: _judge(claim, fit, len(fits)) for name, fit in fits.items()}
        outcome = next(word for word in ("fails", "undecided", "holds") if word in found.values())
        # the run that misses most of those that decide
        deciding = [name for name, word in found.items() if word == outcome]
        worst = min(deciding, key=lambda name: min(_slack(claim, end) for end in fits[name].band()))
        fit, value = fits[worst], fits[worst].slope
        slopes = [item.slope for item in fits.values()]
        ends = (f"{end:.{decimals(fit.error)}f}" for end in (min(slopes), max(slopes)))
        several = f"; slopes {' to '.join(ends)} over {len(fits)} runs" * (len(fits) > 1)
        detail = f"{fit}{several}; worst: {_name(chosen[chosen['run_id'] == worst].iloc[0])}"
        if outcome == "undecided":
            why = "the slope still drifts" if fit.drifts else "the error is too large"
            detail = f"{len(deciding)} of {len(fits)} runs open, {why}; {detail}"
    if missing:
        detail = f"{missing} of {count} {lack}; {detail}"
        if outcome == "holds" or claim.over == "mean":
            outcome = "undecided"
    return Verdict(claim, outcome, count, value, detail, fits)


def _judge(claim: Claim, fit: Fit, runs: int = 1) -> str:
    """The outcome for one slope of so many: where its whole band is, or that it is not settled."""
    band = fit.band(runs)
    slacks = [_slack(claim, end) for end in band]
    if min(slacks) >= 0.0:
        return "holds"
    inside = claim.equal is not None and band[0] <= claim.equal <= band[1]
    if max(slacks) >= 0.0 or inside:
        return "undecided"
    missed = -_slack(claim, fit.slope)
    gained = _slack(claim, fit.slope + fit.drift) + missed
    return "undecided" if fit.drifts and gained > DRIFTING * missed else "fails"


def _half_way(claim: Claim, runs: pd.DataFrame, curves: pd.DataFrame) -> pd.Series:
    """The measure of each run at its last snapshot up to half its steps, or time, indexed as the runs."""
    ends = runs.set_index("run_id")
    flow = ends["time"].notna()  # its clock is t: its steps are those of an integrator
    half = ends["sum_lr"].where(flow, ends["step"] + 1.0) / 2.0
    early = curves.join(pd.DataFrame({"flow": flow, "half": half}), on="run_id", how="inner")
    early["clock"] = early["sum_lr"].where(early["flow"], early["step"])
    early = early[early["clock"] <= early["half"] * (1.0 + 1e-9)]
    last = early.sort_values("clock").drop_duplicates("run_id", keep="last").set_index("run_id")
    return measured(claim.measure, last).reindex(runs["run_id"]).set_axis(runs.index)


def _across(claim: Claim, runs: pd.DataFrame) -> pd.Series:
    """One value for each group of runs that differ in the column `across` alone, indexed by a run of the group."""
    free = {claim.across, *_FOLLOWERS.get(claim.across, ("label",))}
    keys = [name for name in _IDENTITY if name not in free]
    found = {}
    for _, group in runs.groupby(keys, dropna=False, sort=False):
        if group[claim.across].nunique() < 2:
            continue  # nothing to compare with
        if claim.measure in _VECTORS:
            found[group.index[-1]] = _least_cosine(group[_VECTORS[claim.measure]])
        else:
            values = measured(claim.measure, group)
            found[group.index[-1]] = float(values.max() - values.min()) if values.notna().all() else math.nan
    return pd.Series(found, dtype=float)


def _least_cosine(weights: pd.Series) -> float:
    if weights.isna().any():
        return math.nan
    w = np.array(weights.tolist())
    w /= np.linalg.norm(w, axis=1, keepdims=True)
    return float((w @ w.T).min())


def _name(run: pd.Series) -> str:
    seed = "" if pd.isna(run["data_seed"]) else f" seed {run['data_seed']:g}"
    return f"{run['data']}{seed}, {run['label']}, {run['order']}, batch {run['batch']}, run {run['run_id']}"

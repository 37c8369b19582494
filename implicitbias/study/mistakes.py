"""What is wrong with the claims of a study, before anything is run."""

import difflib

import pandas as pd
import pyarrow as pa

from implicitbias.errors import one_of
from implicitbias.measure import Measures
from implicitbias.store.schema import STATUSES, USUAL, schemas
from implicitbias.study.expand import RunSpec
from implicitbias.study.filters import PARAMETER, columns_of, laws_of, same, select, values_of
from implicitbias.study.fits import LOG
from implicitbias.study.formula import columns
from implicitbias.study.groups import AXES, SPECIFICATION, VECTORS
from implicitbias.study.keys import Claim, axis
from implicitbias.study.rows import naming, size
from implicitbias.study.step_sizes import schedule, step_columns, written

# Columns of a run that are known before it is run.
_SHAPE = ("n", "d", "k")
PLANNED = ("run_id", "data", "data_kind", "data_params", "data_seed", *_SHAPE, "optimizer", "label", *SPECIFICATION)
MOST_VALUES = 8  # of a column that are told


class Names:
    """The columns that a claim or a figure may name: of the tables with these measures."""

    def __init__(self, measures: Measures):
        runs, curves = schemas(measures).values()
        self.numeric = [field.name for field in runs if str(field.type) in ("double", "int64")]
        self.curves = [name for name in self.numeric if name in curves.names]
        self.scalars = [field.name for field in runs if not pa.types.is_list(field.type)]


def claim_mistakes(claims: dict[str, Claim], measures: Measures = USUAL) -> list[str]:
    """Every unknown measure, filter or axis of the claims, each under the name of its place."""
    mistakes, known = [], Names(measures)
    for where, claim in claims.items():
        names = columns(claim.measure)
        if (
            names is None
            or any(set(name) & set("/*+()") for name in names)
            or (names != [claim.measure] and set(names) & set(VECTORS))
        ):
            mistakes.append(f"{where}.measure must be a column or the difference of two, not {claim.measure!r}")
            names = []
        for name in names:
            if name not in known.numeric and not (name in VECTORS and claim.across):
                mistakes.append(f"{where}.measure: {one_of(name, 'measure', known.numeric)}")
            elif claim.limit and name not in known.curves and name != "direction":
                mistakes.append(f"{where}.limit: {name!r} has no value at t/2 to say which way a run moves")
            elif claim.along_runs and name not in known.curves and name not in VECTORS:
                mistakes.append(f"{where}.measure: {name!r} has no curve, which a claim with against needs")
        mistakes += _rate_mistakes(where, claim, known.curves, known.numeric)
        for name in claim.where:
            if name not in known.scalars and not name.startswith(PARAMETER):
                mistakes.append(f"{where}.where: {one_of(name, 'column', known.scalars)}")
            elif name == "lr":
                for value in axis(claim.where[name]):
                    schedule(value, f"{where}.where.lr", mistakes)
            elif any(isinstance(value, (dict, list)) for value in axis(claim.where[name])) and name in known.scalars:
                words = '; a parameter of the data is written "data.NAME", in quotes' * (name == "data")
                mistakes.append(f"{where}.where.{name} must be a value or a list, not {claim.where[name]!r}{words}")
            elif name == "status":
                words = [value for value in axis(claim.where[name]) if value not in STATUSES]
                mistakes += [f"{where}.where.status: {one_of(word, 'status', STATUSES)}" for word in words]
        if claim.across is not None and claim.across not in AXES:
            mistakes.append(f"{where}.across: {one_of(claim.across, 'column', AXES)}")
        elif claim.width is not None and claim.across not in known.numeric:
            mistakes.append(f"{where}.width: {claim.across!r} has no decades, its values are no numbers")
        if claim.width is not None and claim.measure in VECTORS:
            mistakes.append(f"{where}.measure: {claim.measure!r} is no number, which has a least value")
    return mistakes


def with_controls(claims: dict[str, Claim]) -> dict[str, Claim]:
    """The claims, each followed by its control and by its partners."""
    found = {}
    for where, claim in claims.items():
        found[where] = claim
        if claim.control is not None:
            found[f"{where}.control"] = controlled(claim)
        if claim.than is not None:
            found[f"{where}.than"] = claim.model_copy(update={"where": claim.where | claim.than, "control": None})
    return found


def controlled(claim: Claim) -> Claim:
    """The control of a claim as a claim: its filter in the place of, or beside, that of the claim."""
    return claim.model_copy(update={"where": claim.where | claim.control.where, "control": None})


def _rate_mistakes(where: str, claim: Claim, curves: list[str], numeric: list[str]) -> list[str]:
    """What is wrong with the keys of a rate."""
    if claim.against is None:
        given = [name for name in ("law", "octaves", "above") if getattr(claim, name) is not None]
        return [f"{where}.{name}: goes with against, the column that a slope is taken against" for name in given]
    if claim.across is not None:
        return _power_mistakes(where, claim, numeric)
    mistakes = []
    column = claim.against.removeprefix(LOG)
    if column not in curves:
        mistakes.append(f"{where}.against: {one_of(column, 'column', curves)}")
    if claim.law == "exponential" and column != claim.against:
        mistakes.append(f"{where}.law: an exponential law against {claim.against!r} is a power law against {column!r}")
    if claim.octaves is not None and claim.octaves < 1:
        mistakes.append(f"{where}.octaves must be >= 1, but is {claim.octaves!r}")
    if claim.above is not None and claim.above < 0:
        mistakes.append(f"{where}.above must be >= 0, but is {claim.above!r}")
    if claim.limit:
        mistakes.append(f"{where}.limit: a slope is about the limit already; leave limit out of a claim with against")
    return mistakes


def _power_mistakes(where: str, claim: Claim, numeric: list[str]) -> list[str]:
    """What is wrong with the keys of a power law within groups."""
    given = [name for name in ("law", "octaves", "above") if getattr(claim, name) is not None]
    mistakes = [f"{where}.{name}: goes with the slope of a run; leave it out of a claim with across" for name in given]
    names = columns(claim.against)
    if names is None:
        mistakes.append(f"{where}.against must be a column or the difference of two, not {claim.against!r}")
    mistakes += [f"{where}.against: {one_of(x, 'column', numeric)}" for x in names or () if x not in numeric]
    if claim.measure in VECTORS:
        mistakes.append(f"{where}.measure: {claim.measure!r} is no number, which a slope is of")
    return mistakes


class Planned:
    """The filters of claims against the runs of a plan: a value that no run has is a slip of the keyboard.

    It keeps the distinct values of the columns that the filters name, not the runs.
    """

    def __init__(self, claims: dict[str, Claim]):
        self.claims = claims
        names = {name for claim in claims.values() for name in claim.where}
        self.columns = sorted({column for name in names for column in columns_of(name)} & set(PLANNED))
        self._rows: dict[tuple, None] = {}

    def add(self, run: RunSpec) -> None:
        if self.columns:
            row = _planned(run)
            self._rows[tuple(row.get(name) for name in self.columns)] = None

    def mistakes(self) -> list[str]:
        """Every value, and every combination of values, that no run has."""
        table = pd.DataFrame(list(self._rows), columns=self.columns, dtype=object)
        return [word for where, claim in self.claims.items() for word in unmet(f"{where}.where", claim.where, table)]


def _planned(run: RunSpec) -> dict:
    """The columns of a run that are known before it is run."""
    return {
        "run_id": run.run_id,
        **naming(run.data),
        "data_digest": run.data.digest,
        **size(run.data),
        "optimizer": run.optimizer_name,
        "optimizer_kind": run.optimizer.name,
        "label": run.optimizer.label,
        **vars(run.optimizer),
        **step_columns(run.lr),
        **vars(run.setting),
        "limit_method": run.limit,
    }


def unmet(where: str, wanted: dict, table: pd.DataFrame, run: str = "run of the study") -> list[str]:
    """Every value of a filter, and every combination of them, that no row has; what is no column of the table counts
    for nothing."""
    known = {name: value for name, value in wanted.items() if set(columns_of(name)) <= set(table)}
    mistakes = []
    for name, value in known.items():
        # Of a list each value must be there, unless it is itself the value of a parameter; of a range one.
        lists = name != "lr" and any(isinstance(found, list) for found in values_of(table, name))
        whole = not isinstance(value, list) or (lists and not any(isinstance(item, list) for item in value))
        for item in [value] if whole else value:
            if select(table, {name: [item] if isinstance(item, list) else item}).empty:
                mistakes.append(f"{where}.{name}: no {run} has {item!r}; {_hint(name, item, table)}")
    if known and not mistakes and select(table, known).empty:
        words = ", ".join(f"{name} = {value!r}" for name, value in known.items())
        mistakes.append(f"{where}: no {run} has all of {words}")
    return mistakes


def _hint(name: str, value, table: pd.DataFrame) -> str:
    """What would be right in the place of a value that no run has."""
    if name == "seed":
        return "the seed of the data is data_seed"
    if name == "lr":
        laws = [law for law in dict.fromkeys(laws_of(table)) if law is not None]
        return f"its runs have {', '.join(map(written, laws[:MOST_VALUES])) or 'none at all'}"
    found = []
    for item in values_of(table, name):
        if item is not None and not any(same(item, other) for other in found):
            found.append(item)
    near = difflib.get_close_matches(str(value), [str(item) for item in found], n=1) if isinstance(value, str) else []
    if near:
        return f"did you mean {near[0]!r}?"
    if not found:
        return "its runs have none at all"
    return f"its runs have {', '.join(map(repr, found[:MOST_VALUES]))}{', ...' * (len(found) > MOST_VALUES)}"

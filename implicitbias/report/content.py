"""What a report says: figures with their pictures, tables, verdicts. Words and layout are the page's."""

import gc
from dataclasses import dataclass, field, replace
from functools import cached_property

import pandas as pd

from implicitbias.errors import InputError
from implicitbias.figures.draw import draw, image
from implicitbias.figures.parts import Figure
from implicitbias.figures.table import label_runs, needed, with_parameters
from implicitbias.margins.norms import followed
from implicitbias.measure import Measures
from implicitbias.report import rates, tables
from implicitbias.report.chosen import MAX_FIGURES, chosen, columns_of_curves, distinct
from implicitbias.report.claimed import claimed
from implicitbias.store import Store
from implicitbias.study.claims import Verdict
from implicitbias.study.expected import decided, slack
from implicitbias.study.filters import select
from implicitbias.study.groups import across
from implicitbias.study.keys import Claim, Study
from implicitbias.study.pairs import less, measured
from implicitbias.study.stored import curve_columns, judge

MAX_PLAIN = 20000  # runs whose snapshots are drawn; of more, some data sets
_OF_CLAIM = ["run_id", "status", "geometry", "data_seed", "method", "order", "batch", "limit_method"]


@dataclass(frozen=True)
class Picture:
    """A figure of the page, and its SVG."""

    number: int
    figure: Figure
    image: bytes = field(repr=False)
    width: float = 7.0  # inches

    @property
    def file(self) -> str:
        return f"{self.figure.name}.svg"


@dataclass(frozen=True)
class Content:
    """Everything on the page of a study.

    Attributes
        study, text, identity   the study, its TOML text, and what the folder says it holds
        measures    what is measured of the runs
        runs        the table of runs, as from `label_runs`
        outcomes    the verdicts
        deciding    how many of the figures are those of claims and of the study's own
        figures     in their order on the page
        left_out    names of figures that there is no room for
    """

    study: Study
    text: str
    identity: dict
    measures: Measures
    runs: pd.DataFrame
    outcomes: list[Verdict]
    deciding: int
    figures: list[Picture]
    left_out: list[str]
    remarks: list[str]

    @cached_property
    def results(self) -> pd.DataFrame:
        return tables.results(self.runs, tables.final(self.measures))

    @cached_property
    def predictions(self) -> pd.DataFrame:
        return tables.predictions(self.runs)

    @property
    def norms(self) -> tuple[str, ...]:
        """Those whose margins are measured."""
        return self.measures.norms if "margins" in self.measures.groups else ()

    @cached_property
    def separators(self) -> pd.DataFrame:
        return tables.separators(self.runs, self.norms)

    @cached_property
    def slopes(self) -> pd.DataFrame:
        return pd.DataFrame(rates.table(self.runs, self.outcomes))

    @cached_property
    def verdicts(self) -> pd.DataFrame:
        rows = [
            {"claim": number, "outcome": v.outcome, "says": v.claim.says, "source": v.claim.source,
             "standing": v.claim.standing, "expected": v.expected, "measured": v.value, "runs": v.runs,
             "decided_by": v.detail, "found": v.found, "control": v.control.found if v.control else "",
             "control_outcome": v.control.outcome if v.control else "", "remark": v.claim.remark}
            for number, v in enumerate(self.outcomes, start=1)
        ]  # fmt: skip
        return pd.DataFrame(rows)

    @cached_property
    def of_claims(self) -> list[pd.DataFrame]:
        """The runs that each claim speaks of, those nearest to refuting it first."""
        return [_runs_of(verdict, self.runs, self.study) for verdict in self.outcomes]

    def frames(self) -> dict[str, pd.DataFrame]:
        """The tables of the page that have rows."""
        names = ("verdicts", "results", "predictions", "slopes", "separators")
        return {name: getattr(self, name) for name in names if len(getattr(self, name))}

    def files(self) -> dict[str, bytes]:
        """The tables as CSV files."""
        frames = self.frames() | {f"claim_{k}": rows for k, rows in enumerate(self.of_claims, start=1) if len(rows)}
        return {
            f"{name}.csv": frame.to_csv(index=False, lineterminator="\n").encode() for name, frame in frames.items()
        }


def content(study: Study, store: Store, *, pictures: bool = True) -> Content:
    """The content of a report; without `pictures` its figures are not drawn.

    Errors: ``InputError`` if a claim or figure names an unknown column.
    """
    raw = store.runs()
    outcomes = judge(study, store, raw) if study.claim else []
    runs = label_runs(raw)
    asked, found, remarks = drawn(study, store, runs, outcomes)
    rest = [figure for figure in found if figure not in asked]
    room = max(0, MAX_FIGURES - len(asked))
    shown = [*asked, *rest[:room]]
    shown = _named_apart(shown)
    made = _pictures(shown) if pictures else [Picture(number, f, b"") for number, f in enumerate(shown, start=1)]
    return Content(study, store.text(), store.identity(), store.measures, runs, outcomes, len(asked), made,
                   [figure.title for figure in rest[room:]], remarks)  # fmt: skip


def _pictures(figures: list[Figure]) -> list[Picture]:
    """The figures, drawn. A drawing is a hundred thousand objects that stay until it is done: looking through them for
    garbage, again and again, would take a quarter of the time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        found = []
        for number, figure in enumerate(figures, start=1):
            made = draw(figure)
            found.append(Picture(number, figure, image(made, "svg"), made.get_figwidth()))
        return found
    finally:
        if collecting:
            gc.enable()


def _named_apart(figures: list[Figure]) -> list[Figure]:
    """Figures of which no two have the same file."""
    names: dict[str, int] = {}
    found = []
    for figure in figures:
        names[figure.name] = count = names.get(figure.name, 0) + 1
        found.append(figure if count == 1 else replace(figure, name=f"{figure.name}-{count}"))
    return found


def drawn(
    study: Study, store: Store, runs: pd.DataFrame, outcomes: list
) -> tuple[list[Figure], list[Figure], list[str]]:
    """The figures of claims and of the study's own, all figures, and what is said of those that cannot be drawn."""
    from implicitbias.figures.own import own
    from implicitbias.study.figures import along, figure_mistakes

    wrong = figure_mistakes(
        {f"figure.{position}": figure for position, figure in enumerate(study.figure)},
        store.measures,
    )
    if wrong:
        raise InputError(wrong)
    rows = with_parameters(runs)
    ok = rows[rows["status"] == "ok"]
    if ok.empty:
        return [], [], []
    mine = [name for f in study.figure if along(f) for y in f.y for name in (*needed(y), f.x or "step", "epoch")]
    towards = followed(store.measures.norms, store.measures.matrices)
    wanted = dict.fromkeys([*columns_of_curves(towards), *curve_columns(study, store.measures), *mine])
    names = [name for name in wanted if name in store.schemas["curves"].names]
    ids = None
    if len(ok) > MAX_PLAIN:  # the snapshots of 100000 runs would be some GB
        fits = {name for verdict in outcomes for name in verdict.fits}
        ids = sorted({*ok["run_id"].iloc[:: -(-len(ok) // MAX_PLAIN)], *fits})
    curves = store.table("curves", names, ids=ids)
    frame = curves.to_pandas() if mine or any(verdict.fits for verdict in outcomes) else None
    asked, remarks = claimed(study, rows, frame, outcomes), []
    for request in study.figure:
        try:
            asked.append(own(request, ok, frame))
        except InputError as error:
            remarks.append(f"The figure {request.title or ', '.join(request.y)!r} is not drawn: {error}.")
    seen: set = set()
    asked = distinct(asked, seen)
    return asked, [*asked, *distinct(chosen(ok, curves, towards, MAX_FIGURES - len(asked)), seen)], remarks


def _of_groups(claim: Claim, chosen: pd.DataFrame, study: Study) -> pd.Series:
    """The value of the group that a run is in, NaN where it is in none."""
    counts = (chosen["status"] == "ok") | ("status" in claim.where)
    known, groups = across(claim, chosen, counts, study)
    values_ = pd.Series(float("nan"), chosen.index)
    for place, group in groups.items():
        values_[group.index] = known[place]
    return values_


def _runs_of(verdict: Verdict, runs: pd.DataFrame, study: Study) -> pd.DataFrame:
    claim = verdict.claim
    chosen = select(runs, claim.where)
    found = chosen[_OF_CLAIM].copy()
    if claim.along_runs:
        found["slope"] = [
            verdict.fits[name].slope if name in verdict.fits else float("nan") for name in found["run_id"]
        ]
        column = "slope"
    elif claim.across:
        column = decided(claim).removeprefix("mean of ").removeprefix("worst ")
        found[column] = _of_groups(claim, chosen, study)
    else:
        column = less(claim)
        found[column] = measured(claim, chosen, runs)
    order = found[column].map(lambda value: slack(claim, value), na_action="ignore")
    return found.loc[order.sort_values(kind="stable", na_position="last").index]

"""A page a claim: what is said and by whom, in which setting, what was measured, and how to see it again."""

import base64
import math
from collections.abc import Iterator
from pathlib import Path
from shlex import quote

import pandas as pd

from implicitbias.figures.words import method
from implicitbias.report.content import Content, Picture
from implicitbias.report.links import linked
from implicitbias.report.templates import template
from implicitbias.store.schema import run_columns
from implicitbias.study.claims import Verdict
from implicitbias.study.filters import select
from implicitbias.study.formula import columns
from implicitbias.study.shipped import shipped

MOST_VALUES = 12  # of a column of the setting that are told
MOST_ROWS = 200  # runs on the page; its CSV file has all
_SETTING = {
    "geometry": "data",
    "method": "optimizer",
    "order": "order",
    "batch": "batch size",
    "steps": "updates",
    "time": "time",
    "loss": "loss",
    "limit_method": "prediction",
}


def claim_pages(content: Content, folder: Path) -> dict[str, str]:
    """The pages by the names of their files, "1.html" and so on in the order of the study, for a results folder."""
    pages = enumerate(content.outcomes, start=1)
    return {f"{number}.html": _page(content, folder, number, verdict) for number, verdict in pages}


def _page(content: Content, folder: Path, number: int, verdict: Verdict) -> str:
    claim, rows = verdict.claim, content.of_claims[number - 1]
    runs = select(content.runs, claim.where)
    control = verdict.control
    column = next((name for name in rows.columns[-1:] if rows[name].dtype.kind == "f"), None)
    picture = next((item for item in content.figures if number in item.figure.claims and item.image), None)
    return template("claim.html.j2").render(
        study=content.study,
        number=number,
        total=len(content.outcomes),
        claim=claim,
        verdict=verdict,
        source=linked(claim.source),
        measured=verdict.found,
        expected=verdict.expected,
        where=", ".join(f"{name} = {told(value)}" for name, value in claim.where.items()),
        control=control and {
            "says": claim.control.says, "outcome": control.outcome, "measured": control.found,
            "where": ", ".join(f"{name} = {told(value)}" for name, value in claim.control.where.items()),
        },
        terms=_terms(claim.measure, content),
        setting=list(_setting(runs)),
        figure=picture and picture.figure,
        source_of_figure=picture and embedded(picture),
        commands=_commands(content, folder, rows),
        column=column or "",
        rows=[cells(row, column) for row in rows.head(MOST_ROWS).to_dict("records")],
        rows_total=len(rows),
    )  # fmt: skip


def told(value) -> str:
    """The value of a filter in words."""
    if isinstance(value, dict) and set(value) == {"from", "to"}:
        return f"{value['from']} to {value['to']}"
    return " or ".join(map(str, value)) if isinstance(value, list) else str(value)


def _terms(measure: str, content: Content) -> list[tuple[str, str]]:
    """What the columns of a measure are."""
    says = {column.name: column.says for column in run_columns(content.measures)}
    return [(name, says[name]) for name in columns(measure) or () if name in says]


def _setting(runs: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """What the runs of a claim are, as (name, values)."""
    for column, name in _SETTING.items():
        values = [value for value in runs[column].dropna().unique() if value != "none"]
        if not values:
            continue
        words = [f"{v:g}" if isinstance(v, float) else method(v) if column == "method" else str(v) for v in values]
        more = f" and {len(words) - MOST_VALUES} more" if len(words) > MOST_VALUES else ""
        yield name, "; ".join(words[:MOST_VALUES]) + more
    seeds = runs[["data_seed", "seed"]].drop_duplicates()
    yield "seeds", f"{runs['data_seed'].nunique(dropna=True)} of the data, {len(seeds)} with those of the batch order"


def _commands(content: Content, folder: Path, rows: pd.DataFrame) -> list[str]:
    """How to run the study again, judge it, and compute the run that decides, from where the report was written."""
    name, place = content.identity["study"], quote(folder.as_posix())
    study = f"studies/{name}.toml" if name in shipped() else f"{name}.toml"
    out = "" if folder == Path("results") / name else f" --out {place}"
    options = out + "".join(f" --set {quote(text)}" for text in content.identity.get("settings", []))
    found = [f"implicitbias run {quote(study)}{options}", f"implicitbias check {place}"]
    return [*found, *(f"implicitbias reproduce {run} --in {place}" for run in rows["run_id"].head(1))]


def cells(row: dict, column: str | None) -> list[str]:
    """A run of a claim as the cells of a table, its value of the column last."""
    value = row[column] if column else math.nan
    return [
        row["run_id"], row["status"], row["geometry"], _number(row["data_seed"]), row["method"], row["order"],
        _number(row["batch"]), f"{value:.6g}" if math.isfinite(value) else "–",
    ]  # fmt: skip


def _number(value) -> str:
    return "–" if pd.isna(value) else f"{value:g}"


def embedded(picture: Picture) -> str:
    """A picture as the source of an image that needs no file."""
    return f"data:image/svg+xml;base64,{base64.b64encode(picture.image).decode()}"

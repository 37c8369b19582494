"""A page a claim: what is said and by whom, in which setting, what was measured, and how to see it again."""

import base64
import math
from collections.abc import Iterator
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


def claim_pages(content: Content) -> dict[str, str]:
    """The pages by the names of their files, "1.html" and so on in the order of the study."""
    return {f"{number}.html": _page(content, number, verdict) for number, verdict in enumerate(content.outcomes, 1)}


def _page(content: Content, number: int, verdict: Verdict) -> str:
    claim, rows = verdict.claim, content.of_claims[number - 1]
    runs = select(content.runs, claim.where)
    control = verdict.control
    folder, settings = content.identity["study"], content.identity.get("settings", [])
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
        picture=picture and _source(picture),
        commands=_commands(folder, settings, rows),
        column=column or "",
        rows=[_row(row, column) for row in rows.head(MOST_ROWS).to_dict("records")],
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


def _commands(study: str, settings: list[str], rows: pd.DataFrame) -> list[str]:
    folder, options = quote(f"results/{study}"), "".join(f" --set {quote(text)}" for text in settings)
    found = [f"implicitbias run {quote(f'studies/{study}.toml')}{options}", f"implicitbias check {folder}"]
    return [*found, *(f"implicitbias reproduce {name} --in {folder}" for name in rows["run_id"].head(1))]


def _row(row: dict, column: str | None) -> list[str]:
    value = row[column] if column else math.nan
    return [
        row["run_id"], row["status"], row["geometry"], _number(row["data_seed"]), row["method"], row["order"],
        _number(row["batch"]), f"{value:.6g}" if math.isfinite(value) else "–",
    ]  # fmt: skip


def _number(value) -> str:
    return "–" if pd.isna(value) else f"{value:g}"


def _source(picture: Picture) -> dict:
    return {
        "data": f"data:image/svg+xml;base64,{base64.b64encode(picture.image).decode()}",
        "title": picture.figure.title,
        "caption": picture.figure.caption,
    }

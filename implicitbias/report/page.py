"""The page of the report: what it says in words and tables. Only text goes in; the template escapes all of it."""

import math

import pandas as pd

from implicitbias.figures.draw import WIDTHS
from implicitbias.figures.table import needed
from implicitbias.figures.words import spread
from implicitbias.report import tables
from implicitbias.report.claim_pages import cells, embedded, told
from implicitbias.report.content import Content
from implicitbias.report.links import linked
from implicitbias.report.templates import template
from implicitbias.store.schema import RIVALS, run_columns
from implicitbias.study.expected import OUTCOMES

MAX_ROWS = 120
MAX_OF_CLAIM = 12  # runs of a claim on the page; its CSV file has all
MAX_FAILURES = 30
MAX_MESSAGE = 300
OPEN = 2  # figures by what varies that are not folded
WIDE = 880  # pixels of a figure on a wide page


def render(content: Content, stamp: str) -> str:
    """The page as HTML. Arguments: content, as from `content.content`; stamp, of what it is made from."""
    runs, results, failed = content.runs, content.results, tables.failures(content.runs)
    limits, slopes = content.predictions, content.slopes
    measures = [name for name in tables.final(content.measures) if name != "inc_cos_limit" or len(limits)]
    deciding = [_figure(item) for item in content.figures[: content.deciding]]
    others = [_figure(item) for item in content.figures[content.deciding :]]
    return template("page.html.j2").render(
        study=content.study,
        stamp=stamp,
        sources=[linked(source) for source in content.study.sources],
        summary=_summary(runs, content.identity, content.outcomes),
        verdicts=[_verdict(number, outcome, content) for number, outcome in enumerate(content.outcomes, start=1)],
        deciding=deciding,
        shown=others[:OPEN],
        folded=others[OPEN:],
        left_out=content.left_out,
        remarks=content.remarks,
        slopes=slopes.head(MAX_ROWS).to_dict("records"),
        slopes_total=len(slopes),
        measures=measures,
        results=_by_geometry([_result(row, measures) for row in results.head(MAX_ROWS).to_dict("records")]),
        results_shown=min(len(results), MAX_ROWS),
        results_total=len(results),
        rivals=RIVALS,
        predictions=_by_geometry([_prediction(row) for row in limits.head(MAX_ROWS).to_dict("records")]),
        predictions_shown=min(len(limits), MAX_ROWS),
        predictions_total=len(limits),
        failures=[{**row, "message": _cut(row["message"])} for row in failed.head(MAX_FAILURES).to_dict("records")],
        failures_total=len(failed),
        norms=content.norms,
        glossary=_glossary(measures, content),
        separators=[_separator(row, content.norms) for row in content.separators.head(MAX_ROWS).to_dict("records")],
        separators_total=len(content.separators),
        multiclass="k" in content.runs,
        readings=tables.readings(runs)[:MAX_ROWS],
        provenance={name: _distinct(runs, name) for name in ("version", "source", "libraries", "machine")},
        settings=content.identity.get("settings", []),
        toml=content.text,
    )


def _figure(item) -> dict:
    return {
        "number": item.number,
        "title": item.figure.title,
        "caption": item.figure.caption,
        "file": item.file,
        "claims": item.figure.claims,
        "width": round(WIDE * item.width / WIDTHS["page"]),
        "source": embedded(item),
    }


def _summary(runs: pd.DataFrame, identity: dict, outcomes: list) -> list[str]:
    """Sentences on the whole study."""
    total, expected = len(runs), identity.get("runs", len(runs))
    counts = runs["status"].value_counts()
    ok = int(counts.get("ok", 0))
    rest = ", ".join(f"{count:,} {status}" for status, count in counts.items() if status != "ok")
    found = [f"{total:,} {_plural(total, 'run')}: {ok:,} ok{', ' + rest if rest else ''}."]
    if total < expected:
        found[0] = f"{total:,} of the study's {expected:,} runs are there: {ok:,} ok{', ' + rest if rest else ''}."
    ended = runs[runs["step"].notna()]  # not those that a clock has stopped
    steps, seconds = float(ended["step"].sum()), float(ended["kernel_seconds"].sum())
    if steps:
        found.append(f"Together they made {_count(steps)} updates")
        rate = f", {_count(steps / seconds)} updates per second of one core" if seconds else ""
        found[-1] += f" in {seconds:,.2f} s inside the compiled kernels{rate}."
    if outcomes:
        tally = [(sum(outcome.outcome == word for outcome in outcomes), word) for word in OUTCOMES]
        words = ", ".join(f"{count} {word}" for count, word in tally if count)
        found.append(f"Verdicts: {words}.")
    return found


def _plural(count: int, word: str) -> str:
    return word if count == 1 else word + "s"


def _count(value: float) -> str:
    for size, name in ((1e9, "billion"), (1e6, "million")):
        if value >= size:
            return f"{value / size:.3g} {name}"
    return f"{value:,.0f}"


def _verdict(number: int, verdict, content: Content) -> dict:
    claim, rows = verdict.claim, content.of_claims[number - 1]
    column = next((name for name in rows.columns[-1:] if rows[name].dtype.kind == "f"), None)
    figure = next((item.number for item in content.figures if number in item.figure.claims), None)
    return {
        "number": number,
        "outcome": verdict.outcome,
        "says": claim.says,
        "source": linked(claim.source),
        "where": ", ".join(f"{name} = {told(value)}" for name, value in claim.where.items()),
        "expected": verdict.expected,
        "value": "–" if math.isnan(verdict.value) else f"{verdict.value:.6g}",
        "runs": f"{verdict.runs:,}",
        "detail": verdict.detail,
        "figure": figure,
        "column": column or "",
        "rows": [
            cells(row, column)
            for row in rows.head(MAX_OF_CLAIM).to_dict("records")
        ],
        "rows_total": len(rows),
    }  # fmt: skip


def _by_geometry(rows: list[dict]) -> list[tuple[str, list[dict]]]:
    """Consecutive rows of one data set."""
    found: dict[str, list[dict]] = {}
    for row in rows:
        found.setdefault(row["geometry"], []).append(row)
    return list(found.items())


def _result(row: dict, measures: list[str]) -> dict:
    ok, total = row["ok"], row["all"]
    cells = [spread(row[f"{name}_mean"], row[f"{name}_std"], name) for name in measures]
    names = {name: row[name] for name in tables.LINE}
    return {**names, "runs": f"{ok}" if ok == total else f"{ok} of {total}", "cells": cells}


def _prediction(row: dict) -> dict:
    cells = [spread(row[name], math.nan, "cos_") for name in ("mean", "least", *RIVALS)]
    names = {name: row[name] for name in (*tables.LINE, "limit_method", "count")}
    return {**names, "rule": _cut(row["rule"]), "gap": f"{row['gap']:.1e}", "cells": cells}


def _glossary(measures: list[str], content: Content) -> list[tuple[str, str]]:
    """What the measures of the tables and the claims are."""
    of_claims = [
        name for claim in content.study.claim for name in (*needed(claim.measure), *needed(claim.against or ""))
    ]
    says = {column.name: column.says for column in run_columns(content.measures)}
    names = dict.fromkeys([*measures, *of_claims, "limit_rule", "limit_gap", "limit_error"])
    return [(name, says[name]) for name in names if name in says]


def _separator(row: dict, norms: tuple[str, ...]) -> dict:
    sets = row["sets"]
    cells = [
        {
            "gamma": spread(row[f"gamma_{norm}"], row[f"sd_{norm}"]),
            "gap": f"{row[f'gap_{norm}']:.1e}",
            "unique": _share(row[f"unique_{norm}"], sets),
        }
        for norm in norms
    ]
    shape = [f"{row[name]:g}" for name in ("n", "d", "k") if name in row]
    return {"geometry": row["geometry"], "shape": shape, "sets": sets, "cells": cells}


def _share(count: int, total: int) -> str:
    if total == 1:
        return "yes" if count else "no"
    return "all" if count == total else f"{count} of {total}"


def _distinct(runs: pd.DataFrame, column: str) -> list[str]:
    return sorted(runs[column].dropna().unique())


def _cut(text: str) -> str:
    return text if len(text) <= MAX_MESSAGE else text[:MAX_MESSAGE] + "…"

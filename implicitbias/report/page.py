"""The page of the report: what it says in words and tables. Only text goes in; the template escapes all of it."""

import base64
import math
from functools import cache
from importlib.resources import files

import pandas as pd

from implicitbias.report import rates, tables
from implicitbias.store.schema import RIVALS

MAX_ROWS = 120
MAX_FAILURES = 30
MAX_MESSAGE = 300
_DECIMALS = {"log_loss": 1, "inc_cos_limit": 6}
_MEANS = ("inc_cos_limit",)  # shown without a deviation, to leave room; the table of predictions has the least
_OUTCOMES = ("holds", "fails", "undecided")


def render(study, text: str, identity: dict, runs: pd.DataFrame, outcomes: list, figures: list) -> str:
    """The page as HTML.

    Arguments
        study     the study: title, question, sources
        text      its TOML text
        identity  what the results folder says it holds: number of runs, overrides
        runs      the table of runs, as from `tables.label_runs`
        outcomes  the verdicts on its claims
        figures   as from `figures.figures`
    """
    rows = tables.results(runs)
    failed = tables.failures(runs)
    limits = tables.predictions(runs)
    slopes = rates.table(runs, outcomes)
    separators = tables.separators(runs)
    measures = [name for name in tables.FINAL if name != "inc_cos_limit" or len(limits)]
    return _template().render(
        study=study,
        summary=_summary(runs, identity, outcomes),
        verdicts=[_verdict(outcome) for outcome in outcomes],
        slopes=slopes[:MAX_ROWS],
        slopes_total=len(slopes),
        figures=[{"item": figure, "source": _embedded(figure)} for figure in figures],
        measures=measures,
        results=[_result(row, measures) for row in rows.head(MAX_ROWS).to_dict("records")],
        results_total=len(rows),
        rivals=RIVALS,
        predictions=[_prediction(row) for row in limits.head(MAX_ROWS).to_dict("records")],
        predictions_total=len(limits),
        failures=[{**row, "message": _cut(row["message"])} for row in failed.head(MAX_FAILURES).to_dict("records")],
        failures_total=len(failed),
        norms=tables.NORMS,
        separators=[_separator(row) for row in separators.head(MAX_ROWS).to_dict("records")],
        separators_total=len(separators),
        readings=tables.readings(runs)[:MAX_ROWS],
        provenance={name: _distinct(runs, name) for name in ("version", "source", "libraries", "machine")},
        settings=identity.get("settings", []),
        toml=text,
    )


@cache
def _template():
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(files(__package__).joinpath("page.html.j2").read_text(encoding="utf-8"))


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
        tally = [(sum(outcome.outcome == word for outcome in outcomes), word) for word in _OUTCOMES]
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


def _verdict(verdict) -> dict:
    claim = verdict.claim
    return {
        "outcome": verdict.outcome,
        "says": claim.says,
        "source": claim.source,
        "where": ", ".join(f"{name} = {_where(value)}" for name, value in claim.where.items()),
        "expected": verdict.expected,
        "value": "–" if math.isnan(verdict.value) else f"{verdict.value:.6g}",
        "runs": f"{verdict.runs:,}",
        "detail": verdict.detail,
    }


def _where(value) -> str:
    if isinstance(value, dict) and set(value) == {"from", "to"}:
        return f"{value['from']} to {value['to']}"
    return " or ".join(map(str, value)) if isinstance(value, list) else str(value)


def _result(row: dict, measures: list[str]) -> dict:
    ok, total = row["ok"], row["all"]
    spreads = {name: math.nan if name in _MEANS else row[f"{name}_std"] for name in measures}
    cells = [_spread(row[f"{name}_mean"], sd, _DECIMALS.get(name, 4)) for name, sd in spreads.items()]
    names = {name: row[name] for name in tables.LINE}
    return {**names, "runs": f"{ok}" if ok == total else f"{ok} of {total}", "cells": cells}


def _spread(mean: float, sd: float, decimals: int) -> str:
    """Mean ± standard deviation; the mean alone where one run has no deviation; a dash where there is none."""
    if not math.isfinite(mean):
        return "–"
    return f"{mean:.{decimals}f}" + (f" ± {sd:.{decimals}f}" if math.isfinite(sd) else "")


def _prediction(row: dict) -> dict:
    cells = [_spread(row[name], math.nan, 6) for name in ("mean", "least", *RIVALS)]
    names = {name: row[name] for name in (*tables.LINE, "count")}
    return {**names, "rule": _cut(row["rule"]), "gap": f"{row['gap']:.1e}", "cells": cells}


def _separator(row: dict) -> dict:
    sets = row["sets"]
    cells = [
        {
            "gamma": f"{row[f'gamma_{norm}']:.4g}"
            + (f" ± {row[f'sd_{norm}']:.2g}" if math.isfinite(row[f"sd_{norm}"]) else ""),
            "gap": f"{row[f'gap_{norm}']:.1e}",
            "unique": _share(row[f"unique_{norm}"], sets),
        }
        for norm in tables.NORMS
    ]
    return {"geometry": row["geometry"], "n": f"{row['n']:g}", "d": f"{row['d']:g}", "sets": sets, "cells": cells}


def _share(count: int, total: int) -> str:
    if total == 1:
        return "yes" if count else "no"
    return "all" if count == total else f"{count} of {total}"


def _distinct(runs: pd.DataFrame, column: str) -> list[str]:
    return sorted(runs[column].dropna().unique())


def _cut(text: str) -> str:
    return text if len(text) <= MAX_MESSAGE else text[:MAX_MESSAGE] + "…"


def _embedded(figure) -> str:
    kind = {"svg": "image/svg+xml", "png": "image/png"}[figure.picture.kind]
    return f"data:{kind};base64,{base64.b64encode(figure.picture.image).decode()}"

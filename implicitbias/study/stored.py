"""A study with its stored results: which it is, and the verdicts on what is there."""

import dataclasses

import pandas as pd

from implicitbias.errors import InputError
from implicitbias.measure import Measures
from implicitbias.store import Store
from implicitbias.store.schema import schemas
from implicitbias.study.claims import Verdict, verdicts
from implicitbias.study.expand import expand
from implicitbias.study.fits import LOG
from implicitbias.study.formula import columns
from implicitbias.study.keys import Study
from implicitbias.study.rows import describe
from implicitbias.study.spec import read_study

MISSING = "missing"  # what stands for the status of a run that has not been computed
_HORIZON = ("steps", "epochs", "time", "until_log_loss")  # keys of a grid


def stored_study(folder) -> tuple[Study, Store]:
    """The study a results folder was made from. Errors: ``InputError`` if it is none."""
    store = Store.open(folder)
    return read_study(store.folder / "study.toml", store.identity()["settings"], store.base)[0], store


def judge(study: Study, store: Store, runs: pd.DataFrame) -> list[Verdict]:
    """The verdicts of a study on its stored results; of the curves only what its claims look at is read.

    Runs of the study that are not there yet are counted as missing, and a verdict on runs with another horizon than
    that of the study file says so.
    """
    identity = store.identity()
    missing = identity.get("runs", len(runs)) - len(runs)
    unknown = False
    if missing > 0 and study.claim:
        try:
            runs = _with_missing(study, runs)
        except InputError:  # a data file is gone: which runs are missing cannot be told
            unknown = True
    curves = store.table("curves", curve_columns(study, store.measures)).to_pandas()
    found = verdicts(study, runs, curves, store.measures.objective)
    if unknown:
        found = [_less(verdict, f"{missing} runs of the study are missing") for verdict in found]
    keys = [setting.partition("=")[0].strip() for setting in identity.get("settings", [])]
    moved = [text for text, key in zip(identity.get("settings", []), keys) if key.split(".")[-1] in _HORIZON]
    words = f"; at another horizon than the study's, {', '.join(moved)}" if moved else ""
    return [dataclasses.replace(verdict, detail=verdict.detail + words) for verdict in found]


def _with_missing(study: Study, runs: pd.DataFrame) -> pd.DataFrame:
    """The table of runs, with a row for each run of the study that has none. Errors: ``InputError``."""
    known = set(runs["run_id"])
    rows = [describe(spec) | {"status": MISSING} for spec in expand(study) if spec.run_id not in known]
    return pd.concat([runs, pd.DataFrame(rows, columns=runs.columns, dtype=object)], ignore_index=True)


def _less(verdict: Verdict, why: str) -> Verdict:
    """A verdict with something amiss: what holds is open."""
    outcome = "undecided" if verdict.outcome == "holds" else verdict.outcome
    return dataclasses.replace(verdict, outcome=outcome, detail=f"{why}; {verdict.detail}")


def curve_columns(study: Study, measures: Measures) -> list[str]:
    """The columns of the curves that the claims look at: none but the id without a claim about a limit or a rate."""
    found, known = ["run_id"], schemas(measures)["curves"].names
    for claim in study.claim:
        if claim.about_limit or claim.along_runs:
            against = [claim.against.removeprefix(LOG)] if claim.along_runs else []
            found += ["step", "sum_lr", *(columns(claim.measure) or ()), *against]
    return [name for name in dict.fromkeys(found) if name in known]

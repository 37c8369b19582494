"""Pairs of runs on the same data, for claims with `than`: the measure of a run less that of its partner."""

from dataclasses import fields

import pandas as pd

from implicitbias.flows.setting import FlowSetting
from implicitbias.study.filters import select
from implicitbias.study.formula import values
from implicitbias.study.keys import Claim

# What partners agree in, unless `than` names it: the data, and all of the setting.
SHARED = ("data_digest", *(item.name for item in fields(FlowSetting)))


def measured(claim: Claim, chosen: pd.DataFrame, runs: pd.DataFrame) -> pd.Series:
    """The measure of a claim in every chosen run; with `than` less that of its partner among the runs, NaN where it has
    none, or several, or one that did not end ok."""
    own = values(claim.measure, chosen)
    if claim.than is None:
        return own
    others = select(runs, claim.where | claim.than)
    shared = [name for name in SHARED if name not in claim.than and name in runs]
    found: dict[tuple, list[float]] = {}
    theirs = values(claim.measure, others).where(others["status"] == "ok")
    for key, value in zip(_keys(others, shared), theirs):
        found.setdefault(key, []).append(value)
    partners = [found.get(key, []) for key in _keys(chosen, shared)]
    return own - pd.Series([part[0] if len(part) == 1 else float("nan") for part in partners], own.index, float)


def _keys(runs: pd.DataFrame, names: list[str]) -> list[tuple]:
    rows = zip(*(runs[name] for name in names))
    return [tuple(None if pd.isna(value) else value for value in row) for row in rows]


def less(claim: Claim) -> str:
    """What is measured, in words: "cos_l2 less that of optimizer = sgd"."""
    words = ", ".join(f"{name} = {_told(value)}" for name, value in (claim.than or {}).items())
    return f"{claim.measure} less that of {words}" if words else claim.measure


def _told(value) -> str:
    return " or ".join(map(str, value)) if isinstance(value, list) else str(value)

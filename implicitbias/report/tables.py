"""The tables of the report: frames aggregated over seeds.

Runs that share geometry, order, method and batch (study.naming) differ in seeds alone: they are one row.
"""

from collections.abc import Sequence

import pandas as pd

from implicitbias.figures.table import trajectories
from implicitbias.margins.norms import followed
from implicitbias.measure import Measures
from implicitbias.store.schema import RIVALS

LINE = ["geometry", "order", "method", "batch"]
_OF_NORMS = ("ratio", "cos", "inc_cos")


def final(measures: Measures) -> list[str]:
    """The measures at the end of a run that its study has a table of."""
    names = [f"{kind}_{norm}" for kind in _OF_NORMS for norm in followed(measures.norms, measures.matrices)]
    known = measures.names()
    return [name for name in (*names, "inc_cos_limit", "log_loss") if name in known]


def results(runs: pd.DataFrame, measures: list[str]) -> pd.DataFrame:
    """A row a line with runs that ended ok: their number, that of all, <measure>_mean and <measure>_std at the end."""
    runs = trajectories(runs)
    groups = runs.assign(ok=runs["status"] == "ok").groupby(LINE, sort=False)
    counts = groups["ok"].agg([("ok", "sum"), ("all", "size")])
    done = runs[runs["status"] == "ok"].groupby(LINE, sort=False)[measures].agg(["mean", "std"])
    done.columns = [f"{name}_{statistic}" for name, statistic in done.columns]
    return _in_order(counts.join(done, how="right").reset_index())


def predicted(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs that ended ok and have a predicted limit."""
    return runs[(runs["status"] == "ok") & runs["limit_rule"].notna()]


def predictions(runs: pd.DataFrame) -> pd.DataFrame:
    """A row a line and way of predicting its limit: how many, their rules, mean gap, mean and least cosine of the
    increment to them, and to what the limit would be in each other order (NaN for the own)."""
    groups = predicted(runs).groupby([*LINE, "limit_method"], sort=False)
    found = groups.agg(
        count=("run_id", "size"),
        rule=("limit_rule", lambda rules: "; ".join(sorted(rules.dropna().unique()))),
        gap=("limit_gap", "mean"),
        mean=("inc_cos_limit", "mean"),
        least=("inc_cos_limit", "min"),
        **{order: (f"inc_cos_if_{order}", "mean") for order in RIVALS},
    ).reset_index()
    for order in RIVALS:
        found[order] = found[order].mask(found["order"] == order)
    return _in_order(found)


def _in_order(found: pd.DataFrame) -> pd.DataFrame:
    """Rows with names in the order of the study, and batch sizes next to each other."""
    for name in LINE[:-1]:
        found[name] = pd.Categorical(found[name], found[name].unique())
    return found.sort_values(["geometry", "method", "order", "batch"])


def separators(runs: pd.DataFrame, norms: Sequence[str]) -> pd.DataFrame:
    """A row a geometry: n, d, k of a Multiclass, data sets, and per norm the mean margin, largest gap relative to it
    and number of unique maximisers."""
    names = [f"gamma_{norm}" for norm in norms]
    rows = runs[runs[names].notna().any(axis=1)].drop_duplicates(["geometry", "data_digest"])
    groups = rows.groupby("geometry", sort=False)
    found = groups[[name for name in ("n", "d", "k") if name in rows]].first().assign(sets=groups.size())
    for norm in norms:
        found[f"gamma_{norm}"] = groups[f"gamma_{norm}"].mean()
        found[f"sd_{norm}"] = groups[f"gamma_{norm}"].std()
        found[f"gap_{norm}"] = (rows[f"gap_{norm}"] / rows[f"gamma_{norm}"]).groupby(rows["geometry"], sort=False).max()
        found[f"unique_{norm}"] = groups[f"unique_{norm}"].agg(lambda column: int(column.fillna(False).sum()))
    return found.reset_index()


def readings(runs: pd.DataFrame) -> list[tuple[str, str]]:
    """What was read of data files, each with the name of the data."""
    found = runs[runs["data_read"].notna()].drop_duplicates(["data", "data_read"])
    return [*zip(found["data"], found["data_read"])]


def failures(runs: pd.DataFrame) -> pd.DataFrame:
    """A row for each way in which runs did not end ok: status, message, data, methods, how many, and one of them."""
    failed = runs[runs["status"] != "ok"].assign(message=lambda rows: rows["message"].fillna(""))
    groups = failed.groupby(["status", "geometry", "message"], sort=False)
    found = groups["run_id"].agg([("count", "size"), ("example", "first")])
    methods = groups["method"].nunique()
    found["methods"] = groups["method"].first().where(methods == 1, methods.astype(str) + " settings")
    return found.reset_index()

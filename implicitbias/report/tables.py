"""What the report shows of the two tables: names for facets and lines, and frames aggregated over seeds.

Runs that share geometry, order, method and batch (study.naming) differ in seeds alone: they are one line of a figure
and one row of the page.
"""

import numpy as np
import pandas as pd
import pyarrow as pa

from implicitbias.store.schema import RIVALS

FULL = "full"
LINE = ["geometry", "order", "method", "batch"]
FINAL = ["ratio_l2", "ratio_linf", "cos_l2", "cos_linf", "inc_cos_l2", "inc_cos_linf", "inc_cos_limit", "log_loss"]
NORMS = ["l1", "l2", "linf"]
# Snapshots are log-spaced; more points than this on a line a few hundred pixels wide only make the page heavy.
MAX_POINTS = 80


def of_order(runs: pd.DataFrame, order: str) -> pd.DataFrame:
    """The runs with batches in an order, and those on full batches where they have none of that size.

    The order of the rows in a full batch does not matter, so "full" belongs with every other order.
    """
    cell = ["geometry", "method", "batch"]
    own, full = runs[runs["order"] == order], runs[runs["order"] == FULL]
    present = pd.MultiIndex.from_frame(full[cell]).isin(pd.MultiIndex.from_frame(own[cell]))
    return pd.concat([own, full[~present]])


def by_batch(runs: pd.DataFrame, measures: list[str]) -> pd.DataFrame:
    """Mean, min and max over seeds of measures at the end of runs; indexed by geometry, method and batch."""
    return runs.groupby(["geometry", "method", "batch"])[measures].agg(["mean", "min", "max"])


def by_step(runs: pd.DataFrame, curves: pa.Table, measures: list[str]) -> pd.DataFrame:
    """Mean, min and max over seeds of measures at each step, over the given runs; indexed by LINE and step, which for a
    flow is its time.

    A line ends where the first of its runs does: those that stop at a level of the loss end each at a step of its own,
    and a mean over a changing set of runs jumps.
    """
    runs = runs.drop_duplicates("run_id")
    lines = runs.groupby(LINE, sort=False).ngroup()
    names = curves.column("run_id").combine_chunks().dictionary_encode()
    line_of_name = pd.Series(lines.to_numpy(), index=runs["run_id"]).reindex(names.dictionary.to_pylist())
    line = line_of_name.to_numpy()[names.indices.to_numpy()]
    drawn = ~np.isnan(line)
    frame = curves.select(["step", "sum_lr", *measures]).filter(pa.array(drawn)).to_pandas()
    frame["line"] = line[drawn].astype(int)
    flows = frame["line"].isin(lines[runs["time"].notna()])
    if flows.any():
        frame["step"] = frame["sum_lr"].where(flows, frame["step"])
    groups = frame.groupby(["line", "step"])[measures]
    found = groups.agg(["mean", "min", "max"])
    size = lines.value_counts().reindex(found.index.get_level_values("line")).to_numpy()
    found = found[groups.size().to_numpy() == size]
    found = found[_thin(found.index.get_level_values("line").to_numpy())]
    index = runs.groupby(LINE, sort=False).size().index
    keys = index.take(found.index.get_level_values("line")).to_frame(index=False)
    found.index = pd.MultiIndex.from_frame(keys.assign(step=found.index.get_level_values("step")))
    return found.sort_index()


def _thin(line: np.ndarray) -> np.ndarray:
    """Which rows to keep so that no line has more than MAX_POINTS; its first and last always."""
    keep = np.zeros(len(line), bool)
    for rows in np.split(np.arange(len(line)), np.flatnonzero(np.diff(line)) + 1):
        if len(rows):
            keep[rows[np.unique(np.linspace(0, len(rows) - 1, MAX_POINTS).round().astype(int))]] = True
    return keep


def results(runs: pd.DataFrame) -> pd.DataFrame:
    """A row a line with runs that ended ok: their number, that of all, <measure>_mean and <measure>_std at the end."""
    groups = runs.assign(ok=runs["status"] == "ok").groupby(LINE, sort=False)
    counts = groups["ok"].agg([("ok", "sum"), ("all", "size")])
    done = runs[runs["status"] == "ok"].groupby(LINE, sort=False)[FINAL].agg(["mean", "std"])
    done.columns = [f"{name}_{statistic}" for name, statistic in done.columns]
    return _in_order(counts.join(done, how="right").reset_index())


def predicted(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs that ended ok and have a predicted limit."""
    return runs[(runs["status"] == "ok") & runs["limit_cos_l2"].notna()]


def predictions(runs: pd.DataFrame) -> pd.DataFrame:
    """A row a line with predicted limits: how many, their rules, mean gap, mean and least cosine of the increment to
    them, and to what the limit would be in each other order (NaN for the own)."""
    groups = predicted(runs).groupby(LINE, sort=False)
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


def separators(runs: pd.DataFrame) -> pd.DataFrame:
    """A row a geometry: n, d, data sets, and per norm the mean margin, largest gap relative to it and number of unique
    maximisers."""
    rows = runs[runs["gamma_l2"].notna()].drop_duplicates(["geometry", "data_digest"])
    groups = rows.groupby("geometry", sort=False)
    found = groups[["n", "d"]].first().assign(sets=groups.size())
    for norm in NORMS:
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

"""Two results of one study, or of two: which claims have another verdict, and which results moved."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from implicitbias.figures.table import label_runs
from implicitbias.report import tables
from implicitbias.study.stored import judge, stored_study

SIGMAS = 4.0  # standard errors of a difference of means: one of the 500 cells of a study strays so far in 30 studies
# relative, without seeds to compare with: the same run under another processor's linear algebra moves by less
ROUNDING = 1e-6
MOST = 40  # cells that are told


@dataclass(frozen=True)
class Comparison:
    """What differs between A and B.

    Attributes
        flipped   (claim, outcome in A, outcome in B) of claims with another verdict
        only      claims that one of them has alone, each with "A" or "B"
        moved     a row a cell: LINE, measure, a, b, and `errors`, the difference in standard errors (NaN without seeds)
        cells     how many cells both have
        lacking   rows of the results that one of them has alone: (in A, in B)
    """

    flipped: list[tuple[str, str, str]]
    only: list[tuple[str, str]]
    moved: pd.DataFrame
    cells: int
    lacking: tuple[int, int]

    @property
    def differ(self) -> bool:
        return bool(self.flipped or self.only or len(self.moved) or any(self.lacking))

    def lines(self) -> Iterator[str]:
        """What differs, in words."""
        for says, a, b in self.flipped:
            yield f"claim {a} -> {b}: {says}"
        for says, where in self.only:
            yield f"claim in {where} alone: {says}"
        for row in self.moved.head(MOST).to_dict("records"):
            name = ", ".join(f"batch {row[key]}" if key == "batch" else str(row[key]) for key in tables.LINE)
            errors = f" ({row['errors']:.1f} standard errors)" if np.isfinite(row["errors"]) else ""
            yield f"{row['measure']} {row['a']:.6g} -> {row['b']:.6g}{errors}: {name}"
        if len(self.moved) > MOST:
            yield f"({len(self.moved) - MOST} more cells)"
        for count, where in zip(self.lacking, "AB"):
            if count:
                yield f"{count} rows of the results are in {where} alone"
        same = self.cells - len(self.moved)
        yield f"{len(self.flipped)} claims flipped; {len(self.moved)} cells moved, {same} of {self.cells} did not"


def compare_studies(first, second) -> Comparison:
    """Compare two results folders.

    Claims are matched by their text, measure and filter, results by data, optimizer, order and batch; a cell moved if
    its means differ by more than SIGMAS standard errors of their seeds (single runs: by more than rounding).

    Errors: ``InputError`` if one holds no results of a study.
    """
    (claims_a, results_a, measured), (claims_b, results_b, also) = map(_read, (first, second))
    flipped = [(key[0], a, claims_b[key]) for key, a in claims_a.items() if key in claims_b and claims_b[key] != a]
    only = [(key[0], "A") for key in claims_a if key not in claims_b]
    only += [(key[0], "B") for key in claims_b if key not in claims_a]
    both = results_a.add_suffix("|a").join(results_b.add_suffix("|b"), how="inner")
    rows, cells = [], 0
    for measure in [name for name in measured if name in also]:
        a, b = (both[f"{measure}_mean|{k}"].to_numpy(float) for k in "ab")
        known = np.isfinite(a) & np.isfinite(b)
        cells += int(known.sum())
        spread = [both[f"{measure}_std|{k}"].fillna(0.0).to_numpy(float) for k in "ab"]
        counts = [both[f"ok|{k}"].clip(lower=1).to_numpy(float) for k in "ab"]
        error = np.sqrt(sum(sd**2 / count for sd, count in zip(spread, counts)))
        away = np.abs(b - a)
        moved = known & (away > SIGMAS * error) & (away > ROUNDING * np.maximum(np.abs(a), np.abs(b)))
        for k in np.flatnonzero(moved):
            rows.append(
                {**dict(zip(tables.LINE, both.index[k])), "measure": measure, "a": a[k], "b": b[k],
                 "errors": away[k] / error[k] if error[k] > 0 else np.nan}
            )  # fmt: skip
    moved = pd.DataFrame(rows, columns=[*tables.LINE, "measure", "a", "b", "errors"])
    moved = moved.sort_values("errors", ascending=False, kind="stable", na_position="last", ignore_index=True)
    return Comparison(flipped, only, moved, cells, (len(results_a) - len(both), len(results_b) - len(both)))


def _read(folder) -> tuple[dict, pd.DataFrame, list[str]]:
    """The outcome of each claim, the results by LINE, and what they are of."""
    study, store = stored_study(folder)
    raw = store.runs()
    outcomes = judge(study, store, raw) if study.claim else []
    claims = {(v.claim.says, v.claim.measure, repr(sorted(v.claim.where.items()))): v.outcome for v in outcomes}
    measures = tables.final(store.measures)
    results = tables.results(label_runs(raw), measures)
    for name in tables.LINE[:-1]:
        results[name] = results[name].astype(str)
    return claims, results.set_index(tables.LINE), measures

"""What has made a row of the table of runs, and whether that is what runs now."""

import functools
import platform

import numpy as np
import pandas as pd
import pyarrow as pa

from implicitbias import __version__
from implicitbias.jit import source_hash

PROVENANCE = ("version", "source", "libraries")
GROUPS = 3  # makers of old rows that are told


@functools.cache
def provenance() -> dict[str, str]:
    """What makes a row now: the columns `version`, `source` and `libraries`."""
    import numba
    import scipy

    names = {"python": platform.python_version()} | {m.__name__: m.__version__ for m in (np, numba, scipy, pd, pa)}
    libraries = ", ".join(f"{name} {version}" for name, version in names.items())
    return {"version": __version__, "source": source_hash(), "libraries": libraries}


def is_stale(runs: pd.DataFrame) -> pd.Series:
    """Which rows of the table of runs were made by other code or other libraries than those that run now."""
    stale = pd.Series(False, index=runs.index)
    for column, value in provenance().items():
        stale |= (runs[column] != value).fillna(True).astype(bool)
    return stale


def stale_words(runs: pd.DataFrame) -> str | None:
    """The sentence about rows that other code or other libraries have made; None if there are none."""
    old = runs[is_stale(runs)]
    if old.empty:
        return None
    counts = old.groupby(list(PROVENANCE), dropna=False, sort=False).size().sort_values(ascending=False, kind="stable")
    makers = [_maker(made) for made in counts.index]
    told = [f"{count} by {maker}" if len(counts) > 1 else maker for maker, count in zip(makers, counts)][:GROUPS]
    more = f" and {len(counts) - GROUPS} more" if len(counts) > GROUPS else ""
    return (
        f"{len(old)} of {len(runs)} runs are stale, made by {', '.join(told)}{more}; they are kept, and "
        "`implicitbias run` with --refresh computes them again"
    )


def _maker(made: tuple) -> str:
    """What a row says about its maker, as far as it differs from now."""
    now, words = provenance(), []
    version, source, libraries = ("unknown" if pd.isna(value) else str(value) for value in made)
    if version != now["version"]:
        words.append(f"implicitbias {version}")
    if source != now["source"]:
        words.append(f"source {source}")
    if libraries != now["libraries"]:
        current = now["libraries"].split(", ")
        words += [item for item in libraries.split(", ") if item not in current] or [f"libraries {libraries}"]
    return " with ".join([words[0], " and ".join(words[1:])]) if len(words) > 1 else words[0]

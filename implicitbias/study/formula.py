"""The measure of a claim as a formula: "a", "-a", "a - b" or "1 - a", where a and b are columns."""

import re

import pandas as pd

_NUMBER = re.compile(r"\d+(\.\d*)?(e[+-]?\d+)?")
ALREADY_LOG = "log_loss"  # the loss itself underflows: a slope takes this column as the logarithm of the loss


def columns(measure: str) -> list[str] | None:
    """The columns that a formula names; None if it is no formula.

    >>> columns("1 - ratio_l2"), columns("-log_loss"), columns("a - b - c")
    (['ratio_l2'], ['log_loss'], None)
    """
    terms = measure.split(" - ")
    if len(terms) == 1 and measure.startswith("-"):
        return [measure[1:]]
    names = [term for term in terms if not _NUMBER.fullmatch(term)]
    return names if len(terms) <= 2 and names else None


def values(measure: str, table: pd.DataFrame) -> pd.Series:
    """The formula in every row of a table."""
    if measure.startswith("-"):
        return -table[measure[1:]].astype(float)
    first, *second = (
        float(term) if _NUMBER.fullmatch(term) else table[term].astype(float) for term in measure.split(" - ")
    )
    return first - second[0] if second else first

"""Tables of axes: every combination of their values, and how many mistakes of one are told."""

import itertools
import math
from collections.abc import Iterator

from implicitbias.errors import one_of
from implicitbias.study.keys import axis

MOST_RUNS = 10**7  # of one table of axes; planning them takes minutes, and more is a slip of the keyboard
MOST_MISTAKES = 100  # in one table; a range of wrong values would fill the screen, and the memory


def combinations(
    table: dict, zips: list[list[str]], where: str, mistakes: list[str], most: int = MOST_RUNS
) -> Iterator[dict]:
    """Every combination of a table of axes: the product, but lists named together in `zips` advance together."""
    axes = {name: axis(value) for name, value in table.items()}
    mistakes.extend(f"{where}.{name} is an empty list, so there are no runs" for name, x in axes.items() if not x)
    if not (isinstance(zips, list) and all(isinstance(group, list) and group for group in zips)):
        mistakes.append(f"{where}.zip must be a list of lists of names, not {zips!r}")
        return
    zips = [[str(name) for name in group] for group in zips]
    named = [name for group in zips for name in group]
    mistakes.extend(f"{where}.zip names {name!r} twice" for name in sorted({x for x in named if named.count(x) > 1}))
    tied = set(named)
    for name in sorted(tied - set(axes)):
        mistakes.append(f"{where}.zip: {one_of(name, 'axis', axes)}")
    for group in zips:
        lengths = {name: len(axes[name]) for name in group if name in axes}
        if len(set(lengths.values())) > 1:
            words = ", ".join(f"{name} has {length}" for name, length in lengths.items())
            mistakes.append(f"{where}.zip: lists that advance together must be equally long, but {words}")
    if mistakes:
        return
    count = math.prod(len(values) for name, values in axes.items() if name not in tied)
    count *= math.prod(len(axes[group[0]]) for group in zips)
    if count > most:
        mistakes.append(f"{where} has {count} combinations of its axes; the most are {most}")
        return
    factors = [[{name: value} for value in values] for name, values in axes.items() if name not in tied]
    factors += [
        [dict(zip(group, values)) for values in zip(*(axes[name] for name in group), strict=True)] for group in zips
    ]
    for parts in itertools.product(*factors):
        merged = {name: value for part in parts for name, value in part.items()}
        yield {name: merged[name] for name in axes}


def enough(mistakes: list[str]) -> bool:
    """Whether a table has so many mistakes that the rest of it need not be looked at; says so in the last of them."""
    found = len(mistakes) > MOST_MISTAKES and len(dict.fromkeys(mistakes)) > MOST_MISTAKES
    if found:
        mistakes.append("... and maybe more; the search for mistakes ended here")
    return found


def unknown_kind(where: str, name: str, kind, what: str, known) -> str:
    """The sentence for a kind that there is none of; a name alone may be anything, with its kind beside it."""
    words = f"{where}.kind: {one_of(kind, what, known)}"
    return words if kind != name else f"{words} (a table with a name of its own says what it is with the key kind)"

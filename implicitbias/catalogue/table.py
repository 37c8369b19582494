"""The claims of all studies as a table: for other programs, and as the pages that show it."""

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from implicitbias.report.index import verdict_rows
from implicitbias.study.expected import OUTCOMES

FILE, PAGE = "claims.csv", "claims.md"
COLUMNS = ("study", "claim", "says", "source", "standing", "verdict", "measured", "control", "remark")

_HEAD = """# What the studies say

Verdicts as `implicitbias check --all` writes them. A claim is *undecided* where the runs do not tell: there are none,
one that should support it failed, or what is claimed of a limit is still on its way, in or out. A *control* asks the
same of runs for which an assumption is broken, and should fail. [claims.csv](claims.csv) is the table for other
programs; each claim has a page of its own in the folder `claims` of its study.

| study | claim | source, standing | verdict | measured |
| --- | --- | --- | --- | --- |
"""


def rows_of(folder: Path) -> list[dict[str, str]]:
    """The rows of a study from the verdicts that its report has written."""
    found = []
    for row in verdict_rows(folder):
        control = f"{row['control_outcome']}: {row['control']}" if row["control_outcome"] else ""
        found.append(
            {"study": folder.name, "claim": row["claim"], "says": row["says"], "source": row["source"],
             "standing": row["standing"], "verdict": row["outcome"], "measured": row["found"], "control": control,
             "remark": row["remark"]}
        )  # fmt: skip
    return found


def as_csv(rows: Sequence[Mapping[str, str]]) -> str:
    """The table as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def as_page(rows: Sequence[Mapping[str, str]]) -> str:
    """The table as a page in Markdown."""
    lines, last = [], None
    for row in rows:
        first = f"`{row['study']}`" if row["study"] != last else ""
        standing = row["standing"] if row["standing"] not in row["source"] else ""
        source = ", ".join(filter(None, [row["source"], standing]))
        control = f"control {row['control']}" if row["control"] else ""
        measured = "; ".join(filter(None, [row["measured"], control, row["remark"]]))
        cells = (_plain(cell) for cell in (row["says"], source, row["verdict"], measured))
        lines.append(f"| {' | '.join([first, *cells])} |")
        last = row["study"]
    return _HEAD + "\n".join([*lines, ""])


def _plain(cell: str) -> str:
    """A text in one line of a table, in which nothing is markup."""
    return " ".join(cell.split()).replace("|", "/").replace("<", "&lt;")


def summary(rows: Sequence[Mapping[str, str]], titles: Mapping[str, str]) -> str:
    """A row a study: what it asks, and how many of its claims came out how. Arguments: rows; titles by study.

    >>> print(summary([{"study": "a", "verdict": "holds"}, {"study": "a", "verdict": "fails"}], {"a": "Why?"}))
    | study | asks | holds | fails | undecided |
    | --- | --- | --- | --- | --- |
    | [a](studies/a.toml) | Why? | 1 | 1 |  |
    | 1 study |  | 1 | 1 | 0 |
    """
    counts: dict[str, Counter] = {}
    for row in rows:
        counts.setdefault(row["study"], Counter())[row["verdict"]] += 1
    lines = [f"| study | asks | {' | '.join(OUTCOMES)} |", "| --- | --- | --- | --- | --- |"]
    for name, found in counts.items():
        cells = [str(found[word] or "") for word in OUTCOMES]
        lines.append(f"| [{name}](studies/{name}.toml) | {titles[name]} | {' | '.join(cells)} |")
    total = sum(counts.values(), Counter())
    words = f"{len(counts)} {'study' if len(counts) == 1 else 'studies'}"
    return "\n".join([*lines, f"| {words} |  | {' | '.join(str(total[word]) for word in OUTCOMES)} |"])

"""Tables of a study for other programs and for papers: CSV, LaTeX with booktabs, and figures as PDF."""

import os
import re
from pathlib import Path

import pandas as pd

from implicitbias.errors import InputError
from implicitbias.store.files import replacing

_SPECIAL = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
_SPECIAL |= {letter: "\\" + letter for letter in "&%$#_{}"}
_LISTS = ("w", "increment", "limit")


def export_study(folder, out, *, csv: bool = False, latex: bool = False, pdf: bool = False) -> list[Path]:
    """Write the tables of a results folder, and the figures of its report.

    Arguments
        folder  the results folder
        out     where to; made if it is not there
        csv     results.csv, predictions.csv, separators.csv, slopes.csv, verdicts.csv, the runs of each claim, and the
                tables of runs and snapshots, runs.csv and curves.csv
        latex   the first five as .tex, to be read with \\input: tabulars with the rules of booktabs
        pdf     the figures of the report

    Returns the paths that were written.
    Errors: ``InputError`` if the folder holds no results, or `out` cannot be written.
    """
    from implicitbias.figures.draw import draw, image
    from implicitbias.report.content import content
    from implicitbias.study.stored import stored_study

    study, store = stored_study(folder)
    out = Path(out)
    found = content(study, store, pictures=False)
    written: dict[str, bytes] = {}
    if csv:
        written |= found.files()
        for name in ("runs", "curves"):
            frame = store.table(name).to_pandas()
            for column in _LISTS:
                if column in frame:
                    frame[column] = frame[column].map(_listed, na_action="ignore")
            written[f"{name}.csv"] = frame.to_csv(index=False, lineterminator="\n").encode()
    if latex:
        written |= {f"{name}.tex": tabular(frame).encode() for name, frame in found.frames().items()}
    if pdf:
        written |= {f"{item.figure.name}.pdf": image(draw(item.figure), "pdf") for item in found.figures}
    paths = []
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, content_ in written.items():
            with replacing(out / name) as temporary:
                temporary.write_bytes(content_)
            paths.append(out / name)
    except OSError as error:
        raise InputError(f"{error.filename or out} cannot be written: {os.strerror(error.errno)}") from None
    return paths


def _listed(values) -> str:
    return " ".join(map(repr, map(float, values)))


def tabular(frame: pd.DataFrame) -> str:
    """A table in LaTeX: numbers to four digits, to the right; words as they are, to the left.

    >>> print(tabular(pd.DataFrame({"cos_l2": [0.98765432], "data": ["a_b"]})))
    \\begin{tabular}{rl}
    \\toprule
    cos\\_l2 & data \\\\
    \\midrule
    0.9877 & a\\_b \\\\
    \\bottomrule
    \\end{tabular}
    <BLANKLINE>
    """
    numbers = [frame[name].dtype.kind in "fiu" for name in frame]
    rows = [" & ".join(map(_cell, row)) + r" \\" for row in frame.itertuples(index=False)]
    head = " & ".join(_tex(str(name)) for name in frame) + r" \\"
    shape = "".join("r" if number else "l" for number in numbers)
    lines = [rf"\begin{{tabular}}{{{shape}}}", r"\toprule", head, r"\midrule", *rows, r"\bottomrule", r"\end{tabular}"]
    return "\n".join([*lines, ""])


def _cell(value) -> str:
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return "--"
    return f"{value:.4g}" if isinstance(value, float) else _tex(str(value))


def _tex(text: str) -> str:
    return re.sub(r"[\\~^&%$#_{}]", lambda found: _SPECIAL[found[0]], text)

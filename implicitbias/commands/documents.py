"""`implicitbias report | export | compare`."""

import time
from pathlib import Path
from typing import Annotated

import typer

from implicitbias import exits

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="A results folder.")]
Place = Annotated[Path | None, typer.Argument(metavar="DIR", help="A results folder; with --all what holds them.")]
All = Annotated[bool, typer.Option("--all", help="Of every folder in DIR (default results), and DIR/index.html.")]
Anew = Annotated[bool, typer.Option("--anew", help="Even if nothing has changed since the last report.")]
Csv = Annotated[bool, typer.Option("--csv", help="Tables as CSV, runs.csv and curves.csv among them.")]
Latex = Annotated[bool, typer.Option("--latex", help="Tables for LaTeX with booktabs.")]
Pdf = Annotated[bool, typer.Option("--pdf", help="The figures of the report as PDF.")]
Out = Annotated[Path | None, typer.Option("--out", help="Where to; default DIR/export.")]
First = Annotated[Path, typer.Argument(metavar="A", help="A results folder.")]
Second = Annotated[Path, typer.Argument(metavar="B", help="Another.")]


def report(folder: Place = None, all_: All = False, anew: Anew = False) -> None:
    """Write DIR/report.html from the tables of a results folder, if it is not that of its tables already."""
    from implicitbias.errors import InputError

    if all_:
        from implicitbias.report.index import write_index

        began = time.perf_counter()
        page, count = write_index(folder or Path("results"), anew=anew, say=print)
        print(f"index: {page} ({count} studies, {time.perf_counter() - began:.1f} s)")
        return
    if folder is None:
        raise InputError("report needs a results folder, or --all for every folder in results")
    print(write(folder, anew=anew))


def write(folder: Path, *, anew: bool = False) -> str:
    """Write a report that is not current; the line that says so, with the time it took."""
    from implicitbias.report import write_report
    from implicitbias.report.stamp import is_current

    began = time.perf_counter()
    current = not anew and is_current(folder)
    page = Path(folder) / "report.html" if current else write_report(folder)
    words = "nothing has changed" if current else f"{time.perf_counter() - began:.1f} s"
    return f"report: {page} ({words})"


def export(folder: Folder, csv: Csv = False, latex: Latex = False, pdf: Pdf = False, out: Out = None) -> None:
    """The tables of a study as CSV or LaTeX (booktabs), and the figures of its report as PDF."""
    from implicitbias.errors import InputError
    from implicitbias.report.export import export_study

    if not (csv or latex or pdf):
        raise InputError("export writes --csv, --latex or --pdf; choose at least one of them")
    for path in export_study(folder, out or folder / "export", csv=csv, latex=latex, pdf=pdf):
        print(path)


def compare(first: First, second: Second) -> None:
    """Which claims have another verdict in B than in A, and which results differ by more than their seeds do. Exit
    code 1 if something differs."""
    from implicitbias.report.compare import compare_studies

    found = compare_studies(first, second)
    for line in found.lines():
        print(line)
    if found.differ:
        raise typer.Exit(exits.NO)

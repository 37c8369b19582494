"""`implicitbias plot`."""

import sys
import tomllib
from pathlib import Path
from typing import Annotated

import typer

ROLES = ("x", "y", "hue", "col", "row", "mark", "title", "xscale", "yscale")

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="A results folder.")]
Roles = Annotated[
    list[str] | None,
    typer.Argument(metavar="ROLE=COLUMN...", help="x, y, hue, col, row; mark, title, xscale, yscale. y may be a,b."),
]
Where = Annotated[list[str] | None, typer.Option("--where", help="Filter, such as order=reshuffle; repeatable.")]
Out = Annotated[Path | None, typer.Option("--out", help="A .pdf, .svg or .png; default DIR/figures/TITLE.pdf.")]
Width = Annotated[str, typer.Option(help="Of the print: column (3.4 inches) or page (7 inches), in type of 8 points.")]


def plot(folder: Folder, roles: Roles = None, where: Where = None, out: Out = None, width: Width = "page") -> None:
    """Draw a figure of a results folder: implicitbias plot DIR x=batch y=inc_cos_linf hue=beta2 --out fig.pdf"""
    from implicitbias.errors import InputError, one_of
    from implicitbias.figures.draw import draw, kind_of
    from implicitbias.figures.own import untold
    from implicitbias.figures.plot import compose, measured, tables, write
    from implicitbias.study.figures import figure_mistakes
    from implicitbias.study.spec import parse_figure

    asked, mistakes = {}, []
    for word in roles or ():
        name, equals, value = word.partition("=")
        if not equals or not value:
            mistakes.append(f"plot takes role=column, such as x=batch y=inc_cos_linf, not {word!r}")
        elif name not in ROLES:
            mistakes.append(f"{word}: {one_of(name, 'role', ROLES)}")
        else:
            asked[name] = [part.strip() for part in value.split(",")] if name == "y" else value
    if "y" not in asked:
        mistakes.append("plot needs a measure, such as y=inc_cos_linf")
    filters, wrong = _filters(where or [])
    try:
        kind = kind_of(out) if out is not None else "pdf"
    except InputError as error:
        wrong += error.mistakes
    try:
        figure = parse_figure({"y": ["cos_l2"]} | asked | {"where": filters})
        wrong += figure_mistakes({"": figure}, measured(folder))
    except InputError as error:
        wrong += error.mistakes
    if mistakes or wrong:
        raise InputError([*mistakes, *wrong])
    composed = compose(folder, figure)
    drawn = draw(composed, width)
    note = untold(figure, tables(folder, figure)[0])
    if note:
        print(f"note: {note}", file=sys.stderr)
    path = out if out is not None else folder / "figures" / f"{composed.name}.pdf"
    if out is None:
        path.parent.mkdir(exist_ok=True)
    print(f"figure: {write(drawn, path, kind)}")


def _filters(words: list[str]) -> tuple[dict, list[str]]:
    """Filters "column=value" as the table of a claim; several values of one column are all let through."""
    found: dict[str, list] = {}
    mistakes = []
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            mistakes.append(f"--where takes column=value, such as order=reshuffle, not {word!r}")
            continue
        try:
            parsed = tomllib.loads(f"value = {value}")["value"]
        except (ValueError, RecursionError):
            parsed = value.strip()  # an unquoted word is a string
        found.setdefault(name.strip(), []).extend(parsed if isinstance(parsed, list) else [parsed])
    return found, mistakes

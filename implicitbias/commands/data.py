"""`implicitbias margins | predict`: the directions of a data file."""

import re
from pathlib import Path
from typing import Annotated

import typer

DataFile = Annotated[Path, typer.Argument(metavar="FILE", help="A table of text, NPZ, Parquet or LIBSVM.")]
Label = Annotated[
    str | None,
    typer.Option(help="Label column, a name or an index from 0; default label, class, target, y, or the last."),
]
Positive = Annotated[str | None, typer.Option(help="The label that counts as +1.")]
Standardize = Annotated[bool, typer.Option(help="Scale features to mean 0 and variance 1.")]
Intercept = Annotated[bool, typer.Option(help="Append a constant feature.")]
Drop = Annotated[list[str] | None, typer.Option("--drop", help="A column to leave out, name or index; repeatable.")]
Columns = Annotated[list[str] | None, typer.Option("--columns", help="A feature, name or index, or *; repeatable.")]
Header = Annotated[bool | None, typer.Option("--header/--no-header", help="Whether the first line has names.")]
Delimiter = Annotated[str | None, typer.Option(help="Between cells: , ; | tab or space.")]
Decimal = Annotated[str | None, typer.Option(help="The decimal point: . or ,")]
ZeroBased = Annotated[bool | None, typer.Option("--zero-based/--one-based", help="Where LIBSVM indices start.")]
All = Annotated[bool, typer.Option("--all", help="Show every entry of the directions, not the largest alone.")]
Save = Annotated[Path | None, typer.Option("--save", help="Write the directions to a file, .csv or .npz.")]
Json = Annotated[bool, typer.Option("--json", help="Print everything as JSON.")]


def margins(
    file: DataFile,
    label: Label = None,
    positive: Positive = None,
    drop: Drop = None,
    columns: Columns = None,
    header: Header = None,
    delimiter: Delimiter = None,
    decimal: Decimal = None,
    zero_based: ZeroBased = None,
    standardize: Standardize = False,
    intercept: Intercept = False,
    all_: All = False,
    save: Save = None,
    json: Json = False,
) -> None:
    """The certified max-margin separators of a data file, or the proof that it has none (exit code 2)."""
    from implicitbias.terminal import directions

    directions.check_target(save, file)
    problem = _problem(
        file, label=label, positive=positive, drop=drop, columns=columns, header=header, delimiter=delimiter,
        decimal=decimal, zero_based=zero_based, standardize=standardize, intercept=intercept,
    )  # fmt: skip
    directions.tell(problem, lambda: directions.Margins(problem), every=all_, save=save, json=json)


def predict(
    file: DataFile,
    optimizer: Annotated[str, typer.Option(help="An optimizer, see `implicitbias list`.")] = "adam",
    hyper: Annotated[list[str] | None, typer.Option("--hyper", help="Such as beta2=0.95; repeatable.")] = None,
    batch: Annotated[str, typer.Option(metavar="INTEGER", help="Batch size; n is that of all rows.")] = "1",
    order: Annotated[str, typer.Option(help="full, cyclic, shuffle_once, reshuffle or replacement.")] = "reshuffle",
    numerical: Annotated[bool, typer.Option(help="Measure the tail map with the optimizer's own kernel.")] = False,
    label: Label = None,
    positive: Positive = None,
    drop: Drop = None,
    columns: Columns = None,
    header: Header = None,
    delimiter: Delimiter = None,
    decimal: Decimal = None,
    zero_based: ZeroBased = None,
    standardize: Standardize = False,
    intercept: Intercept = False,
    all_: All = False,
    save: Save = None,
    json: Json = False,
) -> None:
    """The predicted limit direction of an optimizer on a data file, with its certificate."""
    from implicitbias.study.expand import make_optimizer
    from implicitbias.terminal import directions

    directions.check_target(save, file)
    chosen = make_optimizer(optimizer, hyper or [])
    rows: int | str = int(batch) if re.fullmatch(r"-?[0-9]{1,18}", batch) else batch
    problem = _problem(
        file, label=label, positive=positive, drop=drop, columns=columns, header=header, delimiter=delimiter,
        decimal=decimal, zero_based=zero_based, standardize=standardize, intercept=intercept,
    )  # fmt: skip
    how = "numerical" if numerical else "theory"
    directions.tell(
        problem, lambda: directions.Prediction(problem, chosen, rows, order, how), every=all_, save=save, json=json
    )


def _problem(file: Path, *, label: str | None, drop: list[str] | None, columns: list[str] | None, **options):
    """The data of a file. A column is given as text, and where that is a number it is an index."""
    from implicitbias.geometry import from_file

    def column(name: str) -> str | int:
        return int(name) if re.fullmatch(r"-?[0-9]{1,9}", name) else name

    lists = {"drop": drop, "columns": columns}
    chosen = {key: [column(name) for name in names] for key, names in lists.items() if names}
    return from_file(file, label=None if label is None else column(label), **chosen, **options)

"""`implicitbias margins | predict`: the directions of a data file."""

import functools
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

All = Annotated[bool, typer.Option("--all", help="Show every entry of the directions, not the largest alone.")]
Save = Annotated[Path | None, typer.Option("--save", help="Write the directions to a file, .csv or .npz.")]
Json = Annotated[bool, typer.Option("--json", help="Print everything as JSON.")]


def _reading(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A table of text, NPZ, Parquet or LIBSVM.")],
    label: Annotated[
        str | None,
        typer.Option(help="Label column, a name or an index from 0; default label, class, target, y, or the last."),
    ] = None,
    positive: Annotated[str | None, typer.Option(help="The label that counts as +1.")] = None,
    drop: Annotated[
        list[str] | None, typer.Option("--drop", help="A column to leave out, name or index; repeatable.")
    ] = None,
    columns: Annotated[
        list[str] | None, typer.Option("--columns", help="A feature, name or index, or *; repeatable.")
    ] = None,
    header: Annotated[
        bool | None, typer.Option("--header/--no-header", help="Whether the first line has names.")
    ] = None,
    delimiter: Annotated[str | None, typer.Option(help="Between cells: , ; | tab or space.")] = None,
    decimal: Annotated[str | None, typer.Option(help="The decimal point: . or ,")] = None,
    zero_based: Annotated[
        bool | None, typer.Option("--zero-based/--one-based", help="Where LIBSVM indices start.")
    ] = None,
    multiclass: Annotated[bool, typer.Option("--multiclass", help="Each label is a class, two or more.")] = False,
    standardize: Annotated[bool, typer.Option(help="Scale features to mean 0 and variance 1.")] = False,
    intercept: Annotated[bool, typer.Option(help="Append a constant feature.")] = False,
):
    """The data of a file. A column is given as text, and where that is a number it is an index."""
    from implicitbias.geometry import from_file

    def column(name: str) -> str | int:
        return int(name) if re.fullmatch(r"-?[0-9]{1,9}", name) else name

    lists = {"drop": drop, "columns": columns}
    chosen: dict = {key: [column(name) for name in names] for key, names in lists.items() if names}
    return from_file(
        file, label=None if label is None else column(label), positive=positive, header=header, delimiter=delimiter,
        decimal=decimal, zero_based=zero_based, multiclass=multiclass or None, standardize=standardize,
        intercept=intercept, **chosen,
    )  # fmt: skip


def _reads(command: Callable) -> Callable:
    """A command with the parameters of `_reading` in the place of its first, `read`, which reads the file."""
    of_file, own = (inspect.signature(function).parameters for function in (_reading, command))

    @functools.wraps(command)
    def reading(**given):
        options = {name: given.pop(name) for name in of_file}
        return command(functools.partial(_reading, **options), options["file"], **given)

    first = {name: parameter for name, parameter in own.items() if name not in ("read", "file")}
    reading.__signature__ = inspect.Signature(
        [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in (*of_file.values(), *first.values())]
    )
    return reading


@_reads
def margins(read, file: Path, all_: All = False, save: Save = None, json: Json = False) -> None:
    """The certified max-margin separators of a data file, or the proof that it has none (exit code 2)."""
    from implicitbias.terminal import directions

    directions.check_target(save, file)
    problem = read()
    directions.tell(problem, lambda: directions.Margins(problem), every=all_, save=save, json=json)


@_reads
def predict(
    read,
    file: Path,
    optimizer: Annotated[str, typer.Option(help="An optimizer, see `implicitbias list`.")] = "adam",
    hyper: Annotated[list[str] | None, typer.Option("--hyper", help="Such as beta2=0.95; repeatable.")] = None,
    batch: Annotated[str, typer.Option(metavar="INTEGER", help="Batch size; n is that of all rows.")] = "1",
    order: Annotated[str, typer.Option(help="full, cyclic, shuffle_once, reshuffle or replacement.")] = "reshuffle",
    numerical: Annotated[bool, typer.Option(help="Measure the tail map with the optimizer's own kernel.")] = False,
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
    problem = read()
    how = "numerical" if numerical else "theory"
    directions.tell(
        problem, lambda: directions.Prediction(problem, chosen, rows, order, how), every=all_, save=save, json=json
    )

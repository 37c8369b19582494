"""A figure of results, in one call."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from implicitbias.errors import InputError
from implicitbias.figures.draw import draw, image, kind_of
from implicitbias.figures.own import own
from implicitbias.figures.parts import Figure as Drawn
from implicitbias.figures.table import label_runs, needed, with_parameters
from implicitbias.measure import Measures
from implicitbias.study.figures import along, figure_mistakes
from implicitbias.study.groups import whole
from implicitbias.study.keys import Figure
from implicitbias.study.rows import size
from implicitbias.study.spec import parse_figure
from implicitbias.study.step_sizes import step_columns

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

    from implicitbias.simulation.run import Run


def plot(
    results: "str | Path | pd.DataFrame | Run | Sequence[Run]",
    x: str | None = None,
    y: str | list[str] = "inc_cos_l2",
    hue: str | None = None,
    col: str | None = None,
    row: str | None = None,
    where: dict | None = None,
    mark: str | None = None,
    out: str | Path | None = None,
    width: str = "page",
    title: str = "",
    xscale: str | None = None,
    yscale: str | None = None,
) -> "MplFigure":
    """A figure of results: columns in the roles x, y, hue, col and row, and one mark.

    Values at the end of runs are shown as the median over all that has no role (seeds, as a rule) with its quartiles;
    along the runs, where x is a clock (step, epoch, sum_lr), as lines with bands. Ordered hues are sequential, and
    an optimizer has the same colour in every figure.

    Arguments
        results     a results folder, a table of runs as from `load_runs`, a Run, or a list of them
        x           a column: a clock, an axis of the study, or a measure; by default what varies decides
        y           a measure, or several (rows of panels, or colours with hue="measure"): a column, "-a", "1 - a" or
                    "a - b"
        hue, col, row
                    columns that tell runs apart: of the table of runs, "data.NAME" for a parameter of the data,
                    "method" (optimizer with all that varies in it), "geometry" (data with all but the seed)
        where       filter as that of a claim, {"order": "reshuffle", "batch": [1, 2]}
        mark        "point", "line", "scatter", "path" or "heat"; by default x decides
        out         a file to write, .pdf, .svg or .png
        width       "column" (3.4 inches) or "page" (7 inches): type is 8 points there
        xscale, yscale  "linear" or "log"; by default the values decide

    Returns the matplotlib Figure.
    Errors: ``InputError`` for an unknown column, extension or width, and where no run matches.

    >>> import implicitbias as ib
    >>> problem = ib.geometry.gaussian(n=4, d=6, seed=0)
    >>> run = ib.simulate(problem, ib.SGD(), lr=0.1, batch=1, steps=100)
    >>> len(ib.plot(run, x="step", y=["angle_l2", "angle_linf"]).axes)
    2
    """
    if out is not None:
        kind = kind_of(out)
    asked = {"title": title, "x": x, "y": y, "hue": hue, "col": col, "row": row, "where": dict(where or {}),
             "mark": mark, "xscale": xscale, "yscale": yscale}  # fmt: skip
    figure = parse_figure({name: value for name, value in asked.items() if value not in (None, "", {})})
    drawn = draw(compose(results, figure), width)
    if out is not None:
        write(drawn, out, kind)
    return drawn


def measured(results) -> Measures:
    """What results may have: of a folder, the measures of its study; of runs, those of all of them."""
    from implicitbias.store import Store

    if isinstance(results, (str, Path)):
        return Store.open(results).measures
    if isinstance(results, pd.DataFrame):
        usual = Measures.of(matrices="k" in results, objective=_form_of(set(results)))
        return usual.with_those_of(results.columns)
    runs = results if isinstance(results, (list, tuple)) else [results]
    problems = [run.problem for run in runs if hasattr(run, "problem")]
    usual = Measures.fitting(problems[0]) if problems else Measures.of()
    asked = [run.measures for run in runs if getattr(run, "measures", None)]
    there = [column.name for item in asked for column in (*item.columns(), *item.end_columns())]
    return usual.with_those_of(there)


def _form_of(names: set[str]) -> str | None:
    """The form of the objectives of a table of runs, by what they are read by; None of data."""
    from implicitbias.objectives import FORMS

    fitting = (name for name, form in FORMS.items() if form.readings and {x.name for x in form.readings} <= names)
    return next(fitting, None)


def compose(results, figure: Figure) -> Drawn:
    """The panels of a figure of results. Arguments and errors as those of `plot`."""
    wrong = figure_mistakes({"": figure}, measured(results))
    if wrong:
        raise InputError(wrong)
    runs, curves = tables(results, figure)
    return own(figure, runs, curves)


def write(drawn, path: str | Path, kind: str) -> Path:
    """Write a drawn figure whole or not at all. Errors: ``InputError`` if the place cannot be written."""
    from implicitbias.store.files import replacing

    path = Path(path)
    try:
        with replacing(path) as temporary:
            temporary.write_bytes(image(drawn, kind))
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}") from None
    return path


def tables(results, figure: Figure) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """The runs that ended ok, with what figures call them, and their snapshots if the figure looks along them."""
    from implicitbias.simulation.run import Run

    if isinstance(results, Run) or (isinstance(results, (list, tuple)) and all(isinstance(r, Run) for r in results)):
        return _of_runs([results] if isinstance(results, Run) else list(results))
    if isinstance(results, pd.DataFrame):
        if "run_id" not in results or "status" not in results:
            raise InputError("plot takes a results folder, a table of runs from load_runs, or runs")
        runs, curves = whole(results), None
    else:
        from implicitbias.store import Store

        store = Store.open(results)
        runs = store.runs()
        curves = None
        if along(figure) or (figure.x is None and figure.mark is None):
            names = {"run_id", "step", "sum_lr", "epoch", figure.x, *(n for y in figure.y for n in needed(y))}
            curves = store.table(
                "curves", [name for name in store.schemas["curves"].names if name in names]
            ).to_pandas()
    ok = runs[runs["status"] == "ok"]
    if ok.empty:
        raise InputError("no run ended ok, so there is nothing to draw")
    return with_parameters(label_runs(ok)), curves


def _of_runs(runs: list) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Simulated runs as the tables of a study would have them."""
    if not runs:
        raise InputError("plot needs a run")
    rows, curves = [], []
    for number, run in enumerate(runs):
        curve = run.curve.assign(run_id=str(number))
        rows.append(
            {"run_id": str(number), "data": run.problem.name, "data_params": "{}", "data_seed": None,
             **size(run.problem), "data_digest": id(run.problem), "optimizer": run.optimizer.name,
             "optimizer_kind": run.optimizer.name, "label": run.optimizer.label, "limit_method": "theory",
             **run.optimizer.canonical(), **step_columns(run.lr), **asdict(run.setting), "status": run.status,
             **curve.iloc[-1].to_dict()}
        )  # fmt: skip
        curves.append(curve)
    frame = pd.DataFrame(rows)
    from implicitbias.study.groups import SPECIFICATION

    for name in (*SPECIFICATION, "time", "steps"):
        if name not in frame:
            frame[name] = None
    return with_parameters(label_runs(frame)), pd.concat(curves, ignore_index=True)

"""What is wrong with the figures that a study asks for, before anything is run or drawn."""

import difflib

from implicitbias.errors import one_of
from implicitbias.measure import Measures
from implicitbias.store.schema import USUAL
from implicitbias.study.filters import PARAMETER
from implicitbias.study.formula import columns
from implicitbias.study.keys import Figure
from implicitbias.study.mistakes import Names

CLOCKS = ("step", "sum_lr", "epoch", "lr")
SHIFTED = "lr_eta / best"  # the step size over that of the least y among runs that are alike but for it
MADE = ("method", "geometry", "measure", SHIFTED)  # columns that figures have and tables lack


def along(figure: Figure) -> bool:
    """Whether a figure shows snapshots along the runs, and not their ends."""
    return figure.mark in ("line", "path") or (figure.mark is None and figure.x in CLOCKS)


def _mark_mistakes(place: str, figure: Figure) -> list[str]:
    """What is wrong with the points on a heat map."""
    if figure.marks and figure.mark != "heat":
        return [f'{place}marks: they are drawn on a heat map, which has mark = "heat"']
    if figure.written and figure.mark != "heat":
        return [f'{place}written: values are written on a heat map, which has mark = "heat"']
    needed, known = {figure.x, figure.hue}, {figure.x, figure.hue, figure.col, figure.row}
    mistakes = []
    for position, point in enumerate(figure.marks):
        words = [f"lacks {name!r}" for name in sorted(needed - set(point))]
        words += [f"has {name!r}, which is no role of the figure" for name in point if name not in known]
        mistakes += [f"{place}marks.{position} {word}" for word in words]
    return mistakes


def figure_mistakes(figures: dict[str, Figure], measures: Measures = USUAL, sep: str = ".") -> list[str]:
    """Every unknown column of the figures, each under the name of its place."""
    mistakes, names_of = [], Names(measures)
    numeric, scalars, curves = names_of.numeric, names_of.scalars, names_of.curves
    points = [column.name for column in measures.end_columns() if column.kind is list]  # many of each run
    given = {column.name for column in measures.columns() + measures.end_columns() + measures.data_columns()}
    for where, figure in figures.items():
        place = f"{where}{sep}" if where else ""
        for measure in figure.y:
            names = columns(measure)
            if names is None:
                mistakes.append(f"{place}y must be a column or the difference of two, not {measure!r}")
            if measure in points:
                if figure.mark != "scatter":
                    mistakes.append(f'{place}y: {measure!r} is many points of each run, and needs mark = "scatter"')
                elif len(figure.y) > 1:
                    mistakes.append(f"{place}y: {measure!r} is many points of each run, and stands alone")
                continue
            for name in names or ():
                if name not in numeric and not name.startswith(PARAMETER):
                    mistakes.append(f"{place}y: {one_of(name, 'column', numeric)}")
                elif along(figure) and name not in curves:
                    mistakes.append(f"{place}y: {name!r} is known at the end of runs, and not along them, as x asks")
        for role in ("x", "hue", "col", "row"):
            name = getattr(figure, role)
            known = [*scalars, *MADE]
            levels = [name for name in known if name not in given]  # what is told where nothing is near
            if role == "x" and name is not None and columns(name) and set(columns(name)) <= set(numeric):
                if along(figure) and not set(columns(name)) <= set(curves):
                    mistakes.append(f"{place}x: {name!r} does not vary along a run, which a line needs")
            elif name is not None and name not in known and not name.startswith(PARAMETER):
                near = difflib.get_close_matches(name, known, n=1)
                mistakes.append(f"{place}{role}: {one_of(name, 'column', known if near else levels)}")
        mistakes += _mark_mistakes(place, figure)
        for name in figure.where:
            if name not in [*scalars, *MADE] and not name.startswith(PARAMETER):
                mistakes.append(f"{place}where: {one_of(name, 'column', scalars)}")
    return mistakes

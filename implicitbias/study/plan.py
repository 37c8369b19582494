"""A study file as its runs, checked as a whole: a mistake in one table hides none in another."""

import difflib
from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel, ValidationError

from implicitbias.errors import InputError
from implicitbias.store.schema import USUAL
from implicitbias.study.data import data_sets, shapes_of, subject
from implicitbias.study.expand import RunSpec, expand_tables, measures_of
from implicitbias.study.figures import figure_mistakes
from implicitbias.study.keys import Claim, Figure, Grid, Study
from implicitbias.study.mistakes import Planned, claim_mistakes, with_controls
from implicitbias.study.spec import parse_study, read_content


def plan(
    path: str | Path, settings: list[str] = (), text: str | None = None, base: Path | None = None
) -> tuple[Study, str, list[RunSpec]]:
    """The study of a file with the settings applied, the file's text, if that is not given, and the runs of the study.

    Errors: ``InputError`` with every mistake of the file.
    """
    runs: list[RunSpec] = []
    study, text = survey(path, runs.append, settings, text, base)
    return study, text, runs


def survey(
    path: str | Path,
    visit: Callable[[RunSpec], None],
    settings: list[str] = (),
    text: str | None = None,
    base: Path | None = None,
) -> tuple[Study, str]:
    """The study of a file and the file's text, once `visit` has been called with each run; no list of them is kept.

    Errors: ``InputError`` with every mistake of the file, after all visits.
    """
    content, text = read_content(path, settings, text, base)
    mistakes, study = [], None
    try:
        study = parse_study(content, Path(path).name)
    except InputError as error:
        mistakes += error.mistakes
    data, optimizer = (content[key] if isinstance(content.get(key), dict) else {} for key in ("data", "optimizer"))
    grids = _readable(Grid, content, "grid") if data and optimizer else {}
    claims = with_controls(_readable(Claim, content, "claim"))
    unfit: list[str] = []
    sets = data_sets(data, unfit)
    about, shapes = subject(sets), shapes_of(sets)
    measures = USUAL if study is None else measures_of(study, about, shapes, mistakes)
    wrong, planned = claim_mistakes(claims, measures), Planned(claims)
    mistakes += figure_mistakes(_readable(Figure, content, "figure"), measures) + unfit
    for run in expand_tables(sets, optimizer, grids, mistakes, measures):
        visit(run)
        planned.add(run)
    # Mistakes elsewhere may be why a run is not there, and settings may leave runs out on purpose.
    mistakes += wrong if wrong or mistakes or settings else planned.mistakes()
    if mistakes:
        raise InputError(mistakes)
    return study, text


def _readable(model: type[BaseModel], content: dict, name: str) -> dict[str, BaseModel]:
    """The tables of a list that can be read, each under the name of its place; a misspelt key as what it means."""
    found, tables = {}, content.get(name)
    for position, table in enumerate(tables if isinstance(tables, list) else ()):
        if isinstance(table, dict):
            known = {key: value for key, value in table.items() if key in model.model_fields}
            meant = {_nearest(key, model): value for key, value in table.items() if key not in known}
            meant.pop(None, None)
            try:
                found[f"{name}.{position}"] = model(**meant | known)
            except ValidationError:
                continue  # its mistakes are on the list already
    return found


def _nearest(key: str, model: type[BaseModel]) -> str | None:
    return next(iter(difflib.get_close_matches(key, sorted(model.model_fields), n=1)), None)

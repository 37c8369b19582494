"""The report of a study: one self-contained HTML page, made from the tables of a results folder."""

import os
import re
from pathlib import Path

from implicitbias.errors import FULL, InputError, NotWritten
from implicitbias.store.files import replacing

_OURS = re.compile(r"figure-\d+[a-z]?\.(svg|png)")


def write_report(folder) -> Path:
    """Write DIR/report.html, and its figures also as DIR/figures/*.svg or *.png.

    The page needs no network, no JavaScript and no other file. The same tables give the same bytes. It may be written
    while the study runs: it then says how many runs are there.

    Arguments: folder, the directory given to `run_study` as out
    Returns the path of the page.
    Errors: ``InputError`` if the folder holds no results of a study, or a claim names an unknown measure.
    """
    from implicitbias.report.figures import COLUMNS, figures, shown_runs
    from implicitbias.report.page import render
    from implicitbias.report.tables import label_runs
    from implicitbias.study.stored import curve_columns, judge, stored_study

    study, store = stored_study(folder)
    runs = store.table("runs").to_pandas()
    outcomes = judge(study, store, runs) if study.claim else []
    labelled = label_runs(runs)
    # The snapshots of 100000 runs would be some GB.
    columns = list(dict.fromkeys([*COLUMNS, *curve_columns(study)]))
    drawn = figures(labelled, store.table("curves", columns, ids=shown_runs(labelled, outcomes)), outcomes)
    page = render(study, store.text(), store.identity(), labelled, outcomes, drawn)
    try:
        _write_figures(store.folder / "figures", drawn)
        return _replace(store.folder / "report.html", page.encode())
    except OSError as error:
        if error.errno in FULL:
            raise error if isinstance(error, NotWritten) else NotWritten(error.filename or folder, error) from None
        raise InputError(f"{error.filename or folder} cannot be written: {os.strerror(error.errno)}") from None


def _write_figures(folder: Path, drawn: list) -> None:
    """The figures as files; those of an earlier report that are no longer drawn go away."""
    if folder.is_symlink():
        raise InputError(f"{folder} is a link, and figures are written and deleted only below the results folder")
    names = {figure.file for figure in drawn}
    if names:
        folder.mkdir(exist_ok=True)
    for figure in drawn:
        _replace(folder / figure.file, figure.picture.image)
    for old in folder.glob("figure-*") if folder.is_dir() else ():
        if old.name not in names and _OURS.fullmatch(old.name):
            old.unlink()


def _replace(path: Path, content: bytes) -> Path:
    """Write a file whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    return path

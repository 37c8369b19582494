"""The report of a study: one self-contained HTML page, made from the tables of a results folder."""

import os
import re
from pathlib import Path

from implicitbias.errors import FULL, InputError, NotWritten

_OLD = re.compile(r"figure-\d+[a-z]?\.(svg|png)")  # what reports wrote that do not link to their files


def write_report(folder: str | os.PathLike[str], *, anew: bool = True) -> Path:
    """Write DIR/report.html, its figures also as DIR/figures/*.svg, its tables as DIR/tables/*.csv, and a page for each
    of its claims as DIR/claims/*.html.

    The page needs no network, no JavaScript and no other file. The same tables give the same bytes. It may be written
    while the study runs: it then says how many runs are there.

    Arguments
        folder  the directory given to `run_study` as out
        anew    whether a page that is made from these tables already, by this code, is made again

    Returns the path of the page.
    Errors: ``InputError`` if the folder holds no results of a study, or a claim or figure names an unknown column.
    """
    from implicitbias.report.stamp import is_current, linked, stamp

    if not anew and is_current(folder):
        return Path(folder) / "report.html"
    mark, before = stamp(folder), linked(folder)
    from implicitbias.report.claim_pages import claim_pages
    from implicitbias.report.content import content
    from implicitbias.report.page import render
    from implicitbias.study.stored import stored_study

    study, store = stored_study(folder)
    found = content(study, store)
    page = render(found, mark)
    try:
        files = {figure.file: figure.image for figure in found.figures}
        _write(store.folder / "figures", files, before)
        _write(store.folder / "tables", found.files(), before)
        pages = {name: text.encode() for name, text in claim_pages(found, Path(folder)).items()}
        _write(store.folder / "claims", pages, before)
        return _replace(store.folder / "report.html", page.encode())
    except OSError as error:
        if error.errno in FULL:
            raise error if isinstance(error, NotWritten) else NotWritten(error.filename or folder, error) from None
        raise InputError(f"{error.filename or folder} cannot be written: {os.strerror(error.errno)}") from None


def _write(folder: Path, files: dict[str, bytes], before: set[str]) -> None:
    """Files of a folder beside the page; those that the earlier report linked to and this one lacks go away."""
    if folder.is_symlink():
        raise InputError(f"{folder} is a link, and {folder.name} are written and deleted only below the results folder")
    if files:
        folder.mkdir(exist_ok=True)
    for name, content in files.items():
        _replace(folder / name, content)
    for old in folder.glob("*") if folder.is_dir() else ():
        ours = f"{folder.name}/{old.name}" in before or (folder.name == "figures" and _OLD.fullmatch(old.name))
        if ours and old.name not in files:
            old.unlink()


def _replace(path: Path, content: bytes) -> Path:
    """Write a file whole or not at all."""
    from implicitbias.store.files import replacing  # with the tables comes all the rest

    with replacing(path) as temporary:
        temporary.write_bytes(content)
    return path

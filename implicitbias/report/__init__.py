"""The report of a study: one self-contained HTML page, made from the tables of a results folder."""

from pathlib import Path


def write_report(folder) -> Path:
    """Write DIR/report.html, and its figures also as DIR/figures/*.svg or *.png.

    The page needs no network, no JavaScript and no other file. The same tables give the same bytes. It may be written
    while the study runs: it then says how many runs are there.

    Arguments: folder, the directory given to `run_study` as out
    Returns the path of the page.
    Errors: ``InputError`` if the folder holds no results of a study, or a claim names an unknown measure.
    """
    from implicitbias.report.figures import figures
    from implicitbias.report.page import render
    from implicitbias.report.tables import label_runs
    from implicitbias.study.claims import verdicts
    from implicitbias.study.execute import stored_study

    study, store = stored_study(folder)
    runs, curves = store.table("runs").to_pandas(), store.table("curves")
    outcomes = verdicts(study, runs, curves.to_pandas()) if study.claim else []
    labelled = label_runs(runs)
    drawn = figures(labelled, curves, outcomes)
    page = render(study, store.text(), store.identity(), labelled, outcomes, drawn)
    _write_figures(store.folder / "figures", drawn)
    return _replace(store.folder / "report.html", page.encode())


def _write_figures(folder: Path, drawn: list) -> None:
    """The figures as files; those of an earlier report that are no longer drawn go away."""
    names = {figure.file for figure in drawn}
    if names:
        folder.mkdir(exist_ok=True)
    for figure in drawn:
        _replace(folder / figure.file, figure.picture.image)
    for old in folder.glob("figure-*") if folder.is_dir() else ():
        if old.name not in names:
            old.unlink()


def _replace(path: Path, content: bytes) -> Path:
    """Write a file whole or not at all."""
    import os

    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(content)
    return temporary.replace(path)

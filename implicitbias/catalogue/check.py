"""Running the catalogue: every study, run or resumed, then its pages and the table of all claims."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from implicitbias.catalogue import table
from implicitbias.errors import InputError
from implicitbias.report import write_report
from implicitbias.report.index import write_index
from implicitbias.store.files import write_bytes
from implicitbias.study.spec import read_study, study_files
from implicitbias.sweep.pool import outcomes
from implicitbias.sweep.run import checked_jobs, run_study_in
from implicitbias.sweep.workers import open_pool


@dataclass(frozen=True)
class Catalogue:
    """What `check_all` found: its folder, a row a claim, and what went wrong with which study."""

    folder: Path
    rows: list[dict[str, str]]
    mistakes: list[str]


def check_all(
    studies: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    *,
    quick: bool = False,
    jobs: int | None = None,
    say: Callable[[str], None] | None = None,
    notice: Callable[[str], None] | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Catalogue:
    """Run, or go on with, every study of a folder, and write the verdicts on all of their claims.

    It writes OUT/NAME as `run_study` does, with its report and a page for each claim; OUT/index.html over all of
    them; and OUT/claims.csv and OUT/claims.md, a row a claim. A study that cannot be run is left out and told.

    Arguments
        studies   the folder of the study files; default studies, or where that is none those of the package
        out       results folder of all; default results, or results/quick
        quick     each study with its settings `quick`: shorter and on fewer seeds
        jobs      worker processes; default all cores
        say       called with a line for each study that is done
        notice    called with a sentence for each damaged file that was set aside
        progress  called as progress(phase, done, total)

    Returns a Catalogue.
    Errors: ``InputError`` if there are no studies, or none of them can be run.

    >>> ib.check_all("studies", "results", quick=True)  # doctest: +SKIP
    """
    say, notice = say or (lambda line: None), notice or (lambda sentence: None)
    jobs, paths, mistakes, done = checked_jobs(jobs), _files(studies), [], []
    folder = Path(out) if out is not None else Path("results") / ("quick" if quick else "")
    pool = open_pool(jobs, "local", None)
    try:
        for path in paths:
            try:
                settings = read_study(path)[0].quick if quick else []
                if quick and not settings:
                    say(f"{path.stem}: has no settings for a quick look, so it runs in full")
                bar = _named(progress, path.stem)
                began = time.perf_counter()
                summary = run_study_in(pool, path, folder / path.stem, settings=settings, notice=notice, progress=bar)
                done.append(folder / path.stem)
                seconds = time.perf_counter() - began
                say(f"{path.stem}: {summary.total} runs, {summary.computed} computed now, {seconds:.0f} s")
            except InputError as error:
                mistakes += [f"{path.stem}: {mistake}" for mistake in error.mistakes]
                if pool.closed:
                    pool = open_pool(jobs, "local", None)
        if not done:
            raise InputError(mistakes)
        mistakes += _report(pool, done, progress)
    finally:
        pool.close()
    try:
        write_index(folder)
    except InputError as error:  # of a report, told above, of another folder there, or of the page itself
        mistakes += [mistake for mistake in error.mistakes if mistake not in mistakes]
    rows = [row for place in done for row in table.rows_of(place)]
    write_bytes(folder / table.FILE, table.as_csv(rows).encode())
    write_bytes(folder / table.PAGE, table.as_page(rows).encode())
    return Catalogue(folder, rows, mistakes)


def _files(studies) -> list[Path]:
    if studies is None and not any(Path("studies").glob("*.toml")):
        from implicitbias.study.shipped import shipped

        return [path for path in shipped().values() if path.suffix == ".toml"]
    found = study_files(studies or "studies")
    if not found:
        raise InputError(f"{studies} holds no study files")
    return found


def _named(progress, name: str):
    return None if progress is None else lambda phase, done, total: progress(f"{name}: {phase}", done, total)


def _report(pool, places: Sequence[Path], progress) -> list[str]:
    """Write the reports that are not current, over the workers; what went wrong with which."""
    mistakes = []
    pool.start(min(pool.size, len(places)))
    for count, (task, answer) in enumerate(outcomes(pool, _write, [[place] for place in places]), start=1):
        if progress is not None:
            progress("writing reports", count, len(places))
        if isinstance(answer, Exception):
            raise answer
        mistakes += [f"{task[0].name}: {mistake}" for mistake in answer]
    return mistakes


def _write(task: list[Path]) -> list[str]:
    try:
        write_report(task[0], anew=False)
    except InputError as error:
        return error.mistakes
    return []

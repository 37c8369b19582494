"""`implicitbias check --all`."""

import sys
from collections import Counter
from pathlib import Path

import typer

from implicitbias import exits


def check(folder: Path | None, out: Path | None, *, strict: bool, quick: bool, jobs: int | None, notice) -> None:
    """Run or resume every study of a folder, print the tally of each and what fails, and say where the pages are."""
    from implicitbias import terminal
    from implicitbias.catalogue.check import check_all
    from implicitbias.catalogue.table import FILE, OUTCOMES
    from implicitbias.errors import InputError
    from implicitbias.interrupts import interruptible

    with interruptible():
        try:
            with terminal.progress() as progress:
                found = check_all(
                    folder, out, quick=quick, jobs=jobs, notice=notice, progress=progress,
                    say=lambda line: print(line, file=sys.stderr, flush=True),
                )  # fmt: skip
        except KeyboardInterrupt as error:
            print("interrupted; what was computed is kept, and the same command goes on from there", file=sys.stderr)
            sys.exit(getattr(error, "code", exits.INTERRUPTED))
    terminal.print_catalogue(found.rows)
    tally = Counter(row["verdict"] for row in found.rows)
    words = ", ".join(f"{tally[word]} {word}" for word in OUTCOMES)
    print(f"{len(found.rows)} claims: {words}")
    if quick:
        print("a quick look: the verdicts are about shorter runs on fewer seeds than the studies ask for")
    print(f"index: {found.folder / 'index.html'}\ntable: {found.folder / FILE}")
    if found.mistakes:
        raise InputError(found.mistakes)
    if tally["fails"] or (strict and tally["undecided"]):
        raise typer.Exit(exits.NO)

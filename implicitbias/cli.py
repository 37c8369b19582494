"""`implicitbias run | collect | status | check | reproduce | list | show | margins | predict`, and `commands`."""

import errno
import gc
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Annotated

import typer

from implicitbias import __version__, exits
from implicitbias.commands import catalogue, data, documents, figures, study

app = typer.Typer(
    help="Which separator does the optimizer pick? Simulate, certify, and judge claims on separable data.",
    epilog="\n\n".join(["Exit codes:", *(f"{code}: {meaning}" for code, meaning in exits.MEANINGS.items())]),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

MOST_MISTAKES = 100  # shown
STUDIES = Path("studies")

Out = Annotated[Path | None, typer.Option("--out", help="Results folder; default results/ and the study's name.")]
Jobs = Annotated[int | None, typer.Option("--jobs", help="Worker processes; default all cores.")]
Settings = Annotated[list[str] | None, typer.Option("--set", help="Override, such as grid.steps=1000; repeatable.")]
Backend = Annotated[str, typer.Option(help="Where the runs are computed: local or dask.")]
Scheduler = Annotated[str | None, typer.Option(help="Address of a Dask scheduler, such as tcp://10.0.0.1:8786.")]
Shard = Annotated[str | None, typer.Option(metavar="I/N", help="Only part I of N; `collect` merges the parts.")]
Retry = Annotated[bool, typer.Option("--retry", help="Repeat runs that ended with the status error or timeout.")]
Extend = Annotated[bool, typer.Option("--extend", help="The study has changed: compute what is new, keep the rest.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Remove the tables in the folder and start afresh.")]
Refresh = Annotated[bool, typer.Option("--refresh", help="Repeat runs that other code or libraries have made.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what it would take, from a small sample; write nothing.")]
NoReport = Annotated[bool, typer.Option("--no-report", help="Write no report; `implicitbias report DIR` does.")]
StudyFile = Annotated[Path, typer.Argument(metavar="STUDY", help="A study file (TOML).")]
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="A results folder.")]


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"implicitbias {__version__}")
        raise typer.Exit


@app.callback()
def _before_the_command(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options of no command."""


def main() -> None:
    """Entry point: a user's mistake is one sentence a mistake on stderr, never a traceback; codes as in `exits`."""
    from implicitbias.streams import guard

    outlets = guard()
    gc.set_threshold(50_000)  # imports and tables are many objects that stay: looking through them takes a tenth
    try:
        code = _code()
    except Exception:
        traceback.print_exc()
        code = exits.FAULT
    sys.stdout.flush()
    lost = outlets[0].lost
    if lost is not None and lost.errno != errno.EPIPE:
        print(f"error: the output could not be written: {lost.strerror}", file=sys.stderr)
    if lost is not None and code == exits.DONE:
        code = exits.NO_READER if lost.errno == errno.EPIPE else exits.NOT_WRITTEN
    sys.exit(code)


def _code() -> int:
    """Run the command that the command line names; its exit code."""
    from implicitbias.errors import InputError, NotSeparable, NotWritten, Undecided, one_line

    try:
        app()
    except SystemExit as end:  # the way every command ends, well or not
        return end.code or exits.DONE
    except (InputError, NotSeparable, Undecided) as error:
        mistakes = getattr(error, "mistakes", [str(error)])
        for mistake in mistakes[:MOST_MISTAKES]:
            print(f"error: {mistake}", file=sys.stderr)
        if len(mistakes) > MOST_MISTAKES:
            print(f"... and {len(mistakes) - MOST_MISTAKES} more mistakes", file=sys.stderr)
        return exits.UNUSABLE
    except NotWritten as error:
        print(f"error: {error}", file=sys.stderr)
        return exits.NOT_WRITTEN
    except KeyboardInterrupt as error:
        print("interrupted", file=sys.stderr)
        return getattr(error, "code", exits.INTERRUPTED)
    except OSError as error:  # what the system refuses, such as a name that is too long
        if not error.filename:
            raise
        print(f"error: {one_line(os.fsdecode(error.filename))}: {error.strerror}", file=sys.stderr)
        return exits.UNUSABLE
    return exits.DONE


@app.command()
def run(
    study: StudyFile,
    out: Out = None,
    jobs: Jobs = None,
    set_: Settings = None,
    backend: Backend = "local",
    scheduler: Scheduler = None,
    shard: Shard = None,
    retry: Retry = False,
    extend: Extend = False,
    overwrite: Overwrite = False,
    refresh: Refresh = False,
    dry_run: DryRun = False,
    no_report: NoReport = False,
) -> None:
    """Run a study; print its table and verdicts and write its report. Runs already in the folder are not repeated. Exit
    code 1 if no run of it ended ok."""
    if dry_run:
        _forecast(study, set_ or [], jobs)
        return
    from implicitbias.interrupts import interruptible
    from implicitbias.sweep.unchanged import last_words, remember

    folder = out or _default_out(study)
    usual = backend == "local" and not (shard or retry or extend or overwrite or refresh or no_report)
    if usual and (words := last_words(study, folder, set_ or [])) is not None:
        print(words)
        return
    with interruptible():
        try:
            from implicitbias import terminal
            from implicitbias.study.provenance import stale_words
            from implicitbias.sweep.run import run_study

            mode = _mode(extend, overwrite)
            with terminal.progress() as progress:
                summary = run_study(
                    study, folder, jobs=jobs, settings=set_ or [], backend=backend, scheduler=scheduler, shard=shard,
                    retry=retry, mode=mode, refresh=refresh, progress=progress, notice=_warn,
                )  # fmt: skip
                page = ""
                if not shard and not no_report:
                    progress("writing the report", 0, 0)
                    page = documents.write(folder)
            if shard:
                terminal.print_shard(summary, shard)
            else:
                with terminal.said() as found:
                    runs = _print_study(folder)
                terminal.print_summary(summary, runs)
                terminal.print_stale(runs)
                if page:
                    print(page)
                if not (runs["status"] == "ok").any():
                    raise typer.Exit(1)
                if usual and not stale_words(runs):
                    page = f"report: {folder / 'report.html'} (nothing has changed)"
                    remember(folder, f"{found()}{terminal.counted(runs)}; 0 computed now, {len(runs)} kept\n{page}")
        except KeyboardInterrupt as error:
            kept = f"what was computed is in {folder}" if folder.is_dir() else "nothing was computed yet"
            again = " without --overwrite" * overwrite
            print(f"interrupted; {kept}, and the same command{again} goes on from there", file=sys.stderr)
            sys.exit(getattr(error, "code", exits.INTERRUPTED))


@app.command()
def collect(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Folders that shards wrote into.")],
    out: Annotated[Path | None, typer.Option("--out", help="Results folder; default the first DIR.")] = None,
) -> None:
    """Merge what the shards of a study wrote into its tables, and write its report. Exit code 1 if runs are missing."""
    from implicitbias.interrupts import interruptible

    with interruptible():
        from implicitbias import terminal
        from implicitbias.sweep.collect import collect as merge

        collected = merge(folders, out, notice=_warn)
        page = documents.write(collected.folder)
        runs = _print_study(collected.folder)
        terminal.print_collected(collected)
        terminal.print_stale(runs)
        print(page)
    if collected.missing:
        raise typer.Exit(exits.NO)


def _forecast(study: Path, settings: list[str], jobs: int | None) -> None:
    from implicitbias import terminal
    from implicitbias.errors import InputError
    from implicitbias.sweep.forecast import forecast

    if jobs is not None and jobs < 1:
        raise InputError(f"jobs must be an integer >= 1, but is {jobs}")
    terminal.print_forecast(forecast(study, settings, jobs or os.cpu_count() or 1))


def _mode(extend: bool, overwrite: bool) -> str:
    from implicitbias.errors import InputError

    if extend and overwrite:
        raise InputError("--extend keeps what is there and --overwrite removes it; give one of them")
    return "extend" if extend else "overwrite" if overwrite else "resume"


def _warn(sentence: str) -> None:
    from implicitbias.errors import one_line

    print(f"warning: {one_line(sentence)}", file=sys.stderr)


def _print_study(folder: Path):
    """Print table and verdicts of a results folder; return its runs."""
    from implicitbias import terminal
    from implicitbias.report.tables import readings
    from implicitbias.study.stored import judge, stored_study

    stored, store = stored_study(folder)
    runs = store.runs()
    terminal.print_readings(readings(runs))
    terminal.print_results(stored, runs, store.measures)
    terminal.print_verdicts(judge(stored, store, runs))
    return runs


@app.command()
def status(
    folder: Folder,
    watch: Annotated[
        float | None, typer.Option("--watch", metavar="SECONDS", help="Say so again, until every run is there.")
    ] = None,
) -> None:
    """What a results folder holds: finished, missing and stale runs, failures with their reasons, the slowest runs."""
    from implicitbias import terminal
    from implicitbias.errors import InputError
    from implicitbias.study.stored import stored_study

    if watch is not None and not 0.1 <= watch <= 1e6:
        raise InputError(f"--watch takes the seconds between two looks, from 0.1 on, such as --watch 10, not {watch:g}")
    since = None
    while True:
        _, store = stored_study(folder)
        damaged = []
        runs = store.table("runs", terminal.STATUS_COLUMNS, damaged=damaged).to_pandas()
        for error in {error.path: error for error in damaged}.values():
            _warn(f"{error}; `implicitbias run` sets it aside and computes its runs again")
        identity, now = store.identity(), (time.monotonic(), len(runs))
        if watch is not None and terminal.console.is_terminal:
            terminal.console.clear()
        terminal.print_status(identity, runs)
        missing = identity["runs"] - len(runs)
        if watch is None or missing <= 0:
            return
        since = since or now
        terminal.print_pace(now[1] - since[1], now[0] - since[0], missing)
        sys.stdout.flush()
        time.sleep(watch)


@app.command()
def check(
    place: Annotated[Path | None, typer.Argument(metavar="STUDY_OR_DIR")] = None,
    out: Out = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit code 1 if a claim is undecided, too.")] = False,
    all_: Annotated[bool, typer.Option("--all", help="Run all of a folder first; default studies.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="With --all: shorter, on fewer seeds.")] = False,
    jobs: Jobs = None,
) -> None:
    """The verdict on every claim of a study, or of all: holds, fails or undecided. Exit code 1 if one fails."""
    from implicitbias import terminal
    from implicitbias.errors import InputError

    if all_:
        catalogue.check(place, out, strict=strict, quick=quick, jobs=jobs, notice=_warn)
        return
    if place is None or quick or jobs is not None:
        words = ["check needs a study or a results folder, or --all for every study"] * (place is None)
        raise InputError([*words, *(["--quick and --jobs go with --all"] * (quick or jobs is not None))])
    from implicitbias.store import Store
    from implicitbias.study.spec import read_study
    from implicitbias.study.stored import judge, stored_study

    if place.is_dir():
        if out is not None:
            raise InputError(f"{place} is a results folder itself; --out goes with a study file")
        stored, store = stored_study(place)
    else:
        stored, store = read_study(place)[0], Store.open(out or _default_out(place))
    found = judge(stored, store, store.runs())
    terminal.print_verdicts(found)
    if any(verdict.outcome == "fails" or (strict and verdict.outcome != "holds") for verdict in found):
        raise typer.Exit(exits.NO)


for _command in (documents.report, figures.plot, documents.export, documents.compare):
    app.command()(_command)


@app.command()
def reproduce(
    run_id: Annotated[str, typer.Argument(metavar="RUN_ID", help="The id of a run, or enough of its beginning.")],
    folder: Annotated[Path | None, typer.Option("--in", help="Results folder; default any in results/.")] = None,
) -> None:
    """Compute a stored run again from its row, and compare bit by bit. Exit code 1 if it differs."""
    from implicitbias import terminal
    from implicitbias.sweep.reproduce import reproduce

    found = reproduce(run_id, folder)
    terminal.print_reproduction(found)
    if not found.equal:
        raise typer.Exit(exits.NO)


@app.command("list")
def list_(folder: Annotated[Path, typer.Argument(metavar="FOLDER_OR_NAME")] = STUDIES) -> None:
    """The studies of a folder, and the data families and optimizers a study can name; or the parameters of one of
    these, such as adam."""
    from implicitbias import terminal
    from implicitbias.study.spec import study_files

    if not folder.is_dir() and study.print_entry(str(folder)):
        return
    # without an argument the data families and optimizers are shown wherever one is
    terminal.print_list(study_files(folder) if folder != STUDIES or folder.is_dir() else [])


@app.command()
def show(study: StudyFile, set_: Settings = None) -> None:
    """What a study would do: its runs, axes, claims and estimated time. Runs nothing."""
    from implicitbias import terminal
    from implicitbias.study.plan import plan
    from implicitbias.sweep.tasks import estimate

    parsed, _, runs = plan(study, set_ or [])
    terminal.print_study(parsed, runs, estimate(runs))


app.command("help")(study.help_)
app.command()(study.new)
app.command()(study.copy)
app.command()(study.columns)
app.command()(data.margins)
app.command()(data.predict)


def _default_out(study: Path) -> Path:
    from implicitbias.sweep.places import default_folder

    return default_folder(study)

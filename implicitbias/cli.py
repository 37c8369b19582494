"""The command line: `implicitbias run | status | check | report | list | show | margins | predict`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Which separator does the optimizer pick? Simulate, certify, and judge claims on separable data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Out = Annotated[Path | None, typer.Option("--out", help="Results folder; default results/ and the study's name.")]
Jobs = Annotated[int | None, typer.Option("--jobs", help="Worker processes; default all cores.")]
Settings = Annotated[list[str] | None, typer.Option("--set", help="Override, such as grid.steps=1000; repeatable.")]
StudyFile = Annotated[Path, typer.Argument(metavar="STUDY", help="A study file (TOML).")]
DataFile = Annotated[Path, typer.Argument(metavar="FILE", help="CSV, NPZ, Parquet or LIBSVM.")]
Label = Annotated[str | None, typer.Option(help="Label column; default the last.")]
Positive = Annotated[str | None, typer.Option(help="The label that counts as +1.")]
Standardize = Annotated[bool, typer.Option(help="Scale features to mean 0 and variance 1.")]
Intercept = Annotated[bool, typer.Option(help="Append a constant feature.")]
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="A results folder.")]


def main() -> None:
    """Entry point: a user's mistake is one sentence a mistake on stderr and exit code 2, never a traceback."""
    from implicitbias.errors import InputError, NotSeparable

    try:
        app()
    except InputError as error:
        for mistake in error.mistakes:
            print(f"error: {mistake}", file=sys.stderr)
        sys.exit(2)
    except NotSeparable as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)


@app.command()
def run(study: StudyFile, out: Out = None, jobs: Jobs = None, set_: Settings = None) -> None:
    """Run a study; print its table and verdicts and write its report. Runs already in the folder are not repeated."""
    from implicitbias import terminal
    from implicitbias.report import write_report
    from implicitbias.study.claims import verdicts
    from implicitbias.study.execute import run_study, stored_study

    folder = out or _default_out(study)
    with terminal.progress() as progress:
        try:
            summary = run_study(study, folder, jobs=jobs, settings=set_ or [], progress=progress)
        except KeyboardInterrupt:
            sys.stderr.write(
                f"\ninterrupted; what was computed is in {folder}, and the same command goes on from there\n"
            )
            sys.exit(130)
        progress("writing the report", 0, 0)
        page = write_report(folder)
    stored, store = stored_study(folder)
    runs = store.table("runs").to_pandas()
    terminal.print_results(runs)
    terminal.print_verdicts(verdicts(stored, runs, store.table("curves").to_pandas()))
    terminal.print_summary(summary, runs)
    print(f"report: {page}")


@app.command()
def status(folder: Folder) -> None:
    """What a results folder holds: finished and missing runs, failures with their reasons, the slowest runs."""
    from implicitbias import terminal
    from implicitbias.study.execute import stored_study

    _, store = stored_study(folder)
    terminal.print_status(store.identity(), store.table("runs").to_pandas())


@app.command()
def check(place: Annotated[Path, typer.Argument(metavar="STUDY_OR_DIR")], out: Out = None) -> None:
    """The verdict on every claim of a study: holds, fails or undecided. Exit code 1 if one fails."""
    from implicitbias import terminal
    from implicitbias.store import Store
    from implicitbias.study.claims import verdicts
    from implicitbias.study.execute import stored_study
    from implicitbias.study.spec import read_study

    if place.is_dir():
        stored, store = stored_study(place)
    else:
        stored, store = read_study(place)[0], Store.open(out or _default_out(place))
    found = verdicts(stored, store.table("runs").to_pandas(), store.table("curves").to_pandas())
    terminal.print_verdicts(found)
    if any(verdict.outcome == "fails" for verdict in found):
        raise typer.Exit(1)


@app.command()
def report(folder: Folder) -> None:
    """Write DIR/report.html again from the tables of a results folder."""
    from implicitbias.report import write_report

    print(f"report: {write_report(folder)}")


@app.command("list")
def list_(folder: Annotated[Path, typer.Argument(metavar="FOLDER")] = Path("studies")) -> None:
    """The studies of a folder, and the data families and optimizers a study can name."""
    from implicitbias import terminal
    from implicitbias.study.expand import study_files

    terminal.print_list(study_files(folder))


@app.command()
def show(study: StudyFile, set_: Settings = None) -> None:
    """What a study would do: its runs, axes, claims and estimated time. Runs nothing."""
    from implicitbias import terminal
    from implicitbias.study.plan import plan
    from implicitbias.study.tasks import estimate

    parsed, _, runs = plan(study, set_ or [])
    terminal.print_study(parsed, runs, estimate(runs))


@app.command()
def margins(
    file: DataFile,
    label: Label = None,
    positive: Positive = None,
    standardize: Standardize = False,
    intercept: Intercept = False,
) -> None:
    """The certified max-margin separators of a data file, or the proof that it has none."""
    from implicitbias import terminal
    from implicitbias.geometry import from_file

    problem = from_file(file, label=label, positive=positive, standardize=standardize, intercept=intercept)
    terminal.print_margins(problem)


@app.command()
def predict(
    file: DataFile,
    optimizer: Annotated[str, typer.Option(help="An optimizer, see `implicitbias list`.")] = "adam",
    hyper: Annotated[list[str] | None, typer.Option("--hyper", help="Such as beta2=0.95; repeatable.")] = None,
    batch: Annotated[int, typer.Option(help="Batch size.")] = 1,
    order: Annotated[str, typer.Option(help="full, cyclic, shuffle_once, reshuffle or replacement.")] = "reshuffle",
    numerical: Annotated[bool, typer.Option(help="Measure the tail map with the optimizer's own kernel.")] = False,
    label: Label = None,
    positive: Positive = None,
    standardize: Standardize = False,
    intercept: Intercept = False,
) -> None:
    """The predicted limit direction of an optimizer on a data file, with its certificate."""
    from implicitbias import terminal
    from implicitbias.errors import InputError
    from implicitbias.geometry import from_file
    from implicitbias.limits import predict, why_not
    from implicitbias.study.expand import make_optimizer

    chosen = make_optimizer(optimizer, hyper or [])
    problem = from_file(file, label=label, positive=positive, standardize=standardize, intercept=intercept)
    method = "numerical" if numerical else "theory"
    limit = predict(problem, chosen, batch=batch, order=order, method=method)
    if limit is None:
        raise InputError(why_not(problem, chosen, batch=batch, order=order, method=method))
    terminal.print_limit(problem, chosen, limit)


def _default_out(study: Path) -> Path:
    return Path("results") / study.stem

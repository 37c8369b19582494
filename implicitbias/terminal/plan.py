"""What there is to run: the shipped studies and what they are made of, a study, and what it would take."""

import tomllib
from pathlib import Path

from implicitbias.terminal.runs import print_readings
from implicitbias.terminal.screen import ROWS, VALUES, console, literal, table_of


def print_list(studies: list[Path]) -> None:
    from implicitbias.flows import FLOWS
    from implicitbias.geometry import FAMILIES
    from implicitbias.optimizers import OPTIMIZERS

    table = table_of("studies", "file", "title", left=2)
    for path in studies:
        try:
            title = str(tomllib.loads(path.read_text(encoding="utf-8")).get("title", ""))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
            title = "(not a readable study file)"
        table.add_row(literal(str(path)), literal(title))
    if studies:
        console.print(table)
    else:
        console.print(
            "no study files here; `implicitbias list FOLDER` shows those of a folder, and `implicitbias copy NAME`"
        )
        console.print(f"copies one that comes with the package: {', '.join(_studies())}")
    for what, entries in (("data families", FAMILIES), ("optimizers", OPTIMIZERS), ("flows", FLOWS)):
        table = table_of(f"\n{what}", "kind", "what", left=2)
        for name, entry in entries.items():
            # python -OO strips docstrings
            table.add_row(name, literal((entry.__doc__ or entry.__name__).strip().splitlines()[0]))
        console.print(table)


def _studies() -> list[str]:
    from implicitbias.study.shipped import shipped

    return [name for name, path in shipped().items() if path.suffix == ".toml"]


def print_columns(columns) -> None:
    """What the columns of the tables are."""
    table = table_of("", "column", "table", "type", "unit", "meaning", left=5)
    for row in columns.itertuples():
        table.add_row(row.name, row.table, row.type, row.unit, literal(row.meaning))
    console.print(table)


def print_study(study, runs: list, seconds: float) -> None:
    console.print(literal(study.title), style="bold")
    for line in study.question.strip().splitlines():
        console.print(literal(line))
    for source in study.sources:
        console.print(f"  {literal(source)}", style="dim")
    read = ((run.data.name, "; ".join(run.data.reading)) for run in runs if run.data.reading)
    print_readings([*dict.fromkeys(read)])
    horizon = " or ".join(
        filter(None, ["steps" * any(run.lr for run in runs), "time" * any(not run.lr for run in runs)])
    )
    table = table_of("\nruns", "data", "optimizer", "orders", "batch sizes", horizon or "steps", "runs", left=4)
    groups: dict = {}
    for run in runs:
        lr = f", lr {run.lr.label}" if run.lr else ""
        groups.setdefault((run.data.name, run.optimizer.label + lr), []).append(run)
    for (data, label), group in list(groups.items())[:ROWS]:
        orders = ", ".join(dict.fromkeys(run.setting.order for run in group))
        batches = _few(sorted({run.setting.batch for run in group}))
        horizons = {run.setting.steps if run.lr else run.setting.time for run in group}
        steps = _few(sorted(horizons))
        table.add_row(literal(data), literal(label), orders, batches, steps, str(len(group)))
    console.print(table)
    if len(groups) > ROWS:
        console.print(f"({len(groups) - ROWS} of {len(groups)} rows not shown)")
    console.print(f"{len(runs)} runs, about {seconds:.0f} core seconds\n")
    for claim in study.claim:
        console.print(f"claim: {literal(claim.says)} ({literal(claim.source)})")


def _few(values: list) -> str:
    """Numbers in a cell: some in the middle left out if they are many."""
    words = [str(x) if isinstance(x, int) else f"{x:g}" for x in values]
    if len(words) > VALUES:
        words = [*words[: VALUES - 2], "...", words[-1], f"({len(words)} values)"]
    return ", ".join(words)


def print_forecast(forecast) -> None:
    """What a study would take, and how that is known."""
    console.print(literal(forecast.study.title), style="bold")
    console.print(
        f"{forecast.runs:,} runs in {forecast.blocks:,} blocks and {forecast.tasks:,} tasks, on {forecast.data_sets:,} "
        f"data sets, with {forecast.snapshots:,} snapshots"
    )
    print_readings(forecast.readings)
    table = table_of("", "optimizer", "runs")
    for name, count in list(forecast.optimizers.items())[:ROWS]:
        table.add_row(literal(name), f"{count:,}")
    console.print(table)
    if len(forecast.optimizers) > ROWS:
        console.print(f"({len(forecast.optimizers) - ROWS} more optimizers)")
    parts = {"kernels": forecast.kernel, "measures": forecast.measuring, "predicted limits": forecast.predicting}
    parts["separators"] = forecast.certifying
    words = ", ".join(f"{name} {_duration(seconds)}" for name, seconds in parts.items())
    console.print(f"\nabout {_duration(forecast.core)} of one core: {words}")
    timeout = forecast.study.timeout
    cut = f", with no run longer than its {_duration(timeout)}" if timeout else ""
    console.print(f"about {_duration(forecast.wall)} with --jobs {forecast.jobs}{cut}, and some seconds to compile")
    total = _size(forecast.runs_bytes + forecast.curves_bytes)
    each = forecast.curves_bytes / forecast.snapshots
    console.print(
        f"about {total} on disk: {each:.0f} bytes a snapshot, {forecast.runs_bytes / forecast.runs:.0f} a run"
    )
    kinds, made = len(forecast.samples), len(forecast.predicted)
    limits = f", and {made:,} of {forecast.predictions:,} different predicted limits" if made else ""
    console.print(
        f"measured in {forecast.took:.1f} s, compiling included: {kinds} block{'s' * (kinds > 1)} of up to 8 runs for "
        f"a part of their steps, of the kinds that make up {forecast.sampled:.0%} of the time{limits}; no results were "
        "written",
        style="dim",
    )


def _duration(seconds: float) -> str:
    for size, name in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {name}"
    return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"


def _size(count: float) -> str:
    for size, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if count >= size:
            return f"{count / size:.3g} {name}"
    return f"{count / 1e3:.3g} kB"

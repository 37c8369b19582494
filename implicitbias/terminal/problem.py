"""Data: what was read of them, their separators, and where an optimizer goes on them."""

import warnings

import numpy as np

from implicitbias.terminal.screen import ROWS, console, literal, table_of


def print_readings(readings: list[tuple[str, str]]) -> None:
    """What was read of the data files of a study, each with the name of its data."""
    for name, words in readings[:ROWS]:
        console.print(f"data {literal(name)}: {literal(words)}")
    if len(readings) > ROWS:
        console.print(f"({len(readings) - ROWS} more data files; the column data_read of runs.parquet has all of them)")


def print_margins(problem) -> None:
    from implicitbias.margins import max_margin

    for words in problem.reading:
        console.print(literal(words))
    title = f"{literal(problem.name)}, {problem.n} rows, {problem.d} features: certified max-margin separators"
    table = table_of(title, "norm", "margin", "relative gap", "unique", "support vectors")
    with warnings.catch_warnings(record=True) as loose:
        warnings.simplefilter("always", RuntimeWarning)
        for norm in ("l1", "l2", "linf"):
            found = max_margin(problem, norm)
            unique = "yes" if found.unique else "no"
            table.add_row(
                norm, f"{found.margin:.10g}", f"{found.relative_gap:.1e}", unique, str((found.dual > 0).sum())
            )
    console.print(table)
    for warning in loose:
        console.print(literal(f"note: {warning.message}"))


def print_limit(problem, optimizer, limit, notes: list[str]) -> None:
    from implicitbias.margins import max_margin
    from implicitbias.measure import angle, cosine

    for words in problem.reading:
        console.print(literal(words))
    console.print(
        f"{literal(problem.name)}, {problem.n} rows, {problem.d} features: {literal(optimizer.label)}", style="bold"
    )
    console.print(literal(limit.rule))
    known = f" +- {limit.gap_error:.1e}, direction to {limit.error:.1e}" if limit.error else ""
    console.print(f"gap {limit.gap:.2e}{known}; {(limit.weights > 1e-9).sum()} samples hold weight")
    table = table_of("predicted direction", "max-margin direction", "cosine", "angle (degrees)", "margin / optimum")
    for norm, order in (("l1", 1), ("l2", 2), ("linf", np.inf)):
        best = max_margin(problem, norm)
        ratio = (problem.rows @ limit.direction).min() / np.linalg.norm(limit.direction, order) / best.margin
        cells = (cosine(limit.direction, best.direction), angle(limit.direction, best.direction), ratio)
        table.add_row(norm, *(f"{float(cell):.6f}" for cell in cells))
    console.print(table)
    largest = np.argsort(-np.abs(limit.direction), kind="stable")[:8]
    names = problem.feature_names or range(problem.d)
    console.print(
        "largest entries: " + ", ".join(f"{literal(f'u[{names[j]}]')} = {limit.direction[j]:.6f}" for j in largest)
    )
    for other in limit.others:
        console.print(f"another rest point: cosine {float(other.direction @ limit.direction):.6f}, gap {other.gap:.1e}")
    for note in notes:
        console.print(literal(f"note: {note}"))

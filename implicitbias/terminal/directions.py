"""What `margins` and `predict` find on a data file: directions with the names of the features, printed or written.

`Margins` and `Prediction` have the same parts: `directions`, each a name and an array (d,), or (k, d) of several
classes; `show`, which prints what is known of them; and `facts`, the same for JSON.
"""

import csv
import json as json_format
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from implicitbias.errors import InputError
from implicitbias.labels import show
from implicitbias.limits import STANDS_STILL, predict, why_not
from implicitbias.limits.limit import HELD
from implicitbias.margins import max_margin
from implicitbias.margins.norms import named, usual
from implicitbias.measure import angle, cosine
from implicitbias.problems import AnyProblem, Multiclass
from implicitbias.store.files import replacing
from implicitbias.terminal.screen import console, literal, table_of

SHOWN = 8  # entries of a direction, the largest
# A measured gap above this many of its standard errors is no noise: one rest point in 700 has one by chance.
SIGNIFICANT = 3.0


class Margins:
    """The certified separators of a problem."""

    def __init__(self, problem: AnyProblem):
        self.problem = problem
        with warnings.catch_warnings(record=True) as loose:
            warnings.simplefilter("always", RuntimeWarning)
            self.found = {norm: max_margin(problem, norm) for norm in usual(_matrices(problem))}
        self.notes = [str(warning.message) for warning in loose]
        self.directions = {norm: sep.direction for norm, sep in self.found.items()}

    def show(self) -> None:
        problem = self.problem
        title = f"{_title(problem)}: certified max-margin separators"
        table = table_of(title, "norm", "margin", "relative gap", "unique", "support vectors")
        for norm, sep in self.found.items():
            unique = "yes" if sep.unique else "no"
            table.add_row(norm, f"{sep.margin:.10g}", f"{sep.relative_gap:.1e}", unique, str((sep.dual > 0).sum()))
        console.print(table)

    def facts(self) -> dict:
        return {
            "norms": {
                norm: {
                    "margin": sep.margin, "gap": sep.gap, "relative_gap": sep.relative_gap, "unique": bool(sep.unique),
                    "direction": sep.direction.tolist(), "dual": sep.dual.tolist(),
                }
                for norm, sep in self.found.items()
            },
        }  # fmt: skip


class Prediction:
    """The predicted limit of an optimizer on a problem. Errors: ``InputError`` where no theory has one."""

    def __init__(self, problem: AnyProblem, optimizer, batch: int | str, order: str, method: str):
        self.problem, self.optimizer, self.method = problem, optimizer, method
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always", RuntimeWarning)
            limit = predict(problem, optimizer, batch=batch, order=order, method=method)
        if limit is None:
            missing = why_not(problem, optimizer, batch=batch, order=order, method=method)
            raise InputError(missing or STANDS_STILL)
        self.limit = limit
        self.notes = [str(warning.message) for warning in found]
        if limit.caution:
            self.notes.append(limit.caution.replace('method="numerical"', "--numerical"))
        if limit.gap_error and limit.gap > SIGNIFICANT * limit.gap_error:
            self.notes.append(
                f"the gap is {limit.gap / limit.gap_error:.1f} of its standard errors, so this is not yet a rest point "
                "of the tail map"
            )
        self.directions = {"limit": limit.direction}
        self.directions |= {f"other {k}": other.direction for k, other in enumerate(limit.others, 1)}

    def against(self) -> dict[str, dict[str, float]]:
        """How the limit lies to each max-margin direction."""
        u, matrices, found = self.limit.direction, _matrices(self.problem), {}
        for norm in usual(matrices):
            best = max_margin(self.problem, norm)
            ratio = self.problem.margins(u).min() / named(matrices)[norm].value(u) / best.margin
            pair = u.reshape(-1), best.direction.reshape(-1)
            cells = {"cosine": cosine(*pair), "angle": angle(*pair), "ratio": ratio}
            found[norm] = {name: float(cell) for name, cell in cells.items()}
        return found

    def show(self) -> None:
        problem, limit = self.problem, self.limit
        console.print(
            f"{_title(problem)}: {literal(self.optimizer.label)}",
            style="bold",
        )
        console.print(literal(limit.rule))
        known = f" +- {limit.gap_error:.1e}, direction to {limit.error:.1e}" if limit.error else ""
        console.print(f"gap {limit.gap:.2e}{known}; {(limit.weights > HELD).sum()} samples hold weight")
        table = table_of("predicted direction", "max-margin direction", "cosine", "angle (degrees)", "margin / optimum")
        for norm, cells in self.against().items():
            table.add_row(norm, *(f"{cell:.6f}" for cell in cells.values()))
        console.print(table)
        for k, other in enumerate(limit.others, 1):
            cell = float((other.direction * limit.direction).sum())
            held = (other.weights > HELD).sum()
            console.print(
                f"other {k}: another rest point, cosine {cell:.6f} to the limit, gap {other.gap:.1e}; {held} samples "
                "hold weight"
            )

    def facts(self) -> dict:
        limit = self.limit
        return {
            "optimizer": self.optimizer.label, "method": self.method, "rule": limit.rule, "gap": limit.gap,
            "gap_error": limit.gap_error, "error": limit.error, "direction": limit.direction.tolist(),
            "weights": limit.weights.tolist(), "max_margin": self.against(),
            "others": [
                {"direction": other.direction.tolist(), "weights": other.weights.tolist(), "gap": other.gap}
                for other in limit.others
            ],
        }  # fmt: skip


def tell(
    problem: AnyProblem, find: Callable[[], Margins | Prediction], *, every: bool, save: Path | None, json: bool
) -> None:
    """Print what `find` finds, and write its directions to a file. What was read is said before: it may be the reason
    why nothing is found."""
    if not json:
        for words in problem.reading:
            console.print(literal(words))
    found = find()
    names = list(problem.feature_names or map(str, range(problem.d)))
    if save is not None:
        _write(save, problem, names, found.directions)
    if json:
        print(json_format.dumps(_described(problem, names) | found.facts() | {"notes": found.notes}, indent=1))
        return
    found.show()
    _show_entries(problem, names, found.directions, every)
    for words in found.notes:
        console.print(literal(f"note: {words}"))
    if save is not None:
        console.print(f"directions written to {literal(save)}")


def check_target(save: Path | None, data: Path) -> None:
    """Refuse to write where nothing can be written, before anything is computed."""
    if save is None:
        return
    if save.suffix.lower() not in _WRITERS:
        raise InputError(f"--save {save}: the directions are written as .csv or .npz")
    if save.exists() and data.exists() and save.samefile(data):
        raise InputError(f"--save {save} is the data file itself; choose another name")
    if save.is_dir() or not save.parent.is_dir():
        raise InputError(f"--save {save} " + ("is a folder" if save.is_dir() else "is in a folder that does not exist"))


def _matrices(problem: AnyProblem) -> bool:
    return isinstance(problem, Multiclass)


def _title(problem: AnyProblem) -> str:
    classes = f", {problem.k} classes" if isinstance(problem, Multiclass) else ""
    return f"{literal(problem.name)}, {problem.n} rows, {problem.d} features{classes}"


def _described(problem: AnyProblem, names: list[str]) -> dict:
    found = {"data": problem.name, "n": problem.n, "d": problem.d, "read": list(problem.reading), "features": names}
    if isinstance(problem, Multiclass):
        found["classes"] = {str(name): count for name, count in zip(problem.classes, problem.counts)}
    elif classes := problem.classes:
        low, high = classes.counts
        found["labels"] = {"+1": classes.positive, "-1": classes.negative, "rows": {"+1": high, "-1": low}}
    return found


def _entries(problem: AnyProblem, names: list[str]) -> dict[str, list[str]]:
    """What each entry of a direction is of: a feature, and of several classes one of these."""
    if not isinstance(problem, Multiclass):
        return {"feature": names}
    return {
        "class": [str(name) for name in problem.classes for _ in names], "feature": [*names] * problem.k
    }  # fmt: skip


def _show_entries(problem: AnyProblem, names: list[str], directions: dict[str, np.ndarray], every: bool) -> None:
    """A table of the entries, the largest first: each as a part of the largest of its direction."""
    columns, entries = np.array([u.reshape(-1) for u in directions.values()]), _entries(problem, names)
    most = columns.shape[1] if every else SHOWN
    sizes = (np.abs(columns) / np.abs(columns).max(axis=1, keepdims=True)).max(axis=0)
    order = np.argsort(-sizes, kind="stable")[:most]
    title = "entries" if most >= columns.shape[1] else "largest entries"
    if problem.classes and not isinstance(problem, Multiclass):
        title += f"; a positive one speaks for {literal(show(problem.classes.positive))}"
    console.print(title, style="bold")
    table = table_of("", *entries, *directions)
    for j in order:
        table.add_row(*(literal(words[j]) for words in entries.values()), *(f"{u[j]:.6f}" for u in columns))
    console.print(table)
    if columns.shape[1] > most:
        what = "features" if len(entries) == 1 else "entries"
        console.print(f"({columns.shape[1] - most} of {columns.shape[1]} {what} not shown; --all shows them)")


def _write(path: Path, problem: AnyProblem, names: list[str], directions: dict[str, np.ndarray]) -> None:
    with replacing(path) as temporary:
        _WRITERS[path.suffix.lower()](temporary, problem, names, directions)


def _write_csv(path: Path, problem: AnyProblem, names: list[str], directions: dict[str, np.ndarray]) -> None:
    entries = _entries(problem, names)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*entries, *directions])
        writer.writerows(zip(*entries.values(), *(map(repr, u.reshape(-1).tolist()) for u in directions.values())))


def _write_npz(path: Path, problem: AnyProblem, names: list[str], directions: dict[str, np.ndarray]) -> None:
    of_rows = {"class": np.array(list(map(str, problem.classes)))} if isinstance(problem, Multiclass) else {}
    with path.open("wb") as file:  # given a name, numpy would append its own ending
        np.savez(
            file, **of_rows, feature=np.array(names), **{name.replace(" ", "_"): u for name, u in directions.items()}
        )


_WRITERS = {".csv": _write_csv, ".npz": _write_npz}

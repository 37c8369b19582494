"""The tables as Markdown."""

import platform
from pathlib import Path

import numpy as np

from .measure import Entry, Result
from .work import Work

RULES = {"adam": "Adam (bias-corrected, eps = 0)", "sgd": "SGD"}
OF_CLASSES = {
    "adam": "Adam on k classes", "ngd": "Normalised gradient descent on k classes",
    "muon": "Muon on k classes (five quintic Newton-Schulz steps, Nesterov)",
}  # fmt: skip
Results = dict[Work, dict[Entry, Result]]

INTRODUCTION = """\
Written by `python tests/benchmarks/peers`. Microseconds per step and run: wall time over steps and runs, float64, one
core, medians of {rounds} interleaved rounds of about {seconds:g} s. Work: mean logistic loss of b of n Gaussian rows in
dimension d, or the cross-entropy of k classes, reshuffled every epoch (b = n: all rows), constant step size; the data
are not separable, so that plain float64 lasts. R runs, which differ in step size and, for Adam and Muon, beta1, advance
together. Every entry with a time has first agreed with a plain NumPy reference to 1e-8 after 1000 steps, of several
classes after 100 (`wrong`: it has not; `-`: not for this work). Ours is the whole `simulate` call, which draws the row
order itself and is safe from underflow; the peers are handed the order, and are not. The roofline is no peer: the
multiplications of scores, gradient and polar factor at the peak of this processor and a bare C loop of the update,
measured in the same rounds; its ratio is the share of the machine that is used (above 1 where the products are saved:
full batches and SGD may run in the space of margins).
"""


def cell(result: Result | None) -> str:
    if result is None:
        return "-"
    return number(result.median) if result.right else "wrong"


def number(value: float) -> str:
    """Three digits, no exponent; "-" for nan."""
    if np.isnan(value):
        return "-"
    return f"{value:.{max(0, 2 - int(np.floor(np.log10(value))))}f}" if value > 0 else "0"


def table(head: list[str], body: list[list[str]]) -> str:
    """A Markdown table whose columns also line up on a terminal."""
    widths = [max(map(len, column)) for column in zip(head, *body)]
    lines = [[text.ljust(width) for text, width in zip(row, widths)] for row in (head, *body)]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def shape(work: Work) -> str:
    return f"{work.n}, {work.d}, {f'{work.k}, ' if work.k > 1 else ''}{work.batch}"


def head(results: Results) -> str:
    return "n, d, k, b" if any(work.k > 1 for work in results) else "n, d, b"


def times(results: Results, entries: list[Entry]) -> str:
    body = [[shape(work), *(cell(found.get(entry)) for entry in entries)] for work, found in results.items()]
    return table([head(results), *(entry.label for entry in entries)], body)


def ratios(results: Results, entries: list[Entry]) -> str:
    """Time of each peer over ours, round by round, then the median: a slow moment of the machine hits both."""
    ours = [entry for entry in entries if entry.peer.LABEL == "ours"]
    others = [entry for entry in entries if entry.peer.LABEL != "ours"]
    body = []
    for work, found in results.items():
        right = [entry for entry in ours if entry in found and found[entry].right]
        if not right:
            continue
        best = min(right, key=lambda entry: found[entry].median)
        row = [shape(work), str(best.runs)]
        for entry in others:
            base = next((e for e in right if e.runs == 1), None) if entry.peer.LABEL == "C" else best
            value = np.nan
            if base is not None and entry in found and found[entry].right:
                value = float(np.median(np.divide(found[entry].times, found[base].times)))
            row.append(number(value))
        body.append(row)
    named = [f"{e.label} / ours {'R=1' if e.peer.LABEL == 'C' else 'best'}" for e in others]
    return table([head(results), "our best R", *named], body)


def warm_ups(results: Results, entries: list[Entry]) -> str:
    """Seconds of warm-up of every entry: at the first shape of a rule, and the median of the later ones."""
    body = []
    for entry in entries:
        row = [entry.label]
        for rule in RULES:
            found = [r[entry].warm_up for work, r in results.items() if (work.rule, work.k) == (rule, 1) and entry in r]
            later = [x for x in found[1:] if not np.isnan(x)]
            row += [f"{found[0]:.2f}" if found else "-", f"{np.median(later):.2f}" if later else "-"]
        body.append(row)
    head = ["entry"]
    for rule in RULES:
        head += [f"{rule}: warm-up (s)", "later shapes"]
    return table(head, body)


def report(results: Results, entries: list[Entry], notes: list[str], rounds: int, seconds: float) -> str:
    parts = ["# The same work, side by side\n", INTRODUCTION.format(rounds=rounds, seconds=seconds)]
    titles = [(rule, False, title) for rule, title in RULES.items()]
    titles += [(rule, True, title) for rule, title in OF_CLASSES.items()]
    for rule, several, title in titles:
        chosen = {work: found for work, found in results.items() if (work.rule, work.k > 1) == (rule, several)}
        columns = [entry for entry in entries if any(entry in found for found in chosen.values())]
        if chosen:
            parts += [f"## {title}\n", times(chosen, columns)]
            parts += ["Times of the peers over ours (above 1: ours is faster).\n", ratios(chosen, columns)]
    parts += ["## Warm-up and machine\n"]
    parts += ["Compilation, from empty caches, and other work of a first call; not part of the times above.\n"]
    parts += [warm_ups(results, entries)]
    spreads = [r.spread for found in results.values() for r in found.values() if r.right and r.times]
    if spreads:
        parts.append(
            f"Quartile distance over median: {100 * np.median(spreads):.0f} % in the typical cell, "
            f"{100 * max(spreads):.0f} % in the worst.\n"
        )
    versions = list(dict.fromkeys(entry.peer.versions() for entry in entries))
    machine = f"{processor()}, one core; {platform.system()}, Python {platform.python_version()}"
    parts.append("; ".join([machine, *versions]) + ".\n")
    parts += [f"{note}\n" for note in notes]
    return "\n".join(parts)


def processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()

"""The options, the loop over works and peers, and what is printed and written."""

import argparse
import sys
from pathlib import Path

from . import c_twin, jax_vmap, measure, ours, roofline, sklearn_sgd, tables, torch_loop
from .work import Work

SHAPES = ((10, 50, 1), (10, 50, 10), (40, 50, 40), (1000, 100, 32), (1000, 100, 1000), (50, 1000, 1), (4, 4, 1))
OF_CLASSES = ((500, 25, 10, 500), (500, 25, 10, 32), (100, 50, 4, 1))  # n, d, k, b
PEERS = {"c": c_twin, "sklearn": sklearn_sgd, "jax": jax_vmap, "torch": torch_loop, "roofline": roofline}


def a_shape(text: str) -> tuple[int, ...]:
    sizes = tuple(int(part) if part.isdecimal() else 0 for part in text.split(","))
    if len(sizes) not in (3, 4) or not (sizes[0] >= 2 and min(sizes) >= 1 and sizes[-1] <= sizes[0]):
        raise argparse.ArgumentTypeError(
            f"a shape is n,d,b, or n,d,k,b for k classes, with n >= 2, d >= 1 and 1 <= b <= n, not {text!r}"
        )
    return sizes


def works(shapes: list[tuple[int, ...]] | None) -> list[Work]:
    """Each rule on each shape."""
    shapes = [*SHAPES, *OF_CLASSES] if shapes is None else shapes
    found = [Work(rule, *shape) for rule in tables.RULES for shape in shapes if len(shape) == 3]
    for rule in tables.OF_CLASSES:
        found += [Work(rule, n, d, b, k) for n, d, k, b in (shape for shape in shapes if len(shape) == 4)]
    return found


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="peers", description="Times the same trajectories here and in the peers.")
    parser.add_argument("--rounds", type=int, help="interleaved timings of every entry (7, or 3 with --quick)")
    parser.add_argument("--shapes", type=a_shape, nargs="+", metavar="n,d[,k],b", help="all by default")
    parser.add_argument("--peers", help=f"some of {','.join(PEERS)}, with commas; all by default")
    parser.add_argument("--quick", action="store_true", help="timings of 0.05 s instead of 0.3 s")
    parser.add_argument("--out", type=Path, help="results/peers.md if nothing is left out")
    options = parser.parse_args()
    names = list(PEERS) if options.peers is None else options.peers.split(",")
    if unknown := [name for name in names if name not in PEERS]:
        parser.error(f"unknown peers {', '.join(unknown)}; there are {', '.join(PEERS)}")
    if options.out is None and not (options.quick or options.shapes or options.peers or options.rounds):
        options.out = Path(__file__).resolve().parents[3] / "results" / "peers.md"
    options.peers = names
    options.rounds = options.rounds or (3 if options.quick else 7)
    return options


def main() -> int:
    options = arguments()
    entries, notes = [measure.Entry(ours, runs) for runs in ours.RUNS], []
    for name in options.peers:
        peer = PEERS[name]
        if peer.available():
            entries += [measure.Entry(peer, runs) for runs in peer.RUNS]
        else:
            notes.append(f"{peer.LABEL} is left out, as it is not installed: {peer.EXTRA}")
    for note in notes:
        print(note, file=sys.stderr)
    seconds = 0.05 if options.quick else 0.3
    results, wrong = {}, []
    for work in works(options.shapes):
        results[work] = found = measure.measure(work, entries, options.rounds, seconds)
        row = ", ".join(f"{entry.label} {tables.cell(result)}" for entry, result in found.items())
        print(f"{work.rule} {tables.shape(work)}: {row}", file=sys.stderr, flush=True)
        wrong += [
            f"{entry.label} is wrong on {work.rule} {tables.shape(work)}: relative error {result.deviation:.1e} after "
            f"{work.checked} steps, or not finite later; no time is given"
            for entry, result in found.items()
            if not result.right
        ]
    text = tables.report(results, entries, [*notes, *wrong], options.rounds, seconds)
    print(text)
    if options.out is not None:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(text)
    return 1 if wrong else 0

"""Which changes of one operator do the tests not see?

    python tests/mutation.py [--count 20] [--seed 0] [--minutes 60] [ROOM ...]

draws operators of the numerical rooms at random (+ and -, * and /, < and <=, == and !=, and and or, a minus sign or a
`not`), changes one at a time in a copy of the repository, runs the tests of its room there, and prints `caught` or
`SURVIVED` with the place. A test that no longer ends has caught it too. A survivor is a missing test, or a change
without consequences; which one, somebody has to find out.
"""

import argparse
import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

HOME = Path(__file__).parents[1]
# What is changed, and the tests that should see it, the quick ones first.
ROOMS = {
    "simulation": (["implicitbias/simulation"], ["tests/test_naive.py", "tests/simulation"]),
    "margins": (["implicitbias/margins"], ["tests/margins"]),
    "limits": (["implicitbias/limits"], ["tests/limits"]),
    "claims": (
        ["implicitbias/study/claims.py", "implicitbias/study/fits.py", "implicitbias/measure/group.py"],
        ["tests/study/test_claims.py", "tests/study/test_fits.py", "tests/test_measure.py"],
    ),
}
PATIENCE = 10  # times what the tests of a room take without a change
PAIRS = [
    (ast.Add, ast.Sub), (ast.Mult, ast.Div), (ast.Lt, ast.LtE), (ast.Gt, ast.GtE), (ast.Eq, ast.NotEq),
    (ast.And, ast.Or), (ast.Is, ast.IsNot), (ast.In, ast.NotIn),
]  # fmt: skip
OTHER = {a: b for pair in PAIRS for a, b in (pair, pair[::-1])}


@dataclass(frozen=True)
class Mutant:
    """A file with one operator changed."""

    file: str
    line: int
    before: str
    after: str
    source: str


def _operators(tree: ast.Module) -> list[tuple[ast.AST, int]]:
    """Every expression with an operator that has another, and the operator's number in a comparison of several."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, (ast.BinOp, ast.BoolOp, ast.AugAssign)) and type(node.op) in OTHER:
            found.append((node, 0))
        elif isinstance(node, ast.Compare):
            found += [(node, k) for k, operator in enumerate(node.ops) if type(operator) in OTHER]
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.Not)):
            found.append((node, 0))
    return found


def mutate(file: str, text: str, draw: random.Random) -> Mutant | None:
    """One change of the text of a file, or None if nothing in it can be changed."""
    tree = ast.parse(text)
    places = _operators(tree)
    if not places:
        return None
    node, k = draw.choice(places)
    before = ast.unparse(node)
    if isinstance(node, ast.Compare):
        node.ops[k] = OTHER[type(node.ops[k])]()
    elif isinstance(node, ast.UnaryOp):  # applied twice, it is not there
        node.operand = ast.UnaryOp(node.op, node.operand)
    else:
        node.op = OTHER[type(node.op)]()
    return Mutant(file, node.lineno, before, ast.unparse(node), ast.unparse(tree) + "\n")


def draw_mutants(rooms: list[str], count: int, seed: int) -> list[tuple[str, Mutant]]:
    """`count` different mutants, each with its room; a file is drawn in proportion to its length."""
    draw, found = random.Random(seed), {}
    texts = {}
    for room in rooms:
        for place in ROOMS[room][0]:
            path = HOME / place
            for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
                texts[room, file.relative_to(HOME).as_posix()] = file.read_text(encoding="utf-8")
    for _ in range(10 * count):
        room, file = draw.choices(list(texts), [len(text) for text in texts.values()])[0]
        mutant = mutate(file, texts[room, file], draw)
        if mutant is not None and len(found) < count:
            found[mutant] = room
    return [(room, mutant) for mutant, room in found.items()]


def passes(copy: Path, room: str, seconds: float | None) -> bool:
    """Whether the tests of a room pass in a copy of the repository, within so many seconds."""
    environment = {**os.environ, "PYTHONPATH": str(copy), "NUMBA_CACHE_DIR": str(copy / "cache")}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *ROOMS[room][1]]
    try:
        code = subprocess.run(command, cwd=copy, env=environment, capture_output=True, timeout=seconds).returncode
    except subprocess.TimeoutExpired:
        return False
    finally:
        shutil.rmtree(copy / "cache", ignore_errors=True)
    if code > 2:
        raise SystemExit(f"pytest cannot run {ROOMS[room][1]}: exit code {code}")
    return code == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rooms", nargs="*", metavar="ROOM", help=f"of {', '.join(ROOMS)}; default all")
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=60.0, help="no change is tried after them")
    given = parser.parse_args()
    if unknown := set(given.rooms) - set(ROOMS):
        parser.error(f"unknown rooms: {', '.join(sorted(unknown))}")
    end, seconds, caught, survived = time.monotonic() + 60 * given.minutes, {}, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(HOME, copy, ignore=shutil.ignore_patterns(".*", "__pycache__", "results"))
        for room, mutant in draw_mutants(given.rooms or list(ROOMS), given.count, given.seed):
            if time.monotonic() > end:
                break
            if room not in seconds:
                started = time.monotonic()
                if not passes(copy, room, None):
                    raise SystemExit(f"the tests of {room} fail without any change")
                seconds[room] = PATIENCE * (time.monotonic() - started)
            original = (copy / mutant.file).read_text(encoding="utf-8")
            (copy / mutant.file).write_text(mutant.source, encoding="utf-8")
            seen = not passes(copy, room, seconds[room])
            (copy / mutant.file).write_text(original, encoding="utf-8")
            caught, survived = caught + seen, survived + (not seen)
            word = "caught  " if seen else "SURVIVED"
            print(f"{word} {mutant.file}:{mutant.line}: {mutant.before}  ->  {mutant.after}", flush=True)
    print(f"{caught} caught, {survived} survived")


if __name__ == "__main__":
    main()

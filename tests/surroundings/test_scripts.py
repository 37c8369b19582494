"""The scripts beside the suite: what CI installs and forces, and what is mutated."""

import ast
import random
import re
import subprocess
import tomllib
from pathlib import Path

import blas
import lowest
import mutation
import pytest

HOME = Path(__file__).parents[2]
PROJECT = tomllib.loads((HOME / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OPERATORS = "def f(a, b):\n    if not a < b and a == -b:\n        return a * b\n    a -= b\n    return a + b / 2\n"


def test_ci_runs_the_command_of_the_readme():
    [command] = re.findall(
        r"^python3 -m venv .*pytest.*$", (HOME / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert f"\n{command}\n" in (HOME / ".ci/run").read_text(encoding="utf-8")


def test_ci_ends_where_a_part_of_that_command_fails(tmp_path):
    head, _, _ = (HOME / ".ci/run").read_text(encoding="utf-8").partition("python3 -m venv .venv &&")
    rest = (HOME / ".ci/run").read_text(encoding="utf-8").split("\n")
    guard = rest[[line.startswith("python3 -m venv .venv &&") for line in rest].index(True) + 1]
    for words, code in (("true && false && true", 1), ("true && true && false", 1), ("true && true", 0)):
        script = head.replace('cd "$(dirname "$0")/.."', "") + f"{words}\n{guard}\necho went on\n"
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (code, "" if code else "went on\n")


def test_every_requirement_has_a_lowest_version():
    found = lowest.lowest(PROJECT)
    extras = PROJECT["optional-dependencies"]
    named = {re.match(r"[\w-]+", words)[0] for words in [*PROJECT["dependencies"], *extras["data"], *extras["cluster"]]}
    assert named <= set(found) and "pytest" in found and PROJECT["name"] not in found
    small = {
        "name": "x",
        "dependencies": ["a>=1.2,<3", "b<2,>= 2.0.1"],
        "optional-dependencies": {"data": [], "cluster": [], "test": []},
    }
    assert lowest.lowest(small) == {"a": "1.2", "b": "2.0.1"}
    with pytest.raises(ValueError, match="c<3 has no lower bound"):
        lowest.lowest({**small, "dependencies": ["c<3"]})


def test_a_kernel_that_does_not_exist_has_no_effect():
    own = blas.in_effect()
    assert blas.in_effect("no such processor") == own


def test_a_mutant_differs_in_one_operator():
    found = {mutation.mutate("f.py", OPERATORS, random.Random(seed)) for seed in range(100)}
    changes = {(mutant.line, mutant.before, mutant.after) for mutant in found}
    assert changes == {
        (2, "not a < b and a == -b", "not a < b or a == -b"), (2, "not a < b", "not not a < b"), (2, "a < b", "a <= b"),
        (2, "a == -b", "a != -b"), (2, "-b", "--b"), (3, "a * b", "a / b"), (4, "a -= b", "a += b"),
        (5, "a + b / 2", "a - b / 2"), (5, "b / 2", "b * 2"),
    }  # fmt: skip
    for mutant in found:
        changed = sum(a != b for a, b in zip(ast.unparse(ast.parse(OPERATORS)).split("\n"), mutant.source.split("\n")))
        assert changed == 1
    assert mutation.mutate("f.py", "x = 1\n", random.Random(0)) is None


def test_what_is_mutated_and_its_tests_exist():
    for places, tests in mutation.ROOMS.values():
        assert all((HOME / place).exists() for place in (*places, *tests))
    rooms = list(mutation.ROOMS)
    drawn = mutation.draw_mutants(rooms, 10, seed=3)
    assert len(drawn) == 10 and drawn == mutation.draw_mutants(rooms, 10, seed=3) and len({m for _, m in drawn}) == 10

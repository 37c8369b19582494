"""The public names: what completion offers, what help shows, and what a type checker finds."""

import ast
import inspect
import os
import pydoc
import subprocess
import sys
from pathlib import Path

import pytest

import implicitbias as ib

ROOT = Path(ib.__file__).parents[1]
CALLABLES = {
    **{name: getattr(ib, name) for name in ib.__all__ if name not in ("geometry", "models", "objectives", "testing")},
    **{f"geometry.{name}": getattr(ib.geometry, name) for name in ib.geometry.__all__ if name != "FAMILIES"},
    **{f"objectives.{name}": make for name, make in ib.geometry.FAMILIES.items() if name in ib.objectives.__all__},
}


def test_what_is_loaded_and_what_type_checkers_see_are_the_same_names():
    tree = ast.parse(Path(ib.__file__).read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {}
    for node in block.body:
        for item in node.names:
            assert item.asname == item.name  # else it is not exported
            module = f"{node.module}.{item.name}" if node.module == "implicitbias" else node.module
            seen[item.asname] = module
    assert seen == ib._PUBLIC
    assert Path(ib.__file__).with_name("py.typed").is_file()


def test_completion_offers_the_public_names_alone():
    assert dir(ib) == sorted(ib.__all__) == sorted(ib._PUBLIC)
    assert dir(ib.geometry) == sorted(ib.geometry.__all__)
    families = set(ib.geometry.FAMILIES) - {"file"} - set(ib.objectives.__all__)
    assert set(ib.geometry.__all__) == {"FAMILIES", "make", "rotation", "from_file", *families}
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        getattr(ib, "nonsense")  # noqa: B009  to be read as a user would write it


def test_the_import_loads_nothing():
    code = "import sys; old = set(sys.modules); import implicitbias; print(*sorted(set(sys.modules) - old))"
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {name for name in done.stdout.split() if not name.startswith("importlib")} <= {"implicitbias", "warnings"}


@pytest.mark.parametrize("name", CALLABLES)
def test_help_shows_plain_types(name):
    signature = str(inspect.signature(CALLABLES[name]))
    text = pydoc.render_doc(CALLABLES[name]).splitlines()[2:5]
    for shown in (signature, *text):
        assert not any(word in shown for word in ("lambda", "Annotated", "Rule(", "<function", "at 0x")), shown
    hints = inspect.signature(CALLABLES[name]).parameters.values()
    if not (inspect.isclass(CALLABLES[name]) and issubclass(CALLABLES[name], Exception)):
        assert all(item.annotation is not item.empty for item in hints), name


def test_gaussian_has_the_signature_of_its_source():
    assert str(inspect.signature(ib.geometry.gaussian)).startswith(
        "(n: int = 10, d: int = 50, seed: int = 0, *, rotate: int | None = None, model: str | None = None, "
    )


RIGHT = """
from pathlib import Path
from typing import assert_type

import numpy as np

import implicitbias as ib

problem = ib.geometry.gaussian(n=10, d=50, seed=0)
assert_type(problem, ib.Problem)
assert_type(problem.n, int)
assert_type(ib.geometry.gaussian(10, seed=0, rotate=3), ib.Problem)
assert_type(ib.Problem([[1.0, 2.0]], [1]), ib.Problem)
assert_type(ib.geometry.from_file(Path("a.csv"), drop=["id"]), ib.Problem)
assert_type(ib.geometry.from_file("a.csv", multiclass=True), ib.Multiclass)
assert_type(ib.geometry.class_means(k=3, seed=1), ib.Multiclass)
sep = ib.max_margin(problem, norm=2)
assert_type(sep, ib.Separator)
assert_type(sep.margin, float)
assert_type(sep.unique, bool)
assert_type(ib.max_margin(np.eye(2), norm=("lp", 3)), ib.Separator)
run = ib.simulate(problem, ib.Adam(beta2=0.95), lr=ib.Power(0.1, 0.5), batch="n", steps=10)
assert_type(run, ib.Run)
assert_type(run.status, str)
assert_type(run.optimizer, ib.Optimizer)
assert_type(ib.simulate(problem, [ib.SGD(), ib.NGD()], lr=[0.1, 0.2], steps=10), list[ib.Run])
assert_type(ib.simulate(problem, ib.SGD(), lr=ib.Cosine(0.1, steps=10, warmup=2), steps=10), ib.Run)
assert_type(ib.simulate(problem, ib.GradientFlow(), time=1e100), ib.Run)
limit = ib.predict(problem, ib.Signum(beta=0.9), batch=1)
assert_type(limit, ib.Limit | None)
if limit is not None:
    assert_type(limit.others, tuple[ib.Limit, ...])
summary = ib.run_study("a.toml", settings={"grid.steps": 10}, progress=True)
assert_type(summary.total, int)
assert_type(ib.rerun("out", "1a2b"), ib.Run)
assert_type(ib.reproduce("1a2b", "out").equal, bool)
assert_type([verdict.outcome for verdict in ib.check("out")], list[str])
assert_type(ib.collect(["out"]).missing, int)
assert_type(ib.write_report("out"), Path)
assert_type(ib.load_study({"title": "t"}).title, str)
ib.load_runs(["a", Path("b")], where={"batch": 1}, columns=["run_id"])
ib.load_curves("a", runs=["method", "batch"])
"""
WRONG = {
    "ib.Adam(beta3=1)": "call-arg",
    "ib.nonsense": "attr-defined",
    'ib.geometry.gaussian(n="ten")': "call-overload",
    "ib.simulate(ib.geometry.iris(), 1.0, steps=1)": "call-overload",
    "ib.Power()": "call-arg",
    "ib.Cosine(0.1)": "call-arg",
}


def test_a_type_checker_finds_real_types(tmp_path):
    pytest.importorskip("mypy", reason="mypy is in the extra `test`")
    (tmp_path / "right.py").write_text(RIGHT)
    (tmp_path / "wrong.py").write_text("import implicitbias as ib\n" + "\n".join(WRONG) + "\n")
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--cache-dir", tmp_path / "cache"]
    done = subprocess.run(
        [*command, tmp_path / "right.py", tmp_path / "wrong.py"], capture_output=True, text=True, cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(ROOT)}, timeout=600,
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if ": error: " in line]
    assert not [line for line in lines if "right.py" in line], done.stdout
    for number, code in enumerate(WRONG.values(), 2):
        assert any(f"wrong.py:{number}: error: " in line and f"[{code}]" in line for line in lines), done.stdout
    assert len(lines) == len(WRONG), done.stdout

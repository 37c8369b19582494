"""Where nothing has changed, what was said is said again at once; where something has, it is looked at."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from commands import refused

from implicitbias.sweep.run import run_study
from implicitbias.sweep.unchanged import last_words

STUDY = """
title = "t"
[data.gaussian]
n = 4
d = 6
seed = [0, 1]
[optimizer.sgd]
lr = 0.1
[[grid]]
batch = [1, 2]
steps = 50
"""


@pytest.fixture
def done(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("s.toml").write_text(STUDY)
    run_study("s.toml", "out", jobs=1)
    return Path("out")


def test_what_was_said_is_said_again(done, call):
    first = call("run", "s.toml", "--out", "out")
    again = call("run", "s.toml", "--out", "out")
    assert again[0] == 0 and again[1].splitlines()[:-1] == first[1].splitlines()[:-1]
    assert again[1].endswith(f"report: {Path('out', 'report.html')} (nothing has changed)\n")
    assert last_words(Path("s.toml"), Path("out"), []) is not None
    assert last_words(Path("s.toml"), Path("out"), ["grid.steps=9"]) is None


@pytest.mark.parametrize("change", [
    lambda: Path("s.toml").write_text(STUDY.replace('"t"', '"u"')),
    lambda: Path("out/runs.parquet").write_bytes(b"PAR1"),
    lambda: Path("out/report.html").unlink(),
    lambda: Path("out/curves.parquet").unlink(),
    lambda: Path("out/parts").mkdir() or Path("out/parts/x.runs.parquet").write_bytes(b"PAR1"),
    lambda: Path("out/summary.txt").write_text("0" * 32 + " 1.0\nAll is well"),
], ids=["text", "tables", "report", "lost", "parts", "made from others"])  # fmt: skip
def test_nothing_old_is_said(done, call, change):
    call("run", "s.toml", "--out", "out")
    assert last_words(Path("s.toml"), Path("out"), []) is not None
    change()
    assert last_words(Path("s.toml"), Path("out"), []) is None


def test_saying_it_again_needs_no_kernels(done, call):
    call("run", "s.toml", "--out", "out")
    script = (
        "import sys; sys.argv = ['implicitbias', 'run', 's.toml', '--out', 'out']\n"
        "from implicitbias.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        "assert not {'numba', 'pandas', 'scipy'} & set(sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", script], env=environment).returncode == 0


def test_data_files_are_read_again(tmp_path, monkeypatch, call):
    """Their rows may change without a word in the study."""
    monkeypatch.chdir(tmp_path)
    Path("x.csv").write_text("a,b,label\n1,2,1\n2,1,0\n1,3,1\n3,1,0\n")
    of_file = STUDY.replace("[data.gaussian]\nn = 4\nd = 6\nseed = [0, 1]", '[data.file]\npath = "x.csv"')
    Path("f.toml").write_text(of_file)
    assert call("run", "f.toml", "--out", "out")[0] == 0
    assert last_words(Path("f.toml"), Path("out"), []) is None
    Path("x.csv").write_text("a,b,label\n1,2,1\n2,1,0\n1,4,1\n3,1,0\n")
    refused(call("run", "f.toml", "--out", "out"), "another version of this study")

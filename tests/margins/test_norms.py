"""Norms come one a file: what is in the file is all that margins, tables, studies and reports know of it."""

import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import implicitbias as ib
from implicitbias.errors import InputError
from implicitbias.margins.norms import fitting, followed, named, norm_of, usual

ROWS = np.random.default_rng(5).normal(size=(40, 6))
PARAMETERS = {"lp": 3.5, "mahalanobis": [0.5, 2.0, 3.0, 1.0, 4.0, 0.25]}
ALL = [(name, PARAMETERS[name]) if kind.takes() else name for name, kind in fitting().items()]


@pytest.mark.parametrize("given", ALL, ids=str)
def test_a_norm_is_one(given):
    norm = norm_of(given, 6)
    values = norm.values(ROWS)
    assert values == pytest.approx([norm.value(row) for row in ROWS], rel=1e-14)
    assert norm.values(-3 * ROWS) == pytest.approx(3 * values, rel=1e-14)
    assert (norm.values(ROWS[:20] + ROWS[20:]) <= (values[:20] + values[20:]) * (1 + 1e-14)).all()
    assert [norm.value(row * 1e200) for row in ROWS] == pytest.approx(values * 1e200, rel=1e-13)
    assert norm_of(norm.key, 6) == norm and hash(norm_of(norm.key, 6)) == hash(norm)


@pytest.mark.parametrize("given", ALL, ids=str)
def test_bounds_are_above_and_the_dual_is_dual(given):
    norm = norm_of(given, 6)
    for w, y in zip(ROWS[:20], ROWS[20:]):
        assert norm.value(w) * (1 - 1e-14) <= norm.above(w) <= norm.value(w) * (1 + 1e-12)
        assert abs(w @ y) <= norm.above(w) * norm.dual_above(y)
        # the separator of the one row y has the margin N*(y)
        sep = ib.max_margin([y], given)
        assert norm.dual_above(y) == pytest.approx(sep.margin, rel=1e-9)


def test_only_norms_without_a_parameter_have_columns():
    assert usual() == ("l1", "l2", "linf") and set(usual()) <= set(named())
    assert followed(usual()) == ["l2", "linf"] and followed(["l1"]) == ["l1"]
    with pytest.raises(InputError, match=r'write \("lp", p\) or \("mahalanobis", diag\)'):
        norm_of("lp", 2)
    with pytest.raises(InputError, match=r"norm 'l2' takes no parameter, but got 3"):
        norm_of(("l2", 3), 2)


NORM = '''
"""sqrt(sum_j (j + 1) w_j^2): each further coordinate costs more."""
import math
from dataclasses import dataclass

import numpy as np

from implicitbias.margins import mahalanobis
from implicitbias.margins.norms.base import Norm, up


@dataclass(frozen=True)
class Rising(Norm):
    name, symbol = "rising", "R"

    def value(self, w):
        return math.hypot(*(np.sqrt(np.arange(1, len(w) + 1)) * w).tolist())

    def above(self, w):
        return up(self.value(w) * (1 + 2**-50))

    def dual_above(self, y):
        return up(math.hypot(*(y / np.sqrt(np.arange(1, len(y) + 1))).tolist()) * (1 + 2**-50))

    def solve(self, unit, l2):
        return mahalanobis.solve(unit, np.arange(1.0, unit.rows.shape[1] + 1), l2)


NORM = Rising
'''
STUDY = """
title = "t"
norms = ["l2", "rising"]
[data.gaussian]
n = 4
d = 6
[optimizer.sgd]
lr = 0.1
[[grid]]
batch = [1, 2, "n"]
steps = 64
[[claim]]
says = "x"
measure = "inc_cos_rising"
at_least = -1
"""
SCRIPT = """
import sys
import implicitbias.margins.norms
implicitbias.margins.norms.__path__.append(sys.argv[1])
import implicitbias as ib

problem = ib.geometry.gaussian(n=4, d=6, seed=0)
diag = ("mahalanobis", [1, 2, 3, 4, 5, 6])
sep, same = ib.max_margin(problem, "rising"), ib.max_margin(problem, diag)
assert abs(sep.margin / same.margin - 1) < 1e-12 and sep.norm == "rising" and sep.relative_gap < 1e-12
ib.run_study("s.toml", "out", jobs=1)
ends = {"ratio_rising", "inc_cos_rising", "gamma_rising", "distance_rising", "limit_cos_rising", "limit_ratio_rising"}
runs = ib.load_runs("out")
assert ends <= set(runs) and not any(name.endswith("_linf") for name in runs)
assert abs(runs["gamma_rising"].iloc[0] / same.margin - 1) < 1e-12
assert "ratio_rising" in ib.load_curves("out")
ib.write_report("out")
"""


def test_a_new_norm_is_one_file(tmp_path):
    """It gets its columns in both tables, claims may be about it, and the report follows its direction."""
    (tmp_path / "norms").mkdir()
    (tmp_path / "norms" / "rising.py").write_text(NORM)
    (tmp_path / "s.toml").write_text(STUDY)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT), str(tmp_path / "norms")]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "gamma_rising" in page and "inc_cos_rising" in page
    assert b"cosine to R (increment)" in b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*.svg"))

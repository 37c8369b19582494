"""The same tables whatever the locale, the folders, the time zone, the terminal, or how Python and Numba are set."""

import os
import subprocess
import sys
from pathlib import Path

import matplotlib
import pandas as pd
import pytest
from commands import STUDY, refused
from processes import TIMINGS

import implicitbias as ib
from implicitbias import jit

HOSTILE = {
    "LC_ALL": "tr_TR.UTF-8", "LANG": "de_DE.UTF-8", "TZ": "Pacific/Kiritimati", "TERM": "dumb", "COLUMNS": "20",
    "PYTHONIOENCODING": "ascii", "PYTHONHASHSEED": "7", "NO_COLOR": "1",
    "HOME": "/proc/none", "OMP_NUM_THREADS": "3",
}  # fmt: skip


def command(*arguments, environment=(), **options):
    # kernels that are compiled already; the user's home is not that of the tests
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "XDG_"))}
    cache = {"NUMBA_CACHE_DIR": str(jit._cache_folder().parent)}
    return subprocess.run(
        [sys.executable, "-m", "implicitbias", *map(str, arguments)],
        env={**kept, **cache, **dict(environment)}, capture_output=True, timeout=600, **options,
    )  # fmt: skip


@pytest.mark.skipif(os.name != "posix", reason="needs umask")
def test_a_study_in_hostile_surroundings_has_the_same_tables(tmp_path):
    here = tmp_path / "a folder of Ünal Işık"
    (here / "tmp").mkdir(parents=True)
    (here / "tiny.toml").write_text(STUDY.replace("Tiny", "Große"), encoding="utf-8")
    done = command(
        "run", "tiny.toml", "--jobs", 1, "--out", "Ergebnis ∞", cwd=here,
        environment={**HOSTILE, "TMPDIR": str(here / "tmp"), "MPLCONFIGDIR": matplotlib.get_configdir()}, umask=0o077,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert b"report: Ergebnis \\u221e/report.html" in done.stdout and b"Traceback" not in done.stderr
    ib.run_study(here / "tiny.toml", tmp_path / "quiet", jobs=1)
    found = here / "Ergebnis ∞"
    assert (found / "curves.parquet").read_bytes() == (tmp_path / "quiet/curves.parquet").read_bytes()
    left, right = (ib.load_runs(folder).drop(columns=TIMINGS) for folder in (found, tmp_path / "quiet"))
    pd.testing.assert_frame_equal(left, right, check_exact=True)


@pytest.mark.parametrize("environment", [{"PYTHONOPTIMIZE": "2"}, {"PYTHONUTF8": "0", "LC_ALL": "C"}])
def test_list_in_other_surroundings(environment):
    done = command("list", environment={"PYTHONIOENCODING": "ascii", **environment})
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"adam_proxy" in done.stdout and b"clusters" in done.stdout


def test_a_folder_whose_name_is_no_text_is_refused_before_anything_is_computed(call, study, tmp_path):
    name = os.fsdecode(b"out\xff")
    sentence = "the name of the folder out\\udcff is not UTF-8; choose another --out"
    refused(call("run", study, "--out", name), sentence)
    refused(call("run", study, "--out", name, "--shard", "1/2"), sentence)
    refused(call("collect", "here", "--out", name), "here holds no results of a study")
    refused(call("status", name), sentence)
    refused(call("run", study, "--set", f"title={name}"), "--set title=out\\udcff is not UTF-8")
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.toml"]


@pytest.mark.parametrize("arguments", [["list"], ["check"], ["status"], ["margins"], ["show"], ["run"]])
def test_a_name_that_the_system_refuses_is_a_sentence(call, arguments):
    refused(call(*arguments, "x" * 5000), "x" * 500)


@pytest.fixture
def cache(monkeypatch):
    """The folder of compiled kernels as a new process would choose it."""
    for name in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(jit.sys, "platform", "linux")
    return jit._cache_folder.__wrapped__


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that root cannot write to")
def test_kernels_are_cached_where_something_can_be_written(cache, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache().parent == tmp_path / "home/.cache/implicitbias"
    monkeypatch.setattr(jit.tempfile, "gettempdir", lambda: str(tmp_path))
    for home in ("/proc/none", str(tmp_path / "file" / "home")):
        (tmp_path / "file").touch()
        monkeypatch.setenv("HOME", home)
        assert cache().parent == tmp_path / f"implicitbias-{os.getuid()}"
    shared = tmp_path / f"implicitbias-{os.getuid()}"
    assert shared.stat().st_mode & 0o777 == 0o700
    # made by somebody else, whose machine code would be run
    monkeypatch.setattr(jit.os, "getuid", lambda: 4711)
    monkeypatch.setattr(Path, "mkdir", lambda self, **options: None)
    shared.rename(tmp_path / "implicitbias-4711")
    assert cache() is None


def test_a_chosen_folder_of_kernels_does_not_mix_sources(cache, monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert cache().parent == tmp_path and cache().name.startswith(jit.source_hash())


def test_a_kernel_without_a_folder_is_compiled_all_the_same(monkeypatch):
    monkeypatch.setattr(jit, "_cache_folder", lambda: None)
    twice = jit.kernel(lambda x: 2 * x)
    assert twice(21) == 42 and twice.signatures


def test_kernels_that_may_not_be_compiled_are_a_sentence(tmp_path):
    (tmp_path / "tiny.toml").write_text(STUDY)
    done = command("run", "tiny.toml", environment={"NUMBA_DISABLE_JIT": "1"}, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"error: NUMBA_DISABLE_JIT is set") and done.stderr.count(b"\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.toml"]

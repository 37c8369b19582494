"""How a command ends: each exit code has one meaning, and help and README say it."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from commands import STUDY, squeezed
from processes import start

import implicitbias
from implicitbias import cli, exits
from implicitbias.errors import InputError, NotSeparable, NotWritten
from implicitbias.store import load_curves, load_runs


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs process groups")
def test_ctrl_c_keeps_what_is_there_and_says_how_to_go_on(study, tmp_path):
    study.write_text(STUDY.replace("[0, 1]", "{ from = 0, to = 999 }").replace("steps = 100", "steps = 200_000"))
    child = start("run", study, "--out", "out", "--jobs", "1", cwd=tmp_path, start_new_session=True)
    end = time.monotonic() + 300
    while len(list(tmp_path.glob("out/parts/*.runs.parquet"))) < 2 and time.monotonic() < end and child.poll() is None:
        time.sleep(0.02)
    os.killpg(child.pid, signal.SIGINT)  # as a terminal does
    out, err = child.communicate(timeout=300)
    assert child.returncode == 130, err
    assert "interrupted; what was computed is in out, and the same command goes on from there" in squeezed(err)
    assert "Traceback" not in err and out.strip() == ""
    runs, curves = load_runs(tmp_path / "out"), load_curves(tmp_path / "out")
    assert 0 < len(runs) < 4000
    assert set(curves["run_id"]) == set(runs["run_id"])


@pytest.mark.parametrize(
    "error, code, said",
    [
        (InputError(["one", "two"]), 2, "error: one\nerror: two\n"),
        (NotSeparable(np.array([0.5, 0.5]), 0.0), 2, "error: the data are not separable"),
        (NotWritten("a", OSError(28, "")), 3, "error: a could not be written: No space left on device; "),
        (PermissionError(13, "Permission denied", "a\x1b"), 2, "error: a\\x1b: Permission denied\n"),
        (RuntimeError("a bug"), 4, "Traceback"),
        (OSError("no file is to blame"), 4, "Traceback"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_each_way_to_end_has_its_code(call, monkeypatch, study, error, code, said):
    def fails(*args, **options):
        raise error

    monkeypatch.setattr("implicitbias.study.plan.plan", fails)
    answer = call("show", study)
    assert (answer[0], answer[1].strip()) == (code, "") and answer[2].startswith(said)
    assert ("Traceback" in answer[2]) == (code == 4)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_has_its_code(call, monkeypatch, study, number):
    monkeypatch.setattr("implicitbias.sweep.run.run_study", lambda *args, **options: signal.raise_signal(number))
    code, _, err = call("run", study)
    assert code == 128 + number
    assert squeezed(err) == "interrupted; nothing was computed yet, and the same command goes on from there"


def test_help_and_readme_explain_every_code(call):
    said = squeezed(call("--help")[1])
    readme = Path(__file__).parents[2].joinpath("README.md").read_text(encoding="utf-8")
    for code, meaning in exits.MEANINGS.items():
        assert f"{code}: {meaning}" in said
        assert f"| {code} | {meaning} |\n" in readme
    documented = re.findall(r"^\| (\d+) \| ", readme, re.MULTILINE)
    assert list(map(int, documented)) == list(exits.MEANINGS)


def test_the_version(call):
    assert call("--version") == (0, f"implicitbias {implicitbias.__version__}\n", "")


@pytest.mark.parametrize("statement", ["import implicitbias", "import sys; sys.argv[1:] = ['--help']; HELP"])
def test_help_and_import_load_nothing_heavy(statement):
    help_ = "\nfrom implicitbias.cli import main\ntry:\n    main()\nexcept SystemExit as end:\n    assert not end.code"
    code = statement.replace("HELP", help_) + (
        "\nimport sys\nheavy = {'numba', 'pandas', 'scipy', 'matplotlib', 'seaborn', 'pyarrow', 'sklearn', 'clarabel'}"
        "\nassert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    if "HELP" in statement:
        assert all(
            command in done.stdout for command in ("run", "status", "check", "report", "list", "show", "margins")
        )


COMMANDS = [command.name or command.callback.__name__ for command in cli.app.registered_commands]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(call, command):
    code, out, _ = call(command, "--help")
    assert code == 0 and f"{command} [OPTIONS]" in out

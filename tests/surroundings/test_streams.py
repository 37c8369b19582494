"""Outputs that are closed, full or left by their reader: all is computed, and the exit code says what is lost."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pandas as pd
import pytest
from commands import STUDY
from processes import TIMINGS

import implicitbias as ib
from implicitbias import streams

HOME = Path(__file__).parents[2]
needs_posix = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full and fork")
CLOSED = (3, "error: the output could not be written: Bad file descriptor\n")
FULL = (3, "error: the output could not be written: No space left on device\n")
NO_READER = (141, "")
FALSE = '[[claim]]\nsays = "It is there"\nsource = "nobody"\nmeasure = "cos_l2"\nat_least = 1\n'


def shell(words, **options):
    """`python -m implicitbias ...` with redirections, by the shell: (exit code, stderr)."""
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" -m implicitbias {words}', sys.executable],
        stderr=subprocess.PIPE, text=True, timeout=600, **options,
    )  # fmt: skip
    return done.returncode, done.stderr


def without_reader(words):
    read, write = os.pipe()
    os.close(read)
    try:
        return shell(words, stdout=write)
    finally:
        os.close(write)


@needs_posix
def test_a_process_that_starts_with_broken_streams():
    assert shell("list >&-") == CLOSED
    assert shell("list >/dev/full") == FULL
    assert without_reader("--help") == NO_READER
    assert shell("list <&- >&- 2>&-") == (3, "")
    assert shell("show none.toml <&- >&- 2>/dev/full") == (2, "")


@needs_posix
def test_a_study_without_any_stream_is_computed_and_stored(tmp_path):
    (tmp_path / "tiny.toml").write_text(STUDY)
    assert shell("run tiny.toml --out out --jobs 2 <&- >&- 2>&-", cwd=tmp_path) == (3, "")
    ib.run_study(tmp_path / "tiny.toml", tmp_path / "quiet", jobs=1)
    assert (tmp_path / "out/curves.parquet").read_bytes() == (tmp_path / "quiet/curves.parquet").read_bytes()
    left, right = (ib.load_runs(tmp_path / name).drop(columns=TIMINGS) for name in ("out", "quiet"))
    pd.testing.assert_frame_equal(left, right, check_exact=True)
    assert (tmp_path / "out/report.html").is_file()


WORDY = """
import sys
sys.path.insert(0, sys.argv[1])
from implicitbias.streams import guard
guard()  # before libraries that need an error stream
import deadly
from implicitbias.sweep.pool import outcomes
from implicitbias.sweep.workers import Processes
pool = Processes(1)
print(*(answer for _, answer in outcomes(pool, deadly.work, [["print"], ["a"]], sys.argv[2])))
pool.close()
"""


@needs_posix
@pytest.mark.parametrize("broken", ["2>&-", "2>/dev/full", "<&- 2>&-"])
def test_what_a_task_prints_is_no_answer_even_if_nobody_listens(tmp_path, broken):
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" -c "$1" "$2" "$3" {broken}', sys.executable, WORDY, HOME / "tests", tmp_path],
        stdout=subprocess.PIPE, text=True, timeout=600,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "['printprint'] ['aa']\n")


# Every command under every fault, each in a fork of one process that has loaded what they need.
FORKS = """
import json, os, sys
import implicitbias.limits, implicitbias.report.tables, implicitbias.sweep.reproduce, implicitbias.terminal
from implicitbias.cli import main

def break_output(how):
    os.close(1)
    if how == "closed":
        sys.stdout = sys.__stdout__ = None
    elif how == "full":
        os.open("/dev/full", os.O_WRONLY)
    else:
        _, write = os.pipe()
        os.dup2(write, 1)  # in the place of the only end to read from

def run(how, arguments):
    child = os.fork()
    if not child:
        os.dup2(os.open("stderr", os.O_RDWR | os.O_CREAT | os.O_TRUNC), 2)
        break_output(how)
        sys.argv[1:] = arguments
        try:
            main()
        except SystemExit as end:
            os._exit(end.code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code, open("stderr").read()

cases = json.load(sys.stdin)
sys.stdout.write(json.dumps([run(*case) for case in cases]))
"""


@needs_posix
def test_every_command_ends_as_it_would_have(tmp_path):
    (tmp_path / "tiny.toml").write_text(STUDY)
    (tmp_path / "false.toml").write_text(STUDY + FALSE)
    (tmp_path / "plants.csv").write_text("1,2,1\n3,0.5,1\n-1,-4,-1\n")
    ib.run_study(tmp_path / "tiny.toml", tmp_path / "out", jobs=1)
    name = ib.load_runs(tmp_path / "out")["run_id"][0]
    commands = [
        ["list"], ["show", "tiny.toml"], ["status", "out"], ["check", "out"], ["margins", "plants.csv"],
        ["predict", "plants.csv"], ["reproduce", name, "--in", "out"], ["show", "--help"], ["--version"],
        ["check", "false.toml", "--out", "out"], ["runn"],
    ]  # fmt: skip
    broken = {"closed": CLOSED, "full": FULL, "no reader": NO_READER}
    cases = [(how, command) for how in broken for command in commands]
    done = subprocess.run(
        [sys.executable, "-c", FORKS], input=json.dumps(cases), capture_output=True, text=True, cwd=tmp_path,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"}, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for (how, command), (code, said) in zip(cases, json.loads(done.stdout)):
        expected, sentence = broken[how]
        if command == ["runn"]:
            assert code == 2 and "runn" in said, (how, command)
            continue
        answer = 1 if "false.toml" in command else expected
        assert (code, said) == (answer, sentence), (how, command)


@needs_posix
def test_an_output_that_does_not_wait_is_waited_for():
    read, write = os.pipe()
    os.set_blocking(write, False)
    found = []

    def slowly():
        with open(read, "rb") as file:
            while piece := file.read(1 << 12):
                found.append(piece)

    reader = threading.Thread(target=slowly)
    reader.start()
    content = bytes(range(256)) * (1 << 12)  # a pipe holds 64 kB
    with streams._Outlet(write, "w") as outlet:
        assert outlet.write(content) == len(content) and outlet.lost is None
    reader.join()
    assert b"".join(found) == content

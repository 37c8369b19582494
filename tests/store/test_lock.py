"""One writer at a time: processes that meet in one folder, and what a killed one leaves."""

import os
import signal
import subprocess
import sys

import pytest

from implicitbias.errors import InputError
from implicitbias.store.lock import Lock

fcntl = pytest.importorskip("fcntl")

HOLD = """
import sys
from pathlib import Path
from implicitbias.store.lock import Lock
lock = Lock(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def hold(tmp_path):
    """Start a process that holds the lock until its input ends."""
    started = []

    def of(*name):
        command = [sys.executable, "-c", HOLD, str(tmp_path), *name]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield of
    for process in started:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def refused(tmp_path, process, name=None):
    with pytest.raises(InputError) as caught:
        Lock(tmp_path, name)
    (said,) = caught.value.mistakes
    assert said == (
        f"{tmp_path} is being written by process {process.pid} on {os.uname().nodename}; wait until it ends, or choose "
        "another --out"
    )


def test_a_second_process_is_refused_until_the_first_ends(tmp_path, hold):
    process = hold()
    refused(tmp_path, process)
    refused(tmp_path, process, "1-of-2")
    process.stdin.close()
    process.wait()
    lock = Lock(tmp_path)
    lock.release()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", [(), ("1-of-2",)])
def test_a_killed_process_gives_the_lock_back(tmp_path, hold, name):
    process = hold(*name)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (tmp_path / ".lock").exists()  # the file may stay, the lock does not
    lock = Lock(tmp_path, *name)
    lock.release()
    assert not list(tmp_path.glob(".lock")) and not list(tmp_path.glob(".lock-*"))


def test_shards_write_side_by_side_and_alone(tmp_path, hold):
    process = hold("1-of-2")
    refused(tmp_path, process)
    refused(tmp_path, process, "1-of-2")
    other = Lock(tmp_path, "2-of-2")
    process.stdin.close()
    process.wait()
    with pytest.raises(InputError, match=f"process {os.getpid()} on "):
        Lock(tmp_path)
    other.release()
    Lock(tmp_path).release()
    assert not list(tmp_path.iterdir())


def test_a_refused_lock_leaves_that_of_the_holder(tmp_path):
    held = Lock(tmp_path)
    for _ in range(2):
        with pytest.raises(InputError, match="is being written by process"):
            Lock(tmp_path)
    assert (tmp_path / ".lock").read_text().startswith(f"process {os.getpid()} on ")
    held.release()
    held.release()  # twice is once


def test_many_processes_take_turns(tmp_path):
    """Files come and go with their locks; nobody holds a lock on a file that is no longer there."""
    script = """
import sys, time
from pathlib import Path
from implicitbias.errors import InputError
from implicitbias.store.lock import Lock
folder, turns = Path(sys.argv[1]), 0
while turns < 40:
    try:
        lock = Lock(folder)
    except InputError:
        continue
    (folder / "inside").touch(exist_ok=False)  # fails if another is inside
    (folder / "inside").unlink()
    lock.release()
    turns += 1
"""
    processes = [subprocess.Popen([sys.executable, "-c", script, str(tmp_path)]) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert not list(tmp_path.iterdir())


def test_without_locks_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr("implicitbias.store.lock.fcntl", None)
    for lock in (Lock(tmp_path), Lock(tmp_path), Lock(tmp_path, "1-of-2")):
        lock.release()
    assert not list(tmp_path.iterdir())

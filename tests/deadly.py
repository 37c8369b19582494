"""Tasks that go wrong, for workers: a task is a list of pieces."""

import os
import signal
import sys
import time
from pathlib import Path


def work(task: list, folder: str) -> list:
    """The pieces doubled; a piece "die" kills the worker, "die once" does so the first time."""
    for piece in task:
        mark = Path(folder) / str(piece).replace(" ", "-")
        if piece == "die" or (piece == "die once" and not mark.exists()):
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if piece == "exit":
            os._exit(3)
        if piece == "print":
            print("a word on standard output", flush=True)
        if piece == "write":
            os.write(1, b"another\n")
        if piece == "raise":
            raise Strange(1, 2)
        if piece == "sleep":
            mark.write_text(str(os.getpid()))
            time.sleep(600)
    return [piece * 2 for piece in task]


def settings(task: list, name: str) -> list:
    return [os.environ.get(name), sys.path]


class Strange(Exception):
    """It cannot be made again from its arguments."""

    def __init__(self, one, two):
        super().__init__(one)

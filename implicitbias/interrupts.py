"""SIGINT and SIGTERM as one exception: the first asks a command to end well, the second ends it at once."""

import os
import signal
import sys
import threading
from contextlib import contextmanager

AGAIN = 0.05  # seconds until an exception that got lost is raised again


class Interrupted(KeyboardInterrupt):
    """A signal asked the command to end; `code` is the exit code that says so."""

    def __init__(self, number: int = signal.SIGINT):
        self.code = 128 + number
        super().__init__(number)


@contextmanager
def interruptible():
    """A context in which the first SIGINT or SIGTERM raises ``Interrupted`` and the second ends the process.

    What is on disk can bear both: every file is written under a temporary name and renamed.
    """
    asked = False

    def stop(number, frame):
        nonlocal asked
        if asked:
            os._exit(128 + number)  # workers end with the pipes of their study
        asked = True
        raise Interrupted(number)

    def lost(unraisable):
        # Python cannot raise where C calls back, as LLVM does while it compiles, nor in a finaliser; it tells instead.
        nonlocal asked
        if not isinstance(unraisable.exc_value, Interrupted):
            return hook(unraisable)
        asked = False
        threading.Timer(AGAIN, signal.raise_signal, [unraisable.exc_value.code - 128]).start()

    hook, sys.unraisablehook = sys.unraisablehook, lost
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        sys.unraisablehook = hook

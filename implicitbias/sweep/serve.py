"""The far end of a worker process (see sweep.workers): pickled calls on its standard input, answers on its output."""

import contextlib
import importlib
import os
import pickle
import queue
import struct
import sys
import threading

from implicitbias.streams import guard


def serve(modules: list[str]) -> None:
    """Import these modules, and answer calls until the input ends, which is when the study does, however it does."""
    calls: queue.SimpleQueue = queue.SimpleQueue()
    guard()  # nobody may listen to what a library prints

    def listen():
        try:
            while True:
                calls.put(receive(sys.stdin.buffer))
        except (EOFError, OSError):
            os._exit(0)  # in the middle of a task, too: nobody waits for it

    threading.Thread(target=listen, daemon=True).start()
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)  # what a library prints must not get between the answers
        for module in modules:
            importlib.import_module(module)
        with contextlib.suppress(OSError):
            send(answers, b"ready")
            while True:
                send(answers, _answer(calls.get()))
    os._exit(0)  # the other thread holds the input, which an orderly exit would wait for


def _answer(call: bytes) -> bytes:
    try:
        function, args = pickle.loads(call)
        return pickle.dumps((True, function(*args)))
    except BaseException as error:
        try:
            pickle.loads(pickle.dumps(error))  # some exceptions cannot be made again from their arguments
        except Exception:
            error = RuntimeError(f"{type(error).__name__}: {error}")
        return pickle.dumps((False, error))


def send(stream, content: bytes) -> None:
    stream.write(struct.pack("<Q", len(content)))
    stream.write(content)
    stream.flush()


def receive(stream) -> bytes:
    (size,) = struct.unpack("<Q", _exactly(stream, 8))
    return _exactly(stream, size)


def _exactly(stream, size: int) -> bytes:
    content = stream.read(size)
    if len(content) < size:
        raise EOFError
    return content

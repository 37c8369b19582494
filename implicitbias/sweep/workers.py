"""Worker processes on this machine.

A worker is an interpreter of its own that reads calls from its standard input and answers on its standard output, one
at a time: whose worker died is then known, the others go on, and a worker whose study is gone ends by itself.
"""

import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from implicitbias.errors import InputError
from implicitbias.sweep.pool import Inline, WorkerDied
from implicitbias.sweep.serve import receive, send

# What a worker runs: the package from where the study's process has it.
_BOOT = """
import pickle, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
size = int.from_bytes(sys.stdin.buffer.read(8), "little")
sys.path[:] = pickle.loads(sys.stdin.buffer.read(size))
from implicitbias.sweep.serve import serve
serve(sys.argv[1:])
"""
# A worker computes on one thread; without this every one of them starts a thread a core for linear algebra.
_ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
STARTS = 3  # of a worker that dies before it is ready


class Processes(Inline):
    """Worker processes on this machine, each started when it is first needed, or ahead with `start`; `modules` are
    what its tasks need, imported while it waits for the first."""

    def __init__(self, size: int, modules: tuple[str, ...] = ()):
        self.size, self._modules = size, modules
        self.closed, self._lock, self._alone = False, threading.Lock(), False
        self._workers = [_Worker(self) for _ in range(size)]
        # The worker that was used last comes first: what its caches hold is nearest.
        self._idle: queue.LifoQueue = queue.LifoQueue()
        for worker in self._workers:
            self._idle.put(worker)
        self._threads = ThreadPoolExecutor(size)  # a thread waits for each worker

    def room(self) -> int:
        return self.size + 1

    def start(self, count: int) -> None:
        """Start this many workers now, without waiting for them. With 0 the tasks are few and short, and done here:
        a worker takes a second to import what it needs."""
        self._alone = count == 0
        for worker in self._workers[self.size - count :]:
            worker.start()

    def submit(self, function: Callable, *args) -> Future:
        if self._alone:
            return super().submit(function, *args)
        return self._threads.submit(self._call, function, args)

    def _call(self, function: Callable, args: tuple):
        worker = self._idle.get()
        try:
            return worker.call(function, args)
        finally:
            self._idle.put(worker)

    def launch(self) -> subprocess.Popen:
        """A new interpreter that waits for calls."""
        # A process group of its own keeps a worker from the Ctrl-C that the terminal sends to its study.
        alone = {"process_group": 0} if os.name == "posix" else {"creationflags": 0x200}
        with self._lock:  # or a worker could start behind the back of `close`
            if self.closed:
                raise WorkerDied("the study was stopped")
            return subprocess.Popen(
                [sys.executable, "-P", "-c", _BOOT, *self._modules],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**_ONE_THREAD, **os.environ}, **alone,
            )  # fmt: skip

    def close(self) -> None:
        """End all workers, whatever they are doing."""
        with self._lock:
            self.closed = True
        for worker in self._workers:
            worker.kill()
        self._threads.shutdown(cancel_futures=True)
        for worker in self._workers:
            worker.bury()


class _Worker:
    """The near end of a worker process."""

    def __init__(self, pool: Processes):
        self._pool, self._process, self._ready = pool, None, False

    def start(self) -> None:
        if self._process is None:
            self._process, self._ready = self._pool.launch(), False
            if self._pool.closed:  # meanwhile, before there was anything to kill
                self.kill()
            with contextlib.suppress(OSError):  # dead already, which the first call finds out
                send(self._process.stdin, pickle.dumps(sys.path))

    def call(self, function: Callable, args: tuple):
        """function(*args) in the worker. Errors: ``WorkerDied`` if it ends without an answer."""
        self._wait_until_ready()
        try:
            send(self._process.stdin, pickle.dumps((function, args)))
            good, answer = pickle.loads(receive(self._process.stdout))
        except (EOFError, OSError):
            raise WorkerDied(self.bury()) from None
        if good:
            return answer
        raise answer

    def _wait_until_ready(self) -> None:
        for _ in range(STARTS):
            self.start()
            try:
                if not self._ready:
                    receive(self._process.stdout)
                    self._ready = True
                return
            except (EOFError, OSError):
                end = self.bury()
        raise InputError(
            f"worker processes do not start: {STARTS} in a row ended before they were ready, the last one {end}; "
            "with --jobs 1 the study needs none"
        )

    def kill(self) -> None:
        process = self._process
        if process is not None:
            process.kill()

    def bury(self) -> str:
        """Forget a process that has ended or is to end, and say how it did."""
        process, self._process, self._ready = self._process, None, False
        if process is None:
            return "killed"
        for stream in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                stream.close()
        code = process.wait()
        if code >= 0:
            return f"with exit code {code}"
        try:
            return f"killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"killed by signal {-code}"


def open_pool(jobs: int, backend: str, scheduler: str | None):
    """The workers of a study. Errors: ``InputError`` for options that do not go together, or an unknown address."""
    if backend not in ("local", "dask"):
        raise InputError(f"--backend must be local or dask, but is {backend!r}")
    if backend == "local" and scheduler is not None:
        raise InputError(f"--scheduler {scheduler} needs --backend dask")
    if backend == "dask" and scheduler is None:
        raise InputError("--backend dask needs --scheduler, the address that `dask scheduler` prints")
    if backend == "dask":
        from implicitbias.sweep.cluster import Cluster

        return Cluster(scheduler)
    return Processes(jobs, ("implicitbias.sweep.execute",)) if jobs > 1 else Inline()

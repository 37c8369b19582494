"""The workers of a Dask cluster, as a pool for `workers.outcomes`."""

import contextlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future

from implicitbias.errors import InputError
from implicitbias.jit import source_hash
from implicitbias.sweep.pool import Inline, WorkerDied

ANSWERS_WITHIN = 10.0  # seconds for a scheduler to answer
COUNT_EVERY = 5.0  # seconds between two looks at the size of a cluster
GROWS_TO = 64  # threads that a cluster is expected to have some day: batch systems start workers one by one


class Cluster(Inline):
    """The workers of a running Dask scheduler."""

    def __init__(self, address: str):
        try:
            from distributed import Client
            from distributed.comm import parse_address, parse_host_port
            from distributed.comm.registry import get_backend
        except ImportError:
            raise InputError("--backend dask needs dask and distributed; pip install 'implicitbias[cluster]'") from None
        self.address = address
        try:
            # A Client that trips over its address waits for half a minute when it is thrown away.
            scheme, place = parse_address(address)
            get_backend(scheme)
            if scheme != "inproc":
                parse_host_port(place)
            self._client = Client(address, timeout=ANSWERS_WITHIN, set_as_default=False)
        except (OSError, ValueError, TypeError) as error:
            detail = f" ({error})" if isinstance(error, (ValueError, TypeError)) else ""
            raise InputError(
                f"no Dask scheduler answers at {address}{detail}; --scheduler takes the address that `dask scheduler` "
                "prints, such as tcp://10.0.0.1:8786"
            ) from None
        self._executor = self._client.get_executor(pure=False)
        self._count()

    def _count(self) -> None:
        try:
            self.size = sum(self._client.nthreads().values())
        except (OSError, RuntimeError) as error:  # closed connections and clients, and time-outs
            raise self._gone() from error
        self._counted = time.monotonic()

    def _gone(self) -> InputError:
        return InputError(
            f"the Dask scheduler at {self.address} is gone, or has cancelled the tasks of the study; what was "
            "computed is kept, and the same command goes on from there"
        )

    def room(self) -> int:
        """Two tasks for each thread of the cluster as it is now: it may grow."""
        if time.monotonic() - self._counted > COUNT_EVERY:
            self._count()
        return 2 * self.size + 2

    def shares(self) -> int:
        return max(self.size, GROWS_TO)

    def submit(self, function: Callable, *args) -> Future:
        return self._executor.submit(remote, source_hash(), function, *args)

    def understand(self, error: BaseException) -> BaseException:
        """The death of the workers that the scheduler tried a task on; anything else is raised: the cluster is ill."""
        from distributed import KilledWorker

        if isinstance(error, KilledWorker):
            return WorkerDied(f"the last one on the cluster was {error.last_worker.address}")
        if isinstance(error, InputError):
            raise error
        if isinstance(error, CancelledError):
            raise self._gone()
        raise InputError(
            f"the Dask workers at {self.address} cannot run the tasks of the study: {type(error).__name__}: {error}"
        )

    def close(self) -> None:
        """Withdraw what is not done and leave the cluster as it was."""
        with contextlib.suppress(Exception):  # a cluster that is gone needs no farewell
            self._executor.shutdown(wait=False)
            self._client.close(timeout=5)


# Threads of one Dask worker share BLAS settings, warning filters and caches, so they take turns.
_TURN = threading.Lock()


def remote(source: str, function: Callable, *args):
    """function(*args) on a Dask worker. Errors: ``InputError`` if it runs other code than the study's process."""
    if source != source_hash():
        raise InputError(
            f"a Dask worker has other sources of implicitbias ({source_hash()}) than this process ({source}); "
            "install the same version on both"
        )
    with _TURN:
        return function(*args)

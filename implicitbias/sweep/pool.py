"""Tasks over a pool of workers, through one loop that outlives the death of a worker."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait

from implicitbias.errors import InputError

LOOK_EVERY = 5.0  # seconds between two looks at the pool while no task ends


class WorkerDied(Exception):
    """A worker ended without an answer; the text says how."""


def outcomes(pool, function: Callable, tasks: list, *args) -> Iterator[tuple[list, object]]:
    """(task, function(task, *args) or the exception in its place) of every task, as they end; of those
    found at once, the first comes first.

    A task, which is a list, whose worker died is tried once more: at the end, in pieces, its elements one by one, and
    with no other task beside it, so that what kills a worker takes nothing with it, and what needs much memory has it.
    A piece whose worker dies then has ``WorkerDied`` for its result.
    """
    waiting, suspects = deque(tasks), deque()
    running: dict[Future, tuple[list, bool]] = {}
    while waiting or running or suspects:
        room = pool.room()
        while waiting and len(running) < room:
            task = waiting.popleft()
            running[pool.submit(function, task, *args)] = task, False
        if not running:
            task = suspects.popleft()
            running[pool.submit(function, task, *args)] = task, True
        done = wait(running, LOOK_EVERY, FIRST_COMPLETED).done
        for future in [future for future in running if future in done]:  # a set has no order
            task, suspect = running.pop(future)
            try:
                answer = future.result()
            except (Exception, CancelledError) as error:
                answer = error if isinstance(error, WorkerDied) else pool.understand(error)
            if isinstance(answer, WorkerDied) and not suspect:
                suspects.extend([piece] for piece in task)
            else:
                yield task, answer


class Inline:
    """No workers: this process does the work, one task at a time."""

    size = 1
    closed = False  # whether it can take no more

    def room(self) -> int:
        return 1

    def shares(self) -> int:
        """How many workers a study should be cut into tasks for."""
        return self.size

    def submit(self, function: Callable, *args) -> Future:
        future: Future = Future()
        try:
            future.set_result(function(*args))
        except Exception as error:
            future.set_exception(error)
        return future

    def understand(self, error: BaseException) -> BaseException:
        """An exception that is not the death of a worker: the result of its task, or raised again if no task is
        to blame for it."""
        if isinstance(error, InputError):
            raise error
        return error

    def start(self, count: int) -> None:
        """Nothing to start."""

    def close(self) -> None:
        """Nothing to end."""

"""What every case of the fuzz tests is held to: no error but those of the library, and no hang."""

import signal
from contextlib import contextmanager

from hypothesis import HealthCheck, Phase, settings

from implicitbias.errors import InputError, NotSeparable, Undecided

SECONDS = 20  # a case; the longest takes a second, the rest is for a busy machine


def cases(count: int, shrink: bool = True):
    """Settings for so many cases. The long tests do not shrink: that takes longer than they do."""
    slow = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example)
    phases = (Phase.explicit, Phase.generate) + (Phase.shrink,) * shrink
    return settings(max_examples=count, suppress_health_check=slow, phases=phases)


class Hang(BaseException):
    """Not an Exception: nothing that catches errors may catch this one."""


@contextmanager
def deadline(seconds: int = SECONDS):
    """Raise `Hang` if the body takes longer."""

    def stop(number, frame):
        raise Hang(f"no end after {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def refused(function, *arguments, **options):
    """(what the function returns, None), or (None, the error): sentences that each fit on a line and can be printed."""
    with deadline():
        try:
            return function(*arguments, **options), None
        except InputError as error:
            assert error.mistakes
            for mistake in error.mistakes:
                assert mistake.strip() and mistake.isprintable(), mistake
                assert len(mistake) < 3000
            return None, error
        except (NotSeparable, Undecided) as error:
            assert str(error).isprintable()
            return None, error

"""Standard streams that cannot break a command: closed, full, or left by their reader.

What a command computes and keeps does not hang on who listens. From the first thing that cannot be written on, an
output is dropped; the command goes on to its end, and its exit code says that the output is not whole.
"""

import io
import os
import select
import sys


class _Outlet(io.FileIO):
    """An open file descriptor to write to. `lost` is the error after which nothing is written to it any more."""

    lost: OSError | None = None

    def write(self, content) -> int:
        rest = memoryview(content).cast("B")
        try:
            while rest and self.lost is None:
                count = super().write(rest)
                if count is None:  # made non-blocking by a program that shares it, and full
                    select.select([], [self], [])
                else:
                    rest = rest[count:]
        except OSError as error:
            self.lost = error
        return len(content)


def guard() -> list[_Outlet]:
    """Put guarded streams in the place of the process's own output and error streams, for the rest of its life.

    Returns the outlets of both. Streams that are not the process's own (of a notebook, of a test) stay as they are.
    """
    # Otherwise the next file that is opened, a table, takes the number 1, and what a library prints goes into it.
    # Opened for reading alone, a closed output stays one that refuses; what is told to nobody on 2 is not missed.
    for number, mode in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_RDWR)):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, mode), True)  # at the lowest number that is free, for workers too
    outlets = []
    for name, number in (("stdout", 1), ("stderr", 2)):
        outlet = _Outlet(number, "w", closefd=False)
        outlets.append(outlet)
        own = getattr(sys, name)
        if own is not getattr(sys, f"__{name}__"):
            continue
        if own is not None:
            own.flush()
        at_once = own is not None and own.write_through  # python -u
        stream = io.TextIOWrapper(
            outlet if at_once else io.BufferedWriter(outlet),
            encoding=own.encoding if own is not None else None,
            errors="backslashreplace",  # what the terminal cannot show, and names of files need not be text
            line_buffering=number == 2 or outlet.isatty(),
            write_through=at_once,
        )
        setattr(sys, name, stream)
    return outlets

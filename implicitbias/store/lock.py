"""One writer at a time: an advisory lock on DIR/.lock, which the system takes back when the process ends, however.

A whole run excludes every other writer. Writers with a name (the shards of one study) exclude a whole run and a second
writer of their name, but not each other: they hold .lock together, and .lock-NAME alone. The files say who holds them;
their presence means nothing. Readers take no lock. Where the system has no flock there is no lock.
"""

import os
import socket
import time
from contextlib import suppress
from pathlib import Path

from implicitbias.errors import InputError

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None


class Lock:
    """The right to write into a folder; taken when made, until `release` or the end of the process.

    Errors: ``InputError`` naming the process that has it.
    """

    def __init__(self, folder: Path, name: str | None = None):
        self.folder = folder
        self.files: list[tuple[Path, int]] = []
        if fcntl is None:
            return
        try:
            self._take(folder / ".lock", shared=name is not None)
            if name is not None:
                self._take(folder / f".lock-{name}", shared=False)
        except BaseException:
            self.release()
            raise
        if not self.files:
            return
        _, number = self.files[-1]
        with suppress(OSError):  # a full disk: then a second writer is refused without a name
            os.write(number, f"process {os.getpid()} on {socket.gethostname()}".encode())

    def _take(self, path: Path, *, shared: bool) -> None:
        patience = 5
        while True:
            number = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                fcntl.flock(number, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(number)
                if shared and (patience := patience - 1):  # another that leaves tries for a moment to be alone
                    time.sleep(0.05)
                    continue
                holder = self._holder()
                raise InputError(
                    f"{self.folder} is being written by {holder}; wait until it ends, or choose another --out"
                ) from None
            except OSError:  # a file system without locks
                os.close(number)
                return
            # the holder before may have removed the file between our opening and locking it
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(number), os.stat(path)):
                    os.ftruncate(number, 0)
                    self.files.append((path, number))
                    return
            os.close(number)

    def _holder(self) -> str:
        """Who says to hold a lock of the folder, among those that do."""
        for path in sorted(self.folder.glob(".lock*")):
            with suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # nobody's, left by a process that was killed
                except BlockingIOError:
                    if text := file.read(200).strip():
                        return text
        return "another process"

    def release(self) -> None:
        """Give the lock back; its files go away with the last holder."""
        while self.files:
            path, number = self.files.pop()
            with suppress(OSError):
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while another shares it
                if path.name == ".lock":  # nobody else is in, so the others are of processes that were killed
                    for stale in self.folder.glob(".lock-*"):
                        stale.unlink()
                path.unlink()
            os.close(number)

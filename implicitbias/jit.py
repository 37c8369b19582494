"""How every kernel of the package is compiled: one policy, in one place."""

import contextlib
import functools
import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numba
import numba.experimental.function_type  # tells the compiler how to take a function as a value
from numba import cfunc, njit
from numba.core import types
from numba.extending import intrinsic

from implicitbias.errors import InputError

if numba.config.DISABLE_JIT:  # the arithmetic of `lanes` exists in machine code alone
    raise InputError("NUMBA_DISABLE_JIT is set, and the kernels of implicitbias exist only compiled; unset it")

# error_model="numpy": division by zero gives inf or nan instead of raising; a possible exception blocks SIMD.
# No fastmath: a sum is added in the order of the source (see `lanes`), and a test for NaN stays a test.
# No runtime of numba's (_nrt): kernels allocate nothing, and counting references to array views costs more than a step.
_OPTIONS = {"error_model": "numpy", "nogil": True, "_nrt": False, "no_cfunc_wrapper": True}
# Entry points from Python, which helpers do not need, are half of the time to compile.
_INNER = {**_OPTIONS, "no_cpython_wrapper": True}
_CALLED = {name: value for name, value in _INNER.items() if name != "no_cfunc_wrapper"}


def inlined(function):
    """A helper copied into its caller before compilation; lets a driver take the step function as an argument and
    still be cached on disk as part of the optimizer's own kernel."""
    return njit(inline="always", **_INNER)(function)


def helper(function):
    """A function that other kernels call."""
    return njit(**_INNER)(function)


def hot(function):
    """A helper that becomes part of its caller's machine code: a call with many arrays costs as much as a step."""
    return njit(forceinline=True, **_INNER)(function)


def kernel(function):
    """An entry point called from Python, cached on disk between processes, if there is a folder to write to."""
    with _on_disk() as cache:
        return njit(cache=cache, **_OPTIONS)(function)


@contextlib.contextmanager
def _on_disk() -> Iterator[bool]:
    """Whether what is decorated now can be cached on disk."""
    # Numba's own invalidation sees only the file of the kernel, not the helpers inlined from other files, so the
    # folder is named by everything that goes into the machine code. The setting is read while decorating; restoring
    # it leaves the caching of the user's own functions alone.
    folder = _cache_folder()
    before = numba.config.CACHE_DIR
    if folder is not None:
        numba.config.CACHE_DIR = str(folder)
    try:
        yield folder is not None
    finally:
        numba.config.CACHE_DIR = before


class FirstClass(types.WrapperAddressProtocol):
    """A function of this signature as a value that kernels take. It is compiled when it is first used, in a moment, and
    what takes it is compiled once for all. A call of it costs some 50 ns, for arguments go by value. What takes longer
    than a moment to compile is `kept` on disk, as a kernel; it must then be a function of a module of the package."""

    def __init__(self, function, signature, kept: bool = False):
        self._function, self._signature, self._kept = function, signature, kept

    def __wrapper_address__(self) -> int:
        return self._address

    def signature(self):
        return self._signature

    @functools.cached_property
    def _address(self) -> int:
        if not self._kept:
            return cfunc(self._signature, **_CALLED)(self._function).address
        with _on_disk() as cache:
            return cfunc(self._signature, cache=cache, **_CALLED)(self._function).address


@functools.cache
def _cache_folder() -> Path | None:
    """Where kernels are cached: in the folder that the user names, in the user's cache, or among the temporary files;
    None if nothing can be written there."""
    for home in _cache_homes():
        folder = home / f"{source_hash()}-numba{numba.__version__}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                return folder
        except OSError:
            continue
    return None


def _cache_homes() -> Iterator[Path]:
    if os.environ.get("NUMBA_CACHE_DIR"):
        yield Path(os.environ["NUMBA_CACHE_DIR"])
        return
    with contextlib.suppress(RuntimeError):  # a user without a home
        yield _user_cache() / "implicitbias"
    with contextlib.suppress(OSError):  # no place for temporary files
        shared = Path(tempfile.gettempdir()) / f"implicitbias-{os.getuid() if hasattr(os, 'getuid') else 'user'}"
        shared.mkdir(mode=0o700, exist_ok=True)
        # Loading a kernel runs it: among the files of all users, only what this one has made.
        if not hasattr(os, "getuid") or shared.stat().st_uid == os.getuid():
            yield shared


@functools.cache
def source_hash() -> str:
    """Hash of the package's sources: which code made a result."""
    package = Path(__file__).parent
    digest = hashlib.sha256()
    for source in sorted(package.rglob("*.py")):
        digest.update(source.relative_to(package).as_posix().encode() + source.read_bytes())
    return digest.hexdigest()[:16]


def _user_cache() -> Path:
    if os.environ.get("XDG_CACHE_HOME"):
        return Path(os.environ["XDG_CACHE_HOME"])
    if sys.platform == "win32" and os.environ.get("LOCALAPPDATA"):
        return Path(os.environ["LOCALAPPDATA"])
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path.home() / ".cache"


@intrinsic
def float_of_bits(typingctx, bits):
    """The float64 with this int64 bit pattern."""

    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], context.get_value_type(types.float64))

    return types.float64(types.int64), codegen


@intrinsic
def bits_of_float(typingctx, x):
    """The int64 bit pattern of this float64."""

    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], context.get_value_type(types.int64))

    return types.int64(types.float64), codegen

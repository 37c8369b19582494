"""The errors a user can cause: each says what is wrong, where, and what would be right."""

import errno
import functools
import inspect
import os
import re
from collections.abc import Callable, Iterable
from typing import ParamSpec, TypeVar

import numpy as np

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # the system's numbers for: no room on the disk
# Names of other libraries (torch, optax, Keras, scikit-learn) for what has another name here.
MEANT = {
    "betas": ("beta1", "beta2"), "b1": ("beta1",), "b2": ("beta2",), "epsilon": ("eps",), "learning_rate": ("lr",),
    "step_size": ("lr",), "batch_size": ("batch",), "random_state": ("seed",), "max_iter": ("steps",),
    "kind": ("schedule",), "T_max": ("steps",),
}  # fmt: skip
P = ParamSpec("P")
T = TypeVar("T")
LONGEST_LINE = 2000  # a value of a megabyte shall not hide the sentence it stands in


class InputError(ValueError):
    """Input that cannot be used; ``mistakes`` lists everything wrong with it, one sentence each."""

    def __init__(self, mistakes: str | Iterable[str]):
        self.mistakes = [one_line(text) for text in ([mistakes] if isinstance(mistakes, str) else mistakes)]
        super().__init__("\n".join(self.mistakes))

    def __reduce__(self):
        return type(self), (self.mistakes,)


class NotWritten(OSError):
    """Results that could not be written: the disk is full, or the system refuses. What is there already is whole."""

    def __init__(self, path, error: OSError):
        # the library of tables writes the system's number into a long text
        inside = re.search(r"\[errno (\d+)\]", str(error), re.IGNORECASE)
        number = int(inside[1]) if inside else error.errno
        reason = os.strerror(number) if number else str(error)
        self.mistake = one_line(
            f"{path} could not be written: {reason}; what is on disk already is kept, and the same command goes on "
            "from there"
        )
        super().__init__(number, self.mistake, str(path))

    def __str__(self):
        return self.mistake


class NotSeparable(ValueError):
    """Data without a separator: a convex combination of the rows is exactly zero.

    By Gordan's theorem exactly one of two things exists: w with min_i a_i.w > 0, or c in the simplex
    with A'c = 0. That such a c exists has been proved; ``weights`` (n,) is one, rounded to float64, and ``residual``
    what this rounding leaves of A'c, as a part of the rows that it combines. With k ``classes`` the weights are (n, k),
    and a row x_i stands for (e_y - e_c) x_i' with each of the classes c that are not its own.
    """

    def __init__(self, weights: np.ndarray, residual: float, classes: tuple = ()):
        self.weights = np.asarray(weights, dtype=np.float64)
        self.residual = float(residual)
        self.classes = tuple(classes)
        every = self.weights.ravel()
        support = np.flatnonzero(every)
        support = support[np.argsort(-every[support], kind="stable")]
        terms = " + ".join(f"{every[i]:.6g} row {self._named(i)}" for i in support[:6])
        more = f" + ... ({len(support) - 6} more rows)" if len(support) > 6 else ""
        super().__init__(
            f"the data are not separable: the convex combination {terms}{more} of the rows is zero "
            f"(these rounded weights: to {self.residual:.1e}), so no direction has a positive margin on every row"
        )

    def _named(self, number: int) -> str:
        if not self.classes:
            return str(number)
        row, other = divmod(int(number), len(self.classes))
        return f"{row} against class {self.classes[other]!r}"

    def __reduce__(self):
        return type(self), (self.weights, self.residual, self.classes)


class Undecided(ValueError):
    """Data of which float64 has neither a separator to show nor the proof that there is none.

    ``scale`` is how near to a separator it has come: a direction whose smallest margin a_i.w is -scale, as a part of
    sum_j |a_ij w_j|. The sign of a margin smaller than that is unknown.
    """

    def __init__(self, scale: float):
        self.scale = float(scale)
        super().__init__(
            "separability is undecided at this precision: no float64 direction with a positive margin on every row was "
            f"found, and no proof that there is none; margins below {self.scale:.0e} of the terms that they are summed "
            "from could not be told from zero (leave out features that nearly depend on each other)"
        )

    def __reduce__(self):
        return type(self), (self.scale,)


def one_line(text: str) -> str:
    """A text that may hold a user's words, as one printable line: what would break the line or steer a terminal
    (control characters, escape sequences, changes of the writing direction) becomes its escape, a long text is cut.

    >>> print(one_line("red: " + chr(27) + "[31m"))
    red: \\x1b[31m
    """
    if len(text) > LONGEST_LINE:
        text = f"{text[: LONGEST_LINE // 2]} ... {text[-LONGEST_LINE // 4 :]}"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def one_of(name: str, what: str, allowed: Iterable[str]) -> str:
    """The sentence for an unknown ``name``: names the right one if another library calls it so, the nearest, or all.

    >>> one_of("betas", "hyper-parameter", ["beta1", "beta2"]), one_of("L2", "norm", ["l1", "l2"])
    ("unknown hyper-parameter 'betas'; did you mean 'beta1', 'beta2'?", "unknown norm 'L2'; did you mean 'l2'?")
    """
    import difflib

    allowed = sorted(allowed)
    meant = [word for word in MEANT.get(str(name), ()) if word in allowed]
    same = [word for word in allowed if word.lower() == str(name).lower()]
    inside = sorted((word for word in allowed if len(word) > 3 and word in str(name)), key=len)[-1:]
    near = meant or same or inside or difflib.get_close_matches(str(name), allowed, n=1)
    hint = f"did you mean {', '.join(map(repr, near))}?" if near else "use one of " + ", ".join(map(repr, allowed))
    return f"unknown {what} {name!r}; {hint}"


def told(function: Callable[P, T]) -> Callable[P, T]:
    """A function for which an unknown keyword is a slip of the keyboard. Errors: ``InputError`` with the right one."""
    known = inspect.signature(function).parameters

    @functools.wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> T:
        if unknown := [name for name in kwargs if name not in known]:
            raise InputError(f"{function.__name__}: {one_of(name, 'argument', known)}" for name in unknown)
        return function(*args, **kwargs)

    return checked

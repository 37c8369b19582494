"""An objective: a problem that is given by the kernel of its gradient."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from implicitbias.errors import InputError
from implicitbias.jit import kernel
from implicitbias.shown import as_html


@dataclass(frozen=True)
class Reading:
    """A number that an objective is looked at by, beside its value.

    Attributes
        name, unit, says  as of a column
        of                (objective, weights (S, d), step sizes (S,)) -> (S,)
    """

    name: str
    unit: str
    says: str
    of: Callable[[Objective, np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Form:
    """What objectives of one family have in common; their parameters are numbers.

    Attributes
        name      of the family
        slope     (w, g, numbers, index, size, t, seed) -> unit: put the mean gradient at w, over samples index[:size],
                  into g, which is zero, in units of 2^unit; numbers (N,) are those of the objective, t is the number of
                  the step. Compiled by Numba
        value     (numbers, weights (S, d)) -> (S,) the mean over all samples
        hessian   (numbers, weights (S, d)) -> (S, d, d) that of the value
        readings  what else a run tells
        shown     the reading whose orbit is kept; None for w_1
    """

    name: str
    slope: Callable[..., None]
    value: Callable[[np.ndarray, np.ndarray], np.ndarray]
    hessian: Callable[[np.ndarray, np.ndarray], np.ndarray]
    readings: tuple[Reading, ...] = ()
    shown: str | None = None

    def __reduce__(self):  # kernels do not travel between processes, and names do
        from implicitbias.objectives import FORMS

        return FORMS.__getitem__, (self.name,)


@cache
def _entry(slope: Callable) -> Callable:
    """The slope as a kernel that Python can call."""
    return kernel(slope.py_func)


class Objective:
    """A function of w (d,) with a minimum, as the mean over n samples, that any optimizer of vectors is run on.

    Made by the functions of `implicitbias.objectives`. The arithmetic is plain float64, in true units.

    Attributes
        form     what it is a case of, a `Form`
        numbers  (N,) its parameters and data, as its kernels read them
        n, d     samples, and entries of w
        start    (d,) where runs begin unless told otherwise
        params   the parameters it was made from
    """

    def __init__(self, form: Form, numbers: ArrayLike, start: ArrayLike, n: int = 1,
                 params: Mapping[str, Any] | None = None):  # fmt: skip
        self.form, self.n = form, n
        self.numbers = np.array(numbers, np.float64).reshape(-1)
        self.start = np.array(start, np.float64).reshape(-1)
        mistakes = [
            f"{form.name}: {what} must be finite"
            for what, x in (("the parameters", self.numbers), ("the start", self.start))
            if not np.isfinite(x).all()
        ]
        if mistakes:
            raise InputError(mistakes)
        self.numbers.flags.writeable = self.start.flags.writeable = False
        self.params: dict[str, Any] = dict(params or {})
        self.reading: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.form.name

    @property
    def d(self) -> int:
        return len(self.start)

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the weights."""
        return (self.d,)

    def value(self, weights: np.ndarray) -> np.ndarray:
        """(...) the value at weights (..., d)."""
        weights = np.asarray(weights, np.float64)
        return self.form.value(self.numbers, weights.reshape(-1, self.d)).reshape(weights.shape[:-1])

    def hessian(self, weights: np.ndarray) -> np.ndarray:
        """(..., d, d) the Hessian at weights (..., d)."""
        weights = np.asarray(weights, np.float64)
        return self.form.hessian(self.numbers, weights.reshape(-1, self.d)).reshape(*weights.shape, self.d)

    def gradient(self, w: ArrayLike, batch: np.ndarray | None = None) -> np.ndarray:
        """(d,) the gradient of the value at w (d,), or of the mean over a batch of sample numbers."""
        batch = np.arange(self.n) if batch is None else batch
        g = np.zeros(self.d)
        slope = _entry(self.form.slope)
        unit = slope(np.array(w, np.float64), g, self.numbers.copy(), batch, len(batch), 0, np.uint64(0))
        with np.errstate(under="ignore"):
            return np.ldexp(g, int(max(unit, -5000.0)))

    def gradients(self, weights: np.ndarray, counts: np.ndarray | None = None) -> np.ndarray:
        """(S, d) the gradients at weights (S, d), of a batch with each sample as often as counts (S, n) say."""
        every = np.ones((len(weights), self.n), int) if counts is None else counts.astype(int)
        return np.array([self.gradient(w, np.repeat(np.arange(self.n), c)) for w, c in zip(weights, every)])

    def finite(self, weights: np.ndarray) -> np.ndarray:
        """(...) whether the weights (..., d) are."""
        return np.isfinite(weights).all(axis=-1)

    def log_loss(self, weights: np.ndarray, loss: str) -> np.ndarray:
        """(...) the logarithm of the value; it has a loss of its own."""
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            return np.log(self.value(weights))

    @cached_property
    def digest(self) -> str:
        """Hash of its numbers, bit for bit."""
        parts = [repr((self.name, self.n, self.d)).encode(), self.numbers.astype("<f8").tobytes()]
        return hashlib.sha256(b"".join([*parts, self.start.astype("<f8").tobytes()])).hexdigest()[:16]

    def __repr__(self) -> str:
        told = "".join(f", {name}={value!r}" for name, value in self.params.items())
        return f"Objective({self.name!r}{told})"

    def _repr_html_(self) -> str:
        return as_html("Objective", {"name": self.name, "d": self.d, "n": self.n, **self.params})

"""Step sizes eta_t, t = 0, 1, ..."""

import math
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any, ClassVar

import numpy as np

from implicitbias.errors import InputError
from implicitbias.simulation.orders import FINEST, uniforms
from implicitbias.simulation.schedule import Schedule, six_digits


@dataclass(frozen=True)
class Power(Schedule):
    """Power-law step size eta_t = eta (t + t0)^-a, t = 0, 1, ...

    Arguments
        eta   > 0
        a     >= 0; 0 is a constant step. The sum of the steps diverges, as the limit theorems need, for a <= 1
        t0    > 0, the offset that keeps the first steps moderate

    Errors: ``InputError`` listing every argument out of range.

    >>> Power(0.1, 0.5)(np.arange(3))
    array([0.07071068, 0.05773503, 0.05      ])
    """

    eta: float
    a: float = 0.0
    t0: float = 2.0

    name: ClassVar[str] = "power"
    example: ClassVar[dict[str, Any]] = {"eta": 0.1, "a": 0.5}
    remedy: ClassVar[str] = "a smaller a changes it less"

    def shape(self, t: np.ndarray) -> np.ndarray:
        return np.ones(np.shape(t)) if self.a == 0.0 else (np.asarray(t) + self.t0) ** -self.a

    def table(self) -> dict[str, Any]:
        return asdict(self)  # the schedule of a table that names none

    def words(self, number=six_digits) -> str:
        eta = number(self.eta)
        return eta if self.a == 0.0 else f"{eta} (t+{number(self.t0)})^-{number(self.a)}"


class _Annealed(Schedule):
    """From eta at t = warmup, which a line leads to, down to final eta at t = steps."""

    steps: int
    final: float
    warmup: int

    remedy: ClassVar[str] = "give it steps >= the horizon, or final > 0"

    def _conflicts(self) -> list[str]:
        if self.warmup < self.steps:
            return []
        return [f"warmup of the step size must be < steps, but is {self.warmup} of {self.steps}"]

    @property
    def corners(self) -> tuple[int, ...]:
        return self.warmup, self.steps

    def fall(self, rest: np.ndarray) -> np.ndarray:
        """1 to 0 for the part of the way that is left, from 1 to 0."""
        raise NotImplementedError

    def shape(self, t: np.ndarray) -> np.ndarray:
        t = np.asarray(t)
        rest = np.clip((self.steps - t) / (self.steps - self.warmup), 0.0, 1.0)
        return np.where(t < self.warmup, _rise(t, self.warmup), self.final + (1.0 - self.final) * self.fall(rest))


def _rise(t: np.ndarray, warmup: int) -> np.ndarray:
    """A line to 1 at t = warmup, from one that is 0 at t = -1, where no step is taken."""
    return np.minimum((t + 1) / (warmup + 1), 1.0)


@dataclass(frozen=True)
class Cosine(_Annealed):
    """Cosine annealing: a linear warm-up to eta, then half a cosine down to final eta, constant after that.

    eta_t = eta (t + 1) / (warmup + 1),  t < warmup
    eta_t = eta (final + (1 - final) (1 + cos(pi (t - warmup) / (steps - warmup))) / 2),  warmup <= t <= steps

    Arguments
        eta      > 0, the largest step
        steps    >= 1, where the cosine ends: the horizon of the run. With final = 0 a run may not be longer
        final    from 0 to 1, the last step as a part of eta
        warmup   >= 0 steps, fewer than `steps`

    Errors: ``InputError`` listing every argument out of range.

    >>> Cosine(0.1, steps=4, warmup=1)(np.arange(4))
    array([0.05 , 0.1  , 0.075, 0.025])

    Source: arXiv 1608.03983, without restarts.
    """

    eta: float
    steps: int
    final: float = 0.0
    warmup: int = 0

    name: ClassVar[str] = "cosine"
    example: ClassVar[dict[str, Any]] = {"eta": 0.1, "steps": 1000}

    def fall(self, rest: np.ndarray) -> np.ndarray:
        return np.sin(0.5 * np.pi * rest) ** 2  # (1 + cos) / 2 with all its digits where it is small


@dataclass(frozen=True)
class Linear(_Annealed):
    """A linear warm-up to eta, then a line down to final eta, constant after that.

    eta_t = eta (t + 1) / (warmup + 1),  t < warmup
    eta_t = eta (final + (1 - final) (steps - t) / (steps - warmup)),  warmup <= t <= steps

    Arguments
        eta      > 0, the largest step
        steps    >= 1, where the line ends: the horizon of the run. With final = 0 a run may not be longer
        final    from 0 to 1, the last step as a part of eta
        warmup   >= 0 steps, fewer than `steps`

    Errors: ``InputError`` listing every argument out of range.

    >>> Linear(0.1, steps=5, warmup=1)(np.arange(5))
    array([0.05 , 0.1  , 0.075, 0.05 , 0.025])
    """

    eta: float
    steps: int
    final: float = 0.0
    warmup: int = 0

    name: ClassVar[str] = "linear"
    example: ClassVar[dict[str, Any]] = {"eta": 0.1, "steps": 1000}

    def fall(self, rest: np.ndarray) -> np.ndarray:
        return rest


@dataclass(frozen=True)
class WarmupStableDecay(Schedule):
    """A linear warm-up to eta, eta itself, and a line down to 0 over the last steps.

    eta_t = eta min(1, (t + 1) / (warmup + 1), (steps - t) / decay)

    Arguments
        eta      > 0, the largest step
        steps    >= 1, the horizon of the run, which may not be longer
        warmup   >= 0 steps
        decay    >= 1 steps, the last ones; with those of the warm-up at most `steps`

    Errors: ``InputError`` listing every argument out of range.

    >>> WarmupStableDecay(0.1, steps=6, warmup=1, decay=2)(np.arange(6))
    array([0.05, 0.1 , 0.1 , 0.1 , 0.1 , 0.05])

    Source: arXiv 2404.06395.
    """

    eta: float
    steps: int
    warmup: int
    decay: int

    name: ClassVar[str] = "warmup_stable_decay"
    example: ClassVar[dict[str, Any]] = {"eta": 0.1, "steps": 1000, "warmup": 100, "decay": 200}
    remedy: ClassVar[str] = "give it steps >= the horizon"

    def _conflicts(self) -> list[str]:
        if self.warmup + self.decay <= self.steps:
            return []
        words = f"{self.warmup} + {self.decay} of {self.steps}"
        return [f"warmup + decay of the step size must be <= steps, but is {words}"]

    @property
    def corners(self) -> tuple[int, ...]:
        return self.warmup, self.steps - self.decay, self.steps

    def shape(self, t: np.ndarray) -> np.ndarray:
        t = np.asarray(t)
        return np.minimum(_rise(t, self.warmup), np.clip((self.steps - t) / self.decay, 0.0, 1.0))


@dataclass(frozen=True)
class Increasing(Schedule):
    """Growing step size eta_t = eta (t + 1)^a, t = 0, 1, ...

    Arguments
        eta   > 0, the first step
        a     >= 0

    Errors: ``InputError`` listing every argument out of range.

    >>> Increasing(0.1, 0.5)(np.arange(4))
    array([0.1       , 0.14142136, 0.17320508, 0.2       ])

    Source: arXiv 2602.18946.
    """

    eta: float
    a: float

    name: ClassVar[str] = "increasing"
    example: ClassVar[dict[str, Any]] = {"eta": 0.1, "a": 0.5}
    remedy: ClassVar[str] = "a smaller a changes it less"

    def shape(self, t: np.ndarray) -> np.ndarray:
        return (np.asarray(t) + 1.0) ** self.a

    def words(self, number=six_digits) -> str:
        return f"{number(self.eta)} (t+1)^{number(self.a)}"


@dataclass(frozen=True)
class LossAdaptive(Schedule):
    """Step size eta_t = eta (t + t0)^-a / L(w_t) with L the mean loss of the batch, for plain SGD.

    As the gradient shrinks with the loss, w moves by steps of order eta_t L: gradient descent goes to the l2 max-margin
    direction at the rates of normalised gradient descent, log L = -Omega(t) at a = 0. On mini-batches each batch is
    divided by its own loss, which leads elsewhere. `sum_lr` and `last_lr` of a run, and `lr` of its curve, are without
    the factor 1/L, which leaves float64; so is what the schedule gives when it is called.

    Arguments
        eta   > 0
        a     >= 0; 0 is the step of constant order
        t0    > 0, the offset that keeps the first steps moderate

    Errors: ``InputError`` listing every argument out of range. Optimizers other than SGD() do not take it.

    >>> import implicitbias as ib
    >>> run = ib.simulate([[2.0, 1.0], [1.0, -1.0]], ib.SGD(), lr=ib.LossAdaptive(0.5), order="full", steps=1000)
    >>> run.curve["log_loss"].iloc[-1].round(1)
    np.float64(-899.6)

    Source: arXiv 1803.01905.
    """

    eta: float
    a: float = 0.0
    t0: float = 2.0

    name: ClassVar[str] = "loss_adaptive"
    example: ClassVar[dict[str, Any]] = {"eta": 0.1}
    remedy: ClassVar[str] = "a smaller a changes it less"
    over_loss: ClassVar[bool] = True

    def shape(self, t: np.ndarray) -> np.ndarray:
        return Power(1.0, self.a, self.t0).shape(t)

    def words(self, number=six_digits) -> str:
        return f"{Power(self.eta, self.a, self.t0).words(number)}/L"


@dataclass(frozen=True)
class Exponentiated(Schedule):
    """Power-law step size times a random number: eta_t = s_t eta (t + t0)^-a with independent s_t ~ Exp(1).

    What such a step gains is linear in u, in the mean: E (L(w + s u) - L(w)) = E <grad L(w + s u), u>. That makes of an
    online learner, which plays u, a minimiser of losses that need not be convex.

    Arguments
        eta    > 0
        a      >= 0; 0 is a step that is constant in the mean
        t0     > 0, the offset that keeps the first steps moderate
        seed   from 0 to 2^63 - 1; s_t is a function of seed and t alone, and independent of all batch orders

    Errors: ``InputError`` listing every argument out of range.

    >>> Exponentiated(0.1, seed=1)(np.arange(3)).round(4)
    array([0.0063, 0.0465, 0.2051])
    >>> float(Exponentiated(0.1)(np.arange(100_000)).mean().round(3))
    0.1

    Source: arXiv 2405.18199.
    """

    eta: float
    a: float = 0.0
    t0: float = 2.0
    seed: int = 0

    name: ClassVar[str] = "exponentiated"
    example: ClassVar[dict[str, Any]] = {"eta": 0.1, "seed": 0}
    remedy: ClassVar[str] = "give it a moderate eta, and a smaller a"
    factors: ClassVar[tuple[float, ...]] = (-math.log1p(-FINEST), -math.log(FINEST))

    def smooth(self, t: np.ndarray) -> np.ndarray:
        return Power(1.0, self.a, self.t0).shape(t)

    def shape(self, t: np.ndarray) -> np.ndarray:
        return self.smooth(t) * -np.log(uniforms(self.seed, t))

    def words(self, number=six_digits) -> str:
        return f"{Power(self.eta, self.a, self.t0).words(number)} Exp(1){f', seed {self.seed}' * (self.seed != 0)}"


SCHEDULES: dict[str, type[Schedule]] = {
    kind.name: kind for kind in (Power, Cosine, Linear, WarmupStableDecay, Increasing, LossAdaptive, Exponentiated)
}


def required(kind: type[Schedule]) -> list[str]:
    """The numbers of a schedule that have no default."""
    return [item.name for item in fields(kind) if item.default is MISSING]


def as_schedule(lr) -> Schedule:
    """A number is a constant step size; a schedule passes through."""
    if isinstance(lr, str) and lr.lower() in SCHEDULES:
        kind = SCHEDULES[lr.lower()]
        study = ", ".join(f"{key} = {value!r}" for key, value in kind.example.items())
        python = ", ".join(f"{key}={value!r}" for key, value in kind.example.items())
        raise InputError(
            f'the schedule {lr!r} needs its numbers: {{ schedule = "{kind.name}", {study} }} in a study, '
            f"{kind.__name__}({python}) in Python"
        )
    if isinstance(lr, (str, list, tuple, dict)):
        raise InputError(
            f"a step size must be a number, or Power(eta, a), in a study {{ eta, a, t0 }}, or one of the schedules "
            f"{', '.join(name for name in SCHEDULES if name != Power.name)}; not {lr!r}"
        )
    return lr if isinstance(lr, Schedule) else Power(lr)

"""What every optimizer of the package is: hyper-parameters, a step kernel, and what the driver must know of it."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import Field, dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from implicitbias.errors import MEANT, InputError, one_of
from implicitbias.simulation.scales import BATCH, COORDINATE, TRUE

if TYPE_CHECKING:
    from implicitbias.simulation.schedule import Schedule


def decay(default: float) -> Any:
    """A hyper-parameter in [0, 1)."""
    return field(default=default, metadata={"valid": lambda x: 0 <= x < 1, "range": "in [0, 1)"})


def nonnegative(default: float) -> Any:
    """A hyper-parameter >= 0."""
    finite = sys.float_info.max  # an integer may be below infinity and still no float
    return field(default=default, metadata={"valid": lambda x: 0 <= x <= finite, "range": ">= 0 and finite"})


def choice(default: str, choices: Sequence[str]) -> Any:
    """A hyper-parameter that is one of a few words."""
    return field(default=default, metadata={"choices": tuple(choices)})


def count(default: int, least: int = 1) -> Any:
    """A hyper-parameter that is a whole number."""
    valid = {"valid": lambda x: x >= least and float(x).is_integer(), "range": f"a whole number >= {least}"}
    return field(default=default, metadata=valid)


def later(default: Any) -> Any:
    """A hyper-parameter that came after results had been stored: a default, or one of the above. What is at its default
    is as it was before, also in the ids and tables of runs."""
    declared = default if isinstance(default, Field) else field(default=default)
    return field(default=declared.default, metadata={**declared.metadata, "later": True})


def bias_corrections(beta1: float, beta2: float, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """m/c1 / (sqrt(v/c2) + eps) = sqrt(c2)/c1 m / (sqrt(v) + sqrt(c2) eps) with c = 1 - beta^(t+1): the factors of the
    step size and of eps."""
    c1, c2 = (-np.expm1((t + 1) * np.log(beta)) if beta > 0.0 else np.ones(len(t)) for beta in (beta1, beta2))
    return np.sqrt(c2) / c1, np.sqrt(c2)


def _number(item: Field, value: Any) -> float:
    """A hyper-parameter as kernels read it: of words, which of the choices."""
    return float(item.metadata["choices"].index(value) if "choices" in item.metadata else value)


def wrong_optimizer(given) -> str:
    """The sentence for what is no optimizer."""
    if isinstance(given, type) and issubclass(given, Optimizer):
        return f"optimizer must be one such as Adam(), not the class {given.__name__}: write {given.__name__}()"
    if hasattr(given, "__array__"):
        return (
            "optimizer must be one such as Adam(), not an array; labels go with the rows, as in "
            "simulate(Problem(X, y), Adam(), ...)"
        )
    return f"optimizer must be one such as Adam(), not {given!r}"


def _unknown(kind: type, name: str, known: list[str]) -> str:
    words = (
        f"{kind.__name__}: {one_of(name, 'hyper-parameter', known)}"
        if known
        else (f"{kind.__name__} has no hyper-parameters, but got {name!r}")
    )
    if name in ("lr", *(key for key, meant in MEANT.items() if meant == ("lr",))):
        return f"{kind.__name__} has no {name!r}: the step size is the lr of simulate, or of the study"
    return words


@dataclass(frozen=True)
class Optimizer:
    """Hyper-parameters of one optimizer; subclasses are frozen dataclasses of floats and bools.

    Errors: ``InputError`` listing every hyper-parameter of the wrong type or out of range.
    """

    name: ClassVar[str]
    mode: ClassVar[int]  # the units its kernel works in: TRUE, BATCH, COORDINATE or SAMPLES, see simulation/scales.py
    linear: ClassVar[bool] = False  # whether w moves along the gradients seen: it may then run in the space of margins
    degrees: ClassVar[tuple[int, ...]]  # degree in the gradient of each state array; () has none
    # The gradients of a step, each at the w that the last has left: of the batch, or of the "epoch"; after that of the
    # batch, and before w moves, also the "curvature", the diagonal of its Hessian in the units of a gradient.
    evaluations: ClassVar[tuple[str, ...]] = ("batch",)
    points: ClassVar[tuple[int, ...]] = ()  # states of degree 0, iterates themselves, that start where w does
    recorded: ClassVar[int | None] = None  # which state is the iterate that a run tells; None is w
    driven: ClassVar[int | None] = None  # which state the gradients move; None is w
    root: ClassVar[int | None] = None  # which state, of degree 2, the step divides by the root of, beside eps
    forgets: ClassVar[bool] = True  # whether the states forget old gradients, however large they were
    transient: ClassVar[bool] = False  # whether a rule for its limit rests on the start of a run, and so on the loss
    moves: ClassVar[bool] = True  # whether a step depends on where w is through its gradients alone
    equivariant: ClassVar[bool] = True  # whether permuted coordinates have the permuted path
    sees_hessian: ClassVar[bool] = False  # whether it asks for the Hessian of all rows; runs then go one by one
    step: ClassVar[Any]  # step(w, g, state, hyper, lr, bias, units, batch), see simulation/driver.py

    if not TYPE_CHECKING:  # where the fields are the signature

        def __new__(cls, *args: Any, **kwargs: Any):
            known = [item.name for item in fields(cls)]
            if unknown := [name for name in kwargs if name not in known]:
                raise InputError(_unknown(cls, name, known) for name in unknown)
            return super().__new__(cls)

    def __post_init__(self) -> None:
        kind = type(self)
        parts = () if hasattr(kind, "velocity") else ("name", "mode", "degrees", "step")  # a flow has other ones
        lacking = [part for part in parts if not hasattr(kind, part)]
        mistakes = [f"{kind.__name__} has no {part!r}, which every optimizer has" for part in lacking]
        for item in fields(self):
            value = getattr(self, item.name)
            where = f"{item.name} of {type(self).__name__}"
            if item.type in (bool, "bool"):
                if not isinstance(value, bool):
                    mistakes.append(f"{where} must be true or false, not {value!r}")
                continue
            if choices := item.metadata.get("choices"):
                if value not in choices:
                    mistakes.append(f"{where}: {one_of(value, item.name, choices)}")
                continue
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                mistakes.append(f"{where} must be a number, not {value!r}")
            elif not item.metadata["valid"](value):
                mistakes.append(f"{where} must be {item.metadata['range']}, but is {value!r}")
            else:
                object.__setattr__(self, item.name, float(value))
        if mistakes:
            raise InputError(mistakes)

    @property
    def scale_free(self) -> bool:
        """Whether a positive factor of all gradients changes nothing."""
        return self.mode != TRUE and getattr(self, "eps", 0.0) == 0.0

    @property
    def translates(self) -> bool:
        """Whether a run from elsewhere with the same gradients has the same path."""
        return self.moves and getattr(self, "weight_decay", 0.0) == 0.0

    @property
    def has_tail_map(self) -> bool:
        """Whether late steps are a function of the weights of the samples alone, as a limit rests on."""
        return self.forgets and self.translates and getattr(self, "eps", 0.0) == 0.0

    @property
    def family(self) -> str:
        """Under which name its limit is known."""
        return self.name

    @property
    def keeper(self) -> "type[Optimizer]":
        """The kind whose state this is: all of one keeper take over from each other where they are."""
        return type(self)

    @property
    def advance(self) -> Any:
        """The compiled driver with this optimizer's step; which one may depend on hyper-parameters."""
        from implicitbias.simulation.shared import with_step

        return with_step(self.step, self.step_mode)

    @property
    def step_mode(self) -> int:
        """The units of the step, which may depend on hyper-parameters."""
        return self.mode

    @property
    def sees_samples(self) -> bool:
        """Whether the step asks for the weights of the samples, as curvatures do."""
        return self.sees_loss or "curvature" in self.evaluations

    @property
    def sees_loss(self) -> bool:
        """Whether the step asks for the losses of the samples."""
        return False

    def driver(self, several: bool) -> Any:
        """The compiled driver for rows of two classes, or of several."""
        from implicitbias.simulation.shared import with_step

        return with_step(self.step, self.step_mode, True) if several else self.advance

    def rooms(self, k: int, width: int, d: int, n: int) -> tuple[int, int]:
        """Numbers that a step on matrices (k, d), d padded to `width`, from n rows keeps, and those that it needs."""
        return 0, 0

    def unfit(self, shape: tuple[int, ...]) -> str | None:
        """The sentence that says why there is no run with weights of this shape, (d,) or (k, d); None if there is."""
        return None

    def unfit_for_objectives(self) -> str | None:
        """The sentence that says why there is no run on an `Objective`, which has no rows; None if there is."""
        if self.sees_hessian:
            return f"{self.label} projects on eigenvectors of the Hessian of rows, which an objective has not"
        if self.sees_samples or self.mode not in (TRUE, BATCH, COORDINATE):
            return f"{self.label} sees the samples behind a gradient, which an objective has not"
        return None

    def too_few(self, shape: tuple[int, ...], n: int) -> str | None:
        """The sentence that says why n rows are too few for a run with weights of this shape; None if they are not."""
        return None

    def under(self, schedule: "Schedule | None") -> "Optimizer":
        """The optimizer whose kernel makes the steps under a schedule. Errors: ``InputError`` where there is none."""
        if schedule is not None and schedule.over_loss:
            raise InputError(
                f"{type(schedule).__name__} divides the step by the loss and is for plain SGD(), not for {self.label}"
            )
        return self

    def hyper(self) -> tuple[float, ...]:
        """The hyper-parameters as the kernel reads them, in the order of the fields."""
        return tuple(_number(item, getattr(self, item.name)) for item in fields(self))

    def canonical(self) -> dict[str, float | bool | str]:
        """The hyper-parameters by name, as ids and tables have them: without those of `later` that are at their
        defaults."""
        return {
            item.name: value
            for item in fields(self)
            if (value := getattr(self, item.name)) != item.default or "later" not in item.metadata
        }

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """The optimizer of which `canonical` has these values, among others; what it leaves out may also be None.

        Errors: ``KeyError`` for a missing one, ``InputError`` as the class.
        """
        left_out = {item.name for item in fields(cls) if "later" in item.metadata and values.get(item.name) is None}
        return cls(**{item.name: values[item.name] for item in fields(cls) if item.name not in left_out})

    def decays(self) -> tuple[float, ...]:
        """The factor by which each state array shrinks in a step without gradient."""
        return ()

    def bias(self) -> tuple[float, float] | None:
        """The decay rates of m and v whose bias is corrected, see `bias_corrections`; None if it is not."""
        return None

    def log2_divisor(self, log2_state: np.ndarray, t: np.ndarray | int) -> np.ndarray:
        """log2 of what the t-th step divides the coordinates by, sqrt(v^) + eps, from that of the state `root`."""
        eps = getattr(self, "eps", 0.0)
        with np.errstate(divide="ignore"):
            floor = np.log2(eps)
        betas = self.bias()
        second = (
            log2_state
            if betas is None
            else log2_state - 2.0 * np.log2(bias_corrections(*betas, np.array([t - 1]))[1][0])
        )
        if getattr(self, "eps_inside", False):
            return 0.5 * np.logaddexp2(second, floor)
        return np.logaddexp2(0.5 * second, floor)

    @property
    def label(self) -> str:
        """Short name for plots: the class and whatever is not at its default."""
        shown = [
            item.name
            if value is True
            else f"{item.name}={value}"
            if isinstance(value, (str, bool))
            else f"{item.name}={value:g}"
            for item in fields(self)
            if (value := getattr(self, item.name)) != item.default
        ]
        return f"{type(self).__name__}({', '.join(shown)})" if shown else type(self).__name__

"""Optimizers around others: what they have in common."""

import functools
from collections.abc import Callable
from dataclasses import field, fields, make_dataclass
from typing import Any, ClassVar

from implicitbias.errors import InputError
from implicitbias.optimizers.base import Optimizer, wrong_optimizer
from implicitbias.optimizers.matrix.base import MatrixOptimizer


class Around(Optimizer):
    """An optimizer whose step has that of another in it; its hyper-parameters are its own, then those of the other.

    A kind is a class for each base, made by `around`: hyper-parameters stay numbers under their own names.
    """

    outer: ClassVar[str]  # what it is called, without its base
    base_kind: ClassVar[type[Optimizer]]
    own: ClassVar[tuple[str, ...]]  # its own hyper-parameters
    own_decays: ClassVar[tuple[float, ...]]
    make_step: ClassVar[Callable]  # step of the base -> step

    @property
    def base(self) -> Optimizer:
        return self.base_kind(**{item.name: getattr(self, item.name) for item in fields(self.base_kind)})

    @property
    def family(self) -> str:
        return self.outer.lower()

    @property
    def forgets(self) -> bool:
        return self.base.forgets

    @property
    def root(self) -> int | None:
        before = len(self.degrees) - len(self.base_kind.degrees)  # states of its own
        return None if self.base.root is None else before + self.base.root

    @property
    def translates(self) -> bool:
        return super().translates and self.base.translates

    @property
    def step(self) -> Any:
        return type(self).make_step(self.base.step)

    def largest_rank(self) -> float:
        return getattr(self.base, "largest_rank", int)()  # of a matrix optimizer

    @property
    def step_mode(self) -> int:
        return self.base.step_mode

    @property
    def sees_samples(self) -> bool:
        return self.base.sees_samples

    @property
    def sees_loss(self) -> bool:
        return self.base.sees_loss

    def hyper(self) -> tuple[float, ...]:
        return (*(float(getattr(self, name)) for name in self.own), *self.base.hyper())

    def decays(self) -> tuple[float, ...]:
        return (*self.own_decays, *(self.base.decays() or (0.0,) * len(self.base_kind.degrees)))

    def bias(self):
        return self.base.bias()

    @property
    def label(self) -> str:
        defaults = {item.name: item.default for item in fields(self)}
        values = {name: getattr(self, name) for name in self.own if getattr(self, name) != defaults[name]}
        told = [f", {name}={x if isinstance(x, str) else format(x, 'g')}" for name, x in values.items()]
        return f"{self.outer}({self.base.label}{''.join(told)})"


def around(outer: str, base: type[Optimizer], doc: str, own: dict[str, Any], degrees: tuple[int, ...], *,
           points: tuple[int, ...] = (), recorded: int | None = None, looks: tuple[str, ...] = ("batch",),
           own_decays: tuple[float, ...], make_step: Callable, instead: dict[str, Any] | None = None,
           above: type[Around] = Around, called: str = "{outer}{base}", **more: Any) -> type[Around]:  # fmt: skip
    """The class of an optimizer around a base: `own` are its fields, `degrees` of its states; the base's follow, but
    for those that there are others `instead` of. `more` are further attributes, `above` and `called` the class that it
    is one of, and its name."""
    parts = [(name, str if "choices" in value.metadata else float, value) for name, value in own.items()]
    parts += [
        (item.name, item.type, (instead or {}).get(item.name) or field(default=item.default, metadata=item.metadata))
        for item in fields(base)
    ]
    name = called.format(outer=outer, base=base.__name__)
    kinds = (above, MatrixOptimizer) if issubclass(base, MatrixOptimizer) else (above,)
    space = {
        "__doc__": f"{outer} around {base.__name__}; help(implicitbias.{outer}) says all of it.\n\n{doc}",
        "__module__": f"{__package__}.{outer.lower()}",  # where it is found by its name
        "name": f"{outer.lower()}_{base.name}",
        "mode": base.mode,
        "degrees": (*degrees, *base.degrees),
        "evaluations": looks,
        "points": points,
        "recorded": recorded,
        "outer": outer,
        "base_kind": base,
        "own": tuple(own),
        "own_decays": own_decays,
        "make_step": staticmethod(functools.cache(make_step)),
        **more,
    }
    return make_dataclass(name, parts, bases=kinds, frozen=True, namespace=space)


def wrap(outer: str, kinds: dict[type[Optimizer], type[Around]], base: Optimizer, own: dict[str, float]) -> Around:
    """The optimizer around an instance of one of the bases. Errors: ``InputError`` where it does not fit."""
    if not isinstance(base, Optimizer):
        raise InputError(f"{outer}: {wrong_optimizer(base)}")
    kind = kinds.get(type(base))
    if kind is None:
        known = ", ".join(sorted(item.__name__ for item in kinds))
        raise InputError(f"{outer} does not fit around {type(base).__name__}; it goes around {known}")
    return kind(**own, **{item.name: getattr(base, item.name) for item in fields(base)})

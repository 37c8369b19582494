"""Schedule-Free SGD and AdamW (Defazio et al., arXiv 2405.15682)."""

from dataclasses import dataclass, field
from typing import ClassVar

from implicitbias.jit import hot, inlined
from implicitbias.lanes import fma, load, minimum, mix, select, store
from implicitbias.optimizers.base import Optimizer, decay, later, nonnegative
from implicitbias.optimizers.parts import over_root_above
from implicitbias.simulation.scales import COORDINATE, TRUE


@hot
def average(w, state, c, beta, power, lr, t, base):
    """The new z is `base`; x and y, which is w, follow."""
    x, weight = state[1], state[2]
    total = load(weight, c) + lr * lr
    part = select(power > 0.0, minimum(power / (t + 1.0), 1.0), select(total > 0.0, lr * lr / total, 0.0))
    mean = mix(part, base, load(x, c))
    store(weight, c, total)
    store(state[0], c, base)
    store(x, c, mean)
    store(w, c, mix(beta, mean, base))


@inlined
def step(w, g, state, hyper, lr, bias, units, batch):
    beta, power = load(hyper, 0), load(hyper, 1)
    for c in range(g.shape[0]):
        average(w, state, c, beta, power, lr, batch.t, fma(-lr, load(g, c), load(state[0], c)))


@inlined
def adamw_step(w, g, state, hyper, lr, bias, units, batch):
    v, beta, beta2, shrink, power = state[3], load(hyper, 0), load(hyper, 1), load(hyper, 2), load(hyper, 3)
    rate, eps = lr * bias.lr, bias.eps * load(hyper, 5)
    for c in range(g.shape[0]):
        gradient = load(g, c)
        second = mix(beta2, load(v, c), gradient * gradient)
        store(v, c, second)
        ratio = over_root_above(gradient, second, eps, units, c)
        base = load(state[0], c) - rate * ratio - lr * shrink * load(w, c)
        average(w, state, c, beta, power, lr, batch.t, base)


def which() -> float:
    """The hyper-parameter that says which of the three iterates is recorded."""
    return later(field(default=0.0, metadata={"valid": (0, 1, 2).__contains__, "range": "0 (x), 1 (z) or 2 (y)"}))


class _Averaged(Optimizer):
    """What the two have in common."""

    points: ClassVar[tuple[int, ...]] = (0, 1)
    driven: ClassVar[int | None] = 0

    @property
    def recorded(self) -> int | None:
        return (1, 0, None)[int(self.iterate)]


@dataclass(frozen=True)
class ScheduleFreeSGD(_Averaged):
    """Schedule-Free SGD: an average of the iterates in the place of a schedule; the iterate that is recorded is x.

    y = (1 - beta) z + beta x
    z = z - lr g(y)
    x = (1 - c) x + c z,  c = lr_t^2 / sum_i lr_i^2,  or, with averaging = K > 0,  c = min(1, K / t), t = 1, 2, ...

    Arguments
        beta        how far gradients are taken towards the average, in [0, 1); 0 is averaged gradient descent
        averaging   K >= 0, the exponent of the average: x weighs z_t like t^(K-1); 0 is the rule of the squared steps
        iterate     which one is recorded: 0 is x, 1 is z, 2 is y

    Errors: ``InputError`` listing every hyper-parameter out of range.

    >>> ScheduleFreeSGD(beta=0.5).label
    'ScheduleFreeSGD(beta=0.5)'

    Source: arXiv 2405.15682, Algorithm 1 and equation 23.
    """

    beta: float = decay(0.9)
    averaging: float = nonnegative(0.0)
    iterate: float = which()

    name: ClassVar[str] = "schedule_free_sgd"
    mode: ClassVar[int] = TRUE
    degrees: ClassVar[tuple[int, ...]] = (0, 0, 0)
    step: ClassVar = staticmethod(step)

    def decays(self) -> tuple[float, ...]:
        return 1.0, 1.0, 1.0


@dataclass(frozen=True)
class ScheduleFreeAdamW(_Averaged):
    """Schedule-Free AdamW; the iterate that is recorded is x.

    y = (1 - beta) z + beta x
    v = beta2 v + (1 - beta2) g(y)^2
    z = z - lr (g(y) / (sqrt(v^) + eps) + weight_decay y),  0/0 = 0
    x = (1 - c) x + c z,  c as in `ScheduleFreeSGD`

    with v^ = v or, with bias_correction, v / (1 - beta2^t).

    Arguments
        beta              how far gradients are taken towards the average, in [0, 1)
        beta2             decay rate in [0, 1)
        weight_decay      >= 0, in units of one over w
        averaging         as in `ScheduleFreeSGD`
        bias_correction   off in the theory
        eps               >= 0
        iterate           which one is recorded: 0 is x, 1 is z, 2 is y

    Errors: ``InputError`` listing every hyper-parameter out of range.

    >>> ScheduleFreeAdamW(beta2=0.95).label
    'ScheduleFreeAdamW(beta2=0.95)'

    Source: arXiv 2405.15682, Algorithm 1.
    """

    beta: float = decay(0.9)
    beta2: float = decay(0.999)
    weight_decay: float = nonnegative(0.0)
    averaging: float = nonnegative(0.0)
    bias_correction: bool = False
    eps: float = later(nonnegative(0.0))
    iterate: float = which()

    name: ClassVar[str] = "schedule_free_adamw"
    mode: ClassVar[int] = COORDINATE
    degrees: ClassVar[tuple[int, ...]] = (0, 0, 0, 2)
    root: ClassVar[int | None] = 3
    step: ClassVar = staticmethod(adamw_step)

    def bias(self):
        return (0.0, self.beta2) if self.bias_correction else None

    def decays(self) -> tuple[float, ...]:
        return 1.0, 1.0, 1.0, self.beta2

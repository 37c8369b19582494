"""Slow obvious twins of the simulator: the textbook recursion, one scalar at a time.

Nothing here is scaled, shifted or compiled.  `trajectory` runs in decimal arithmetic whose exponents reach 10^18, so a
weight e^-10000 is an ordinary number and the formulas can stay as they stand on paper; `float_trajectory` runs the same
formulas in float64 and is right only far from underflow (margins below about 300).

A rule is told `start(d, number)` before the first step (`number` converts a float exactly to the number system in use)
and then `step(g, t, sqrt)` for t = 0, 1, ...; it returns the direction u of the update w <- w - eta_t u. One that needs
more than the mean gradient has a method `see(w, gradients, losses)`, called before each step with the iterate and, row
by row of the batch, the gradients and losses there.
"""

import decimal
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

import mpmath
import numpy as np

# --- number systems ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Numbers:
    """A number system: the exact conversion from float, and four functions."""

    number: Callable
    exp: Callable
    log: Callable
    log1p: Callable
    sqrt: Callable


def decimal_log1p(x):
    """log(1 + x) to at least 30 of 50 digits; a tiny x would be lost in 1 + x, so there the series is used."""
    if abs(x) < Decimal("1e-16"):
        return x - x * x / 2 + x * x * x / 3  # the next term is below 1e-48 of the first
    return (1 + x).ln()


NUMBERS = {
    "decimal": Numbers(Decimal, Decimal.exp, Decimal.ln, decimal_log1p, Decimal.sqrt),
    "mpmath": Numbers(mpmath.mpf, mpmath.exp, mpmath.log, mpmath.log1p, mpmath.sqrt),
    "float": Numbers(float, math.exp, math.log, math.log1p, math.sqrt),
}


def decimal_context(dps):
    """`dps` digits, the widest exponents there are, and an exception for 0/0, x/0 and overflow."""
    return decimal.Context(
        prec=dps,
        rounding=decimal.ROUND_HALF_EVEN,
        Emin=decimal.MIN_EMIN,
        Emax=decimal.MAX_EMAX,
        traps=[decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow],
    )


# --- rules ------------------------------------------------------------------------------------------------------------


def sign(x):
    return (x > 0) - (x < 0)


def ratio(x, y):
    """x / y with 0/0 = 0; any other division by zero raises."""
    return x if x == 0 and y == 0 else x / y


class SGD:
    """m = mu m + g; u = m, or u = g + mu m with the new m (Nesterov)."""

    def __init__(self, momentum=0.0, nesterov=False):
        self.momentum, self.nesterov = momentum, nesterov

    def start(self, d, number):
        self.mu = number(self.momentum)
        self.m = [number(0)] * d

    def step(self, g, t, sqrt):
        self.m = [self.mu * m + x for m, x in zip(self.m, g)]
        if self.nesterov:
            return [x + self.mu * m for m, x in zip(self.m, g)]
        return self.m


class Adam:
    """m = b1 m + (1-b1) g; v = b2 v + (1-b2) g^2; u = m / (sqrt(v) + eps), or m / sqrt(v + eps) if `eps_inside`.

    With `bias_correction`, m / (1 - b1^(t+1)) and v / (1 - b2^(t+1)) stand in u, t = 0 being the first step.
    kappa L is added to the denominator, with L the mean loss of the batch.
    """

    def __init__(self, beta1=0.9, beta2=0.999, eps=0.0, bias_correction=False, eps_inside=False, kappa=0.0):
        self.beta1, self.beta2, self.eps, self.kappa = beta1, beta2, eps, kappa
        self.bias_correction, self.eps_inside = bias_correction, eps_inside

    def see(self, w, gradients, losses):
        self.w, self.loss = w, sum(losses) / len(losses)

    def start(self, d, number):
        self.b1, self.b2, self.e = number(self.beta1), number(self.beta2), number(self.eps)
        self.k = number(self.kappa)
        self.m = [number(0)] * d
        self.v = [number(0)] * d

    def step(self, g, t, sqrt):
        b1, b2, eps = self.b1, self.b2, self.e
        self.m = [b1 * m + (1 - b1) * x for m, x in zip(self.m, g)]
        self.v = [b2 * v + (1 - b2) * x * x for v, x in zip(self.v, g)]
        m_hat, v_hat = self.m, self.v
        if self.bias_correction:
            m_scale, v_scale = 1 - b1 ** (t + 1), 1 - b2 ** (t + 1)
            m_hat = [m / m_scale for m in self.m]
            v_hat = [v / v_scale for v in self.v]
        more = self.k * self.loss
        if self.eps_inside:
            return [ratio(m, sqrt(v + eps) + more) for m, v in zip(m_hat, v_hat)]
        return [ratio(m, sqrt(v) + eps + more) for m, v in zip(m_hat, v_hat)]


class AdamW(Adam):
    """u of Adam + lambda w."""

    def __init__(self, beta1=0.9, beta2=0.999, eps=0.0, bias_correction=False, weight_decay=0.01):
        super().__init__(beta1, beta2, eps, bias_correction)
        self.weight_decay = weight_decay

    def start(self, d, number):
        super().start(d, number)
        self.decay = number(self.weight_decay)

    def step(self, g, t, sqrt):
        return [u + self.decay * w for u, w in zip(super().step(g, t, sqrt), self.w)]


class AdaGrad:
    """V = V + g^2; u = g / (sqrt(V) + eps), or g / sqrt(V + eps) if `eps_inside`."""

    def __init__(self, eps=0.0, eps_inside=False):
        self.eps, self.eps_inside = eps, eps_inside

    def start(self, d, number):
        self.e = number(self.eps)
        self.total = [number(0)] * d

    def step(self, g, t, sqrt):
        self.total = [v + x * x for v, x in zip(self.total, g)]
        if self.eps_inside:
            return [ratio(x, sqrt(v + self.e)) for x, v in zip(g, self.total)]
        return [ratio(x, sqrt(v) + self.e) for x, v in zip(g, self.total)]


class AdamProxy:
    """u = g / sqrt(sum_i g_i^2), g the mean of the gradients g_i of the batch."""

    def start(self, d, number):
        pass

    def see(self, w, gradients, losses):
        self.squares = [sum(x * x for x in column) for column in zip(*gradients)]

    def step(self, g, t, sqrt):
        return [ratio(x, sqrt(v)) for x, v in zip(g, self.squares)]


class Signum:
    """m = beta m + (1-beta) g; u = sign(m), with sign(0) = 0.  SignSGD at beta = 0."""

    def __init__(self, beta=0.0):
        self.beta = beta

    def start(self, d, number):
        self.b = number(self.beta)
        self.m = [number(0)] * d

    def step(self, g, t, sqrt):
        self.m = [self.b * m + (1 - self.b) * x for m, x in zip(self.m, g)]
        return [sign(m) for m in self.m]


class NGD:
    """u = g / ||g||_2, and 0 where g = 0."""

    def start(self, d, number):
        pass

    def step(self, g, t, sqrt):
        norm = sqrt(sum(x * x for x in g))
        return [ratio(x, norm) for x in g]


# --- losses -----------------------------------------------------------------------------------------------------------


def sample_loss(z, loss, ns):
    """l(z) = log(1 + e^-z) or e^-z."""
    return ns.log1p(ns.exp(-z)) if loss == "logistic" else ns.exp(-z)


def sample_weight(z, loss, ns):
    """s = -l'(z) = 1 / (1 + e^z) or e^-z."""
    return 1 / (1 + ns.exp(z)) if loss == "logistic" else ns.exp(-z)


# --- the recursion ----------------------------------------------------------------------------------------------------


def margin(row, w, zero):
    """a.w, the row given as its (index, value) pairs."""
    return sum((a * w[j] for j, a in row), start=zero)


def batch_gradients(rows, batch, w, loss, ns):
    """g_i = -s_i a_i and l(z_i) for i in B; an index listed twice comes twice."""
    zero = ns.number(0)
    gradients, losses = [], []
    for i in batch:
        z = margin(rows[i], w, zero)
        s = sample_weight(z, loss, ns)
        g = [zero] * len(w)
        for j, a in rows[i]:
            g[j] -= s * a
        gradients.append(g)
        losses.append(sample_loss(z, loss, ns))
    return gradients, losses


def log_loss(rows, w, loss, ns):
    """log of the mean loss over all rows."""
    losses = [sample_loss(margin(row, w, ns.number(0)), loss, ns) for row in rows]
    return ns.log(sum(losses) / len(losses))


def run(rows, rule, batches, lr, loss, w0, record, ns):
    if loss not in ("logistic", "exponential"):
        raise ValueError(f"loss is {loss!r}, not 'logistic' or 'exponential'")
    d = len(rows[0])
    rows = [[(j, ns.number(float(a))) for j, a in enumerate(row) if a != 0] for row in rows]
    w = [ns.number(float(x)) for x in (np.zeros(d) if w0 is None else w0)]
    if record is None:
        batches = list(batches)
        record = [len(batches)]
    wanted, last = set(record), max(record)
    rule.start(d, ns.number)

    t, ws, logs, batches = 0, [], [], iter(batches)
    while True:
        if t in wanted:
            ws.append(np.array([float(x) for x in w]))
            logs.append(float(log_loss(rows, w, loss, ns)))
        if t == last:
            return ws, logs
        batch = next(batches, None)
        if batch is None:
            raise ValueError(f"step {last} is to be recorded but there are only {t} batches")
        eta = ns.number(float(lr(t) if callable(lr) else lr[t]))
        gradients, losses = batch_gradients(rows, batch, w, loss, ns)
        g = [sum(column, start=ns.number(0)) / len(batch) for column in zip(*gradients)]
        if hasattr(rule, "see"):
            rule.see(w, gradients, losses)
        u = rule.step(g, t, ns.sqrt)
        w = [x - eta * y for x, y in zip(w, u)]
        t += 1


def trajectory(
    rows: np.ndarray,
    rule,
    batches: Iterable[Sequence[int]],
    lr: Sequence[float] | Callable[[int], float],
    loss: str = "logistic",
    w0=None,
    record: Iterable[int] | None = None,
    dps: int = 50,
    backend: str = "decimal",
) -> tuple[list[np.ndarray], list[float]]:
    """Run w <- w - eta_t u_t with `dps` digits; every float64 given is converted exactly.

    rows: (n, d), labels absorbed.  batches: the index list of each step, repeats allowed, possibly endless when
    `record` is given.  lr: eta_t, t = 0, 1, ...  record: numbers of steps done (0 is w0), by default the last.
    backend: "decimal", or "mpmath", which is slower and shares no arithmetic with it.

    Returns the iterates at the recorded steps, in increasing order of steps, and log mean_i l(a_i.w) at the same steps.
    """
    if backend not in ("decimal", "mpmath"):
        raise ValueError(f"backend is {backend!r}, not 'decimal' or 'mpmath'")
    record = None if record is None else [int(t) for t in record]
    with decimal.localcontext(decimal_context(dps)), mpmath.workdps(dps):
        return run(rows, rule, batches, lr, loss, w0, record, NUMBERS[backend])


def float_trajectory(rows, rule, batches, lr, loss="logistic", w0=None, record=None):
    """`trajectory` in float64: fast enough for many small cases, right only far from underflow."""
    record = None if record is None else [int(t) for t in record]
    return run(rows, rule, batches, lr, loss, w0, record, NUMBERS["float"])

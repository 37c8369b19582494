"""Slow obvious twins of the optimizers that look at more than one gradient, or record another iterate than w.

A rule is told `begin(w, number)` and then, for t = 0, 1, ..., `step(see, t, eta)`, which returns the iterate that is
recorded. `see` knows the losses of this step: `see.batch(w)` is the mean gradient of its batch at any w, `see.all(w)`
that of all rows, `see.weights(w)` the weights s_i of its batch, `see.first` whether an epoch begins. Any number system
of `naive` will do; nothing is scaled.
"""

import decimal

import mpmath
import numpy as np
from naive import NUMBERS, batch_gradients, decimal_context, log_loss, margin, ratio, sample_weight, sign


class See:
    """What a rule may look at in one step."""

    def __init__(self, rows, batch, loss, ns, first):
        self.rows, self.of, self.loss, self.ns, self.first = rows, batch, loss, ns, first
        self.sqrt, self.number = ns.sqrt, ns.number

    def _mean(self, of, w):
        gradients, _ = batch_gradients(self.rows, of, w, self.loss, self.ns)
        return [sum(column, start=self.number(0)) / len(of) for column in zip(*gradients)]

    def batch(self, w):
        return self._mean(self.of, w)

    def all(self, w):
        return self._mean(range(len(self.rows)), w)

    def weights(self, w):
        return [sample_weight(margin(self.rows[i], w, self.number(0)), self.loss, self.ns) for i in self.of]

    def curvatures(self, w):
        """The diagonal of the Hessian."""
        found = [self.number(0)] * len(w)
        for i, s in zip(self.of, self.weights(w)):
            for j, a in self.rows[i]:
                bend = s if self.loss == "exponential" else s * (1 - s)
                found[j] += bend * a * a / len(self.of)
        return found

    def hessian(self, w):
        """Of all rows, over the largest l'', in float64."""
        bends = [sample_weight(margin(row, w, self.number(0)), self.loss, self.ns) for row in self.rows]
        bends = [s if self.loss == "exponential" else s * (1 - s) for s in bends]
        H = np.zeros((len(w), len(w)))
        for row, bend in zip(self.rows, bends):
            a = np.zeros(len(w))
            for j, x in row:
                a[j] = x
            H += float(bend / max(bends)) * np.outer(a, a)
        return H

    def power(self, x, exponent):
        return mpmath.power(x, exponent) if isinstance(x, mpmath.mpf) else x**exponent

    def length(self, x):
        return self.sqrt(sum(a * a for a in x))


def mix(beta, x, y):
    return [beta * a + (1 - beta) * b for a, b in zip(x, y)]


def moved(w, eta, u):
    return [a - eta * b for a, b in zip(w, u)]


class Rule:
    """Hyper-parameters as given, exactly; iterates and states as lists."""

    def __init__(self, **hyper):
        self.given = hyper

    def begin(self, w, number):
        self.w, self.zero = list(w), [number(0)] * len(w)
        for name, value in self.given.items():
            setattr(self, name, value if isinstance(value, bool) else number(value))
        self.start(number)

    def start(self, number):
        pass

    def over(self, x, v, see):
        return [ratio(a, see.sqrt(b) + self.eps) for a, b in zip(x, v)]


class Single(Rule):
    """w <- w - eta u(g)."""

    def __init__(self, **hyper):
        super().__init__(**{"eps": 0.0, "bias_correction": False} | hyper)

    def step(self, see, t, eta):
        self.w = moved(self.w, eta, self.direction(see.batch(self.w), see, t))
        return self.w


class AMSGrad(Single):
    def start(self, number):
        self.m, self.v, self.top = self.zero, self.zero, self.zero

    def direction(self, g, see, t):
        self.m, self.v = mix(self.beta1, self.m, g), mix(self.beta2, self.v, [x * x for x in g])
        self.top = [max(a, b) for a, b in zip(self.top, self.v)]
        if self.bias_correction:
            first, second = 1 - self.beta1 ** (t + 1), 1 - self.beta2 ** (t + 1)
            return self.over([a / first for a in self.m], [b / second for b in self.top], see)
        return self.over(self.m, self.top, see)


class RMSProp(Single):
    def start(self, number):
        self.v = self.zero

    def direction(self, g, see, t):
        self.v = mix(self.beta2, self.v, [x * x for x in g])
        return self.over(g, self.v, see)


class Adam(Single):
    def start(self, number):
        self.m, self.v = self.zero, self.zero

    def direction(self, g, see, t):
        self.m, self.v = mix(self.beta1, self.m, g), mix(self.beta2, self.v, [x * x for x in g])
        return self.over(self.m, self.v, see)


class NAdam(Adam):
    def direction(self, g, see, t):
        super().direction(g, see, t)
        return self.over(mix(self.beta1, self.m, g), self.v, see)


class LaProp(Single):
    def start(self, number):
        self.m, self.v = self.zero, self.zero

    def direction(self, g, see, t):
        self.v = mix(self.beta2, self.v, [x * x for x in g])
        self.m = mix(self.beta1, self.m, self.over(g, self.v, see))
        return self.m


class FTRL(Single):
    def start(self, number):
        self.past = []

    def direction(self, g, see, t):
        """The sums as they stand in the paper, over all gradients."""
        self.past.append(g)
        found = []
        for j in range(len(g)):
            above = below = see.number(0)
            for old in self.past:
                above, below = self.beta * above + old[j], self.beta * self.beta * below + old[j] * old[j]
            found.append(ratio(above, see.sqrt(below)))
        return found


class Signum(Single):
    def start(self, number):
        self.m = self.zero

    def direction(self, g, see, t):
        self.m = mix(self.beta, self.m, g)
        return [sign(x) for x in self.m]


class SGD(Single):
    def start(self, number):
        self.m = self.zero

    def direction(self, g, see, t):
        self.m = [self.momentum * a + b for a, b in zip(self.m, g)]
        return self.m


class Lion(Single):
    def start(self, number):
        self.m = self.zero

    def direction(self, g, see, t):
        u = [sign(x) + self.weight_decay * w for x, w in zip(mix(self.beta1, self.m, g), self.w)]
        self.m = mix(self.beta2, self.m, g)
        return u


class Sophia(Single):
    def start(self, number):
        self.m, self.h = self.zero, self.zero

    def direction(self, g, see, t):
        self.m, self.h = mix(self.beta1, self.m, g), mix(self.beta2, self.h, see.curvatures(self.w))
        found = []
        for m, h in zip(self.m, self.h):
            below = max(self.rho * h, self.eps)
            found.append(sign(m) if abs(m) > below else ratio(m, below))
        return found


class SteepestDescent(Single):
    def direction(self, g, see, t):
        p = self.given["p"]
        sizes = [abs(x) for x in g]
        if max(sizes) == 0:
            return g
        if p == 1:
            at = sizes.index(max(sizes))
            return [sign(x) if j == at else see.number(0) for j, x in enumerate(g)]
        if p == float("inf"):
            return [sign(x) for x in g]
        q = self.p / (self.p - 1)
        total = see.power(sum(see.power(x, q) for x in sizes), 1 / self.p)
        return [sign(x) * see.power(abs(x), q - 1) / total if x else x for x in g]


class MirrorDescent(Rule):
    def step(self, see, t, eta):
        e = self.p - 1
        theta = [sign(x) * see.power(abs(x), e) if x else x for x in self.w]
        theta = moved(theta, eta, see.batch(self.w))
        self.w = [sign(x) * see.power(abs(x), 1 / e) if x else x for x in theta]
        return self.w


class SAM(Rule):
    def step(self, see, t, eta):
        g = see.batch(self.w)
        size = see.length(g)
        away = [sign(x) if self.linf else ratio(x, size) for x in g]
        self.w = moved(self.w, eta, see.batch(moved(self.w, -self.rho, away)))
        return self.w


class ScheduleFreeSGD(Rule):
    def start(self, number):
        self.z = self.x = self.w
        self.total = number(0)

    def base(self, g, y, see, eta):
        return moved(self.z, eta, g)

    def step(self, see, t, eta):
        y = mix(self.beta, self.x, self.z)
        self.z = self.base(see.batch(y), y, see, eta)
        self.total += eta * eta
        c = min(self.averaging / (t + 1), 1) if self.averaging > 0 else eta * eta / self.total
        self.x = mix(c, self.z, self.x)
        return self.x


class ScheduleFreeAdamW(ScheduleFreeSGD):
    def start(self, number):
        super().start(number)
        self.v, self.eps = self.zero, number(self.given.get("eps", 0.0))

    def base(self, g, y, see, eta):
        self.v = mix(self.beta2, self.v, [x * x for x in g])
        return moved(self.z, eta, [a + self.weight_decay * b for a, b in zip(self.over(g, self.v, see), y)])


class DualAccelerated(Rule):
    def start(self, number):
        self.h = self.zero

    def step(self, see, t, eta):
        total = sum(see.weights(self.w)) / len(see.of)
        g = [x / total for x in see.batch(self.w)]
        self.h = [(a + b) * t / (t + 1) for a, b in zip(self.h, g)]
        self.w = moved(self.w, eta, [a + b for a, b in zip(self.h, g)])
        return self.w


class ProgressiveRescaling(Rule):
    def step(self, see, t, eta):
        g = see.batch(self.w)
        size = see.length(g)
        self.w = moved(self.w, eta, [ratio(x, size) for x in g])
        if (t + 1) % int(self.given["stage"]) == 0:
            self.w = [self.growth * x for x in self.w]
        return self.w


class EMA(Rule):
    def __init__(self, base, decay):
        super().__init__(decay=decay)
        self.inner = base

    def start(self, number):
        self.inner.begin(self.w, number)
        self.mean = self.w

    def step(self, see, t, eta):
        self.mean = mix(self.decay, self.mean, self.inner.step(see, t, eta))
        return self.mean


class Around(Rule):
    """A base of which the direction alone is taken, at the gradient where w is."""

    def __init__(self, base, **hyper):
        super().__init__(**hyper)
        self.inner = base

    def start(self, number):
        self.inner.begin(self.w, number)


class Decayed(Around):
    def step(self, see, t, eta):
        u = self.inner.direction(see.batch(self.w), see, t)
        self.w = [x - eta * (self.weight_decay * x + y) for x, y in zip(self.w, u)]
        return self.w


class Clipped(Around):
    def step(self, see, t, eta):
        u = self.inner.direction(see.batch(self.w), see, t)
        self.w = moved(self.w, eta, [max(-self.bound, min(self.bound, x)) for x in u])
        return self.w


class Corrected(Rule):
    """A base whose gradient is c."""

    def __init__(self, base, **hyper):
        super().__init__(**hyper)
        self.inner = base

    def step(self, see, t, eta):
        w, c = self.inner.w, self.correct(see, self.inner.w)
        self.inner.w = moved(w, eta, self.inner.direction(c, see, t))
        return self.inner.w


class MARS(Corrected):
    def start(self, number):
        self.inner.begin(self.w, number)
        self.before = self.w

    def correct(self, see, w):
        beta = self.inner.beta if hasattr(self.inner, "beta") else self.inner.beta1
        g, old = see.batch(w), see.batch(self.before)
        c = [x + self.gamma * beta / (1 - beta) * (x - y) for x, y in zip(g, old)]
        size = see.length(c)
        self.before = w
        return [x / size for x in c] if size > 1 else c


class SVRG(Corrected):
    def start(self, number):
        self.inner.begin(self.w, number)

    def correct(self, see, w):
        if see.first:
            self.reference, self.mean = w, see.all(w)
        return [a - b + c for a, b, c in zip(see.batch(w), see.batch(self.reference), self.mean)]


class Subspace(Rule):
    """A base whose update is projected on the top eigenvectors of H, or off them, by a dense solver."""

    def __init__(self, base, rank=2, side="dominant", every=1):
        super().__init__()
        self.inner, self.rank, self.side, self.every = base, rank, side, every

    def start(self, number):
        self.inner.begin(self.w, number)
        self.number = number

    def step(self, see, t, eta):
        if t % self.every == 0:
            V = np.linalg.eigh(see.hessian(self.w))[1][:, -self.rank :]
            self.P = V @ V.T if self.side == "dominant" else np.eye(len(V)) - V @ V.T
        u = [a - b for a, b in zip(self.inner.step(see, t, eta), self.w)]
        self.w = [a + sum(self.number(float(p)) * b for p, b in zip(row, u)) for a, row in zip(self.w, self.P)]
        self.inner.w = self.w
        return self.w


def trajectory(rows, rule, batches, lr, per_epoch, loss="logistic", w0=None, record=None, dps=50, backend="decimal"):
    """The recorded iterates, and the logarithms of their mean loss, as `naive.trajectory` returns them."""
    ns = NUMBERS[backend]
    with decimal.localcontext(decimal_context(dps)), mpmath.workdps(dps):
        d = len(rows[0])
        sparse = [[(j, ns.number(float(a))) for j, a in enumerate(row) if a != 0] for row in rows]
        here = [ns.number(float(x)) for x in (np.zeros(d) if w0 is None else w0)]
        rule.begin(here, ns.number)
        batches = list(batches)
        record = [len(batches)] if record is None else list(record)
        found, logs = [], []
        for t in range(max(record) + 1):
            if t in record:
                found.append(np.array([float(x) for x in here]))
                logs.append(float(log_loss(sparse, here, loss, ns)))
            if t < max(record):
                see = See(sparse, list(batches[t]), loss, ns, t % per_epoch == 0)
                here = rule.step(see, t, ns.number(float(lr(t))))
        return found, logs

"""Slow obvious twins for weights of k classes: the gradient, and the optimizers that see a matrix.

The same lines run in float64 and, on arrays of objects, in decimal arithmetic of any precision: nothing is scaled.
A rule is told `begin(W, number)` and then, for t = 0, 1, ..., `step(see, t, eta)`, which returns the iterate that is
recorded, as those of `naive_family`: these, and the ones of `naive`, run on the entries of W one after the other.
"""

import decimal

import numpy as np
from naive import NUMBERS, decimal_context
from naive_family import Rule, moved

from implicitbias.simulation.orders import uniforms

FEW = 60  # digits of a weight, however many a sum of weights is taken with

# --- the problem ------------------------------------------------------------------------------------------------------


def pair_weights(W, x, y, loss):
    """(k,) s_c = e^-z_c / (1 + sum_c e^-z_c), or e^-z_c, for c != y; minus their sum for the label."""
    z = (W[y] - W) @ x
    with decimal.localcontext(decimal_context(FEW)):  # of decimals; what they add up to is exact
        s = np.exp(-1 * z)
        s[y] = 0
        if loss == "logistic":
            s = s / (1 + s.sum())
    s[y] = -s.sum()
    return s


def gradient(X, labels, W, batch, loss):
    """The mean of the gradients s_i x_i' of a batch."""
    return sum(np.outer(pair_weights(W, X[i], labels[i], loss), X[i]) for i in batch) / len(batch)


def mean_loss(X, labels, W, loss, ns):
    total = 0
    with decimal.localcontext(decimal_context(FEW)):
        for x, y in zip(X, labels):
            e = np.exp(1 * ((W - W[y]) @ x))
            e[y] = 0
            total = total + (ns.log1p(e.sum()) if loss == "logistic" else e.sum())
        return total / len(X)


class See:
    """What a rule may look at in one step: of matrices, or of their entries in a list."""

    def __init__(self, X, labels, k, batch, loss, ns, first, seed):
        self.X, self.labels, self.shape = X, labels, (k, X.shape[1])
        self.of, self.loss, self.ns, self.first, self.seed = batch, loss, ns, first, seed
        self.sqrt, self.number = ns.sqrt, ns.number

    def gradient(self, W):
        return gradient(self.X, self.labels, W, self.of, self.loss)

    def _matrix(self, w):
        return np.array(w).reshape(self.shape)

    def batch(self, w):
        return list(self.gradient(self._matrix(w)).reshape(-1))

    def all(self, w):
        return list(gradient(self.X, self.labels, self._matrix(w), range(len(self.X)), self.loss).reshape(-1))

    def each(self, w):
        """The gradients of the rows of the batch."""
        W = self._matrix(w)
        return [list(gradient(self.X, self.labels, W, [i], self.loss).reshape(-1)) for i in self.of]

    def _pairs(self, w):
        W = self._matrix(w)
        return [(pair_weights(W, self.X[i], self.labels[i], self.loss), i) for i in self.of]

    def weights(self, w):
        """What a row weighs as a whole: of its soft margin z, 1 / (1 + e^z) or e^-z."""
        return [-s[self.labels[i]] for s, i in self._pairs(w)]

    def losses(self, w):
        W = self._matrix(w)
        return [mean_loss(self.X[[i]], self.labels[[i]], W, self.loss, self.ns) for i in self.of]

    def curvatures(self, w):
        """The diagonal of the Hessian: p (1 - p) x_j^2 for the probability of a class, e^-z x_j^2."""
        total = 0
        for s, i in self._pairs(w):
            bend = abs(s) * (1 - abs(s)) if self.loss == "logistic" else abs(s)
            total = total + np.outer(bend, self.X[i] ** 2)
        return list((total / len(self.of)).reshape(-1))

    def hessian(self, w):
        """Of the entries of W and all rows, in float64: the second derivative of each pair of classes."""
        W, H = self._matrix(w), 0
        for x, y in zip(self.X, self.labels):
            s = pair_weights(W, x, y, self.loss).astype(float)
            if self.loss == "logistic":
                p = np.abs(s)
                p[y] = 1 - p[y]
                M = np.diag(p) - np.outer(p, p)
            else:
                M = np.diag(np.abs(s))
                M[:, y] = M[y] = -np.abs(s)
                M[y, y] = abs(s[y])
            H = H + np.kron(M, np.outer(x, x).astype(float))
        return H

    def power(self, x, exponent):
        return x**exponent

    def length(self, x):
        return self.sqrt(sum(a * a for a in x))


class Plain(Rule):
    """A rule of `naive`."""

    def __init__(self, rule):
        super().__init__()
        self.rule = rule

    def start(self, number):
        self.rule.start(len(self.w), number)

    def step(self, see, t, eta):
        if hasattr(self.rule, "see"):
            self.rule.see(self.w, see.each(self.w), see.losses(self.w))
        self.w = moved(self.w, eta, self.rule.step(see.batch(self.w), t, see.sqrt))
        return self.w


def exact(x, number):
    """Floats as an array of these numbers, to the last digit."""
    x = np.asarray(x, float)
    return x if number is float else np.frompyfunc(lambda a: number(float(a)), 1, 1)(x)


def trajectory(
    problem, rule, batches, lr, per_epoch=1, loss="logistic", W0=None, record=None, numbers="float", dps=50, seed=0
):
    """The recorded iterates (k, d), as float64, and the logarithms of their mean loss. `numbers` is "float", or
    "decimal" with so many digits."""
    ns, number = NUMBERS[numbers], NUMBERS[numbers].number
    with decimal.localcontext(decimal_context(dps)):
        X, W = exact(problem.X, number), exact(np.zeros(problem.shape) if W0 is None else W0, number)
        here = W if isinstance(rule, MatrixRule) else list(W.reshape(-1))
        rule.begin(here, number)
        batches = list(batches)
        record = [len(batches)] if record is None else list(record)
        found, logs = [], []
        for t in range(max(record) + 1):
            if t in record:
                W = np.array(here).reshape(problem.shape)
                found.append(W.astype(float))
                loss_now = mean_loss(X, problem.labels, W, loss, ns)
                with decimal.localcontext(decimal_context(FEW)):
                    logs.append(float(ns.log(loss_now)))
            if t < max(record):
                see = See(X, problem.labels, problem.k, list(batches[t]), loss, ns, t % per_epoch == 0, seed)
                here = rule.step(see, t, number(float(lr(t))))
        return found, logs


# --- matrices ---------------------------------------------------------------------------------------------------------

NOTHING = 1e-9  # a singular value of float64 that is round-off, over the largest


def over(x, size):
    """x / size with 0/0 = 0."""
    return x / np.where(size == 0, 1, size)


def length(x, **axes):
    return np.sqrt((x * x).sum(**axes))


def singular(G):
    """[(s, u, v)], the largest first: the nonzero singular values."""
    if G.dtype != object:
        U, s, V = np.linalg.svd(G, full_matrices=False)
        return [(s[i], U[:, i], V[i]) for i in range(len(s)) if s[i] > NOTHING * s[0]]
    values, vectors = eigen(G @ G.T)
    cut = max(values) * decimal.Decimal(10) ** (20 - decimal.getcontext().prec)
    order = [i for i in sorted(range(len(values)), key=lambda i: -values[i]) if values[i] > cut]
    products = [vectors[:, i] @ G for i in order]
    return [(length(v), vectors[:, i], v / length(v)) for i, v in zip(order, products)]


def eigen(A):
    """Eigenvalues and eigenvectors, in columns, of a symmetric A of decimals, by Jacobi's rotations."""
    A, V = A.copy(), exact(np.eye(len(A)), decimal.Decimal)
    small = abs(A).max() * decimal.Decimal(10) ** -decimal.getcontext().prec
    while max(abs(A[i, j]) for i in range(len(A)) for j in range(i)) > small:
        for i in range(len(A)):
            for j in range(i):
                if abs(A[i, j]) > small:
                    theta = (A[j, j] - A[i, i]) / (2 * A[i, j])
                    tan = (1 if theta >= 0 else -1) / (abs(theta) + (theta * theta + 1).sqrt())
                    cos = 1 / (tan * tan + 1).sqrt()
                    turn = exact(np.eye(len(A)), decimal.Decimal)
                    turn[i, i] = turn[j, j] = cos
                    turn[i, j], turn[j, i] = tan * cos, -tan * cos
                    A, V = turn.T @ A @ turn, V @ turn
    return A.diagonal(), V


def replaced(G, phi):
    """U diag(phi) V', phi (r,) for the largest r singular values."""
    return sum((p * np.outer(u, v) for p, (_, u, v) in zip(phi, singular(G))), start=0 * G)


def polar(G):
    return replaced(G, [1] * len(G))


POLYNOMIALS = {
    "quintic": [(3.4445, -4.7750, 2.0315)],
    "cubic": [(1.5, -0.5, 0.0)],
    "polar_express": [
        (8.28721201814563, -23.595886519098837, 17.300387312530933),
        (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
        (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
        (3.3184196573706015, -2.488488024314874, 0.51004894012372),
        (2.300652019954817, -1.6689039845747493, 0.4188073119525673),
        (1.891301407787398, -1.2679958271945868, 0.37680408948524835),
        (1.8750014808534479, -1.2500016453999487, 0.3750001645474248),
        (1.875, -1.25, 0.375),
    ],
}


def newton_schulz(G, polynomial, iterations):
    """On the singular values alone: a s + b s^3 + c s^5, from s over the length of all. Those of Polar Express are over
    1.01 but for the last."""
    table = POLYNOMIALS[polynomial]
    U, s, V = np.linalg.svd(G, full_matrices=False)
    s = over(s, length(s))
    for i in range(int(iterations)):
        a, b, c = table[min(i, len(table) - 1)]
        if polynomial == "polar_express" and i < len(table) - 1:
            a, b, c = a / 1.01, b / 1.01**3, c / 1.01**5
        s = a * s + b * s**3 + c * s**5
    return (U * s) @ V


def factor(scale, k, d, transposed=False):
    rows, columns = (d, k) if transposed else (k, d)
    return {
        "none": 1.0,
        "original": max(1.0, rows / columns) ** 0.5,
        "match_rms_adamw": 0.2 * max(rows, columns) ** 0.5,
        "spectral": (rows / columns) ** 0.5,
    }[scale]


def root(A, power):
    """A^power, of the pseudo-inverse; eigenvalues below 1e-12 of the largest are 0."""
    values, vectors = np.linalg.eigh(A)
    seen = values > 1e-12 * values.max()
    return (vectors[:, seen] * values[seen] ** power) @ vectors[:, seen].T


def orthonormal(A):
    """Gram-Schmidt of the columns; one that depends on those before becomes 0."""
    Q = np.zeros_like(A)
    for s in range(A.shape[1]):
        rest = A[:, s] - Q @ (Q.T @ A[:, s])
        rest = rest - Q @ (Q.T @ rest)
        if np.linalg.norm(rest) > 1e-11 * np.linalg.norm(A[:, s]):
            Q[:, s] = rest / np.linalg.norm(rest)
    return Q


# --- the optimizers, by the names and arguments of the package --------------------------------------------------------


class MatrixRule:
    """W <- (1 - eta decay) W - eta u."""

    def __init__(self, **hyper):
        self.given = hyper

    def begin(self, W, number):
        self.W, self.m, self.number = W, 0 * W, number
        for name, value in self.given.items():
            setattr(self, name, value if isinstance(value, (bool, str)) else number(value))

    def step(self, see, t, eta):
        G = see.gradient(self.W)
        self.W = (1 - eta * self.weight_decay) * self.W - eta * self.direction(G, see, t, eta)
        return self.W

    def mixed(self, beta, G):
        return beta * self.m + (1 - beta) * G

    def looked_ahead(self, G):
        self.m = self.mixed(self.momentum, G)
        return self.mixed(self.momentum, G) if self.nesterov else self.m


class NormalizedSteepestDescent(MatrixRule):
    def direction(self, G, see, t, eta):
        self.m = M = self.mixed(self.momentum, G)
        match self.norm:
            case "frobenius":
                return over(M, length(M))
            case "max":
                return np.sign(M)
            case "rows":
                return over(M, length(M, axis=1, keepdims=True))
            case "columns":
                return over(M, length(M, axis=0, keepdims=True))
            case "spectral":
                return polar(M)
            case "nuclear":
                return replaced(M, [1])
            case "ky_fan":
                return replaced(M, [1] * int(self.r))


class Muon(MatrixRule):
    def direction(self, G, see, t, eta):
        def f(U):
            return polar(U) if self.polar == "exact" else newton_schulz(U, self.polar, self.iterations)

        a = self.number(factor(self.scale, *G.shape, self.transposed))
        if self.momentum_last:
            return a * self.looked_ahead(f(G))
        return a * f(self.looked_ahead(G))


class OLion(MatrixRule):
    def direction(self, G, see, t, eta):
        return np.sign(polar(self.looked_ahead(G)))


class RandomSpectrum(MatrixRule):
    def direction(self, G, see, t, eta):
        k = len(G)
        numbers = uniforms(see.seed + int(self.stream), t * k + np.arange(k))
        return replaced(self.looked_ahead(G), [self.number(2 * x) for x in numbers])


class Dion(MatrixRule):
    Q = None

    def direction(self, G, see, t, eta):
        (k, d), r = G.shape, int(self.rank)
        if self.Q is None:
            self.Q = uniforms(see.seed, np.arange(r * d)).reshape(r, d).T - 0.5
            self.Q = self.Q / np.linalg.norm(self.Q, axis=0)
        self.m = self.m + G
        P = orthonormal(self.m @ self.Q)
        R = self.m.T @ P
        self.m = self.m - (1 - self.momentum) * P @ R.T if self.feedback else self.momentum * self.m
        R = orthonormal(R) if self.orthogonal else R
        seen = np.linalg.norm(R, axis=0) > 0
        self.Q = np.where(seen, over(R, np.linalg.norm(R, axis=0)), self.Q)
        return factor(self.scale, k, d) * P @ self.Q.T


class Shampoo(MatrixRule):
    L = R = 0.0

    def direction(self, G, see, t, eta):
        share = 1.0 if self.beta == 1.0 else 1.0 - self.beta
        self.L, self.R = self.beta * self.L + share * G @ G.T, self.beta * self.R + share * G.T @ G
        self.m = self.mixed(self.momentum, G)
        if t % int(self.every) == 0:
            self.left = root(self.L, -0.5 if self.one_sided else -0.25)
            # the columns of M are in the range of all gradients that R has seen
            self.right = root(self.R, 0.0 if self.one_sided else -0.25)
        return self.left @ self.m @ self.right


class SOAP(MatrixRule):
    L = R = 0.0

    def direction(self, G, see, t, eta):
        self.L, self.R = (self.beta * A + (1 - self.beta) * B for A, B in ((self.L, G @ G.T), (self.R, G.T @ G)))
        if t % int(self.every) == 0:
            self.U, self.V = map(self.basis, (self.L, self.R))
        if t == 0:
            self.v = np.zeros(G.shape)
        self.v = self.beta2 * self.v + (1 - self.beta2) * self.turned(G) ** 2
        self.m = self.mixed(self.beta1, G)
        m, v = self.turned(self.m), self.v
        if self.bias_correction:
            m, v = m / (1 - self.beta1 ** (t + 1)), v / (1 - self.beta2 ** (t + 1))
        return self.U @ np.where(v > 0, over(m, np.sqrt(v)), 0.0) @ self.V.T

    def basis(self, A):
        values, vectors = np.linalg.eigh(A)
        return (vectors * (values > 1e-12 * values.max()))[:, ::-1]

    def turned(self, G):
        """U'G V without its round-off."""
        g = self.U.T @ G @ self.V
        return np.where(abs(g) < 1e-12 * abs(g).max(), 0.0, g)


class Adafactor(MatrixRule):
    R = C = 0.0

    def direction(self, G, see, t, eta):
        beta2 = self.beta2 if self.decay_power == 0 else 1 - (t + 1) ** -self.decay_power
        self.R = beta2 * self.R + (1 - beta2) * (G**2).mean(axis=1)
        self.C = beta2 * self.C + (1 - beta2) * (G**2).mean(axis=0)
        u = over(G, np.sqrt(np.outer(self.R, self.C) / self.R.mean()))
        if self.clip > 0:
            u = u / max(1.0, np.sqrt((u**2).mean()) / self.clip)
        self.m = self.mixed(self.beta1, u)
        rate = min(1.0, 100 / np.sqrt(t + 1)) if self.relative_step else 1.0
        return rate * (max(1e-3, np.sqrt((self.W**2).mean())) if self.scale_by_size else 1.0) * self.m


class AdaSGD(MatrixRule):
    v = 0.0
    axis = None

    def direction(self, G, see, t, eta):
        self.m = self.mixed(self.beta1, G)
        self.v = self.beta2 * self.v + (1 - self.beta2) * (G**2).mean(axis=self.axis, keepdims=True)
        m, v = self.m, self.v
        if self.bias_correction:
            m, v = m / (1 - self.beta1 ** (t + 1)), v / (1 - self.beta2 ** (t + 1))
        return over(m, np.sqrt(v))


class Adalayer(AdaSGD):
    axis = 1


class Hybrid(MatrixRule):
    nesterov = False

    def direction(self, G, see, t, eta):
        M, split = self.looked_ahead(G), int(self.split)
        blocks = []
        for part, norm, size in ((M[:, :split], self.first, 1), (M[:, split:], self.second, self.step_ratio)):
            rule = NormalizedSteepestDescent(norm=norm, momentum=0.0, r=1.0)
            rule.begin(0 * part, self.number)
            blocks.append(size * rule.direction(part, see, t, eta))
        return np.hstack(blocks)


class SVRGMuon(Muon):
    """Muon on c = g_B(w) - g_B(w_ref) + g(w_ref), with w_ref the iterate at the start of the epoch."""

    def direction(self, G, see, t, eta):
        if see.first:
            self.reference, self.mean = self.W, np.reshape(see.all(self.W), G.shape)
        return super().direction(G - see.gradient(self.reference) + self.mean, see, t, eta)


class MARSMuon(Muon):
    """Muon on c = g + gamma mu / (1 - mu) (g - g at the iterate before, on the same batch), of length 1 at most."""

    before = None

    def direction(self, G, see, t, eta):
        before = self.W if self.before is None else self.before
        self.before = self.W
        c = G + self.gamma * self.momentum / (1 - self.momentum) * (G - see.gradient(before))
        size = length(c)
        return super().direction(c / size if size > 1 else c, see, t, eta)

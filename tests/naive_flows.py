"""Slow obvious twins in continuous time: tail maps, the weights of the samples under them, and flows."""

import math

import numpy as np
from scipy.integrate import solve_ivp

# --- tail maps and the dynamics of the sample weights -----------------------------------------------------------------


def sampled_map(rows, c, pairs, singles):
    """S_j / sqrt(pairs S_j^2 + singles Q_j), one coordinate at a time; 0/0 = 0."""
    out = []
    for column in np.asarray(rows).T:
        total = sum(c_i * a for c_i, a in zip(c, column))
        square = pairs * total**2 + singles * sum((c_i * a) ** 2 for c_i, a in zip(c, column))
        out.append(total / math.sqrt(square) if square > 0 else 0.0)
    return np.array(out)


def epoch_map(rows, c, blocks, beta1, beta2, epochs=400):
    """Mean of m / sqrt(v) over the last of many epochs of Adam on the frozen gradients mean_{i in B} c_i a_i."""
    m, v = np.zeros(rows.shape[1]), np.zeros(rows.shape[1])
    for _ in range(epochs):
        total = np.zeros(rows.shape[1])
        for block in blocks:
            g = sum(c[i] * rows[i] for i in block) / len(block)
            m = beta1 * m + (1 - beta1) * g
            v = beta2 * v + (1 - beta2) * g * g
            total += np.where(v > 0, m / np.sqrt(np.where(v > 0, v, 1.0)), 0.0)
    return total / len(blocks)


def weight_dynamics(rows, tail_map, c, step=0.02, steps=40_000):
    """Euler steps of d log c_i = -(a_i.F(c) - sum_j c_j a_j.F(c)) until the weights rest; returns the last c."""
    c = np.array(c, dtype=float)
    for _ in range(steps):
        z = rows @ tail_map(c)
        c = c * np.exp(-step * (z - c @ z))
        c = c / c.sum()
    return c


def periodic_epoch_map(rows, c, blocks, beta1, beta2):
    """The same in its periodic state, where block q has counted in m with beta1^(p - q mod m) when p has been seen."""
    m, total = len(blocks), 0.0
    g = [sum(c[i] * rows[i] for i in block) / len(block) for block in blocks]
    for p in range(m):
        top = sum(beta1 ** ((p - q) % m) * g[q] for q in range(m))
        square = sum(beta2 ** ((p - q) % m) * g[q] ** 2 for q in range(m))
        total = total + np.where(square > 0, top, 0.0) / np.sqrt(np.where(square > 0, square, 1.0))
    return total


def slow_run(rows, tail_map, w0=None, calls=15_000):
    """The direction in which w' = F(c(w)), c = softmin(A w), goes off from w0, by LSODA over stretches that double,
    until it stays to 1e-11; None if it does not settle within so many calls of F."""
    w, here, length, last, left = np.zeros(rows.shape[1]) if w0 is None else w0, 0.0, 1.0, None, [calls]

    def field(_, w):
        left[0] -= 1
        if left[0] < 0:
            raise TimeoutError
        z = rows @ w
        c = np.exp(z.min() - z)
        return tail_map(c / c.sum())

    for stretch in range(26):
        try:
            w = solve_ivp(field, (here, here + length), w, method="LSODA", rtol=1e-9, atol=1e-10).y[:, -1]
            u = field(0.0, w)
        except TimeoutError:
            return None
        here, length = here + length, 2.0 * length
        u = u / np.linalg.norm(u)
        z = rows @ w
        c = np.exp(z.min() - z)
        gap = c / c.sum() @ (rows @ u) - (rows @ u).min()
        if stretch > 6 and 1.0 - u @ last < 1e-11 and gap < 1e-7 * np.abs(rows).max():
            return u
        last = u
    return None


# --- flows ------------------------------------------------------------------------------------------------------------


def flow_field(kind, rows, w, loss, p=2.0):
    """dw/dt of a flow as on paper: "gradient", "steepest" (in l_p) or "adam_proxy"."""
    z = rows @ w
    gradients = (np.exp(-z) if loss == "exponential" else 1 / (1 + np.exp(z)))[:, None] * rows
    g = gradients.mean(axis=0)
    if kind == "gradient":
        return g
    if kind == "adam_proxy":
        return g / np.sqrt((gradients**2).sum(axis=0))
    q = p / (p - 1)
    size = (np.abs(g) ** q).sum() ** (1 / q)
    steepest = np.sign(g) * (np.abs(g) / size) ** (q - 1)  # of length one in l_p, and g.steepest = size
    return size * steepest


def flow(kind, rows, time, loss="logistic", w0=None, p=2.0, ratio=1e-3):
    """w(time) by the classical Runge-Kutta method in t, with steps of ratio (1 + t)."""
    w = np.zeros(rows.shape[1]) if w0 is None else np.array(w0, dtype=float)
    t = 0.0
    while t < time:
        h = min(ratio * (1 + t), time - t)
        a = flow_field(kind, rows, w, loss, p)
        b = flow_field(kind, rows, w + h / 2 * a, loss, p)
        c = flow_field(kind, rows, w + h / 2 * b, loss, p)
        w = w + h / 6 * (a + 2 * b + 2 * c + flow_field(kind, rows, w + h * c, loss, p))
        t += h
    return w

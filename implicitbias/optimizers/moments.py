"""Steps by the ratio of an average of gradients to the root of an average of their squares."""

import numpy as np

from implicitbias.jit import hot, inlined
from implicitbias.lanes import fma, load, mix, rsqrt, select, sqrt, store
from implicitbias.simulation.scales import in_units, moderate
from implicitbias.simulation.tail import mean_losses


@hot
def moments(m, v, g, c, beta1, beta2):
    """m = beta1 m + (1 - beta1) g and v = beta2 v + (1 - beta2) g^2 in place, in chunk c; returns both."""
    gradient = load(g, c)
    first = mix(beta1, load(m, c), gradient)
    second = mix(beta2, load(v, c), gradient * gradient)
    store(m, c, first)
    store(v, c, second)
    return first, second


@hot
def root_above(second, eps, units, c):
    """sqrt(second + eps) with eps in the units of v; where it leaves float64 there, its root."""
    floor = in_units(eps, units, c, 2)
    return select(floor < np.inf, sqrt(second + floor), in_units(sqrt(eps), units, c, 1))


@inlined
def step(w, g, state, hyper, lr, bias, units, batch):
    m, v, beta1, beta2 = state[0], state[1], load(hyper, 0), load(hyper, 1)
    rate = lr * bias.lr
    for c in range(g.shape[0]):
        first, second = moments(m, v, g, c, beta1, beta2)
        ratio = select(second == 0.0, 0.0, first * rsqrt(second))  # so that a NaN stays one
        store(w, c, fma(-rate, ratio, load(w, c)))


@inlined
def step_with_eps(w, g, state, hyper, lr, bias, units, batch):
    m, v, beta1, beta2, eps = state[0], state[1], load(hyper, 0), load(hyper, 1), load(hyper, 2)
    rate, back = moderate(lr * bias.lr)
    for c in range(g.shape[0]):
        first, second = moments(m, v, g, c, beta1, beta2)
        root = sqrt(second) + in_units(bias.eps * eps, units, c, 1)
        store(w, c, load(w, c) - select(first == 0.0, 0.0, rate * first / root * back))


@inlined
def step_with_eps_inside(w, g, state, hyper, lr, bias, units, batch):
    m, v, beta1, beta2, eps = state[0], state[1], load(hyper, 0), load(hyper, 1), load(hyper, 2)
    rate, back = moderate(lr * bias.lr)
    for c in range(g.shape[0]):
        first, second = moments(m, v, g, c, beta1, beta2)
        root = root_above(second, bias.eps * bias.eps * eps, units, c)
        store(w, c, load(w, c) - select(first == 0.0, 0.0, rate * first / root * back))


@inlined
def step_with_kappa(w, g, state, hyper, lr, bias, units, batch):
    m, v, beta1, beta2 = state[0], state[1], load(hyper, 0), load(hyper, 1)
    eps, inside, kappa = load(hyper, 2), load(hyper, 4) > 0.0, load(hyper, 5)
    loss, high = mean_losses(batch.z, batch.f, batch.q, batch.size, batch.wide, batch.loss, batch.room)
    rate, back = moderate(lr * bias.lr)
    loss = loss * bias.eps * kappa
    for c in range(g.shape[0]):
        first, second = moments(m, v, g, c, beta1, beta2)
        root = root_above(second, select(inside, bias.eps * bias.eps * eps, 0.0), units, c)
        root = root + in_units(loss, units, c, 1, high) + select(inside, 0.0, in_units(bias.eps * eps, units, c, 1))
        store(w, c, load(w, c) - select(first == 0.0, 0.0, rate * first / root * back))


def forgets_first(optimizer) -> bool:
    """Whether v forgets at once what m remembers. Then m / sqrt(v) may be x / 0, which `rsqrt` does not know."""
    return optimizer.beta2 == 0.0 < optimizer.beta1

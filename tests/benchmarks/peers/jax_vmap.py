"""JAX and optax: `lax.scan` over the steps, `vmap` over the runs, one compiled call.

Unrolling the scan, or writing the runs as a matrix instead of with `vmap`, is no faster.
"""

from importlib.metadata import version
from importlib.util import find_spec

import numpy as np

from .work import BETA2, QUINTIC, Work

LABEL = "JAX"
RUNS = (64,)
EXTRA = "pip install '.[peers]'"


def available() -> bool:
    return find_spec("jax") is not None and find_spec("optax") is not None


def versions() -> str:
    return ", ".join(f"{name} {version(name)}" for name in ("jax", "optax"))


def can(work: Work) -> bool:
    return True


def prepare(work: Work, runs: int, steps: int):
    import jax
    import jax.numpy as jnp
    import optax

    jax.config.update("jax_enable_x64", True)
    rows = jnp.asarray(work.rows)
    lr, beta1 = jnp.asarray(work.lr(runs)), jnp.asarray(work.beta1(runs))
    labels = jnp.asarray(work.labels, dtype=jnp.int32)
    full = work.order == "full"
    indices = None if full else jnp.asarray(work.indices(steps), dtype=jnp.int32)

    def loss(w, seen):
        # softplus would guard against overflow where none can occur, and doubles the time of a large batch
        return jnp.log1p(jnp.exp(-(seen @ w))).mean()

    def cross_entropy(w, seen):
        return optax.softmax_cross_entropy_with_integer_labels(seen[0] @ w.T, seen[1]).mean()

    def polynomial(m, params=None):
        x = m / jnp.linalg.norm(m)
        for _ in range(5):
            gram = x @ x.T
            x = QUINTIC[0] * x + (QUINTIC[1] * gram + QUINTIC[2] * gram @ gram) @ x
        return x

    def one_run(w, lr, beta1, indices):
        if work.rule == "adam":
            rule = optax.adam(lr, b1=beta1, b2=BETA2, eps=0.0)
        elif work.rule == "muon":  # optax.contrib.muon corrects the bias of its momentum
            average = optax.ema(beta1, debias=False)

            def update(g, state):
                m, state = average.update(g, state)
                return -lr * polynomial(beta1 * m + (1.0 - beta1) * g), state

            rule = optax.GradientTransformation(average.init, update)
        else:
            rule = optax.chain(
                *([optax.normalize_by_update_norm(eps=0.0)] if work.rule == "ngd" else []), optax.sgd(lr)
            )

        def step(carry, index):
            w, state = carry
            seen = rows if full else rows[index]
            if work.k > 1:
                g = jax.grad(cross_entropy)(w, (seen, labels if full else labels[index]))
            else:
                g = jax.grad(loss)(w, seen)
            updates, state = rule.update(g, state)
            return (optax.apply_updates(w, updates), state), None

        (w, _), _ = jax.lax.scan(step, (w, rule.init(w)), indices, length=steps)
        return w

    all_runs = jax.jit(jax.vmap(one_run, in_axes=(0, 0, 0, None)), donate_argnums=0)

    def run() -> np.ndarray:
        shape = (runs, work.d) if work.k == 1 else (runs, work.k, work.d)
        return np.array(all_runs(jnp.zeros(shape), lr, beta1, indices)).reshape(runs, -1)

    return run

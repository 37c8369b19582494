"""JAX and optax: `lax.scan` over the steps, `vmap` over the runs, one compiled call.

Unrolling the scan, or writing the runs as a matrix instead of with `vmap`, is no faster.
"""

from importlib.metadata import version
from importlib.util import find_spec

import numpy as np

from .work import BETA2, Work

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
    full = work.order == "full"
    indices = None if full else jnp.asarray(work.indices(steps), dtype=jnp.int32)

    def loss(w, seen):
        # softplus would guard against overflow where none can occur, and doubles the time of a large batch
        return jnp.log1p(jnp.exp(-(seen @ w))).mean()

    def one_run(w, lr, beta1, indices):
        rule = optax.adam(lr, b1=beta1, b2=BETA2, eps=0.0) if work.rule == "adam" else optax.sgd(lr)

        def step(carry, index):
            w, state = carry
            seen = rows if full else rows[index]
            updates, state = rule.update(jax.grad(loss)(w, seen), state)
            return (optax.apply_updates(w, updates), state), None

        (w, _), _ = jax.lax.scan(step, (w, rule.init(w)), indices, length=steps)
        return w

    all_runs = jax.jit(jax.vmap(one_run, in_axes=(0, 0, 0, None)), donate_argnums=0)

    def run() -> np.ndarray:
        return np.array(all_runs(jnp.zeros((runs, work.d)), lr, beta1, indices))

    return run

"""Which limit theory has for an optimizer, batch size and order: the table of tail maps as code.

A rule is a norm, whose max-margin direction is the limit; or a tail map, whose rest point is; or a constant direction;
or the kappa of a programme of its own (`limits`); with a sentence that names it and its standing.
"""

from dataclasses import dataclass

import numpy as np

from implicitbias.limits import tail_maps
from implicitbias.optimizers import NGD, SGD, AdaGrad, Adam, AdamProxy, AdamW, Optimizer, Signum
from implicitbias.simulation.orders import batches, steps_per_epoch
from implicitbias.simulation.setting import Setting


@dataclass(frozen=True, eq=False)
class Rule:
    """Where it comes from, and one of: `norm`, `tail_map`, `constant`, an F (d,) that does not depend on c, `kappa`."""

    text: str
    norm: str | tuple | None = None
    tail_map: tail_maps.TailMap | None = None
    constant: np.ndarray | None = None
    kappa: float | None = None


def rule(rows: np.ndarray, optimizer: Optimizer, setting: Setting) -> Rule | str:
    """The rule for an optimizer on rows (n, d), or one sentence that says what theory is missing."""
    known = _RULES.get(type(optimizer)) or _FLOW_RULES.get(optimizer.name)
    if known is None:
        return f"there is no limit theory for {type(optimizer).__name__} here"
    return known(rows, optimizer, setting)


def slow_rule(rows: np.ndarray, setting: Setting) -> Rule:
    """Per-sample or mini-batch Adam as beta2 -> 1, for any batch order."""
    n, batch = len(rows), setting.batch
    if setting.order == "replacement" and n > 1:
        text = "rest point of S/sqrt((b-1) S^2 + n Q), beta2 -> 1 (derived)"
        return Rule(text, tail_map=tail_maps.replacement(n, batch))
    if batch == n:
        return Rule("l_inf max-margin (theorem, arXiv 2406.10650)", norm="linf")
    if setting.order == "reshuffle":
        text = "rest point of S/sqrt((b-1) S^2 + (n-b) Q), beta2 -> 1 (one epoch proved, Kim, Song, Yun 2026)"
        return Rule(text, tail_map=tail_maps.reshuffle(n, batch))
    text = "rest point of sum g_B/sqrt(sum g_B^2) over the fixed blocks, beta2 -> 1 (derived)"
    return Rule(text, tail_map=tail_maps.Epoch(blocks(n, setting)))


def blocks(n: int, setting: Setting) -> list[np.ndarray]:
    """The batches of one epoch of a fixed order."""
    count = steps_per_epoch(n, setting.batch, setting.remainder)
    return batches(n, setting.batch, setting.order, count, seed=setting.seed, remainder=setting.remainder)


def _adam(rows, optimizer: Adam, setting: Setting) -> Rule | str:
    if optimizer.eps > 0.0:
        text = "l2 max-margin: once sqrt(v) is below eps, Adam is gradient descent (arXiv 2012.06244)"
        return Rule(text, norm="l2")
    n = len(rows)
    if optimizer.kappa > 0.0:
        if setting.batch == n and (setting.order != "replacement" or n == 1):
            return Rule("eps proportional to the loss (derived)", kappa=optimizer.kappa)
        return "there is no closed limit for Adam with kappa > 0 on mini-batches; the numerical tail map has one"
    if setting.order in ("cyclic", "shuffle_once") and setting.batch < n and optimizer.beta1 <= optimizer.beta2:
        text = "rest point of the epoch map at these beta1, beta2 (arXiv 2510.26303 for b = 1, derived for blocks)"
        return Rule(text, tail_map=tail_maps.Epoch(blocks(n, setting), optimizer.beta1, optimizer.beta2))
    if setting.order == "reshuffle" and setting.remainder == "keep" and n % setting.batch:
        return "there is no limit theory for reshuffled batches of unequal size; use remainder 'drop'"
    return slow_rule(rows, setting)


def _adamw(rows, optimizer: AdamW, setting: Setting) -> Rule | str:
    if optimizer.weight_decay > 0.0:
        return (
            "with weight decay the weights converge to a point and have no limit direction; full batch, "
            "limits.adamw_point finds the point"
        )
    adam = Adam(optimizer.beta1, optimizer.beta2, optimizer.eps, optimizer.bias_correction)
    return _adam(rows, adam, setting)


def _adam_proxy(rows, optimizer, setting) -> Rule | str:
    if setting.batch == len(rows) and (setting.order != "replacement" or len(rows) == 1):
        text = "rest point of S/sqrt(Q) (theorem given convergence, arXiv 2510.26303)"
        return Rule(text, tail_map=tail_maps.proxy())
    if setting.batch == 1:
        text = "mean of sign(a_i): every step has the same length (derived)"
        return Rule(text, constant=np.sign(rows).mean(axis=0))
    return "there is no closed limit for AdamProxy with 1 < b < n; the numerical tail map has one"


def _adagrad(rows, optimizer, setting) -> str:
    return (
        "the limit of AdaGrad depends on the gradients at the start of the run; limits.adagrad_direction reads "
        "it off a run"
    )


def _sgd(rows, optimizer, setting) -> Rule:
    return Rule("l2 max-margin (theorem, arXiv 1710.10345 and 1806.01796)", norm="l2")


def _ngd(rows, optimizer, setting) -> Rule | str:
    if setting.batch == len(rows) and setting.order != "replacement":
        return Rule("l2 max-margin (theorem, arXiv 1907.03215)", norm="l2")
    if setting.batch == 1:
        mean = (rows / np.linalg.norm(rows, axis=1)[:, None]).mean(axis=0)
        return Rule("mean of a_i/||a_i||_2: every step has the same length (derived)", constant=mean)
    return "there is no closed limit for normalised gradient descent with 1 < b < n; the numerical tail map has one"


def _signum(rows, optimizer, setting) -> Rule | str:
    if setting.batch == len(rows) and setting.order != "replacement":
        return Rule("l_inf max-margin: steepest descent in l_inf (theorem, arXiv 1802.08246)", norm="linf")
    if setting.batch == 1 and optimizer.beta == 0.0:
        text = "mean of sign(a_i): every step has the same length (derived)"
        return Rule(text, constant=np.sign(rows).mean(axis=0))
    if setting.order in ("cyclic", "shuffle_once"):
        text = "rest point of the mean of sign(m) over an epoch at this beta (derived)"
        return Rule(text, tail_map=tail_maps.SignEpoch(blocks(len(rows), setting), optimizer.beta))
    return "there is no closed limit for Signum on mini-batches drawn at random; the numerical tail map has one"


def _gradient_flow(rows, optimizer, setting) -> Rule:
    return Rule("l2 max-margin (theorem, arXiv 1710.10345)", norm="l2")


def _steepest_flow(rows, optimizer, setting) -> Rule:
    text = f"l_p max-margin, p = {optimizer.p:g} (theorem for steepest descent, arXiv 1802.08246)"
    return Rule(text, norm=("lp", optimizer.p))


def _adam_proxy_flow(rows, optimizer, setting) -> Rule:
    return Rule("rest point of S/sqrt(Q) (theorem given convergence, arXiv 2510.26303)", tail_map=tail_maps.proxy())


_RULES = {
    Adam: _adam,
    AdamW: _adamw,
    AdamProxy: _adam_proxy,
    AdaGrad: _adagrad,
    SGD: _sgd,
    NGD: _ngd,
    Signum: _signum,
}

# By name: the flows use the tail maps of this package, so they cannot be imported here. They see the full batch
# whatever the setting says.
_FLOW_RULES = {
    "gradient_flow": _gradient_flow,
    "steepest_flow": _steepest_flow,
    "adam_proxy_flow": _adam_proxy_flow,
}

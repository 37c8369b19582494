"""Which limit theory has for an optimizer, batch size and order: the table of tail maps as code.

A rule is a norm, whose max-margin direction is the limit; or a tail map, whose rest point is; or a constant direction;
or the kappa of a programme of its own (`limits`); or what finds one of these from the start of a run; with a sentence
that names it and its standing.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from implicitbias.lengths import unit
from implicitbias.limits import tail_maps
from implicitbias.optimizers import NGD, SGD, AdaGrad, Adam, AdamProxy, AdamW, Optimizer, Signum
from implicitbias.optimizers.sgd import SGDOverLoss
from implicitbias.simulation.orders import batches, steps_per_epoch
from implicitbias.simulation.setting import Setting

SLOW = 4.0  # memory of v in epochs, from which on beta2 -> 1 is good to 1e-3 of the cosine
# Change of a margin over the memory of m, lr ||a_i||_1 / (1 - beta), at which runs of Signum with constant steps follow
# the slow one: at 1e-1 they ended up to 4 degrees from the rest point where signs slide, at 1e-2 one of 30 still did,
# at 1e-3 all were within 0.06 (10 Gaussian sets, rows in order, b = 1, 2, 5).
STILL = 1e-3


@dataclass(frozen=True, eq=False)
class Rule:
    """Where it comes from, and one of: `norm`, `tail_map`, `constant`, an F (d,) that does not depend on c, `kappa`,
    `begun`(problem, iterate (d,) at which a run starts) -> Rule; `caution` says where it is used outside of what it
    assumes."""

    text: str
    norm: str | tuple | None = None
    tail_map: tail_maps.TailMap | None = None
    constant: np.ndarray | None = None
    kappa: float | None = None
    begun: Callable | None = None
    caution: str = ""


def rule(rows: np.ndarray, optimizer: Optimizer, setting: Setting) -> Rule | str:
    """The rule for an optimizer on rows (n, d), or one sentence that says what theory is missing."""
    known = _RULES.get(type(optimizer)) or _FLOW_RULES.get(optimizer.name)
    if known is None:
        return f"there is no limit theory for {type(optimizer).__name__} here"
    return runs_away(optimizer) or known(rows, optimizer, setting)


def runs_away(optimizer: Optimizer) -> str | None:
    """The sentence that says why an Adam with beta1 >= sqrt(beta2) has no limit that theory knows; None for others.

    m^2 <= v (1 - beta1)^2 / ((1 - beta2) (1 - beta1^2/beta2)), by Cauchy's inequality, needs beta1^2 < beta2. Beyond, m
    may outlive v: the steps grow, the gradients fall the faster, and w goes off along m/sqrt(v) as it stands (measured
    for Adam(0.9, 0.8), full batch, on six Gaussian sets: five freeze with steps 0.1, three with 0.01, two with
    0.1 (t + 2)^-0.5; single rows and small batches do, too). At beta2 < beta1 < sqrt(beta2) all go to the l_inf margin
    as the steps get small, but the later the nearer to sqrt(beta2).
    """
    if not isinstance(optimizer, (Adam, AdamW)) or optimizer.beta1 == 0.0:
        return None
    if optimizer.beta1**2 < optimizer.beta2 * (1.0 - 1e-12):  # up to rounding: 0.95^2 beside 0.9025
        return None
    return (
        f"there is no limit theory for {optimizer.label}: with beta1 >= sqrt(beta2) the ratio m/sqrt(v) has no bound, "
        "and the direction may freeze on the way"
    )


def full_batch(rows: np.ndarray, setting: Setting) -> bool:
    """Whether every step sees every row: draws with replacement do not, but for n = 1."""
    return setting.batch == len(rows) and (setting.order != "replacement" or len(rows) == 1)


def slow_rule(rows: np.ndarray, optimizer: Adam, setting: Setting) -> Rule:
    """Per-sample or mini-batch Adam as beta2 -> 1, for random batches."""
    n, batch = len(rows), setting.batch
    memory, epoch = 1.0 / (1.0 - optimizer.beta2), n / batch
    assumed = "beta2 -> 1: 1/(1 - beta2) well above the steps of an epoch"
    caution = ""
    if memory < SLOW * epoch:
        assumed += f", which it is not here: {memory:.4g} and {epoch:.4g}"
        caution = (
            f"the rule assumes 1/(1 - beta2) well above the {epoch:.4g} steps of an epoch; here it is {memory:.4g}: "
            'method="numerical" measures the tail map at this beta2'
        )
    if setting.order == "replacement":
        text = f"rest point of S/sqrt((b-1) S^2 + n Q), {assumed} (derived)"
        return Rule(text, tail_map=tail_maps.replacement(n, batch), caution=caution)
    text = f"rest point of S/sqrt((b-1) S^2 + (n-b) Q), {assumed} (one epoch proved, Kim, Song, Yun 2026; measured)"
    return Rule(text, tail_map=tail_maps.reshuffle(n, batch), caution=caution)


def blocks(n: int, setting: Setting) -> list[np.ndarray]:
    """The batches of one epoch of a fixed order."""
    count = steps_per_epoch(n, setting.batch, setting.remainder)
    return batches(n, setting.batch, setting.order, count, seed=setting.seed, remainder=setting.remainder)


def _adam(rows, optimizer: Adam, setting: Setting) -> Rule | str:
    full, proved = full_batch(rows, setting), optimizer.beta1 <= optimizer.beta2
    if optimizer.eps > 0.0:
        standing = "theorem for full batches, arXiv 2012.06244 and 2110.03891" if full and proved else "derived"
        level = "sqrt(eps)" if getattr(optimizer, "eps_inside", False) else "eps"
        text = f"l2 max-margin: once sqrt(v) is below {level}, Adam is gradient descent with momentum ({standing})"
        return Rule(text, norm="l2")
    if optimizer.kappa > 0.0:
        if full:
            return Rule("eps proportional to the loss (derived)", kappa=optimizer.kappa)
        return "there is no closed limit for Adam with kappa > 0 on mini-batches; the numerical tail map has one"
    if full:
        standing = "theorem for decreasing steps" if proved else "measured: beyond beta1 <= beta2, the hypothesis"
        return Rule(f"l_inf max-margin ({standing}, arXiv 2406.10650)", norm="linf")
    if setting.order in ("cyclic", "shuffle_once"):
        standing = "arXiv 2510.26303" if setting.batch == 1 and proved else "derived, as arXiv 2510.26303 for b = 1"
        if not proved:
            standing += " and beta1 <= beta2"
        text = f"rest point of the epoch map at these beta1, beta2 ({standing})"
        return Rule(text, tail_map=tail_maps.Epoch(blocks(len(rows), setting), optimizer.beta1, optimizer.beta2))
    if setting.order == "reshuffle" and setting.remainder == "keep" and len(rows) % setting.batch:
        return "there is no limit theory for reshuffled batches of unequal size; use remainder 'drop'"
    return slow_rule(rows, optimizer, setting)


def _adamw(rows, optimizer: AdamW, setting: Setting) -> Rule | str:
    if optimizer.weight_decay > 0.0:
        return (
            "with weight decay the weights converge to a point and have no limit direction; full batch, with eps = 0 "
            "and beta1 <= beta2, limits.adamw_point finds the point"
        )
    adam = Adam(optimizer.beta1, optimizer.beta2, optimizer.eps, optimizer.bias_correction)
    return _adam(rows, adam, setting)


def _adam_proxy(rows, optimizer, setting) -> Rule | str:
    if full_batch(rows, setting):
        text = "rest point of S/sqrt(Q) (theorem given convergence, arXiv 2510.26303)"
        return Rule(text, tail_map=tail_maps.proxy())
    if setting.batch == 1:
        return _mean_sign(rows)
    return "there is no closed limit for AdamProxy with 1 < b < n; the numerical tail map has one"


def _mean_sign(rows) -> Rule | str:
    mean = np.sign(rows).mean(axis=0)
    if not mean.any():
        return "there is no limit direction: the steps sign(a_i) have the mean 0"
    return Rule("mean of sign(a_i): every step has the same length (derived)", constant=mean)


def _adagrad(rows, optimizer, setting) -> str:
    return (
        "the limit of AdaGrad depends on the gradients at the start of the run; limits.adagrad_direction reads "
        "it off a run"
    )


def _sgd(rows, optimizer, setting) -> Rule:
    if optimizer.momentum == 0.0:
        standing = f"theorem for small steps, arXiv {'1710.10345' if full_batch(rows, setting) else '1806.01796'}"
    else:
        standing = "derived" if optimizer.nesterov else "theorem for small steps, arXiv 2110.03891"
    return Rule(f"l2 max-margin ({standing})", norm="l2")


def _sgd_over_loss(rows, optimizer, setting) -> Rule | str:
    if full_batch(rows, setting):
        return Rule("l2 max-margin (theorem for small steps, arXiv 1803.01905)", norm="l2")
    if setting.batch == 1:  # l'(z) / l(z) tends to -1
        return Rule("mean of a_i: every step is eta_t a_i in the end (derived)", constant=rows.mean(axis=0))
    return "there is no closed limit for SGD over the loss with 1 < b < n; the numerical tail map has one"


def _ngd(rows, optimizer, setting) -> Rule | str:
    if full_batch(rows, setting):
        return Rule("l2 max-margin (theorem for small steps, arXiv 1907.03215)", norm="l2")
    if setting.batch == 1:
        text = "mean of a_i/||a_i||_2: every step has the same length (derived)"
        return Rule(text, constant=unit(rows).mean(axis=0))
    return "there is no closed limit for normalised gradient descent with 1 < b < n; the numerical tail map has one"


def _signum(rows, optimizer, setting) -> Rule | str:
    if full_batch(rows, setting):
        # At constant steps the loss falls like e^(-gamma_inf lr t): faster than beta^t, and the sign of m freezes.
        slow = ", or those with gamma_inf lr well below 1 and below log(1/beta)" if optimizer.beta > 0.0 else ""
        text = f"l_inf max-margin: steepest descent in l_inf (theorem for decreasing steps{slow}, arXiv 2502.04664)"
        return Rule(text, norm="linf")
    if setting.batch == 1 and optimizer.beta == 0.0:
        return _mean_sign(rows)
    if setting.order in ("cyclic", "shuffle_once"):
        enough = STILL * (1.0 - optimizer.beta) / float(np.abs(rows).sum(axis=1).max())
        text = f"rest point of the mean of sign(m) over an epoch at this beta, for steps down to {enough:.1g} (derived)"
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
    SGDOverLoss: _sgd_over_loss,
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

"""The limits of the optimizer family, by name: what each has from a theorem, or from the rule of another optimizer."""

from dataclasses import replace

import numpy as np

from implicitbias.limits import rules
from implicitbias.limits.frozen import from_start
from implicitbias.limits.rules import Rule, full_batch, slow_rule
from implicitbias.optimizers import Adam, Optimizer, Signum
from implicitbias.simulation.setting import Setting

DECAYED = "with weight decay the weights converge to a point and have no limit direction"
_BOX = "full batch it is in the box |w_j| <= 1/weight_decay (arXiv 2310.05898)"
_MOMENTUM = "it is gradient descent with momentum"
_MEASURED = "; the numerical tail map has one"


def rule(rows: np.ndarray, optimizer: Optimizer, setting: Setting) -> Rule | str:
    """The rule for an optimizer on rows (n, d), or one sentence that says what theory is missing."""
    return FAMILY.get(optimizer.family, rules.rule)(rows, optimizer, setting)


def rmsprop(rows, optimizer, setting) -> Rule | str:
    return rule(rows, optimizer.as_adam, setting)


def _like_adam(rows, optimizer, setting) -> Rule | str:
    """Optimizers whose mean step is that of Adam as beta2 -> 1, and that follow the sign of a full gradient."""
    if optimizer.eps > 0.0:
        return Rule(f"l2 max-margin: once sqrt(v) is below eps, {_MOMENTUM} (derived, as for Adam)", norm="l2")
    if full_batch(rows, setting):
        return Rule("l_inf max-margin (derived, as full-batch Adam, arXiv 2406.10650)", norm="linf")
    if setting.order in ("cyclic", "shuffle_once"):
        return f"there is no closed limit for {type(optimizer).__name__} on batches in a fixed order{_MEASURED}"
    found = slow_rule(rows, Adam(0.0, optimizer.beta2), setting)
    return replace(found, text=f"{found.text}, as for Adam (derived)")


def schedule_free_adamw(rows, optimizer, setting) -> Rule | str:
    if optimizer.weight_decay > 0.0:
        return DECAYED
    found = rule(rows, Adam(0.0, optimizer.beta2, optimizer.eps), setting)
    return found if isinstance(found, str) else replace(found, text=f"{found.text}, as for Adam(0, beta2) (derived)")


def lion(rows, optimizer, setting) -> Rule | str:
    if optimizer.weight_decay > 0.0:
        return f"{DECAYED}; {_BOX}"
    if full_batch(rows, setting):
        return Rule("l_inf max-margin (derived, as full-batch Signum, arXiv 2502.04664)", norm="linf")
    if optimizer.beta1 == optimizer.beta2:
        return rule(rows, Signum(optimizer.beta1), setting)
    return f"there is no closed limit for Lion on mini-batches{_MEASURED}"


def steepest_descent(rows, optimizer, setting) -> Rule | str:
    if full_batch(rows, setting):
        text = f"l_p max-margin, p = {optimizer.p:g} (theorem, arXiv 1802.08246)"
        return Rule(text, norm=("lp", optimizer.p))
    if optimizer.p == float("inf"):
        return rule(rows, Signum(0.0), setting)
    return f"there is no closed limit for steepest descent on mini-batches{_MEASURED}"


def mirror_descent(rows, optimizer, setting) -> Rule | str:
    if full_batch(rows, setting):
        return Rule(f"l_p max-margin, p = {optimizer.p:g} (theorem, arXiv 2205.12808)", norm=("lp", optimizer.p))
    return "there is no limit theory for mirror descent on mini-batches"


def sam(rows, optimizer, setting) -> Rule:
    return Rule("l2 max-margin (derived for linear models, arXiv 2603.08290)", norm="l2")


def schedule_free_sgd(rows, optimizer, setting) -> Rule:
    return Rule("l2 max-margin (derived: an average of gradient descent)", norm="l2")


def dual_accelerated(rows, optimizer, setting) -> Rule | str:
    if full_batch(rows, setting):
        return Rule("l2 max-margin (theorem, arXiv 2107.00595)", norm="l2")
    return "there is no limit theory for momentum in the dual on mini-batches"


def progressive_rescaling(rows, optimizer, setting) -> Rule | str:
    if full_batch(rows, setting):
        caution = "a stage too short for its growth, or rows that are no support vectors, freeze it on the way"
        return Rule("l2 max-margin (theorem for long stages, arXiv 2311.14387)", norm="l2", caution=caution)
    return "there is no limit theory for progressive rescaling on mini-batches"


def amsgrad(rows, optimizer, setting) -> str:
    return (
        "the limit of AMSGrad depends on the gradients at the start of the run: its second moment u freezes on them, "
        f"and it ends as gradient descent in the norm of sqrt(u){' + eps' * (optimizer.eps > 0.0)} (measured)"
    )


def ftrl(rows, optimizer, setting) -> Rule | str:
    if optimizer.beta == 1.0:
        return "without discount FTRL freezes on the early gradients, and has no limit that theory knows"
    if optimizer.beta == 0.0:
        return rule(rows, Signum(0.0), setting)
    return (
        f"there is no limit theory for {optimizer.label}: it is Adam with beta1 = sqrt(beta2), at which the ratio "
        "m/sqrt(v) has no bound"
    )


def adagrad_flow(rows, optimizer, setting) -> Rule:
    text = "max-margin in the geometry that the updates leave (arXiv 1906.03559)"
    return Rule(text, begun=from_start(optimizer, setting))


def sophia(rows, optimizer, setting) -> Rule | str:
    if optimizer.eps > 0.0:
        return Rule(f"l2 max-margin: once rho h is below eps, {_MOMENTUM} (derived)", norm="l2")
    if optimizer.rho == 0.0:
        return rule(rows, Signum(optimizer.beta1), setting)
    return f"there is no closed limit for Sophia{_MEASURED} for steps that tend to 0"


def _of_base(rows, optimizer, setting) -> Rule | str:
    """An average beside an optimizer changes nothing of where that goes."""
    return rule(rows, optimizer.base, setting)


def _of_base_on_all_rows(rows, optimizer, setting) -> Rule | str:
    found = rule(rows, optimizer.base, replace(setting, batch=len(rows), order="full"))
    if isinstance(found, str):
        return found
    return replace(found, text=f"{found.text}; variance-reduced, at every batch size (theorem, arXiv 2602.11557)")


def _mars(rows, optimizer, setting) -> Rule | str:
    if full_batch(rows, setting):
        return _of_base(rows, optimizer, setting)
    return f"there is no closed limit for MARS on mini-batches (open){_MEASURED} for steps that tend to 0"


def _decayed(rows, optimizer, setting) -> Rule | str:
    if optimizer.weight_decay == 0.0:
        return _of_base(rows, optimizer, setting)
    found = _of_base(rows, optimizer, replace(setting, batch=len(rows), order="full"))
    if isinstance(found, Rule) and found.norm == "linf":
        return f"{DECAYED}; {_BOX}, at limits.adamw_point"
    return DECAYED


def _clipped(rows, optimizer, setting) -> Rule | str:
    base = optimizer.base
    found = _of_base(rows, optimizer, setting)
    if isinstance(found, str) and not optimizer.has_tail_map:
        return found
    if isinstance(found, Rule) and (not base.scale_free or found.norm == "linf"):
        why = "signs are clipped alike" if base.scale_free else "as the steps vanish, none is clipped in the end"
        return replace(found, text=f"{found.text}; {why} (derived)")
    return f"there is no closed limit for {optimizer.label} here{_MEASURED}"


FAMILY = {
    "rmsprop": rmsprop, "nadam": _like_adam, "laprop": _like_adam, "amsgrad": amsgrad, "ftrl": ftrl, "lion": lion,
    "steepest_descent": steepest_descent, "mirror_descent": mirror_descent, "sam": sam, "sophia": sophia,
    "schedule_free_sgd": schedule_free_sgd, "schedule_free_adamw": schedule_free_adamw,
    "dual_accelerated": dual_accelerated, "progressive_rescaling": progressive_rescaling,
    "adagrad_flow": adagrad_flow, "ema": _of_base, "svrg": _of_base_on_all_rows, "mars": _mars,
    "decayed": _decayed, "clipped": _clipped,
}  # fmt: skip

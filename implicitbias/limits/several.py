"""Which limit theory has for an optimizer on rows of several classes.

Entrywise optimizers see a binary problem on the pairs (i, c), whose samples come and go together; matrix optimizers
have norms of their own.
"""

from dataclasses import replace

import numpy as np

from implicitbias.lengths import unit
from implicitbias.limits import family, tail_maps
from implicitbias.limits.matrix_maps import EACH, FACTORED, ROW, NewtonSchulz, SampledMatrix, turning
from implicitbias.limits.rules import Rule, full_batch, slow_rule
from implicitbias.margins.norms.blocks import BALLS
from implicitbias.optimizers import Optimizer
from implicitbias.optimizers.matrix.base import MatrixOptimizer
from implicitbias.problems import Multiclass
from implicitbias.simulation.setting import Setting

_WORDS = {"l2": "Frobenius", "l_inf": "max-norm", "l_p": "entrywise l_p"}
_NORMS = {"l2": "frobenius", "linf": "max"}
_MEASURED = "; the numerical tail map has one for steps that tend to 0"
_NMD = "theorem for decreasing steps, arXiv 2502.04664"
_RANK_ONE = "every gradient has rank one and every step the same length (derived)"


def rule(problem: Multiclass, optimizer: Optimizer, setting: Setting) -> Rule | str:
    """The rule for an optimizer, or one sentence that says what theory is missing."""
    if getattr(optimizer, "weight_decay", 0.0) > 0.0 and isinstance(optimizer, MatrixOptimizer):
        return f"{family.DECAYED}; they stay within N(W) <= 1/weight_decay in the norm N of the step"
    if isinstance(optimizer, MatrixOptimizer):
        return _MATRIX[optimizer.name](problem, optimizer, setting)
    return _entrywise(problem, optimizer, setting)


def _full(problem, setting) -> bool:
    return full_batch(problem.X, setting)


def _entrywise(problem, optimizer, setting) -> Rule | str:
    # A pair has twice the entries of its row; of the rows the rules ask for no more than that.
    rows = problem.pairs() if problem.k == 2 else 2.0 * problem.X
    found = family.rule(rows, optimizer, setting)
    if isinstance(found, str):
        return found
    text = found.text
    for word, other in _WORDS.items():
        text = text.replace(f"{word} max-margin", f"{other} max-margin")
    found = replace(found, text=text)
    if found.norm is not None:
        return replace(found, norm=_NORMS.get(found.norm, found.norm))
    if found.constant is not None and problem.k == 2:
        return found
    if isinstance(found.tail_map, tail_maps.Sampled):
        tail_map = found.tail_map
        return replace(found, tail_map=_sampled(problem, tail_map.pairs, tail_map.singles, EACH))
    if isinstance(found.tail_map, tail_maps.FixedBlocks):
        others = np.arange(problem.k - 1)
        pairs = [(block[:, None] * (problem.k - 1) + others).reshape(-1) for block in found.tail_map.blocks]
        return replace(found, tail_map=replace(found.tail_map, blocks=pairs))
    return f"there is no closed limit for {optimizer.label} on {problem.k} classes here{_MEASURED}"


def _sampled(problem, pairs, singles, kind) -> SampledMatrix:
    # One by one, coordinates may be at levels of their own; together, they have no meaning as coordinates.
    turn = None if kind == EACH else turning(problem.k * problem.d)
    return SampledMatrix(problem.shape, turn, problem.n, pairs, singles, kind)


def _open(problem, optimizer, setting) -> str:
    return f"there is no limit theory for {optimizer.label}; where it goes is open"


def _rank_one(problem, optimizer, setting, momentum: float) -> Rule | str:
    if setting.batch == 1 and momentum == 0.0 and problem.k == 2:
        return Rule(f"mean of a_i/||a_i||_F: {_RANK_ONE}", constant=unit(problem.pairs()).mean(axis=0))
    return f"there is no closed limit for {optimizer.label} on mini-batches{_MEASURED}"


def _normalized(problem, optimizer, setting) -> Rule | str:
    norm = ("ky_fan", int(optimizer.r)) if optimizer.norm == "ky_fan" else optimizer.norm
    if _full(problem, setting):
        name = f"{norm[0]} {norm[1]}" if isinstance(norm, tuple) else norm
        return Rule(f"max-margin in the norm {name} ({_NMD}, Theorem {2 if optimizer.momentum else 1})", norm=norm)
    if optimizer.norm in ("frobenius", "spectral", "nuclear", "ky_fan"):
        return _rank_one(problem, optimizer, setting, optimizer.momentum)
    return f"there is no closed limit for {optimizer.label} on mini-batches{_MEASURED}"


def _hybrid(problem, optimizer, setting) -> Rule | str:
    parts = optimizer.first, int(optimizer.split), optimizer.second, float(optimizer.step_ratio)
    if not _full(problem, setting):
        return f"there is no closed limit for {optimizer.label} on mini-batches{_MEASURED}"
    if not {*parts[::2]} <= {*BALLS}:
        return f"the limit of {optimizer.label} is in a norm of blocks that no margin is certified in{_MEASURED}"
    text = f"max-margin in max({parts[0]} of the first {parts[1]} features, {parts[2]} of the others / {parts[3]:g})"
    return Rule(f"{text} ({_NMD}, Theorem {2 if optimizer.momentum else 1})", norm=("blocks", parts))


def _muon(problem, optimizer, setting) -> Rule | str:
    if not _full(problem, setting):
        exact = optimizer.polar == "exact"
        return _rank_one(problem, optimizer, setting, optimizer.momentum if exact else 1.0)
    if optimizer.polar == "exact":
        standing = "derived: the average of polar factors" if optimizer.momentum_last else _NMD
        return Rule(f"spectral max-margin ({standing})", norm="spectral")
    turn = turning(problem.k * problem.d)
    tail_map = NewtonSchulz(problem.shape, turn, optimizer.polar, int(optimizer.iterations))
    text = f"rest point of {optimizer.iterations:g} Newton-Schulz steps ({optimizer.polar}) of the gradient (derived)"
    return Rule(text, tail_map=tail_map)


def _mars(problem, optimizer, setting) -> Rule | str:
    if _full(problem, setting):
        return _muon(problem, optimizer.base, setting)
    return f"there is no closed limit for MARS on mini-batches (open){_MEASURED}"


def _svrg(problem, optimizer, setting) -> Rule | str:
    return _muon(problem, optimizer.base, replace(setting, batch=problem.n, order="full"))


def _random_spectrum(problem, optimizer, setting) -> Rule | str:
    if _full(problem, setting):
        text = "spectral max-margin: singular values that do not depend on the gradient have the mean of ones (derived)"
        return Rule(text, norm="spectral")
    return f"there is no closed limit for {optimizer.label} on mini-batches{_MEASURED}"


def _dion(problem, optimizer, setting) -> Rule | str:
    if not _full(problem, setting):
        return f"there is no closed limit for {optimizer.label} on mini-batches{_MEASURED}"
    if optimizer.feedback:
        return _open(problem, optimizer, setting)
    text = f"max-margin in max(spectral, nuclear/{optimizer.rank:g}): the power iteration follows slow steps (derived)"
    return Rule(text, norm=("ky_fan", int(optimizer.rank)))


def _shampoo(problem, optimizer, setting) -> Rule | str:
    if optimizer.beta == 1.0:
        return (
            "the limit of Shampoo that accumulates depends on the gradients at the start of the run: its "
            "preconditioners freeze on them (measured)"
        )
    if _full(problem, setting):
        return Rule("spectral max-margin: of slow steps it is the polar factor (derived)", norm="spectral")
    return _rank_one(problem, optimizer, setting, optimizer.momentum + optimizer.beta)


def _slow(problem, optimizer, setting, kind: str, words: str) -> Rule | str:
    """The rule of Adam with beta2 -> 1, with other means of the second moment."""
    if setting.order in ("cyclic", "shuffle_once"):
        return f"there is no closed limit for {optimizer.label} on batches in a fixed order{_MEASURED}"
    found = slow_rule(problem.X, optimizer, setting)
    adam = found.tail_map
    return replace(
        found, text=f"{found.text}; {words} (derived)", tail_map=_sampled(problem, adam.pairs, adam.singles, kind)
    )


def _adafactor(problem, optimizer, setting) -> Rule | str:
    if _full(problem, setting):
        return f"there is no closed limit for {optimizer.label} on all rows: it depends on the step size (measured)"
    return _slow(problem, optimizer, setting, FACTORED, "the root is of the product of means over rows and columns")


def _adalayer(problem, optimizer, setting) -> Rule | str:
    if _full(problem, setting):
        return Rule("max-margin in the norm rows: each class moves by the same length (derived)", norm="rows")
    return _slow(problem, optimizer, setting, ROW, "the root is of the mean over the row")


def _adasgd(problem, optimizer, setting) -> Rule:
    return Rule("Frobenius max-margin: one second moment is a step size (derived)", norm="frobenius")


_MATRIX = {
    "normalized_steepest_descent": _normalized, "muon": _muon, "olion": _open, "random_spectrum": _random_spectrum,
    "dion": _dion, "shampoo": _shampoo, "soap": _open, "adafactor": _adafactor, "adasgd": _adasgd,
    "adalayer": _adalayer, "hybrid": _hybrid, "mars_muon": _mars,
    "svrg_muon": _svrg,
}  # fmt: skip

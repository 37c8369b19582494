"""Does an optimizer keep what the suite promises? For one's own, and for those of the package alike.

class MyOptimizer(ib.Optimizer): ...
ib.testing.conformance(MyOptimizer(beta=0.9))
"""

import inspect
import pickle
import warnings
from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np

from implicitbias.errors import InputError
from implicitbias.geometry import gaussian, sparse
from implicitbias.limits import predict
from implicitbias.optimizers.base import Optimizer, wrong_optimizer
from implicitbias.problems import AnyProblem, Multiclass, Problem
from implicitbias.simulation.run import Run
from implicitbias.simulation.simulate import simulate

STEPS, LR, SEED = 240, 0.1, 5
FAR = 12_000.0  # a margin at which float64 has lost every weight
OF_FIELDS = ("Arguments", "Errors")  # sections of hyper-parameters
SECTIONS = (*OF_FIELDS, "Source", ">>>")


@dataclass(frozen=True)
class Check:
    """One promise: its name, and `outcome`, "kept" or why it does not apply."""

    name: str
    outcome: str


def conformance(optimizer: Optimizer, *, lr: float = LR) -> list[Check]:
    """Try an optimizer on small problems, dense and sparse, near the start and far beyond float64's underflow; one of
    matrices on three classes.

    The promises
        documented      the docstring has what the optimizer is, its arguments, errors, an example and its source
        refuses         a hyper-parameter of the wrong type is an ``InputError``
        pickled         it comes back equal
        deterministic   the same run has the same bits
        alone           a run has the same bits alone and in a block
        snapshots       what is looked at changes nothing, and a longer run begins like a shorter one
        resumed         a run that is interrupted and goes on has the bits of one that is not
        permuted        permuted coordinates have the permuted path (`Optimizer.equivariant`)
        scale-free      a positive factor of all gradients changes nothing (`Optimizer.scale_free`), however small
        measured        its tail map can be measured (`Optimizer.has_tail_map`)

    Arguments
        optimizer   an instance
        lr          step size of the runs

    Returns a list of ``Check``, one a promise.
    Errors: ``AssertionError`` naming the promise that is broken, and by how much; ``InputError`` for what is no
    optimizer.

    >>> import implicitbias as ib
    >>> {check.name: check.outcome for check in conformance(ib.Lion(), lr=0.1)}["alone"]
    'kept'
    """
    if not isinstance(optimizer, Optimizer):
        raise InputError(wrong_optimizer(optimizer))
    trial = _Trial(optimizer, lr)
    found = []
    for name, check in _CHECKS.items():
        reason = check(trial)
        found.append(Check(name, reason or "kept"))
    return found


class _Trial:
    """Runs of one optimizer."""

    def __init__(self, optimizer: Optimizer, lr: float):
        self.optimizer, self.lr = optimizer, lr
        self.matrix = optimizer.unfit((9,)) is not None
        data = gaussian(n=6, d=9, seed=1), sparse(n=6, d=12, seed=1)
        self.problems = [self.problem(binary.rows, binary.name) for binary in data]

    def problem(self, rows: np.ndarray, name: str = "custom") -> AnyProblem:
        return Multiclass(rows, np.arange(6) % 3, name=name) if self.matrix else Problem(rows, name=name)

    def run(self, problem: AnyProblem, optimizer=None, **options) -> Run:
        options = {"lr": self.lr, "batch": 2, "steps": STEPS, "seed": SEED} | options
        return simulate(problem, optimizer or self.optimizer, **options)

    def holds(self, name: str, good: bool, words: str) -> None:
        if not good:
            raise AssertionError(f"{self.optimizer.label} is not {name}: {words}")

    def same(self, name: str, one: np.ndarray, other: np.ndarray, words: str) -> None:
        self.holds(name, bool(np.array_equal(one, other, equal_nan=True)), f"{words}; {_apart(one, other)}")

    def near(self, name: str, one: np.ndarray, other: np.ndarray, words: str, tolerance: float) -> None:
        size = np.abs(other).max()
        self.holds(name, bool(np.abs(one - other).max() <= tolerance * size), f"{words}; {_apart(one, other)}")


def _apart(one: np.ndarray, other: np.ndarray) -> str:
    return f"they are {np.abs(one - other).max():.3g} apart, of {np.abs(other).max():.3g}"


def _documented(trial: _Trial) -> str | None:
    kind = type(trial.optimizer)
    text = inspect.getdoc(kind) or ""
    needed = [word for word in SECTIONS if word not in OF_FIELDS or fields(kind)]
    missing = [word for word in needed if word not in text]
    if hasattr(kind, "base_kind"):
        return "the docstring is that of what it is made with"
    trial.holds("documented", not missing, f"its docstring lacks {', '.join(missing)}")
    return None


def _refuses(trial: _Trial) -> str | None:
    kind = type(trial.optimizer)
    for item in fields(kind):
        try:
            replace(trial.optimizer, **{item.name: "x"})
        except InputError:
            continue
        trial.holds("refuses", False, f"{item.name} = 'x' is taken")
    return None if fields(kind) else "it has no hyper-parameters"


def _pickled(trial: _Trial) -> str | None:
    back = pickle.loads(pickle.dumps(trial.optimizer))
    trial.holds("pickled", back == trial.optimizer, f"it comes back as {back!r}")
    return None


def _deterministic(trial: _Trial) -> str | None:
    for problem in trial.problems:
        one, other = (trial.run(problem) for _ in range(2))
        trial.same("deterministic", one.weights, other.weights, f"two runs on {problem.name} differ")
    return None


def _alone(trial: _Trial) -> str | None:
    for problem in trial.problems:
        alone = trial.run(problem)
        block = trial.run(problem, [trial.optimizer] * 11, lr=[trial.lr] * 8 + [0.5 * trial.lr] * 2 + [trial.lr])
        for k in (0, 7, 10):
            trial.same("alone", block[k].weights, alone.weights, f"run {k} of a block on {problem.name} is another")
    return None


def _snapshots(trial: _Trial) -> str | None:
    for problem in trial.problems:
        short, often, long = (
            trial.run(problem), trial.run(problem, per_octave=100), trial.run(problem, steps=2 * STEPS)
        )  # fmt: skip
        at = {int(step): w for step, w in zip(long.steps, long.weights)}
        trial.same("snapshots", often.weights[-1], short.weights[-1], "more snapshots change the run")
        trial.same("snapshots", at[STEPS], short.weights[-1], "a longer run begins otherwise")
    return None


def _resumed(trial: _Trial) -> str | None:
    for problem in trial.problems:
        whole, part = trial.run(problem), trial.run(problem, steps=100)
        rest = simulate(problem, trial.optimizer, start=part, steps=STEPS - 100)
        trial.same("resumed", rest.weights[-1], whole.weights[-1], f"on {problem.name} it goes on otherwise")
    return None


def _permuted(trial: _Trial) -> str | None:
    if not trial.optimizer.equivariant:
        return "its coordinates are told apart"
    order = np.random.default_rng(3).permutation(9)
    problem = trial.problems[0]
    rows = problem.X if isinstance(problem, Multiclass) else problem.rows
    run = trial.run(problem, steps=50)
    other = trial.run(trial.problem(rows[:, order]), steps=50)
    trial.near("permuted", other.weights[-1], run.weights[-1][..., order], "permuted coordinates go elsewhere", 1e-9)
    return None


def _scale_free(trial: _Trial) -> str | None:
    if not trial.optimizer.scale_free:
        return "the size of the gradients counts"
    if not trial.optimizer.translates:
        return "where w is counts, beside its gradients"
    problem = trial.problems[0]
    rows = problem.pairs() if isinstance(problem, Multiclass) else problem.rows
    # all margins c: every gradient of the exponential loss is e^-c times what it is at 0
    away = np.linalg.lstsq(rows, np.ones(len(rows)), rcond=None)[0].reshape(problem.shape)
    near = trial.run(problem, loss="exponential", steps=60)
    for size in (30.0, FAR):
        start = size * away
        run = trial.run(problem, loss="exponential", steps=60, initial=start)
        allowed = max(1e-9, 1e-12 * size)  # margins are rounded to ulps of their size, and so are the weights
        words = f"at margins of {size:g} it moves otherwise"
        trial.near("scale-free", run.weights[-1] - start, near.weights[-1], words, allowed)
    return None


def _measured(trial: _Trial) -> str | None:
    if not trial.optimizer.has_tail_map:
        return "it has no tail map"
    if trial.matrix:
        return "tail maps of matrices are not measured"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        limit = predict(trial.problems[0], trial.optimizer, batch=2, method="numerical")
    trial.holds("measured", limit is not None, "no rest point of its measured tail map is found")
    words = f"the path of its measured tail map is not at rest: its direction is known to {limit.error:.1g}"
    trial.holds("measured", limit.error < 0.1, words)
    return None


_CHECKS: dict[str, Callable[[_Trial], str | None]] = {
    "documented": _documented,
    "refuses": _refuses,
    "pickled": _pickled,
    "deterministic": _deterministic,
    "alone": _alone,
    "snapshots": _snapshots,
    "resumed": _resumed,
    "permuted": _permuted,
    "scale-free": _scale_free,
    "measured": _measured,
}

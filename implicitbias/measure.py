"""What is recorded at every snapshot of a run.

    step, epoch, sum_lr, lr     updates made, passes over the data, sum of the step sizes, the last step size; of a
                                flow: steps of the integrator, NaN, the time t, NaN
    log_loss                    log of the mean loss, exact at any depth
    min_margin                  min_i a_i.w
    norm_l1, norm_l2, norm_linf
    margin_<norm>               normalised margin min_margin / norm_<norm>
    ratio_<norm>                margin_<norm> over its certified optimum gamma: 1 at a max-margin direction
    cos_<ref>, angle_<ref>      cosine, and angle in degrees, of w to the reference direction: the max-margin direction
                                of each norm, and "limit", the predicted limit of the run (implicitbias.limits)
    inc_ratio_<norm>, inc_cos_<ref>, inc_angle_<ref>
                                the same for the increment w(t) - w(t/2), which forgets the transient that stays in
                                w; half the steps, or half the time of a flow
    relative_move               ||w(t) - w(t-1)|| / ||w(t)|| (l2): the effective step size, in units of direction
    support                     least number of samples that hold 99% of the weight sum_i s_i
    residual                    ||w(t) - w_hat log t - w~||_2 with t = sum_lr, for full-batch gradient descent and
                                gradient flow: 0 in the limit, see limits.gradient_residual

NaN stands for what does not exist: the direction of w = 0, an increment before the first snapshot at t/2, a limit
or residual without theory.
"""

import warnings

import numpy as np
import pandas as pd
from scipy.special import logsumexp

from implicitbias.errors import InputError
from implicitbias.lengths import length, unit
from implicitbias.limits import Limit, predict
from implicitbias.limits.residual import gradient_residual, hard_margin
from implicitbias.losses import log_loss, log_weights
from implicitbias.margins import max_margin
from implicitbias.problem import Problem
from implicitbias.simulation.run import Run
from implicitbias.simulation.scales import level

NORMS = ("l1", "l2", "linf")
ORDERS_OF_NORM = {"l1": 1, "l2": 2, "linf": np.inf}
MASS = 0.99
REFERENCES = (*NORMS, "limit")

# Every column and its type, in order.
MEASURES: dict[str, type] = {
    "step": int,
    **dict.fromkeys(("epoch", "sum_lr", "lr", "log_loss", "min_margin"), float),
    **{f"{kind}_{norm}": float for kind in ("norm", "margin", "ratio") for norm in NORMS},
    **{f"inc_ratio_{norm}": float for norm in NORMS},
    "relative_move": float,
    **{f"{prefix}{kind}_{ref}": float for prefix in ("", "inc_") for ref in REFERENCES for kind in ("cos", "angle")},
    "support": int,
    "residual": float,
}


def support_size(z: np.ndarray, loss: str, mass: float = MASS) -> np.ndarray:
    """Least number of samples that hold `mass` of the weight, for margins z (..., n)."""
    logs = log_weights(z, loss)
    share = np.sort(np.exp(logs - logsumexp(logs, axis=-1, keepdims=True)), axis=-1)[..., ::-1]
    return 1 + (np.cumsum(share, axis=-1) < mass).sum(axis=-1).clip(max=z.shape[-1] - 1)


def cosine(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Cosine of each row of u (S, d) with the direction v (d,); NaN for zero rows."""
    with np.errstate(invalid="ignore"):
        return unit(u) @ unit(v)


def angle(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Angle in degrees of each row of u (S, d) with v (d,); accurate for small angles, where arccos is not."""
    with np.errstate(invalid="ignore"):
        a, b = unit(u), unit(v)
        return np.degrees(2.0 * np.arctan2(np.linalg.norm(a - b, axis=-1), np.linalg.norm(a + b, axis=-1)))


def size(u: np.ndarray, order: float) -> np.ndarray:
    """(S,) the l_order norm of each row of u (S, d)."""
    return length(u) if order == 2 else np.linalg.norm(u, order, axis=1)


def limit_of(run: Run) -> Limit | None:
    """The predicted limit of a run, from theory."""
    shared = run.setting
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # several rest points: the first is stable
        return predict(
            run.problem,
            run.optimizer,
            batch=shared.batch,
            order=shared.order,
            remainder=shared.remainder,
            seed=shared.seed,
        )


def measure(run: Run, limit: Limit | None) -> pd.DataFrame:
    """The measures of the module's text for one run and its predicted limit: a DataFrame with one row a snapshot."""
    return pd.DataFrame(measures(run, limit))


def measures(run: Run, limit: Limit | None) -> dict[str, np.ndarray]:
    """The same as arrays (S,): in a study of short runs a DataFrame would take longer than what is in it."""
    w = run.weights
    z = w @ run.problem.rows.T
    lowest = z.min(axis=1)
    increment = w - half_way(run)
    moved = (increment @ run.problem.rows.T).min(axis=1)
    columns = {
        "step": run.steps,
        "epoch": run.setting.epochs(run.steps, run.problem.n),
        "sum_lr": run.sum_lr,
        "lr": run.last_lr,
        "log_loss": log_loss(z, run.setting.loss),
        "min_margin": lowest,
    }
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for norm, order in ORDERS_OF_NORM.items():
            columns[f"norm_{norm}"] = size(w, order)
        for norm in NORMS:
            columns[f"margin_{norm}"] = lowest / columns[f"norm_{norm}"]
        for norm, order in ORDERS_OF_NORM.items():
            best = max_margin(run.problem, norm).margin
            columns[f"ratio_{norm}"] = columns[f"margin_{norm}"] / best
            columns[f"inc_ratio_{norm}"] = moved / size(increment, order) / best
        columns["relative_move"] = run.last_move / columns["norm_l2"]
    references = {norm: max_margin(run.problem, norm).direction for norm in NORMS}
    references["limit"] = np.full(run.problem.d, np.nan) if limit is None else limit.direction
    for prefix, vectors in (("", w), ("inc_", increment)):
        for name, direction in references.items():
            columns[f"{prefix}cos_{name}"] = cosine(vectors, direction)
            columns[f"{prefix}angle_{name}"] = angle(vectors, direction)
    columns["support"] = support_size(z, run.setting.loss)
    columns["residual"] = residual(run)
    return {name: columns[name] for name in MEASURES}


def half_way(run: Run) -> np.ndarray:
    """(S, d) the iterate at half the clock of each snapshot: a snapshot itself, up to the rounding of steps."""
    half = run.clock / 2.0
    rounding = 0.5 if run.clock.dtype.kind == "i" else 1e-9 * half
    position = np.searchsorted(run.clock, half - rounding)
    exists = np.abs(run.clock[position] - half) <= rounding
    return np.where(exists[:, None], run.weights[position], np.nan)


def residual(run: Run) -> np.ndarray:
    """(S,) the distance of w(t) - w_hat log t from its limit; NaN where that is unknown."""
    name, full = run.optimizer.name, run.setting.batch == run.problem.n and run.setting.order != "replacement"
    if not (name == "gradient_flow" or (name == "sgd" and full and run.optimizer.momentum == 0.0)):
        return np.full(len(run.steps), np.nan)
    # Rows over 2^k have the iterate 2^k w at time t 2^2k: in the middle of float64 all of it is of ordinary size.
    k, uneven = level(run.problem.rows)
    problem = Problem(np.ldexp(run.problem.rows, -k)) if k else run.problem
    try:
        if uneven:
            raise InputError(f"the rows of {run.problem.name} are too far apart for float64")
        limit = gradient_residual(problem, np.ldexp(run.initial, k))
    except InputError:  # the support vectors do not decide it
        return np.full(len(run.steps), np.nan)
    time = np.log(run.sum_lr) + 2 * k * np.log(2.0)
    with np.errstate(over="ignore", invalid="ignore"):  # a diverged run
        return np.ldexp(length(np.ldexp(run.weights, k) - np.outer(time, hard_margin(problem)) - limit), -k)

"""Predicting a limit against simulating to it: seconds of each, on one core, for the same accuracy of the direction.

    .venv/bin/python tests/benchmarks/prediction.py [results/prediction.md]

Simulation: per-sample Adam, rows in order, Gaussian data; the seconds in the compiled kernel until the cosine to the
limit stays within the accuracy, of the iterate w(t) and of the increment w(t) - w(t/2), for the faster of two step-size
schedules. Prediction: `ib.predict`, search from all its starts and certificate included; its gap is at rounding,
whatever accuracy the simulation is asked for. Medians over data seeds.
"""

import sys
import time
import warnings
from pathlib import Path

import numpy as np

import implicitbias as ib

SHAPES = ((10, 50, 20_000_000), (40, 100, 10_000_000), (100, 200, 10_000_000))
WHAT = {"increment": "inc_cos_limit", "iterate": "cos_limit"}
ACCURACIES = (1e-3, 1e-5, 1e-7, 1e-9)
SCHEDULES = (ib.Power(0.1, 0.5), ib.Power(0.02, 0.5))
SEEDS = 3


def seconds_to(run: ib.Run, column: str, accuracy: float) -> float:
    """Kernel seconds of a run until 1 - cosine stays below the accuracy; inf if it never does."""
    missed = run.steps[1.0 - run.curve[column].to_numpy() > accuracy]
    if len(missed) and missed[-1] == run.steps[-1]:
        return np.inf
    return run.seconds * (missed[-1] if len(missed) else 1) / run.steps[-1]


def main() -> None:
    warnings.simplefilter("ignore", RuntimeWarning)
    optimizer = ib.Adam(0.9, 0.95)
    ib.simulate([[1.0, 2.0]], optimizer, steps=10)  # compile
    lines = [
        "| n, d | predict (s) | of the | accuracy 1 - cos | simulate (s) | ratio |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for n, d, steps in SHAPES:
        predicted, runs = [], []
        for seed in range(SEEDS):
            problem = ib.geometry.gaussian(n=n, d=d, seed=seed)
            for norm in ("l2", "linf"):
                ib.max_margin(problem, norm)  # kept with the problem: not a part of the prediction's time
            clock = time.perf_counter()
            ib.predict(problem, optimizer, order="cyclic")
            predicted.append(time.perf_counter() - clock)
            runs.append(ib.simulate(problem, [optimizer] * 2, lr=list(SCHEDULES), order="cyclic", steps=steps))
        one = float(np.median(predicted))
        for what, column in WHAT.items():
            for accuracy in ACCURACIES:
                other = float(np.median([min(seconds_to(run, column, accuracy) for run in pair) for pair in runs]))
                more = "" if np.isfinite(other) else "> "
                other = (
                    other if np.isfinite(other) else float(np.median([run.seconds for pair in runs for run in pair]))
                )
                lines.append(
                    f"| {n}, {d} | {one:.2g} | {what} | {accuracy:g} | {more}{other:.2g} | {more}{other / one:.2g} |"
                )
    text = "\n".join(lines) + "\n"
    print(text)
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(text)


if __name__ == "__main__":
    main()

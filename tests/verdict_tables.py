"""Hand-made tables of runs, and the verdicts on them."""

import tomllib

import pandas as pd
import pyarrow as pa

from implicitbias.store.schema import CURVES, RUNS
from implicitbias.study.claims import verdicts
from implicitbias.study.expand import expand
from implicitbias.study.spec import parse_study
from implicitbias.sweep.execute import execute

STEPS = 1000


def study_of(*claims, grid=()):
    study = {"title": "t", "data": {"iris": {}}, "optimizer": {"sgd": {}}, "grid": list(grid) or [{}]}
    return parse_study(study | {"claim": [{"says": "a", "source": "b", "measure": "cos_l2"} | item for item in claims]})


def claim_on(runs, curves=None, /, *, grid=(), **claim):
    """The verdict on one claim about these tables."""
    curves = CURVES.empty_table().to_pandas() if curves is None else curves
    (verdict,) = verdicts(study_of(claim, grid=grid), runs, curves)
    return verdict


def table(*rows):
    """A table of runs; what a row leaves out is as in the other rows."""
    same = {
        "data": "gaussian", "data_kind": "gaussian", "data_params": "{}", "data_digest": "x", "data_seed": 0, "n": 4,
        "d": 6, "optimizer": "sgd", "optimizer_kind": "sgd", "label": "SGD", "momentum": 0.0, "nesterov": False,
        "lr_eta": 0.1, "lr_a": 0.0, "lr_t0": 2.0, "batch": 1, "order": "cyclic", "remainder": "keep", "steps": STEPS,
        "seed": 0, "loss": "logistic", "per_octave": 8, "status": "ok", "step": STEPS,
    }  # fmt: skip
    frame = RUNS.empty_table().to_pandas()
    return pd.DataFrame([same | {"run_id": f"r{i}"} | row for i, row in enumerate(rows)], columns=frame.columns)


def values(*numbers):
    return table(*({"cos_l2": number} for number in numbers))


def judged(text):
    """The verdicts on the claims of a study that is run here and now, and its table of runs."""
    study = parse_study(tomllib.loads(text))
    _, rows, curves = execute([[spec] for spec in expand(study)])
    runs = pa.Table.from_pylist(rows, schema=RUNS).to_pandas()
    return verdicts(study, runs, curves.to_pandas()), runs

"""Made-up tables of a study, and what is needed to read the page made from them."""

import json
import re
from html.parser import HTMLParser
from itertools import product

import numpy as np
import pandas as pd
import pyarrow as pa
from stores import create

from implicitbias.store.schema import CURVES, RIVALS, RUNS
from implicitbias.study.naming import label_runs

STEPS = [1, 2, 4, 8, 16, 32]
STUDY = """
title = "A study"
question = "Which direction?"
sources = ["Someone 2025, arXiv:0000.00000"]
data.gaussian = {}
optimizer.adam = {}
grid = [{ steps = 32 }]
"""


def tables(
    data=("gaussian",), labels=("Adam(0.9, 0.95)", "SGD"), orders=("reshuffle",), batches=(1, 2, 4), seeds=3,
    status="ok", steps=STEPS, methods=("none",),
):  # fmt: skip
    """A table of runs and one of snapshots as a study writes them, with made-up measures.

    A run has a predicted limit for each of the methods but "none".
    """
    random = np.random.default_rng(0)
    runs, curves = [], []
    columns = [name for name in CURVES.names if name not in ("run_id", "step", "support")]
    for name in data:
        for order in orders:
            for batch in batches:
                for label in labels:
                    for seed, limit_method in product(range(seeds), methods):
                        run_id = f"{len(runs):016x}"
                        values = random.uniform(0.1, 1.0, (len(steps), len(columns)))
                        if limit_method == "none":
                            values[:, [name.endswith("_limit") for name in columns]] = np.nan
                        curve = pd.DataFrame(values, columns=columns).assign(
                            run_id=run_id, step=steps, support=1, log_loss=-np.array(steps, float)
                        )
                        run = {
                            "run_id": run_id, "data": name, "data_params": json.dumps({"n": 4, "seed": seed}),
                            "data_seed": seed, "data_digest": f"{name}{seed}", "n": 4, "d": 5, "optimizer": "o",
                            "label": label, "lr_eta": 0.1, "lr_a": 0.0, "lr_t0": 2.0, "batch": batch, "order": order,
                            "limit_method": limit_method, "steps": steps[-1], "loss": "logistic", "status": status,
                            "version": "1", "source": "abc",
                            "libraries": "numpy 2", "machine": "Linux",
                        }  # fmt: skip
                        if status == "ok":
                            norms = ("l1", "l2", "linf")
                            run |= curve.iloc[-1].to_dict() | {"kernel_seconds": 0.25}
                            run |= {f"gamma_{x}": 0.5 for x in norms} | {f"gap_{x}": 1e-12 for x in norms}
                            run |= {f"unique_{x}": x != "linf" for x in norms}
                            if limit_method != "none":
                                run |= {f"limit_cos_{x}": random.uniform(0.5, 1.0) for x in norms}
                                run |= {f"inc_cos_if_{x}": random.uniform(0.5, 1.0) for x in RIVALS}
                                run |= {"limit_rule": f"rule of {limit_method}", "limit_gap": 1e-9}
                            curves.append(curve)
                        else:
                            run["message"] = f"{status}: no <b>separator</b>"
                        runs.append(run)
    found = pa.Table.from_pandas(pd.concat(curves)[CURVES.names], CURVES, preserve_index=False) if curves else None
    return pa.Table.from_pylist(runs, schema=RUNS), found or CURVES.empty_table()


def folder(path, runs, curves, text=STUDY):
    identity = {"study": "s", "settings": [], "runs": runs.num_rows, "digest": "x"}
    store = create(path / "results", identity, text)
    store.add("part", runs.to_pylist(), curves)
    store.compact(runs.column("run_id").to_pylist())
    return store.folder


class Page(HTMLParser):
    """What a page loads, its elements and its text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.loads, self.words = [], [], []
        self.feed(text)
        self.text = re.sub(r"\s+", " ", " ".join(self.words))

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.loads += [value for name, value in attrs if name in ("src", "href", "srcset", "data", "action")]

    def handle_data(self, data):
        self.words.append(data)


def read(path):
    return Page(path.read_text(encoding="utf-8"))


def frames(**options):
    runs, curves = tables(**options)
    return label_runs(runs.to_pandas()), curves

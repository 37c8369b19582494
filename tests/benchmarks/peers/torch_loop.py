"""PyTorch: `torch.optim` in a loop over the steps, one run; the fused optimizers, its fastest on one core."""

from importlib.metadata import version
from importlib.util import find_spec

import numpy as np

from .work import BETA2, Work

LABEL = "torch"
RUNS = (1,)
EXTRA = "pip install '.[peers]'"


def available() -> bool:
    return find_spec("torch") is not None


def versions() -> str:
    return f"torch {version('torch')}"


def can(work: Work) -> bool:
    return work.rule in ("adam", "sgd")


def prepare(work: Work, runs: int, steps: int):
    import torch

    torch.set_num_threads(1)
    rows = torch.tensor(work.rows)
    lr, beta1 = float(work.lr(1)[0]), float(work.beta1(1)[0])
    if work.order == "full":
        batches = [None] * steps
    else:
        batches = torch.tensor(work.indices(steps)).unbind(0)

    labels = torch.tensor(work.labels)

    def loss(w, batch):
        seen = rows if batch is None else rows.index_select(0, batch)
        if work.k == 1:
            return torch.nn.functional.softplus(-(seen @ w)).mean()
        return torch.nn.functional.cross_entropy(seen @ w.T, labels if batch is None else labels.index_select(0, batch))

    def run() -> np.ndarray:
        shape = work.d if work.k == 1 else (work.k, work.d)
        w = torch.zeros(shape, dtype=torch.float64, requires_grad=True)
        if work.rule == "adam":
            optimizer = torch.optim.Adam([w], lr=lr, betas=(beta1, BETA2), eps=0.0, fused=True)
        else:
            optimizer = torch.optim.SGD([w], lr=lr, fused=True)
        for batch in batches:
            optimizer.zero_grad()
            loss(w, batch).backward()
            optimizer.step()
        return w.detach().numpy().reshape(1, -1).copy()

    return run

"""What is computed: data, row order, step sizes and update rule of a benchmark, and the plain reference for it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from implicitbias.simulation.orders import batches

BETA2 = 0.999
SEED = 0
QUINTIC = (3.4445, -4.7750, 2.0315)
# Rows drawn before the sequence handed to the peers repeats: more than a branch predictor can learn by heart.
DRAWN = 200_000


@dataclass(frozen=True)
class Work:
    """Mean logistic loss of `batch` of n rows in dimension d, minimised from w = 0 by `rule`, "adam" or "sgd"; or, for
    k classes, the cross-entropy of softmax by "adam", "ngd" or "muon".

    Adam has bias correction, eps = 0, beta2 = 0.999 and a constant step size; SGD has no momentum. Rows come reshuffled
    every epoch, or all at once if batch = n. The R runs of a block share the rows and their order, and differ in step
    size and beta1 as those of a sweep do; run 0 has lr = 0.001 and beta1 = 0.9.
    """

    rule: str
    n: int
    d: int
    batch: int
    k: int = 1

    @property
    def size(self) -> int:
        """Weights of a run."""
        return self.k * self.d

    @property
    def order(self) -> str:
        return "full" if self.batch == self.n else "reshuffle"

    @cached_property
    def rows(self) -> np.ndarray:
        """(n, d) Gaussian rows with the labels absorbed; for Adam the last of them minus the scaled sum of the others.

        A positive combination of the rows is then zero, the data are not separable and the loss has a minimum. On
        separable data the weights of Adam grow without end, and after some ten thousand steps a plain float64
        implementation computes 0/0: no peer could be timed long enough.
        """
        rows = np.random.default_rng(SEED).normal(size=(self.n, self.d))
        if self.k > 1:
            rows[1] = rows[0]  # in two classes
        elif self.rule == "adam":
            rows[-1] = -rows[:-1].sum(axis=0) / np.sqrt(self.n - 1)
        return rows

    @property
    def checked(self) -> int:
        """Steps of the trajectory that is compared with the reference. Normalised steps of several classes soon go
        round the minimum, where trajectories part."""
        return 1000 if self.k == 1 else 100

    @cached_property
    def labels(self) -> np.ndarray:
        return np.arange(self.n) % self.k

    def lr(self, runs: int) -> np.ndarray:
        r = np.arange(runs)
        return 1e-3 * (1.0 + (r // 8 / 8 if self.rule == "adam" else r / 64))

    def beta1(self, runs: int) -> np.ndarray:
        return 0.9 + 0.01 * (np.arange(runs) % 8)

    @cached_property
    def _drawn(self) -> np.ndarray:
        steps = DRAWN // self.batch
        return np.concatenate(batches(self.n, self.batch, self.order, steps, SEED)).reshape(steps, self.batch)

    def indices(self, steps: int) -> np.ndarray:
        """(steps, batch) int64 rows of every step, those that `simulate` visits (then again from the start)."""
        return np.resize(self._drawn, (steps, self.batch))


def softmax_gradient(w: np.ndarray, rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(R, k, d) that of the mean cross-entropy at w (R, k, d)."""
    scores = w @ rows.T
    p = np.exp(scores - scores.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[:, labels, np.arange(len(rows))] -= 1.0
    return p @ rows / len(rows)


def newton_schulz(x: np.ndarray) -> np.ndarray:
    """Five quintic steps from x (R, k, d) over its Frobenius norm, k <= d."""
    x = x / np.linalg.norm(x, axis=(1, 2), keepdims=True)
    for _ in range(5):
        gram = x @ np.swapaxes(x, 1, 2)
        x = QUINTIC[0] * x + (QUINTIC[1] * gram + QUINTIC[2] * gram @ gram) @ x
    return x


def reference_of_classes(work: Work, runs: int, steps: int) -> np.ndarray:
    """The same for k classes: (runs, k d)."""
    lr, beta1 = work.lr(runs)[:, None, None], work.beta1(runs)[:, None, None]
    w, m, v = np.zeros((3, runs, work.k, work.d))
    indices = None if work.order == "full" else work.indices(steps)
    for t in range(steps):
        seen = slice(None) if indices is None else indices[t]
        g = softmax_gradient(w, work.rows[seen], work.labels[seen])
        if work.rule == "ngd":
            w = w - lr * g / np.linalg.norm(g, axis=(1, 2), keepdims=True)
            continue
        m = beta1 * m + (1.0 - beta1) * g
        if work.rule == "muon":
            w = w - lr * newton_schulz(beta1 * m + (1.0 - beta1) * g)
            continue
        v = BETA2 * v + (1.0 - BETA2) * g**2
        w = w - lr * (m / (1.0 - beta1 ** (t + 1))) / np.sqrt(v / (1.0 - BETA2 ** (t + 1)))
    return w.reshape(runs, -1)


def reference(work: Work, runs: int, steps: int) -> np.ndarray:
    """(runs, d) the weights after `steps` updates, by the formulas as they stand in the papers."""
    if work.k > 1:
        return reference_of_classes(work, runs, steps)
    lr, beta1 = work.lr(runs)[:, None], work.beta1(runs)[:, None]
    w, m, v = np.zeros((3, runs, work.d))
    indices = None if work.order == "full" else work.indices(steps)
    for t in range(steps):
        rows = work.rows if indices is None else work.rows[indices[t]]
        s = 1.0 / (1.0 + np.exp(w @ rows.T))
        g = -s @ rows / len(rows)
        if work.rule == "sgd":
            w = w - lr * g
            continue
        m = beta1 * m + (1.0 - beta1) * g
        v = BETA2 * v + (1.0 - BETA2) * g**2
        w = w - lr * (m / (1.0 - beta1 ** (t + 1))) / np.sqrt(v / (1.0 - BETA2 ** (t + 1)))
    return w


def deviation(found: np.ndarray, expected: np.ndarray) -> float:
    """Largest error of a weight, relative to the largest weight of its run; inf if one is not finite."""
    if found.shape != expected.shape or not np.isfinite(found).all():
        return np.inf
    return float((np.abs(found - expected).max(axis=1) / np.abs(expected).max(axis=1)).max())

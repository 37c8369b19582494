"""scikit-learn: `SGDClassifier`, one row a step."""

from importlib.metadata import version
from importlib.util import find_spec

import numpy as np

from .work import Work

LABEL = "scikit-learn"
RUNS = (1,)
EXTRA = "pip install '.[peers]'"
# It takes the rows in the order in which they lie: as many as fit into a second-level cache are laid out, and passed
# over again and again, so that neither its set-up nor memory is what the clock sees.
LAID_OUT = 512 * 1024


def available() -> bool:
    return find_spec("sklearn") is not None


def versions() -> str:
    return f"scikit-learn {version('scikit-learn')}"


def can(work: Work) -> bool:
    return work.k == 1 and work.rule == "sgd" and work.batch == 1


def prepare(work: Work, runs: int, steps: int):
    from sklearn.linear_model import SGDClassifier

    passes = max(1, round(steps * work.d * 8 / LAID_OUT)) if steps > 1000 else 1
    seen = work.indices(-(-steps // passes))[:, 0]
    steps = passes * len(seen)
    # It wants two classes: row a_i becomes the sample (y_i a_i, y_i), which has the same loss.
    labels = np.where(seen % 2 == 0, 1.0, -1.0)
    rows = labels[:, None] * work.rows[seen]
    model = SGDClassifier(
        loss="log_loss", penalty=None, fit_intercept=False, learning_rate="constant", eta0=float(work.lr(1)[0]),
        shuffle=False, max_iter=passes, tol=None,
    )  # fmt: skip

    def run() -> np.ndarray:
        return model.fit(rows, labels).coef_.copy()

    return run

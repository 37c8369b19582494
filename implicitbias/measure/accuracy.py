"""How many rows a run classifies right: those it is trained on, and the test rows of the data."""

import numpy as np

from implicitbias.measure.group import Column, Group, Snapshots


def _columns(norms: tuple[str, ...]) -> list[Column]:
    return [
        Column("accuracy", float, "", "share of the rows whose own class has the largest score; a tie is none"),
        Column("test_accuracy", float, "", "the same of the test rows; missing where the data have none"),
        Column(
            "log_test_error", float, "", "logarithm of the share of the test rows classified wrong; missing for none"
        ),
    ]


def accuracy(weights: np.ndarray, X: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(S,) the share of rows (n, d) whose label has the largest score under weights (S, k, d), alone."""
    found = []
    for W in weights:  # one after the other: there may be many test rows
        scores = X @ W.T
        own = scores[np.arange(len(X)), labels].copy()
        scores[np.arange(len(X)), labels] = -np.inf
        found.append((own > scores.max(axis=1)).mean())
    return np.array(found)


def _measure(seen: Snapshots) -> dict:
    problem, weights = seen.run.problem, seen.run.weights
    test = problem.test
    right = np.full(len(weights), np.nan) if test is None else accuracy(weights, *test)
    return {
        "accuracy": accuracy(weights, problem.X, problem.labels),
        "test_accuracy": right,
        "log_test_error": np.log(np.where(right < 1.0, 1.0 - right, np.nan)),
    }


GROUP = Group("accuracy", _columns, _measure, matrices=True)

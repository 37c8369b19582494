"""Where the rows of W point: their cosines and angles with the class means of the data."""

import numpy as np

from implicitbias.measure.group import Column, Group, Snapshots
from implicitbias.measure.vectors import columns_towards, towards
from implicitbias.problems import Multiclass


def _columns(norms: tuple[str, ...]) -> list[Column]:
    return columns_towards("means", "the means of the classes, row by row: the mean over the classes")


def class_means(problem: Multiclass) -> np.ndarray:
    """(k, d) the means of the rows of each class."""
    found = np.zeros(problem.shape)
    np.add.at(found, problem.labels, problem.X)
    return found / np.array(problem.counts)[:, None]


def _measure(seen: Snapshots) -> dict:
    weights, increments = seen.run.weights, seen.in_shape(seen.increments)
    found = [
        towards("means", mean, weights[:, c], increments[:, c]) for c, mean in enumerate(class_means(seen.run.problem))
    ]
    return {name: np.mean([columns[name] for columns in found], axis=0) for name in found[0]}


GROUP = Group("means", _columns, _measure, matrices=True)

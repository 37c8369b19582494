"""Gaussian rows with labels that say nothing."""

import numpy as np

from implicitbias.errors import InputError
from implicitbias.parameters import ClassCount, Count, Seed, family
from implicitbias.problems import Multiclass


@family
def gaussian_labels(n: Count = 40, d: Count = 50, k: ClassCount = 4, seed: Seed = 0) -> Multiclass:
    """Rows with independent standard normal entries, and balanced labels that do not depend on them.

    X is that of ``gaussian``; the labels go round, y_i = i mod k. As the rows are exchangeable, that is the law of a
    random assignment of the labels.

    Arguments
        n     number of rows, at least k; raising it keeps the first rows
        d     dimension
        k     number of classes
        seed  integer >= 0

    Returns a ``Multiclass`` with X (n, d); separable for n <= d.

    Errors: ``InputError`` listing every unfit argument, or for n < k.

    >>> problem = gaussian_labels(n=4, d=2, k=3, seed=0)
    >>> problem.X.round(4), problem.labels
    (array([[ 0.1257, -0.1321],
           [ 0.6404,  0.1049],
           [-0.5357,  0.3616],
           [ 1.304 ,  0.9471]]), array([0, 1, 2, 0]))

    Source: the Gaussian data of Baek, Song, Yun, arXiv 2510.26303, with k classes.
    """
    if n < k:
        raise InputError(f"gaussian_labels: n must be at least k = {k}, so that every class has a row, but is {n}")
    return Multiclass(np.random.default_rng(seed).normal(size=(n, d)), np.arange(n) % k, name="gaussian_labels")

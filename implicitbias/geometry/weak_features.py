"""Strong features that say nothing, and weak ones that separate: a river between steep walls."""

import numpy as np

from implicitbias.parameters import Count, Number, Positive, Seed, family
from implicitbias.problems import Problem


@family
def weak_features(
    n: Count = 80, strong: Count = 2, weak: Count = 20, scale: Positive = 10.0, shift: Number = 0.5, seed: Seed = 0
) -> Problem:
    """Labels that weak features tell, beside strong ones that do not.

    x = (scale s, shift y 1 + v) for s of `strong` and v of `weak` independent standard normal numbers, y = +-1: the
    gradients of single rows, and the top of the Hessian, are along the strong ones, and what separates is not.

    Arguments
        n              rows; raising it keeps the first
        strong, weak   numbers of features of both kinds
        scale          standard deviation of the strong ones, > 0
        shift          of the means of the weak ones, by the label
        seed           integer >= 0

    Returns a ``Problem``. It may not be separable if shift is small and n large.

    Errors: ``InputError`` listing every unfit argument.

    >>> weak_features(n=3, seed=1).d
    22

    Source: a counterpart on logistic regression of Song, Ahn, Yun, arXiv 2405.16002, Section 4.
    """
    random = np.random.default_rng(seed)
    labels = np.empty(n)
    X = np.empty((n, strong + weak))
    for i in range(n):  # row by row, so that more of them leave the first as they are
        labels[i] = 1.0 if random.random() < 0.5 else -1.0
        X[i] = random.normal(size=strong + weak)
    X[:, :strong] *= scale
    X[:, strong:] += shift * labels[:, None]
    return Problem(labels[:, None] * X, name="weak_features")

"""Clouds around class means: of equal size, or of the sizes of Zipf's law."""

import heapq
from typing import Annotated

import numpy as np

from implicitbias.errors import InputError
from implicitbias.geometry.power_law import powers
from implicitbias.parameters import (
    MOST_ENTRIES,
    ClassCount,
    Count,
    CountFromZero,
    MaybeNotNegative,
    NotNegative,
    PositiveOrUnit,
    Seed,
    family,
    one,
)
from implicitbias.problems import Multiclass

Means = Annotated[str, one("gaussian", "sphere")]


@family
def class_means(
    k: ClassCount = 10,
    d: Count = 25,
    per_class: Count = 50,
    noise: NotNegative = 0.1,
    means: Means = "gaussian",
    scale: PositiveOrUnit = 1.0,
    anisotropy: NotNegative = 0.0,
    test: CountFromZero = 0,
    test_noise: MaybeNotNegative = None,
    seed: Seed = 0,
) -> Multiclass:
    """Gaussian clouds of equal size around k random class means.

    x = mu_c + noise z, z standard normal; labels go round: 0, 1, ..., k - 1, 0, 1, ... The means are
    mu_c = scale m_c with m_c Gaussian, coordinate j of variance j^-anisotropy, or m_c/|m_c|, on the sphere. With
    scale = "unit" the mean of |mu_c|^2 is 1: for isotropic means mu_c ~ N(0, I/d).

    The defaults are the data of arXiv 2502.04664. The setting in which rows are normalized is k = 60, d = 20,
    scale = "unit", noise = 0.05, test_noise = 0.5 and per_class from 1 to 5.

    Arguments
        k           number of classes; raising it keeps the means of the first
        d           dimension
        per_class   rows of each class; raising it keeps the first rows
        noise       standard deviation of each coordinate, >= 0
        means       "gaussian", or "sphere"
        scale       factor of the means, > 0; or "unit"
        anisotropy  exponent of the spectrum of their covariance, >= 0; 0 is isotropic, uniform on the sphere
        test        rows of each class to test on, around the same means
        test_noise  standard deviation of these; None for that of the others
        seed        integer >= 0

    Returns a ``Multiclass`` with X (k per_class, d), and with k test rows to test on if test > 0.

    Errors: ``InputError`` listing every unfit argument, or the zero rows.

    >>> problem = class_means(k=3, d=2, per_class=2, noise=0.5, seed=0)
    >>> problem.X.round(2), problem.labels
    (array([[ 0.17, -1.05],
           [-0.5 , -0.98],
           [-0.84,  2.15],
           [ 0.75, -0.51],
           [-1.17, -1.66],
           [-0.89,  1.99]]), array([0, 1, 2, 0, 1, 2]))

    Source: arXiv 2502.04664; Kim, Song, Yun 2026 (row normalization).
    """
    _check_size("class_means", "k * per_class * d", k * per_class * d)
    labels = np.arange(k * per_class) % k
    centres = _means(k, d, means, scale, anisotropy, seed)
    held = _held("class_means", centres, test, noise if test_noise is None else test_noise, seed)
    return Multiclass(_clouds(centres, labels, noise, seed), labels, test=held, name="class_means")


@family
def zipf(
    n: Count = 200,
    d: Count = 25,
    k: ClassCount = 10,
    exponent: NotNegative = 1.0,
    noise: NotNegative = 0.1,
    means: Means = "gaussian",
    scale: PositiveOrUnit = 1.0,
    anisotropy: NotNegative = 0.0,
    test: CountFromZero = 0,
    test_noise: MaybeNotNegative = None,
    seed: Seed = 0,
) -> Multiclass:
    """Gaussian clouds around class means, of the sizes of Zipf's law: the c-th class has a share of about c^-exponent.

    The clouds are those of ``class_means``. The first k rows are one of each class; each further row is of the class
    that is farthest behind its share, the first with the least (2 m_c + 1) c^exponent, m_c its rows so far.

    Arguments
        n           number of rows, at least k; raising it keeps the first rows
        d           dimension
        k           number of classes
        exponent    of the frequencies, >= 0; 0 is balanced
        noise, means, scale, anisotropy, test, test_noise
                    as of ``class_means``; the rows to test on are test for every class
        seed        integer >= 0

    Returns a ``Multiclass`` with X (n, d), and with k test rows to test on if test > 0.

    Errors: ``InputError`` listing every unfit argument, for n < k, or the zero rows.

    >>> zipf(n=100, d=5, k=4, seed=0).counts
    (48, 24, 16, 12)

    Source: Kunstner et al. 2024, arXiv 2402.19449 (imbalanced classes and Adam); Sainte-Laguë 1910 (the rounding).
    """
    if n < k:
        raise InputError(f"zipf: n must be at least k = {k}, so that every class has a row, but is {n}")
    weight, count = powers(k, exponent), [1] * k
    labels, next_ = list(range(k)), [(3 * weight[c], c) for c in range(k)]
    heapq.heapify(next_)
    for _ in range(n - k):
        c = next_[0][1]
        labels.append(c)
        count[c] += 1
        heapq.heapreplace(next_, ((2 * count[c] + 1) * weight[c], c))
    found = np.array(labels)
    centres = _means(k, d, means, scale, anisotropy, seed)
    held = _held("zipf", centres, test, noise if test_noise is None else test_noise, seed)
    return Multiclass(_clouds(centres, found, noise, seed), found, test=held, name="zipf")


def _means(k: int, d: int, law: str, scale: float | str, anisotropy: float, seed: int) -> np.ndarray:
    """(k, d) the class means."""
    deviation = powers(d, -anisotropy / 2)
    # The means have a stream of their own, so that they depend on neither the number of rows nor the noise.
    means = np.random.default_rng([seed, 1]).normal(size=(k, d)) * deviation
    if law == "sphere":
        means /= np.sqrt(np.add.reduce(means * means, axis=1))[:, None]
    if scale == "unit":
        scale = 1.0 if law == "sphere" else 1.0 / np.sqrt(np.add.reduce(deviation * deviation))
    return scale * means


def _clouds(means: np.ndarray, labels: np.ndarray, noise: float, *seed: int) -> np.ndarray:
    """(n, d) rows around the means of their classes."""
    return means[labels] + noise * np.random.default_rng(seed).normal(size=(len(labels), means.shape[1]))


def _held(name: str, means: np.ndarray, test: int, noise: float, seed: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Rows to test on, `test` of each class; None for none."""
    if not test:
        return None
    _check_size(name, "k * test * d", test * means.size)
    labels = np.arange(test * len(means)) % len(means)
    return _clouds(means, labels, noise, seed, 3), labels  # (seed, 2) is the stream of rotations


def _check_size(name: str, words: str, size: int) -> None:
    if size > MOST_ENTRIES:
        raise InputError(f"{name}: {words} must be at most {MOST_ENTRIES} (2 GiB), but is {size}")

"""Families of k classes: one seed is one data set, every class has a row, and the law is the promised one."""

import inspect
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import implicitbias as ib
from implicitbias.geometry import FAMILIES, make, rotation

# Every family of k classes that draws its rows, some twice for their options; digest of d = 5, k = 3, seed = 0.
SEEDED = {
    "class_means": ("class_means", {"per_class": 4}, "7a1b89855df62c03"),
    "class_means, all options": (
        "class_means",
        {"per_class": 2, "means": "sphere", "scale": "unit", "anisotropy": 1.5, "test": 3, "test_noise": 2.0},
        "01c960929532efb8",
    ),
    "zipf": ("zipf", {"n": 9, "exponent": 1.5}, "9aa91aa7df0d6540"),
    "gaussian_labels": ("gaussian_labels", {"n": 7}, "713ace92849d2aa2"),
}
# The parameters of every family of rows, which are noted where they are given.
OF_ALL = ("model", "depth", "layout", "width", "init", "start", "smoothing", "ridge")
REAL = ("digits_classes", "iris_classes", "wine_classes")


def of(label, **params):
    kind, options, _ = SEEDED[label]
    return make(kind, **options | params)


def mistakes(kind, **params):
    with pytest.raises(ib.InputError) as caught:
        make(kind, **params)
    return caught.value.mistakes


def test_every_family_is_listed():
    found = {kind for kind, of in FAMILIES.items() if inspect.signature(of).return_annotation is ib.Multiclass}
    assert found == {kind for kind, _, _ in SEEDED.values()} | set(REAL)


@pytest.mark.parametrize("label", SEEDED)
def test_seed_zero_is_pinned(label):
    kind, options, digest = SEEDED[label]
    problem = of(label, d=5, k=3, seed=0)
    assert problem.digest == digest
    assert problem.digest == of(label, d=5, k=3, seed=0).digest != of(label, d=5, k=3, seed=1).digest
    assert (problem.name, problem.k, problem.d, problem.classes) == (kind, 3, 5, (0, 1, 2))
    defaults = {name: item.default for name, item in inspect.signature(FAMILIES[kind]).parameters.items()}
    assert all(defaults.pop(name) is None for name in ("rotate", *OF_ALL))
    assert problem.params == {**defaults, **options, "d": 5, "k": 3, "seed": 0}


@pytest.mark.parametrize("label", SEEDED)
@given(few=st.integers(6, 12), more=st.integers(1, 12), k=st.integers(2, 6), seed=st.integers(0, 2**63 - 1))
def test_raising_the_number_of_rows_keeps_the_first(label, few, more, k, seed):
    name = "n" if "n" in SEEDED[label][1] else "per_class"
    small, large = (of(label, **{name: count}, k=k, d=3, seed=seed) for count in (few, few + more))
    assert large.X[: small.n].tobytes() == small.X.tobytes()
    assert (large.labels[: small.n] == small.labels).all()
    if small.test:
        assert all((a == b).all() for a, b in zip(small.test, large.test))


@pytest.mark.parametrize("label", SEEDED)
def test_one_row_of_each_class_in_one_dimension(label):
    least = {"n": 2} if "n" in SEEDED[label][1] else {"per_class": 1}
    problem = of(label, d=1, k=2, **least)
    assert (problem.n, problem.counts) == (2, (1, 1))


def test_raising_k_keeps_the_means():
    few, many = (ib.geometry.class_means(k, 6, per_class=1, noise=0, anisotropy=2.0, seed=5).X for k in (3, 8))
    assert (many[:3] == few).all()


def means_and_deviations(X, labels, k):
    return (np.array([f(X[labels == c], axis=0) for c in range(k)]) for f in (np.mean, np.std))


def test_class_means_are_clouds_around_their_means():
    k, d, per_class, noise = 4, 3, 4000, 0.3
    problem = ib.geometry.class_means(k, d, per_class, noise, test=per_class, test_noise=2.0, seed=1)
    exact = ib.geometry.class_means(k, d, 1, noise=0, seed=1).X
    assert problem.counts == (per_class,) * k and (problem.labels[:5] == [0, 1, 2, 3, 0]).all()
    for (X, labels), sigma in (((problem.X, problem.labels), noise), (problem.test, 2.0)):
        means, deviations = means_and_deviations(X, labels, k)
        assert means == pytest.approx(exact, abs=5 * sigma / np.sqrt(per_class))
        assert deviations == pytest.approx(np.full((k, d), sigma), rel=5 / np.sqrt(2 * per_class))
    # the rows to test on are others, with noise of their own
    z, w = (X - exact[labels] for X, labels in ((problem.X, problem.labels), problem.test))
    assert abs((z * w).mean()) < 5 * noise * 2.0 / np.sqrt(z.size)
    same = ib.geometry.class_means(k, d, 2, noise, test=2, seed=1).test[0]
    assert same == pytest.approx(exact[problem.labels[:8]], abs=4.5 * noise)


def test_the_law_of_the_means():
    """k = 5000 means: their second moments are those of the law, within five standard deviations."""
    k, d = 5000, 4
    plain, unit, sphere = (
        ib.geometry.class_means(k, d, 1, noise=0, anisotropy=alpha, scale=scale, means=means, seed=2).X
        for alpha, scale, means in ((1.5, 2.0, "gaussian"), (1.5, "unit", "gaussian"), (0.0, 3.0, "sphere"))
    )
    variance = np.arange(1, d + 1) ** -1.5
    assert plain.mean(axis=0) == pytest.approx(np.zeros(d), abs=5 * 2 / np.sqrt(k))
    assert plain.var(axis=0) == pytest.approx(4 * variance, rel=5 * np.sqrt(2 / k))
    assert unit == pytest.approx(plain / 2 / np.sqrt(variance.sum()), rel=1e-15)
    assert (unit**2).sum(axis=1).mean() == pytest.approx(1, rel=5 * np.sqrt(2 / k))
    assert np.linalg.norm(sphere, axis=1) == pytest.approx(np.full(k, 3.0), rel=1e-14)
    assert np.cov(sphere.T) == pytest.approx(9 / d * np.eye(d), abs=5 * 9 / np.sqrt(k) / d)


def test_the_setting_of_row_normalization():
    """mu ~ N(0, I/d), noise of norm 0.2236 in training and 2.2361 in testing: sqrt(d) times 0.05 and 0.5."""
    problem = ib.geometry.class_means(
        k=60, d=20, per_class=5, scale="unit", noise=0.05, test=200, test_noise=0.5, seed=0
    )
    mu = ib.geometry.class_means(k=60, d=20, per_class=1, scale="unit", noise=0, seed=0).X
    assert (mu**2).sum(axis=1).mean() == pytest.approx(1, rel=5 * np.sqrt(2 / 1200))
    for (X, labels), size in (((problem.X, problem.labels), 0.2236), (problem.test, 2.2361)):
        noise = X - mu[labels]
        assert np.sqrt((noise**2).sum(axis=1).mean()) == pytest.approx(size, rel=5 / np.sqrt(2 * noise.size))


@pytest.mark.parametrize("exponent", [0, 0.5, 1, 3])
def test_the_classes_of_zipf_have_their_shares(exponent):
    n, k = 300, 7
    problem = ib.geometry.zipf(n=n, d=2, k=k, exponent=exponent)
    assert (problem.labels[:k] == np.arange(k)).all() and sum(problem.counts) == n
    # by hand, in fractions where the powers have one
    share = [Fraction(c) ** -exponent if exponent == int(exponent) else c**-exponent for c in range(1, k + 1)]
    count = [1] * k
    for label in problem.labels[k:]:
        assert label == max(range(k), key=lambda c: share[c] / (2 * count[c] + 1))
        count[label] += 1
    exact = np.array([float(x) for x in share]) / float(sum(share)) * n
    assert np.abs(np.array(problem.counts) - exact).max() < 1 + (exact < 1).sum()
    assert list(problem.counts) == sorted(problem.counts, reverse=True)


def test_the_clouds_of_zipf_are_those_of_class_means():
    zipf, even = ib.geometry.zipf(n=8, d=3, k=4, exponent=0, test=2), ib.geometry.class_means(4, 3, 2, test=2)
    assert zipf.digest == even.digest
    frequent = ib.geometry.zipf(n=50, d=3, k=4, noise=0, seed=3)
    assert (ib.geometry.class_means(4, 3, 1, noise=0, seed=3).X[frequent.labels] == frequent.X).all()


def test_the_rows_of_gaussian_labels_are_those_of_gaussian():
    problem = ib.geometry.gaussian_labels(n=10, d=4, k=3, seed=6)
    assert (ib.geometry.gaussian(n=10, d=4, seed=6).rows == problem.X).all()
    assert problem.counts == (4, 3, 3)


@pytest.mark.parametrize("label", SEEDED)
def test_rotation_takes_the_rows_to_test_on_along(label):
    plain, rotated = of(label, d=5, k=3), of(label, d=5, k=3, rotate=4)
    Q = rotation(5, 4)
    pairs = [(plain.X, rotated.X)] + ([(plain.test[0], rotated.test[0])] if plain.test else [])
    for before, after in pairs:
        np.testing.assert_allclose(after, before @ Q, rtol=0, atol=1e-13 * np.abs(before).max())
    assert (rotated.labels == plain.labels).all() and rotated.classes == plain.classes
    assert (rotated.test is None) == (plain.test is None)
    W = np.random.default_rng(0).normal(size=(3, 5))
    assert rotated.margins(W @ Q) == pytest.approx(plain.margins(W), abs=1e-12)


@pytest.mark.parametrize(
    "kind, params, words",
    [
        ("class_means", {"k": 1}, "class_means: k must be an integer >= 2, but is 1"),
        ("class_means", {"per_class": 0}, "per_class must be an integer >= 1, but is 0"),
        ("class_means", {"noise": float("nan")}, "noise must be a finite number >= 0, but is nan"),
        ("class_means", {"means": "cube"}, "means must be one of 'gaussian', 'sphere', but is 'cube'"),
        ("class_means", {"scale": 0}, "scale must be a finite number > 0 or one of 'unit', but is 0"),
        ("class_means", {"scale": "sqrt"}, "scale must be a finite number > 0 or one of 'unit', but is 'sqrt'"),
        ("class_means", {"anisotropy": -1}, "anisotropy must be a finite number >= 0, but is -1"),
        ("class_means", {"test": -1}, "test must be an integer >= 0, but is -1"),
        ("class_means", {"test_noise": -1}, "test_noise must be a finite number >= 0 or None, but is -1"),
        ("class_means", {"k": 2**15, "d": 2**15}, "k * per_class * d must be at most 268435456 (2 GiB), but is"),
        ("class_means", {"d": 2**15, "test": 2**15}, "k * test * d must be at most 268435456 (2 GiB), but is"),
        ("class_means", {"scale": 1e308, "noise": 1e308}, "X must be finite"),
        ("class_means", {"scale": 5e-324, "noise": 0, "d": 1}, "a zero row cannot be separated"),
        ("zipf", {"n": 9}, "zipf: n must be at least k = 10, so that every class has a row, but is 9"),
        ("zipf", {"exponent": -0.5}, "exponent must be a finite number >= 0, but is -0.5"),
        ("gaussian_labels", {"n": 3}, "gaussian_labels: n must be at least k = 4, so that every class has a row"),
        ("gaussian_labels", {"k": 1}, "k must be an integer >= 2, but is 1"),
        ("gaussian_labels", {"rotate": True}, "rotate must be an integer from 0 to 9223372036854775807 or None"),
    ],
)
def test_unfit_values(kind, params, words):
    [mistake] = mistakes(kind, **params)
    assert words in mistake


def test_every_mistake_is_listed():
    assert len(mistakes("class_means", k=1, per_class=0, noise=-1, classes=3, rotate=-1)) == 5

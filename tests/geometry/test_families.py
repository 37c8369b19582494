"""The seeded families: one seed is one data set, the first rows stay, and the law is the promised one."""

import inspect

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import implicitbias as ib
from implicitbias.geometry import FAMILIES, make

# Every seeded family, some twice for their options; digest of n = 7, d = 5, seed = 0.
SEEDED = {
    "gaussian": ("gaussian", {}, "2916fde5e236f4a1"),
    "scaled_rademacher": ("scaled_rademacher", {}, "ea9c8ad79099b98f"),
    "clusters": ("clusters", {}, "a00961c178e1cd1b"),
    "clusters, intercept": ("clusters", {"intercept": True}, "4593475fff78841c"),
    "imbalanced": ("imbalanced", {"fraction": 0.3}, "aadfb9b17c7e9b8d"),
    "power_law": ("power_law", {"alpha": 1.3}, "641e467a3cde4d16"),
    "power_law, rotated": ("power_law", {"alpha": 1.3, "rotate": True}, "57e42661513a4cf0"),
    "correlated": ("correlated", {"rho": -0.7}, "5d70d48069add204"),
    "sparse": ("sparse", {"nonzeros": 2}, "907c92a0fb099f25"),
    "heavy_tailed": ("heavy_tailed", {"df": 3.0}, "5db9789b43ec5ced"),
}

# Beside rotate, the parameters of every family of rows, which are noted where they are given.
OF_ALL = ("model", "depth", "layout", "width", "init", "start", "smoothing", "ridge")


def of(label, **params):
    kind, options, _ = SEEDED[label]
    return make(kind, **options, **params)


def test_every_seeded_family_is_listed():
    signatures = {kind: inspect.signature(function) for kind, function in FAMILIES.items()}
    assert {kind for kind, _, _ in SEEDED.values()} == {
        kind
        for kind, of in signatures.items()
        if {"d", "seed"} <= set(of.parameters) and of.return_annotation is ib.Problem
    }


def test_weak_features():
    """They have two numbers of features, and no d."""
    problem = ib.geometry.weak_features(n=7, strong=2, weak=3, seed=0)
    assert (problem.digest, problem.d) == ("002639ee73bfdbbf", 5)
    assert (ib.geometry.weak_features(n=9, strong=2, weak=3, seed=0).rows[:7] == problem.rows).all()
    many = ib.geometry.weak_features(n=20_000, strong=1, weak=1, scale=4.0, shift=0.5, seed=1).rows
    assert abs(many[:, 1].mean() - 0.5) < 0.03 and abs(many[:, 0].std() - 4.0) < 0.1 and abs(many[:, 0].mean()) < 0.1


@pytest.mark.parametrize("label", SEEDED)
def test_seed_zero_is_pinned(label):
    kind, options, digest = SEEDED[label]
    problem = of(label, n=7, d=5, seed=0)
    assert problem.digest == digest
    assert problem.digest == of(label, n=7, d=5, seed=0).digest != of(label, n=7, d=5, seed=1).digest
    assert problem.name == kind
    defaults = {k: p.default for k, p in inspect.signature(FAMILIES[kind]).parameters.items()}
    if kind != "power_law":  # its own is true or false where no seed is given
        assert defaults.pop("rotate") is None
    assert {defaults.pop(name) for name in OF_ALL} == {None}
    assert problem.params == {**defaults, **options, "n": 7, "d": 5, "seed": 0}


@pytest.mark.parametrize("label", SEEDED)
@given(n=st.integers(1, 12), more=st.integers(1, 12), d=st.integers(2, 40), seed=st.integers(0, 2**63 - 1))
def test_raising_n_keeps_the_first_rows(label, n, more, d, seed):
    few, many = of(label, n=n, d=d, seed=seed), of(label, n=n + more, d=d, seed=seed)
    assert many.rows[:n].tobytes() == few.rows.tobytes()
    assert many.n == n + more


@given(n=st.integers(1, 6), more=st.integers(0, 6), nonzeros=st.integers(1, 3), seed=st.integers(0, 9))
def test_disjoint_supports(n, more, nonzeros, seed):
    d = (n + more) * nonzeros + 1
    few, many = (ib.geometry.sparse(m, d, nonzeros, disjoint=True, seed=seed).rows for m in (n, n + more))
    assert many[:n].tobytes() == few.tobytes()
    assert (np.count_nonzero(many, axis=1) == nonzeros).all()
    assert np.count_nonzero(many, axis=0).max() == 1


@pytest.mark.parametrize("label", [label for label in SEEDED if "sparse" not in label])
def test_one_row_and_one_dimension(label):
    assert of(label, n=1, d=1).n == 1
    assert ib.geometry.sparse(n=1, d=1, nonzeros=1).rows.shape == (1, 1)


def test_gaussian_is_numpy_to_the_bit():
    for seed in (0, 9):
        expected = np.random.default_rng(seed).normal(size=(10, 50))
        assert ib.geometry.gaussian(n=10, d=50, seed=seed).rows.tobytes() == expected.tobytes()


def test_families_share_the_gaussian_draw():
    rows = ib.geometry.gaussian(4, 9, seed=3).rows
    assert (ib.geometry.correlated(4, 9, rho=0.0, seed=3).rows == rows).all()
    assert (ib.geometry.power_law(4, 9, alpha=0.0, seed=3).rows == rows).all()


def test_reference_sets():
    rows = ib.geometry.scaled_rademacher_reference().rows
    assert rows.tolist() == [[1, 1, 1, 1], [2, 2, 2, -2], [3, 3, -3, -3], [4, -4, 4, -4]]
    u = np.array([19, 13, 11, 5]) / 26  # its l_2 direction: margins equal 24/13 on the support
    assert np.linalg.norm(u) == pytest.approx(1, rel=1e-15)
    assert (rows @ u).min() == pytest.approx(24 / 13, rel=1e-15)
    rows = ib.geometry.shifted_diagonal().rows
    assert (np.diag(rows) == [1, 2, 4, 8]).all()
    assert (rows[~np.eye(4, dtype=bool)] == 0.1).all()
    assert rows.sum(axis=1).min() == pytest.approx(1.3, rel=1e-15)
    assert ib.geometry.shifted_diagonal(np.arange(1, 3), shift=0).params == {"diagonal": (1.0, 2.0), "shift": 0.0}


def test_scaled_rademacher_has_one_magnitude_a_row_and_fair_signs():
    rows = ib.geometry.scaled_rademacher(n=40, d=1000, seed=1).rows
    assert (np.abs(rows) == np.arange(1, 41)[:, None]).all()
    assert abs(np.sign(rows).mean()) < 0.02  # four standard deviations of 40000 fair signs


def test_power_law_spectrum():
    rows = ib.geometry.power_law(n=20000, d=8, alpha=1.5, seed=2).rows
    variance = np.arange(1, 9) ** -1.5
    assert rows.var(axis=0) == pytest.approx(variance, rel=0.05)  # 5 standard deviations, sqrt(2 / 20000) each
    rotated = ib.geometry.power_law(n=20000, d=8, alpha=1.5, rotate=True, seed=2).rows
    assert np.sort(np.linalg.eigvalsh(np.cov(rotated.T)))[::-1] == pytest.approx(variance, rel=0.05)
    assert np.abs(np.cov(rotated.T) - np.diag(variance)).max() > 0.1


@pytest.mark.parametrize("d", [1, 2, 3, 30])
def test_the_rotation_is_orthogonal(d):
    plain, rotated = (ib.geometry.power_law(n=50, d=d, rotate=r, seed=4).rows for r in (False, True))
    assert rotated @ rotated.T == pytest.approx(plain @ plain.T, abs=1e-12 * d)


def test_the_rotation_is_uniform():
    # Haar measure: every entry of Q has mean 0 and mean square 1/d; the sign convention of a bare QR breaks the mean.
    d, seeds = 3, 1500
    Q = []
    for seed in range(seeds):
        plain, rotated = (ib.geometry.power_law(n=d, d=d, alpha=0, rotate=r, seed=seed).rows for r in (False, True))
        Q.append(np.linalg.solve(plain, rotated))
    Q = np.array(Q)
    assert np.abs(Q.mean(axis=0)).max() < 5 * np.sqrt(1 / d / seeds)
    assert np.abs((Q**2).mean(axis=0) - 1 / d).max() < 5 * np.sqrt(0.1 / seeds)  # Var Q^2 = 4/45 < 0.1 in d = 3


def test_correlated_is_toeplitz():
    rows = ib.geometry.correlated(n=20000, d=5, rho=-0.6, seed=0).rows
    gap = np.abs(np.subtract.outer(np.arange(5), np.arange(5)))
    assert np.abs(np.cov(rows.T) - (-0.6) ** gap).max() < 0.06


def test_clusters_have_their_centres():
    problem = ib.geometry.clusters(n=4000, d=3, separation=6.0, noise=0.5, seed=1)
    centre = problem.rows.mean(axis=0)
    assert np.linalg.norm(centre) == pytest.approx(3.0, abs=0.05)
    assert problem.rows.std(axis=0) == pytest.approx(np.full(3, 0.5), rel=0.06)
    quiet = ib.geometry.clusters(n=3, d=3, separation=6.0, noise=0, seed=1)
    assert np.linalg.norm(quiet.rows, axis=1) == pytest.approx(np.full(3, 3.0), rel=1e-15)
    assert (ib.geometry.clusters(n=4, d=2, intercept=True).rows[:, -1] == [1, -1, 1, -1]).all()


@pytest.mark.parametrize("fraction, n", [(0.29, 100), (0.1, 30), (0.5, 11), (1 / 3, 9), (0.01, 20)])
def test_the_minority_is_spread_evenly(fraction, n):
    y = ib.geometry.imbalanced(n=n, d=2, fraction=fraction).rows[:, -1]
    count = np.cumsum(y == 1)
    assert np.abs(count - fraction * np.arange(1, n + 1)).max() <= 0.5 + 1e-9
    assert ib.geometry.imbalanced(n=n, d=2, fraction=fraction, intercept=False).rows.shape == (n, 2)


def test_sparse_and_heavy_tails():
    rows = ib.geometry.sparse(n=200, d=30, nonzeros=4, seed=0).rows
    assert (np.count_nonzero(rows, axis=1) == 4).all()
    assert (rows != 0).any(axis=0).all()
    rows = ib.geometry.heavy_tailed(n=200, d=50, df=1.0, seed=0).rows
    assert np.median(np.abs(rows)) == pytest.approx(1.0, rel=0.05)  # the quartile of Cauchy's law
    assert np.abs(rows).max() > 100
    with pytest.raises(ib.InputError, match="X must be finite"):
        ib.geometry.heavy_tailed(n=20, d=20, df=0.001)

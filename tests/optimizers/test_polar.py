"""The polar factor and its kin against many digits, on weights that no float64 holds side by side."""

import mpmath
import numpy as np
import pytest

from implicitbias.jit import kernel
from implicitbias.optimizers.matrix import polar

LANES = 8


@kernel
def near(a, cap, kind, count, uniforms, room, out):
    return polar.replaced(a, cap, kind, count, uniforms, room, out)


@kernel
def far(rows, index, samples, f, q, kind, count, uniforms, d, room, out):
    polar.replaced_of_samples(rows, index, samples, f, q, kind, count, uniforms, (0, d), room, out)


class Gradient:
    """-sum_i f_i x_i' with the weights f 2^q (k, n) of samples x_i of k classes."""

    def __init__(self, X, labels, k, span, seed=0, apart=0.1, behind=()):
        """Samples 10^-span to 1, and the classes of each up to 10^(-apart span) lighter; all pairs of a class are
        lighter by 10^(-behind span), or of both where that is more. Samples weigh in their own class minus what they do
        in the others."""
        rng = np.random.default_rng(seed)
        self.X, self.k, (n, self.d) = X, k, X.shape
        logs = -np.sort(rng.uniform(0, span, size=n)) * np.log2(10)
        self.f, self.q = np.zeros((k, n)), np.zeros((k, n))
        for i, y in enumerate(labels):
            others = [c for c in range(k) if c != y]
            for c in others:
                self.q[c, i] = np.floor(logs[i] - rng.uniform(0, apart * span))
                if behind:
                    self.q[c, i] -= np.floor(max(behind[c], behind[y]) * span * np.log2(10))
                self.f[c, i] = -rng.uniform(0.7, 1.4)
            top = max(self.q[c, i] for c in others)
            self.f[y, i], self.q[y, i] = -sum(np.ldexp(self.f[c, i], int(self.q[c, i] - top)) for c in others), top
        self.labels, self.digits = labels, int(2 * (1 + apart + max(behind, default=0)) * span) + 80

    def exact(self):
        """(k, d) with as many digits as the span of the weights asks for."""
        weights = [[mpmath.mpf(f) * mpmath.mpf(2) ** int(q) for f, q in zip(*line)] for line in zip(self.f, self.q)]
        for i, y in enumerate(self.labels):
            weights[y][i] = -sum(weights[c][i] for c in range(self.k) if c != y)
        return -mpmath.matrix(weights) * mpmath.matrix(self.X.tolist())

    def expected(self, phi):
        """U diag(phi) V' with phi(i) for the i-th largest of the nonzero singular values, and their number."""
        with mpmath.workdps(self.digits):
            G = self.exact()
            values, vectors = mpmath.eigsy(G * G.T)
            order = sorted(range(self.k), key=lambda i: -values[i])
            cut = max(values) * mpmath.mpf(10) ** (30 - self.digits)
            order = [i for i in order if values[i] > cut]
            total = mpmath.zeros(self.k, self.d)
            for place, i in enumerate(order):
                u = vectors[:, i]
                total += float(phi(place)) * u * (u.T * G) / mpmath.sqrt(values[i])
            return np.array(total.tolist(), float), len(order)

    def room(self):
        width = -(-self.d // LANES) * LANES
        return np.zeros(polar.room_for(self.k, width, self.d, len(self.X)))

    def matrix(self):
        return np.zeros((self.k, -(-self.d // LANES), LANES))

    def found(self, kind=polar.ALL, count=0, uniforms=None):
        rows = np.zeros((len(self.X), -(-self.d // LANES), LANES))
        rows.reshape(len(rows), -1)[:, : self.d] = self.X
        out, uniforms = self.matrix(), np.zeros(LANES) if uniforms is None else uniforms
        every = np.arange(len(rows))
        far(rows, every, len(rows), self.f, self.q, kind, count, uniforms, self.d, self.room(), out)
        return out.reshape(self.k, -1)[:, : self.d]

    def found_in_one_unit(self, cap):
        """What the plain factor is, and whether it says that it is right."""
        a, out = self.matrix(), self.matrix()
        G = -np.ldexp(self.f, np.maximum(self.q - self.q.max(), -2000).astype(int)) @ self.X
        a.reshape(self.k, -1)[:, : self.d] = G
        good = near(a, cap, polar.ALL, 0, np.zeros(LANES), self.room(), out)
        return out.reshape(self.k, -1)[:, : self.d], good, G


def gaussian(n, k, d, span, seed=0, apart=0.1, behind=()):
    rng = np.random.default_rng(seed)
    return Gradient(rng.normal(size=(n, d)), np.arange(n) % k, k, span, seed, apart, behind)


SHAPES = {"wide": (9, 4, 6), "many rows": (14, 3, 12), "k > d": (9, 5, 2), "k = d": (8, 4, 4), "two classes": (6, 2, 5),
          "one feature": (5, 3, 1)}  # fmt: skip


@pytest.mark.parametrize("span", [0.1, 2, 40, 140, 600, 2000])
@pytest.mark.parametrize("shape", SHAPES)
def test_polar_factor_of_graded_samples(shape, span):
    for apart in (0.0, 0.1, 1.0):
        gradient = gaussian(*SHAPES[shape], span, apart=apart)
        expected, rank = gradient.expected(lambda place: 1)
        np.testing.assert_allclose(gradient.found(), expected, rtol=0, atol=1e-12)
        assert rank == min(gradient.k - 1, gradient.d)
        np.testing.assert_allclose(np.linalg.norm(expected) ** 2, rank, rtol=1e-12)


@pytest.mark.parametrize("span", [5, 12, 40, 600])
@pytest.mark.parametrize("behind", [(0, 0, 0, 1), (1, 0, 0, 0), (0, 1, 0, 2), (0, 1, 1, 2), (3, 2, 1, 0)], ids=str)
def test_a_class_that_falls_behind_is_not_lost(behind, span):
    """All samples of the others are as heavy as ever, and together they hide it: heavy rows of one direction."""
    for spread in (0.0, 0.1):
        for shape in ((12, 4, 6), (8, 4, 20), (12, 4, 3)):
            gradient = gaussian(*shape, 1, apart=0.0, behind=[span * x for x in behind])
            gradient.q -= np.floor(spread * span * np.arange(shape[0]))
            gradient.digits += int(2 * spread * span * shape[0])
            expected, rank = gradient.expected(lambda place: 1)
            assert rank == 3
            np.testing.assert_allclose(gradient.found(), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", [*range(3), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(3, 30))])
def test_any_gradation(seed):
    """Of samples, of classes, of pairs, and of the lengths of rows. Where all of these meet, weights may cancel: of 600
    cases one has an error of 1e-9, and the others are right to 1e-11."""
    rng = np.random.default_rng(seed)
    for _ in range(20):
        k, d, span = int(rng.integers(2, 7)), int(rng.integers(1, 12)), 10 ** rng.uniform(-1, 2.5)
        n = int(rng.integers(k, 18))
        X = rng.normal(size=(n, d)) * 10.0 ** rng.uniform(*rng.choice([(0, 0), (-2, 2)]), size=(n, 1))
        behind = [float(x) for x in rng.choice([0, 0, 0.3, 1, 2], size=k)]
        labels = list(rng.integers(0, k, size=n))
        gradient = Gradient(X, labels, k, span, int(rng.integers(1e6)), rng.choice([0, 0.1, 1]), behind)
        gradient.q -= np.floor(rng.choice([0, 1]) * rng.uniform(0, 3 * span, size=n))
        gradient.digits += int(6 * span) + 200
        expected, _ = gradient.expected(lambda place: 1)
        np.testing.assert_allclose(gradient.found(), expected, rtol=0, atol=1e-8 if seed > 2 else 1e-11)


@pytest.mark.parametrize("span", [0.1, 40, 600])
def test_in_one_unit_it_is_right_or_says_so(span):
    good, plain = np.zeros((2, 30), bool)
    for seed in range(30):
        gradient = gaussian(9, 4, 6, span, seed)
        expected, rank = gradient.expected(lambda place: 1)
        found, good[seed], G = gradient.found_in_one_unit(rank)
        if good[seed]:
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)
        U, _, V = np.linalg.svd(G)
        plain[seed] = np.abs(U[:, :rank] @ V[:rank] - expected).max() < 1e-9
    assert good.all() if span < 1 else good.mean() < 0.6 and not plain.all(), (good, plain)


@pytest.mark.parametrize("span", [0.1, 40, 600])
@pytest.mark.parametrize("shape", SHAPES)
def test_truncated_and_random_spectra(shape, span):
    gradient = gaussian(*SHAPES[shape], span, seed=3)
    rank = min(gradient.k - 1, gradient.d)
    for count in range(1, rank + 1):
        expected, _ = gradient.expected(lambda place, count=count: int(place < count))
        np.testing.assert_allclose(gradient.found(polar.FIRST, count), expected, rtol=0, atol=1e-10)
    uniforms = np.random.default_rng(0).uniform(size=LANES)
    expected, _ = gradient.expected(lambda place: 2 * uniforms[place])
    np.testing.assert_allclose(gradient.found(polar.RANDOM, 0, uniforms), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("span", [0.1, 40, 600])
def test_what_has_no_rank_gives_the_partial_isometry(span):
    """Rows that come twice, in the same class or in another; rows of a subspace; one row."""
    rng = np.random.default_rng(1)
    X = rng.integers(-3, 4, size=(4, 6)).astype(float)
    plane = X[:, :2] @ np.array([[1.0, 0, 2, 0, 0, 1], [0, 1.0, 0, -1, 1, 0]])
    for rows, labels, k, rank in (
        (X[[0, 1, 0, 1, 0]], [0, 1, 0, 1, 2], 4, 2), (plane, [0, 1, 2, 3], 4, 2), (X[:1], [1], 4, 1),
        (X[:2], [1, 1], 3, 2), (X, [0, 1, 0, 1], 2, 1), (X[[2, 2]], [0, 1], 2, 1),
    ):  # fmt: skip
        gradient = Gradient(rows, labels, k, span)
        expected, found = gradient.expected(lambda place: 1)
        assert found == rank
        np.testing.assert_allclose(gradient.found(), expected, rtol=0, atol=1e-11)


def test_what_is_not_finite_stays_so():
    gradient = gaussian(5, 3, 4, 2)
    gradient.f[0, 2] = np.nan
    assert np.isnan(gradient.found()).all()

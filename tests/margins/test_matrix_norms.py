"""Margins of k classes: every direction is proved by its own pair, and a cone solver finds no other value."""

import pickle
import warnings

import cvxpy as cp
import numpy as np
import pytest

import implicitbias as ib
from implicitbias.margins.norms import fitting, followed, measurable, named, norm_of, usual

NORMS = ["frobenius", "max", "l1", "l3", "l1.5", "spectral", "nuclear", "ky_fan2", "rows", "columns"]
BLOCKS = ["spectral2_max", "spectral2_frobeniusx0.5", "rows1_columnsx2", "max2_spectral", "frobenius1_rows"]
ROUND = ["spectral", "nuclear", "ky_fan2", "rows", "columns"]


def centres(k=4, d=6, per=4, noise=0.3, seed=0):
    """k Gaussian clouds around Gaussian centres."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(k), per)
    return ib.Multiclass(rng.normal(size=(k, d))[labels] + noise * rng.normal(size=(k * per, d)), labels)


def parts_of(norm):
    """(norm, split, norm, ratio) of a name such as "spectral2_maxx0.5"."""
    first, second = norm.split("_")
    second, ratio = second.split("x0.5")[0].split("x2")[0], 0.5 if "x0.5" in second else 2.0 if "x2" in second else 1.0
    return first[:-1], int(first[-1]), second, ratio


def sizes(norm, w):
    """(N(W), N*(W)), written a second time."""
    if "_" in norm and not norm.startswith("ky_fan"):
        first, split, second, ratio = parts_of(norm)
        (a, p), (b, q) = sizes(first, w[:, :split]), sizes(second, w[:, split:])
        return max(a, b / ratio), p + q * ratio
    s = np.linalg.svd(w, compute_uv=False)
    if norm in ("frobenius", "max", "l1", "l3", "l1.5"):
        p = {"frobenius": 2.0, "max": np.inf}.get(norm) or float(norm[1:])
        q = {1.0: np.inf, np.inf: 1.0}.get(p) or p / (p - 1)
        return np.linalg.norm(w.ravel(), p), np.linalg.norm(w.ravel(), q)
    if norm.startswith("ky_fan"):
        r = int(norm[6:])
        return max(s[0], s.sum() / r), s[:r].sum()
    if norm in ("rows", "columns"):
        lengths = np.linalg.norm(w, axis=1 if norm == "rows" else 0)
        return lengths.max(), lengths.sum()
    return (s[0], s.sum()) if norm == "spectral" else (s.sum(), s[0])


def assert_certified(problem, sep, norm, gap=1e-9, digits=1e-11):
    """Both sides recomputed in float64."""
    w, c = sep.direction, sep.dual
    assert w.shape == problem.shape and c.shape == (problem.n, problem.k)
    assert (c >= 0).all() and c.sum() == pytest.approx(1, abs=1e-13)
    assert not c[np.arange(problem.n), problem.labels].any()
    total = -c.T @ problem.X  # sum c_ic (e_y - e_c) x_i'
    np.add.at(total, problem.labels, c.sum(axis=1)[:, None] * problem.X)
    margin = problem.margins(w).min()
    assert sizes(norm, w)[0] == pytest.approx(1, abs=1e-12)
    assert margin == pytest.approx(sep.margin, rel=digits)
    assert sizes(norm, total)[1] - margin == pytest.approx(sep.gap, abs=digits * margin)
    assert sep.margin > 0 and 0 <= sep.gap <= gap * sep.margin


CONES = {
    "spectral": cp.sigma_max, "max": lambda w: cp.max(cp.abs(w)), "frobenius": lambda w: cp.norm(w, "fro"),
    "rows": lambda w: cp.max(cp.norm(w, 2, axis=1)), "columns": lambda w: cp.max(cp.norm(w, 2, axis=0)),
}  # fmt: skip


def cone_margin(problem, norm):
    """The margin by cvxpy."""
    w = cp.Variable(problem.shape)
    least = cp.min(problem.pairs() @ cp.vec(w, order="C"))
    if norm in BLOCKS:
        first, split, second, ratio = parts_of(norm)
        balls = [CONES[first](w[:, :split]) <= 1, CONES[second](w[:, split:]) <= ratio]
        return cp.Problem(cp.Maximize(least), balls).solve(solver=cp.CLARABEL)
    if norm.startswith("ky_fan"):
        size = cp.maximum(cp.sigma_max(w), cp.normNuc(w) / int(norm[6:]))
    elif norm in ("rows", "columns"):
        size = cp.max(cp.norm(w, 2, axis=1 if norm == "rows" else 0))
    elif norm in ("spectral", "nuclear"):
        size = cp.sigma_max(w) if norm == "spectral" else cp.normNuc(w)
    else:
        p = {"frobenius": 2, "max": "inf"}.get(norm) or float(norm[1:])
        size = cp.pnorm(cp.vec(w, order="C"), p)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # how pnorm writes a power is no matter here
        return cp.Problem(cp.Maximize(least), [size <= 1]).solve(solver=cp.CLARABEL)


@pytest.mark.parametrize("norm", [*NORMS, *BLOCKS])
@pytest.mark.parametrize("k, d, per, seed", [(3, 5, 3, 0), (4, 3, 1, 1), (2, 4, 5, 2), (5, 4, 2, 3)])
def test_agrees_with_cvxpy(norm, k, d, per, seed):
    problem = centres(k, d, per, seed=seed)
    sep = ib.max_margin(problem, norm)
    assert_certified(problem, sep, norm)
    assert sep.margin == pytest.approx(cone_margin(problem, norm), rel=1e-6)


SHAPES = [(10, 25, 5), (2, 7, 1), (3, 1, 1), (12, 5, 1), (7, 3, 1), (3, 40, 2), (6, 6, 6)]


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("k, d, per", SHAPES)
def test_every_shape_is_certified(norm, k, d, per):
    if d == 1:  # of numbers, the classes at both ends have a separator; three on a line have one if W has three slopes
        problem = ib.Multiclass([[-1.0], [2.0]], ["low", "high"])
        norm = "spectral" if norm == "ky_fan2" else norm
    else:
        problem = centres(k, d, per, noise=0.1, seed=4)
    assert_certified(problem, ib.max_margin(problem, norm), norm)


@pytest.mark.parametrize("norm", NORMS)
def test_the_reference_setting(norm):
    """k = 10 centres N(0, I), d = 25, sigma 1, 50 a class: of 4500 pairs about 300 have a say."""
    problem = centres(10, 25, 50, noise=1.0)
    assert_certified(problem, ib.max_margin(problem, norm), norm)


@pytest.mark.long
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("d, seed", [(25, 1), (25, 2), (50, 0), (50, 1)])
def test_the_reference_setting_again(norm, d, seed):
    problem = centres(10, d, 50, noise=1.0, seed=seed)
    assert_certified(problem, ib.max_margin(problem, norm), norm)


@pytest.mark.parametrize("seed", range(3))
def test_two_classes_are_the_binary_problem(seed):
    """With w = w_1 - w_0: half of it in each row, of opposite signs."""
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(8, 12)), np.arange(8) % 2
    multi, binary = ib.Multiclass(X, y), ib.Problem(X, y)
    two, infinity = ib.max_margin(binary, "l2").margin, ib.max_margin(binary, "linf").margin
    margins = {
        "frobenius": np.sqrt(2) * two, "max": 2 * infinity, "l1": ib.max_margin(binary, "l1").margin,
        "l3": 2 ** (2 / 3) * ib.max_margin(binary, "l3").margin, "spectral": np.sqrt(2) * two,
        "nuclear": np.sqrt(2) * two, "rows": 2 * two, "columns": np.sqrt(2) * infinity,
    }  # fmt: skip
    for norm, margin in margins.items():
        sep = ib.max_margin(multi, norm)
        assert sep.margin == pytest.approx(margin, rel=1e-12 if norm in ("frobenius", "max", "l1", "l3") else 1e-10)
    w = ib.max_margin(multi).direction
    assert w[1] - w[0] == pytest.approx(np.sqrt(2) * ib.max_margin(binary).direction, abs=1e-12)


@pytest.mark.parametrize("norm", NORMS)
def test_no_direction_does_better_and_no_weights_prove_less(norm):
    problem, rng = centres(4, 6, 3, seed=5), np.random.default_rng(0)
    sep, measured = ib.max_margin(problem, norm), norm_of(norm, problem.shape)
    near = sep.direction + 10.0 ** rng.uniform(-8, 0, size=(200, 1, 1)) * rng.normal(size=(200, *problem.shape))
    assert (problem.margins(near).min(axis=1) <= (sep.margin + sep.gap) * measured.values(near)).all()
    for _ in range(50):
        c = rng.dirichlet(np.full(problem.n * (problem.k - 1), 0.1))
        total = (c @ problem.pairs()).reshape(problem.shape)
        assert sizes(norm, total)[1] >= sep.margin * (1 - 1e-12)


@pytest.mark.parametrize("norm", NORMS)
def test_rows_that_are_there_twice_and_features_that_are_not(norm):
    problem = centres(3, 4, 3, seed=6)
    margin = ib.max_margin(problem, norm).margin
    twice = ib.Multiclass(np.vstack([problem.X] * 2), np.tile(problem.labels, 2))
    assert ib.max_margin(twice, norm).margin == pytest.approx(margin, rel=1e-9)
    X = np.insert(problem.X, 2, 0.0, axis=1)
    wide = ib.max_margin(ib.Multiclass(X, problem.labels), norm)
    assert wide.margin == pytest.approx(margin, rel=1e-12) and not wide.direction[:, 2].any()
    assert_certified(ib.Multiclass(X, problem.labels), wide, norm)
    u = wide.direction + 0.0
    u[0, 2] = 0.01  # idle where it costs nothing
    if norm in ("max", "columns"):
        assert not wide.unique and wide.distance(u) < 2e-4
    else:
        assert 0.005 < wide.distance(u) < 0.02


@pytest.mark.parametrize("norm", NORMS)
def test_many_rows_at_the_very_margin(norm):
    """Whole numbers, fifty times: of the 3000 pairs hundreds have the smallest margin, and 300 are looked at first."""
    X, labels = np.random.default_rng(0).integers(-3, 4, size=(20, 12)).astype(float), np.arange(20) % 4
    once, often = ib.Multiclass(X, labels), ib.Multiclass(np.tile(X, (50, 1)), np.tile(labels, 50))
    sep = ib.max_margin(often, norm)
    assert_certified(often, sep, norm)
    assert sep.margin == pytest.approx(ib.max_margin(once, norm).margin, rel=1e-9)
    assert pickle.loads(pickle.dumps(sep)).distance(sep.direction) < 2e-4


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("exponent", [-100, 100])
def test_scale_does_not_matter(norm, exponent):
    problem = centres(3, 5, 3, seed=7)
    scaled = ib.Multiclass(problem.X * 10.0**exponent, problem.labels)
    one, other = ib.max_margin(problem, norm), ib.max_margin(scaled, norm)
    assert other.margin / 10.0**exponent == pytest.approx(one.margin, rel=1e-10)
    assert other.relative_gap < 1e-9


@pytest.mark.parametrize("norm", NORMS)
def test_rows_of_different_lengths(norm):
    problem = centres(3, 5, 3, seed=7)
    long = ib.Multiclass(problem.X * np.geomspace(1, 1e6, problem.n)[:, None], problem.labels)
    assert_certified(long, ib.max_margin(long, norm), norm, digits=1e-6)


@pytest.mark.parametrize("norm", ["frobenius", "spectral", "max"])
@pytest.mark.parametrize("k, d, n", [(3, 2, 30), (5, 10, 400)])
def test_data_without_a_separator_are_refused_with_a_proof(norm, k, d, n):
    rng = np.random.default_rng(0)
    problem = ib.Multiclass(rng.normal(size=(n, d)), np.arange(n) % k)
    with pytest.raises(ib.NotSeparable, match="against class") as caught:
        ib.max_margin(problem, norm)
    c = caught.value.weights
    assert c.shape == (n, k) and (c >= 0).all() and c.sum() == pytest.approx(1)
    assert not c[np.arange(n), problem.labels].any()
    total = -c.T @ problem.X
    np.add.at(total, problem.labels, c.sum(axis=1)[:, None] * problem.X)
    assert np.abs(total).max() < 1e-13


def test_one_row_that_another_class_has_too():
    problem = ib.Multiclass([[1.0, 2.0], [3.0, -1.0], [2.0, 4.0], [-1.0, 1.0]], ["a", "a", "b", "c"])
    with pytest.raises(
        ib.NotSeparable, match=r"0\.666667 row 0 against class 'b' \+ 0\.333333 row 2 against class 'a'"
    ):
        ib.max_margin(problem)


def widest(problem, norm, sep):
    """How far apart optimal matrices can be along a few directions, of those whose columns sum to zero: by cvxpy."""
    w = cp.Variable(problem.shape)
    size = {"spectral": cp.sigma_max, "nuclear": cp.normNuc}.get(norm)
    if norm == "ky_fan2":
        size = lambda w: cp.maximum(cp.sigma_max(w), cp.normNuc(w) / 2)  # noqa: E731
    if norm in ("rows", "columns"):
        size = lambda w: cp.max(cp.norm(w, 2, axis=1 if norm == "rows" else 0))  # noqa: E731
    given = [size(w) <= 1, problem.pairs() @ cp.vec(w, order="C") >= sep.margin * (1 - 1e-6)]
    if norm != "rows":
        given.append(cp.sum(w, axis=0) == 0)
    ends = []
    for cost in np.random.default_rng(1).normal(size=(3, *problem.shape)):
        for sign in (1, -1):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # six digits that may be inaccurate are enough
                cp.Problem(cp.Maximize(sign * cp.sum(cp.multiply(cost, w))), given).solve(solver=cp.CLARABEL)
            ends.append(w.value)
    return max(np.linalg.norm(a - b) for a, b in zip(ends[::2], ends[1::2]))


FACES = [("spectral", 0), ("spectral", 3), ("nuclear", 0), ("ky_fan2", 0), ("rows", 0), ("rows", 2), ("columns", 0)]


@pytest.mark.parametrize("norm, seed", FACES)
def test_uniqueness_is_that_of_cvxpy(norm, seed):
    problem = centres(4, 4, 2, seed=seed)
    sep = ib.max_margin(problem, norm)
    assert sep.unique == (widest(problem, norm, sep) < 0.02)


def test_both_kinds_of_faces_occur():
    found = [ib.max_margin(centres(4, 4, 2, seed=seed), norm).unique for norm, seed in FACES]
    assert any(found) and not all(found)


@pytest.mark.parametrize("norm", ["max", "l1", *ROUND])
@pytest.mark.parametrize("seed", range(3))
def test_distance_is_to_the_face(norm, seed):
    """The nearest point is optimal, and the direction itself is at no distance."""
    problem = centres(4, 4, 2, seed=seed)
    sep = ib.max_margin(problem, norm)
    assert sep.distance(5.0 * sep.direction) < 2e-4
    u = ib.max_margin(problem, "frobenius").direction
    u = u / norm_of(norm, problem.shape).value(u)
    near = sep._nearest(u)
    assert problem.margins(near).min() >= sep.margin * (1 - 1e-7) and sizes(norm, near)[0] <= 1 + 1e-9
    assert sep.distance(u) == pytest.approx(np.linalg.norm(u - near), rel=1e-6)
    assert sep.distance(u) <= np.linalg.norm(u - sep.direction) + 1e-9


@pytest.mark.parametrize("norm", ["max", "l1"])
def test_the_direction_of_a_polytope_is_its_shortest_over_all_pairs(norm):
    problem = centres(8, 12, 40, noise=0.6, seed=1)  # 2240 pairs, 300 of which are the first working set
    sep = ib.max_margin(problem, norm)
    assert sep.distance(sep.direction) < 1e-9
    everything = ib.max_margin(ib.Problem(problem.pairs()), {"max": "linf"}.get(norm, norm))
    assert sep.margin == pytest.approx(everything.margin, rel=1e-10)
    assert sep.direction.ravel() == pytest.approx(everything.direction, abs=1e-7)
    assert sep.unique == everything.unique


def test_a_program_that_is_too_large_is_refused(monkeypatch):
    monkeypatch.setattr("implicitbias.margins.interior.MOST", 17)
    problem = centres(4, 6, 1)  # (k - 1) n = 12 entries, and 6 of the other matrix
    assert ib.max_margin(problem, "spectral").margin > 0
    with pytest.raises(ib.InputError, match="nuclear margin of 4 classes with 6 features asks for a program of 18 var"):
        ib.max_margin(problem, "nuclear")


def test_blocks_of_features_that_are_not_all_there():
    """Without entries, features of both blocks take no part: the margin is that of the others, with another split."""
    problem = centres(3, 6, 3)
    X = problem.X.copy()
    X[:, [0, 4]] = 0.0
    sep = ib.max_margin(ib.Multiclass(X, problem.labels), "spectral3_maxx0.5")
    narrow = ib.max_margin(ib.Multiclass(X[:, [1, 2, 3, 5]], problem.labels), "spectral2_maxx0.5")
    assert sep.margin == narrow.margin and not sep.direction[:, [0, 4]].any() and not sep.unique
    one = ib.max_margin(ib.Multiclass(np.where(np.arange(6) < 3, 0.0, problem.X), problem.labels), "max3_spectralx2")
    alone = ib.max_margin(ib.Multiclass(problem.X[:, 3:], problem.labels), "spectral")
    assert one.margin == pytest.approx(2.0 * alone.margin, rel=1e-9)


# the registry


@pytest.mark.parametrize("norm", [*NORMS, *BLOCKS])
@pytest.mark.parametrize("shape", [(4, 6), (6, 4), (3, 3)])
def test_a_norm_of_matrices_is_one(norm, shape):
    w = np.random.default_rng(0).normal(size=(40, *shape))
    measured = norm_of(norm, shape)
    values = measured.values(w)
    assert values == pytest.approx([sizes(norm, x)[0] for x in w], rel=1e-13)
    assert values == pytest.approx([measured.value(x) for x in w], rel=1e-14)
    assert measured.values(-3 * w) == pytest.approx(3 * values, rel=1e-13)
    assert (measured.values(w[:20] + w[20:]) <= (values[:20] + values[20:]) * (1 + 1e-13)).all()
    assert measured.values(w * 1e200) == pytest.approx(values * 1e200, rel=1e-13)
    assert measured.values(np.zeros((2, *shape))).tolist() == [0.0, 0.0]
    assert norm_of(measured.key, shape) == measured and hash(norm_of(measured.key, shape)) == hash(measured)
    for x, y in zip(w[:20], w[20:]):
        if measured.entrywise:
            x, y = x.ravel(), y.ravel()
        assert measured.value(x) * (1 - 1e-14) <= measured.above(x) <= measured.value(x) * (1 + 1e-12)
        assert abs((x * y).sum()) <= measured.above(x) * measured.dual_above(y)
        assert measured.dual_above(y) == pytest.approx(sizes(norm, y.reshape(shape))[1], rel=1e-12)


@pytest.mark.parametrize("norm", [*ROUND, *BLOCKS])
@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (1, 4), (4, 1)])
@pytest.mark.parametrize("size", [0.5, 0.999])
def test_derivatives_of_barriers_are_those_of_differences(norm, shape, size):
    measured = norm_of(norm, (5, 5))
    m = np.random.default_rng(0).normal(size=shape)
    v = measured.inside(size * m / measured.value(m))
    slope, curvature = measured.derivatives(v, shape)
    h = 1e-5 * (1 - size)
    steps = h * np.eye(len(v))
    by_value = [(measured.barrier(v + s, shape) - measured.barrier(v - s, shape)) / (2 * h) for s in steps]
    by_slope = [
        (measured.derivatives(v + s, shape)[0] - measured.derivatives(v - s, shape)[0]) / (2 * h) for s in steps
    ]
    assert slope == pytest.approx(np.array(by_value), abs=1e-6 * np.abs(slope).max())
    assert curvature == pytest.approx(np.array(by_slope), abs=1e-6 * np.abs(curvature).max())
    assert np.linalg.eigvalsh(curvature)[0] > 0 and measured.barrier(3 * v, shape) == np.inf


def test_which_norms_fit_what():
    assert usual() == ("l1", "l2", "linf") and usual(matrices=True) == ("frobenius", "max", "spectral")
    assert list(named(matrices=True)) == ["columns", "frobenius", "l1", "max", "nuclear", "rows", "spectral"]
    assert followed(usual(matrices=True), matrices=True) == ["frobenius", "max", "spectral"]
    assert followed(["nuclear"], matrices=True) == ["nuclear"]
    assert set(fitting()) & set(fitting(matrices=True)) == {"l1", "lp"}
    assert [measurable(name, matrices=True) for name in ("l3", "ky_fan2", "rows")] == ["l3", "ky_fan2", "rows"]
    for p, name in ((1, "l1"), (2, "frobenius"), (np.inf, "max")):
        assert norm_of(p, (3, 2)).key == norm_of(("lp", p), (3, 2)).key == name
    assert norm_of(("ky_fan", 1), (3, 5)).key == "nuclear" and norm_of("ky_fan3", (3, 5)).key == "spectral"


@pytest.mark.parametrize(
    "norm, shape, sentence",
    [
        ("spectral", (3,), "'spectral' is a norm of matrices; of a binary Problem ask for 'l2'"),
        ("max", (3,), "'max' is a norm of matrices; of a binary Problem ask for 'linf'"),
        ("ky_fan2", (3,), "'ky_fan' is a norm of matrices; of a binary Problem ask for 'l2'"),
        ("l2", (3, 2), "'l2' is a norm of vectors; of a Multiclass ask for 'frobenius'"),
        ("linf", (3, 2), "'linf' is a norm of vectors; of a Multiclass ask for 'max'"),
        (("mahalanobis", [1, 2]), (3, 2), "'mahalanobis' is a norm of vectors"),
        ("specral", (3, 2), "did you mean 'spectral'"),
        ("ky_fan", (3, 2), r'needs its parameter: write \("blocks", parts\) or \("ky_fan", r\) or \("lp", p\)'),
        (("ky_fan", 3), (3, 2), r"whole number from 1 to min\(k, d\) = 2, but is 3"),
        (("ky_fan", 1.5), (3, 2), "whole number"),
        (("ky_fan", True), (3, 2), "whole number"),
        (("rows", 2), (3, 2), "takes no parameter"),
        ("blocks", (3, 2), r'needs its parameter: write \("blocks", parts\)'),
        ("spectral2_max", (3, 2), "split of blocks must be a whole number from 1 to 1, but is 2"),
        (("blocks", ("spectral", 1, "nuclear")), (3, 2), "unknown norm of a block 'nuclear'"),
        (("blocks", ("spectral", 1, "max", 0)), (3, 2), "ratio of blocks must be a number > 0"),
        (("blocks", "spectral"), (3, 2), "must be"),
    ],
)
def test_norms_that_do_not_fit(norm, shape, sentence):
    with pytest.raises(ib.InputError, match=sentence):
        norm_of(norm, shape)

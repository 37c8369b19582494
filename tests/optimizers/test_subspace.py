"""Optimizers in the top of the spectrum of the Hessian, or out of it: the eigenvectors, the steps, the switch."""

import naive_family as twin
import naive_matrix
import numpy as np
import pytest
from mpmath import mp

import implicitbias as ib
from implicitbias.jit import kernel
from implicitbias.lanes import aligned
from implicitbias.simulation.orders import batches, steps_per_epoch
from implicitbias.simulation.tridiagonal import room_for, top_vectors

RNG = np.random.default_rng(0)


# -- eigenvectors -----------------------------------------------------------------------------------------------------


@kernel
def call(a, m, count, room, out):
    return top_vectors(a, m, count, room, out)


def top(H, count):
    """The eigenvectors of the largest eigenvalues, and whether they are certain."""
    m, chunks = len(H), -(-len(H) // 8)
    a, out = aligned((8 * chunks, chunks, 8)), aligned((count, chunks, 8))
    a.reshape(8 * chunks, -1)[:m, :m] = H / np.abs(H).max()
    sure = call(a, m, count, aligned((room_for(m),)), out)
    return out.reshape(count, -1)[:, :m], sure


@pytest.mark.parametrize("m", [1, 2, 3, 7, 8, 9, 16, 17, 33, 50, 64])
def test_the_projector_is_that_of_a_dense_solver(m):
    for _ in range(20):
        n, count = int(RNG.integers(1, 3 * m + 1)), int(RNG.integers(1, m + 1))
        B = RNG.normal(size=(n, m)) * np.exp(RNG.choice([0.0, 1.0, 3.0]) * RNG.normal(size=(n, 1)))
        values, vectors = np.linalg.eigh(B.T @ B)
        values, vectors = values[::-1] / values[-1], vectors[:, ::-1][:, :count]
        gap = values[count - 1] - (values[count] if count < m else 0.0)
        found, sure = top(B.T @ B, count)
        if sure:
            assert gap > 1e-7
            np.testing.assert_allclose(found @ found.T, np.eye(count), atol=1e-13)
            np.testing.assert_allclose(found.T @ found, vectors @ vectors.T, rtol=0, atol=1e-14 + 1e-14 / gap)
        assert sure or gap < 1e-5


@pytest.mark.parametrize("H", [np.eye(5), np.zeros((4, 4)), np.full((3, 3), np.nan), np.diag([1.0, 1.0, 0.5])])
def test_ties_and_nothing_are_not_certain(H):
    with np.errstate(invalid="ignore"):
        assert not top(H if H.any() else H + 0.0 * H, 1)[1]


@pytest.mark.parametrize("apart", [0.0, 1e-15, 1e-13, 1e-11, 1e-8, 1e-4])
@pytest.mark.parametrize("m", [5, 24])
def test_eigenvalues_may_be_the_same_within_the_space(m, apart):
    for turned in (np.eye(m), np.linalg.qr(RNG.normal(size=(m, m)))[0]):
        values = np.r_[1.0, 1.0 - apart, 1.0 - 3 * apart, 0.5, np.linspace(0.4, 0.0, m - 4)]
        H = turned * values @ turned.T
        for count in (3, 4):
            found, sure = top(0.5 * (H + H.T), count)
            assert sure
            np.testing.assert_allclose(found.T @ found, turned[:, :count] @ turned[:, :count].T, rtol=0, atol=1e-13)
        assert not top(0.5 * (H + H.T), 1)[1] or apart > 1e-6


def weights_of(problem, direction, size):
    return size * direction / problem.margins(direction).min()


@pytest.mark.parametrize("level", [0.0, 30.0, 700.0, 3000.0])
def test_the_projector_of_weights_far_apart(level):
    """By mpmath with as many digits as the weights are orders apart. The update is that of the margins of a sign
    vector, from Signum: of order one, wherever w is."""
    rows = np.random.default_rng(5).normal(size=(5, 7))
    w = np.linalg.lstsq(rows, level * np.array([1.0, 1.3, 1.7, 2.0, 3.0]), rcond=None)[0]
    run = ib.simulate(rows, ib.Subspace(ib.Signum(0.0), 3), lr=1.0, order="full", steps=1, initial=w)
    base = ib.simulate(rows, ib.Signum(0.0), lr=1.0, order="full", steps=1, initial=w)
    with mp.workdps(40 + int(2.0 * level)):
        z = rows @ w
        bends = [1 / (1 + mp.exp(x)) * (1 - 1 / (1 + mp.exp(x))) for x in z]
        B = mp.matrix([[mp.sqrt(b) * mp.mpf(float(a)) for a in row] for b, row in zip(bends, rows)])
        vectors = mp.eigsy(B.T * B)[1]
        V = np.array([[float(vectors[i, j]) for j in range(4, 7)] for i in range(7)])
    u = base.weights[-1] - w
    np.testing.assert_allclose(run.weights[-1] - w, V @ (V.T @ u), rtol=0, atol=1e-12 * max(1.0, level))


# -- steps ------------------------------------------------------------------------------------------------------------

BASES = {
    "sgd": (ib.SGD(), twin.SGD(momentum=0.0), 0.1),
    "momentum": (ib.SGD(0.9, nesterov=False), twin.SGD(momentum=0.9), 0.02),
    "ngd": (ib.NGD(), twin.SteepestDescent(p=2.0), 0.02),
    "signum": (ib.Signum(0.9), twin.Signum(beta=0.9), 0.01),
    "adam": (ib.Adam(0.9, 0.95), twin.Adam(beta1=0.9, beta2=0.95), 0.01),
    "sam": (ib.SAM(0.1), twin.SAM(rho=0.1, linf=False), 0.1),
}
PROBLEMS = {
    "tall": ib.Problem(RNG.normal(size=(14, 6)) + np.array([2.0, 0, 0, 0, 0, 0])),
    "wide": ib.Problem(RNG.normal(size=(5, 9))),
    "classes": ib.Multiclass(RNG.normal(size=(9, 8)), np.arange(9) % 3),
}


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("loss", ["logistic", "exponential"])
@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("side", ["dominant", "bulk"])
@pytest.mark.parametrize("name", BASES)
def test_path_is_that_of_the_twin(name, side, every, loss, problem):
    base, rule, lr = BASES[name]
    problem, record = PROBLEMS[problem], [1, 7, 30]
    n, shape = problem.n, problem.shape
    start = 0.1 * np.random.default_rng(2).normal(size=shape)  # where no two eigenvalues are the same
    visited, epoch = list(batches(n, 4, "reshuffle", 30, seed=1)), steps_per_epoch(n, 4, "drop")
    rule = twin.Subspace(rule, 2, side, every)
    if isinstance(problem, ib.Multiclass):
        expected, _ = naive_matrix.trajectory(problem, rule, visited, lambda t: lr, epoch, loss,
                                              start, record, "decimal")  # fmt: skip
    else:
        expected, _ = twin.trajectory(problem.rows, rule, visited, lambda t: lr, epoch, loss, start, record,
                                      backend="float")  # fmt: skip
    for step, w in zip(record, expected, strict=True):
        run = ib.simulate(problem, ib.Subspace(base, 2, side, every), lr=lr, batch=4, steps=step, seed=1, loss=loss,
                          initial=start, measures=[])  # fmt: skip
        np.testing.assert_allclose(run.weights[-1], w, rtol=0, atol=1e-10, err_msg=f"step {step}")


OPTIONS = {"lr": 0.05, "batch": 3, "seed": 4, "measures": []}


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("name", BASES)
def test_both_sides_add_up_to_the_base(name, problem):
    """From one place, with one state."""
    base, _, _ = BASES[name]
    problem = PROBLEMS[problem]
    start = ib.simulate(problem, base, steps=37, **OPTIONS)
    one, other, whole = (
        ib.simulate(problem, item, start=start, steps=1).weights[-1] - start.weights[-1]
        for item in (ib.Subspace(base), ib.Subspace(base, side="bulk"), base)
    )
    np.testing.assert_allclose(one + other, whole, rtol=0, atol=1e-14)
    assert abs((one * other).sum()) < 1e-14 and np.abs(one).max() > 1e-5 and np.abs(other).max() > 1e-5


@pytest.mark.parametrize("name", BASES)
def test_of_full_rank_it_is_the_base(name):
    base, _, _ = BASES[name]
    tall, wide = PROBLEMS["tall"], PROBLEMS["wide"]
    start = ib.simulate(tall, base, steps=40, **OPTIONS)
    for every in (1, 3):
        on, off = (ib.Subspace(base, 6, side, every) for side in ("dominant", "bulk"))
        run, still, whole = (ib.simulate(tall, item, start=start, steps=60) for item in (on, off, base))
        np.testing.assert_allclose(run.weights[-1], whole.weights[-1], rtol=0, atol=1e-12)
        np.testing.assert_allclose(run.state, whole.state, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(still.weights[-1], start.weights[-1], rtol=0, atol=1e-12)
    if name in ("sgd", "momentum", "ngd", "sam"):  # whose updates are in the span of the rows
        run, whole = (ib.simulate(wide, item, steps=90, **OPTIONS) for item in (ib.Subspace(base, 5), base))
        np.testing.assert_allclose(run.weights[-1], whole.weights[-1], rtol=0, atol=1e-12)


# -- the switch -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["near", "tail"])
@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("name", BASES)
def test_the_switch_takes_iterate_state_clock_and_batches(name, problem, place):
    """There and back again through a projector that takes nothing away, it is the run of the base; and all branches
    see the batches of the steps that follow."""
    base, _, lr = BASES[name]
    problem = PROBLEMS[problem]
    initial = None if place == "near" else weights_of(problem, ib.max_margin(problem).direction, 800.0)
    shared = {"batch": 3, "seed": 4, "initial": initial, "measures": [], "lr": ib.Power(lr, 0.3)}
    start = ib.simulate(problem, base, steps=31, **shared)
    on, off = ib.Subspace(base, side="dominant"), ib.Subspace(base, side="bulk")
    # a state that is not touched by where w is: the first step of a branch has that of the base, bit for bit
    one, other, whole = (ib.simulate(problem, item, start=start, steps=1) for item in (on, off, base))
    if not start._end.in_margins:
        np.testing.assert_array_equal(one.state, whole.state)
        for field in ("expo", "origin", "span"):
            np.testing.assert_array_equal(getattr(one._end, field), getattr(whole._end, field))
    np.testing.assert_allclose(one.state, whole.state, rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(one.state, other.state)
    assert one._end.born == other._end.born == whole._end.born == 0
    # and back: nothing of the branch is left but w and the state
    back = ib.simulate(problem, base, start=one, steps=20)
    again = ib.simulate(problem, base, start=ib.simulate(problem, on, start=start, steps=1), steps=20)
    np.testing.assert_array_equal(back.weights[-1], again.weights[-1])
    assert back.steps[-1] == 52 and back.status == "ok"


@pytest.mark.parametrize("base", [ib.Adam(0.9, 0.95, bias_correction=True), ib.SGD(0.9)], ids=lambda item: item.label)
def test_the_clock_of_bias_corrections_goes_on(base):
    problem = PROBLEMS["tall"]
    start = ib.simulate(problem, base, steps=5, **OPTIONS)
    run, whole = (ib.simulate(problem, item, start=start, steps=4) for item in (ib.Subspace(base, 6), base))
    np.testing.assert_allclose(run.weights[-1], whole.weights[-1], rtol=0, atol=1e-14)


def test_another_base_begins_anew():
    problem = PROBLEMS["tall"]
    start = ib.simulate(problem, ib.Adam(), steps=31, **OPTIONS)
    run = ib.simulate(problem, ib.SubspaceSGD(), start=start, steps=3)
    assert run._end.born == 31


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("problem", PROBLEMS)
def test_from_side_to_side_and_rank_to_rank(problem, every):
    """A basis of the same rank is kept until the next is due, at multiples of `every` from the start."""
    problem = PROBLEMS[problem]
    whole = ib.simulate(problem, ib.SubspaceSGD(2, "dominant", every), steps=40, **OPTIONS)
    part = ib.simulate(problem, ib.SubspaceSGD(2, "dominant", every), steps=17, **OPTIONS)
    bulk = ib.simulate(problem, ib.SubspaceSGD(2, "bulk", every), start=part, steps=9)
    wider = ib.simulate(problem, ib.SubspaceSGD(3, "bulk", every), start=bulk, steps=9)
    assert {part.status, bulk.status, wider.status} == {"ok"}
    rest = ib.simulate(problem, ib.SubspaceSGD(2, "dominant", every), start=part, steps=23)
    np.testing.assert_array_equal(rest.weights[-1], whole.weights[-1])
    several = [ib.SubspaceSGD(k, side, every) for k in (1, 2, 3) for side in ("dominant", "bulk")]
    for run, item in zip(ib.simulate(problem, several, start=part, steps=9), several, strict=True):
        np.testing.assert_array_equal(run.weights, ib.simulate(problem, item, start=part, steps=9).weights)


# -- laws -------------------------------------------------------------------------------------------------------------


def test_deep_in_the_tail_it_still_moves():
    """At a log-loss of -300, with a step size as large as one over the loss."""
    problem = PROBLEMS["tall"]
    w = weights_of(problem, ib.max_margin(problem).direction, 300.0)
    for item in (ib.SubspaceSGD(2), ib.SubspaceSGD(2, "bulk")):
        run = ib.simulate(problem, item, lr=1e128, order="full", steps=20, initial=w)
        moved = run.weights[-1] - w
        assert run.status == "ok" and run.curve["log_loss"].iloc[-1] < -290 and np.abs(moved).max() > 1e-6


def weak_features(seed=0):
    """Two strong features that say nothing, and twenty weak ones that separate."""
    rng = np.random.default_rng(seed)
    labels = np.where(rng.random(80) < 0.5, 1.0, -1.0)
    strong, weak = 10.0 * rng.normal(size=(80, 2)), rng.normal(size=(80, 20)) + 0.5 * labels[:, None]
    return ib.Problem(np.hstack([strong, weak]), labels)


def losses_of_branches(problem, k, first, steps, **options):
    """The loss at the switch, and those at which SGD, Dom and Bulk end."""
    start = ib.simulate(problem, ib.SGD(), steps=first, measures=["margins"], **options)
    arms = ib.SGD(), ib.SubspaceSGD(k), ib.SubspaceSGD(k, "bulk")
    ends = [start, *(ib.simulate(problem, item, start=start, steps=steps) for item in arms)]
    return np.exp([run.curve["log_loss"].iloc[-1] for run in ends])


def test_on_weak_features_the_bulk_learns():
    """arXiv 2405.16002: full batch the dominant space is where SGD has learned already."""
    switch, sgd, dom, bulk = losses_of_branches(weak_features(), 2, 2000, 20_000, lr=0.02, order="full")
    assert dom > 0.99 * switch and sgd < 0.5 * switch and bulk < 1.1 * sgd


def test_on_clusters_the_dominant_space_learns():
    """Gradient and Hessian are spanned by the same support vectors: there the pattern is the other one."""
    rng = np.random.default_rng(0)
    labels = np.arange(40) % 4
    means = 4.0 * np.linalg.qr(rng.normal(size=(12, 12)))[0][:4]
    problem = ib.Multiclass(means[labels] + 0.3 * rng.normal(size=(40, 12)), labels)
    switch, sgd, dom, bulk = losses_of_branches(problem, 4, 20, 780, lr=0.1, order="full")
    assert dom < 1.01 * sgd and switch > bulk > 20 * sgd


# -- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong, words", [
    (lambda: ib.SubspaceSGD(0), "k of Subspace must be a whole number >= 1, but is 0"),
    (lambda: ib.SubspaceSGD(1.5), "k of Subspace must be a whole number >= 1, but is 1.5"),
    (lambda: ib.Subspace(ib.Adam(), every=0), "every of Subspace must be a whole number >= 1, but is 0"),
    (lambda: ib.Subspace(ib.Adam(), side="top"), "side of Subspace: unknown side 'top'"),
    (lambda: ib.Subspace(ib.Muon()), "Subspace does not fit around Muon; it goes around Adam, NGD, SAM, SGD, Signum"),
    (lambda: ib.Subspace(ib.GradientFlow()), "Subspace does not fit around GradientFlow; it goes around Adam"),
    (lambda: ib.Subspace(ib.SubspaceSGD()), "Subspace does not fit around SGDInSubspace; it goes around Adam"),
    (lambda: ib.Subspace("adam"), "Subspace: optimizer must be one such as Adam"),
    (lambda: ib.simulate(PROBLEMS["wide"], ib.SubspaceSGD(6), steps=1),
     "asks for 6 eigenvectors of the Hessian, which has rank 5 at most with n = 5, d = 9"),
    (lambda: ib.simulate(PROBLEMS["classes"], ib.SubspaceSGD(17), steps=1),
     "asks for 17 eigenvectors of the Hessian, which has rank 16 at most with n = 9, d = 8 and k = 3"),
    (lambda: ib.simulate(PROBLEMS["wide"], ib.SubspaceSGD(), lr=ib.LossAdaptive(0.1), steps=1), "for plain SGD"),
])  # fmt: skip
def test_what_does_not_fit_is_told(wrong, words):
    with pytest.raises(ib.InputError, match=words) as caught:
        wrong()
    assert len(caught.value.mistakes) == 1


def test_there_is_no_theory_of_its_limit():
    from implicitbias.limits.predict import why_not

    assert ib.predict(PROBLEMS["wide"], ib.SubspaceSGD()) is None
    assert "there is no limit theory for" in why_not(PROBLEMS["wide"], ib.SubspaceSGD())

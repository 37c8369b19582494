"""Models of depth: their gradients, optimizers on them, and their predictors far past float underflow."""

import mpmath
import numpy as np
import pytest

import implicitbias as ib
from implicitbias.flows import KINDS
from implicitbias.models import Deep

DATA = ib.Problem([[1.0, 0.5, -0.25], [0.5, 1.5, 0.75], [1.0, -0.5, 1.25], [2.0, 0.25, 0.5], [0.75, 1.0, -1.0]])
MODELS = [
    ib.Diagonal(), ib.Diagonal(depth=3, start=0.4), ib.Diagonal(depth=1), ib.Diagonal(depth=2, layout="product"),
    ib.Diagonal(depth=3, start=0.7, layout="product"), ib.TwoLayer(), ib.TwoLayer(width=2, start=0.5, init=3),
]  # fmt: skip
of_each = pytest.mark.parametrize("model", MODELS, ids=repr)


def predictor(model, theta, d=3):
    """As it is written down, of numbers of any kind."""
    if isinstance(model, ib.TwoLayer):
        u = theta[model.width * d :]
        return [sum(u[h] * theta[h * d + j] for h in range(model.width)) for j in range(d)]
    if model.layout == "product":
        w = [1] * d
        for k in range(model.depth):
            w = [w[j] * theta[k * d + j] for j in range(d)]
        return w
    return [theta[j] ** model.depth - theta[d + j] ** model.depth for j in range(d)]


def jacobian(model, theta, d=3):
    """(d, m) the derivatives of the predictor, from its definition: it is a polynomial of degree 1 or L in each."""
    found = []
    for place in range(len(theta)):

        def along(x, place=place):
            return predictor(model, [*theta[:place], x, *theta[place + 1 :]], d)

        found.append([mpmath.diff(lambda x, j=j: along(x)[j], theta[place]) for j in range(d)])
    return np.array(found).T


def gradient(model, theta, loss="logistic"):
    """(m,) in mpmath."""
    w = predictor(model, theta)
    down = [mpmath.mpf(0)] * DATA.d
    for row in DATA.rows:
        z = sum(mpmath.mpf(float(a)) * x for a, x in zip(row, w))
        s = mpmath.exp(-z) if loss == "exponential" else 1 / (1 + mpmath.exp(z))
        down = [g - s * mpmath.mpf(float(a)) / DATA.n for g, a in zip(down, row)]
    jac = jacobian(model, theta)
    return [sum(down[j] * jac[j, m] for j in range(DATA.d)) for m in range(len(theta))]


@of_each
@pytest.mark.parametrize("loss", ["logistic", "exponential"])
def test_gradient(model, loss):
    deep, theta = Deep(DATA, model, loss), np.random.default_rng(0).normal(size=model.begin(3).size)
    np.testing.assert_allclose(deep.predictor(theta), np.array(predictor(model, list(theta)), float), rtol=1e-13)
    with mpmath.workdps(30):
        expected = np.array(gradient(model, [mpmath.mpf(x) for x in theta], loss), float)
    np.testing.assert_allclose(deep.gradient(theta), expected, rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(np.log(deep.value(theta)), DATA.log_loss(deep.predictor(theta), loss), rtol=1e-12)


def step_of(optimizer, theta, g, state, lr):
    """SGD with momentum .5, sign descent and Adam(.9, .95), in numbers of any kind."""
    m, v = state
    if isinstance(optimizer, ib.Adam):
        m = [mpmath.mpf(9) / 10 * a + b / 10 for a, b in zip(m, g)]
        v = [mpmath.mpf(95) / 100 * a + b * b * 5 / 100 for a, b in zip(v, g)]
        return [x - lr * a / mpmath.sqrt(b) for x, a, b in zip(theta, m, v)], (m, v)
    if isinstance(optimizer, ib.Signum):
        return [x - lr * mpmath.sign(b) for x, b in zip(theta, g)], state
    m = [a / 2 + b for a, b in zip(m, g)]
    return [x - lr * a for x, a in zip(theta, m)], (m, v)


@of_each
@pytest.mark.parametrize(
    "optimizer, lr, steps",
    [(ib.SGD(momentum=0.5), 0.25, 60), (ib.Signum(0.0), 0.25, 60), (ib.Adam(0.9, 0.95), 0.25, 160)],
    ids=lambda item: getattr(item, "label", ""),
)  # fmt: skip
def test_path_is_that_of_fifty_digits(model, optimizer, lr, steps):
    """Of Adam and sign descent far down where the depth brings them there."""
    run = ib.simulate(DATA, optimizer, lr=lr, steps=steps, batch="n", model=model)
    with mpmath.workdps(60):
        theta = [mpmath.mpf(float(x)) for x in model.begin(3)]
        state = ([mpmath.mpf(0)] * len(theta), [mpmath.mpf(0)] * len(theta))
        for _ in range(steps):
            theta, state = step_of(optimizer, theta, gradient(model, theta), state, mpmath.mpf(lr))
    np.testing.assert_allclose(run.weights[-1], np.array(theta, float), rtol=1e-8)
    if model == ib.Diagonal(depth=3, start=0.4) and not isinstance(optimizer, ib.SGD):
        assert run.curve["log_loss"].iloc[-1] < -50


FITTING = [kind for kind in KINDS.values() if not hasattr(kind, "velocity") and kind().unfit_for_objectives() is None]


@pytest.mark.parametrize("kind", FITTING, ids=lambda kind: kind.name)
def test_depth_one_is_the_linear_predictor(kind):
    """Into the tail, for every optimizer that an objective can have."""
    optimizer = kind()
    if optimizer.unfit(DATA.shape):
        pytest.skip(optimizer.unfit(DATA.shape))
    options = {"lr": 0.3, "batch": 1, "order": "cyclic", "steps": 400, "measures": []}
    deep = ib.simulate(DATA, optimizer, model=ib.Diagonal(depth=1, start=0.5, layout="product"), **options)
    flat = ib.simulate(DATA, optimizer, initial=np.full(3, 0.5), **options)
    np.testing.assert_allclose(deep.weights, flat.weights, rtol=1e-9, atol=1e-11)


def test_weights_of_a_block_and_of_a_run_that_goes_on():
    model, options = ib.Diagonal(), {"batch": 2, "measures": ["margins"]}
    alone = ib.simulate(DATA, ib.Adam(0.9, 0.95), lr=0.01, steps=400, model=model, **options)
    block = ib.simulate(DATA, [ib.Adam(0.5, 0.95), ib.Adam(0.9, 0.95)], lr=0.01, steps=400, model=model, **options)
    half = ib.simulate(DATA, ib.Adam(0.9, 0.95), lr=0.01, steps=200, model=model, **options)
    more = ib.simulate(half.problem, ib.Adam(0.9, 0.95), steps=200, start=half)
    for other in (block[1], more):
        np.testing.assert_array_equal(other.weights[-1], alone.weights[-1])


def test_what_is_measured_is_the_predictor():
    run = ib.simulate(
        DATA, ib.NGD(), lr=0.1, steps=2000, batch="n", model=ib.Diagonal(), measures=["margins", "residual"]
    )
    w = run.problem.predictor(run.weights[-1])
    least = (DATA.rows @ w).min()
    assert abs(run.curve["margin_l1"].iloc[-1] - least / np.abs(w).sum()) < 1e-12 and run.curve["residual"].isna().all()


@pytest.mark.parametrize("seed", range(3))
def test_depth_two_prefers_sparse_predictors(seed):
    """Woodworth et al. 2020; Gunasekar et al. 2018: l1 from a small start; of Adam that of the max-norm."""
    problem = ib.geometry.gaussian(n=20, d=50, seed=seed)
    flow, adam = ib.simulate(problem, [ib.NGD(), ib.Adam(0.9, 0.95)], lr=[0.1, 0.001], steps=300_000, batch="n",
                             model=ib.Diagonal(start=0.1), measures=["margins"])  # fmt: skip
    linear = ib.simulate(problem, ib.NGD(), lr=0.1, steps=300_000, batch="n", measures=["margins"])
    assert flow.curve["ratio_l1"].iloc[-1] > 0.98 > 0.85 > linear.curve["ratio_l1"].iloc[-1]
    assert adam.curve["ratio_linf"].iloc[-1] > 0.97


def test_sharpness_aware_minimisation_swaps_the_coordinates():
    """arXiv 2603.08290: of one sample (1, 2), from (.5, .1) and with l_inf SAM of radius .2, the predictor goes to
    (1, 0); (normalised) gradient descent goes to (0, 1)."""
    problem, start = ib.Problem([[1.0, 2.0]]), np.array([0.5, 0.1, 0.5, 0.1])
    options = {"initial": start, "model": ib.Diagonal(layout="product"), "batch": "n", "loss": "exponential"}
    sam = ib.simulate(problem, ib.SAM(0.2, linf=True), lr=1e-3, steps=100_000, **options)
    plain = ib.simulate(problem, ib.NGD(), lr=1e-2, steps=200_000, **options)
    a, b = sam.problem.predictor(sam.weights[-1]), plain.problem.predictor(plain.weights[-1])
    assert a[0] > 100 * abs(a[1]) and b[1] > 100 * b[0]
    alpha = np.array([0.5, 0.1])  # both layers are the same; about 0 its sign is that of rounding
    for _ in range(100_000):
        slope = np.exp(-(alpha**2) @ [1, 2]) * np.array([1, 2]) * alpha
        seen = alpha - 0.2 * np.sign(slope)
        alpha = alpha + 1e-3 * np.exp(-(seen**2) @ [1, 2]) * np.array([1, 2]) * seen
    np.testing.assert_allclose(sam.weights[-1].reshape(2, 2), [alpha, alpha], rtol=1e-3, atol=1e-3)


def run_on(problem, model, **more):
    return ib.simulate(problem, ib.SGD(), lr=0.1, steps=3, model=model, **more)


@pytest.mark.parametrize(
    "wrong, words",
    [
        (lambda: ib.Diagonal(depth=0), "depth of Diagonal must be an integer >= 1"),
        (lambda: ib.Diagonal(start=0.0), "start of Diagonal must be a finite number > 0"),
        (lambda: ib.TwoLayer(width=2.5), "width of TwoLayer"),
        (lambda: run_on(DATA, "deep"), "model must be one such as Diagonal"),
        (lambda: run_on(ib.geometry.class_means(k=3, d=3), ib.Diagonal()), "two classes"),
        (lambda: ib.geometry.gaussian(n=3, d=2, depth=2), "depth is of a model"),
        (lambda: ib.geometry.gaussian(n=3, d=2, model="two_layer", depth=2), "has no depth"),
        (lambda: ib.geometry.gaussian(n=3, d=2, model="diagonal", ridge=0.1), "do not go with a model"),
        (lambda: run_on(DATA, ib.Diagonal(), measures=["curvature"]), "linear predictor"),
    ],
)  # fmt: skip
def test_mistakes_are_sentences(wrong, words):
    with pytest.raises(ib.InputError, match=words):
        wrong()


def test_a_study_over_the_start(tmp_path):
    study = {
        "title": "depth", "question": "?", "measures": ["margins"], "norms": ["l1", "l2"],
        "data": {"gaussian": {"n": 4, "d": 8, "model": "diagonal", "depth": 2, "start": [0.01, 1.0]}},
        "optimizer": {"ngd": {}}, "grid": [{"batch": "n", "steps": 3000, "lr": 0.1}],
        "figure": [{"title": "f", "x": "data.start", "y": "ratio_l1"}],
    }  # fmt: skip
    ib.run_study(study, out=tmp_path / "out")
    runs = ib.load_runs(tmp_path / "out")
    assert (runs["status"] == "ok").all(), runs["message"].iloc[0]
    assert runs["d"].eq(8).all() and len(runs["w"].iloc[0]) == 8
    ib.write_report(tmp_path / "out")

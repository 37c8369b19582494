"""Objectives: their derivatives, their recursions, and optimizers on them as on data."""

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import implicitbias as ib
from implicitbias.flows import KINDS
from implicitbias.objectives import EXAMPLES, FORMS
from implicitbias.objectives.logistic import FORM
from implicitbias.problems import Objective
from implicitbias.store.schema import columns

DATA = ib.geometry.gaussian(n=6, d=3, seed=1)
CASES = {
    "log_cosh": ib.objectives.two_layer_scalar(), "sqrt": ib.objectives.two_layer_scalar(loss="sqrt"),
    "logistic": ib.objectives.two_layer_scalar(loss="logistic"), "neuron": ib.objectives.single_neuron(),
    "river": ib.objectives.river(), "valley": ib.objectives.valley(flat=2.0, noise=3.0),
    "noisy": ib.objectives.noisy_logistic(x=2.0, rho=0.3),
    "ridge": ib.geometry.gaussian(n=6, d=3, seed=1, ridge=0.1),
    "smooth": ib.geometry.gaussian(n=6, d=3, seed=1, smoothing=0.2, ridge=0.3, rotate=2),
}  # fmt: skip
of_each = pytest.mark.parametrize("case", CASES)
small = st.floats(-3, 3)


def log_cosh(p):
    return mpmath.log(mpmath.cosh(p))


def plain(case, w):
    """The value of w in many digits, as it is written down."""
    losses = {"log_cosh": log_cosh, "sqrt": lambda p: mpmath.sqrt(1 + p * p) - 1, "logistic": lambda p: log_cosh(p / 2)}
    if case in losses:
        return losses[case](w[0] * w[1])
    if case == "neuron":
        return (mpmath.tanh(w[0]) * w[1]) ** 2 / 2
    if case == "river":
        return (w[0] * w[1] - 1) ** 2 / 2 + mpmath.log(1 + mpmath.exp(-w[0]))
    if case == "valley":
        return w[0] ** 2 + 50 * w[1] ** 2
    rows, smoothing, ridge = {
        "noisy": ([[2.0]], 0.3, 0.0), "ridge": (DATA.rows, 0.0, 0.1),
        "smooth": (ib.geometry.gaussian(n=6, d=3, seed=1, rotate=2).rows, 0.2, 0.3),
    }[case]  # fmt: skip
    total = 0
    for row in rows:
        z = sum(mpmath.mpf(float(a)) * x for a, x in zip(row, w))
        total += (1 - mpmath.mpf(smoothing)) * mpmath.log(1 + mpmath.exp(-z)) + smoothing * mpmath.log(
            1 + mpmath.exp(z)
        )
    return total / len(rows) + mpmath.mpf(ridge) * sum(x * x for x in w) / 2


@of_each
@given(data=st.data())
def test_values_and_derivatives(case, data):
    objective = CASES[case]
    w = [data.draw(small) for _ in range(objective.d)]
    with mpmath.workdps(40):
        exact = [mpmath.mpf(x) for x in w]
        value = float(plain(case, exact))
        order = [tuple(int(i == j) for j in range(objective.d)) for i in range(objective.d)]
        gradient = [float(mpmath.diff(lambda *x: plain(case, x), exact, n)) for n in order]
        hessian = [
            [float(mpmath.diff(lambda *x: plain(case, x), exact, tuple(np.add(a, b)))) for b in order] for a in order
        ]
    np.testing.assert_allclose(objective.value(np.array(w)), value, rtol=1e-13, atol=1e-30)
    np.testing.assert_allclose(objective.gradient(w), gradient, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(objective.hessian(np.array(w)), hessian, rtol=1e-11, atol=1e-12)


def test_values_are_exact_near_a_minimum_and_far_from_it():
    for loss, near in (("log_cosh", 0.5e-20), ("sqrt", 0.5e-20), ("logistic", 0.125e-20)):
        objective = ib.objectives.two_layer_scalar(loss=loss)
        np.testing.assert_allclose(objective.value(np.array([[1e-10, 1.0], [1e150, 1e150]]))[0], near, rtol=1e-14)
        assert np.isfinite(objective.value(np.array([1e150, 1e150])))


FITTING = [kind for kind in KINDS.values() if not hasattr(kind, "velocity") and kind().unfit_for_objectives() is None]


@pytest.mark.parametrize("kind", FITTING, ids=lambda kind: kind.name)
@pytest.mark.parametrize("order, batch", [("full", "n"), ("reshuffle", 2)])
def test_an_optimizer_does_on_an_objective_what_it_does_on_data(kind, order, batch):
    """The logistic loss of rows is an objective too."""
    optimizer = kind()
    if optimizer.unfit(DATA.shape):
        pytest.skip(optimizer.unfit(DATA.shape))
    same = Objective(FORM, [0.0, 0.0, DATA.d, *DATA.rows.reshape(-1)], np.zeros(DATA.d), n=DATA.n)
    options = {"lr": ib.Power(0.1, 0.5), "order": order, "batch": batch, "steps": 60, "measures": []}
    np.testing.assert_allclose(
        ib.simulate(same, optimizer, **options).weights, ib.simulate(DATA, optimizer, **options).weights,
        rtol=1e-10, atol=1e-12,
    )  # fmt: skip


def test_what_sees_samples_is_refused_on_an_objective():
    for optimizer in (ib.Sophia(), ib.AdamProxy(), ib.DualAccelerated()):
        with pytest.raises(ib.InputError, match="which an objective has not"):
            ib.simulate(CASES["river"], optimizer, lr=0.1, steps=3)


@pytest.mark.parametrize("eta", [0.3, 0.15])
def test_canonical_coordinates_follow_their_recursion(eta):
    """Song and Yun, arXiv 2307.04204: exact for the network of two weights, and for the neuron."""
    steps = 200
    for case, start in (("sqrt", (4.0, 0.2)), ("logistic", (9.0, 0.3)), ("log_cosh", (3.0, 0.1))):
        objective = ib.objectives.two_layer_scalar(loss=case, u=start[0], v=start[1])
        bend = 0.25 if case == "logistic" else 1.0
        slope = {
            "sqrt": lambda p: p / np.sqrt(1 + p * p),
            "logistic": lambda p: np.tanh(p / 2) / 2,
            "log_cosh": np.tanh,
        }
        p, q = start[0] * start[1], 2 / (eta * bend * (start[0] ** 2 + start[1] ** 2))
        for _ in range(steps):
            r, e = slope[case](p) / (p * bend), bend * eta
            p, q = (1 - 2 * r / q + (e * p * r) ** 2) * p, q / (1 - (e * p) ** 2 * r * (2 * q - r))
        curve = ib.simulate(objective, ib.SGD(), lr=eta, steps=steps, batch="n").curve
        np.testing.assert_allclose(curve[["canonical_p", "canonical_q"]].iloc[-1], [p, q], rtol=1e-9)
    x, q = 0.3, 2 / (eta * 49.0)
    for _ in range(steps):
        phi = np.tanh(x)
        r = phi * (1 - phi * phi) / x
        x, q = (1 - 2 * r / q) * x, q * (1 - eta * phi * phi) ** -2
    curve = ib.simulate(ib.objectives.single_neuron(x=0.3, y=7.0), ib.SGD(), lr=eta, steps=steps, batch="n").curve
    np.testing.assert_allclose(curve[["canonical_p", "canonical_q"]].iloc[-1], [x, q], rtol=1e-9)


@pytest.mark.parametrize("eta", [8.5, 10.0, 16.0, 40.0])
def test_the_logistic_loss_of_both_labels_swings_between_two_roots(eta):
    """tanh(z)/z = 8/eta with z = w/2."""
    run = ib.simulate(ib.objectives.noisy_logistic(), ib.SGD(), lr=eta, steps=1_000_000, batch="n")
    root = float(mpmath.findroot(lambda z: mpmath.tanh(z) / z - 8 / eta, 0.6 * eta / 8))
    assert abs(abs(run.weights[-1, 0]) / 2 - root) < 1e-9 * root and run.status == "ok"


@pytest.mark.parametrize(
    "loss, gaps", [("log_cosh", (0.30401, 0.15046, 0.07506, 0.03751)), ("sqrt", (0.2042, 0.1005, 0.05006, 0.02501))]
)
def test_limiting_sharpness(loss, gaps):
    """2/eta - eta/|r''(0)| to first order."""
    for eta, gap in zip((0.2, 0.1, 0.05, 0.025), gaps):
        objective = ib.objectives.two_layer_scalar(loss=loss, u=np.sqrt(2.5 / eta), v=0.1)
        run = ib.simulate(objective, ib.SGD(), lr=eta, steps=300_000, batch="n")
        assert abs(run.curve["sharpness_gap"].iloc[-1] - gap) < 2e-4


def test_samples_of_the_valley_take_turns():
    """Their mean is the valley without noise; each has a cross term of its own sign."""
    objective = ib.objectives.valley(noise=30.0)
    both = ib.simulate(objective, ib.SGD(), lr=0.01, batch="n", order="full", steps=50)
    quiet = ib.simulate(ib.objectives.valley(), ib.SGD(), lr=0.01, batch="n", order="full", steps=50)
    np.testing.assert_allclose(both.weights, quiet.weights, rtol=1e-12)
    one = ib.simulate(objective, ib.SGD(), lr=0.01, batch=1, order="cyclic", steps=2)
    w = np.array([1.0, 1.0])
    for sign in (1.0, -1.0):
        w = w - 0.01 * np.array([w[0] + sign * 30 * w[1], 100 * w[1] + sign * 30 * w[0]])
    np.testing.assert_allclose(one.weights[-1], w, rtol=1e-13)


def test_a_run_goes_on_and_ends_as_one_and_may_overflow():
    objective = CASES["river"]
    options = {"lr": 0.05, "batch": "n"}
    half = ib.simulate(objective, ib.Adam(), steps=100, **options)
    more, whole = (
        ib.simulate(objective, ib.Adam(), steps=100, start=half),
        ib.simulate(objective, ib.Adam(), steps=200, **options),
    )
    np.testing.assert_array_equal(more.weights[-1], whole.weights[-1])
    lost, kept = ib.simulate(objective, [ib.SGD(), ib.SGD()], lr=[9.0, 0.05], batch="n", steps=200)
    assert (lost.status, kept.status) == ("non_finite", "ok")


def test_every_form_has_an_example_and_a_name():
    for name, example in EXAMPLES.items():
        assert example().name == name and example().form.name == name


@pytest.mark.parametrize(
    "wrong, words",
    [
        (lambda: ib.max_margin(CASES["river"], "l2"), "river is an objective"),
        (lambda: ib.predict(CASES["river"], ib.Adam()), "river is an objective"),
        (lambda: ib.simulate(CASES["river"], ib.SGD(), lr=0.1, steps=3, measures=["margins"]), "not for objectives"),
        (lambda: ib.simulate(CASES["river"], ib.SGD(), lr=0.1, steps=3, norms=["l2"]), "leave norms out"),
        (lambda: ib.geometry.class_means(k=3, d=4, ridge=1.0), "two classes"),
        (lambda: ib.geometry.gaussian(n=3, d=2, smoothing=0.7), "smoothing must be"),
        (lambda: ib.objectives.river(w1=np.inf), "w1 must be a finite number"),
    ],
)  # fmt: skip
def test_mistakes_are_sentences(wrong, words):
    with pytest.raises(ib.InputError, match=words):
        wrong()


def test_a_study_of_objectives(tmp_path):
    study = {
        "title": "edge", "question": "?", "data": {"two_layer_scalar": {"u": [4.0, 5.0], "v": 0.1}},
        "optimizer": {"sgd": {}}, "grid": [{"batch": "n", "steps": 20000, "lr": 0.2}],
        "claim": [{"says": "on the curve", "source": "x", "standing": "theorem", "measure": "q_over_r", "equal": 1.0,
                   "within": 0.1}],
        "figure": [{"title": "f", "x": "canonical_p", "y": "canonical_q"}],
    }  # fmt: skip
    ib.run_study(study, out=tmp_path / "out")
    runs = ib.load_runs(tmp_path / "out")
    assert (runs["status"] == "ok").all() and "min_margin" not in runs and "norm_l2" not in runs
    assert [verdict.outcome for verdict in ib.check(tmp_path / "out")] == ["holds"]
    assert "canonical_p" in ib.load_curves(tmp_path / "out")
    ib.write_report(tmp_path / "out")
    two = study | {"data": study["data"] | {"river": {}}}
    with pytest.raises(ib.InputError, match="make a study of each"):
        ib.run_study(two, out=tmp_path / "two")


def test_figures_of_runs_and_of_their_table_know_the_readings(tmp_path):
    objective = ib.objectives.two_layer_scalar(u=4.0, v=0.1)
    for measures in (None, ["orbit", "curvature"]):
        run = ib.simulate(objective, ib.SGD(), lr=0.2, steps=200, batch="n", measures=measures)
        assert run.plot(y="q_over_r").axes and ib.plot([run], x="canonical_p", y="canonical_q", mark="path").axes
        with pytest.raises(ib.InputError, match="unknown column 'off_river'"):
            run.plot(y="off_river")
    assert run.plot(y="log_lambda_1").axes
    study = {
        "title": "t", "measures": ["orbit", "curvature"], "data": {"two_layer_scalar": {"u": 4.0, "v": 0.1}},
        "optimizer": {"sgd": {}}, "grid": [{"batch": "n", "steps": 200, "lr": [0.1, 0.2]}],
    }  # fmt: skip
    ib.run_study(study, out=tmp_path / "out")
    for results in (tmp_path / "out", ib.load_runs(tmp_path / "out")):
        assert ib.plot(results, x="lr_eta", y="orbit", mark="scatter").axes
        assert ib.plot(results, x="lr_eta", y=["q_over_r", "log_lambda_1"]).axes


def test_the_data_dictionary_has_what_objectives_are_read_by():
    known = set(columns()["name"])
    for form in FORMS.values():
        assert {name for item in form.readings for name in (item.name, f"median_{item.name}")} <= known
    assert {"orbit", "period", "lyapunov"} <= known and columns("orbit").iloc[0]["type"] == "vector"

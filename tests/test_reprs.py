"""How results look: one line in a terminal, a table in a notebook; and what is said of names of other libraries."""

import numpy as np
import pytest

import implicitbias as ib
from implicitbias.errors import MEANT, one_of
from implicitbias.flows import KINDS
from implicitbias.sweep.run import Summary

EVIL = "<script>alert('x')</script>"


@pytest.fixture(scope="module")
def problem():
    return ib.geometry.gaussian(n=4, d=6, seed=0)


def test_every_result_is_one_line(problem):
    run = ib.simulate(problem, ib.SGD(momentum=0.9), lr=ib.Power(0.1, 0.5), steps=100, batch=2)
    cosine = run.curve["cos_l2"].iloc[-1]
    assert repr(run) == (
        f"Run(SGD(momentum=0.9), lr 0.1 (t+2)^-0.5, batch 2, reshuffle, 100 steps, ok, cos_l2 {cosine:.3g})"
    )
    flow = ib.simulate(problem, ib.GradientFlow(), time=1e6)
    assert repr(flow).startswith("Run(GradientFlow, t = 1e+06, ok, cos_l2 0.")
    sep = ib.max_margin(problem, "linf")
    assert repr(sep) == (
        f"Separator(linf, margin {sep.margin:.6g}, relative gap {sep.relative_gap:.1e}, {(sep.dual > 0).sum()} support "
        "vectors, d=6)"
    )
    assert repr(ib.max_margin(problem, ("lp", 3))).startswith("Separator(lp with p = 3, margin ")
    assert repr(ib.max_margin(problem, ("mahalanobis", np.ones(6)))).startswith("Separator(mahalanobis, margin ")
    limit = ib.predict(problem, ib.SGD())
    assert (
        repr(limit).startswith("Limit(l2 max-margin (") and ", gap " in repr(limit) and repr(limit).endswith(", d=6)")
    )
    summary = Summary("results/x", 90, 12, 2, 3.44, 1.0, 1.0, 1.0, 1e6)
    assert repr(summary) == "Summary(results/x: 90 runs, 12 computed now, 3.4 s)"
    for item in (run, flow, sep, limit, summary, problem):
        assert "\n" not in repr(item) and len(repr(item)) < 200
        assert item._repr_html_().startswith(f'<table><thead><tr><th colspan="2">{type(item).__name__}</th>')


def test_the_cosine_has_the_digits_that_tell(problem):
    run = ib.simulate(problem, ib.GradientFlow(), time=1e100)
    assert f"cos_l2 {run.curve['cos_l2'].iloc[-1]:.6g})" in repr(run)


def test_a_run_without_a_separator_or_a_step_has_a_line_too():
    run = ib.simulate([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]], ib.SGD(), steps=10)
    assert repr(run) == "Run(SGD, lr 0.1, batch 1, reshuffle, 10 steps, ok)"
    with np.errstate(all="ignore"):
        run = ib.simulate([[1e300, 1.0]], ib.SGD(), lr=1e300, steps=10)
    assert run.status == "non_finite" and repr(run).startswith("Run(SGD, lr 1e+300, batch 1, reshuffle, ")


def test_a_large_separator_is_not_computed_for_a_line(monkeypatch):
    import implicitbias.simulation.run as module

    problem = ib.geometry.gaussian(n=3, d=4, seed=1)
    run = ib.simulate(problem, ib.SGD(), steps=10)
    monkeypatch.setattr(module, "QUICK", 11)
    assert "cos_l2" not in repr(run) and "_separators" not in vars(problem)


def test_a_problem_says_which_label_is_positive():
    assert repr(ib.Problem([[1.0, 2.0], [3.0, 1.0]], ["spam", "ham"])) == (
        "Problem('custom', n=2, d=2, +1 is 'spam' (1 row), -1 is 'ham' (1 row))"
    )
    assert repr(ib.Problem([[1.0], [2.0]], [0, 1])) == "Problem('custom', n=2, d=1, +1 is 1 (1 row), -1 is 0 (1 row))"
    assert repr(ib.Problem([[1.0], [2.0]], [-1, 1])) == "Problem('custom', n=2, d=1)"


def test_a_users_words_are_text():
    problem = ib.Problem(
        [[1.0, 2.0], [3.0, 1.0]], [EVIL, "b"], name=EVIL, feature_names=[EVIL, "b"], params={EVIL: EVIL}
    )
    assert "<script>" not in problem._repr_html_() and problem._repr_html_().count("&lt;script&gt;") == 5


def sentences(call, *arguments, **options):
    with pytest.raises(ib.InputError) as caught:
        call(*arguments, **options)
    return caught.value.mistakes


def test_what_is_no_optimizer_has_one_sentence(problem):
    for call in (lambda *x: ib.simulate(*x, steps=3), ib.predict):
        assert sentences(call, problem, "adam") == ["optimizer must be one such as Adam(), not 'adam'"]
        assert sentences(call, problem, ib.Adam) == [
            "optimizer must be one such as Adam(), not the class Adam: write Adam()"
        ]
        assert sentences(call, problem.rows, np.ones(4)) == [
            "optimizer must be one such as Adam(), not an array; labels go with the rows, as in "
            "simulate(Problem(X, y), Adam(), ...)"
        ]
    assert sentences(ib.simulate, problem, [ib.Adam(), "sgd"], steps=3) == [
        "optimizer must be one such as Adam(), not 'sgd'"
    ]


def test_names_of_other_libraries_get_the_right_ones(problem):
    assert sentences(ib.simulate, problem, ib.SGD(), steps=3, learning_rate=0.1, batch_size=2) == [
        "simulate: unknown argument 'learning_rate'; did you mean 'lr'?",
        "simulate: unknown argument 'batch_size'; did you mean 'batch'?",
    ]
    assert sentences(ib.predict, problem, ib.SGD(), batch_size=2) == [
        "predict: unknown argument 'batch_size'; did you mean 'batch'?"
    ]
    assert sentences(ib.Adam, betas=(0.9, 0.95), b1=0.9) == [
        "Adam: unknown hyper-parameter 'betas'; did you mean 'beta1', 'beta2'?",
        "Adam: unknown hyper-parameter 'b1'; did you mean 'beta1'?",
    ]
    for name in ("lr", "learning_rate"):
        assert sentences(ib.SGD, **{name: 0.1}) == [
            f"SGD has no {name!r}: the step size is the lr of simulate, or of the study"
        ]
    assert sentences(ib.NGD, momentum=0.9) == ["NGD has no hyper-parameters, but got 'momentum'"]
    assert sentences(ib.SteepestFlow, q=1.5)[0].startswith("SteepestFlow: unknown hyper-parameter 'q'; ")
    with pytest.raises(TypeError):  # as in every function
        ib.simulate(problem)
    for name, meant in MEANT.items():
        assert one_of(name, "key", meant).endswith(f"did you mean {', '.join(map(repr, meant))}?")


@pytest.mark.parametrize("kind", KINDS.values())
def test_optimizers_are_made_copied_and_sent_as_ever(kind):
    import copy
    import pickle

    made, values = kind(), vars(kind())
    for again in (copy.deepcopy(made), pickle.loads(pickle.dumps(made)), kind(**values), kind(*values.values())):
        assert again == made and type(again) is kind


def test_a_full_batch_is_n(problem):
    run = ib.simulate(problem, ib.SGD(), steps=10, batch="n")
    assert run.setting.batch == 4
    assert ib.predict(problem, ib.Adam(), batch="n").rule.startswith("l_inf max-margin")
    assert sentences(ib.simulate, problem, ib.SGD(), steps=3, batch="m") == [
        "batch must be an integer from 1 to n = 4, but is 'm'"
    ]

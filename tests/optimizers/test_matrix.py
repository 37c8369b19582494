"""The optimizers of matrices against their twins, and against each other."""

from dataclasses import asdict, fields

import naive_matrix as twin
import numpy as np
import pytest

import implicitbias as ib
from implicitbias.optimizers.mars import MARSMuon
from implicitbias.optimizers.matrix import KINDS as MATRIX_KINDS
from implicitbias.optimizers.svrg import SVRGMuon
from implicitbias.simulation.orders import batches

STEPS, LR, SEED = 100, 0.02, 3
RNG = np.random.default_rng(0)


def gaussian(n, k, d, labels=None):
    return ib.Multiclass(RNG.normal(size=(n, d)), np.arange(n) % k if labels is None else labels)


# data, order, batch size, loss
CASES = {
    "wide": (gaussian(30, 4, 12), "full", "n", "logistic"),
    "smaller last batch": (gaussian(14, 4, 9), "cyclic", 4, "exponential"),
    "k > d": (gaussian(30, 10, 3), "reshuffle", 5, "logistic"),
    "k = n": (gaussian(5, 5, 6), "shuffle_once", 2, "logistic"),
    "two classes": (gaussian(9, 2, 5), "replacement", 3, "exponential"),
    "one feature": (gaussian(9, 3, 1), "reshuffle", 2, "logistic"),
    "a class with one sample": (gaussian(12, 3, 6, [0] + [1, 2, 1, 1] * 2 + [1, 2, 2]), "reshuffle", 1, "logistic"),
}

VARIANTS = {
    ib.NormalizedSteepestDescent: [
        *({"norm": norm} for norm in ("frobenius", "max", "spectral", "nuclear", "rows", "columns")),
        *({"norm": norm, "momentum": 0.9} for norm in ("frobenius", "max", "spectral", "nuclear", "rows", "columns")),
        {"norm": "ky_fan", "r": 2}, {"norm": "ky_fan", "r": 3, "momentum": 0.8, "weight_decay": 0.1},
        {"norm": "spectral", "weight_decay": 0.5},
    ],
    ib.Muon: [
        {}, {"nesterov": False}, {"momentum": 0.0}, {"momentum_last": True},
        {"momentum_last": True, "nesterov": False, "weight_decay": 0.1}, {"weight_decay": 0.1},
        *({"scale": scale, "transposed": side} for scale in ("original", "match_rms_adamw", "spectral")
          for side in (False, True)),
        *({"polar": "quintic", "iterations": i} for i in (1, 5)),
        *({"polar": "cubic", "iterations": i} for i in (3, 12)),
        *({"polar": "polar_express", "iterations": i} for i in (1, 5, 10)),
        {"polar": "quintic", "momentum_last": True, "scale": "original", "weight_decay": 0.1, "momentum": 0.8},
    ],
    ib.OLion: [{}, {"momentum": 0.5, "nesterov": False, "weight_decay": 0.1}, {"momentum": 0.0}],
    ib.RandomSpectrum: [{}, {"momentum": 0.0, "stream": 7}, {"nesterov": False, "weight_decay": 0.1}],
    ib.Dion: [
        {}, {"feedback": False}, {"rank": 2}, {"rank": 2, "orthogonal": True}, {"rank": 3, "scale": "none"},
        {"rank": 2, "feedback": False, "momentum": 0.5, "weight_decay": 0.1, "scale": "match_rms_adamw"},
    ],
    ib.Shampoo: [
        {}, {"beta": 0.9}, {"beta": 0.0}, {"momentum": 0.9, "every": 3}, {"one_sided": True, "beta": 0.95},
        {"beta": 0.5, "every": 7, "weight_decay": 0.1},
    ],
    ib.SOAP: [
        {}, {"every": 1}, {"every": 3, "bias_correction": True}, {"beta1": 0.0, "beta2": 0.9, "beta": 0.5},
        {"beta1": 0.5, "beta2": 0.99, "weight_decay": 0.1},
    ],
    ib.Adafactor: [
        {}, {"beta1": 0.9, "clip": 0.5}, {"decay_power": 0.8}, {"relative_step": True, "clip": 0.0},
        {"scale_by_size": True, "beta2": 0.9, "weight_decay": 0.1},
    ],
    ib.AdaSGD: [{}, {"beta1": 0.0, "beta2": 0.9}, {"bias_correction": True, "weight_decay": 0.1}],
    ib.Adalayer: [{}, {"beta1": 0.0, "beta2": 0.9}, {"bias_correction": True, "weight_decay": 0.1}],
    ib.Hybrid: [
        {}, {"split": 2, "first": "rows", "second": "spectral", "momentum": 0.9, "step_ratio": 0.3},
        {"split": 4, "first": "columns", "second": "frobenius", "weight_decay": 0.1},
        {"split": 2, "second": "nuclear"}, {"split": 3, "first": "max", "second": "spectral"},
    ],
    MARSMuon: [
        {}, {"gamma": 1.0, "momentum": 0.5, "nesterov": False}, {"polar": "cubic", "iterations": 8, "gamma": 0.3},
        {"momentum_last": True, "scale": "original", "transposed": True, "weight_decay": 0.1},
    ],
    SVRGMuon: [
        {}, {"momentum": 0.0, "polar": "cubic", "iterations": 20}, {"momentum": 0.5, "nesterov": False},
        {"momentum_last": True, "scale": "original", "transposed": True, "weight_decay": 0.1},
    ],
}  # fmt: skip
KINDS = (*MATRIX_KINDS, MARSMuon, SVRGMuon)
ITEMS = [kind(**variant) for kind in KINDS for variant in VARIANTS[kind]]
OF_EACH_KIND = [kind() for kind in KINDS]


def twin_of(optimizer):
    return getattr(twin, type(optimizer).__name__)(**asdict(optimizer))


def path(problem, optimizer, **options):
    options = {"lr": LR, "steps": STEPS, "seed": SEED, "measures": []} | options
    return ib.simulate(problem, optimizer, **options)


def end(problem, optimizer, **options):
    return path(problem, optimizer, **options).weights[-1]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item.label)
def test_path_is_that_of_the_twin(item, case):
    """As near as a twin whose start is moved by 1e-15, times 100: truncated, normalised and preconditioned paths may be
    chaotic once they swing about a limit."""
    problem, order, batch, loss = CASES[case]
    if item.unfit(problem.shape):
        pytest.skip(item.unfit(problem.shape))
    record = (1, 2, 10, 30, STEPS)
    size = problem.n if batch == "n" else batch
    visited = batches(problem.n, size, order, STEPS, seed=SEED)
    epoch = problem.n // size if order == "reshuffle" else -(-problem.n // size)
    aside = 1e-15 * np.random.default_rng(5).normal(size=problem.shape)
    found, moved = (
        twin.trajectory(problem, twin_of(item), visited, lambda t: LR, epoch, loss, start, record, seed=SEED)[0]
        for start in (None, aside)
    )
    for step, W, other in zip(record, found, moved, strict=True):
        run = path(problem, item, order=order, batch=batch, loss=loss, steps=step)
        allowed = 1e-12 + 100 * np.abs(W - other).max()
        np.testing.assert_allclose(run.weights[-1], W, rtol=0, atol=allowed, err_msg=f"step {step}")
        assert step > 2 or allowed < 1e-9


def test_every_hyper_parameter_is_tried():
    for kind in KINDS:
        for item in fields(kind):
            values = {getattr(kind(**variant), item.name) for variant in VARIANTS[kind]}
            assert len(values) > 1, f"{item.name} of {kind.__name__}"


# -- relations --------------------------------------------------------------------------------------------------------

P = CASES["smaller last batch"][0]
OLD = {"order": "cyclic", "batch": 4}


def test_of_single_rows_without_momentum_there_is_one_normalised_step():
    """Their gradients have rank one: the polar factor is G / ||G||_F."""
    options = {"batch": 1, "steps": 500}
    frobenius = end(P, ib.NormalizedSteepestDescent("frobenius"), **options)
    for item in (
        ib.NormalizedSteepestDescent("spectral"), ib.NormalizedSteepestDescent("nuclear"), ib.Muon(momentum=0.0),
        ib.Shampoo(beta=0.0), ib.Muon(momentum=0.0, momentum_last=True), ib.NGD(),
    ):  # fmt: skip
        np.testing.assert_allclose(end(P, item, **options), frobenius, rtol=0, atol=1e-12, err_msg=item.label)


@pytest.mark.parametrize("one, other, factor", [
    (ib.NormalizedSteepestDescent("max"), ib.Signum(0.0), 1.0),
    (ib.NormalizedSteepestDescent("max", momentum=0.9), ib.Signum(0.9), 1.0),
    (ib.NormalizedSteepestDescent("frobenius"), ib.NGD(), 1.0),
    (ib.NormalizedSteepestDescent("spectral", momentum=0.9), ib.Muon(momentum=0.9, nesterov=False), 1.0),
    (ib.NormalizedSteepestDescent("ky_fan", r=3), ib.NormalizedSteepestDescent("spectral"), 1.0),
    (ib.NormalizedSteepestDescent("ky_fan", r=1), ib.NormalizedSteepestDescent("nuclear"), 1.0),
    (ib.Shampoo(beta=0.0), ib.NormalizedSteepestDescent("spectral"), 1.0),
    (ib.Shampoo(beta=0.0, one_sided=True), ib.NormalizedSteepestDescent("spectral"), 1.0),
    (ib.Muon(polar="cubic", iterations=30), ib.Muon(), 1.0),
    (ib.Muon(polar="polar_express", iterations=12), ib.Muon(), 1.0),
    (ib.AdaSGD(0.0, 0.0), ib.NormalizedSteepestDescent("frobenius"), np.sqrt(4 * 9)),
    (ib.Adalayer(0.0, 0.0), ib.NormalizedSteepestDescent("rows"), np.sqrt(9)),
    (ib.Dion(momentum=0.0, rank=4, feedback=False, scale="none", orthogonal=True),
     ib.NormalizedSteepestDescent("spectral"), None),
], ids=lambda item: getattr(item, "label", ""))  # fmt: skip
def test_the_same_path_up_to_rounding(one, other, factor):
    if factor is None:  # one power iteration from a random Q is no polar factor
        assert np.abs(end(P, one, **OLD) - end(P, other, **OLD)).max() > 1e-3
        return
    found, expected = end(P, one, **OLD, lr=LR / factor), end(P, other, **OLD)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9 if "iterations" in one.label else 1e-11)


@pytest.mark.parametrize("item", OF_EACH_KIND, ids=lambda item: item.label)
def test_the_seed_is_of_batches_and_of_what_is_random(item):
    one, other = (path(P, item, order="full", seed=seed).weights for seed in (1, 2))
    assert np.array_equal(one, other) == (type(item) not in (ib.Dion, ib.RandomSpectrum))


# -- mistakes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("item", OF_EACH_KIND, ids=lambda item: item.label)
def test_a_binary_problem_has_no_matrix(item):
    words = f"^{type(item).__name__} is for matrices: it needs a Multiclass problem, not a binary one$"
    with pytest.raises(ib.InputError, match=words):
        ib.simulate(ib.geometry.gaussian(n=4, d=6, seed=0), item, steps=1)


@pytest.mark.parametrize("item, words", [
    (ib.NormalizedSteepestDescent("ky_fan", r=5),
     r"NormalizedSteepestDescent\(ky_fan 5\) needs singular values up to number 5, but weights of 4 classes and 9 "
     "features have 4"),
    (ib.Dion(rank=7), r"Dion\(rank=7\) needs singular values up to number 7"),
])  # fmt: skip
def test_a_rank_above_that_of_the_weights_is_refused(item, words):
    with pytest.raises(ib.InputError, match=words) as caught:
        ib.simulate(P, [item, item, ib.Muon()], steps=1)
    assert len(caught.value.mistakes) == 1


@pytest.mark.parametrize("wrong, words", [
    (lambda: ib.Muon(iterations=0), "iterations of Muon must be a whole number >= 1, but is 0"),
    (lambda: ib.Muon(iterations=2.5), "iterations of Muon must be a whole number >= 1, but is 2.5"),
    (lambda: ib.Muon(polar="quintc"), "polar of Muon: unknown polar 'quintc'; did you mean 'quintic'"),
    (lambda: ib.Muon(scale="rms"), "scale of Muon: unknown scale 'rms'"),
    (lambda: ib.Muon(scale=1.0), "scale of Muon: unknown scale 1.0"),
    (lambda: ib.Muon(transposed=1), "transposed of Muon must be true or false, not 1"),
    (lambda: ib.Muon(momentum=1.0), r"momentum of Muon must be in \[0, 1\), but is 1.0"),
    (lambda: ib.NormalizedSteepestDescent("l2"), "norm of NormalizedSteepestDescent: unknown norm 'l2'"),
    (lambda: ib.NormalizedSteepestDescent(r=0), "r of NormalizedSteepestDescent must be a whole number >= 1"),
    (lambda: ib.Dion(rank=-1), "rank of Dion must be a whole number >= 1, but is -1"),
    (lambda: ib.Dion(scale="x"), "scale of Dion: unknown scale 'x'"),
    (lambda: ib.Shampoo(beta=1.5), r"beta of Shampoo must be in \[0, 1\], but is 1.5"),
    (lambda: ib.Shampoo(every=0), "every of Shampoo must be a whole number >= 1, but is 0"),
    (lambda: ib.SOAP(beta=1.0), r"beta of SOAP must be in \[0, 1\), but is 1.0"),
    (lambda: ib.Adafactor(decay_power=2), r"decay_power of Adafactor must be in \[0, 1\], but is 2"),
    (lambda: ib.RandomSpectrum(stream=-1), "stream of RandomSpectrum must be a whole number >= 0, but is -1"),
    (lambda: ib.OLion(weight_decay=-0.1), "weight_decay of OLion must be >= 0 and finite"),
    (lambda: ib.AdaSGD(rate=1), "AdaSGD: unknown hyper-parameter 'rate'"),
    (lambda: ib.Muon(lr=1), "Muon has no 'lr': the step size is the lr of simulate"),
])  # fmt: skip
def test_a_wrong_hyper_parameter_is_one_sentence(wrong, words):
    with pytest.raises(ib.InputError, match=words) as caught:
        wrong()
    assert len(caught.value.mistakes) == 1


def test_all_mistakes_are_told_at_once():
    with pytest.raises(ib.InputError) as caught:
        ib.Muon(momentum=2, polar="x", iterations=0, scale="y", nesterov="no")
    assert len(caught.value.mistakes) == 5
    start = np.zeros(P.shape)
    start[0, 0] = np.nan
    with pytest.raises(ib.InputError, match="initial must be finite"):
        ib.simulate(P, ib.Muon(), steps=1, initial=start)
    with pytest.raises(ib.InputError, match=r"initial must be numbers of shape \(4, 9\) or \(2, 4, 9\)"):
        ib.simulate(P, [ib.Muon(), ib.OLion()], steps=1, initial=np.zeros((9, 4)))
    with pytest.raises(ib.InputError, match="divides the step by the loss and is for plain SGD"):
        ib.simulate(P, ib.Muon(), steps=1, lr=ib.LossAdaptive(0.1))

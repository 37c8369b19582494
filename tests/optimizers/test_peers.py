"""Muon as others have written it, on the same gradients; for this the extra `peers`."""

import naive_matrix as twin
import numpy as np
import pytest

import implicitbias as ib

RNG = np.random.default_rng(0)
PROBLEMS = {
    "wide": ib.Multiclass(RNG.normal(size=(20, 9)), np.arange(20) % 4),
    "tall": ib.Multiclass(RNG.normal(size=(20, 3)), np.arange(20) % 6),
}
STEPS, LR = 100, 0.02


def gradient(problem, W):
    return twin.gradient(problem.X, problem.labels, W, range(problem.n), "logistic")


def compare(problem, theirs, steps=STEPS, **options):
    ours = ib.simulate(
        problem, ib.Muon(polar="quintic", **options), lr=LR, order="full", steps=steps, measures=[]
    ).weights[-1]
    assert np.abs(ours).max() > 0.1
    np.testing.assert_allclose(theirs, ours, rtol=0, atol=1e-9)


@pytest.mark.parametrize("shape", PROBLEMS)
@pytest.mark.parametrize("nesterov", [False, True])
def test_optax(shape, nesterov):
    """In float64; its momentum over 1 - beta^t is another factor, which the polynomial does not see, but for Nesterov's
    step, whose two parts have different ones: with momentum 0 there is none, and a run swings chaotically soon."""
    jax = pytest.importorskip("jax", reason="the extra peers is not installed")
    optax = pytest.importorskip("optax", reason="the extra peers is not installed")
    problem, beta, steps = PROBLEMS[shape], 0.0 if nesterov else 0.95, 30 if nesterov else STEPS
    with jax.enable_x64(True):
        rule = optax.contrib.scale_by_muon(
            ns_coeffs=(3.4445, -4.7750, 2.0315), ns_steps=5, beta=beta, eps=0.0, nesterov=nesterov
        )
        W = jax.numpy.zeros(problem.shape, dtype="float64")
        state, move = rule.init(W), jax.jit(rule.update)
        for _ in range(steps):
            update, state = move(jax.numpy.asarray(gradient(problem, np.asarray(W))), state)
            W = W - LR * update
        compare(problem, np.asarray(W), steps, momentum=beta, nesterov=nesterov)


@pytest.mark.parametrize("shape", PROBLEMS)
@pytest.mark.parametrize("scale, decay", [("original", 0.0), ("match_rms_adamw", 0.1)])
@pytest.mark.parametrize("nesterov", [False, True])
def test_torch(shape, nesterov, scale, decay, monkeypatch):
    """The polynomial in float64 where torch takes bfloat16; its momentum has (1 - mu) in the first place too."""
    torch = pytest.importorskip("torch", reason="the extra peers is not installed")
    if not hasattr(torch.optim, "Muon"):
        pytest.skip("this torch has no Muon")
    monkeypatch.setattr(torch.Tensor, "bfloat16", lambda x: x.double().clone())
    problem = PROBLEMS[shape]
    W = torch.nn.Parameter(torch.zeros(problem.shape, dtype=torch.float64))
    rule = torch.optim.Muon(
        [W], lr=LR, weight_decay=decay, momentum=0.95, nesterov=nesterov, eps=1e-300, adjust_lr_fn=scale
    )
    for _ in range(STEPS):
        W.grad = torch.from_numpy(gradient(problem, W.detach().numpy()))
        rule.step()
    compare(problem, W.detach().numpy(), nesterov=nesterov, scale=scale, weight_decay=decay)

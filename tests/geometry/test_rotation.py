"""rotate = SEED: other coordinates, which only methods that look at the axes can tell."""

import numpy as np
import pytest

import implicitbias as ib
from implicitbias.geometry import FAMILIES, make, rotation

OBJECTIVES = set(FAMILIES) & set(ib.objectives.__all__)
NEEDED = {"digits": {"a": 0, "b": 1}}
PLAIN = ib.geometry.gaussian(n=5, d=8, seed=3)
ROTATED = ib.geometry.gaussian(n=5, d=8, seed=3, rotate=4)
Q = rotation(8, 4)


def cosine(u, v):
    return u @ v / np.linalg.norm(u) / np.linalg.norm(v)


@pytest.mark.parametrize("d", [1, 2, 3, 40])
def test_it_is_orthogonal_and_of_its_seed(d):
    found = rotation(d, seed=7)
    np.testing.assert_allclose(found @ found.T, np.eye(d), rtol=0, atol=1e-14 * d)  # d roundings
    assert found.tobytes() == rotation(d, seed=7).tobytes()
    assert d == 1 or not np.allclose(found, rotation(d, seed=8))


def test_it_is_uniform():
    # Haar measure in d = 3: mean 0, mean square 1/3, Var Q^2 = 4/45; five standard deviations
    found = np.array([rotation(3, seed) for seed in range(1500)])
    assert np.abs(found.mean(axis=0)).max() < 5 * np.sqrt(1 / 3 / 1500)
    assert np.abs((found**2).mean(axis=0) - 1 / 3).max() < 5 * np.sqrt(4 / 45 / 1500)


def test_an_objective_has_no_rows_to_rotate():
    for kind in OBJECTIVES:
        with pytest.raises(ib.InputError, match=f"^{kind}: unknown parameter 'rotate'"):
            make(kind, rotate=4)


@pytest.mark.parametrize("kind", sorted(set(FAMILIES) - {"file"} - OBJECTIVES))
def test_every_family_can_be_rotated(kind):
    plain, rotated = (make(kind, **NEEDED.get(kind, {}), **more) for more in ({}, {"rotate": 4}))
    of = "X" if isinstance(plain, ib.Multiclass) else "rows"
    before, after = getattr(plain, of), getattr(rotated, of)
    size = np.abs(before).max()
    np.testing.assert_allclose(after, before @ rotation(plain.d, 4), rtol=0, atol=1e-13 * plain.d * size)
    assert rotated.params == {**plain.params, "rotate": 4}
    assert "rotate" not in plain.params or kind == "power_law"
    assert (rotated.name, rotated.classes) == (plain.name, plain.classes)


def test_a_file_keeps_what_was_read_but_its_names(read):
    text = "height,width,kind\n1.0,2.0,tree\n3.0,0.5,bush\n"
    plain, rotated = read(text), read(text, rotate=4)
    np.testing.assert_allclose(rotated.rows, plain.rows @ rotation(2, 4), rtol=1e-14)
    assert plain.feature_names == ("height", "width") and rotated.feature_names is None
    assert rotated.reading == plain.reading and rotated.classes == plain.classes


@pytest.mark.parametrize("seed", range(5))
def test_the_numbers_of_a_seed_are_not_used_twice(seed):
    """A reflection of the very vector that the rows were made from would lay them along an axis."""
    rows = ib.geometry.gaussian(n=1, d=30, seed=seed, rotate=seed).rows[0]
    centre = ib.geometry.clusters(n=1, d=30, noise=0, seed=seed, rotate=seed).rows[0]
    for vector in (rows, centre):
        assert np.abs(vector).max() < 0.8 * np.linalg.norm(vector)


def test_the_l2_margin_stays_and_that_of_linf_does_not():
    plain, rotated = ib.max_margin(PLAIN), ib.max_margin(ROTATED)
    assert rotated.margin == pytest.approx(plain.margin, rel=1e-10)
    np.testing.assert_allclose(rotated.direction, plain.direction @ Q, rtol=0, atol=1e-8)
    linf = [ib.max_margin(problem, norm=np.inf).margin for problem in (PLAIN, ROTATED)]
    assert abs(linf[0] / linf[1] - 1) > 0.01


@pytest.mark.parametrize("order", ["full", "reshuffle"])
def test_gradient_descent_rotates_along(order):
    plain, rotated = (ib.simulate(p, ib.SGD(0.9), lr=0.05, order=order, steps=2000) for p in (PLAIN, ROTATED))
    size = np.abs(plain.weights).max()
    np.testing.assert_allclose(rotated.weights, plain.weights @ Q, rtol=0, atol=1e-12 * size)


def test_adam_goes_to_the_separator_of_the_rotated_rows():
    runs = [ib.simulate(p, ib.Adam(0.9, 0.95), lr=ib.Power(0.1, 0.5), order="full", steps=50_000)
            for p in (PLAIN, ROTATED)]  # fmt: skip
    assert all(run.curve["inc_cos_limit"].iloc[-1] > 0.999 for run in runs)
    plain, rotated = (ib.predict(p, ib.Adam(0.9, 0.95), order="full").direction for p in (PLAIN, ROTATED))
    assert cosine(rotated, plain @ Q) < 0.99


def test_a_study_has_it_as_an_axis(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = {
        "title": "t",
        "data": {
            "gaussian": {"n": 4, "d": 6, "rotate": [0, 1]}, "plain": {"kind": "gaussian", "n": 4, "d": 6},
            "power_law": {"n": 4, "d": 6, "rotate": [False, True, 1]},
        },
        "optimizer": {"adam": {"lr": 0.1}},
        "grid": [{"order": "full", "steps": 200}],
        "claim": [{"says": "a", "measure": "min_margin", "where": {"data.rotate": 1}, "at_least": 0.0}],
    }  # fmt: skip
    assert ib.run_study(study, "out", jobs=1).total == 6
    runs = ib.load_runs("out")
    assert runs["data_digest"].nunique() == 6
    [verdict] = ib.check("out")
    assert (verdict.outcome, verdict.runs) == ("holds", 2)
    assert all(ib.reproduce(run_id, "out").equal for run_id in runs["run_id"])
    assert {"gaussian rotate=0", "gaussian rotate=1", "plain"} <= set(runs["geometry"])

"""Real sets: what scikit-learn holds, labels absorbed, first-named class +1."""

import sys

import numpy as np
import pytest

import implicitbias as ib
from implicitbias.geometry.features import standardized

datasets = pytest.importorskip("sklearn.datasets", reason="scikit-learn is an optional extra")


@pytest.mark.parametrize("name, a, b", [("digits", 3, 8), ("digits", 8, 3), ("iris", 2, 0), ("wine", 1, 2)])
def test_rows_are_those_of_the_set(name, a, b):
    X, target = getattr(datasets, f"load_{name}")(return_X_y=True)
    pair = np.isin(target, (a, b))
    expected = np.where(target[pair] == a, 1, -1)[:, None] * X[pair]
    problem = getattr(ib.geometry, name)(a, b)
    assert (problem.rows == expected).all()
    assert problem.name == name
    assert problem.params == {"a": a, "b": b, "n": None, "standardize": False, "intercept": False} or name == "iris"


def test_breast_cancer_and_species_names():
    X, target = datasets.load_breast_cancer(return_X_y=True)
    assert (ib.geometry.breast_cancer().rows == np.where(target == 0, 1, -1)[:, None] * X).all()
    assert (ib.geometry.iris("virginica", "setosa").rows == ib.geometry.iris(2, 0).rows).all()


def test_options():
    problem = ib.geometry.digits(0, 1, standardize=True, intercept=True)
    y = problem.rows[:, -1]
    X = y[:, None] * problem.rows[:, :-1]
    assert set(y) == {-1, 1}
    assert np.abs(X.mean(axis=0)).max() < 1e-14  # 360 terms of size one
    variance = X.var(axis=0)
    constant = ~X.any(axis=0)
    assert constant.any()
    assert variance[~constant] == pytest.approx(np.ones((~constant).sum()), rel=1e-12)
    first = ib.geometry.digits(0, 1, n=9, standardize=True, intercept=True)
    assert (first.rows == problem.rows[:9]).all()


def test_standardized_against_the_formula():
    X = np.random.default_rng(0).normal(size=(30, 4)) * [1, 1e200, 1e-200, 3] + [0, 0, 0, 1e6]
    expected = (X - X.mean(axis=0)) / np.r_[1, 1e200, 1e-200, 1] / (X / [1, 1e200, 1e-200, 1]).std(axis=0)
    assert standardized(X)[:, [0, 3]] == pytest.approx(expected[:, [0, 3]], abs=1e-8)
    assert standardized(X).std(axis=0) == pytest.approx(np.ones(4), rel=1e-12)
    assert (standardized(np.full((3, 1), 0.1)) == 0).all()


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: ib.geometry.digits(3, 3), "digits: a and b must be two different classes, but both are 3"),
        (lambda: ib.geometry.digits(10, 1), "digits: a must be an integer from 0 to 9, but is 10"),
        (lambda: ib.geometry.iris("rose", 1), "a must be one of 'setosa', 'versicolor', 'virginica' or an integer"),
        (lambda: ib.geometry.iris(n=50), "n must be from 51 (the first rows are one class) to 100, but is 50"),
        (lambda: ib.geometry.wine(n=0), "wine: n must be an integer >= 1 or None, but is 0"),
        (lambda: ib.geometry.breast_cancer(n=570), "to 569, but is 570"),
    ],
)
def test_unfit_arguments(call, words):
    with pytest.raises(ib.InputError) as caught:
        call()
    assert words in str(caught.value)


def test_without_scikit_learn(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(ib.InputError, match=r"^wine: .* pip install 'implicitbias\[data\]'$"):
        ib.geometry.wine()

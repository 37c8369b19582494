"""Real sets with k classes: what scikit-learn holds, and rows held out to test on."""

import numpy as np
import pytest

import implicitbias as ib

datasets = pytest.importorskip("sklearn.datasets", reason="scikit-learn is an optional extra")
SETS = {"digits": (1797, 64, 10), "iris": (150, 4, 3), "wine": (178, 13, 3)}


def of(name, **params):
    return ib.geometry.make(f"{name}_classes", **params)


@pytest.mark.parametrize("name", SETS)
def test_all_rows_are_those_of_the_set(name):
    X, target = getattr(datasets, f"load_{name}")(return_X_y=True)
    problem = of(name)
    assert (problem.X == X).all() and (problem.labels == target).all() and problem.test is None
    assert (problem.n, problem.d, problem.k) == SETS[name]
    defaults = {"classes": None, "n": None, "standardize": False, "intercept": False, "test": 0.0, "seed": 0}
    assert problem.params == defaults and problem.name == f"{name}_classes"


def test_some_classes_keep_their_names():
    X, target = datasets.load_digits(return_X_y=True)
    problem = of("digits", classes=[8, 3, 5])
    assert problem.classes == (3, 5, 8) and (X[np.isin(target, (3, 5, 8))] == problem.X).all()
    assert problem.params["classes"] == (8, 3, 5)
    flowers = of("iris", classes=["virginica", 0])
    assert flowers.classes == ("setosa", "virginica") and flowers.params["classes"] == ("virginica", "setosa")
    pair = ib.geometry.iris("virginica", "setosa").rows
    assert (np.where(flowers.labels, 1, -1)[:, None] * flowers.X == pair).all()


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("share", [0.001, 0.2, 0.5, 0.99])
def test_rows_to_test_on_are_held_out(name, share):
    whole = of(name, standardize=True, intercept=True)
    if share == 0.001:
        with pytest.raises(ib.InputError, match=r"test = 0.001 leaves no row to test on; give a larger share"):
            of(name, test=share)
        return
    problem, again, other = (of(name, standardize=True, intercept=True, test=share, seed=s) for s in (1, 1, 2))
    X, labels = problem.test
    assert problem.digest == again.digest != other.digest
    assert problem.n + len(X) == whole.n and problem.k == whole.k
    for c, count in enumerate(whole.counts):
        assert (labels == c).sum() == min(int(share * count + 0.5), count - 1)
    # together they are the set: the same rows as often, each with its own label
    rows = [tuple(row) for row in np.c_[np.vstack([problem.X, X]), np.r_[problem.labels, labels]].tolist()]
    assert sorted(rows) == sorted(tuple(row) for row in np.c_[whole.X, whole.labels].tolist())
    first = of(name, standardize=True, intercept=True, test=share, seed=1, n=problem.n)
    assert first.digest == problem.digest


def test_the_first_rows():
    whole, first = (of("iris", standardize=True, n=n) for n in (None, 101))
    assert (whole.X[:101] == first.X).all() and first.counts == (50, 50, 1)


@pytest.mark.parametrize(
    "name, params, words",
    [
        ("iris", {"n": 100}, "iris_classes: n must be from 101 (the first rows lack a class) to 150, but is 100"),
        ("wine", {"n": 200}, "wine_classes: n must be from 131 (the first rows lack a class) to 178, but is 200"),
        ("digits", {"classes": [1]}, "classes must be a list of two or more different classes (each an integer from 0"),
        ("digits", {"classes": [1, 1]}, "to 9) or None, but is [1, 1]"),
        ("digits", {"classes": [1, 10]}, "or None, but is [1, 10]"),
        ("digits", {"classes": 3}, "or None, but is 3"),
        ("digits", {"classes": "12"}, "or None, but is '12'"),
        ("iris", {"classes": ["setosa", 0]}, "'virginica' or an integer from 0 to 2) or None, but is ['setosa', 0]"),
        ("iris", {"classes": ["rose", 0]}, "(each one of 'setosa', 'versicolor', 'virginica' or an integer from 0"),
        ("wine", {"test": 1.0}, "test must be a number >= 0 and < 1, but is 1.0"),
        ("wine", {"test": float("nan")}, "test must be a number >= 0 and < 1, but is nan"),
    ],
)
def test_unfit_arguments(name, params, words):
    with pytest.raises(ib.InputError) as caught:
        of(name, **params)
    assert words in str(caught.value)

"""Unfit arguments: one sentence each, all at once, whichever door they come through."""

import numpy as np
import pytest

import implicitbias as ib
from implicitbias.geometry import FAMILIES, make


def mistakes(call, *args, **kwargs):
    with pytest.raises(ib.InputError) as caught:
        call(*args, **kwargs)
    return caught.value.mistakes


def test_every_mistake_is_listed():
    for call in (ib.geometry.sparse, lambda **params: make("sparse", **params)):
        assert mistakes(call, n=0, d=2.5, nonzero=1, disjoint="no", seed=-1) == [
            "sparse: unknown parameter 'nonzero'; did you mean 'nonzeros'?",
            "sparse: n must be an integer >= 1, but is 0",
            "sparse: d must be an integer >= 1, but is 2.5",
            "sparse: disjoint must be True or False, but is 'no'",
            "sparse: seed must be an integer from 0 to 9223372036854775807, but is -1",
        ]


def test_kinds():
    assert mistakes(make, "gausian") == ["unknown data family 'gausian'; did you mean 'gaussian'?"]
    assert "use one of 'breast_cancer'" in mistakes(make, "zzz")[0]
    assert "unknown data family" in mistakes(make, ["gaussian"])[0]
    assert mistakes(make, "file") == ["from_file: parameter 'path' is missing; it must be the path of a file"]
    assert mistakes(make, "scaled_rademacher_reference", n=3) == [
        "scaled_rademacher_reference: unknown parameter 'n'; use one of 'depth', 'init', 'layout', 'model', 'ridge', "
        "'rotate', 'smoothing', 'start', 'width'"
    ]


@pytest.mark.parametrize(
    "kind, params, words",
    [
        ("gaussian", {"n": True}, "n must be an integer >= 1, but is True"),
        ("gaussian", {"n": np.True_}, "n must be an integer"),
        ("gaussian", {"d": "5"}, "d must be an integer >= 1, but is '5'"),
        ("gaussian", {"seed": None}, "seed must be an integer from 0 to 9223372036854775807, but is None"),
        ("gaussian", {"n": 2**20, "d": 2**20}, "n * d must be at most"),
        ("correlated", {"rho": 1}, "rho must be a number between -1 and 1, both excluded, but is 1"),
        ("power_law", {"alpha": float("nan")}, "alpha must be a finite number >= 0, but is nan"),
        ("gaussian", {"rotate": -1}, "rotate must be an integer from 0 to 9223372036854775807 or None, but is -1"),
        ("iris", {"rotate": True}, "rotate must be an integer from 0 to 9223372036854775807 or None, but is True"),
        ("power_law", {"rotate": 0.5}, "rotate must be True or False or an integer from 0 to 92233720368547"),
        ("power_law", {"alpha": False}, "alpha must be a finite number >= 0"),
        ("clusters", {"separation": 0}, "separation must be a finite number > 0, but is 0"),
        ("clusters", {"noise": 10**400}, "noise must be a finite number >= 0"),
        ("clusters", {"separation": 1e308, "noise": 1e308}, "X must be finite"),
        ("imbalanced", {"fraction": 0.6}, "fraction must be a number > 0 and <= 0.5, but is 0.6"),
        ("heavy_tailed", {"df": -1}, "df must be a finite number > 0"),
        ("sparse", {"nonzeros": 51}, "sparse: nonzeros must be at most d = 50, but is 51"),
        ("sparse", {"n": 11, "disjoint": True}, "disjoint supports need n * nonzeros <= d, but 11 * 5 > 50"),
        ("shifted_diagonal", {"diagonal": ()}, "diagonal must be a list of one or more finite numbers, but is ()"),
        ("shifted_diagonal", {"diagonal": "12"}, "diagonal must be a list"),
        ("shifted_diagonal", {"diagonal": 3}, "diagonal must be a list"),
        ("shifted_diagonal", {"diagonal": [1, None]}, "diagonal must be a list"),
        ("shifted_diagonal", {"diagonal": [0, 1], "shift": 0}, "a zero row cannot be separated"),
        ("file", {"path": 3}, "path must be the path of a file, but is 3"),
        ("file", {"path": "a.csv", "label": True}, "label must be a column name or an index or None, but is True"),
        ("file", {"path": "a.csv", "positive": [1]}, "positive must be a label (text or a finite number) or None"),
    ],
)
def test_unfit_values(kind, params, words):
    [mistake] = mistakes(make, kind, **params)
    assert words in mistake


def test_numpy_numbers_are_numbers():
    problem = ib.geometry.power_law(
        n=np.int64(3), d=np.uint8(2), alpha=np.float32(0.5), rotate=np.True_, seed=np.int8(1)
    )
    assert problem.params == {"n": 3, "d": 2, "alpha": 0.5, "rotate": True, "seed": 1}
    assert [type(value) for value in problem.params.values()] == [int, int, float, bool, int]


@pytest.mark.parametrize("kind", FAMILIES)
def test_docstrings_are_in_order(kind):
    words = [FAMILIES[kind].__doc__.find(w) for w in ("Arguments", "Returns", "Errors: ", ">>> ", "Source: ")]
    assert -1 not in words and words == sorted(words)

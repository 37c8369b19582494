"""The norms a margin can be measured in: their canonical names, values and dual values."""

import math
from collections.abc import Sequence
from numbers import Real

import numpy as np

from implicitbias.errors import InputError, one_of
from implicitbias.lengths import length

_NAMED = ("l1", "l2", "linf")
MEASURED = _NAMED  # what the tables of a study have, unless it asks for others
_WITH_PARAMETER = ("lp", "mahalanobis")


def canonical(norm, d: int):
    """The hashable name of a norm: "l1", "l2", "linf", ("lp", p) or ("mahalanobis", (diag_1, ..., diag_d)).

    Arguments
        norm  a name, or a pair (name, parameter) as a tuple or list; 1, 2 and inf are names too
        d     number of coordinates, which the length of diag must match

    Returns the canonical form; ("lp", p) with p = 1, 2, inf becomes the named norm.

    Errors: ``InputError`` with every mistake of the parameter.

    >>> canonical(["lp", 3], d=2), canonical(("lp", 2), d=2), canonical(("mahalanobis", [1, 4]), d=2)
    (('lp', 3.0), 'l2', ('mahalanobis', (1.0, 4.0)))
    """
    if isinstance(norm, Real) and norm in (1, 2, np.inf) and not isinstance(norm, bool):
        return _canonical_lp(norm)
    if isinstance(norm, str):
        if norm in _NAMED:
            return norm
        if norm in _WITH_PARAMETER:
            raise InputError(f'norm {norm!r} needs its parameter: write ("lp", p) or ("mahalanobis", diag)')
        raise InputError(one_of(norm, "norm", _NAMED + _WITH_PARAMETER))
    if not isinstance(norm, Sequence) or len(norm) != 2 or not isinstance(norm[0], str):
        raise InputError(f'a norm is a name or a pair such as ("lp", 3), but got {norm!r}')
    name, parameter = norm
    if name == "lp":
        return _canonical_lp(parameter)
    if name == "mahalanobis":
        return name, _canonical_diag(parameter, d)
    if name in _NAMED:
        raise InputError(f"norm {name!r} takes no parameter, but got {parameter!r}")
    raise InputError(one_of(name, "norm", _NAMED + _WITH_PARAMETER))


def _canonical_lp(p):
    if isinstance(p, bool) or not isinstance(p, Real) or not p >= 1:
        raise InputError(f'the p of ("lp", p) must be a number >= 1, but is {p!r}')
    return {1.0: "l1", 2.0: "l2", np.inf: "linf"}.get(float(p), ("lp", float(p)))


def _canonical_diag(diag, d):
    try:
        diag = np.asarray(diag, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"the diag of mahalanobis must be {d} numbers >= 0") from None
    mistakes = []
    if diag.shape != (d,):
        mistakes.append(f"the diag of mahalanobis must have shape ({d},), but has shape {diag.shape}")
    if not np.isfinite(diag).all():
        mistakes.append("the diag of mahalanobis must be finite, but has NaN or infinite entries")
    if (diag < 0).any():
        mistakes.append(f"the diag of mahalanobis must be >= 0, but its smallest entry is {np.nanmin(diag):g}")
    if mistakes:
        raise InputError(mistakes)
    return tuple(diag.tolist())


def is_seminorm(norm) -> bool:
    """Whether some directions have norm 0: a diag with zeros."""
    return isinstance(norm, tuple) and norm[0] == "mahalanobis" and min(norm[1]) == 0


def norm_value(norm, w: np.ndarray) -> float:
    """N(w) for a canonical norm; scaled by the largest entry, so it neither overflows nor underflows.

    >>> norm_value(("lp", 3.0), np.array([1e200, 1e200])) / 1e200
    1.2599210498948732
    """
    if norm == "l1":
        return float(np.abs(w).sum())
    if norm == "linf":
        return float(np.abs(w).max())
    if norm == "l2":
        return math.hypot(*w.tolist())
    name, parameter = norm
    if name == "lp":
        return _p_norm(w, parameter)
    return math.hypot(*(np.sqrt(parameter) * w).tolist())


def measurable(norm: str) -> str:
    """The name of a norm that tables may have columns of. Errors: ``InputError``."""
    if norm not in _NAMED:
        raise InputError(one_of(norm, "norm", _NAMED))
    return norm


def norm_values(norm, rows: np.ndarray) -> np.ndarray:
    """(S,) N of each row (S, d), for a norm with a name."""
    return length(rows) if norm == "l2" else np.linalg.norm(rows, {"l1": 1, "linf": np.inf}[norm], axis=1)


def dual_value(norm, y: np.ndarray) -> float:
    """N*(y) = max { y.w : N(w) <= 1 }; for mahalanobis over the coordinates with diag > 0 only.

    >>> dual_value("linf", np.array([3.0, -4.0])), dual_value(("mahalanobis", (4.0, 0.0)), np.array([6.0, 0.0]))
    (7.0, 3.0)
    """
    if norm == "l1":
        return norm_value("linf", y)
    if norm == "linf":
        return norm_value("l1", y)
    if norm == "l2":
        return math.hypot(*y.tolist())
    name, parameter = norm
    if name == "lp":
        return _p_norm(y, parameter / (parameter - 1.0))
    costly = np.array(parameter) > 0
    return math.hypot(*(y[costly] / np.sqrt(np.array(parameter)[costly])).tolist())


def norm_above(norm, w: np.ndarray) -> float:
    """An upper bound of N(w), a few ulps above it; N(w) itself for l1 and linf where float64 holds it.

    Nothing here depends on the processor: sums and roots are those of ``math``.

    >>> norm_above("l1", np.array([0.5, -0.25])), norm_above("l2", np.array([3.0, 4.0])) - 5 < 1e-14
    (0.75, True)
    """
    sizes = np.abs(w).tolist()
    if norm == "linf":
        return max(sizes)
    if norm == "l1":
        total = math.fsum(sizes)
        return _up(total) if math.fsum([*sizes, -total]) > 0 else total
    if norm == "l2":
        size = math.hypot(*sizes)  # documented to be right to an ulp, and exact for one number
        return size if sum(map(bool, sizes)) == 1 else _up(size)
    name, parameter = norm
    if name == "lp":
        return _power_above(sizes, parameter)
    # A root and a product: two roundings in each term, and one of the whole.
    return _up(math.hypot(*(np.sqrt(parameter) * np.abs(w)).tolist()) * (1 + 2.0**-50))


def dual_above(norm, y: np.ndarray) -> float:
    """An upper bound of ``dual_value``, a few ulps above it."""
    if norm in ("l1", "linf", "l2"):
        return norm_above({"l1": "linf", "linf": "l1", "l2": "l2"}[norm], y)
    name, parameter = norm
    if name == "lp":
        return _power_above(np.abs(y).tolist(), parameter / (parameter - 1.0))
    costly = np.array(parameter) > 0
    terms = np.abs(y[costly]) / np.sqrt(np.array(parameter)[costly])
    return _up(math.hypot(*terms.tolist()) * (1 + 2.0**-50))


def _power_above(sizes, p):
    largest = max(sizes)
    if largest == 0.0:
        return 0.0
    total = math.fsum((x / largest) ** p for x in sizes)
    # pow is right to an ulp in the C libraries in use (Zimmermann et al., Accuracy of Mathematical Functions, 2024).
    # Four ulps allowed to each, and p times the error of the quotient, leave the whole within a few tens of ulps.
    return _up(largest * total ** (1 / p) * (1 + 2.0**-47))


def _up(value):
    return math.nextafter(value, math.inf)


def _p_norm(w, p):
    largest = float(np.abs(w).max(initial=0.0))
    if largest == 0.0:
        return 0.0
    return largest * float(((np.abs(w) / largest) ** p).sum() ** (1.0 / p))

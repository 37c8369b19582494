"""The errors a user can cause: each says what is wrong, where, and what would be right."""

from collections.abc import Iterable

import numpy as np


class InputError(ValueError):
    """Input that cannot be used; ``mistakes`` lists everything wrong with it, one sentence each."""

    def __init__(self, mistakes: str | Iterable[str]):
        self.mistakes = [mistakes] if isinstance(mistakes, str) else list(mistakes)
        super().__init__("\n".join(self.mistakes))

    def __reduce__(self):
        return type(self), (self.mistakes,)


class NotSeparable(ValueError):
    """Data without a separator: the convex combination ``weights`` (n,) of the rows is zero.

    By Gordan's theorem exactly one of two things exists: w with min_i a_i.w > 0, or c in the simplex
    with A'c = 0. The weights are that c, so they prove the statement.
    """

    def __init__(self, weights: np.ndarray, residual: float):
        self.weights = np.asarray(weights, dtype=np.float64)
        self.residual = float(residual)
        support = np.flatnonzero(self.weights)
        support = support[np.argsort(-self.weights[support], kind="stable")]
        terms = " + ".join(f"{self.weights[i]:.6g} row {i}" for i in support[:6])
        more = f" + ... ({len(support) - 6} more rows)" if len(support) > 6 else ""
        super().__init__(
            f"the data are not separable: the convex combination {terms}{more} of the rows is zero "
            f"(to {self.residual:.1e}), so no direction has a positive margin on every row"
        )

    def __reduce__(self):
        return type(self), (self.weights, self.residual)


def one_of(name: str, what: str, allowed: Iterable[str]) -> str:
    """The sentence for an unknown ``name``: names the nearest right one, or all of them."""
    import difflib

    allowed = sorted(allowed)
    near = difflib.get_close_matches(str(name), allowed, n=1)
    hint = f"did you mean {near[0]!r}?" if near else "use one of " + ", ".join(map(repr, allowed))
    return f"unknown {what} {name!r}; {hint}"

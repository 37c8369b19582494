"""What is classified: rows with two labels, or with k.

A problem is data; the driver, the measures and the norms ask it for

    n, d                    samples and features
    shape                   that of the weights: (d,), or (k, d)
    margins(weights)        (..., N) the margins that separate the data when all are positive
    soft_margins(margins)   (..., n) for each sample the margin that its loss is a function of
    digest, name, params, feature_names, reading
"""

from typing import TypeAlias

from implicitbias.problems.binary import Problem
from implicitbias.problems.multiclass import Multiclass

AnyProblem: TypeAlias = Problem | Multiclass

__all__ = ["AnyProblem", "Multiclass", "Problem", "as_problem"]


def as_problem(given) -> AnyProblem:
    """A problem, or the binary one with the rows that are given. Errors: ``InputError`` as ``Problem``."""
    return given if isinstance(given, AnyProblem) else Problem(given)

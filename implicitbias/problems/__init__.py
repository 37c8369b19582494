"""What is classified: rows with two labels, or with k; and objectives, which classify nothing.

A problem is data; the driver and the measures ask it for

    n, d                    samples and features
    shape                   that of the weights: (d,), or (k, d)
    start                   where runs begin unless told otherwise
    finite(weights)         (...) whether the weights (..., *shape) and what is made of them are
    log_loss(weights, loss) (...) logarithm of the mean loss

and measures and norms ask data for

    margins(weights)        (..., N) the margins that separate the data when all are positive
    soft_margins(margins)   (..., n) for each sample the margin that its loss is a function of
    digest, name, params, feature_names, reading
"""

from typing import TypeAlias

from implicitbias.problems.binary import Problem
from implicitbias.problems.multiclass import Multiclass
from implicitbias.problems.objective import Objective

AnyProblem: TypeAlias = Problem | Multiclass | Objective

__all__ = ["AnyProblem", "Multiclass", "Objective", "Problem", "as_problem"]


def as_problem(given) -> AnyProblem:
    """A problem, or the binary one with the rows that are given. Errors: ``InputError`` as ``Problem``."""
    return given if isinstance(given, AnyProblem) else Problem(given)

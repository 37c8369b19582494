"""Slow obvious twins: the Hessian and the gradient of the mean loss as they stand on paper, in many digits."""

import mpmath
import numpy as np
from mpmath import mpf

from implicitbias.problems import Multiclass

DIGITS = 50


def features_and_slopes(problem, w, loss):
    """Of each row: (dl/du, d2l/du2) with respect to its scores u, which of two classes is the margin, and x."""
    classes = isinstance(problem, Multiclass)
    found = []
    for i in range(problem.n):
        x = [mpf(value) for value in (problem.X if classes else problem.rows)[i]]
        if not classes:
            z = mpmath.fsum(a * mpf(b) for a, b in zip(x, w))
            s = 1 / (1 + mpmath.exp(z)) if loss == "logistic" else mpmath.exp(-z)
            found.append((x, [-s], [[s / (1 + mpmath.exp(-z)) if loss == "logistic" else s]]))
            continue
        u = [mpmath.fsum(a * mpf(b) for a, b in zip(x, row)) for row in w]
        y, k = int(problem.labels[i]), problem.k
        p = [mpmath.exp(u[c] - u[y]) for c in range(k)]
        if loss == "logistic":
            total = mpmath.fsum(p)
            p = [value / total for value in p]
            but = [mpmath.fsum(p[:c] + p[c + 1 :]) for c in range(k)]  # 1 - p, which cancels at a loss of e^-1000
            slope = [-but[c] if c == y else p[c] for c in range(k)]
            bend = [[p[a] * but[a] if a == b else -p[a] * p[b] for b in range(k)] for a in range(k)]
        else:
            away = [mpf(0) if c == y else p[c] for c in range(k)]
            total = mpmath.fsum(away)
            slope = [away[c] - (c == y) * total for c in range(k)]
            bend = [[(a == b) * (total if a == y else away[a]) - ((a == y) ^ (b == y)) * away[b if a == y else a]
                     for b in range(k)] for a in range(k)]  # fmt: skip
        found.append((x, slope, bend))
    return found


def hessian(problem, w, loss):
    """(d, d), of k classes (k d, k d), as rows of numbers."""
    parts = features_and_slopes(problem, w, loss)
    k, d = len(parts[0][1]), problem.d
    return mpmath.matrix([
        [
            mpmath.fsum(bend[a // d][b // d] * x[a % d] * x[b % d] for x, _, bend in parts) / problem.n
            for b in range(k * d)
        ]
        for a in range(k * d)
    ])  # fmt: skip


def gradient(problem, w, loss, rows=None):
    """(d,), of k classes (k d,): the mean over the rows of a batch."""
    parts = features_and_slopes(problem, w, loss)
    parts = parts if rows is None else [parts[i] for i in rows]
    k, d = len(parts[0][1]), problem.d
    return [mpmath.fsum(slope[a // d] * x[a % d] for x, slope, _ in parts) / len(parts) for a in range(k * d)]


def top_of(H, k):
    """The k largest eigenvalues, as natural logarithms, and their eigenvectors, one a row."""
    values, vectors = mpmath.eigsy(H)
    order = sorted(range(len(values)), key=lambda i: -values[i])[:k]
    return np.array([float(mpmath.log(values[i])) for i in order]), [list(vectors[:, i]) for i in order]


def length(v):
    return mpmath.sqrt(mpmath.fsum(x * x for x in v))


def chi(vectors, v):
    """||P v|| / ||v|| with P the projector on orthonormal vectors."""
    return float(length([mpmath.fsum(a * b for a, b in zip(u, v)) for u in vectors]) / length(v))
